// A matrix product as gemm.h's plans see it.
#pragma once
#include "gemm_pack.h"
#include "kernel.h"

namespace kaimo {
namespace {

constexpr int kMaxBatchRank = 2 * kMaxRank;

// Outer dims over which the same product repeats; strides in elements, 0 allowed for a and b.
struct GemmBatch {
  int rank = 0;
  int64_t count = 1;
  int64_t dims[kMaxBatchRank], a[kMaxBatchRank], b[kMaxBatchRank], c[kMaxBatchRank];

  void push(int64_t dim, int64_t a_stride, int64_t b_stride, int64_t c_stride) {
    dims[rank] = dim;
    a[rank] = a_stride;
    b[rank] = b_stride;
    c[rank] = c_stride;
    ++rank;
    count *= dim;
  }
  void offsets(int64_t index, int64_t* ao, int64_t* bo, int64_t* co) const {
    *ao = *bo = *co = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const int64_t i = index % dims[d];
      index /= dims[d];
      *ao += i * a[d];
      *bo += i * b[d];
      *co += i * c[d];
    }
  }
  bool b_shared() const {
    for (int d = 0; d < rank; ++d) {
      if (dims[d] > 1 && b[d] != 0) return false;
    }
    return true;
  }
};

template <typename T>
struct Gemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_rs, a_cs;
  const T* b;
  int64_t b_rs, b_cs;
  const T* packed_b = nullptr;  // gemm_pack_b's layout, shared by the whole batch; b is ignored then
  T* c;
  int64_t ldc;
  bool accumulate = false;  // add to what C holds
  Epilogue<T> epilogue;
  GemmBatch batch;

  int64_t panels() const { return ceil_div(n, kNr<T>); }
};

// Elements of B packed: one layout for every M.
template <typename T>
KAIMO_INLINE int64_t gemm_packed_b_size(int64_t k, int64_t n) {
  return round_up(n, kNr<T>) * k;
}

// The part `tile` of `tiles` of a packed panel: rows of kNr.
template <typename T>
KAIMO_INLINE LinesAhead<T> packed_ahead(const T* panel, int64_t kc, int64_t tile, int64_t tiles) {
  const int64_t share = ceil_div(kc, tiles);
  return LinesAhead<T>{panel + tile * share * kNr<T>, kNr<T>, int64_t(kAheadRows) * kNr<T>, uint64_t(share)};
}

// Runs the tile kernel for one tile, whole or cut at the right edge.
template <typename T>
KAIMO_INLINE void run_tile(const TileArgs<T>& t, ALayout layout, int64_t rows, int64_t cols) {
  const TileKernel<T> kernel = TileTable<T>::kernels[layout][tile_index(rows)];
  if (cols == kNr<T>) {
    kernel(t);
  } else {
    tile_edge(t, kernel, rows, cols);
  }
  if (t.last && t.epilogue->tail) t.epilogue->tail(*t.epilogue, t.c, rows, cols, t.ldc);
}

}  // namespace
}  // namespace kaimo
