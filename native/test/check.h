// Helpers of the kernel tests: random strided views, naive indexing, counting of failures.
#pragma once
#include <cmath>
#include <cstdio>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "../kernels/view.h"
#include "test_pool.h"

namespace kaimo {

static int failures = 0;

static void check(bool good, const std::string& what) {
  if (good) return;
  failures++;
  if (failures <= 30) std::fprintf(stderr, "FAILED %s\n", what.c_str());
}

static uint64_t random_state = 88172645463325252ull;
static uint64_t next_random() {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state;
}
static int64_t random_below(int64_t n) { return static_cast<int64_t>(next_random() % static_cast<uint64_t>(n)); }
static double random_value() { return static_cast<double>(random_below(2001) - 1000) / 250.0; }

// Scalars of any dtype by double (i64 beyond 2^53 is not tested through this).
static double get(const char* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::f32: return reinterpret_cast<const float*>(data)[i];
    case DType::f64: return reinterpret_cast<const double*>(data)[i];
    case DType::f16: return f16_to_f32(reinterpret_cast<const uint16_t*>(data)[i]);
    case DType::bf16: return bf16_to_f32(reinterpret_cast<const uint16_t*>(data)[i]);
    case DType::i8: return reinterpret_cast<const int8_t*>(data)[i];
    case DType::i16: return reinterpret_cast<const int16_t*>(data)[i];
    case DType::i32: return reinterpret_cast<const int32_t*>(data)[i];
    case DType::u32: return reinterpret_cast<const uint32_t*>(data)[i];
    case DType::i64: return static_cast<double>(reinterpret_cast<const int64_t*>(data)[i]);
    default: return reinterpret_cast<const uint8_t*>(data)[i];
  }
}

static void set(char* data, DType dtype, int64_t i, double v) {
  const int64_t n = std::isfinite(v) ? static_cast<int64_t>(v) : 0;
  switch (dtype) {
    case DType::f32: reinterpret_cast<float*>(data)[i] = static_cast<float>(v); break;
    case DType::f64: reinterpret_cast<double*>(data)[i] = v; break;
    case DType::f16: reinterpret_cast<uint16_t*>(data)[i] = f64_to_f16(v); break;
    case DType::bf16: reinterpret_cast<uint16_t*>(data)[i] = f64_to_bf16(v); break;
    case DType::i8: reinterpret_cast<int8_t*>(data)[i] = static_cast<int8_t>(n); break;
    case DType::i16: reinterpret_cast<int16_t*>(data)[i] = static_cast<int16_t>(n); break;
    case DType::i32: reinterpret_cast<int32_t*>(data)[i] = static_cast<int32_t>(n); break;
    case DType::u32: reinterpret_cast<uint32_t*>(data)[i] = static_cast<uint32_t>(n); break;
    case DType::i64: reinterpret_cast<int64_t*>(data)[i] = n; break;
    case DType::boolean: data[i] = v != 0; break;
    default: reinterpret_cast<uint8_t*>(data)[i] = static_cast<uint8_t>(n); break;
  }
}

constexpr DType kAllDtypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16, DType::i8, DType::i16,
                                DType::u8,  DType::i32, DType::u32, DType::i64,  DType::boolean};
constexpr DType kFloatDtypes[] = {DType::f32, DType::f64, DType::f16, DType::bf16};

static bool is_float(DType dtype) { return static_cast<int>(dtype) <= 3; }

// A tensor that owns its memory exactly (so that address sanitizer sees every step outside).
struct Tensor {
  std::vector<char> memory;
  Operand view{};

  char* base() { return memory.data(); }
  double at(const std::vector<int64_t>& index) const {
    int64_t offset = 0;
    for (int d = 0; d < view.rank; d++) offset += index[d] * view.strides[d];
    return get(view.data, view.dtype, offset);
  }
  double flat(int64_t i) const { return get(view.data, view.dtype, i); }
  void put(int64_t i, double v) { set(view.data, view.dtype, i, v); }
  int64_t count() const { return element_count(view); }
};

