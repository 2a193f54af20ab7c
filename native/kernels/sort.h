// sort and top_k along a dim. Keys become unsigned integers whose order is the elements' order: NaN above everything, -0 equal to +0; a
// descending sort complements them, so ties keep their order both ways.
#pragma once
#include <type_traits>

#include "view.h"

namespace kaimo {
namespace {

template <class K>
struct SortPair {
  K key;
  uint32_t index;
};

// Whether a comes before b; no two pairs of a row are equal.
template <class K>
inline bool before(const SortPair<K>& a, const SortPair<K>& b) {
  return a.key < b.key || (a.key == b.key && a.index < b.index);
}

template <class K, class T>
inline K sort_key(T value) {
  if constexpr (std::is_same<T, f16>::value || std::is_same<T, bf16>::value) {
    return sort_key<K>(load_as<float>(value));
  } else if constexpr (std::is_same<T, float>::value || std::is_same<T, double>::value) {
    constexpr K sign = static_cast<K>(1) << (8 * sizeof(K) - 1);
    const K bits = bit_cast<K>(value == T(0) ? T(0) : value);
    const K key = bits & sign ? ~bits : bits | sign;
    return value != value ? static_cast<K>(-1) : key;
  } else if constexpr (std::is_signed<T>::value) {
    return static_cast<K>(static_cast<typename std::make_signed<K>::type>(value)) ^ static_cast<K>(1) << (8 * sizeof(K) - 1);
  } else {
    return static_cast<K>(value);
  }
}

// Pairs of a row; `flip` is all ones for a descending order.
template <class K>
struct SortLoad {
  void (*load)(const char* in, int64_t stride, SortPair<K>* out, int64_t n, K flip);
};

template <class K, class T>
inline void load_pairs(const char* raw, int64_t stride, SortPair<K>* out, int64_t n, K flip) {
  const T* in = reinterpret_cast<const T*>(raw);
  for (int64_t i = 0; i < n; i++) out[i] = {sort_key<K>(in[i * stride]) ^ flip, static_cast<uint32_t>(i)};
}

template <class K>
inline SortLoad<K> sort_load(DType dtype) {
  SortLoad<K> result{};
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr ((sizeof(T) == 8) == (sizeof(K) == 8)) result.load = load_pairs<K, T>;
    return Status::ok;
  });
  return result;
}

// Sorts pairs whose indices ascend among equal keys. `spare` holds as many pairs. Returns where the result is: pairs or spare.
template <class K>
inline SortPair<K>* sort_pairs(SortPair<K>* pairs, SortPair<K>* spare, int64_t n) {
  if (n <= 48) {
    for (int64_t i = 1; i < n; i++) {
      const SortPair<K> pair = pairs[i];
      int64_t at = i;
      for (; at > 0 && pairs[at - 1].key > pair.key; at--) pairs[at] = pairs[at - 1];
      pairs[at] = pair;
    }
    return pairs;
  }
  // Radix sort from the least significant byte, skipping bytes that all keys share.
  constexpr int kDigits = sizeof(K);
  uint32_t counts[kDigits][256] = {};
  for (int64_t i = 0; i < n; i++)
    for (int d = 0; d < kDigits; d++) counts[d][pairs[i].key >> (8 * d) & 255]++;
  for (int d = 0; d < kDigits; d++) {
    if (counts[d][pairs[0].key >> (8 * d) & 255] == n) continue;
    uint32_t start = 0;
    for (uint32_t& count : counts[d]) {
      const uint32_t length = count;
      count = start;
      start += length;
    }
    for (int64_t i = 0; i < n; i++) spare[counts[d][pairs[i].key >> (8 * d) & 255]++] = pairs[i];
    SortPair<K>* const swap = pairs;
    pairs = spare;
    spare = swap;
  }
  return pairs;
}

// Moves heap[at] down until no child comes after it: the last pair of the order is at the top.
template <class K>
inline void sift_down(SortPair<K>* heap, int64_t at, int64_t n) {
  const SortPair<K> pair = heap[at];
  for (int64_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
    if (child + 1 < n && before(heap[child], heap[child + 1])) child++;
    if (!before(pair, heap[child])) break;
    heap[at] = heap[child];
    at = child;
  }
  heap[at] = pair;
}

// The first k pairs of the order, in order, at the front.
template <class K>
inline void select_pairs(SortPair<K>* pairs, int64_t n, int64_t k) {
  if (k == 0) return;
  for (int64_t i = k / 2 - 1; i >= 0; i--) sift_down(pairs, i, k);
  for (int64_t i = k; i < n; i++) {
    if (!before(pairs[i], pairs[0])) continue;
    pairs[0] = pairs[i];
    sift_down(pairs, 0, k);
  }
  for (int64_t last = k - 1; last > 0; last--) {
    const SortPair<K> top = pairs[0];
    pairs[0] = pairs[last];
    pairs[last] = top;
    sift_down(pairs, 0, last);
  }
}

