// Conversions between f16 / bf16 and f32 / f64, rounding to nearest even. Right under flush-to-zero: no step meets a denormal f32
// unless the value itself is one.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#if defined(__F16C__)
#include <immintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif

namespace kaimo {
namespace {

struct f16 {
  uint16_t bits;
};
struct bf16 {
  uint16_t bits;
};

template <class To, class From>
inline To bit_cast(From value) {
  static_assert(sizeof(To) == sizeof(From), "bit_cast needs equal sizes");
  To result;
  std::memcpy(&result, &value, sizeof(To));
  return result;
}

inline float f16_to_f32(uint16_t half) {
  uint32_t bits = static_cast<uint32_t>(half & 0x7fffu) << 13;
  const uint32_t exponent = bits & 0x0f800000u;
  bits += 112u << 23;
  // Infinity and NaN: lift the exponent to 255. Zero and denormals: renormalise by subtracting 2^-14.
  const uint32_t top = bits + (112u << 23);
  const float small = bit_cast<float>(bits + (1u << 23)) - bit_cast<float>(113u << 23);
  const uint32_t magnitude = exponent == 0x0f800000u ? top : exponent == 0 ? bit_cast<uint32_t>(small) : bits;
  return bit_cast<float>(magnitude | static_cast<uint32_t>(half & 0x8000u) << 16);
}

inline uint16_t f32_to_f16(float value) {
  const uint32_t bits = bit_cast<uint32_t>(value);
  const uint32_t sign = bits & 0x80000000u;
  const uint32_t magnitude = bits ^ sign;
  // Denormal halves: adding 0.5 leaves the mantissa, rounded to nearest even, in the low bits.
  const float shifted = bit_cast<float>(magnitude < 0x38800000u ? magnitude : 0u) + 0.5f;
  const uint32_t denormal = bit_cast<uint32_t>(shifted) - 0x3f000000u;
  const uint32_t normal = (magnitude - 0x38000000u + 0xfffu + ((magnitude >> 13) & 1u)) >> 13;
  const uint32_t special = magnitude > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t half = magnitude >= 0x47800000u ? special : magnitude < 0x38800000u ? denormal : normal;
  return static_cast<uint16_t>(half | sign >> 16);
}

inline float bf16_to_f32(uint16_t half) { return bit_cast<float>(static_cast<uint32_t>(half) << 16); }

inline uint16_t f32_to_bf16(float value) {
  const uint32_t bits = bit_cast<uint32_t>(value);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  const uint32_t quiet = bits >> 16 | 0x40u;
  return static_cast<uint16_t>((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
}

// f64 -> f32 rounded to odd, so that a second rounding to 16 bits is exact (Boldo and Melquiond, 2008).
inline float f64_to_f32_odd(double value) {
  const float nearest = static_cast<float>(value);
  const double back = static_cast<double>(nearest);
  if (back == value || value != value) return nearest;
  uint32_t bits = bit_cast<uint32_t>(nearest);
  const bool magnitude_grew = value < 0 ? back < value : back > value;
  if (magnitude_grew) bits -= 1;
  return bit_cast<float>(bits | 1u);
}

inline uint16_t f64_to_f16(double value) { return f32_to_f16(f64_to_f32_odd(value)); }
inline uint16_t f64_to_bf16(double value) { return f32_to_bf16(f64_to_f32_odd(value)); }

// Rows of n values; source and destination must not overlap.
inline void f16_to_f32_row(const uint16_t* in, float* out, int64_t n) {
  int64_t i = 0;
#if defined(__F16C__)
  for (; i + 8 <= n; i += 8) _mm256_storeu_ps(out + i, _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(in + i))));
#elif defined(__ARM_NEON) && defined(__aarch64__)
  for (; i + 4 <= n; i += 4) vst1q_f32(out + i, vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(in + i))));
#endif
  for (; i < n; i++) out[i] = f16_to_f32(in[i]);
}

inline void f32_to_f16_row(const float* in, uint16_t* out, int64_t n) {
  int64_t i = 0;
#if defined(__F16C__)
  const __m256 quiet = _mm256_castsi256_ps(_mm256_set1_epi32(0x7fc00000));
  const __m256 sign = _mm256_set1_ps(-0.0f);
  for (; i + 8 <= n; i += 8) {
    // NaN payloads are dropped as the scalar conversion drops them: equal bits on every machine.
    const __m256 x = _mm256_loadu_ps(in + i);
    const __m256 nan = _mm256_or_ps(quiet, _mm256_and_ps(x, sign));
    const __m256 clean = _mm256_blendv_ps(x, nan, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), _mm256_cvtps_ph(clean, _MM_FROUND_TO_NEAREST_INT));
  }
#endif
  for (; i < n; i++) out[i] = f32_to_f16(in[i]);
}

inline void bf16_to_f32_row(const uint16_t* in, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = bf16_to_f32(in[i]);
}

inline void f32_to_bf16_row(const float* in, uint16_t* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = f32_to_bf16(in[i]);
}

}  // namespace
}  // namespace kaimo
