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

// Rows [first, first + count) of a key head.
struct RowBlock {
  int64_t b, key_head, first, count, panels;
  int32_t lowest, highest;  // of last
  int32_t last[kQueryRows];
  const char *mask[kQueryRows], *keep[kQueryRows];

  RowBlock(const Attention& a, int64_t example, int64_t head, int64_t row0, int64_t row1) : b(example), key_head(head), first(row0), count(row1 - row0) {
    panels = ceil_div(count, kLanes);
    lowest = int32_t(a.keys - 1);
    highest = -1;
    int64_t h = head * a.group + row0 / a.queries, t = row0 % a.queries;
    for (int64_t r = 0; r < panels * kLanes; ++r) {
      last[r] = -1;
      mask[r] = keep[r] = nullptr;
      if (r >= count) continue;
      last[r] = a.last_key(b, t);
      lowest = last[r] < lowest ? last[r] : lowest;
      highest = last[r] > highest ? last[r] : highest;
      mask[r] = a.mask.at(b, h, t);
      keep[r] = a.keep.at(b, h, t);
      if (++t == a.queries) t = 0, ++h;
    }
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

// f(element of the score, mask element) for the keys [s0, s1) of `count` lanes.
template <typename M, typename F>
inline void each_masked(float* x, int64_t ld, int64_t s0, int64_t s1, const char* const* rows, int64_t stride, int64_t count, F f) {
  bool shared = true;
  for (int64_t r = 1; r < count; ++r) shared = shared && rows[r] == rows[0];
  if (shared) {
    const char* m = rows[0] + s0 * stride;
    for (int64_t s = s0; s < s1; ++s, m += stride, x += ld) {
      const M value = *reinterpret_cast<const M*>(m);
      for (int64_t r = 0; r < kLanes; ++r) f(x[r], value);
    }
    return;
  }
  for (int64_t r = 0; r < count; ++r) {
    const char* m = rows[r] + s0 * stride;
    float* y = x + r;
    for (int64_t s = s0; s < s1; ++s, m += stride, y += ld) f(*y, *reinterpret_cast<const M*>(m));
  }
}

// Masks, causality and lengths on the scores of panel p.
inline void mask_panel(const Attention& a, const RowBlock& rows, int64_t p, float* x, int64_t ld, int64_t s0, int64_t s1) {
  const int64_t lane0 = p * kLanes, count = min64(kLanes, rows.count - lane0);
  if (a.mask_kind == kBoolMask) {
    each_masked<uint8_t>(x, ld, s0, s1, rows.mask + lane0, a.mask.strides[3], count, [](float& v, uint8_t m) { v = m ? v : -kInfF; });
  } else if (a.mask_kind == kAddedMask) {
    each_masked<float>(x, ld, s0, s1, rows.mask + lane0, a.mask.strides[3], count, [](float& v, float m) { v += m; });
  }
  if (rows.lowest < s1 - 1) hide_late(x, ld, s0, s1, rows.last + lane0);
}

// Sets dropped elements of panel p to 0 and scales the others.
inline void drop_panel(const Attention& a, const RowBlock& rows, int64_t p, float* x, int64_t ld, int64_t s0, int64_t s1) {
  const int64_t lane0 = p * kLanes, count = min64(kLanes, rows.count - lane0);
  const float kept = a.kept;
  each_masked<uint8_t>(x, ld, s0, s1, rows.keep + lane0, a.keep.strides[3], count, [kept](float& v, uint8_t m) { v = m ? v * kept : 0.0f; });
}

}  // namespace
}  // namespace kaimo
