// The clock and the stopwatch of the kernel benchmarks.
#pragma once
#include <algorithm>
#include <cstdlib>
#include <ctime>

#include "../kernels/kernel.h"

// Wall time in seconds, or with KAIMO_BENCH_CPU set the process's own time (one thread on a busy machine).
inline double now() {
  static const clockid_t clock = std::getenv("KAIMO_BENCH_CPU") ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC;
  timespec t;
  clock_gettime(clock, &t);
  return double(t.tv_sec) + 1e-9 * double(t.tv_nsec);
}

// Best rate of f over some runs, in GFLOP/s; 0 where f fails.
template <typename F>
double best_rate(double flops, F f) {
  const int inner = std::max(1, int(1e8 / flops));
  double best = 1e30, total = 0;
  for (int r = 0; r < 40 && (r < 5 || total < 0.25); ++r) {
    const double t0 = now();
    for (int i = 0; i < inner; ++i) {
      if (f() != kaimo::Status::ok) return 0;
    }
    const double t = now() - t0;
    best = std::min(best, t / inner);
    total += t;
  }
  return flops / best / 1e9;
}
