// Sums of products of 8-bit integers along K, exact in 32 bits: the inner loops of linear_int8. Both operands lie row by row along K; weights
// are read as they are stored. What one step of K is depends on the instruction set:
//   AVX-512 VNNI  64 bytes, activations as u8 with 128 added (dpbusd wants one unsigned operand); the excess, 128 times the sum of each
//                 weight row, is taken off afterwards. Sums wrap in between and are right in the end.
//   others        activations as i16, weights widened on the way: multiply-add of pairs (pmaddwd, mlal) has no saturation to mind.
#pragma once
#include "simd.h"

namespace kaimo {
namespace {

#if defined(__AVX512VNNI__)
using Activation8 = uint8_t;
constexpr int kStep8 = 64, kOffset8 = 128, kRows8 = 6, kCols8 = 4;
struct Dot8 {
  using Acc = __m512i;
  using A = __m512i;
  using B = __m512i;
  KAIMO_INLINE Acc zero() { return _mm512_setzero_si512(); }
  KAIMO_INLINE A load_a(const Activation8* p) { return _mm512_loadu_si512(p); }
  KAIMO_INLINE B load_b(const int8_t* p) { return _mm512_loadu_si512(p); }
  KAIMO_INLINE Acc add(Acc acc, A a, B b) { return _mm512_dpbusd_epi32(acc, a, b); }
  KAIMO_INLINE __m256i half(Acc a) { return _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1)); }
  // Totals of w, x, y and z.
  KAIMO_INLINE __m128i totals(Acc w, Acc x, Acc y, Acc z) {
    const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(half(w), half(x)), _mm256_hadd_epi32(half(y), half(z)));
    return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  }
};
#elif defined(__AVX2__)
using Activation8 = int16_t;
constexpr int kStep8 = 16, kOffset8 = 0, kRows8 = 6, kCols8 = 2;
struct Dot8 {
  using Acc = __m256i;
  using A = __m256i;
  using B = __m256i;
  KAIMO_INLINE Acc zero() { return _mm256_setzero_si256(); }
  KAIMO_INLINE A load_a(const Activation8* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  KAIMO_INLINE B load_b(const int8_t* p) { return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
  KAIMO_INLINE Acc add(Acc acc, A a, B b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(a, b)); }
  KAIMO_INLINE __m128i totals(Acc w, Acc x, Acc y, Acc z) {
    const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(w, x), _mm256_hadd_epi32(y, z));
    return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  }
};
#elif defined(__SSE4_1__)
using Activation8 = int16_t;
constexpr int kStep8 = 8, kOffset8 = 0, kRows8 = 4, kCols8 = 2;
struct Dot8 {
  using Acc = __m128i;
  using A = __m128i;
  using B = __m128i;
  KAIMO_INLINE Acc zero() { return _mm_setzero_si128(); }
  KAIMO_INLINE A load_a(const Activation8* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  KAIMO_INLINE B load_b(const int8_t* p) { return _mm_cvtepi8_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))); }
  KAIMO_INLINE Acc add(Acc acc, A a, B b) { return _mm_add_epi32(acc, _mm_madd_epi16(a, b)); }
  KAIMO_INLINE __m128i totals(Acc w, Acc x, Acc y, Acc z) { return _mm_hadd_epi32(_mm_hadd_epi32(w, x), _mm_hadd_epi32(y, z)); }
};
#elif defined(__aarch64__)
using Activation8 = int16_t;
constexpr int kStep8 = 8, kOffset8 = 0, kRows8 = 6, kCols8 = 2;
struct Dot8 {
  using Acc = int32x4_t;
  using A = int16x8_t;
  using B = int16x8_t;
  KAIMO_INLINE Acc zero() { return vdupq_n_s32(0); }
  KAIMO_INLINE A load_a(const Activation8* p) { return vld1q_s16(p); }
  KAIMO_INLINE B load_b(const int8_t* p) { return vmovl_s8(vld1_s8(p)); }
  KAIMO_INLINE Acc add(Acc acc, A a, B b) { return vmlal_high_s16(vmlal_s16(acc, vget_low_s16(a), vget_low_s16(b)), a, b); }
  KAIMO_INLINE int32x4_t totals(Acc w, Acc x, Acc y, Acc z) { return vpaddq_s32(vpaddq_s32(w, x), vpaddq_s32(y, z)); }
};
#else
#error "int8_dot.h: no dot product for this instruction set"
#endif

// Loaded once: left to themselves compilers read it again for every column, and loads then set the pace.
template <class V>
KAIMO_INLINE void keep_in_register(V& v) {
#if defined(__AVX2__) || defined(__SSE4_1__)
  __asm__("" : "+x"(v));
#elif defined(__aarch64__)
  __asm__("" : "+w"(v));
#endif
}

