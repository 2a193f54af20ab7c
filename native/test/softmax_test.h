// softmax.h against formulas in double.
#pragma once
#include "../kernels/softmax.h"
#include "check.h"

namespace kaimo {

static double unit_of(DType dtype) { return dtype == DType::f64 ? 1e-13 : dtype == DType::f32 ? 2e-6 : dtype == DType::f16 ? 2e-3 : 1.6e-2; }

// Visits every row along `dim`: f(indices of the row's elements).
static void each_row(const std::vector<int64_t>& dims, int dim, const std::function<void(const std::vector<std::vector<int64_t>>&)>& f) {
  std::vector<int64_t> outer = dims;
  outer[static_cast<size_t>(dim)] = 1;
  each_index(outer, [&](const std::vector<int64_t>& index, int64_t) {
    std::vector<std::vector<int64_t>> row;
    for (int64_t i = 0; i < dims[static_cast<size_t>(dim)]; i++) {
      row.push_back(index);
      row.back()[static_cast<size_t>(dim)] = i;
    }
    f(row);
  });
}

static const std::vector<std::vector<int64_t>> kRowShapes = {{1}, {7}, {0}, {5, 3}, {3, 0}, {0, 4}, {33, 1031}, {1031, 33}, {4, 7, 19}, {2, 300, 5}, {3, 1, 2, 9}, {2, 5003}};

static void test_softmax() {
  for (DType dtype : kFloatDtypes)
    for (const auto& dims : kRowShapes)
      for (int dim = 0; dim < static_cast<int>(dims.size()); dim++) {
        Tensor x = random_view(dtype, dims), ct = random_view(dtype, dims), y = dense(dtype, dims), z = dense(dtype, dims), dy = dense(dtype, dims), dz = dense(dtype, dims);
        const int64_t stored = static_cast<int64_t>(x.memory.size()) / element_size(dtype);
        for (int64_t i = 0; i < stored; i += 1 + random_below(9)) set(x.base(), dtype, i, random_below(300) ? -INFINITY : random_below(2) ? NAN : INFINITY);
        const int threads = static_cast<int>(1 + random_below(2));
        run(find(kSoftmaxKernels, "softmax"), {x.view}, {y.view}, {dim}, {}, threads);
        run(find(kSoftmaxKernels, "log_softmax"), {x.view}, {z.view}, {dim}, {}, threads);
        run(find(kSoftmaxKernels, "softmax_grad"), {ct.view, y.view}, {dy.view}, {dim}, {}, threads);
        run(find(kSoftmaxKernels, "log_softmax_grad"), {ct.view, z.view}, {dz.view}, {dim}, {}, threads);
        bool good = true;
        each_row(dims, dim, [&](const std::vector<std::vector<int64_t>>& row) {
          double top = -INFINITY, total = 0, inner = 0, sum = 0, size = 0;
          for (const auto& i : row) top = std::isnan(x.at(i)) || std::isnan(top) ? NAN : std::max(top, x.at(i));
          for (const auto& i : row) total += std::exp(x.at(i) - top);
          for (const auto& i : row) inner += ct.at(i) * y.at(i), sum += ct.at(i), size += std::fabs(ct.at(i));
          for (const auto& i : row) {
            const double e = std::exp(x.at(i) - top) / total, l = x.at(i) - top - std::log(total), u = unit_of(dtype);
            good = good && (same(y.at(i), e) || std::fabs(y.at(i) - e) <= u * e + (dtype == DType::f16 ? 1e-7 : 1e-37));
            good = good && (same(z.at(i), l) || std::fabs(z.at(i) - l) <= u * (1 + std::fabs(l)));
            if (x.at(i) == -INFINITY && total > 0) good = good && y.at(i) == 0 && z.at(i) == -INFINITY;
            const double ey = y.at(i) * (ct.at(i) - inner), ez = ct.at(i) - std::exp(z.at(i)) * sum;
            good = good && (same(dy.at(i), ey) || std::fabs(dy.at(i) - ey) <= u * (std::fabs(y.at(i)) * (std::fabs(ct.at(i)) + size) + 1e-6) + (dtype == DType::f16 ? 1e-7 : 0));
            good = good && (same(dz.at(i), ez) || std::fabs(dz.at(i) - ez) <= u * (1 + std::fabs(ct.at(i)) + std::exp(z.at(i)) * size));
          }
        });
        check(good, "softmax " + shape_text(dims) + " dim " + std::to_string(dim) + " dtype " + std::to_string(static_cast<int>(dtype)));
      }
}

}  // namespace kaimo