// Dims of an operand but one; offsets in bytes.
inline Walk<1> walk_without(const Operand& view, int dim) {
  Walk<1> walk;
  walk.rank = 0;
  for (int d = 0; d < view.rank; d++)
    if (d != dim) walk.push(view.dims[d], {view.strides[d] * element_size(view.dtype)});
  return walk;
}

template <class K>
inline void take_sorted(const Operand& in, const char* from, const Operand& out, char* to, int dim, const SortPair<K>* order, int64_t n) {
  const int64_t si = in.strides[dim], so = out.strides[dim];
  with_element_size(in.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    for (int64_t i = 0; i < n; i++) reinterpret_cast<T*>(to)[i * so] = reinterpret_cast<const T*>(from)[static_cast<int64_t>(order[i].index) * si];
    return Status::ok;
  });
}

// Calls f(pairs, spare, row) for every row of the keys, the pairs loaded.
template <class K, class F>
inline Status for_each_key_row(KernelCall& call, int dim, bool descending, F f) {
  const Operand& keys = call.in[0];
  const int64_t n = keys.dims[dim];
  if (element_count(keys) == 0) return Status::ok;
  if (n > 0x7fffffff) return Status::unsupported;
  const Walk<1> rows = walk_without(keys, dim);
  const SortLoad<K> source = sort_load<K>(keys.dtype);
  int no_memory = 0;
  const double row_ns = 40 + static_cast<double>(n) * (n <= 48 ? 4 : 3.0 * sizeof(K));
  parallel_ranges(call.pool, rows.count(), row_ns, [&](int64_t begin, int64_t end, int worker) {
    SortPair<K>* pairs = static_cast<SortPair<K>*>(worker_scratch(call.pool, worker, static_cast<size_t>(2 * n) * sizeof(SortPair<K>)));
    if (pairs == nullptr) return __atomic_store_n(&no_memory, 1, __ATOMIC_RELAXED);
    Walk<1> at = rows;
    at.start(begin);
    for (int64_t row = begin; row < end; row++, at.next()) {
      source.load(keys.data + at.offset[0], keys.strides[dim], pairs, n, descending ? static_cast<K>(-1) : K(0));
      f(pairs, pairs + n, row);
    }
  });
  return no_memory ? Status::out_of_memory : Status::ok;
}

template <class K>
inline Status sort_rows(KernelCall& call) {
  const int dim = static_cast<int>(call.ints[0]);
  const int64_t n = call.in[0].dims[dim];
  return for_each_key_row<K>(call, dim, call.ints[1] != 0, [&](SortPair<K>* pairs, SortPair<K>* spare, int64_t row) {
    const SortPair<K>* order = sort_pairs(pairs, spare, n);
    for (int k = 0; k < call.n_in; k++) {
      Walk<1> from = walk_without(call.in[k], dim), to = walk_without(call.out[k], dim);
      from.start(row);
      to.start(row);
      take_sorted(call.in[k], call.in[k].data + from.offset[0], call.out[k], call.out[k].data + to.offset[0], dim, order, n);
    }
  });
}

// sort: stable, every operand by in[0]; ints = dim, descending (0 or 1). NaN counts as largest.
static Status sort_kernel(KernelCall& call) { return element_size(call.in[0].dtype) == 8 ? sort_rows<uint64_t>(call) : sort_rows<uint32_t>(call); }

template <class K>
inline Status top_k_rows(KernelCall& call) {
  const int dim = static_cast<int>(call.ints[0]);
  const int64_t n = call.in[0].dims[dim], k = call.ints[1];
  return for_each_key_row<K>(call, dim, call.ints[2] != 0, [&](SortPair<K>* pairs, SortPair<K>* spare, int64_t row) {
    const SortPair<K>* order = pairs;
    if (k > n / 8 && n > 48) order = sort_pairs(pairs, spare, n);
    else select_pairs(pairs, n, k);
    Walk<1> from = walk_without(call.in[0], dim), to = walk_without(call.out[0], dim), places = walk_without(call.out[1], dim);
    from.start(row);
    to.start(row);
    places.start(row);
    take_sorted(call.in[0], call.in[0].data + from.offset[0], call.out[0], call.out[0].data + to.offset[0], dim, order, k);
    int32_t* indices = reinterpret_cast<int32_t*>(call.out[1].data + places.offset[0]);
    for (int64_t i = 0; i < k; i++) indices[i * call.out[1].strides[dim]] = static_cast<int32_t>(order[i].index);
  });
}

// top_k: in[0] x; out[0] the k largest (smallest) values in order, out[1] their places, i32; ints = dim, k, largest (0 or 1).
// Equal values come by ascending place. NaN counts as largest.
static Status top_k_kernel(KernelCall& call) { return element_size(call.in[0].dtype) == 8 ? top_k_rows<uint64_t>(call) : top_k_rows<uint32_t>(call); }

static const KernelEntry kSortKernels[] = {
    {"sort", sort_kernel},
    {"top_k", top_k_kernel},
};

}  // namespace
}  // namespace kaimo
