// cross_entropy.h against formulas in double.
#pragma once
#include "../kernels/cross_entropy.h"
#include "softmax_test.h"

namespace kaimo {

static void test_cross_entropy_case(DType dtype, int64_t rows, int64_t classes, bool has_weight, double smoothing) {
  Tensor x = random_view(dtype, {rows, classes}, false), ct = random_view(dtype, {rows}), weight = random_view(dtype, {classes});
  Tensor labels = filled(DType::i32, {rows}, [&](int64_t) { return random_below(5) ? static_cast<double>(random_below(classes)) : -100; });
  Tensor losses = dense(dtype, {rows}), dx = dense(dtype, {rows, classes});
  if (classes > 1 && smoothing == 0 && rows > 0) {
    // A masked class.
    set(x.view.data, dtype, 0, -INFINITY);
    labels.put(0, 1);
  }
  std::vector<Operand> in = {x.view, labels.view}, grad_in = {ct.view, x.view, labels.view};
  if (has_weight) in.push_back(weight.view), grad_in.push_back(weight.view);
  run(find(kCrossEntropyKernels, "softmax_cross_entropy"), in, {losses.view}, {-100, has_weight}, {smoothing}, 2);
  run(find(kCrossEntropyKernels, "softmax_cross_entropy_grad"), grad_in, {dx.view}, {-100, has_weight}, {smoothing}, 2);
  const double u = 4 * unit_of(dtype), c = static_cast<double>(classes);
  bool good = true;
  for (int64_t r = 0; r < rows; r++) {
    const int64_t label = static_cast<int64_t>(labels.flat(r));
    double top = -INFINITY, sum = 0, even = 0, weights = 0, size = 1;
    const auto w = [&](int64_t i) { return has_weight ? weight.at({i}) : 1.0; };
    for (int64_t i = 0; i < classes; i++) top = std::max(top, x.at({r, i}));
    for (int64_t i = 0; i < classes; i++) sum += std::exp(x.at({r, i}) - top);
    const double total = top + std::log(sum);
    for (int64_t i = 0; i < classes; i++) even += smoothing > 0 ? w(i) * (total - x.at({r, i})) / c : 0, weights += w(i), size = std::max(size, std::fabs(w(i)));
    const bool counts = label != -100;
    const double loss = counts ? (1 - smoothing) * w(label) * (total - x.at({r, label})) + smoothing * even : 0;
    good = good && std::fabs(losses.flat(r) - loss) <= u * 40 * size * (1 + std::fabs(total));
    for (int64_t i = 0; i < classes; i++) {
      const double p = std::exp(x.at({r, i}) - total), g = ct.at({r});
      const double e = counts ? g * ((1 - smoothing) * w(label) * (p - (i == label)) + smoothing / c * (p * weights - w(i))) : 0;
      good = good && std::fabs(dx.at({r, i}) - e) <= u * (1 + std::fabs(g)) * size * (1 + smoothing * c) * (1 + std::fabs(total) / 4);
    }
  }
  check(good, "cross entropy " + std::to_string(rows) + "x" + std::to_string(classes) + " dtype " + std::to_string(static_cast<int>(dtype)) + " smoothing " + std::to_string(smoothing));
}

static void test_cross_entropy() {
  for (DType dtype : kFloatDtypes)
    for (const auto& shape : std::vector<std::vector<int64_t>>{{0, 3}, {1, 1}, {5, 2}, {33, 10}, {7, 1031}, {600, 40}})
      for (int mode = 0; mode < 4; mode++) test_cross_entropy_case(dtype, shape[0], shape[1], mode & 1, mode & 2 ? 0.1 : 0);
  Tensor x = random_dense(DType::f32, {3, 4}), losses = dense(DType::f32, {3}), labels = filled(DType::i32, {3}, [](int64_t i) { return i == 1 ? 4 : 0; });
  KernelError error{};
  check(run(find(kCrossEntropyKernels, "softmax_cross_entropy"), {x.view, labels.view}, {losses.view}, {-100, 0}, {0}, 1, &error) == Status::index_out_of_bounds, "label bounds");
  check(error.operand == 1 && error.index == 4 && error.limit == 4, "label error");
}

}  // namespace kaimo
