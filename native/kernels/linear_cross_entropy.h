// Cross entropy of the classes that a linear map gives, without the whole matrix of logits: chunks of rows are multiplied, weighed and, for
// the gradient, multiplied back while they are there (as in Hsu et al. 2024, Liger Kernel). f32.
//   linear_cross_entropy: hidden [R, D], weight [V, D], labels [R], bias [V]? -> losses [R].
//   linear_cross_entropy_grad: ct [R], then those of the loss -> losses [R], dhidden [R, D], dweight [V, D], dbias [V]?.
//   ints = {ignore_index, has bias, rows of a chunk at most?}. Without the last, chunks are chosen by size; they depend on shapes alone.
#pragma once
#include <initializer_list>

#include "cross_entropy.h"
#include "gemm.h"

namespace kaimo {
namespace {

// Logits of a chunk: enough rows for products at full speed.
constexpr int64_t kLogitsBytes = int64_t(128) << 20, kFewestLogitRows = 128;

struct LinearClasses {
  int64_t rows, d, classes, ignored, chunk;
  const Operand *hidden, *weight, *labels, *bias;
  float* logits = nullptr;
  float* bias_row = nullptr;
  char* workspace = nullptr;

  // Operands from in[first] on.
  LinearClasses(const KernelCall& call, int first) : hidden(&call.in[first]), weight(&call.in[first + 1]), labels(&call.in[first + 2]) {
    bias = call.ints[1] ? &call.in[first + 3] : nullptr;
    rows = hidden->dims[0];
    d = hidden->dims[1];
    classes = weight->dims[0];
    ignored = call.ints[0];
    const int64_t most = call.n_ints > 2 ? call.ints[2] : max64(kFewestLogitRows, kLogitsBytes / 4 / max64(classes, 1));
    chunk = rows > 0 ? ceil_div(rows, ceil_div(rows, most)) : 1;
  }
  int64_t label(int64_t row) const { return integer_at(labels->data, labels->dtype, row * labels->strides[0]); }

  Status check_labels(KernelCall& call, int operand) const {
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t value = label(row);
      if (value == ignored || (value >= 0 && value < classes)) continue;
      call.error = {operand, value, classes};
      return Status::index_out_of_bounds;
    }
    return Status::ok;
  }

  // logits[count, classes] = hidden rows from row0 on . weight^T + bias
  Gemm<float> forward(int64_t row0, int64_t count) const {
    Gemm<float> g;
    g.m = count;
    g.n = classes;
    g.k = d;
    g.a = reinterpret_cast<const float*>(hidden->data) + row0 * hidden->strides[0];
    g.a_rs = hidden->strides[0];
    g.a_cs = hidden->strides[1];
    g.b = reinterpret_cast<const float*>(weight->data);
    g.b_rs = weight->strides[1];
    g.b_cs = weight->strides[0];
    g.c = logits;
    g.ldc = classes;
    g.epilogue.bias = bias_row;
    return g;
  }
  // dhidden rows = slopes . weight
  Gemm<float> hidden_grad(int64_t row0, int64_t count, float* out) const {
    Gemm<float> g;
    g.m = count;
    g.n = d;
    g.k = classes;
    g.a = logits;
    g.a_rs = classes;
    g.a_cs = 1;
    g.b = reinterpret_cast<const float*>(weight->data);
    g.b_rs = weight->strides[0];
    g.b_cs = weight->strides[1];
    g.c = out + row0 * d;
    g.ldc = d;
    return g;
  }
  // dweight += slopes^T . hidden rows
  Gemm<float> weight_grad(int64_t row0, int64_t count, float* out) const {
    Gemm<float> g;
    g.m = classes;
    g.n = d;
    g.k = count;
    g.a = logits;
    g.a_rs = 1;
    g.a_cs = classes;
    g.b = reinterpret_cast<const float*>(hidden->data) + row0 * hidden->strides[0];
    g.b_rs = hidden->strides[0];
    g.b_cs = hidden->strides[1];
    g.c = out;
    g.ldc = d;
    g.accumulate = row0 > 0;
    return g;
  }

