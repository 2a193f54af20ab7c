// Vector width abstraction over GCC/clang vector types. The width follows the macros of the ISA translation unit:
// 64 bytes with AVX-512, 32 with AVX2, 16 otherwise (SSE4.1, NEON, SIMD128).
#pragma once
#include <cstddef>
#include <cstdint>
#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#if defined(__AVX512F__)
#define KAIMO_VEC_BYTES 64
#elif defined(__AVX2__)
#define KAIMO_VEC_BYTES 32
#else
#define KAIMO_VEC_BYTES 16
#endif

#define KAIMO_INLINE static inline __attribute__((always_inline, unused))
#define KAIMO_NOINLINE static __attribute__((noinline, unused))
#define KAIMO_UNUSED __attribute__((unused))

#if defined(__clang__)
#define KAIMO_UNROLL(n) _Pragma("clang loop unroll(full)")
#else
#define KAIMO_PRAGMA(x) _Pragma(#x)
#define KAIMO_UNROLL(n) KAIMO_PRAGMA(GCC unroll n)
#endif

namespace kaimo {
namespace {

// Vec<T>::type is the register type of T, Vec<T>::unaligned the same bits at any address, Vec<T>::n the lanes.
template <typename T>
struct Vec;

#define KAIMO_VEC(T)                                                                          \
  template <>                                                                                 \
  struct Vec<T> {                                                                             \
    typedef T type __attribute__((vector_size(KAIMO_VEC_BYTES)));                             \
    typedef T unaligned __attribute__((vector_size(KAIMO_VEC_BYTES), aligned(1), may_alias)); \
    static constexpr int n = KAIMO_VEC_BYTES / int(sizeof(T));                                \
  };
KAIMO_VEC(float)
KAIMO_VEC(double)
KAIMO_VEC(int32_t)
KAIMO_VEC(uint32_t)
KAIMO_VEC(int64_t)
KAIMO_VEC(uint64_t)
#undef KAIMO_VEC

using vf32 = Vec<float>::type;
using vf64 = Vec<double>::type;
using vi32 = Vec<int32_t>::type;

template <typename T>
KAIMO_INLINE typename Vec<T>::type vload(const T* p) {
  return *reinterpret_cast<const typename Vec<T>::unaligned*>(p);
}

template <typename T>
KAIMO_INLINE void vstore(T* p, typename Vec<T>::type v) {
  *reinterpret_cast<typename Vec<T>::unaligned*>(p) = v;
}

// x - 0 keeps every bit of x (x + 0 would lose the sign of -0), so compilers turn this into a plain broadcast.
template <typename T>
KAIMO_INLINE typename Vec<T>::type vsplat(T x) {
  return x - typename Vec<T>::type{};
}

// a * b + c, fused where the ISA can: every kernel rounds the same way whatever the optimiser does.
template <typename V>
KAIMO_INLINE V vfma(V a, V b, V c) {
  return a * b + c;
}
#if defined(__AVX512F__)
template <>
inline __attribute__((always_inline, unused)) vf32 vfma(vf32 a, vf32 b, vf32 c) {
  return (vf32)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}
template <>
inline __attribute__((always_inline, unused)) vf64 vfma(vf64 a, vf64 b, vf64 c) {
  return (vf64)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c);
}
#elif defined(__AVX2__) && defined(__FMA__)
template <>
inline __attribute__((always_inline, unused)) vf32 vfma(vf32 a, vf32 b, vf32 c) {
  return (vf32)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}
template <>
inline __attribute__((always_inline, unused)) vf64 vfma(vf64 a, vf64 b, vf64 c) {
  return (vf64)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c);
}
#elif defined(__aarch64__)
template <>
inline __attribute__((always_inline, unused)) vf32 vfma(vf32 a, vf32 b, vf32 c) {
  return (vf32)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
}
template <>
inline __attribute__((always_inline, unused)) vf64 vfma(vf64 a, vf64 b, vf64 c) {
  return (vf64)vfmaq_f64((float64x2_t)c, (float64x2_t)a, (float64x2_t)b);
}
#endif

// The scalar twin of vfma.
KAIMO_INLINE float sfma(float a, float b, float c) {
#if defined(__FMA__) || defined(__aarch64__)
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

// The lesser and the greater of two; the second where one of them is NaN. Written as choices, compilers make several instructions of them.
KAIMO_INLINE vf32 vlesser(vf32 a, vf32 b) {
#if KAIMO_VEC_BYTES == 64
  return (vf32)_mm512_maskz_min_ps(__mmask16(-1), (__m512)a, (__m512)b);
#elif KAIMO_VEC_BYTES == 32
  return (vf32)_mm256_min_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (vf32)_mm_min_ps((__m128)a, (__m128)b);
#else
  return a < b ? a : b;
#endif
}
KAIMO_INLINE vf32 vgreater(vf32 a, vf32 b) {
#if KAIMO_VEC_BYTES == 64
  return (vf32)_mm512_maskz_max_ps(__mmask16(-1), (__m512)a, (__m512)b);
#elif KAIMO_VEC_BYTES == 32
  return (vf32)_mm256_max_ps((__m256)a, (__m256)b);
#elif defined(__SSE2__)
  return (vf32)_mm_max_ps((__m128)a, (__m128)b);
#else
  return a > b ? a : b;
#endif
}

// Every other element of 2 n floats.
KAIMO_INLINE vf32 vload_even(const float* p) {
#if KAIMO_VEC_BYTES == 32
  const __m256 even = _mm256_shuffle_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8), 0x88);
  return (vf32)_mm256_permute4x64_pd(_mm256_castps_pd(even), 0xd8);