static_assert(kCols8 == 2 || kCols8 == 4, "tile_totals8 writes two or four columns");

// Columns of a tile of sums.
constexpr int64_t kTile8 = 32;

// Writes (or adds) the totals of a row's accumulators; with two columns, those of two rows at once (the second may repeat the first).
KAIMO_INLINE void tile_totals8(const Dot8::Acc* row, const Dot8::Acc* next, int32_t* out, int32_t* out_next, bool first) {
  int32_t sums[4];
  const auto totals = kCols8 == 4 ? Dot8::totals(row[0], row[1], row[kCols8 - 2], row[kCols8 - 1]) : Dot8::totals(row[0], row[1], next[0], next[1]);
  __builtin_memcpy(sums, &totals, sizeof sums);
  if (kCols8 == 4) {
    for (int j = 0; j < 4; ++j) out[j] = first ? sums[j] : int32_t(uint32_t(out[j]) + uint32_t(sums[j]));
    return;
  }
  for (int j = 0; j < 2; ++j) {
    const int32_t a = first ? sums[j] : int32_t(uint32_t(out[j]) + uint32_t(sums[j]));
    const int32_t b = first ? sums[2 + j] : int32_t(uint32_t(out_next[j]) + uint32_t(sums[2 + j]));
    out[j] = a;
    out_next[j] = b;
  }
}

// kc activations (padded with zeros to whole steps) of `mr` rows, times kc weights of kCols8 rows, into sums[row * kTile8 + column].
struct Tile8 {
  const Activation8* a;
  int64_t a_pitch;
  const int8_t* b[kCols8];
  int64_t kc;
  int32_t* sums;
  bool first;
};

template <int mr>
KAIMO_NOINLINE void tile8(const Tile8& t) {
  Dot8::Acc acc[mr][kCols8];
  KAIMO_UNROLL(8)
  for (int i = 0; i < mr; ++i) {
    KAIMO_UNROLL(4)
    for (int j = 0; j < kCols8; ++j) acc[i][j] = Dot8::zero();
  }
  const auto step = [&](const Activation8* a, const int8_t* const* b, int64_t k) __attribute__((always_inline)) {
    Dot8::B bv[kCols8];
    KAIMO_UNROLL(4)
    for (int j = 0; j < kCols8; ++j) bv[j] = Dot8::load_b(b[j] + k);
    KAIMO_UNROLL(8)
    for (int i = 0; i < mr; ++i) {
      Dot8::A av = Dot8::load_a(a + i * t.a_pitch);
      keep_in_register(av);
      KAIMO_UNROLL(4)
      for (int j = 0; j < kCols8; ++j) acc[i][j] = Dot8::add(acc[i][j], av, bv[j]);
    }
  };
  const int64_t full = t.kc / kStep8 * kStep8;
  const int8_t* b[kCols8];
  for (int j = 0; j < kCols8; ++j) b[j] = t.b[j];
  for (int64_t k = 0; k < full; k += kStep8) step(t.a + k, b, k);
  if (full < t.kc) {
    // The last weights may end the buffer: they are read through a copy.
    alignas(64) int8_t rest[kCols8][kStep8] = {};
    const int8_t* tail[kCols8];
    for (int j = 0; j < kCols8; ++j) {
      __builtin_memcpy(rest[j], t.b[j] + full, size_t(t.kc - full));
      tail[j] = rest[j];
    }
    step(t.a + full, tail, 0);
  }
  KAIMO_UNROLL(8)
  for (int i = 0; i < mr; i += 4 / kCols8) {
    const int next = kCols8 == 2 && i + 1 < mr ? i + 1 : i;
    tile_totals8(acc[i], acc[next], t.sums + i * kTile8, t.sums + next * kTile8, t.first);
  }
}

template <int... mr>
struct Tiles8Of {
  static constexpr void (*kernels[sizeof...(mr)])(const Tile8&) = {tile8<mr>...};
};
#if defined(__AVX2__) || defined(__aarch64__)
struct Tiles8 : Tiles8Of<1, 2, 3, 4, 5, 6> {};
#else
struct Tiles8 : Tiles8Of<1, 2, 3, 4> {};
#endif

// Sum of n weights.
KAIMO_INLINE int32_t weight_sum8(const int8_t* w, int64_t n) {
  int32_t sum = 0;
  for (int64_t k = 0; k < n; ++k) sum += w[k];
  return sum;
}

}  // namespace
}  // namespace kaimo
