// softmax_cross_entropy of class indices, and its gradient, one row a sample. f16 and bf16 calculate in f32.
// ints = ignore_index, has_weight; floats = label smoothing s. With t = logsumexp(x), w the class factors (1 without), C classes:
// loss = (1 - s) w[label] (t - x[label]) + s / C sum_i w[i] (t - x[i]), and 0 for a label equal to ignore_index.
#pragma once
#include "indexing.h"
#include "norm.h"
#include "softmax.h"

namespace kaimo {
namespace {

// What every row needs: its label (checked beforehand), the class factors in the calculation type.
struct CrossEntropy {
  const Operand& labels;
  int64_t classes, ignored;
  double smoothing;
  bool has_weight;
  char* weight = nullptr;  // classes values

  CrossEntropy(const KernelCall& call, const Operand& label_operand, int64_t class_count)
      : labels(label_operand), classes(class_count), ignored(call.ints[0]), smoothing(call.floats[0]), has_weight(call.ints[1] != 0) {}

  int64_t label(int64_t row) const { return integer_at(labels.data, labels.dtype, row * labels.strides[0]); }

  // Checks all labels and loads the factors. `operand` is the place of the labels among the inputs.
  Status prepare(KernelCall& call, int operand, const FloatCast& like) {
    for (int64_t row = 0; row < labels.dims[0]; row++) {
      const int64_t value = label(row);
      if (value == ignored || (value >= 0 && value < classes)) continue;
      call.error = {operand, value, classes};
      return Status::index_out_of_bounds;
    }
    if (!has_weight) return Status::ok;
    FloatCast cast;
    if (!float_cast(call.in[operand + 1].dtype, &cast) || cast.value != like.value) return Status::unsupported;
    weight = static_cast<char*>(shared_scratch(call.pool, static_cast<size_t>((classes + 16) * cast.value)));
    if (weight == nullptr) return Status::out_of_memory;
    load_values(call.in[operand + 1], cast, weight);
    return Status::ok;
  }
};

template <class A>
inline A log_sum_exp(const A* x, int64_t n) {
  const A top = reduce_row<MaxOp>(x, n);
  // A row of -inf has a sum of 0, not NaN; a +inf gives +inf.
  if (top - top != A(0)) return top;
  return top + log_of(reduce_map<SumOp, A>(n, [&](int64_t i) { return exp_of(x[i] - top); }));
}

template <class A>
inline A cross_entropy_row(const CrossEntropy& job, const A* x, int64_t row) {
  const int64_t label = job.label(row);
  if (label == job.ignored) return A(0);
  const A* w = reinterpret_cast<const A*>(job.weight);
  const A total = log_sum_exp(x, job.classes), smoothing = static_cast<A>(job.smoothing);
  const A hit = (w != nullptr ? w[label] : A(1)) * (total - x[label]);
  if (smoothing == A(0)) return hit;
  const A even = reduce_map<SumOp, A>(job.classes, [&](int64_t i) { return (w != nullptr ? w[i] : A(1)) * (total - x[i]); });
  return hit * (A(1) - smoothing) + even * (smoothing / static_cast<A>(job.classes));
}

template <class A>
inline void cross_entropy_grad_row(const CrossEntropy& job, A ct, const A* x, A* dx, int64_t row) {
  const int64_t label = job.label(row), n = job.classes;
  if (label == job.ignored) {
    for (int64_t i = 0; i < n; i++) dx[i] = A(0);
    return;
  }
  const A* w = reinterpret_cast<const A*>(job.weight);
  const A total = log_sum_exp(x, n), at_label = x[label], smoothing = static_cast<A>(job.smoothing);
  const A factor = ct * (A(1) - smoothing) * (w != nullptr ? w[label] : A(1)), share = ct * (smoothing / static_cast<A>(n));
  const A weights = smoothing == A(0) ? A(0) : w != nullptr ? reduce_row<SumOp>(w, n) : static_cast<A>(n);
  const A scale = factor + share * weights;
  if (smoothing != A(0) && w != nullptr) {
    for (int64_t i = 0; i < n; i++) dx[i] = scale * exp_of(x[i] - total) - share * w[i];
  } else {
    const A pull = smoothing == A(0) ? A(0) : share;
    for (int64_t i = 0; i < n; i++) dx[i] = scale * exp_of(x[i] - total) - pull;
  }
  // p - 1 at the label, without cancelling against the sum above.
  const A own = smoothing == A(0) ? A(0) : share * (w != nullptr ? w[label] : A(1));
  dx[label] = factor * (exp_of(at_label - total) - A(1)) + share * weights * exp_of(at_label - total) - own;
}

// softmax_cross_entropy: in[0] logits [rows, classes], in[1] integer labels [rows], in[2] weight [classes]?; out[0] losses [rows].
static Status cross_entropy_kernel(KernelCall& call) {
  const Operand* operands[] = {&call.in[0]};
  RowJob job;
  if (!job.init(operands, 1, 1, 2u)) return Status::unsupported;
  CrossEntropy data(call, call.in[1], call.in[0].dims[1]);
  const Status status = data.prepare(call, 1, job.cast[0]);
  if (status != Status::ok) return status;
  const FloatCast cast = job.cast[0];
  char* out = call.out[0].data;
  return for_each_row(call.pool, job, 1.0, [&](char* const* rows, int64_t row, int) {
    alignas(8) char loss[8];
    if (cast.value == 4) *reinterpret_cast<float*>(loss) = cross_entropy_row(data, reinterpret_cast<const float*>(rows[0]), row);
    else *reinterpret_cast<double*>(loss) = cross_entropy_row(data, reinterpret_cast<const double*>(rows[0]), row);
    cast.store(loss, out + row * cast.stored, 1, 1);
  });
}

// softmax_cross_entropy_grad: in[0] cotangent [rows], then the inputs of the forward; out[0] the gradient of the logits.
static Status cross_entropy_grad_kernel(KernelCall& call) {
  const Operand* operands[] = {&call.in[1], &call.out[0]};
  const Operand& ct = call.in[0];
  RowJob job;
  if (!job.init(operands, 2, 1, 2u)) return Status::unsupported;
  CrossEntropy data(call, call.in[2], call.in[1].dims[1]);
  const Status status = data.prepare(call, 2, job.cast[0]);
  if (status != Status::ok) return status;
  FloatCast cast;
  if (!float_cast(ct.dtype, &cast) || cast.value != job.cast[0].value) return Status::unsupported;
  return for_each_row(call.pool, job, 1.2, [&](char* const* rows, int64_t row, int) {
    alignas(8) char g[8];
    cast.load(ct.data + row * ct.strides[0] * cast.stored, 1, g, 1);
    if (cast.value == 4) cross_entropy_grad_row(data, *reinterpret_cast<float*>(g), reinterpret_cast<const float*>(rows[0]), reinterpret_cast<float*>(rows[1]), row);
    else cross_entropy_grad_row(data, *reinterpret_cast<double*>(g), reinterpret_cast<const double*>(rows[0]), reinterpret_cast<double*>(rows[1]), row);
  });
}

static const KernelEntry kCrossEntropyKernels[] = {
    {"softmax_cross_entropy", cross_entropy_kernel},
    {"softmax_cross_entropy_grad", cross_entropy_grad_kernel},
};

}  // namespace
}  // namespace kaimo
