// half.h and copy.h against naive loops.
#pragma once
#include "../kernels/copy.h"
#include "check.h"

namespace kaimo {

static void test_half() {
  for (int bits = 0; bits < 65536; bits++) {
    const uint16_t half = static_cast<uint16_t>(bits);
    const float value = f16_to_f32(half);
    const int exponent = bits >> 10 & 31, mantissa = bits & 1023;
    const double expected = exponent == 31 ? (mantissa ? NAN : INFINITY)
                                           : exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
    check(same(std::fabs(value), expected) && std::signbit(value) == (bits >> 15 != 0), "f16_to_f32 " + std::to_string(bits));
    if (!std::isnan(value)) check(f32_to_f16(value) == half && f64_to_f16(value) == half, "f16 round trip " + std::to_string(bits));
    const float brain = bf16_to_f32(half);
    if (!std::isnan(brain)) check(f32_to_bf16(brain) == half, "bf16 round trip " + std::to_string(bits));
    // Halfway to the next value: ties go to the even mantissa.
    if (exponent < 30 && bits < 0x8000) {
      const double next = f16_to_f32(static_cast<uint16_t>(bits + 1)), middle = (value + next) / 2;
      check(f32_to_f16(static_cast<float>(middle)) == (bits % 2 ? bits + 1 : bits), "f16 tie " + std::to_string(bits));
      check(f64_to_f16(middle * (1 + 1e-12)) == bits + 1 && f64_to_f16(middle * (1 - 1e-12)) == bits, "f64 to f16 " + std::to_string(bits));
    }
  }
  check(f32_to_f16(65519.0f) == 0x7bff && f32_to_f16(65520.0f) == 0x7c00 && f32_to_f16(1e30f) == 0x7c00, "f16 overflow");
  check(f32_to_f16(-INFINITY) == 0xfc00 && (f32_to_f16(NAN) & 0x7fff) == 0x7e00, "f16 special");
  check(f32_to_bf16(3.4e38f) == 0x7f80 && std::isnan(bf16_to_f32(f32_to_bf16(NAN))), "bf16 special");
  std::vector<float> in;
  for (int i = 0; i < 1003; i++) in.push_back(i % 97 == 0 ? NAN : static_cast<float>(random_value() * std::pow(10.0, i % 13 - 6)));
  std::vector<uint16_t> out(in.size());
  std::vector<float> back(in.size());
  f32_to_f16_row(in.data(), out.data(), static_cast<int64_t>(in.size()));
  for (size_t i = 0; i < in.size(); i++) check(out[i] == f32_to_f16(in[i]), "f16 row");
  f16_to_f32_row(out.data(), back.data(), static_cast<int64_t>(in.size()));
  for (size_t i = 0; i < in.size(); i++) check(same(back[i], f16_to_f32(out[i])), "f16 row back");
}

static const std::vector<std::vector<int64_t>> kShapes = {
    {}, {1}, {0}, {7}, {3, 0, 2}, {5, 3}, {17, 19}, {67, 131}, {2, 3, 5}, {4, 1, 33, 7}, {3, 65, 66}, {2, 3, 2, 5, 3}, {1, 70001}, {130, 257}};

static void test_copy() {
  const Kernel copy = find(kCopyKernels, "copy");
  for (DType dtype : {DType::u8, DType::f16, DType::f32, DType::i64})
    for (const auto& dims : kShapes)
      for (int trial = 0; trial < 8; trial++) {
        Tensor in = random_view(dtype, dims);
        Tensor out = trial % 2 ? random_view(dtype, dims, false) : dense(dtype, dims);
        run(copy, {in.view}, {out.view}, {}, {}, 1 + trial % 3);
        bool good = true;
        each_index(dims, [&](const std::vector<int64_t>& index, int64_t) { good = good && in.at(index) == out.at(index); });
        check(good, "copy " + shape_text(dims) + " dtype " + std::to_string(static_cast<int>(dtype)));
      }
}

static void test_fill_iota() {
  for (DType dtype : kAllDtypes) {
    Tensor value = filled(dtype, {}, [](int64_t) { return 1; }), out = dense(dtype, {37, 5});
    run(find(kCopyKernels, "fill"), {value.view}, {out.view});
    for (int64_t i = 0; i < out.count(); i++) check(out.flat(i) == 1, "fill");
    if (dtype == DType::boolean) continue;
    for (int along = 0; along < 3; along++) {
      Tensor count = dense(dtype, {3, 70, 5});
      run(find(kCopyKernels, "iota"), {}, {count.view}, {along});
      each_index({3, 70, 5}, [&](const std::vector<int64_t>& index, int64_t i) { check(count.flat(i) == static_cast<double>(index[along]), "iota"); });
    }
  }
  Tensor bits = dense(DType::f32, {3});
  run(find(kCopyKernels, "fill"), {}, {bits.view}, {0x3fc00000});
  check(bits.flat(2) == 1.5, "fill bits");
}

static void test_pad() {
  const Kernel pad = find(kCopyKernels, "pad");
  for (int trial = 0; trial < 400; trial++) {
    const std::vector<int64_t> dims = {random_below(5), 1 + random_below(6), 1 + random_below(9)};
    std::vector<int64_t> ints(9), out_dims(3);
    bool valid = true;
    for (int d = 0; d < 3; d++) {
      ints[d] = random_below(7) - 3, ints[3 + d] = random_below(7) - 3, ints[6 + d] = random_below(3);
      out_dims[d] = ints[d] + ints[3 + d] + dims[d] + (dims[d] > 0 ? dims[d] - 1 : 0) * ints[6 + d];
      valid = valid && out_dims[d] >= 0;
    }
    if (!valid) continue;
    Tensor in = random_view(DType::f32, dims), value = filled(DType::f32, {}, [](int64_t) { return 99; }), out = dense(DType::f32, out_dims);
    run(pad, {in.view, value.view}, {out.view}, ints);
    std::vector<double> expected(static_cast<size_t>(out.count()), 99.0);
    each_index(dims, [&](const std::vector<int64_t>& index, int64_t) {
      int64_t offset = 0;
      for (int d = 0; d < 3; d++) {
        const int64_t at = ints[d] + index[d] * (ints[6 + d] + 1);
        if (at < 0 || at >= out_dims[d]) return;
        offset = offset * out_dims[d] + at;
      }
      expected[static_cast<size_t>(offset)] = in.at(index);
    });
    for (int64_t i = 0; i < out.count(); i++) check(out.flat(i) == expected[static_cast<size_t>(i)], "pad");
  }
}

}  // namespace kaimo
