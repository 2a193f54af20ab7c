// adam: one step of Adam (Kingma and Ba 2014) or AdamW (Loshchilov and Hutter 2017) in torch's arithmetic, in one pass over the memory.
//   in  = parameter, gradient, mean, second moment (one dtype, f32 or f64, dense), then scalars of that dtype: decay, 1 - beta1, beta2,
//         1 - beta2, step size, 1 / sqrt(1 - beta2^t), epsilon
//   out = parameter, mean, second moment; each may lie over its input
//   ints = decay: 0 none, 1 added to the gradient, 2 a factor of the parameter
// Every operation rounds as in the body of the composite, so both give the same bits.
#pragma once
#include "../runtime/pool.h"
#include "kernel.h"
#include "simd.h"

namespace kaimo {
namespace {

constexpr int64_t kAdamBlock = 16384;

template <typename T>
struct AdamJob {
  const T *p, *g, *m, *v;
  T *p_out, *m_out, *v_out;
  T decay, w1, b2, w2, step, inverse_root, eps;
  int64_t n, mode;
};

template <typename T, int mode>
KAIMO_NOINLINE void adam_block(const AdamJob<T>& job, int64_t first, int64_t last) {
  const T decay = job.decay, w1 = job.w1, b2 = job.b2, w2 = job.w2, step = job.step, inverse_root = job.inverse_root, eps = job.eps;
#pragma GCC ivdep
  for (int64_t i = first; i < last; i++) {
    T p = job.p[i], g = job.g[i];
    if (mode == 1) g = g + p * decay;
    if (mode == 2) p = p * decay;
    const T m = job.m[i] + (g - job.m[i]) * w1;
    const T v = job.v[i] * b2 + (g * g) * w2;
    const T root = sizeof(T) == 4 ? T(__builtin_sqrtf(float(v))) : T(__builtin_sqrt(double(v)));
    job.p_out[i] = p - m / (root * inverse_root + eps) * step;
    job.m_out[i] = m;
    job.v_out[i] = v;
  }
}

template <typename T>
void adam_task(void* context, int64_t task, int) {
  const auto& job = *static_cast<AdamJob<T>*>(context);
  const int64_t first = task * kAdamBlock, last = first + kAdamBlock < job.n ? first + kAdamBlock : job.n;
  if (job.mode == 0) adam_block<T, 0>(job, first, last);
  if (job.mode == 1) adam_block<T, 1>(job, first, last);
  if (job.mode == 2) adam_block<T, 2>(job, first, last);
}

template <typename T>
void run_adam(KernelCall& call) {
  const auto data = [&](const Operand& operand) { return reinterpret_cast<T*>(operand.data); };
  const auto scalar = [&](int i) { return *data(call.in[4 + i]); };
  int64_t n = 1;
  for (int d = 0; d < call.in[0].rank; d++) n *= call.in[0].dims[d];
  AdamJob<T> job{data(call.in[0]), data(call.in[1]), data(call.in[2]), data(call.in[3]), data(call.out[0]), data(call.out[1]), data(call.out[2]),
                 scalar(0), scalar(1), scalar(2), scalar(3), scalar(4), scalar(5), scalar(6), n, call.ints[0]};
  parallel_for(call.pool, (n + kAdamBlock - 1) / kAdamBlock, adam_task<T>, &job);
}

Status adam(KernelCall& call) {
  if (call.n_in != 11 || call.n_out != 3 || call.ints[0] < 0 || call.ints[0] > 2) return Status::unsupported;
  if (call.in[0].dtype == DType::f32) {
    run_adam<float>(call);
  } else if (call.in[0].dtype == DType::f64) {
    run_adam<double>(call);
  } else {
    return Status::unsupported;
  }
  return Status::ok;
}

const KernelEntry kAdamKernels[] = {{"adam", adam}};

}  // namespace
}  // namespace kaimo
