// cross_entropy.h against formulas in double.
#pragma once
#include "../kernels/linear_cross_entropy.h"
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

// Chunks of few rows, against formulas in double.
static void test_linear_cross_entropy_case(int64_t rows, int64_t classes, int64_t d, int64_t chunk, bool biased) {
  Tensor h = random_view(DType::f32, {rows, d}), w = random_view(DType::f32, {classes, d}), bias = random_view(DType::f32, {classes}), ct = random_view(DType::f32, {rows});
  for (Tensor* x : {&h, &w})
    for (int64_t i = 0; i < static_cast<int64_t>(x->memory.size() / 4); i++) set(x->base(), DType::f32, i, random_value() / 8);
  Tensor labels = filled(DType::i32, {rows}, [&](int64_t) { return random_below(5) ? static_cast<double>(random_below(classes)) : -100; });
  Tensor losses = dense(DType::f32, {rows}), again = dense(DType::f32, {rows}), dh = dense(DType::f32, {rows, d}), dw = dense(DType::f32, {classes, d}), db = dense(DType::f32, {classes});
  std::vector<Operand> in = {h.view, w.view, labels.view}, out = {again.view, dh.view, dw.view};
  if (biased) in.push_back(bias.view), out.push_back(db.view);
  const int threads = static_cast<int>(1 + random_below(2));
  check(run(find(kLinearCrossEntropyKernels, "linear_cross_entropy"), in, {losses.view}, {-100, biased, chunk}, {}, threads) == Status::ok, "linear_cross_entropy runs");
  in.insert(in.begin(), ct.view);
  check(run(find(kLinearCrossEntropyKernels, "linear_cross_entropy_grad"), in, out, {-100, biased, chunk}, {}, threads) == Status::ok, "linear_cross_entropy_grad runs");
  std::vector<double> ew(static_cast<size_t>(classes * d)), eb(static_cast<size_t>(classes));
  bool good = true;
  const auto close = [&](double a, double b) { good = good && std::fabs(a - b) <= 2e-4 * (1 + std::fabs(b)); };
  for (int64_t r = 0; r < rows; r++) {
    const int64_t label = static_cast<int64_t>(labels.flat(r));
    std::vector<double> x, eh(static_cast<size_t>(d));
    double top = -INFINITY, sum = 0;
    for (int64_t c = 0; c < classes; c++) {
      double dot = biased ? bias.at({c}) : 0;
      for (int64_t i = 0; i < d; i++) dot += h.at({r, i}) * w.at({c, i});
      x.push_back(dot);
      top = std::max(top, dot);
    }
    for (double v : x) sum += std::exp(v - top);
    const double loss = label == -100 ? 0 : top + std::log(sum) - x[static_cast<size_t>(label)];
    close(losses.flat(r), loss);
    close(again.flat(r), loss);
    for (int64_t c = 0; c < classes; c++) {
      const double g = label == -100 ? 0 : ct.at({r}) * (std::exp(x[static_cast<size_t>(c)] - top) / sum - (c == label));
      eb[static_cast<size_t>(c)] += g;
      for (int64_t i = 0; i < d; i++) eh[static_cast<size_t>(i)] += g * w.at({c, i}), ew[static_cast<size_t>(c * d + i)] += g * h.at({r, i});
    }
    for (int64_t i = 0; i < d; i++) close(dh.at({r, i}), eh[static_cast<size_t>(i)]);
  }
  for (int64_t i = 0; i < classes * d; i++) close(dw.flat(i), ew[static_cast<size_t>(i)]);
  for (int64_t c = 0; biased && c < classes; c++) close(db.flat(c), eb[static_cast<size_t>(c)]);
  check(good, "linear cross entropy " + shape_text({rows, classes, d, chunk}));
}

static void test_linear_cross_entropy() {
  for (const auto& s : std::vector<std::vector<int64_t>>{{0, 3, 4, 2}, {1, 1, 1, 1}, {5, 33, 7, 2}, {70, 300, 9, 16}, {300, 150, 20, 140}})
    for (bool biased : {false, true}) test_linear_cross_entropy_case(s[0], s[1], s[2], s[3], biased);
}

}  // namespace kaimo
