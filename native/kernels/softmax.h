// softmax and log_softmax along a dim, with their gradients. f16 and bf16 calculate in f32. A row with a NaN, a +inf, or nothing but
// -inf gives NaN, as torch does; single -inf entries give exactly 0 (softmax) and -inf (log_softmax).
#pragma once
#include "math.h"
#include "row_sums.h"
#include "rows.h"

namespace kaimo {
namespace {

// exp of an argument that is at most about 0 (or NaN), as after subtracting a maximum: cheaper than exp_f32. Below -87.3 it gives 0.
inline float exp_of(float x) {
  const float clamped = -87.3365448f > x ? -87.3365448f : x;
  const float z = sfma(clamped, 1.44269504f, kRoundF);
  const float n = z - kRoundF;
  const float r = sfma(n, 0.000212194442f, sfma(n, -0.693359375f, clamped));
  float p = sfma(0.0013814596f, r, 0.0083687175f);
  p = sfma(p, r, 0.04166839f);
  p = sfma(p, r, 0.16666521f);
  p = sfma(p, r, 0.49999994f);
  p = sfma(p * r, r, r) + 1.0f;
  // The integer n stands in the low bits of z: shifted up, it adds to the exponent of 1.
  const float scale = bit_cast<float>((bit_cast<uint32_t>(z) << 23) + 0x3f800000u);
  const float y = p * scale;
  return x < -87.3365448f ? 0.0f : y;
}
inline double exp_of(double x) { return ::exp(x); }

// exp_of on a vector. From -87.7 down the scale is 2^-127, whose bits are those of 0.
KAIMO_INLINE vf32 vexp_of(vf32 x) {
  const ExpParts e = exp_parts(vgreater(vsplat(-88.0f), x));
  return exp_polynomial(e.r) * exp_scale(e.z);
}
inline float log_of(float x) { return log_f32(x); }
inline double log_of(double x) { return ::log(x); }

// A maximum that may lose NaN: here a NaN makes the sum of exponentials NaN in any case.
struct QuickMaxOp {
  template <class T>
  static T identity() { return lowest_value<T>(); }
  template <class V>
  static V apply(V a, V b) { return a > b ? a : b; }
};

inline float top_of(const float* x, int64_t n) {
  constexpr int kLanes = Vec<float>::n;
  float top = lowest_value<float>();
  int64_t i = 0;
  if (n >= 4 * kLanes) {
    vf32 v[4];
    KAIMO_UNROLL(4)
    for (int k = 0; k < 4; k++) v[k] = vload(x + k * kLanes);
    for (i = 4 * kLanes; i + 4 * kLanes <= n; i += 4 * kLanes) {
      KAIMO_UNROLL(4)
      for (int k = 0; k < 4; k++) v[k] = vgreater(v[k], vload(x + i + k * kLanes));
    }
    const vf32 best = vgreater(vgreater(v[0], v[1]), vgreater(v[2], v[3]));
    KAIMO_UNROLL(16)
    for (int l = 0; l < kLanes; l++) top = best[l] > top ? best[l] : top;
  }
  for (; i < n; i++) top = x[i] > top ? x[i] : top;
  return top;
}
inline double top_of(const double* x, int64_t n) { return reduce_row<QuickMaxOp>(x, n); }

// y = exp(x - top) of a block of n <= 256, and its sum.
inline float exp_block(const float* x, float* y, int64_t n, float top) {
  constexpr int64_t kStep = 16;
  Lanes<float> sum = {}, value;
  const auto step = [&](const float* from, float* to) __attribute__((always_inline)) {
    KAIMO_UNROLL(4)
    for (int64_t i = 0; i < kStep; i += Vec<float>::n) vstore(to + i, vexp_of(vload(from + i) - vsplat(top)));
    KAIMO_UNROLL(2)
    for (int64_t i = 0; i < kStep; i += kReduceLanes) {
      value.load(to + i);
      KAIMO_UNROLL(2)
      for (int c = 0; c < Lanes<float>::kCount; c++) sum.v[c] += value.v[c];
    }
  };
  int64_t i = 0;
  for (; i + kStep <= n; i += kStep) step(x + i, y + i);
  if (i < n) {
    // Past the end stands -inf, whose exp adds nothing.
    float from[kStep], to[kStep];
    for (int64_t k = 0; k < kStep; k++) from[k] = i + k < n ? x[i + k] : -kInfF;
    step(from, to);
    for (int64_t k = 0; i + k < n; k++) y[i + k] = to[k];
  }
  float lane[kReduceLanes];
  sum.store(lane);
  return combine_lanes<SumOp>(lane);
}
inline double exp_block(const double* x, double* y, int64_t n, double top) {
  for (int64_t i = 0; i < n; i++) y[i] = exp_of(x[i] - top);
  return reduce_row<SumOp>(y, n);
}

template <class A>
struct SoftmaxRows {
  static void softmax(char* const* rows, int64_t n) {
    const A* x = reinterpret_cast<const A*>(rows[0]);
    A* y = reinterpret_cast<A*>(rows[1]);
    const A top = top_of(x, n);
    BlockCounter<SumOp, A> sum;
    for (int64_t i = 0; i < n; i += kReduceBlock) sum.push(exp_block(x + i, y + i, min64(kReduceBlock, n - i), top));
    const A scale = A(1) / sum.finish();
    for (int64_t i = 0; i < n; i++) y[i] *= scale;
  }

