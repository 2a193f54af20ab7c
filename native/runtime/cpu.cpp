#include "cpu.h"

#include <thread>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace kaimo {

#if defined(__x86_64__) || defined(__i386__)
namespace {
constexpr uint64_t kFlushToZero = 1u << 15;
constexpr uint64_t kDenormalsAreZero = 1u << 6;

bool bit(unsigned word, int index) { return ((word >> index) & 1u) != 0; }

uint64_t saved_registers() {
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t(high) << 32) | low;
}
}  // namespace

uint64_t float_control() { return _mm_getcsr(); }
void set_float_control(uint64_t control) { _mm_setcsr(static_cast<unsigned>(control)); }
void flush_denormals() { set_float_control(float_control() | kFlushToZero | kDenormalsAreZero); }

CpuFeatures detect_cpu() {
  CpuFeatures features;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return features;
  features.sse41 = bit(c, 19) && bit(c, 9);
  const bool fma = bit(c, 12), f16c = bit(c, 29), avx = bit(c, 28), xsave = bit(c, 27);
  const uint64_t saved = xsave ? saved_registers() : 0;
  const bool ymm = (saved & 0x6) == 0x6, zmm = (saved & 0xe6) == 0xe6;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return features;
  features.avx2 = avx && fma && f16c && ymm && bit(b, 5);
  features.avx512 = features.avx2 && zmm && bit(b, 16) && bit(b, 17) && bit(b, 30) && bit(b, 31) && bit(c, 11);
  return features;
}

#elif defined(__aarch64__)

uint64_t float_control() {
  uint64_t control;
  asm volatile("mrs %0, fpcr" : "=r"(control));
  return control;
}
void set_float_control(uint64_t control) { asm volatile("msr fpcr, %0" : : "r"(control)); }
void flush_denormals() { set_float_control(float_control() | (uint64_t(1) << 24)); }

CpuFeatures detect_cpu() {
  CpuFeatures features;
  features.neon = true;
  return features;
}

#else

uint64_t float_control() { return 0; }
void set_float_control(uint64_t) {}
void flush_denormals() {}
CpuFeatures detect_cpu() { return CpuFeatures(); }

#endif

int available_cores() {
  const unsigned cores = std::thread::hardware_concurrency();
  return cores == 0 ? 1 : static_cast<int>(cores);
}

}  // namespace kaimo
