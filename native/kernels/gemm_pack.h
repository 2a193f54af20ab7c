// Packing of strided matrices into the panels that the tile kernels read.
//   B: panels of kNr columns, each k x kNr row-major, zero-padded: element (k, n) at ((n / kNr) * K + k) * kNr + n % kNr.
//   A: panels of at most kMr rows, each kc x kMr (column k of the panel is kMr consecutive elements).
#pragma once
#include "gemm_micro.h"

namespace kaimo {
namespace {

// dst[k * width + i] = src[i * rs + k * cs] for rows i < rows, zero for rows <= i < width (where pad), k < kc.
// The general form; both packs are this with different widths.
template <typename T, int width>
KAIMO_INLINE void pack_scalar(T* dst, const T* src, int64_t rs, int64_t cs, int64_t rows, int64_t kc) {
  for (int64_t k = 0; k < kc; ++k) {
    int64_t i = 0;
    for (; i < rows; ++i) dst[k * width + i] = src[i * rs + k * cs];
    for (; i < width; ++i) dst[k * width + i] = T(0);
  }
}

// Source contiguous along the panel's width (rs == 1), full width.
template <typename T, int width>
KAIMO_INLINE void pack_copy(T* dst, const T* src, int64_t cs, int64_t kc) {
  for (int64_t k = 0; k < kc; ++k) __builtin_memcpy(dst + k * width, src + k * cs, sizeof(T) * width);
}

// Source contiguous along k (cs == 1): transposes blocks of n x n in registers. Where a vector is wider than what is left of the panel's
// width: a panel narrower than one vector stores whole vectors in rising order of k, each overwriting the excess of the one before
// (so the destination needs a vector of slack); otherwise only the valid part is stored.
template <int width>
KAIMO_INLINE void pack_transpose(float* dst, const float* src, int64_t rs, int64_t rows, int64_t kc) {
  constexpr int n = Vec<float>::n;
  const int64_t full = kc / n * n;
  for (int64_t k = 0; k < full; k += n) {
    KAIMO_UNROLL(4)
    for (int64_t i0 = 0; i0 < width; i0 += n) {
      vf32 r[n];
      if (i0 + n <= rows) {
        vload_transposed(r, src + i0 * rs + k, rs);
      } else {
        KAIMO_UNROLL(16)
        for (int i = 0; i < n; ++i) r[i] = i0 + i < rows ? vload(src + (i0 + i) * rs + k) : vf32{};
        vtranspose(r);
      }
      float* to = dst + k * width + i0;
      KAIMO_UNROLL(16)
      for (int i = 0; i < n; ++i) {
        if (width < n || i0 + n <= width) vstore(to + i * width, r[i]);
        else __builtin_memcpy(to + i * width, &r[i], sizeof(float) * (width % n));
      }
    }
  }
  for (int64_t k = full; k < kc; ++k) {
    for (int64_t i = 0; i < width; ++i) dst[k * width + i] = i < rows ? src[i * rs + k] : 0;
  }
}

template <typename T, int width>
struct PackTranspose {
  static bool run(T*, const T*, int64_t, int64_t, int64_t) { return false; }
};
template <int width>
struct PackTranspose<float, width> {
  static bool run(float* dst, const float* src, int64_t rs, int64_t rows, int64_t kc) {
    pack_transpose<width>(dst, src, rs, rows, kc);
    return true;
  }
};

// One panel of B: kc rows from k0 on of the columns [0, cols) of src, b_rs along k and b_cs along n.
template <typename T>
KAIMO_NOINLINE void pack_b_panel(T* dst, const T* src, int64_t b_rs, int64_t b_cs, int64_t kc, int64_t cols) {
  constexpr int width = int(kNr<T>);
  if (cols == width && b_cs == 1) {
    pack_copy<T, width>(dst, src, b_rs, kc);
  } else if (b_rs != 1 || !PackTranspose<T, width>::run(dst, src, b_cs, cols, kc)) {
    pack_scalar<T, width>(dst, src, b_cs, b_rs, cols, kc);
  }
}

// A panel of `rows` rows of A. Needs a vector of slack behind it.
template <typename T>
KAIMO_NOINLINE void pack_a_panel(T* dst, const T* src, int64_t a_rs, int64_t a_cs, int64_t rows, int64_t kc) {
  if (rows == kMr && a_rs == 1) {
    pack_copy<T, kMr>(dst, src, a_cs, kc);
  } else if (a_cs != 1 || !PackTranspose<T, kMr>::run(dst, src, a_rs, rows, kc)) {
    pack_scalar<T, kMr>(dst, src, a_rs, a_cs, rows, kc);
  }
}

}  // namespace
}  // namespace kaimo
