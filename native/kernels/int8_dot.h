// Sums of products along K of unsigned 7-bit activations (0 to 127) and signed 8-bit weights, exact in 32 bits: the inner loops of linear_int8
// for few rows. Both operands lie row by row along K; weights are read as they are stored. Seven bits, because pairs of products then fit 16 bits, which
// pmaddubsw would else saturate: 2 * 127 * 128 = 32512.
#pragma once
#include "simd.h"

namespace kaimo {
namespace {

// Four bytes at any address.
struct __attribute__((packed, may_alias)) Four8 {
  int32_t value;
};

// kStep8: activations of one step of K; kRows8, kCols8: a tile of rows in place; kTile8: columns that are finished together; kVecs8: vectors of
// a panel's columns (int8_panel.h). Acc: partial sums, of four neighbouring bytes in each lane on x86; totals(w, x, y, z): the four sums.
#if defined(__AVX512VNNI__)
constexpr int kStep8 = 64, kRows8 = 6, kCols8 = 4, kVecs8 = 4;
struct Dot8 {
  using Acc = __m512i;
  using Bytes = __m512i;
  KAIMO_INLINE Acc zero() { return _mm512_setzero_si512(); }
  KAIMO_INLINE Bytes load(const void* p) { return _mm512_loadu_si512(p); }
  KAIMO_INLINE Bytes splat8(int8_t v) { return _mm512_set1_epi8(v); }
  KAIMO_INLINE Bytes splat_at(const uint8_t* four) { return _mm512_set1_epi32(reinterpret_cast<const Four8*>(four)->value); }
  KAIMO_INLINE void store(void* p, Acc v) { _mm512_storeu_si512(p, v); }
  KAIMO_INLINE Acc plus(Acc a, Acc b) { return _mm512_add_epi32(a, b); }
  KAIMO_INLINE Acc add(Acc acc, Bytes a, Bytes b) { return _mm512_dpbusd_epi32(acc, a, b); }
  KAIMO_INLINE __m256i half(Acc a) { return _mm256_add_epi32(_mm512_castsi512_si256(a), _mm512_extracti64x4_epi64(a, 1)); }
  KAIMO_INLINE __m128i totals(Acc w, Acc x, Acc y, Acc z) {
    const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(half(w), half(x)), _mm256_hadd_epi32(half(y), half(z)));
    return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  }
};
#elif defined(__AVX2__)
constexpr int kStep8 = 32, kRows8 = 5, kCols8 = 2, kVecs8 = 2;  // one more row would not fit the registers
struct Dot8 {
  using Acc = __m256i;
  using Bytes = __m256i;
  KAIMO_INLINE Acc zero() { return _mm256_setzero_si256(); }
  KAIMO_INLINE Acc splat16(int16_t v) { return _mm256_set1_epi16(v); }
  KAIMO_INLINE Bytes load(const void* p) { return _mm256_loadu_si256(static_cast<const __m256i*>(p)); }
  KAIMO_INLINE void store(void* p, Acc v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  KAIMO_INLINE Acc plus(Acc a, Acc b) { return _mm256_add_epi32(a, b); }
  KAIMO_INLINE Acc add(Acc acc, Bytes a, Bytes b) { return _mm256_add_epi32(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1))); }
  KAIMO_INLINE Bytes splat8(int8_t v) { return _mm256_set1_epi8(v); }
  KAIMO_INLINE Bytes magnitudes(Bytes b) { return _mm256_abs_epi8(b); }
  // In this order and with these operands: a compiler that loads, multiplies or adds ahead runs out of registers.
  KAIMO_INLINE Bytes splat_at(const uint8_t* four) {
    Bytes r;
    __asm__ volatile("vpbroadcastd %1, %0" : "=x"(r) : "m"(*reinterpret_cast<const Four8*>(four)));
    return r;
  }
  KAIMO_INLINE Acc products16(Bytes a, Bytes b) {
    Acc r;
    __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(r) : "x"(a), "x"(b));
    return r;
  }
  KAIMO_INLINE Acc products16(Bytes a, const Bytes* b) {
    Acc r;
    __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(r) : "x"(a), "m"(*b));
    return r;
  }
  KAIMO_INLINE Acc plus16(Acc a, Acc b) {
    __asm__ volatile("vpaddw %1, %0, %0" : "+x"(a) : "x"(b));
    return a;
  }
  KAIMO_INLINE Acc add_pairs(Acc acc, Acc sums16, Bytes ones) {
    __asm__ volatile("vpmaddwd %2, %1, %1\n\tvpaddd %1, %0, %0" : "+x"(acc), "+x"(sums16) : "x"(ones));
    return acc;
  }
  KAIMO_INLINE __m128i totals(Acc w, Acc x, Acc y, Acc z) {
    const __m256i s = _mm256_hadd_epi32(_mm256_hadd_epi32(w, x), _mm256_hadd_epi32(y, z));
    return _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
  }
};
#elif defined(__SSE4_1__)
constexpr int kStep8 = 16, kRows8 = 4, kCols8 = 2, kVecs8 = 2;
struct Dot8 {
  using Acc = __m128i;
  using Bytes = __m128i;
  KAIMO_INLINE Acc zero() { return _mm_setzero_si128(); }
  KAIMO_INLINE Acc splat16(int16_t v) { return _mm_set1_epi16(v); }
  KAIMO_INLINE Bytes load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  KAIMO_INLINE void store(void* p, Acc v) { _mm_storeu_si128(static_cast<__m128i*>(p), v); }
  KAIMO_INLINE Acc plus(Acc a, Acc b) { return _mm_add_epi32(a, b); }
  KAIMO_INLINE Acc add(Acc acc, Bytes a, Bytes b) { return _mm_add_epi32(acc, _mm_madd_epi16(_mm_maddubs_epi16(a, b), _mm_set1_epi16(1))); }
  KAIMO_INLINE Bytes splat8(int8_t v) { return _mm_set1_epi8(v); }
  KAIMO_INLINE Bytes magnitudes(Bytes b) { return _mm_abs_epi8(b); }
  KAIMO_INLINE Bytes splat_at(const uint8_t* four) { return _mm_set1_epi32(reinterpret_cast<const Four8*>(four)->value); }
  KAIMO_INLINE Acc products16(Bytes a, Bytes b) { return _mm_maddubs_epi16(a, b); }
  KAIMO_INLINE Acc products16(Bytes a, const Bytes* b) { return _mm_maddubs_epi16(a, *b); }
  KAIMO_INLINE Acc plus16(Acc a, Acc b) { return _mm_add_epi16(a, b); }
  KAIMO_INLINE Acc add_pairs(Acc acc, Acc sums16, Bytes ones) { return _mm_add_epi32(acc, _mm_madd_epi16(sums16, ones)); }
  KAIMO_INLINE __m128i totals(Acc w, Acc x, Acc y, Acc z) { return _mm_hadd_epi32(_mm_hadd_epi32(w, x), _mm_hadd_epi32(y, z)); }
};
#elif defined(__aarch64__)
constexpr int kStep8 = 16, kRows8 = 6, kCols8 = 2, kVecs8 = 0;
struct Dot8 {
  using Acc = int32x4_t;
  using Bytes = int8x16_t;
  KAIMO_INLINE Acc zero() { return vdupq_n_s32(0); }
  KAIMO_INLINE Bytes load(const void* p) { return vld1q_s8(static_cast<const int8_t*>(p)); }
  KAIMO_INLINE Acc add(Acc acc, Bytes a, Bytes b) { return vpadalq_s16(acc, vmlal_high_s8(vmull_s8(vget_low_s8(a), vget_low_s8(b)), a, b)); }
  KAIMO_INLINE int32x4_t totals(Acc w, Acc x, Acc y, Acc z) { return vpaddq_s32(vpaddq_s32(w, x), vpaddq_s32(y, z)); }
};
#else
#error "int8_dot.h: no dot product for this instruction set"
#endif

