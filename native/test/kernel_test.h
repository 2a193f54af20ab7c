// Shared by the C++ kernel tests: random tensors of any dtype and strides, reads and writes as double, checks that name their case.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "../bench/bench_pool.h"
#include "../kernels/view.h"

namespace kaimo {

struct Random {
  uint64_t state = 0x9e3779b97f4a7c15ull;
  uint64_t bits() {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
  }
  int64_t below(int64_t n) { return int64_t(bits() % uint64_t(n)); }
  double unit() { return double(bits() >> 11) / double(1ull << 53) * 2 - 1; }
};

inline double read_as_double(const Operand& x, int64_t offset) {
  double value = 0;
  with_dtype(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T v = reinterpret_cast<const T*>(x.data)[offset];
    if constexpr (std::is_same_v<T, f16>) {
      value = f16_to_f32(v.bits);
    } else if constexpr (std::is_same_v<T, bf16>) {
      value = bf16_to_f32(v.bits);
    } else {
      value = double(v);
    }
    return Status::ok;
  });
  return value;
}

inline void write_double(const Operand& x, int64_t offset, double value) {
  with_dtype(x.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* p = reinterpret_cast<T*>(x.data) + offset;
    if constexpr (std::is_same_v<T, f16>) {
      p->bits = f32_to_f16(float(value));
    } else if constexpr (std::is_same_v<T, bf16>) {
      p->bits = f32_to_bf16(float(value));
    } else {
      *p = T(value);
    }
    return Status::ok;
  });
}

inline int64_t offset_of(const Operand& x, const int64_t* index) {
  int64_t o = 0;
  for (int d = 0; d < x.rank; ++d) o += index[d] * x.strides[d];
  return o;
}

// Row-major counting; false when done.
inline bool advance(const Operand& x, int64_t* index) {
  for (int d = x.rank - 1; d >= 0; --d) {
    if (++index[d] < x.dims[d]) return true;
    index[d] = 0;
  }
  return false;
}

// A tensor that owns exactly the memory it may touch (so that the address sanitizer sees any step outside).
struct Tensor {
  Operand view{};
  std::vector<char> memory;

  Tensor(DType dtype, const std::vector<int64_t>& dims, Random* random = nullptr, bool shuffled = false) {
    view.dtype = dtype;
    view.rank = int(dims.size());
    std::vector<int> order;
    for (int d = 0; d < view.rank; ++d) {
      view.dims[d] = dims[size_t(d)];
      order.push_back(d);
    }
    int64_t step = 1;
    if (shuffled) {
      for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[size_t(random->below(int64_t(i)))]);
      step = 1 + random->below(2);
    }
    int64_t low = 0, extent = step;
    for (int i = view.rank - 1; i >= 0; --i) {
      const int d = order[size_t(i)];
      const int choice = shuffled ? int(random->below(8)) : 7;
      view.strides[d] = choice == 0 ? 0 : choice == 1 ? -extent : extent;
      if (choice == 1) low += extent * std::max<int64_t>(0, view.dims[d] - 1);
      if (choice != 0) extent *= std::max<int64_t>(1, view.dims[d]);
    }
    memory.assign(size_t(extent * element_size(dtype)), 0);
    view.data = memory.data() + low * element_size(dtype);
    if (random) fill(*random);
  }
  Tensor(const Tensor&) = delete;

  void fill(Random& r) {
    if (element_count(view) == 0) return;
    int64_t index[kMaxRank] = {};
    do {
      const DType t = view.dtype;
      const double v = t == DType::boolean ? double(r.below(2))
                       : t == DType::u8 || t == DType::u32 ? double(r.below(200))
                       : t == DType::i8 || t == DType::i16 || t == DType::i32 || t == DType::i64 ? double(r.below(200) - 100)
                                                                                                  : r.unit();
      write_double(view, offset_of(view, index), v);
    } while (advance(view, index));
  }
};

inline int failures = 0;

inline bool check(bool ok, const std::string& what) {
  if (!ok) {
    ++failures;
    std::printf("FAILED %s\n", what.c_str());
  }
  return ok;
}

inline bool close_to(double got, double want, double atol, double rtol) {
  if (std::isnan(want)) return std::isnan(got);
  if (std::isinf(want)) return got == want;
  return std::fabs(got - want) <= atol + rtol * std::fabs(want);
}

inline KernelCall make_call(Pool* pool, const std::vector<Operand>& in, const Operand* out, const std::vector<int64_t>& ints) {
  return KernelCall{pool, in.data(), out, int32_t(in.size()), 1, ints.data(), int32_t(ints.size()), nullptr, 0, {}};
}

inline int report(const char* name) {
  std::printf("%s: %s (%d failures)\n", name, failures ? "FAILED" : "ok", failures);
  return failures != 0;
}

}  // namespace kaimo