#else
  vf32 r;
  for (int i = 0; i < Vec<float>::n; ++i) r[i] = p[2 * i];
  return r;
#endif
}

KAIMO_INLINE int64_t min64(int64_t a, int64_t b) { return a < b ? a : b; }
KAIMO_INLINE int64_t max64(int64_t a, int64_t b) { return a > b ? a : b; }
KAIMO_INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
KAIMO_INLINE int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

// Transposes n x n floats held in n registers (n = lanes of vf32) with log2(n) rounds of pairwise interleaves. Loops over them have to be
// unrolled, here and around the call: registers have no index, so a loop goes through memory (three times as slow).
#if KAIMO_VEC_BYTES == 32
// Rounds one and two, within the halves.
KAIMO_INLINE void vtranspose_halves(__m256 r[8]) {
  __m256 t[8];
  KAIMO_UNROLL(8)
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm256_unpacklo_ps(r[i], r[i + 1]);
    t[i + 1] = _mm256_unpackhi_ps(r[i], r[i + 1]);
  }
  KAIMO_UNROLL(2)
  for (int i = 0; i < 8; i += 4) {
    r[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
    r[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xee);
    r[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
    r[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xee);
  }
}

KAIMO_INLINE void vtranspose(vf32 r[8]) {
  __m256 s[8];
  KAIMO_UNROLL(8)
  for (int i = 0; i < 8; ++i) s[i] = (__m256)r[i];
  vtranspose_halves(s);
  KAIMO_UNROLL(4)
  for (int i = 0; i < 4; ++i) {
    r[i] = (vf32)_mm256_permute2f128_ps(s[i], s[i + 4], 0x20);
    r[i + 4] = (vf32)_mm256_permute2f128_ps(s[i], s[i + 4], 0x31);
  }
}

// The transpose of the n x n floats at p, rows `pitch` apart. Halves are joined while they are loaded, which costs no shuffle.
KAIMO_INLINE void vload_transposed(vf32 r[8], const float* p, int64_t pitch) {
  __m256 s[8];
  KAIMO_UNROLL(4)
  for (int i = 0; i < 4; ++i) {
    const float *upper = p + i * pitch, *lower = p + (i + 4) * pitch;
    s[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper)), _mm_loadu_ps(lower), 1);
    s[i + 4] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(upper + 4)), _mm_loadu_ps(lower + 4), 1);
  }
  vtranspose_halves(s);
  KAIMO_UNROLL(8)
  for (int i = 0; i < 8; ++i) r[i] = (vf32)s[i];
}
#else
KAIMO_INLINE void vtranspose(vf32* r) {
  constexpr int n = Vec<float>::n;
#if KAIMO_VEC_BYTES == 64
  const vi32 lo = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const vi32 hi = {8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
#define KAIMO_LO(a, b) (vf32) _mm512_permutex2var_ps((__m512)(a), (__m512i)lo, (__m512)(b))
#define KAIMO_HI(a, b) (vf32) _mm512_permutex2var_ps((__m512)(a), (__m512i)hi, (__m512)(b))
#else
#define KAIMO_LO(a, b) (vf32){(a)[0], (b)[0], (a)[1], (b)[1]}
#define KAIMO_HI(a, b) (vf32){(a)[2], (b)[2], (a)[3], (b)[3]}
#endif
  vf32 t[n];
  KAIMO_UNROLL(4)
  for (int round = 1; round < n; round *= 2) {
    KAIMO_UNROLL(8)
    for (int i = 0; i < n / 2; ++i) {
      t[2 * i] = KAIMO_LO(r[i], r[i + n / 2]);
      t[2 * i + 1] = KAIMO_HI(r[i], r[i + n / 2]);
    }
    KAIMO_UNROLL(16)
    for (int i = 0; i < n; ++i) r[i] = t[i];
  }
#undef KAIMO_LO
#undef KAIMO_HI
}

KAIMO_INLINE void vload_transposed(vf32* r, const float* p, int64_t pitch) {
  KAIMO_UNROLL(16)
  for (int i = 0; i < Vec<float>::n; ++i) r[i] = vload(p + i * pitch);
  vtranspose(r);
}
#endif

}  // namespace
}  // namespace kaimo
