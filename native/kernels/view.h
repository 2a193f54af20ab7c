// What the data-movement and reduction kernels share: element types, dispatch by dtype, strided walks, cutting work into tasks.
#pragma once
#include <cstdint>
#include <cstring>

#include "../runtime/pool.h"
#include "half.h"
#include "kernel.h"

namespace kaimo {
namespace {

inline int64_t element_size(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    default:
      return 1;
  }
}

inline int64_t element_count(const Operand& view) {
  int64_t count = 1;
  for (int d = 0; d < view.rank; d++) count *= view.dims[d];
  return count;
}

// Row-major strides of a dense tensor of these dims, in elements.
inline void dense_strides(const int64_t* dims, int rank, int64_t* strides) {
  int64_t stride = 1;
  for (int d = rank - 1; d >= 0; d--) {
    strides[d] = stride;
    stride *= dims[d];
  }
}

inline bool is_dense(const Operand& view) {
  int64_t stride = 1;
  for (int d = view.rank - 1; d >= 0; d--) {
    if (view.dims[d] == 0) return true;
    if (view.dims[d] != 1 && view.strides[d] != stride) return false;
    stride *= view.dims[d];
  }
  return true;
}

template <class T>
struct Tag {
  using type = T;
};

// Calls f(Tag<T>{}) with the element type of a dtype; booleans are bytes 0 and 1.
template <class F>
inline Status with_dtype(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f(Tag<float>{});
    case DType::f64: return f(Tag<double>{});
    case DType::f16: return f(Tag<f16>{});
    case DType::bf16: return f(Tag<bf16>{});
    case DType::i8: return f(Tag<int8_t>{});
    case DType::i16: return f(Tag<int16_t>{});
    case DType::u8: return f(Tag<uint8_t>{});
    case DType::i32: return f(Tag<int32_t>{});
    case DType::u32: return f(Tag<uint32_t>{});
    case DType::i64: return f(Tag<int64_t>{});
    case DType::boolean: return f(Tag<uint8_t>{});
  }
  return Status::unsupported;
}

// Floating dtypes only.
template <class F>
inline Status with_float(DType dtype, F&& f) {
  switch (dtype) {
    case DType::f32: return f(Tag<float>{});
    case DType::f64: return f(Tag<double>{});
    case DType::f16: return f(Tag<f16>{});
    case DType::bf16: return f(Tag<bf16>{});
    default: return Status::unsupported;
  }
}

// Element sizes only, for kernels that move bits.
template <class F>
inline Status with_element_size(DType dtype, F&& f) {
  switch (element_size(dtype)) {
    case 1: return f(Tag<uint8_t>{});
    case 2: return f(Tag<uint16_t>{});
    case 4: return f(Tag<uint32_t>{});
    default: return f(Tag<uint64_t>{});
  }
}

// Conversion between storage and the type that kernels calculate in.
template <class A, class T>
inline A load_as(T value) { return static_cast<A>(value); }
template <>
inline float load_as<float, f16>(f16 value) { return f16_to_f32(value.bits); }
template <>
inline float load_as<float, bf16>(bf16 value) { return bf16_to_f32(value.bits); }

template <class T>
struct Store {
  template <class A>
  static T from(A value) { return static_cast<T>(value); }
};
template <>
struct Store<f16> {
  static f16 from(float value) { return f16{f32_to_f16(value)}; }
};
template <>
struct Store<bf16> {
  static bf16 from(float value) { return bf16{f32_to_bf16(value)}; }
};

// The type that floating kernels calculate in: f64 for f64, else f32.
template <class T>
struct Compute {
  using type = float;
};
template <>
struct Compute<double> {
  using type = double;
};

// The type that holds an index on its way to an element: exact as far as the element is.
template <class T>
struct Exact {
  using type = T;
};
template <>
struct Exact<f16> {
  using type = float;
};
template <>
struct Exact<bf16> {
  using type = float;
};