  static void log_softmax(char* const* rows, int64_t n) {
    const A* x = reinterpret_cast<const A*>(rows[0]);
    A* y = reinterpret_cast<A*>(rows[1]);
    const A top = top_of(x, n);
    BlockCounter<SumOp, A> sum;
    A block[kReduceBlock];
    for (int64_t i = 0; i < n; i += kReduceBlock) sum.push(exp_block(x + i, block, min64(kReduceBlock, n - i), top));
    const A shift = log_of(sum.finish());
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] - top) - shift;
  }

  // dx = y * (ct - sum(ct * y))
  static void softmax_grad(char* const* rows, int64_t n) {
    const A *ct = reinterpret_cast<const A*>(rows[0]), *y = reinterpret_cast<const A*>(rows[1]);
    A* dx = reinterpret_cast<A*>(rows[2]);
    A total[1];
    row_sums(n, total, [=](int64_t i, auto* term) {
      using V = Pointed<decltype(term)>;
      term[0] = pick<V>(ct + i) * pick<V>(y + i);
    });
    each_vector<A>(n, [=](int64_t i, auto tag) {
      using V = decltype(tag);
      place(dx + i, V(pick<V>(y + i) * (pick<V>(ct + i) - total[0])));
    });
  }

  // dx = ct - exp(y) * sum(ct)
  static void log_softmax_grad(char* const* rows, int64_t n) {
    const A *ct = reinterpret_cast<const A*>(rows[0]), *y = reinterpret_cast<const A*>(rows[1]);
    A* dx = reinterpret_cast<A*>(rows[2]);
    A total[1];
    row_sums(n, total, [=](int64_t i, auto* term) { term[0] = pick<Pointed<decltype(term)>>(ct + i); });
    for (int64_t i = 0; i < n; i++) dx[i] = ct[i] - exp_of(y[i]) * total[0];
  }
};

inline Status softmax_rows(KernelCall& call, double element_ns, void (*f32_row)(char* const*, int64_t), void (*f64_row)(char* const*, int64_t)) {
  const Operand* operands[kMaxRowOperands];
  for (int k = 0; k < call.n_in; k++) operands[k] = &call.in[k];
  operands[call.n_in] = &call.out[0];
  RowJob job;
  if (call.out[0].rank == 0) return Status::unsupported;
  if (!job.init(operands, call.n_in + 1, call.n_in, 1u << call.ints[0])) return Status::unsupported;
  const auto row = job.cast[0].value == 4 ? f32_row : f64_row;
  return for_each_row(call.pool, job, element_ns, [&](char* const* rows, int64_t, int) { row(rows, job.n); });
}

// softmax, log_softmax: in[0] x, out[0] y; ints[0] = dim.
static Status softmax_kernel(KernelCall& call) { return softmax_rows(call, 1.0, SoftmaxRows<float>::softmax, SoftmaxRows<double>::softmax); }
static Status log_softmax_kernel(KernelCall& call) { return softmax_rows(call, 1.0, SoftmaxRows<float>::log_softmax, SoftmaxRows<double>::log_softmax); }

// softmax_grad, log_softmax_grad: in[0] cotangent, in[1] y (the forward result), out[0] dx; ints[0] = dim.
static Status softmax_grad_kernel(KernelCall& call) { return softmax_rows(call, 0.6, SoftmaxRows<float>::softmax_grad, SoftmaxRows<double>::softmax_grad); }
static Status log_softmax_grad_kernel(KernelCall& call) {
  return softmax_rows(call, 1.0, SoftmaxRows<float>::log_softmax_grad, SoftmaxRows<double>::log_softmax_grad);
}

static const KernelEntry kSoftmaxKernels[] = {
    {"softmax", softmax_kernel},
    {"log_softmax", log_softmax_kernel},
    {"softmax_grad", softmax_grad_kernel},
    {"log_softmax_grad", log_softmax_grad_kernel},
};

}  // namespace
}  // namespace kaimo
