// layer_norm and rms_norm over any dims, with their gradients. f16 and bf16 calculate in f32. Ba, Kiros & Hinton 2016; Zhang & Sennrich 2019.
// ints = has_weight, has_bias, axes (ascending). floats = epsilon. weight and bias have the shape of the axes.
#pragma once
#include <math.h>

#include "row_sums.h"
#include "rows.h"

namespace kaimo {
namespace {

// Every value of an operand, contiguous in the calculation type.
inline void load_values(const Operand& from, const FloatCast& cast, char* out) {
  Walk<1> walk;
  walk.rank = 0;
  for (int d = 0; d < from.rank; d++) walk.push(from.dims[d], {from.strides[d]});
  const int64_t n = walk.rank > 0 ? walk.dims[walk.rank - 1] : 1, stride = walk.rank > 0 ? walk.strides[0][walk.rank - 1] : 1;
  if (walk.rank > 0) walk.rank--;
  walk.start(0);
  const int64_t runs = walk.count();
  for (int64_t r = 0; r < runs; r++, walk.next()) cast.load(from.data + walk.offset[0] * cast.stored, stride, out + r * n * cast.value, n);
}

struct NormArgs {
  bool has_weight, has_bias, centred;
  uint32_t axes;
  double epsilon;

  NormArgs(const KernelCall& call, bool is_centred) : has_weight(call.ints[0] != 0), has_bias(call.ints[1] != 0), centred(is_centred), axes(0), epsilon(call.floats[0]) {
    for (int i = 2; i < call.n_ints; i++) axes |= 1u << call.ints[i];
  }
};

inline float root(float x) { return ::sqrtf(x); }
inline double root(double x) { return ::sqrt(x); }

// Mean (0 where not centred) and 1 / sqrt(variance + epsilon) of a row.
template <class A>
struct RowMoments {
  A mean, inverse;

