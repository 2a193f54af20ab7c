// What the forward and backward kernels of attention share: operands, blocks of rows and keys, packed keys, masks, products of blocks.
//
// Scores lie transposed, keys by queries: a query is a lane, so maxima, sums and exponentials along the keys need no shuffles, and weights
// are read by the next product as they lie. The rows of a key head are the queries of all query heads that share it, head by head.
#pragma once
#include "gemm.h"
#include "softmax.h"

namespace kaimo {
namespace {

enum MaskKind : int64_t { kNoMask = 0, kBoolMask = 1, kAddedMask = 2 };

// Rows at once: weights of a block of keys stay in the L2 cache. Keys at once: a panel of weights and one of values fit the L1 cache.
constexpr int64_t kQueryRows = 96, kKeyBlock = 128;
constexpr int64_t kLanes = kNr<float>;
static_assert(kQueryRows % kLanes == 0, "blocks of rows are whole panels");

// A [batch, heads, rows, features] operand.
struct Heads {
  const float* data;
  int64_t batch, head, row, feature;  // strides
  void read(const Operand& x) {
    data = reinterpret_cast<const float*>(x.data);
    batch = x.strides[0];
    head = x.strides[1];
    row = x.strides[2];
    feature = x.strides[3];
  }
  const float* at(int64_t b, int64_t h, int64_t r) const { return data + b * batch + h * head + r * row; }
};

// A mask [batch, heads, queries, keys] of bytes or floats; extents of 1 repeat.
struct MaskView {
  const char* data = nullptr;
  int64_t strides[4];  // bytes
  void read(const Operand& x) {
    data = x.data;
    for (int d = 0; d < 4; ++d) strides[d] = x.dims[d] == 1 ? 0 : x.strides[d] * element_size(x.dtype);
  }
  const char* at(int64_t b, int64_t h, int64_t t) const { return data ? data + b * strides[0] + h * strides[1] + t * strides[2] : nullptr; }
};

struct Attention {
  int64_t batch, heads, key_heads, group, queries, keys, d, e;
  Heads q, k, v;
  MaskView mask, keep;
  const Operand *lengths = nullptr, *starts = nullptr;
  bool causal;
  int64_t mask_kind;
  float scale, kept;

  // Operands from in[first] on: q, k, v, mask?, key lengths?, query starts?, keep?.
  // ints = {causal, mask kind, has key lengths, has query starts, has keep}; floats = {scale of scores, factor of kept weights}.
  bool init(const KernelCall& call, int first) {
    const Operand* in = call.in + first;
    const int64_t wanted = 3 + (call.ints[1] != kNoMask) + call.ints[2] + call.ints[3] + call.ints[4];
    if (call.n_in - first != wanted) return false;
    for (int i = 0; i < 3; ++i) {
      if (in[i].dtype != DType::f32 || in[i].rank != 4) return false;
    }
    q.read(in[0]);
    k.read(in[1]);
    v.read(in[2]);
    batch = in[0].dims[0];
    heads = in[0].dims[1];
    queries = in[0].dims[2];
    d = in[0].dims[3];
    key_heads = in[1].dims[1];
    keys = in[1].dims[2];
    e = in[2].dims[3];
    group = key_heads ? heads / key_heads : 0;
    causal = call.ints[0] != 0;
    mask_kind = call.ints[1];
    scale = float(call.floats[0]);
    kept = float(call.floats[1]);
    const Operand* next = in + 3;
    if (mask_kind != kNoMask) mask.read(*next++);
    if (call.ints[2]) lengths = next++;
    if (call.ints[3]) starts = next++;
    if (call.ints[4]) keep.read(*next++);
    return true;
  }
  int64_t rows() const { return group * queries; }  // of a key head
  // The last key that query t of an example may see, before masks; -1: none.
  int32_t last_key(int64_t b, int64_t t) const {
    int64_t last = keys - 1;
    if (lengths) last = min64(last, int64_t(reinterpret_cast<const int32_t*>(lengths->data)[b * lengths->strides[0]]) - 1);
    if (causal) last = min64(last, t + (starts ? reinterpret_cast<const int32_t*>(starts->data)[b * starts->strides[0]] : 0));
    return int32_t(max64(last, -1));
  }
};

// An even split of n into blocks of at most `most`, multiples of `unit` but for the last.
struct EvenBlocks {
  int64_t n, size, count;
  EvenBlocks(int64_t total, int64_t most, int64_t unit) : n(total) {
    size = total > 0 ? round_up(ceil_div(total, ceil_div(total, most)), unit) : unit;
    count = ceil_div(total, size);
  }
  int64_t start(int64_t i) const { return min64(n, i * size); }
  int64_t end(int64_t i) const { return min64(n, (i + 1) * size); }
};

inline EvenBlocks key_blocks(const Attention& a) { return EvenBlocks(a.keys, kKeyBlock, 8); }
inline EvenBlocks row_blocks(const Attention& a) { return EvenBlocks(a.rows(), kQueryRows, kLanes); }

constexpr uint64_t kTrueBytes = 0x0101010101010101ull;

KAIMO_INLINE uint64_t eight_bytes(const char* p) {
  uint64_t x;
  __builtin_memcpy(&x, p, 8);
  return x;
}

// The last true byte of m[0 .. last], or -1.
inline int32_t last_true(const char* m, int32_t last) {
  while (last >= 7 && eight_bytes(m + last - 7) == 0) last -= 8;
  while (last >= 0 && m[last] == 0) --last;
  return last;
}

inline bool all_true(const char* m, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    if (eight_bytes(m + i) != kTrueBytes) return false;
  }
  for (; i < n; ++i) {
    if (m[i] == 0) return false;
  }
  return true;
}

// Rows [first, first + count) of a key head.
struct RowBlock {
  int64_t b, key_head, first, count, panels;
  int32_t lowest, highest;  // of last
  int32_t last[kQueryRows];
  const char *mask[kQueryRows], *keep[kQueryRows];
  bool masked[kQueryRows / kLanes];  // whether a panel's mask hides more than what lies behind `last`

