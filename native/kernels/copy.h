// Movement of elements without arithmetic: strided copies (broadcast_in_dim, transpose, slice, reverse, pieces of concatenate), fill, pad
// and iota. Everything but iota moves bits and depends on the element size alone.
#pragma once
#include "view.h"

namespace kaimo {
namespace {

typedef uint8_t U8x16 __attribute__((vector_size(16)));
typedef uint16_t U16x8 __attribute__((vector_size(16)));
typedef uint32_t U32x4 __attribute__((vector_size(16)));
typedef uint64_t U64x2 __attribute__((vector_size(16)));

// Register blocks of 16-byte vectors: the perfect-shuffle step of a square transpose.
template <class T>
struct TransposeBlock;
template <>
struct TransposeBlock<uint8_t> {
  typedef U8x16 V;
  static V low(V a, V b) { return __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23); }
  static V high(V a, V b) { return __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31); }
};
template <>
struct TransposeBlock<uint16_t> {
  typedef U16x8 V;
  static V low(V a, V b) { return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11); }
  static V high(V a, V b) { return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15); }
};
template <>
struct TransposeBlock<uint32_t> {
  typedef U32x4 V;
  static V low(V a, V b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
  static V high(V a, V b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }
};
template <>
struct TransposeBlock<uint64_t> {
  typedef U64x2 V;
  static V low(V a, V b) { return __builtin_shufflevector(a, b, 0, 2); }
  static V high(V a, V b) { return __builtin_shufflevector(a, b, 1, 3); }
};

// out[j * out_stride + i] = in[i * in_stride + j] for an N x N block held in registers.
template <class T>
inline void transpose_block(const T* in, int64_t in_stride, T* out, int64_t out_stride) {
  using V = typename TransposeBlock<T>::V;
  constexpr int N = 16 / sizeof(T);
  V a[N], b[N];
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) std::memcpy(&a[i], in + i * in_stride, 16);
#pragma GCC unroll 4
  for (int step = 1; step < N; step *= 2) {
#pragma GCC unroll 8
    for (int i = 0; i < N / 2; i++) {
      b[2 * i] = TransposeBlock<T>::low(a[i], a[i + N / 2]);
      b[2 * i + 1] = TransposeBlock<T>::high(a[i], a[i + N / 2]);
    }
#pragma GCC unroll 16
    for (int i = 0; i < N; i++) a[i] = b[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < N; i++) std::memcpy(out + i * out_stride, &a[i], 16);
}

// Whole cache lines are read once and written once through a small buffer: with strides that are powers of two the lines of a tile
// share a few cache sets and would be evicted between visits.
template <class T>
inline void transpose_lines(const T* in, int64_t in_stride, T* out, int64_t out_stride) {
  constexpr int N = 16 / sizeof(T), L = 64 / sizeof(T);
  alignas(64) T rows[L * L], cols[L * L];
  for (int i = 0; i < L; i++) std::memcpy(rows + i * L, in + i * in_stride, 64);
  for (int i = 0; i < L; i += N)
    for (int j = 0; j < L; j += N) transpose_block(rows + i * L + j, L, cols + j * L + i, L);
  for (int j = 0; j < L; j++) std::memcpy(out + j * out_stride, cols + j * L, 64);
}

// out[j * out_stride + i] = in[i * in_stride + j]
template <class T>
inline void transpose_tile(const T* in, int64_t in_stride, T* out, int64_t out_stride, int64_t rows, int64_t cols) {
  constexpr int64_t N = 16 / sizeof(T), L = 64 / sizeof(T);
  const int64_t line_rows = rows - rows % L, line_cols = cols - cols % L;
  const int64_t full_rows = rows - rows % N, full_cols = cols - cols % N;
  for (int64_t i = 0; i < line_rows; i += L)
    for (int64_t j = 0; j < line_cols; j += L) transpose_lines(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
  for (int64_t j = 0; j < full_cols; j += N)
    for (int64_t i = j < line_cols ? line_rows : 0; i < full_rows; i += N)
      transpose_block(in + i * in_stride + j, in_stride, out + j * out_stride + i, out_stride);
  for (int64_t j = 0; j < cols; j++)
    for (int64_t i = j < full_cols ? full_rows : 0; i < rows; i++) out[j * out_stride + i] = in[i * in_stride + j];
}

template <class T>
inline void copy_run(const T* in, int64_t si, T* out, int64_t so, int64_t n) {
  if (so == 1 && si == 1) {
    std::memcpy(out, in, static_cast<size_t>(n) * sizeof(T));
  } else if (so == 1 && si == 0) {
    const T value = *in;
    for (int64_t i = 0; i < n; i++) out[i] = value;
  } else if (so == 1 && si == -1) {
    for (int64_t i = 0; i < n; i++) out[i] = in[-i];
  } else {
    for (int64_t i = 0; i < n; i++) out[i * so] = in[i * si];
  }
}

// The dims of a copy as a walk: [0] input, [1] output offsets, ordered so that the output's smallest step is innermost.
inline Walk<2> copy_walk(int rank, const int64_t* dims, const int64_t* in_strides, const int64_t* out_strides) {
  int order[kMaxRank];
  int count = 0;
  for (int d = 0; d < rank; d++) {
    if (dims[d] == 1) continue;
    const int64_t step = out_strides[d] < 0 ? -out_strides[d] : out_strides[d];
    int at = count++;
    for (; at > 0; at--) {
      const int64_t before = out_strides[order[at - 1]];
      if ((before < 0 ? -before : before) >= step) break;
      order[at] = order[at - 1];
    }
    order[at] = d;
  }
  Walk<2> walk;
  walk.rank = 0;
  for (int k = 0; k < count; k++) walk.push(dims[order[k]], {in_strides[order[k]], out_strides[order[k]]});
  return walk;
}

// Two dims of the copy, the input contiguous along one and the output along the other, in cache-sized tiles.
template <class T>
inline void copy_transposed(Pool* pool, const T* in, T* out, Walk<2>& walk, int column_dim) {
  constexpr int64_t kTile = 64;
  const int inner = walk.rank - 1;
  const int64_t rows = walk.dims[inner], in_stride = walk.strides[0][inner];
  const int64_t cols = walk.dims[column_dim], out_stride = walk.strides[1][column_dim];
  Walk<2> outer;
  outer.rank = 0;
  for (int d = 0; d < inner; d++)
    if (d != column_dim) outer.push(walk.dims[d], {walk.strides[0][d], walk.strides[1][d]});
  const int64_t row_tiles = (rows + kTile - 1) / kTile, col_tiles = (cols + kTile - 1) / kTile, tiles = row_tiles * col_tiles;
  const double tile_ns = 0.5 * static_cast<double>(rows < kTile ? rows : kTile) * static_cast<double>(cols < kTile ? cols : kTile) + 10;
  parallel_ranges(pool, outer.count() * tiles, tile_ns, [&](int64_t begin, int64_t end, int) {
    Walk<2> at = outer;
    at.start(begin / tiles);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t tile = unit % tiles, i = tile % row_tiles * kTile, j = tile / row_tiles * kTile;
      if (unit != begin && tile == 0) at.next();
      transpose_tile(in + at.offset[0] + i * in_stride + j, in_stride, out + at.offset[1] + j * out_stride + i, out_stride,
                     rows - i < kTile ? rows - i : kTile, cols - j < kTile ? cols - j : kTile);
    }
  });
}

// Copies dims elements between two strided views that do not overlap.
template <class T>
inline void copy_view(Pool* pool, const T* in, const int64_t* in_strides, T* out, const int64_t* out_strides, const int64_t* dims, int rank) {
  for (int d = 0; d < rank; d++)
    if (dims[d] == 0) return;
  Walk<2> walk = copy_walk(rank, dims, in_strides, out_strides);
  if (walk.rank == 0) {
    *out = *in;
    return;
  }
  const int inner = walk.rank - 1;
  const int64_t n = walk.dims[inner], si = walk.strides[0][inner], so = walk.strides[1][inner];
  if (so == 1 && si != 1 && si != 0) {
    for (int d = 0; d < inner; d++)
      if (walk.strides[0][d] == 1) return copy_transposed(pool, in, out, walk, d);
  }
  constexpr int64_t kChunk = 32768;
  const int64_t chunks = (n + kChunk - 1) / kChunk;
  Walk<2> outer = walk;
  outer.rank = inner;
  const int64_t length = n < kChunk ? n : kChunk;
  const double run_ns = 4 + static_cast<double>(length) * (so == 1 && (si == 1 || si == 0) ? 0.06 * sizeof(T) : 0.7);
  parallel_ranges(pool, outer.count() * chunks, run_ns, [&](int64_t begin, int64_t end, int) {
    Walk<2> at = outer;
    at.start(begin / chunks);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t from = unit % chunks * kChunk;
      if (unit != begin && from == 0) at.next();
      copy_run(in + at.offset[0] + from * si, si, out + at.offset[1] + from * so, so, n - from < kChunk ? n - from : kChunk);
    }
  });
}