// Loaded once: left to themselves compilers read it again for every column, and loads then set the pace.
template <class V>
KAIMO_INLINE void keep_in_register(V& v) {
#if defined(__aarch64__)
  __asm__("" : "+w"(v));
#elif defined(__AVX512F__)
  __asm__("" : "+v"(v));
#else
  __asm__("" : "+x"(v));
#endif
}

static_assert(kCols8 == 2 || kCols8 == 4, "store_totals8 knows two and four columns");

constexpr int64_t kTile8 = kStep8 == 64 ? 64 : 32;

KAIMO_INLINE void add_totals8(const int32_t* sums, int32_t* out, bool first) {
  for (int j = 0; j < kCols8; ++j) out[j] = first ? sums[j] : int32_t(uint32_t(out[j]) + uint32_t(sums[j]));
}

// The totals of a row's accumulators; with two columns, those of two rows at once (the second may repeat the first).
KAIMO_INLINE void store_totals8(const Dot8::Acc* row, const Dot8::Acc* next, int32_t* out, int32_t* out_next, bool first) {
  int32_t sums[4];
  const auto totals = kCols8 == 4 ? Dot8::totals(row[0], row[1], row[kCols8 - 2], row[kCols8 - 1]) : Dot8::totals(row[0], row[1], next[0], next[1]);
  __builtin_memcpy(sums, &totals, sizeof sums);
  add_totals8(sums, out, first);
  if (kCols8 == 2 && out_next != out) add_totals8(sums + 2, out_next, first);
}

// kc activations (padded with zeros to whole steps) of `mr` rows times kc weights of kCols8 rows: into sums[row * kTile8 + column], or added
// to them where not `first`.
struct Tile8 {
  const uint8_t* a;
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
  const auto step = [&](const uint8_t* a, const int8_t* const* b, int64_t k) __attribute__((always_inline)) {
    Dot8::Bytes bv[kCols8];
    KAIMO_UNROLL(4)
    for (int j = 0; j < kCols8; ++j) bv[j] = Dot8::load(b[j] + k);
    KAIMO_UNROLL(8)
    for (int i = 0; i < mr; ++i) {
      Dot8::Bytes av = Dot8::load(a + i * t.a_pitch);
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
    store_totals8(acc[i], acc[next], t.sums + i * kTile8, t.sums + next * kTile8, t.first);
  }
}

template <int... mr>
struct Tiles8Of {
  static constexpr void (*kernels[sizeof...(mr)])(const Tile8&) = {tile8<mr>...};
};
#if defined(__AVX512VNNI__) || defined(__aarch64__)
struct Tiles8 : Tiles8Of<1, 2, 3, 4, 5, 6> {};
#elif defined(__AVX2__)
struct Tiles8 : Tiles8Of<1, 2, 3, 4, 5> {};
#else
struct Tiles8 : Tiles8Of<1, 2, 3, 4> {};
#endif
static_assert(sizeof Tiles8::kernels / sizeof Tiles8::kernels[0] == kRows8, "one kernel for each number of rows");

}  // namespace
}  // namespace kaimo