// Contiguous rows between storage and calculation type.
template <class T, class A>
inline void load_row(const T* in, A* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = load_as<A>(in[i]);
}
inline void load_row(const f16* in, float* out, int64_t n) { f16_to_f32_row(reinterpret_cast<const uint16_t*>(in), out, n); }
inline void load_row(const bf16* in, float* out, int64_t n) { bf16_to_f32_row(reinterpret_cast<const uint16_t*>(in), out, n); }
template <class T, class A>
inline void store_row(const A* in, T* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = Store<T>::from(in[i]);
}
inline void store_row(const float* in, f16* out, int64_t n) { f32_to_f16_row(in, reinterpret_cast<uint16_t*>(out), n); }
inline void store_row(const float* in, bf16* out, int64_t n) { f32_to_bf16_row(in, reinterpret_cast<uint16_t*>(out), n); }

// A row of n elements at any stride into a contiguous buffer.
template <class T, class A>
inline void load_strided(const T* in, int64_t stride, A* out, int64_t n) {
  if (stride == 1) return load_row(in, out, n);
  for (int64_t i = 0; i < n; i++) out[i] = load_as<A>(in[i * stride]);
}

// Runs fn(begin, end, worker) over [0, n) in tasks of about 25 us. Boundaries depend on n and the estimated cost of a unit alone.
template <class F>
inline void parallel_ranges(Pool* pool, int64_t n, double unit_ns, F fn) {
  if (n <= 0) return;
  constexpr double kTaskNs = 25000.0;
  const double total = static_cast<double>(n) * unit_ns;
  int64_t tasks = total < 2 * kTaskNs ? 1 : total > 256 * kTaskNs ? 256 : static_cast<int64_t>(total / kTaskNs);
  if (tasks > n) tasks = n;
  struct Context {
    F* fn;
    int64_t n, tasks;
  } context{&fn, n, tasks};
  parallel_for(
      pool, tasks,
      [](void* raw, int64_t task, int worker) {
        const Context& c = *static_cast<Context*>(raw);
        // n * task could overflow for huge n: cut by quotient and remainder.
        const int64_t size = c.n / c.tasks, rest = c.n % c.tasks;
        const int64_t begin = task * size + (task < rest ? task : rest);
        (*c.fn)(begin, begin + size + (task < rest ? 1 : 0), worker);
      },
      &context);
}

// A walk over dims in row-major order that keeps N element offsets up to date.
template <int N>
struct Walk {
  int rank;
  int64_t dims[kMaxRank];
  int64_t strides[N][kMaxRank];
  int64_t index[kMaxRank];
  int64_t offset[N];

  void start(int64_t position) {
    for (int k = 0; k < N; k++) offset[k] = 0;
    for (int d = rank - 1; d >= 0; d--) {
      index[d] = position % dims[d];
      position /= dims[d];
      for (int k = 0; k < N; k++) offset[k] += index[d] * strides[k][d];
    }
  }

  void next() {
    for (int d = rank - 1; d >= 0; d--) {
      for (int k = 0; k < N; k++) offset[k] += strides[k][d];
      if (++index[d] < dims[d]) return;
      for (int k = 0; k < N; k++) offset[k] -= dims[d] * strides[k][d];
      index[d] = 0;
    }
  }

  int64_t count() const {
    int64_t total = 1;
    for (int d = 0; d < rank; d++) total *= dims[d];
    return total;
  }

  // Adds a dim at the end, merging it with the one before where every offset allows that.
  void push(int64_t dim, const int64_t (&step)[N]) {
    if (dim == 1) return;
    if (rank > 0) {
      bool merge = true;
      for (int k = 0; k < N; k++) merge = merge && strides[k][rank - 1] == step[k] * dim;
      if (merge) {
        dims[rank - 1] *= dim;
        for (int k = 0; k < N; k++) strides[k][rank - 1] = step[k];
        return;
      }
    }
    dims[rank] = dim;
    for (int k = 0; k < N; k++) strides[k][rank] = step[k];
    rank++;
  }
};

}  // namespace
}  // namespace kaimo
