// Activations and sums behind a matrix product, over tiles that are still in the first-level cache.
#pragma once
#include "activation.h"
#include "gemm_micro.h"

namespace kaimo {
namespace {

template <vf32 (*F)(vf32)>
KAIMO_NOINLINE void activation_tail(const Epilogue<float>& e, float* tile, int64_t rows, int64_t cols, int64_t ld) {
  constexpr int n = Vec<float>::n;
  float* const result = e.result ? e.result + (tile - e.c) : tile;
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = tile + i * ld;
    float* to = result + i * ld;
    int64_t j = 0;
    for (; j + n <= cols; j += n) vstore(to + j, F(vload(from + j)));
    if (j == cols) continue;
    float rest[n] = {};
    __builtin_memcpy(rest, from + j, sizeof(float) * size_t(cols - j));
    vstore(rest, F(vload(rest)));
    __builtin_memcpy(to + j, rest, sizeof(float) * size_t(cols - j));
  }
}

KAIMO_NOINLINE void sum_tail(const Epilogue<float>& e, float* tile, int64_t rows, int64_t cols, int64_t ld) {
  constexpr int n = Vec<float>::n;
  for (int64_t i = 0; i < rows; ++i) {
    float* to = tile + i * ld;
    const float* other = e.addend + (to - e.c);
    int64_t j = 0;
    for (; j + n <= cols; j += n) vstore(to + j, vload(to + j) + vload(other + j));
    for (; j < cols; ++j) to[j] += other[j];
  }
}

// Has `e` add a matrix that lies as C does.
inline void set_addend(Epilogue<float>& e, float* c, const float* addend) {
  e.tail = sum_tail;
  e.c = c;
  e.addend = addend;
}

// Has `e` apply an activation: in place, or, where the product is wanted too, from `product`, which is C then, to `out`.
inline void set_activation(Epilogue<float>& e, int64_t activation, float* product, float* out) {
  static constexpr decltype(Epilogue<float>::tail) kTails[kActCount] = {
      nullptr,
      activation_tail<relu_f32>,
      activation_tail<tanh_f32>,
      activation_tail<sigmoid_f32>,
      activation_tail<silu_f32>,
      activation_tail<gelu_f32>,
      activation_tail<gelu_tanh_f32>,
  };
  if (!product && activation <= kActRelu) {
    e.act = activation;
    return;
  }
  e.tail = kTails[activation];
  e.c = product;
  e.result = product ? out : nullptr;
}

}  // namespace
}  // namespace kaimo
