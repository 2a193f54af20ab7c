// reduce.h and arg_reduce.h against naive loops; the order contract across layouts and threads.
#pragma once
#include "../kernels/arg_reduce.h"
#include "check.h"

namespace kaimo {

struct ReduceCase {
  std::vector<int64_t> dims, over;
};
static const std::vector<ReduceCase> kReduceCases = {
    {{7}, {0}},          {{5, 0}, {1}},        {{0, 5}, {1}},          {{5, 3}, {}},             {{13, 17}, {1}},     {{13, 17}, {0}},
    {{300, 11}, {0}},    {{3, 1031}, {1}},     {{2, 259, 67}, {1}},   {{3, 5, 7, 2}, {0, 2}},   {{4, 3, 9}, {0, 2}}, {{9001}, {0}},
    {{3, 30, 40}, {}}, {{9, 40, 21}, {0, 1}}, {{2, 3, 4}, {0, 1, 2}}, {{530, 3, 16}, {0, 1}}};

static double reduce_identity_of(const std::string& kind, DType dtype) {
  static const double low[] = {-INFINITY, -INFINITY, -INFINITY, -INFINITY, -128, -32768, 0, -2147483648.0, 0, -9223372036854775808.0, 0};
  static const double high[] = {INFINITY, INFINITY, INFINITY, INFINITY, 127, 32767, 255, 2147483647.0, 4294967295.0, 9223372036854775807.0, 1};
  if (kind == "reduce_max") return low[static_cast<int>(dtype)];
  if (kind == "reduce_min") return high[static_cast<int>(dtype)];
  if (kind == "reduce_and") return dtype == DType::boolean || dtype == DType::u8 || dtype == DType::u32 ? high[static_cast<int>(dtype)] : -1;
  return kind == "reduce_prod";
}

static double combine(const std::string& kind, DType dtype, double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return NAN;
  const bool logical = dtype == DType::boolean;
  if (kind == "reduce_max" || (logical && kind == "reduce_sum")) return a > b ? a : b;
  if (kind == "reduce_min" || (logical && kind == "reduce_prod")) return a < b ? a : b;
  if (kind == "reduce_sum" || kind == "reduce_prod") {
    if (is_float(dtype)) return kind == "reduce_sum" ? a + b : a * b;
    const uint64_t x = static_cast<uint64_t>(static_cast<int64_t>(a)), y = static_cast<uint64_t>(static_cast<int64_t>(b));
    char cell[8];
    // Through the element type, so that it wraps.
    const int64_t wide = static_cast<int64_t>(kind == "reduce_sum" ? x + y : x * y);
    std::memcpy(cell, &wide, 8);
    return get(cell, dtype, 0);
  }
  const int64_t x = static_cast<int64_t>(a), y = static_cast<int64_t>(b);
  return static_cast<double>(kind == "reduce_and" ? x & y : x | y);
}

static std::vector<int64_t> kept_dims(const ReduceCase& c) {
  std::vector<int64_t> kept;
  for (size_t d = 0; d < c.dims.size(); d++) {
    bool reduced = false;
    for (int64_t k : c.over) reduced = reduced || k == static_cast<int64_t>(d);
    if (!reduced) kept.push_back(c.dims[d]);
  }
  return kept;
}

static int64_t kept_position(const ReduceCase& c, const std::vector<int64_t>& index) {
  int64_t at = 0;
  for (size_t d = 0; d < c.dims.size(); d++) {
    bool reduced = false;
    for (int64_t k : c.over) reduced = reduced || k == static_cast<int64_t>(d);
    if (!reduced) at = at * c.dims[d] + index[d];
  }
  return at;
}

static Tensor reduce_input(DType dtype, const std::vector<int64_t>& dims, bool products) {
  Tensor in = random_view(dtype, dims);
  const int64_t n = static_cast<int64_t>(in.memory.size()) / element_size(dtype);
  for (int64_t i = 0; i < n; i++) {
    const double special = random_below(4000) == 0 ? (random_below(2) ? NAN : INFINITY) : 1.0;
    const double v = is_float(dtype) ? (products ? std::exp(random_value() / 100) : random_value()) * special : dtype == DType::i64 && products ? static_cast<double>(random_below(2) * 2 - 1) : static_cast<double>(random_below(dtype == DType::boolean ? 2 : 120));
    set(in.base(), dtype, i, v);
  }
  return in;
}

static void test_reduce() {
  for (const char* kind : {"reduce_sum", "reduce_prod", "reduce_max", "reduce_min", "reduce_and", "reduce_or"}) {
    const Kernel kernel = find(kReduceKernels, kind);
    const bool bits = std::strcmp(kind, "reduce_and") == 0 || std::strcmp(kind, "reduce_or") == 0;
    for (DType dtype : kAllDtypes)
      for (const ReduceCase& c : kReduceCases) {
        if (bits && is_float(dtype)) continue;
        Tensor in = reduce_input(dtype, c.dims, std::strcmp(kind, "reduce_prod") == 0), out = dense(dtype, kept_dims(c));
        check(run(kernel, {in.view}, {out.view}, c.over, {}, static_cast<int>(1 + random_below(2))) == Status::ok, "reduce status");
        std::vector<double> expected(static_cast<size_t>(out.count()), reduce_identity_of(kind, dtype)), scale(expected.size(), 0.0);
        each_index(c.dims, [&](const std::vector<int64_t>& index, int64_t) {
          const size_t at = static_cast<size_t>(kept_position(c, index));
          expected[at] = combine(kind, dtype, expected[at], in.at(index));
          scale[at] += std::fabs(in.at(index));
        });
        for (int64_t i = 0; i < out.count(); i++) {
          const double e = expected[static_cast<size_t>(i)], got = out.flat(i);
          const double unit = dtype == DType::f64 ? 1e-12 : dtype == DType::f32 ? 1e-6 : dtype == DType::f16 ? 1e-3 : 8e-3;
          const bool exact = !is_float(dtype) || std::strcmp(kind, "reduce_max") == 0 || std::strcmp(kind, "reduce_min") == 0;
          const bool overflow = dtype == DType::f16 && (std::fabs(e) > 65000 || std::fabs(e) < 1e-4);
          const double slack = std::strcmp(kind, "reduce_prod") == 0 ? 100 * std::fabs(e) : scale[static_cast<size_t>(i)];
          check(overflow || same(e, got) || (!exact && std::fabs(e - got) <= unit * (slack + std::fabs(e))),
                std::string(kind) + shape_text(c.dims) + " dtype " + std::to_string(static_cast<int>(dtype)) + " got " + std::to_string(got) + " expected " + std::to_string(e));
        }
      }
  }
}

// The result depends on the reduced extent alone.
static void test_reduce_order() {
  const Kernel sum = find(kReduceKernels, "reduce_sum");
  for (int64_t k : {1, 7, 8, 9, 255, 257, 1024, 1031, 5000, 70001, 400003}) {
    Tensor row = random_dense(DType::f32, {k}), wide = dense(DType::f32, {k, 40});
    for (int64_t i = 0; i < k; i++)
      for (int64_t j = 0; j < 40; j++) wide.put(i * 40 + j, row.flat(i) * static_cast<double>(j % 2 ? 1 : 2));
    Tensor one = dense(DType::f32, {}), one_threaded = dense(DType::f32, {}), columns = dense(DType::f32, {40}), strided = dense(DType::f32, {40});
    run(sum, {row.view}, {one.view}, {0});
    run(sum, {row.view}, {one_threaded.view}, {0}, {}, 2);
    run(sum, {wide.view}, {columns.view}, {0}, {}, 2);
    Operand transposed = wide.view;
    std::swap(transposed.dims[0], transposed.dims[1]);
    std::swap(transposed.strides[0], transposed.strides[1]);
    run(sum, {transposed}, {strided.view}, {1});
    check(one.flat(0) == one_threaded.flat(0), "sum with threads, K = " + std::to_string(k));
    for (int64_t j = 0; j < 40; j++) check(columns.flat(j) == one.flat(0) * (j % 2 ? 1 : 2) && strided.flat(j) == columns.flat(j), "sum by columns, K = " + std::to_string(k));
  }
  Tensor tenth = filled(DType::f32, {10000000}, [](int64_t) { return 0.1; }), total = dense(DType::f32, {});
  run(sum, {tenth.view}, {total.view}, {0});
  check(std::fabs(total.flat(0) - 1e7 * static_cast<double>(0.1f)) < 1, "sum of ten million tenths " + std::to_string(total.flat(0)));
}

static void test_arg_reduce() {
  for (const char* kind : {"reduce_argmax", "reduce_argmin"})
    for (DType dtype : kAllDtypes)
      for (const ReduceCase& c : kReduceCases) {
        Tensor in = reduce_input(dtype, c.dims, false), out = dense(DType::i32, kept_dims(c));
        const Status status = run(find(kArgReduceKernels, kind), {in.view}, {out.view}, c.over, {}, 2);
        if (status != Status::ok) {
          check(in.count() == 0, "argmax status");
          continue;
        }
        const size_t n = static_cast<size_t>(out.count());
        std::vector<double> best(n);
        std::vector<int64_t> position(n, -1), seen(n, 0);
        each_index(c.dims, [&](const std::vector<int64_t>& index, int64_t) {
          const size_t at = static_cast<size_t>(kept_position(c, index));
          const double x = in.at(index);
          const bool more = std::strcmp(kind, "reduce_argmax") == 0 ? x > best[at] : x < best[at];
          if (position[at] < 0 || (!std::isnan(best[at]) && (more || std::isnan(x)))) best[at] = x, position[at] = seen[at];
          seen[at]++;
        });
        for (size_t i = 0; i < n; i++) check(out.flat(static_cast<int64_t>(i)) == static_cast<double>(position[i]), std::string(kind) + shape_text(c.dims));
      }
}

}  // namespace kaimo
