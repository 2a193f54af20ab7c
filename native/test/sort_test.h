// sort, top_k and cumulative kernels against naive ones.
#pragma once
#include <algorithm>

#include "../kernels/cumulative.h"
#include "../kernels/sort.h"
#include "softmax_test.h"

namespace kaimo {

static Tensor keys_with_ties(DType dtype, const std::vector<int64_t>& dims) {
  Tensor x = random_view(dtype, dims);
  const int64_t n = static_cast<int64_t>(x.memory.size()) / element_size(dtype);
  for (int64_t i = 0; i < n; i++) {
    const int64_t kind = random_below(40);
    double v = static_cast<double>(random_below(is_float(dtype) ? 15 : 100)) - (dtype == DType::u8 || dtype == DType::u32 ? 0 : 7);
    if (random_below(2)) v = v * (is_float(dtype) ? 37.5 : 1);
    if (is_float(dtype) && kind < 4) v = kind == 0 ? NAN : kind == 1 ? -0.0 : kind == 2 ? INFINITY : -INFINITY;
    set(x.base(), dtype, i, v);
  }
  return x;
}

static bool key_less(double a, double b) { return std::isnan(b) ? !std::isnan(a) : a < b; }

static void test_sort() {
  for (DType dtype : kAllDtypes)
    for (const auto& dims : kRowShapes)
      for (int dim = 0; dim < static_cast<int>(dims.size()); dim++)
        for (const bool descending : {false, true}) {
          Tensor x = keys_with_ties(dtype, dims), other = random_view(DType::f16, dims), y = dense(dtype, dims), moved = dense(DType::f16, dims);
          const int64_t extent = dims[static_cast<size_t>(dim)], k = random_below(3) ? random_below(extent + 1) : std::min<int64_t>(extent, 3);
          std::vector<int64_t> top_dims = dims;
          top_dims[static_cast<size_t>(dim)] = k;
          Tensor values = dense(dtype, top_dims), places = dense(DType::i32, top_dims);
          const int threads = static_cast<int>(1 + random_below(2));
          run(find(kSortKernels, "sort"), {x.view, other.view}, {y.view, moved.view}, {dim, descending}, {}, threads);
          run(find(kSortKernels, "top_k"), {x.view}, {values.view, places.view}, {dim, k, descending}, {}, threads);
          bool good = true;
          each_row(dims, dim, [&](const std::vector<std::vector<int64_t>>& row) {
            std::vector<size_t> order(row.size());
            for (size_t i = 0; i < order.size(); i++) order[i] = i;
            std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return descending ? key_less(x.at(row[b]), x.at(row[a])) : key_less(x.at(row[a]), x.at(row[b])); });
            for (size_t i = 0; i < order.size(); i++) {
              good = good && same(y.at(row[i]), x.at(row[order[i]])) && same(moved.at(row[i]), other.at(row[order[i]]));
              if (static_cast<int64_t>(i) < k) good = good && same(values.at(row[i]), x.at(row[order[i]])) && places.at(row[i]) == static_cast<double>(order[i]);
            }
          });
          check(good, "sort " + shape_text(dims) + " dim " + std::to_string(dim) + " dtype " + std::to_string(static_cast<int>(dtype)));
        }
  Tensor wide = dense(DType::i64, {3}), sorted = dense(DType::i64, {3});
  const int64_t extremes[3] = {INT64_MAX, INT64_MIN, -1};
  std::memcpy(wide.base(), extremes, 24);
  run(find(kSortKernels, "sort"), {wide.view}, {sorted.view}, {0, 0});
  const int64_t* s = reinterpret_cast<int64_t*>(sorted.base());
  check(s[0] == INT64_MIN && s[1] == -1 && s[2] == INT64_MAX, "sort of i64 extremes");
}

static void test_cumulative() {
  for (const char* kind : {"cumsum", "cumprod", "logcumsumexp", "cummax", "cummin"})
    for (DType dtype : kAllDtypes)
      for (const auto& dims : kRowShapes)
        for (int dim = 0; dim < static_cast<int>(dims.size()); dim++) {
          const std::string name = kind;
          const bool extreme = name == "cummax" || name == "cummin", reverse = random_below(2);
          if ((name == "logcumsumexp" && !is_float(dtype)) || dtype == DType::boolean) continue;
          Tensor x = keys_with_ties(dtype, dims), y = dense(dtype, dims), places = dense(DType::i32, dims);
          if (name == "cumprod" || name == "cumsum")
            for (int64_t i = 0; i < static_cast<int64_t>(x.memory.size()) / element_size(dtype); i++) set(x.base(), dtype, i, is_float(dtype) ? 1 + random_value() / 500 : static_cast<double>(random_below(2)));
          std::vector<Operand> out = {y.view};
          if (extreme) out.push_back(places.view);
          check(run(find(kCumulativeKernels, kind), {x.view}, out, {dim, reverse}, {}, 2) == Status::ok, name);
          bool good = true;
          each_row(dims, dim, [&](const std::vector<std::vector<int64_t>>& row) {
            double total = 0;
            size_t place = 0;
            for (size_t k = 0; k < row.size(); k++) {
              const size_t i = reverse ? row.size() - 1 - k : k;
              const double v = x.at(row[i]);
              if (k == 0) total = v, place = i;
              else if (extreme) {
                if (std::isnan(v) || (name == "cummax" ? v >= total : v <= total)) total = v, place = i;
              } else if (name == "cumsum") total += v;
              else if (name == "cumprod") total *= v;
              else if (std::isnan(total) || std::isnan(v)) total = NAN;
              else if (total != v || std::isfinite(v)) total = std::max(total, v) + std::log1p(std::exp(-std::fabs(total - v)));
              const double u = unit_of(dtype) * (extreme ? 0 : 1);
              good = good && (near(y.at(row[i]), total, u) || (dtype == DType::f16 && std::fabs(total) > 60000) || std::fabs(total) > 1e30 || (dtype == DType::i8 && k > 120) || (dtype == DType::u8 && k > 250) || (dtype == DType::i16 && k > 32000));
              if (extreme) good = good && places.at(row[i]) == static_cast<double>(place);
            }
          });
          check(good, name + shape_text(dims) + " dim " + std::to_string(dim) + " dtype " + std::to_string(static_cast<int>(dtype)));
        }
}

}  // namespace kaimo