  bool take_memory(Pool* pool, bool gradient) {
    size_t work = gemm_workspace(forward(0, chunk));
    if (gradient) {
      const int64_t last = rows - (rows - 1) / chunk * chunk;
      for (const size_t bytes : {gemm_workspace(hidden_grad(0, chunk, nullptr)), gemm_workspace(weight_grad(0, chunk, nullptr)), gemm_workspace(weight_grad(0, last, nullptr))})
        work = bytes > work ? bytes : work;
    }
    const int64_t logit_count = round_up(chunk * classes, 16), bias_count = round_up(bias ? classes : 0, 16) + 32;
    char* memory = static_cast<char*>(shared_scratch(pool, size_t(logit_count + bias_count) * sizeof(float) + work));
    if (!memory) return false;
    logits = reinterpret_cast<float*>(memory);
    workspace = memory + (logit_count + bias_count) * int64_t(sizeof(float));
    if (bias) {
      bias_row = logits + logit_count;
      for (int64_t i = 0; i < classes; ++i) bias_row[i] = reinterpret_cast<const float*>(bias->data)[i * bias->strides[0]];
    }
    return true;
  }
};

inline float row_loss(const LinearClasses& job, const float* x, int64_t label) { return label == job.ignored ? 0.0f : log_sum_exp(x, job.classes) - x[label]; }

// The loss of a row of logits, which become their own gradient.
inline float row_slopes(const LinearClasses& job, float ct, float* x, int64_t label) {
  const int64_t n = job.classes;
  if (label == job.ignored) {
    for (int64_t i = 0; i < n; ++i) x[i] = 0;
    return 0;
  }
  const float total = log_sum_exp(x, n), at_label = x[label];
  for (int64_t i = 0; i < n; ++i) x[i] = ct * exp_of(x[i] - total);
  x[label] = ct * (exp_of(at_label - total) - 1);
  return total - at_label;
}

static Status linear_cross_entropy_kernel(KernelCall& call) {
  LinearClasses job(call, 0);
  const Status checked = job.check_labels(call, 2);
  if (checked != Status::ok || job.rows == 0) return checked;
  if (!job.take_memory(call.pool, false)) return Status::out_of_memory;
  float* const losses = reinterpret_cast<float*>(call.out[0].data);
  for (int64_t row0 = 0; row0 < job.rows; row0 += job.chunk) {
    const int64_t count = min64(job.chunk, job.rows - row0);
    const Status status = gemm(call.pool, job.forward(row0, count), job.workspace);
    if (status != Status::ok) return status;
    parallel_ranges(call.pool, count, double(job.classes), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) losses[row0 + r] = row_loss(job, job.logits + r * job.classes, job.label(row0 + r));
    });
  }
  return Status::ok;
}

// dbias (+)= sums of the slopes over the rows of a chunk.
inline void add_bias_grad(Pool* pool, const LinearClasses& job, int64_t count, bool first, float* out) {
  constexpr int64_t kColumns = 256;
  parallel_ranges(pool, ceil_div(job.classes, kColumns), double(kColumns * count) * 0.2, [&](int64_t begin, int64_t end, int) {
    const int64_t c0 = begin * kColumns, c1 = min64(job.classes, end * kColumns);
    for (int64_t i = c0; first && i < c1; ++i) out[i] = 0;
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t i = c0; i < c1; ++i) out[i] += job.logits[r * job.classes + i];
    }
  });
}

static Status linear_cross_entropy_grad_kernel(KernelCall& call) {
  LinearClasses job(call, 1);
  const Status checked = job.check_labels(call, 3);
  if (checked != Status::ok) return checked;
  const auto out = [&](int i) { return reinterpret_cast<float*>(call.out[i].data); };
  const Operand& ct = call.in[0];
  if (job.rows == 0) {
    for (int64_t i = 0; i < job.classes * job.d; ++i) out(2)[i] = 0;
    for (int64_t i = 0; job.bias && i < job.classes; ++i) out(3)[i] = 0;
    return Status::ok;
  }
  if (!job.take_memory(call.pool, true)) return Status::out_of_memory;
  for (int64_t row0 = 0; row0 < job.rows; row0 += job.chunk) {
    const int64_t count = min64(job.chunk, job.rows - row0);
    Status status = gemm(call.pool, job.forward(row0, count), job.workspace);
    if (status != Status::ok) return status;
    parallel_ranges(call.pool, count, 1.2 * double(job.classes), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const float g = reinterpret_cast<const float*>(ct.data)[(row0 + r) * ct.strides[0]];
        out(0)[row0 + r] = row_slopes(job, g, job.logits + r * job.classes, job.label(row0 + r));
      }
    });
    status = gemm(call.pool, job.hidden_grad(row0, count, out(1)), job.workspace);
    if (status == Status::ok) status = gemm(call.pool, job.weight_grad(row0, count, out(2)), job.workspace);
    if (status != Status::ok) return status;
    if (job.bias) add_bias_grad(call.pool, job, count, row0 == 0, out(3));
  }
  return Status::ok;
}

static const KernelEntry kLinearCrossEntropyKernels[] = {
    {"linear_cross_entropy", linear_cross_entropy_kernel},
    {"linear_cross_entropy_grad", linear_cross_entropy_grad_kernel},
};

}  // namespace
}  // namespace kaimo