// copy: in[0] -> out[0], equal dims and dtype. The output may be strided. No ints.
static Status copy_kernel(KernelCall& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  return with_element_size(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    copy_view(call.pool, reinterpret_cast<const T*>(in.data), in.strides, reinterpret_cast<T*>(out.data), out.strides, out.dims, out.rank);
    return Status::ok;
  });
}

template <class T>
inline void fill_view(Pool* pool, T value, const Operand& out) {
  const int64_t zeros[kMaxRank] = {};
  copy_view(pool, &value, zeros, reinterpret_cast<T*>(out.data), out.strides, out.dims, out.rank);
}

// fill: one value everywhere in out[0], which may be strided. The value is the scalar in[0] where there is one, else the low bytes of
// ints[0] (the element's bit pattern).
static Status fill_kernel(KernelCall& call) {
  const Operand& out = call.out[0];
  return with_element_size(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_view(call.pool, call.n_in > 0 ? *reinterpret_cast<const T*>(call.in[0].data) : static_cast<T>(call.ints[0]), out);
    return Status::ok;
  });
}

// pad: in[0] operand, in[1] scalar; ints = low[rank], high[rank], interior[rank]. Negative low and high crop.
static Status pad_kernel(KernelCall& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  return with_element_size(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    fill_view(call.pool, *reinterpret_cast<const T*>(call.in[1].data), out);
    const T* from = reinterpret_cast<const T*>(in.data);
    T* to = reinterpret_cast<T*>(out.data);
    int64_t dims[kMaxRank], steps[kMaxRank];
    for (int d = 0; d < out.rank; d++) {
      const int64_t low = call.ints[d], gap = call.ints[2 * out.rank + d] + 1;
      // Element i lands at low + i * gap: keep those inside [0, out.dims[d]).
      const int64_t first = low < 0 ? (-low + gap - 1) / gap : 0;
      const int64_t room = out.dims[d] - low;
      const int64_t fit = room <= 0 ? 0 : (room + gap - 1) / gap;
      const int64_t last = fit < in.dims[d] ? fit : in.dims[d];
      dims[d] = last > first ? last - first : 0;
      if (dims[d] == 0) return Status::ok;
      steps[d] = out.strides[d] * gap;
      from += first * in.strides[d];
      to += (low + first * gap) * out.strides[d];
    }
    copy_view(call.pool, from, in.strides, to, steps, dims, out.rank);
    return Status::ok;
  });
}

// iota: ints[0] = the dim along which out[0] counts 0, 1, 2...; integers wrap.
static Status iota_kernel(KernelCall& call) {
  const Operand& out = call.out[0];
  const int along = static_cast<int>(call.ints[0]);
  int64_t outer = 1, inner = 1;
  for (int d = 0; d < along; d++) outer *= out.dims[d];
  for (int d = along + 1; d < out.rank; d++) inner *= out.dims[d];
  const int64_t n = out.dims[along];
  return with_dtype(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* data = reinterpret_cast<T*>(out.data);
    parallel_ranges(call.pool, outer * n, 2 + 0.3 * static_cast<double>(inner), [&](int64_t begin, int64_t end, int) {
      for (int64_t row = begin; row < end; row++) {
        const T value = Store<T>::from(static_cast<typename Exact<T>::type>(row % n));
        for (int64_t i = 0; i < inner; i++) data[row * inner + i] = value;
      }
    });
    return Status::ok;
  });
}

static const KernelEntry kCopyKernels[] = {
    {"copy", copy_kernel},
    {"fill", fill_kernel},
    {"pad", pad_kernel},
    {"iota", iota_kernel},
};

}  // namespace
}  // namespace kaimo
