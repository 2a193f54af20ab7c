// What the processor could do at most: the limits that profiles and benchmarks are held against.
#pragma once
#include "../runtime/pool.h"
#include "kernel.h"
#include "simd.h"

namespace kaimo {
namespace {

// Enough independent chains to hide the latency of a fused multiply-add on every processor that these builds run on.
#if KAIMO_VEC_BYTES == 64
constexpr int kChains = 24;
#else
constexpr int kChains = 12;
#endif

struct PeakJob {
  int64_t rounds;
  float* sink;
};

KAIMO_NOINLINE void peak_task(void* context, int64_t task, int) {
  const auto& job = *static_cast<PeakJob*>(context);
  vf32 chains[kChains];
  KAIMO_UNROLL(32)
  for (int i = 0; i < kChains; ++i) chains[i] = vsplat(float(i));
  const vf32 a = vsplat(0.999f), b = vsplat(0.001f);
  for (int64_t r = 0; r < job.rounds; ++r) {
    KAIMO_UNROLL(32)
    for (int i = 0; i < kChains; ++i) chains[i] = vfma(chains[i], a, b);
  }
  vf32 total{};
  KAIMO_UNROLL(32)
  for (int i = 0; i < kChains; ++i) total += chains[i];
  job.sink[task] = total[0];
}

// machine_peak: out f32[tasks]; ints [rounds]. Each task does rounds x (2 x kChains x lanes) floating-point operations in f32, which
// the second output (f64[1]) tells for all tasks.
Status machine_peak(KernelCall& call) {
  const int64_t tasks = call.out[0].dims[0];
  PeakJob job{call.ints[0], reinterpret_cast<float*>(call.out[0].data)};
  parallel_for(call.pool, tasks, peak_task, &job);
  *reinterpret_cast<double*>(call.out[1].data) = 2.0 * kChains * Vec<float>::n * double(job.rounds) * double(tasks);
  return Status::ok;
}

const KernelEntry kMachineKernels[] = {{"machine_peak", machine_peak}};

}  // namespace
}  // namespace kaimo