  RowBlock(const Attention& a, int64_t example, int64_t head, int64_t row0, int64_t row1) : b(example), key_head(head), first(row0), count(row1 - row0) {
    panels = ceil_div(count, kLanes);
    lowest = int32_t(a.keys - 1);
    highest = -1;
    int64_t h = head * a.group + row0 / a.queries, t = row0 % a.queries;
    for (int64_t r = 0; r < panels * kLanes; ++r) {
      last[r] = -1;
      mask[r] = keep[r] = nullptr;
      if (r % kLanes == 0) masked[r / kLanes] = false;
      if (r >= count) continue;
      last[r] = a.last_key(b, t);
      mask[r] = a.mask.at(b, h, t);
      keep[r] = a.keep.at(b, h, t);
      masked[r / kLanes] |= a.mask_kind == kAddedMask || (a.mask_kind == kBoolMask && hides(a, r));
      lowest = last[r] < lowest ? last[r] : lowest;
      highest = last[r] > highest ? last[r] : highest;
      if (++t == a.queries) t = 0, ++h;
    }
  }
  // Moves the row's last key to the last that its bool mask shows; true where the mask hides any before. So a causal mask costs no more
  // than causality by attribute.
  bool hides(const Attention& a, int64_t r) {
    const int64_t stride = a.mask.strides[3];
    if (stride > 1 || stride < 0) return true;
    if (stride == 0) {
      if (last[r] >= 0 && mask[r][0] == 0) last[r] = -1;
      return false;
    }
    last[r] = last_true(mask[r], last[r]);
    return !all_true(mask[r], last[r] + 1);
  }
  // Rows of a [batch, heads, queries, features] operand times `factor`, dense.
  void gather(const Attention& a, const Heads& x, int64_t features, float factor, float* out) const {
    int64_t h = key_head * a.group + first / a.queries, t = first % a.queries;
    for (int64_t r = 0; r < count; ++r, out += features) {
      const float* row = x.at(b, h, t);
      if (x.feature == 1) {
        for (int64_t i = 0; i < features; ++i) out[i] = row[i] * factor;
      } else {
        for (int64_t i = 0; i < features; ++i) out[i] = row[i * x.feature] * factor;
      }
      if (++t == a.queries) t = 0, ++h;
    }
  }
};

// Dense rows as panels of kLanes rows, each features x kLanes: the right side of a product that gives transposed scores.
inline void pack_rows_transposed(const float* rows, int64_t count, int64_t features, float* out) {
  for (int64_t r = 0; r < count; r += kLanes) pack_b_panel(out + r * features, rows + r * features, int64_t(1), features, features, min64(kLanes, count - r));
}

// Elements of a block of keys packed as the left side of a product, and of all blocks.
inline int64_t left_block_size(const EvenBlocks& blocks, int64_t features) { return (ceil_div(blocks.size, kMr) + 1) * kMr * features; }
inline int64_t left_size(const EvenBlocks& blocks, int64_t features) { return blocks.count * left_block_size(blocks, features) + Vec<float>::n; }
inline int64_t right_size(int64_t keys, int64_t features) { return round_up(features, kLanes) * keys; }

// Block `i` of the keys of one head (`x` points at its first row).
inline void pack_left(const EvenBlocks& blocks, int64_t i, const Heads& x, const float* rows, int64_t features, float* out) {
  out += i * left_block_size(blocks, features);
  const int64_t s0 = blocks.start(i);
  const RowSplit split(blocks.end(i) - s0);
  for (int64_t tile = 0; tile < split.tiles; ++tile, out += kMr * features)
    pack_a_panel(out, rows + (s0 + split.start(tile)) * x.row, x.row, x.feature, split.rows(tile), features);
}

// Panels of kLanes features, each keys x kLanes.
inline void pack_right(const EvenBlocks& blocks, int64_t i, const Heads& x, const float* rows, int64_t features, float* out) {
  const int64_t s0 = blocks.start(i), s1 = blocks.end(i);
  for (int64_t f = 0; f < features; f += kLanes)
    pack_b_panel(out + (f / kLanes * blocks.n + s0) * kLanes, rows + s0 * x.row + f * x.feature, x.row, x.feature, s1 - s0, min64(kLanes, features - f));
}

static const Epilogue<float> kPlain;

// out[s * ld + lane] = key s . query lane, for the first `count` keys (and the rest of their tile) of packed block `i` and one panel of
// packed rows.
KAIMO_NOINLINE void score_panel(const EvenBlocks& blocks, int64_t i, const float* left, const float* panel, int64_t count, int64_t features, float* out, int64_t ld) {
  const RowSplit split(blocks.end(i) - blocks.start(i));
  TileArgs<float> t;
  t.kc = features;
  t.a = left + i * left_block_size(blocks, features);
  t.b = panel;
  t.b_rs = kLanes;
  t.ldc = ld;
  t.first = true;
  t.last = false;
  t.epilogue = &kPlain;
  for (int64_t tile = 0; tile < split.tiles && split.start(tile) < count; ++tile, t.a += kMr * features) {
    t.c = out + split.start(tile) * ld;
    run_tile(t, kAPacked, split.rows(tile), kLanes);
  }
}

// C[m, n] (+)= A[m, k] B[k, n], B in panels of kLanes columns that lie `pitch` elements apart.
struct BlockProduct {
  int64_t m, n, k;
  const float* a;
  int64_t a_rs, a_cs;
  const float* b;
  int64_t pitch;
  float* c;
  bool first;
};

KAIMO_NOINLINE void multiply(const BlockProduct& x) {
  const RowSplit split(x.m);
  const ALayout layout = x.a_cs == 1 ? kARows : kAColumns;
  TileArgs<float> t;
  t.kc = x.k;
  t.a_rs = x.a_rs;
  t.a_cs = x.a_cs;
  t.b_rs = kLanes;
  t.ldc = x.n;
  t.first = x.first;
  t.last = false;
  t.epilogue = &kPlain;
  for (int64_t col = 0; col < x.n; col += kLanes) {
    t.b = x.b + col / kLanes * x.pitch;
    for (int64_t tile = 0; tile < split.tiles; ++tile) {
      const int64_t row = split.start(tile);
      t.a = x.a + row * x.a_rs;
      t.c = x.c + row * x.n + col;
      run_tile(t, layout, split.rows(tile), min64(kLanes, x.n - col));
    }
  }
}

// Hides keys behind each row's last one.
inline void hide_late(float* x, int64_t ld, int64_t s0, int64_t s1, const int32_t* last) {
  const vf32 hidden = vsplat(-kInfF);
  for (int64_t s = s0; s < s1; ++s, x += ld) {
    for (int64_t i = 0; i < kLanes; i += Vec<float>::n) vstore(x + i, vsplat(int32_t(s)) <= vload(last + i) ? vload(x + i) : hidden);
  }
}

// Transposes 8 x 8 bytes.
KAIMO_INLINE void transpose_bytes(uint64_t x[8]) {
  const auto exchange = [&](int distance, int shift, uint64_t mask) __attribute__((always_inline)) {
    for (int i = 0; i < 8; ++i) {
      if (i & distance) continue;
      const uint64_t t = ((x[i] >> shift) ^ x[i + distance]) & mask;
      x[i + distance] ^= t;
      x[i] ^= t << shift;
    }
  };
  exchange(1, 8, 0x00ff00ff00ff00ffull);
  exchange(2, 16, 0x0000ffff0000ffffull);
  exchange(4, 32, 0x00000000ffffffffull);
}

// Bytes of bool rows, keys by lanes: keys [s0, s0 + 8) of `count` lanes.
KAIMO_INLINE void byte_tile(const char* const* rows, int64_t s0, int64_t keys, int64_t stride, int64_t count, uint8_t* tile) {
  for (int64_t r0 = 0; r0 < kLanes; r0 += 8) {
    uint64_t x[8] = {};
    for (int64_t r = r0; r < min64(r0 + 8, count); ++r) {
      if (stride == 1 && keys == 8) {
        x[r - r0] = eight_bytes(rows[r] + s0);
      } else {
        for (int64_t s = 0; s < keys; ++s) x[r - r0] |= uint64_t(uint8_t(rows[r][(s0 + s) * stride])) << (8 * s);
      }
    }
    transpose_bytes(x);
    for (int64_t s = 0; s < 8; ++s) __builtin_memcpy(tile + s * kLanes + r0, &x[s], 8);
  }
}

// f(scores of a key, its bytes), lane by lane, for the keys [s0, s1).
template <typename F>
inline void each_byte_row(float* x, int64_t ld, int64_t s0, int64_t s1, const char* const* rows, int64_t stride, int64_t count, F f) {
  alignas(64) uint8_t tile[8 * kLanes];
  for (int64_t s = s0; s < s1; s += 8) {
    const int64_t keys = min64(8, s1 - s);
    byte_tile(rows, s, keys, stride, count, tile);
    for (int64_t i = 0; i < keys; ++i, x += ld) f(x, tile + i * kLanes);
  }
}

KAIMO_INLINE float chosen(uint8_t byte, float yes, float no) {
  const uint32_t all = byte ? 0xffffffffu : 0u;
  return bit_cast<float>((bit_cast<uint32_t>(yes) & all) | (bit_cast<uint32_t>(no) & ~all));
}

// Adds the floats of a mask.
inline void add_mask(float* x, int64_t ld, int64_t s0, int64_t s1, const char* const* rows, int64_t stride, int64_t count) {
  for (int64_t r = 0; r < count; ++r) {
    const char* m = rows[r] + s0 * stride;
    for (int64_t s = 0; s < s1 - s0; ++s, m += stride) x[s * ld + r] += *reinterpret_cast<const float*>(m);
  }
}

// Masks, causality and lengths on the scores of panel p.
inline void mask_panel(const Attention& a, const RowBlock& rows, int64_t p, float* x, int64_t ld, int64_t s0, int64_t s1) {
  const int64_t lane0 = p * kLanes, count = min64(kLanes, rows.count - lane0), stride = a.mask.strides[3];
  const char* const* mask = rows.mask + lane0;
  if (rows.masked[p] && a.mask_kind == kAddedMask) {
    add_mask(x, ld, s0, s1, mask, stride, count);
  } else if (rows.masked[p]) {
    each_byte_row(x, ld, s0, s1, mask, stride, count, [](float* row, const uint8_t* byte) {
      for (int64_t r = 0; r < kLanes; ++r) row[r] = chosen(byte[r], row[r], -kInfF);
    });
  }
  if (rows.lowest < s1 - 1) hide_late(x, ld, s0, s1, rows.last + lane0);
}

// Sets dropped elements of panel p to 0 and scales the others.
inline void drop_panel(const Attention& a, const RowBlock& rows, int64_t p, float* x, int64_t ld, int64_t s0, int64_t s1) {
  const int64_t lane0 = p * kLanes, count = min64(kLanes, rows.count - lane0);
  const float kept = a.kept;
  each_byte_row(x, ld, s0, s1, rows.keep + lane0, a.keep.strides[3], count, [kept](float* row, const uint8_t* byte) {
    for (int64_t r = 0; r < kLanes; ++r) row[r] = chosen(byte[r], row[r] * kept, 0.0f);
  });
}

}  // namespace
}  // namespace kaimo
