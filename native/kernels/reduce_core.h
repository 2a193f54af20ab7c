// The arithmetic of reductions and its order, shared by reduce, norms and statistics.
//
// Order contract: element k of a reduction over K goes to block k / 256 and lane k % 8 of that block. A lane adds its elements in order,
// the 8 lanes of a block combine as a tree, and the blocks combine as a binary counter does (two of equal size merge at once). So the
// result depends on K alone: not on layout, tile position, number of outputs, threads or vector width. The error grows with log K.
#pragma once
#include <type_traits>

#include "simd.h"
#include "view.h"

namespace kaimo {
namespace {

constexpr int64_t kReduceBlock = 256;
constexpr int kReduceLanes = 8;

// Combining functions on scalars and on GCC vectors; integers of sums and products are unsigned, so they wrap.
struct SumOp {
  template <class T>
  static T identity() { return T(0); }
  template <class V>
  static V apply(V a, V b) { return a + b; }
};
struct ProdOp {
  template <class T>
  static T identity() { return T(1); }
  template <class V>
  static V apply(V a, V b) { return a * b; }
};
template <class T>
inline T lowest_value() {
  if constexpr (T(0.5) != T(0)) return -static_cast<T>(__builtin_inff());
  else if constexpr (T(-1) > T(0)) return T(0);
  else return static_cast<T>(static_cast<uint64_t>(1) << (8 * sizeof(T) - 1));
}
template <class T>
inline T highest_value() {
  if constexpr (T(0.5) != T(0)) return static_cast<T>(__builtin_inff());
  else if constexpr (T(-1) > T(0)) return static_cast<T>(-1);
  else return static_cast<T>((static_cast<uint64_t>(1) << (8 * sizeof(T) - 1)) - 1);
}
// max and min keep a NaN of either side.
struct MaxOp {
  template <class T>
  static T identity() { return lowest_value<T>(); }
  template <class V>
  static V apply(V a, V b) { return ((a > b) | (a != a)) ? a : b; }
};
struct MinOp {
  template <class T>
  static T identity() { return highest_value<T>(); }
  template <class V>
  static V apply(V a, V b) { return ((a < b) | (a != a)) ? a : b; }
};
struct AndOp {
  template <class T>
  static T identity() { return static_cast<T>(-1); }
  template <class V>
  static V apply(V a, V b) { return a & b; }
};
struct OrOp {
  template <class T>
  static T identity() { return T(0); }
  template <class V>
  static V apply(V a, V b) { return a | b; }
};

// What the order contract needs of an operation on a calculation type, erased to bytes so that plans and walks compile once.
struct ReduceOps {
  int64_t size;                                                        // bytes of a value
  void (*row)(const char* x, int64_t n, char* result);                 // contiguous values -> one
  void (*merge)(char* a, const char* b, int64_t n);                    // a[i] = op(a[i], b[i])
  void (*merge4)(char* a, const char* const* rows, int64_t n);         // a[i] = op(op(op(op(a[i], rows[0][i]), ...
  uint64_t identity;                                                   // bits of a value
};

// The merging of equal-sized partial results, up to `width` values side by side.
template <int kWidthBytes>
struct Cascade {
  const ReduceOps& ops;
  int64_t width;
  int64_t count = 0;
  int top = 0;
  alignas(64) char stack[48][kWidthBytes];

  Cascade(const ReduceOps& operation, int64_t values) : ops(operation), width(values) {}

  // The place for the next partial result; call pushed() when it is there.
  char* slot() { return stack[top]; }
  void pushed() {
    for (int64_t carry = count++; carry & 1; carry >>= 1) {
      top--;
      ops.merge(stack[top], stack[top + 1], width);
    }
    top++;
  }
  // Merges what is left, smallest first. At least one result must have been pushed.
  const char* finish() {
    for (top--; top > 0; top--) ops.merge(stack[top - 1], stack[top], width);
    return stack[0];
  }
};

template <class Op, class A>
inline A combine_lanes(const A* lane) {
  const A a = Op::apply(lane[0], lane[4]), b = Op::apply(lane[1], lane[5]), c = Op::apply(lane[2], lane[6]), d = Op::apply(lane[3], lane[7]);
  return Op::apply(Op::apply(a, c), Op::apply(b, d));
}

// Eight lanes as native vectors: one or several, or a part of one where vectors are wider.
template <class A>
struct Lanes {
  static constexpr int kBytes = 8 * sizeof(A) < KAIMO_VEC_BYTES ? 8 * sizeof(A) : KAIMO_VEC_BYTES;
  static constexpr int kCount = 8 * sizeof(A) / kBytes;
  typedef A V __attribute__((vector_size(kBytes)));
  V v[kCount];
  void load(const A* x) { std::memcpy(v, x, sizeof(v)); }
  void store(A* x) const { std::memcpy(x, v, sizeof(v)); }
};

// What a reduction takes of each value, or of eight of them at once.
struct Itself {
  template <class V>
  V operator()(V v) const { return v; }
};

// Lane results of a block of n <= 256 contiguous values.
template <class Op, class A, class Map>
inline A reduce_block(const A* x, int64_t n, Map map) {
  A lane[kReduceLanes];
  for (int l = 0; l < kReduceLanes; l++) lane[l] = l < n ? map(x[l]) : Op::template identity<A>();
  int64_t i = kReduceLanes;
  if (n >= 2 * kReduceLanes) {
    Lanes<A> sum, value;
    sum.load(lane);
    for (; i + kReduceLanes <= n; i += kReduceLanes) {
      value.load(x + i);
      for (int c = 0; c < Lanes<A>::kCount; c++) sum.v[c] = Op::apply(sum.v[c], map(value.v[c]));
    }
    sum.store(lane);
  }
  for (int l = 0; i < n; i++, l++) lane[l] = Op::apply(lane[l], map(x[i]));
  return combine_lanes<Op>(lane);
}

// Several full blocks at once, to hide the latency of dependent additions.
template <class Op, int kBlocks, class A, class Map>
inline void reduce_blocks(const A* x, A* result, Map map) {
  Lanes<A> sum[kBlocks], value;
  for (int b = 0; b < kBlocks; b++) {
    sum[b].load(x + b * kReduceBlock);
    for (int c = 0; c < Lanes<A>::kCount; c++) sum[b].v[c] = map(sum[b].v[c]);
  }
  for (int64_t i = kReduceLanes; i < kReduceBlock; i += kReduceLanes) {
    KAIMO_UNROLL(4)
    for (int b = 0; b < kBlocks; b++) {
      value.load(x + b * kReduceBlock + i);
      KAIMO_UNROLL(4)
      for (int c = 0; c < Lanes<A>::kCount; c++) sum[b].v[c] = Op::apply(sum[b].v[c], map(value.v[c]));
    }
  }
  for (int b = 0; b < kBlocks; b++) {
    A lane[kReduceLanes];
    sum[b].store(lane);
    result[b] = combine_lanes<Op>(lane);
  }
}

// Merges results of blocks: two of equal size at once.
template <class Op, class A>
struct BlockCounter {
  A stack[48];
  int top = 0;
  int64_t count = 0;

