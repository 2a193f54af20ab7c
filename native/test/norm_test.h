// norm.h against formulas in double.
#pragma once
#include "../kernels/norm.h"
#include "softmax_test.h"

namespace kaimo {

struct NormCase {
  std::vector<int64_t> dims, axes;
};
static const std::vector<NormCase> kNormCases = {{{7}, {0}}, {{5, 3}, {1}}, {{5, 33}, {0}}, {{0, 4}, {1}}, {{70, 257}, {1}}, {{3, 5, 7}, {1, 2}}, {{3, 5, 7}, {0, 2}}, {{7, 2, 1031}, {2}}, {{9, 1}, {1}}};

static std::vector<int64_t> picked(const std::vector<int64_t>& index, const std::vector<int64_t>& axes) {
  std::vector<int64_t> part;
  for (int64_t axis : axes) part.push_back(index[static_cast<size_t>(axis)]);
  return part;
}

// f(list of full indices of one normalised group), for every group.
static void each_group(const NormCase& c, const std::function<void(const std::vector<std::vector<int64_t>>&)>& f) {
  std::vector<int64_t> outer = c.dims, inner(c.dims.size(), 1);
  for (int64_t axis : c.axes) {
    inner[static_cast<size_t>(axis)] = c.dims[static_cast<size_t>(axis)];
    outer[static_cast<size_t>(axis)] = 1;
  }
  each_index(outer, [&](const std::vector<int64_t>& at, int64_t) {
    std::vector<std::vector<int64_t>> group;
    each_index(inner, [&](const std::vector<int64_t>& in, int64_t) {
      group.push_back(at);
      for (size_t d = 0; d < in.size(); d++) group.back()[d] += in[d];
    });
    f(group);
  });
}

static void test_norm_case(const NormCase& c, DType dtype, bool centred, bool has_weight, bool has_bias) {
  const double eps = 1e-3, u = 8 * unit_of(dtype);
  const std::vector<int64_t> shape = picked(c.dims, c.axes);
  Tensor x = random_view(dtype, c.dims), ct = random_view(dtype, c.dims), weight = random_view(dtype, shape), bias = random_view(dtype, shape);
  Tensor y = dense(dtype, c.dims), dx = dense(dtype, c.dims), dw = dense(dtype, shape), db = dense(dtype, shape);
  std::vector<int64_t> ints = {has_weight, has_bias};
  ints.insert(ints.end(), c.axes.begin(), c.axes.end());
  std::vector<Operand> in = {x.view}, grad_in = {ct.view, x.view}, grad_out = {dx.view};
  if (has_weight) in.push_back(weight.view), grad_in.push_back(weight.view), grad_out.push_back(dw.view);
  if (has_bias) in.push_back(bias.view), grad_out.push_back(db.view);
  run(find(kNormKernels, centred ? "layer_norm" : "rms_norm"), in, {y.view}, ints, {eps}, 2);
  run(find(kNormKernels, centred ? "layer_norm_grad" : "rms_norm_grad"), grad_in, grad_out, ints, {eps}, 2);
  std::vector<double> sw(static_cast<size_t>(dw.count())), sb(sw.size()), scale(sw.size());
  bool good = true;
  each_group(c, [&](const std::vector<std::vector<int64_t>>& group) {
    const double n = static_cast<double>(group.size());
    double mean = 0, var = 0, slope = 0, offset = 0, size = 0;
    const auto w = [&](const std::vector<int64_t>& i) { return has_weight ? weight.at(picked(i, c.axes)) : 1.0; };
    for (const auto& i : group) mean += centred ? x.at(i) / n : 0;
    for (const auto& i : group) var += (x.at(i) - mean) * (x.at(i) - mean) / n;
    const double inverse = 1 / std::sqrt(var + eps);
    const auto hat = [&](const std::vector<int64_t>& i) { return (x.at(i) - mean) * inverse; };
    for (const auto& i : group) slope += ct.at(i) * w(i) * hat(i) / n, offset += centred ? ct.at(i) * w(i) / n : 0, size += std::fabs(ct.at(i) * w(i)) / n;
    size_t k = 0;
    for (const auto& i : group) {
      const double e = hat(i) * w(i) + (has_bias ? bias.at(picked(i, c.axes)) : 0), g = inverse * (ct.at(i) * w(i) - offset - hat(i) * slope);
      good = good && near(y.at(i), e, u * (1 + std::fabs(mean) * inverse));
      good = good && std::fabs(dx.at(i) - g) <= u * inverse * (std::fabs(ct.at(i) * w(i)) + size * (2 + std::fabs(hat(i)))) * (1 + std::fabs(mean) * inverse);
      sw[k] += ct.at(i) * hat(i);
      sb[k] += ct.at(i);
      scale[k++] += std::fabs(ct.at(i)) * (1 + std::fabs(hat(i)) + std::fabs(mean) * inverse);
    }
  });
  for (size_t k = 0; k < sw.size(); k++) {
    good = good && (!has_weight || std::fabs(dw.flat(static_cast<int64_t>(k)) - sw[k]) <= u * scale[k]);
    good = good && (!has_bias || std::fabs(db.flat(static_cast<int64_t>(k)) - sb[k]) <= u * scale[k]);
  }
  check(good, std::string(centred ? "layer" : "rms") + " norm " + shape_text(c.dims) + shape_text(c.axes) + " dtype " + std::to_string(static_cast<int>(dtype)));
}

static void test_norm() {
  for (const NormCase& c : kNormCases)
    for (DType dtype : kFloatDtypes)
      for (int mode = 0; mode < 6; mode++) test_norm_case(c, dtype, mode < 4, mode & 1, mode < 4 && mode & 2);
}

}  // namespace kaimo
