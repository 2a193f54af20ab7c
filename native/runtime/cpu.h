// What the processor can do, and the few instructions that have no portable spelling.
#pragma once
#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace kaimo {

inline void pause_cpu() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Floating-point control word of the thread, so that it can be restored.
uint64_t float_control();
void set_float_control(uint64_t control);

// Denormals slow matrix products by two orders of magnitude: results are flushed to zero, operands read as zero.
void flush_denormals();

struct CpuFeatures {
  bool sse41 = false;
  bool avx2 = false;    // with FMA and F16C, and registers saved by the system
  bool avx512 = false;  // F, BW, VL, DQ and VNNI
  bool neon = false;
};

CpuFeatures detect_cpu();

// Cores that this process may use, at least 1.
int available_cores();

}  // namespace kaimo