static Tensor dense(DType dtype, const std::vector<int64_t>& dims) {
  Tensor t;
  t.view.dtype = dtype;
  t.view.rank = static_cast<int32_t>(dims.size());
  for (size_t d = 0; d < dims.size(); d++) t.view.dims[d] = dims[d];
  dense_strides(t.view.dims, t.view.rank, t.view.strides);
  t.memory.assign(static_cast<size_t>(element_count(t.view) * element_size(dtype)), 0x5a);
  t.view.data = t.memory.data();
  return t;
}

static Tensor filled(DType dtype, const std::vector<int64_t>& dims, const std::function<double(int64_t)>& f) {
  Tensor t = dense(dtype, dims);
  for (int64_t i = 0; i < t.count(); i++) t.put(i, f(i));
  return t;
}

static Tensor random_dense(DType dtype, const std::vector<int64_t>& dims) {
  return filled(dtype, dims, [](int64_t) { return random_value() * 4; });
}

// A view of the given dims with permuted, reversed, gapped or (where allowed) broadcast strides.
static Tensor random_view(DType dtype, const std::vector<int64_t>& dims, bool broadcast = true) {
  const int rank = static_cast<int>(dims.size());
  std::vector<int> order(rank);
  for (int d = 0; d < rank; d++) order[d] = d;
  if (random_below(2))
    for (int d = rank - 1; d > 0; d--) std::swap(order[d], order[random_below(d + 1)]);
  Tensor t;
  t.view.dtype = dtype;
  t.view.rank = rank;
  int64_t size = 1, first = 0;
  for (int k = rank - 1; k >= 0; k--) {
    const int d = order[k];
    const int64_t kind = random_below(broadcast ? 6 : 5), gap = kind == 1 ? 2 : 1;
    t.view.dims[d] = dims[d];
    if (kind == 5) {
      t.view.strides[d] = 0;
      continue;
    }
    t.view.strides[d] = kind == 2 ? -size : size * gap;
    if (kind == 2 && dims[d] > 0) first += size * (dims[d] - 1);
    size *= (dims[d] > 0 ? dims[d] : 1) * gap;
  }
  t.memory.assign(static_cast<size_t>(size * element_size(dtype)), 0);
  for (int64_t i = 0; i < size; i++) set(t.memory.data(), dtype, i, random_value() * 4);
  t.view.data = t.memory.data() + first * element_size(dtype);
  return t;
}

// Calls f with every index of dims in row-major order and its position.
static void each_index(const std::vector<int64_t>& dims, const std::function<void(const std::vector<int64_t>&, int64_t)>& f) {
  int64_t total = 1;
  for (int64_t n : dims) total *= n;
  std::vector<int64_t> index(dims.size(), 0);
  for (int64_t i = 0; i < total; i++) {
    f(index, i);
    for (size_t d = dims.size(); d-- > 0;) {
      if (++index[d] < dims[d]) break;
      index[d] = 0;
    }
  }
}

static Pool& test_pool(int threads) {
  static Pool pools[2];
  pools[0].threads = 1;
  pools[1].threads = 3;
  return pools[threads > 1];
}

template <size_t N>
static Kernel find(const KernelEntry (&table)[N], const char* name) {
  for (const KernelEntry& entry : table)
    if (std::strcmp(entry.name, name) == 0) return entry.run;
  std::fprintf(stderr, "no kernel %s\n", name);
  std::abort();
}

static Status run(Kernel kernel, const std::vector<Operand>& in, const std::vector<Operand>& out, const std::vector<int64_t>& ints = {},
                  const std::vector<double>& floats = {}, int threads = 1, KernelError* error = nullptr) {
  KernelCall call{&test_pool(threads), in.data(), out.data(), static_cast<int32_t>(in.size()), static_cast<int32_t>(out.size()),
                  ints.data(), static_cast<int32_t>(ints.size()), floats.data(), static_cast<int32_t>(floats.size()), {}};
  const Status status = kernel(call);
  if (error) *error = call.error;
  return status;
}

static bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }
static bool near(double a, double b, double tolerance) {
  if (same(a, b)) return true;
  return std::fabs(a - b) <= tolerance * (1 + std::fabs(b));
}

static std::string shape_text(const std::vector<int64_t>& dims) {
  std::string text = "[";
  for (int64_t n : dims) text += std::to_string(n) + " ";
  return text + "]";
}

}  // namespace kaimo
