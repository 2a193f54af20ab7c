// Register tiles of the matrix product. A tile of mr x (nv vectors) holds one block of K in registers and is then added to C.
//
// The order of every sum depends on K alone: K is cut by gemm_k_block(K) and, inside a block, each element of C is one chain of fused
// multiply-adds in the order of k. Every kernel of the engine keeps to that order, so M, N, tile position, packing and the number of
// threads never change a bit of the result.
#pragma once
#include "simd.h"

namespace kaimo {
namespace {

// Tile of the largest kernel: kMr rows by kNv vectors.
#if defined(__AVX512F__)
constexpr int kMr = 14, kNv = 2;
#elif defined(__aarch64__)
constexpr int kMr = 12, kNv = 2;
#else
constexpr int kMr = 6, kNv = 2;
#endif

// A panel of B of this length fills most of a 32 KiB L1 cache; fewer blocks of K mean fewer passes over C.
constexpr int64_t kKcMax = 384;

template <typename T>
constexpr int64_t kNr = kNv * Vec<T>::n;

// Length of the blocks of K: an even split, a multiple of 8.
KAIMO_INLINE int64_t gemm_k_block(int64_t k) { return k <= 0 ? 1 : round_up(ceil_div(k, ceil_div(k, kKcMax)), 8); }

// Same order as ACTIVATIONS in src/passes/epilogue.ts. From tanh on they run by an epilogue's tail, in f32 (gemm_tail.h).
enum Activation : int64_t { kActNone = 0, kActRelu = 1, kActTanh, kActSigmoid, kActSilu, kActGelu, kActGeluTanh, kActCount };

// What happens to finished elements of C: c = act(c * scale + bias[row * bias_rs + col * bias_cs]), bias strides 0 or 1, act none or relu;
// the scale, in f32 alone, lies as the bias does and comes only with one. Then the tail, once for each finished tile of C while it is in the
// first-level cache.
template <typename T>
struct Epilogue {
  const T *bias = nullptr, *scale = nullptr;
  int64_t bias_rs = 0, bias_cs = 1;
  int64_t act = kActNone;
  void (*tail)(const Epilogue& epilogue, T* tile, int64_t rows, int64_t cols, int64_t ld) = nullptr;
  // For the tail: where C begins, and matrices of its shape: one that the tail writes instead of C, one that it adds.
  T* c = nullptr;
  T* result = nullptr;
  const T* addend = nullptr;
};

// max(x, 0) that keeps NaN.
template <typename V>
KAIMO_INLINE V relu(V x) {
  return x <= V{} ? V{} : x;
}

// What a tile kernel brings into the L2 cache beside its work, a line every four steps of k: `count` lines, kAheadRows of them `pitch`
// apart, the next as many `step` further on.
constexpr uint64_t kAheadRows = 16;
template <typename T>
struct LinesAhead {
  const T* base = nullptr;
  int64_t pitch = 0, step = 0;
  uint64_t count = 0;
};

// One block of K for one tile. `first`: C is written, not read. `last`: bias and activation follow.
template <typename T>
struct TileArgs {
  int64_t kc;
  const T* a;
  int64_t a_rs, a_cs;
  const T* b;
  int64_t b_rs;  // kNr<T> when packed
  T* c;
  int64_t ldc;
  bool first, last;
  const Epilogue<T>* epilogue;
  int64_t row, col;  // position in C, for the bias
  LinesAhead<T> ahead;
};

template <typename T, int mr, int nv>
KAIMO_INLINE void tile_finish(const TileArgs<T>& t, typename Vec<T>::type (&acc)[mr][nv]) {
  using V = typename Vec<T>::type;
  constexpr int n = Vec<T>::n;
  const Epilogue<T>& e = *t.epilogue;
  const bool bias = t.last && e.bias != nullptr, act = t.last && e.act == kActRelu;
  if (t.first && !bias && !act) {
    KAIMO_UNROLL(16)
    for (int i = 0; i < mr; ++i) {
      KAIMO_UNROLL(8)
      for (int j = 0; j < nv; ++j) vstore(t.c + i * t.ldc + j * n, acc[i][j]);
    }
    return;
  }
  KAIMO_UNROLL(16)
  for (int i = 0; i < mr; ++i) {
    KAIMO_UNROLL(8)
    for (int j = 0; j < nv; ++j) {
      V v = acc[i][j];
      T* c = t.c + i * t.ldc + j * n;
      if (!t.first) v = vload(c) + v;
      if (bias) {
        const int64_t at = (t.row + i) * e.bias_rs + (t.col + j * n) * e.bias_cs;
        if constexpr (__is_same(T, float)) {
          if (e.scale) v *= e.bias_cs ? vload(e.scale + at) : vsplat(e.scale[at]);
        }
        v += e.bias_cs ? vload(e.bias + at) : vsplat(e.bias[at]);
      }
      if (act) v = relu(v);
      vstore(c, v);
    }
  }
}

// How A lies: rows along k (a_cs == 1), columns (a_rs == 1), or packed panels (a_rs == 1, a_cs == kMr). Constants in the addresses are
// worth a quarter of the speed.
enum ALayout { kARows = 0, kAPacked = 1, kAColumns = 2 };

template <typename T, int mr, int nv, int layout>
KAIMO_NOINLINE void tile_kernel(const TileArgs<T>& t) {
  using V = typename Vec<T>::type;
  constexpr int n = Vec<T>::n;
  V acc[mr][nv] = {};
  const T* a = t.a;
  const T* b = t.b;
  const int64_t a_rs = layout == kARows ? t.a_rs : 1, a_cs = layout == kARows ? 1 : layout == kAPacked ? kMr : t.a_cs, b_rs = t.b_rs;
  for (int i = 0; i < mr; ++i) __builtin_prefetch(t.c + i * t.ldc, 1);
  const auto step = [&](const T* ak, const T* bk) __attribute__((always_inline)) {
    V bv[nv];
    KAIMO_UNROLL(8)
    for (int j = 0; j < nv; ++j) bv[j] = vload(bk + j * n);
    KAIMO_UNROLL(16)
    for (int i = 0; i < mr; ++i) {
      const V av = vsplat(ak[i * a_rs]);
      KAIMO_UNROLL(8)
      for (int j = 0; j < nv; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
    }
  };
  const LinesAhead<T> ahead = t.ahead;
  // Not unrolled: compilers that interleave several steps run out of registers, and what they spill costs a tenth of the speed.
  uint64_t line = 0;
  for (int64_t left = t.kc; left > 0; left -= 4) {
    if (line < ahead.count) __builtin_prefetch(ahead.base + line % kAheadRows * ahead.pitch + line / kAheadRows * ahead.step, 0, 2);
    ++line;
    int64_t steps = left < 4 ? left : 4;
    do {
      step(a, b);
      a += a_cs;
      b += b_rs;
    } while (--steps > 0);
  }
  tile_finish<T, mr, nv>(t, acc);
}

template <typename T>
using TileKernel = void (*)(const TileArgs<T>&);

// Rows come in steps of kRowUnit (and one alone), so that long tiles do not mean twice as many kernels to compile.
constexpr int kRowUnit = kMr > 8 ? 2 : 1;

// Integers, always widened and unpacked, run in short tiles of one layout.
template <typename T>
constexpr bool kIsInteger = T(1) / T(2) == T(0);
template <typename T>
constexpr int kTileRows = kIsInteger<T> ? 4 : kMr;

KAIMO_INLINE int64_t tile_index(int64_t rows) { return rows / kRowUnit - (kRowUnit == 1); }

// kernels[layout][tile_index(rows)]
template <typename T, int... mr>
struct TileTableOf {
  static constexpr TileKernel<T> kernels[3][sizeof...(mr)] = {
      {tile_kernel<T, mr, kNv, kARows>...}, {tile_kernel<T, mr, kNv, kAPacked>...}, {tile_kernel<T, mr, kNv, kAColumns>...}};
};
template <typename T, int... mr>
struct IntegerTiles {
  static constexpr TileKernel<T> kernels[1][sizeof...(mr)] = {{tile_kernel<T, mr, kNv, kARows>...}};
};
#if defined(__AVX512F__)
template <typename T>
struct TileTable : TileTableOf<T, 1, 2, 4, 6, 8, 10, 12, 14> {};
#elif defined(__aarch64__)
template <typename T>
struct TileTable : TileTableOf<T, 1, 2, 4, 6, 8, 10, 12> {};
#else
template <typename T>
struct TileTable : TileTableOf<T, 1, 2, 3, 4, 5, 6> {};
#endif
#if defined(__AVX512F__) || defined(__aarch64__)
template <>
struct TileTable<uint32_t> : IntegerTiles<uint32_t, 1, 2, 4> {};
template <>
struct TileTable<uint64_t> : IntegerTiles<uint64_t, 1, 2, 4> {};
#else
template <>
struct TileTable<uint32_t> : IntegerTiles<uint32_t, 1, 2, 3, 4> {};
template <>
struct TileTable<uint64_t> : IntegerTiles<uint64_t, 1, 2, 3, 4> {};
#endif

// A tile with fewer than kNr columns: B is zero-padded, the product goes to a buffer and the valid columns follow by scalar code in
// the same order of operations.
template <typename T, typename K>
KAIMO_NOINLINE void tile_edge(const TileArgs<T>& t, K kernel, int64_t rows, int64_t cols) {
  static const Epilogue<T> plain;
  alignas(64) T buffer[kMr * kNr<T>];
  TileArgs<T> inner = t;
  inner.c = buffer;
  inner.ldc = kNr<T>;
  inner.first = true;
  inner.last = false;
  inner.epilogue = &plain;
  kernel(inner);
  const Epilogue<T>& e = *t.epilogue;
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < cols; ++j) {
      T v = buffer[i * kNr<T> + j];
      T* c = t.c + i * t.ldc + j;
      if (!t.first) v = *c + v;
      if (t.last && e.bias) {
        const int64_t at = (t.row + i) * e.bias_rs + (t.col + j) * e.bias_cs;
        if (e.scale) v = v * e.scale[at];
        v += e.bias[at];
      }
      if (t.last && e.act == kActRelu) v = v <= T(0) ? T(0) : v;
      *c = v;
    }
  }
}

// A split of m rows into tiles of at most `most` rows, as even as possible (small last tiles would waste registers), all but one of them
// a multiple of kRowUnit.
struct RowSplit {
  int64_t tiles, base, longer, m;
  explicit RowSplit(int64_t rows, int64_t most = kMr) : m(rows) {
    const int64_t units = m / kRowUnit, even = ceil_div(units * kRowUnit, most);
    base = even ? units / even : 0;
    longer = units - base * even;
    tiles = even + (units * kRowUnit < m);
  }
  int64_t start(int64_t tile) const { return min64(m, (tile * base + min64(tile, longer)) * kRowUnit); }
  int64_t rows(int64_t tile) const { return tile + 1 == tiles ? m - start(tile) : (base + (tile < longer)) * kRowUnit; }
};

}  // namespace
}  // namespace kaimo
