// Packed weights for linear_int8 with many rows, and its inner loop over them.
//
// A panel holds kPanel8 columns. Vectors hold four neighbours along K of kLanes8 columns; four of them, 16 weights of each column, make a
// group. Without VNNI three instructions of four would only widen and add: products of pairs (16 bits, pmaddubsw) are instead added up in
// 16 bits over a whole group, and widened once. A lane then takes eight products of activations a in [0, 127] and weights w. Their sum need not fit
// 16 bits, but that of (a - 63) w mostly does: it lies within 64 P + 63 N, where P and N are the sums of positive and of negative weights.
// Adding wraps, so a sum that starts at -63 (P - N) ends exactly there, whatever it passes on the way. Packing sorts the groups: first the
// `centred` ones, where this holds for every lane, then the others, whose pairs are widened one by one. Sums are exact for any weights.
#pragma once
#include "int8_dot.h"

namespace kaimo {
namespace {

struct RowScale8 {
  float scale;
  int32_t zero;
};

#if !defined(__aarch64__)
constexpr int64_t kLanes8 = kStep8 / 4;
constexpr int64_t kPanel8 = kVecs8 * kLanes8;
constexpr int64_t kGroup8 = 16;
// The middle of the activations' range.
constexpr int32_t kCentre8 = 63;

#if defined(__AVX512VNNI__)
constexpr bool kCentred8 = false;
constexpr int kPanelRows8 = 6;
#else
constexpr bool kCentred8 = true;
constexpr int kPanelRows8 = 4;  // with two vectors of sums a row, and what is held and in flight, 16 registers
#endif

// What stands before a panel's groups. Then come int32_t offsets along K of the groups in their order.
struct PanelHead8 {
  int32_t centred;            // groups that add in 16 bits
  int32_t sums[kPanel8];      // of a column's weights
  int32_t centres[kPanel8];   // kCentre8 times the sum of a column's weights in centred groups
};

// Bytes of a group: the vectors where the 16-bit sums start, then those of the weights.
constexpr int64_t kGroupBytes8 = kVecs8 * kStep8 * (kCentred8 ? 5 : 4);

KAIMO_INLINE int64_t groups8(int64_t k) { return ceil_div(k, kGroup8); }
KAIMO_INLINE int64_t panel_head_bytes8(int64_t k) { return round_up(int64_t(sizeof(PanelHead8)) + 4 * groups8(k), 64); }
KAIMO_INLINE int64_t panel_bytes8(int64_t k) { return panel_head_bytes8(k) + groups8(k) * kGroupBytes8; }

// One kStep8 of K of the columns w, zeros past the ends: vectors[quad][vector].
KAIMO_INLINE void transpose_step8(const int8_t* w, int64_t pitch, int64_t cols, int64_t bytes, Dot8::Bytes (*vectors)[kVecs8]) {
  for (int v = 0; v < kVecs8; ++v) {
    vf32 r[kLanes8];
    for (int64_t l = 0; l < kLanes8; ++l) {
      const int64_t c = v * kLanes8 + l;
      r[l] = vf32{};
      if (c >= cols) continue;
      if (bytes == kStep8) r[l] = vload(reinterpret_cast<const float*>(w + c * pitch));
      else __builtin_memcpy(&r[l], w + c * pitch, size_t(bytes));
    }
    vtranspose(r);
    for (int q = 0; q < kLanes8; ++q) __builtin_memcpy(&vectors[q][v], &r[q], sizeof r[q]);
  }
}

#if defined(__AVX512VNNI__)
KAIMO_INLINE bool centre_group8(const Dot8::Bytes (*)[kVecs8], int8_t*) { return true; }
#else
// Writes where the group's 16-bit sums start; false where they may not fit. With A the sum of eight magnitudes and S that of the weights,
// 63 A + (A + |S|) / 2 must be at most 32767.
KAIMO_INLINE bool centre_group8(const Dot8::Bytes (*group)[kVecs8], int8_t* out) {
  bool fits = true;
  for (int v = 0; v < kVecs8; ++v) {
    int16_t sums[kStep8 / 2] = {}, magnitudes[kStep8 / 2] = {}, part[kStep8 / 2];
    for (int q = 0; q < 4; ++q) {
      const Dot8::Acc products = Dot8::products16(Dot8::splat8(1), group[q][v]);
      __builtin_memcpy(part, &products, sizeof part);
      for (int l = 0; l < kStep8 / 2; ++l) sums[l] = int16_t(sums[l] + part[l]);
      const Dot8::Acc sizes = Dot8::products16(Dot8::magnitudes(group[q][v]), Dot8::splat8(1));
      __builtin_memcpy(part, &sizes, sizeof part);
      for (int l = 0; l < kStep8 / 2; ++l) magnitudes[l] = int16_t(magnitudes[l] + part[l]);
    }
    int32_t most = 0;
    for (int l = 0; l < kStep8 / 2; ++l) {
      const int32_t sum = sums[l], bound = (2 * kCentre8 + 1) * magnitudes[l] + (sum < 0 ? -sum : sum);
      most = bound > most ? bound : most;
      part[l] = int16_t(uint16_t(-kCentre8 * sum));
    }
    fits = fits && most <= 2 * 32767;
    __builtin_memcpy(out + v * kStep8, part, sizeof part);
  }
  return fits;
}
#endif

// Packs `cols` (at most kPanel8) rows of weights, k bytes each, into panel_bytes8(k) bytes on a cache line.
KAIMO_NOINLINE void pack_panel8(const int8_t* w, int64_t cols, int64_t k, char* panel) {
  PanelHead8* head = reinterpret_cast<PanelHead8*>(panel);
  int32_t* offsets = reinterpret_cast<int32_t*>(head + 1);
  int8_t* const data = reinterpret_cast<int8_t*>(panel + panel_head_bytes8(k));
  constexpr int64_t kWeights = 4 * kVecs8 * kStep8;
  Dot8::Acc sums[kVecs8], centres[kVecs8];
  for (int v = 0; v < kVecs8; ++v) sums[v] = centres[v] = Dot8::zero();
  // Groups that do not fit gather at the end, the first of them last.
  int64_t front = 0, back = groups8(k);
  for (int64_t k0 = 0; k0 < k; k0 += kStep8) {
    Dot8::Bytes vectors[kLanes8][kVecs8];
    transpose_step8(w + k0, k, cols, min64(kStep8, k - k0), vectors);
    for (int64_t q = 0; q < kLanes8 && k0 + 4 * q < k; q += 4) {
      int8_t start[kGroupBytes8];
      const bool fits = centre_group8(vectors + q, start);
      const int64_t at = fits ? front++ : --back;
      offsets[at] = int32_t(k0 + 4 * q);
      int8_t* group = data + at * kGroupBytes8;
      __builtin_memcpy(group, start, size_t(kGroupBytes8 - kWeights));
      __builtin_memcpy(group + kGroupBytes8 - kWeights, vectors + q, size_t(kWeights));
      for (int v = 0; v < kVecs8; ++v) {
        Dot8::Acc sum = Dot8::zero();
        for (int i = 0; i < 4; ++i) sum = Dot8::add(sum, Dot8::splat8(1), vectors[q + i][v]);
        sums[v] = Dot8::plus(sums[v], sum);
        if (fits) centres[v] = Dot8::plus(centres[v], sum);
      }
    }
  }
  head->centred = int32_t(front);
  for (int v = 0; v < kVecs8; ++v) {
    Dot8::store(head->sums + v * kLanes8, sums[v]);
    Dot8::store(head->centres + v * kLanes8, centres[v]);
  }
  for (int32_t& centre : head->centres) centre *= kCentred8 ? kCentre8 : 0;
}

template <int mr>
using Sums8 = Dot8::Acc[mr][kVecs8];

#if defined(__AVX512VNNI__)
template <int mr>
KAIMO_INLINE void add_group8(Sums8<mr>& acc, const uint8_t* a, int64_t pitch, const int8_t* group) {
  KAIMO_UNROLL(4)
  for (int q = 0; q < 4; ++q) {
    Dot8::Bytes b[kVecs8];
    KAIMO_UNROLL(4)
    for (int j = 0; j < kVecs8; ++j) b[j] = Dot8::load(group + (q * kVecs8 + j) * kStep8);
    KAIMO_UNROLL(8)
    for (int i = 0; i < mr; ++i) {
      Dot8::Bytes av = Dot8::splat_at(a + i * pitch + 4 * q);
      keep_in_register(av);
      KAIMO_UNROLL(4)
      for (int j = 0; j < kVecs8; ++j) acc[i][j] = Dot8::add(acc[i][j], av, b[j]);
    }
  }
}
#else
template <int mr, bool centred>
KAIMO_INLINE void add_group8(Sums8<mr>& acc, const uint8_t* a, int64_t pitch, const int8_t* group) {
  static_assert(kVecs8 == 2 && mr <= 4, "what is held in registers is counted for this");
  const auto* vectors = reinterpret_cast<const Dot8::Acc*>(group);
  const Dot8::Bytes ones = Dot8::splat16(1);
  // Loads would set the pace: three vectors are held for all rows.
  Dot8::Acc start0 = vectors[0], start1 = vectors[1], first = vectors[2];
  keep_in_register(start0);
  keep_in_register(start1);
  keep_in_register(first);
  const uint8_t* last = a + 3 * pitch;
  __asm__("" : "+r"(last));
  KAIMO_UNROLL(8)
  for (int i = 0; i < mr; ++i) {
    const uint8_t* row = i < 3 ? a + i * pitch : last;
    Dot8::Acc sums[2];
    KAIMO_UNROLL(4)
    for (int q = 0; q < 4; ++q) {
      const Dot8::Bytes av = Dot8::splat_at(row + 4 * q);
      KAIMO_UNROLL(2)
      for (int j = 0; j < 2; ++j) {
        const Dot8::Acc products = q == 0 && j == 0 ? Dot8::products16(av, first) : Dot8::products16(av, vectors + 2 * q + 2 + j);
        if (centred) sums[j] = q == 0 ? Dot8::plus16(products, j == 0 ? start0 : start1) : Dot8::plus16(sums[j], products);
        else acc[i][j] = Dot8::add_pairs(acc[i][j], products, ones);
      }
    }
    if (!centred) continue;
    KAIMO_UNROLL(2)
    for (int j = 0; j < 2; ++j) acc[i][j] = Dot8::add_pairs(acc[i][j], sums[j], ones);
  }
}
#endif

// Rows of activations (zeros up to whole groups) times a panel. Row i of the result is y + i * y_pitch, for `cols` of the panel's columns:
// (sum of (activation - zero of the row) * weight) * scale of the row * scale of the column + bias.
struct PanelTile8 {
  const uint8_t* a;
  int64_t pitch, k;
  const char* panel;
  const RowScale8* rows;
  const float *scales, *bias;  // kPanel8 each; bias may be null
  float* y;
  int64_t y_pitch, cols;
};

// Finishes kLanes8 columns of a row.
KAIMO_INLINE vf32 finish8(Dot8::Acc sums, const PanelHead8& head, int64_t column, RowScale8 row, vf32 scales) {
  using Words = Vec<uint32_t>;
  Words::type total;
  __builtin_memcpy(&total, &sums, sizeof total);
  total += vload(reinterpret_cast<const uint32_t*>(head.centres + column)) - uint32_t(row.zero) * vload(reinterpret_cast<const uint32_t*>(head.sums + column));
  return __builtin_convertvector(vi32(total), vf32) * row.scale * scales;
}

template <int mr>
KAIMO_INLINE void finish_panel8(const PanelTile8& t, const Sums8<mr>& acc, const PanelHead8& head) {
  KAIMO_UNROLL(4)
  for (int j = 0; j < kVecs8; ++j) {
    const int64_t column = j * kLanes8;
    const vf32 scales = vload(t.scales + column);
    KAIMO_UNROLL(8)
    for (int i = 0; i < mr; ++i) {
      vf32 v = finish8(acc[i][j], head, column, t.rows[i], scales);
      if (t.bias != nullptr) v += vload(t.bias + column);
      float* y = t.y + i * t.y_pitch + column;
      if (t.cols == kPanel8) vstore(y, v);
      else if (t.cols > column) __builtin_memcpy(y, &v, sizeof(float) * size_t(min64(kLanes8, t.cols - column)));
    }
  }
}

template <int mr>
KAIMO_NOINLINE void tile8_panel(const PanelTile8& t) {
  const PanelHead8* head = reinterpret_cast<const PanelHead8*>(t.panel);
  const int32_t* offsets = reinterpret_cast<const int32_t*>(head + 1);
  const int8_t* group = reinterpret_cast<const int8_t*>(t.panel + panel_head_bytes8(t.k));
  const uint8_t* const a = t.a;
  const int64_t centred = head->centred, groups = groups8(t.k), pitch = t.pitch;
  // The lines of y are far apart: asked for now, they are there in the end.
  for (int i = 0; i < mr; ++i) __builtin_prefetch(t.y + i * t.y_pitch, 1);
  Sums8<mr> acc;
  KAIMO_UNROLL(8)
  for (int i = 0; i < mr; ++i) {
    KAIMO_UNROLL(4)
    for (int j = 0; j < kVecs8; ++j) acc[i][j] = Dot8::zero();
  }
#if defined(__AVX512VNNI__)
  (void)centred;
  for (int64_t g = 0; g < groups; ++g, group += kGroupBytes8) add_group8<mr>(acc, a + offsets[g], pitch, group);
#else
  for (int64_t g = 0; g < centred; ++g, group += kGroupBytes8) add_group8<mr, true>(acc, a + offsets[g], pitch, group);
  for (int64_t g = centred; g < groups; ++g, group += kGroupBytes8) add_group8<mr, false>(acc, a + offsets[g], pitch, group);
#endif
  finish_panel8<mr>(t, acc, *head);
}

template <int... mr>
struct PanelTilesOf {
  static constexpr void (*kernels[sizeof...(mr)])(const PanelTile8&) = {tile8_panel<mr>...};
};
#if defined(__AVX512VNNI__)
struct PanelTiles8 : PanelTilesOf<1, 2, 3, 4, 5, 6> {};
#else
struct PanelTiles8 : PanelTilesOf<1, 2, 3, 4> {};
#endif
static_assert(sizeof PanelTiles8::kernels / sizeof PanelTiles8::kernels[0] == kPanelRows8, "one kernel for each number of rows");
#endif  // !defined(__aarch64__)

}  // namespace
}  // namespace kaimo