  void push(A value) {
    for (int64_t carry = count++; carry & 1; carry >>= 1) value = Op::apply(stack[--top], value);
    stack[top++] = value;
  }
  // At least one result must have been pushed.
  A finish() {
    A value = stack[--top];
    while (top > 0) value = Op::apply(stack[--top], value);
    return value;
  }
};

// A contiguous row of n >= 1 values.
template <class Op, class A, class Map = Itself>
inline A reduce_row(const A* x, int64_t n, Map map = {}) {
  if (n <= kReduceBlock) return reduce_block<Op>(x, n, map);
  BlockCounter<Op, A> counter;
  const A* const end = x + n;
  A results[4];
  const auto blocks = [&](auto count) {
    constexpr int kBlocks = decltype(count)::value;
    reduce_blocks<Op, kBlocks>(x, results, map);
    for (int b = 0; b < kBlocks; b++) counter.push(results[b]);
    x += kBlocks * kReduceBlock;
  };
  while (end - x >= 4 * kReduceBlock) blocks(std::integral_constant<int, 4>());
  if (end - x >= 3 * kReduceBlock) blocks(std::integral_constant<int, 3>());
  if (end - x >= 2 * kReduceBlock) blocks(std::integral_constant<int, 2>());
  for (; x < end; x += kReduceBlock) counter.push(reduce_block<Op>(x, end - x < kReduceBlock ? end - x : kReduceBlock, map));
  return counter.finish();
}

// The reduction of value_at(0..n-1), n >= 1, in the same order.
template <class Op, class A, class F>
inline A reduce_map(int64_t n, F value_at) {
  constexpr int64_t kPiece = 4 * kReduceBlock;
  alignas(64) A piece[kPiece];
  BlockCounter<Op, A> counter;
  for (int64_t at = 0; at < n; at += kPiece) {
    const int64_t length = n - at < kPiece ? n - at : kPiece;
    for (int64_t i = 0; i < length; i++) piece[i] = value_at(at + i);
    counter.push(reduce_row<Op>(piece, length));
  }
  return counter.finish();
}

template <class Op, class A>
struct ErasedOp {
  static void row(const char* x, int64_t n, char* result) {
    const A value = reduce_row<Op>(reinterpret_cast<const A*>(x), n);
    std::memcpy(result, &value, sizeof(A));
  }
  static void merge(char* raw, const char* other, int64_t n) {
    A* a = reinterpret_cast<A*>(raw);
    const A* b = reinterpret_cast<const A*>(other);
    for (int64_t i = 0; i < n; i++) a[i] = Op::apply(a[i], b[i]);
  }
  static void merge4(char* raw, const char* const* rows, int64_t n) {
    A* a = reinterpret_cast<A*>(raw);
    const A *p = reinterpret_cast<const A*>(rows[0]), *q = reinterpret_cast<const A*>(rows[1]);
    const A *r = reinterpret_cast<const A*>(rows[2]), *s = reinterpret_cast<const A*>(rows[3]);
    constexpr int64_t kLanes = Vec<A>::n;
    int64_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
      const auto sum = Op::apply(Op::apply(Op::apply(Op::apply(vload(a + i), vload(p + i)), vload(q + i)), vload(r + i)), vload(s + i));
      vstore(a + i, sum);
    }
    for (; i < n; i++) a[i] = Op::apply(Op::apply(Op::apply(Op::apply(a[i], p[i]), q[i]), r[i]), s[i]);
  }
  static ReduceOps ops() {
    const A value = Op::template identity<A>();
    uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(A));
    return {sizeof(A), row, merge, merge4, bits};
  }
};

}  // namespace
}  // namespace kaimo
