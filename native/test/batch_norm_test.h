// batch_norm.h against formulas in double.
#pragma once
#include "../kernels/batch_norm.h"
#include "softmax_test.h"

namespace kaimo {

static void test_batch_norm_case(const std::vector<int64_t>& dims, int feature, DType dtype, bool has_weight, bool has_bias) {
  const int64_t channels = dims[static_cast<size_t>(feature)];
  const DType wide = dtype == DType::f64 ? DType::f64 : DType::f32;
  const double eps = 1e-3, u = 8 * unit_of(dtype);
  Tensor x = random_view(dtype, dims), ct = random_view(dtype, dims), weight = random_view(dtype, {channels});
  for (int64_t i = 0; i < static_cast<int64_t>(x.memory.size()) / element_size(dtype); i++) set(x.base(), dtype, i, get(x.base(), dtype, i) + 40);
  Tensor mean = dense(wide, {channels}), variance = dense(wide, {channels});
  Tensor dx = dense(dtype, dims), dw = dense(dtype, {channels}), db = dense(dtype, {channels});
  std::vector<Operand> grad_in = {ct.view, x.view, mean.view, variance.view}, grad_out = {dx.view};
  if (has_weight) grad_in.push_back(weight.view), grad_out.push_back(dw.view);
  if (has_bias) grad_out.push_back(db.view);
  const int threads = static_cast<int>(1 + random_below(2));
  check(run(find(kBatchNormKernels, "batch_norm_statistics"), {x.view}, {mean.view, variance.view}, {feature}, {}, threads) == Status::ok, "batch norm statistics");
  check(run(find(kBatchNormKernels, "batch_norm_grad"), grad_in, grad_out, {feature, has_weight, has_bias}, {eps}, threads) == Status::ok, "batch norm grad");
  bool good = true;
  for (int64_t c = 0; c < channels; c++) {
    double n = 0, m = 0, v = 0, total = 0, slope = 0, size = 0;
    const auto each = [&](auto f) {
      each_index(dims, [&](const std::vector<int64_t>& i, int64_t k) {
        if (i[static_cast<size_t>(feature)] == c) f(x.at(i), ct.at(i), k);
      });
    };
    each([&](double value, double, int64_t) { n++, m += value; });
    m /= n;
    each([&](double value, double, int64_t) { v += (value - m) * (value - m) / n; });
    good = good && near(mean.flat(c), m, unit_of(wide)) && near(variance.flat(c), v, 4 * unit_of(wide));
    const double inverse = 1 / std::sqrt(v + eps), w = has_weight ? weight.at({c}) : 1, cancel = 1 + std::fabs(m) * inverse * unit_of(wide) / unit_of(dtype);
    each([&](double value, double g, int64_t) {
      const double hat = (value - m) * inverse;
      total += g, slope += g * hat, size += std::fabs(g) * (cancel + std::fabs(hat));
    });
    each([&](double value, double g, int64_t k) {
      const double hat = (value - m) * inverse, e = (g - total / n - hat * slope / n) * inverse * w;
      good = good && std::fabs(dx.flat(k) - e) <= u * inverse * std::fabs(w) * (std::fabs(g) + size / n * (1 + std::fabs(hat)) * cancel);
    });
    good = good && (!has_weight || std::fabs(dw.flat(c) - slope) <= u * size) && (!has_bias || std::fabs(db.flat(c) - total) <= u * size);
  }
  check(good, "batch norm " + shape_text(dims) + " feature " + std::to_string(feature) + " dtype " + std::to_string(static_cast<int>(dtype)));
}

static void test_batch_norm() {
  const std::vector<std::vector<int64_t>> shapes = {{7, 3}, {300, 70}, {2, 3, 5}, {3, 5, 7, 9}, {2, 9, 33, 40}, {1, 1, 4}, {5, 130, 2}};
  for (const auto& dims : shapes)
    for (const int feature : {1, static_cast<int>(dims.size()) - 1})
      for (DType dtype : kFloatDtypes)
        for (int mode = 0; mode < 4; mode++) test_batch_norm_case(dims, feature, dtype, mode & 1, mode & 2);
}

}  // namespace kaimo