  RowMoments(const A* x, int64_t n, const NormArgs& args) : mean(0) {
    const A count = static_cast<A>(n);
    A sum[1];
    if (args.centred) {
      row_sums(n, sum, [x](int64_t i, auto* term) { term[0] = pick<Pointed<decltype(term)>>(x + i); });
      mean = sum[0] / count;
    }
    const A centre = mean;
    row_sums(n, sum, [x, centre](int64_t i, auto* term) {
      const auto v = pick<Pointed<decltype(term)>>(x + i) - centre;
      term[0] = v * v;
    });
    inverse = A(1) / root(sum[0] / count + static_cast<A>(args.epsilon));
  }
};

template <class A, bool has_weight, bool has_bias>
KAIMO_NOINLINE void norm_values(const A* x, A* y, int64_t n, const A* weight, const A* bias, A mean, A inverse) {
  each_vector<A>(n, [=](int64_t i, auto tag) {
    using V = decltype(tag);
    // The next row, if rows lie behind each other.
    __builtin_prefetch(x + i + n);
    __builtin_prefetch(y + i + n, 1);
    V value = (pick<V>(x + i) - mean) * inverse;
    if (has_weight) value *= pick<V>(weight + i);
    if (has_bias) value += pick<V>(bias + i);
    place(y + i, value);
  });
}

template <class A>
inline void norm_row(const A* x, A* y, int64_t n, const A* weight, const A* bias, const NormArgs& args) {
  const RowMoments<A> m(x, n, args);
  const auto values = weight ? (bias ? norm_values<A, true, true> : norm_values<A, true, false>)
                             : (bias ? norm_values<A, false, true> : norm_values<A, false, false>);
  values(x, y, n, weight, bias, m.mean, m.inverse);
}

// in[0] x, in[1] weight?, then bias?; out[0] y.
inline Status norm_forward(KernelCall& call, bool centred) {
  const NormArgs args(call, centred);
  const Operand* operands[] = {&call.in[0], &call.out[0]};
  RowJob job;
  if (!job.init(operands, 2, 1, args.axes)) return Status::unsupported;
  const int64_t bytes = (job.n * job.cast[0].value + 63) / 64 * 64;
  char* scratch = static_cast<char*>(shared_scratch(call.pool, static_cast<size_t>(2 * bytes + 64)));
  if (scratch == nullptr) return Status::out_of_memory;
  char* params[2] = {nullptr, nullptr};
  for (int k = 0, at = 1; k < 2; k++) {
    FloatCast cast;
    if (!(k == 0 ? args.has_weight : args.has_bias)) continue;
    if (!float_cast(call.in[at].dtype, &cast) || cast.value != job.cast[0].value) return Status::unsupported;
    const Operand& param = call.in[at++];
    params[k] = cast.direct && is_dense(param) ? param.data : scratch + k * bytes;
    if (params[k] != param.data) load_values(param, cast, params[k]);
  }
  const bool wide = job.cast[0].value == 8;
  return for_each_row(call.pool, job, 0.6, [&](char* const* rows, int64_t, int) {
    const auto run = [&](auto tag) {
      using A = typename decltype(tag)::type;
      norm_row(reinterpret_cast<const A*>(rows[0]), reinterpret_cast<A*>(rows[1]), job.n, reinterpret_cast<const A*>(params[0]), reinterpret_cast<const A*>(params[1]), args);
    };
    if (wide) run(Tag<double>{});
    else run(Tag<float>{});
  });
}

static Status layer_norm_kernel(KernelCall& call) { return norm_forward(call, true); }
static Status rms_norm_kernel(KernelCall& call) { return norm_forward(call, false); }

// dx of a row, and its addition to the sums of dweight and dbias (either may be null).
template <class A, bool has_weight>
KAIMO_NOINLINE void norm_grad_values(const A* ct, const A* x, A* dx, int64_t n, const A* weight, A* dweight, A* dbias, const NormArgs& args) {
  const RowMoments<A> m(x, n, args);
  const A mean = m.mean, inverse = m.inverse;
  A sum[2];
  row_sums(n, sum, [=](int64_t i, auto* term) {
    using V = Pointed<decltype(term)>;
    const V grad = pick<V>(ct + i), normal = (pick<V>(x + i) - mean) * inverse;
    if (dweight != nullptr) place(dweight + i, pick<V>(dweight + i) + grad * normal);
    if (dbias != nullptr) place(dbias + i, pick<V>(dbias + i) + grad);
    const V scaled = has_weight ? grad * pick<V>(weight + i) : grad;
    term[0] = scaled * normal;
    term[1] = scaled;
  });
  const A slope = sum[0] / static_cast<A>(n), offset = args.centred ? sum[1] / static_cast<A>(n) : A(0);
  each_vector<A>(n, [=](int64_t i, auto tag) {
    using V = decltype(tag);
    const V grad = pick<V>(ct + i), scaled = has_weight ? grad * pick<V>(weight + i) : grad;
    place(dx + i, V(inverse * (scaled - offset - (pick<V>(x + i) - mean) * inverse * slope)));
  });
}

template <class A>
inline void norm_grad_row(const A* ct, const A* x, A* dx, int64_t n, const A* weight, A* dweight, A* dbias, const NormArgs& args) {
  (weight ? norm_grad_values<A, true> : norm_grad_values<A, false>)(ct, x, dx, n, weight, dweight, dbias, args);
}

// Sums over rows go through at most 64 partial sums of neighbouring rows, which then merge as a tree: the order depends on the number
// of rows alone.
template <class A>
inline Status norm_backward_typed(KernelCall& call, const NormArgs& args, RowJob& job, const FloatCast& weight_cast) {
  const int64_t n = job.n, group = (job.rows + 63) / 64 < 4 ? 4 : (job.rows + 63) / 64;
  const int64_t groups = job.rows == 0 ? 1 : (job.rows + group - 1) / group;
  const int64_t sums = static_cast<int64_t>(args.has_weight) + static_cast<int64_t>(args.has_bias);
  const int64_t padded = (n + 15) / 16 * 16;
  A* scratch = static_cast<A*>(shared_scratch(call.pool, static_cast<size_t>((padded * (1 + sums * groups)) * static_cast<int64_t>(sizeof(A)))));
  if (scratch == nullptr) return Status::out_of_memory;
  A* weight = args.has_weight ? scratch : nullptr;
  if (weight != nullptr) load_values(call.in[2], weight_cast, reinterpret_cast<char*>(weight));
  A* partial = scratch + padded;
  for (int64_t i = 0; i < padded * sums * groups; i++) partial[i] = A(0);

  // Rows of a group run in order on one thread.
  int no_memory = 0;
  const double group_ns = static_cast<double>(group) * (20 + 1.5 * static_cast<double>(n));
  parallel_ranges(call.pool, n == 0 || job.rows == 0 ? 0 : groups, group_ns, [&](int64_t begin, int64_t end, int worker) {
    char* buffer = static_cast<char*>(worker_scratch(call.pool, worker, static_cast<size_t>(3 * padded) * sizeof(A)));
    if (buffer == nullptr) return __atomic_store_n(&no_memory, 1, __ATOMIC_RELAXED);
    Walk<kMaxRowOperands> at = job.outer;
    at.start(begin * group);
    const int64_t last = end * group < job.rows ? end * group : job.rows;
    for (int64_t r = begin * group; r < last; r++, at.next()) {
      char* rows[3];
      for (int k = 0; k < 3; k++) {
        rows[k] = job.in_place(k) ? job.data[k] + at.offset[k] : buffer + k * padded * static_cast<int64_t>(sizeof(A));
        if (k < job.inputs && !job.in_place(k)) job.move(k, job.data[k] + at.offset[k], rows[k]);
      }
      A* mine = partial + r / group * sums * padded;
      norm_grad_row(reinterpret_cast<const A*>(rows[0]), reinterpret_cast<const A*>(rows[1]), reinterpret_cast<A*>(rows[2]), n, weight,
                    args.has_weight ? mine : nullptr, args.has_bias ? mine + (sums - 1) * padded : nullptr, args);
      if (!job.in_place(2)) job.move(2, job.data[2] + at.offset[2], rows[2]);
    }
  });
  if (no_memory) return Status::out_of_memory;
  for (int64_t half = 1; half < groups; half *= 2)
    for (int64_t g = 0; g + half < groups; g += 2 * half)
      for (int64_t i = 0; i < sums * padded; i++) partial[g * sums * padded + i] += partial[(g + half) * sums * padded + i];
  for (int64_t s = 0; s < sums; s++) {
    FloatCast cast;
    if (!float_cast(call.out[1 + s].dtype, &cast) || cast.value != static_cast<int64_t>(sizeof(A))) return Status::unsupported;
    cast.store(reinterpret_cast<char*>(partial + s * padded), call.out[1 + s].data, 1, n);
  }
  return Status::ok;
}

// in[0] cotangent, in[1] x, in[2] weight?; out[0] dx, then dweight?, dbias?. The saved statistics are calculated again: cheaper than memory.
inline Status norm_backward(KernelCall& call, bool centred) {
  const NormArgs args(call, centred);
  const Operand* operands[] = {&call.in[0], &call.in[1], &call.out[0]};
  RowJob job;
  if (!job.init(operands, 3, 2, args.axes)) return Status::unsupported;
  FloatCast weight_cast = job.cast[0];
  if (args.has_weight && (!float_cast(call.in[2].dtype, &weight_cast) || weight_cast.value != job.cast[0].value)) return Status::unsupported;
  return job.cast[0].value == 8 ? norm_backward_typed<double>(call, args, job, weight_cast) : norm_backward_typed<float>(call, args, job, weight_cast);
}

static Status layer_norm_grad_kernel(KernelCall& call) { return norm_backward(call, true); }
static Status rms_norm_grad_kernel(KernelCall& call) { return norm_backward(call, false); }

static const KernelEntry kNormKernels[] = {
    {"layer_norm", layer_norm_kernel},
    {"rms_norm", rms_norm_kernel},
    {"layer_norm_grad", layer_norm_grad_kernel},
    {"rms_norm_grad", rms_norm_grad_kernel},
};

}  // namespace
}  // namespace kaimo
