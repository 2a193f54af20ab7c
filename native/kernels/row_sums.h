// Several sums over one row in one pass.
//
// Order: term i of a block of 1024 goes to lane i % 32, lanes combine as a tree, blocks as a binary counter does. It depends on the length
// alone, like that of reduce_core.h, whose 8 lanes are too few to keep the adders of a short row busy.
#pragma once
#include "reduce_core.h"

namespace kaimo {
namespace {

constexpr int64_t kSumBlock = 1024;
constexpr int kSumLanes = 32;

template <class Pointer>
using Pointed = std::remove_pointer_t<Pointer>;

// V of T's at p: a vector or a single value.
template <class V, class T>
KAIMO_INLINE V pick(const T* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof(V));
  return v;
}
template <class V, class T>
KAIMO_INLINE void place(T* p, V v) {
  __builtin_memcpy(p, &v, sizeof(V));
}

// f(i, tag) for every i < n: whole vectors first, tag a Vec<A>::type, then single values, tag an A.
template <class A, class F>
KAIMO_INLINE void each_vector(int64_t n, F f) {
  int64_t i = 0;
  for (; i + Vec<A>::n <= n; i += Vec<A>::n) f(i, typename Vec<A>::type{});
  for (; i < n; i++) f(i, A(0));
}

// The sum of all lanes: lane l joins lane l + half, half by half.
template <class A, class V, int kVectors>
KAIMO_INLINE A fold_lanes(V (&sum)[kVectors]) {
  KAIMO_UNROLL(8)
  for (int width = kVectors / 2; width > 0; width /= 2) {
    KAIMO_UNROLL(8)
    for (int j = 0; j < width; j++) sum[j] += sum[j + width];
  }
  constexpr int kQuarters = sizeof(V) / 16, kLeft = 16 / sizeof(A);
  typedef A Q __attribute__((vector_size(16)));
  Q part[kQuarters];
  const V folded = sum[0];
  __builtin_memcpy(part, &folded, sizeof(V));
  KAIMO_UNROLL(4)
  for (int width = kQuarters / 2; width > 0; width /= 2) {
    KAIMO_UNROLL(4)
    for (int j = 0; j < width; j++) part[j] += part[j + width];
  }
  if constexpr (kLeft == 2) return part[0][0] + part[0][1];
  else return (part[0][0] + part[0][2]) + (part[0][1] + part[0][3]);
}

// The terms [i, end), fewer than kSumLanes, each in its lane.
template <int kSums, class V, int kVectors, class F>
KAIMO_INLINE void add_rest(int64_t i, int64_t end, V (&sum)[kSums][kVectors], F f) {
  using A = std::remove_reference_t<decltype(sum[0][0][0])>;
  constexpr int kWidth = sizeof(V) / sizeof(A);
  // Copied vector by vector: taking its address would keep `sum` in memory all along.
  A lane[kSums][kSumLanes];
  KAIMO_UNROLL(4)
  for (int c = 0; c < kSums; c++) {
    KAIMO_UNROLL(16)
    for (int j = 0; j < kVectors; j++) vstore(lane[c] + j * kWidth, sum[c][j]);
  }
  int l = 0;
  for (; i + kWidth <= end; i += kWidth, l += kWidth) {
    V term[kSums];
    f(i, term);
    for (int c = 0; c < kSums; c++) vstore(lane[c] + l, vload(lane[c] + l) + term[c]);
  }
  for (; i < end; i++, l++) {
    A term[kSums];
    f(i, term);
    for (int c = 0; c < kSums; c++) lane[c][l] += term[c];
  }
  KAIMO_UNROLL(4)
  for (int c = 0; c < kSums; c++) {
    KAIMO_UNROLL(16)
    for (int j = 0; j < kVectors; j++) sum[c][j] = vload(lane[c] + j * kWidth);
  }
}

// result[c] = sum of term[c] over i < n, n >= 1; f(i, term) gives the terms from i on, of a vector or of one value.
template <int kSums, class A, class F>
KAIMO_INLINE void row_sums(int64_t n, A (&result)[kSums], F f) {
  using V = typename Vec<A>::type;
  constexpr int kWidth = Vec<A>::n, kVectors = kSumLanes / kWidth;
  BlockCounter<SumOp, A> counter[kSums];
  for (int64_t start = 0; start < n; start += kSumBlock) {
    const int64_t end = n - start < kSumBlock ? n : start + kSumBlock;
    V sum[kSums][kVectors] = {};
    const auto add = [&](int64_t i, int j) __attribute__((always_inline)) {
      V term[kSums];
      f(i, term);
      KAIMO_UNROLL(4)
      for (int c = 0; c < kSums; c++) sum[c][j] += term[c];
    };
    int64_t i = start;
    for (; i + kSumLanes <= end; i += kSumLanes) {
      KAIMO_UNROLL(16)
      for (int j = 0; j < kVectors; j++) add(i + j * kWidth, j);
    }
    if (i < end) add_rest<kSums>(i, end, sum, f);
    KAIMO_UNROLL(4)
    for (int c = 0; c < kSums; c++) counter[c].push(fold_lanes<A>(sum[c]));
  }
  for (int c = 0; c < kSums; c++) result[c] = counter[c].finish();
}

}  // namespace
}  // namespace kaimo
