// Activation functions of vectors, and their gradients, each in one pass: opcodes of clusters and epilogues of the matrix product.
// Values at infinities and NaN are those of the functions' bodies in src/tensor/ops/activations.ts.
#pragma once
#include "math.h"

namespace kaimo {
namespace {

constexpr float kSqrtTwoOverPi = 0.79788456f, kGeluCubic = 0.044715f;

// max(x, 0) that keeps NaN.
KAIMO_INLINE vf32 relu_f32(vf32 x) { return x <= vf32{} ? vf32{} : x; }

// The gradient of relu by its result.
KAIMO_INLINE vf32 relu_grad_f32(vf32 ct, vf32 y) { return y <= vf32{} ? vf32{} : ct; }

// 1 / (1 + exp(-x)). From -88.4 down exp overflows and the result is exactly 0.
KAIMO_INLINE vf32 sigmoid_f32(vf32 x) {
  const ExpParts e = exp_parts(vlesser(vsplat(89.0f), vgreater(vsplat(-87.0f), -x)));
  return vsplat(1.0f) / vfma(exp_polynomial(e.r), exp_scale(e.z), vsplat(1.0f));
}

KAIMO_INLINE vf32 silu_f32(vf32 x) { return x * sigmoid_f32(x); }

KAIMO_INLINE vf32 silu_grad_f32(vf32 ct, vf32 x) {
  const vf32 one = vsplat(1.0f), s = sigmoid_f32(x);
  return ct * (s * vfma(x, one - s, one));
}

// 1 + erf(x / sqrt(2)), twice the normal distribution, by erf_f32's ratio in x. At 5.9 the ratio is safely more than 1: from there on the
// result is exactly 0 or 2, with fused multiply-adds and without.
KAIMO_INLINE vf32 twice_normal_area(vf32 x) {
  const vf32 c = vlesser(vsplat(5.9f), vgreater(vsplat(-5.9f), x));
  const vf32 s = c * c;
  vf32 p = vfma(vsplat(4.5301036e-08f), s, vsplat(1.2590164e-05f));
  p = vfma(p, s, vsplat(0.00033283647f));
  p = vfma(p, s, vsplat(0.009324743f));
  p = vfma(p, s, vsplat(0.06731882f));
  p = vfma(p, s, vsplat(0.79788456f));
  vf32 q = vfma(vsplat(1.1903675e-06f), s, vsplat(7.265846e-05f));
  q = vfma(q, s, vsplat(0.0018711516f));
  q = vfma(q, s, vsplat(0.02852727f));
  q = vfma(q, s, vsplat(0.251038f));
  q = vfma(q, s, vsplat(1.0f));
  return vsplat(1.0f) + vlesser(vsplat(1.0f), vgreater(vsplat(-1.0f), c * (p / q)));
}

// x Phi(x) (Hendrycks & Gimpel 2016); NaN at infinity and infinity where 2 x overflows, as torch has it on CPU.
KAIMO_INLINE vf32 gelu_f32(vf32 x) {
  const vf32 y = x * twice_normal_area(x) * vsplat(0.5f);
  return x == vsplat(kInfF) ? vsplat(kNaNF) : y;
}

// Phi(x) + x phi(x)
KAIMO_INLINE vf32 gelu_grad_f32(vf32 ct, vf32 x) {
  const vf32 exponent = x * x * vsplat(-0.5f), low = vsplat(-87.3365448f);
  const ExpParts e = exp_parts(vgreater(low, exponent));
  const vf32 bell = exp_polynomial(e.r) * exp_scale(e.z) * vsplat(0.39894228f);
  return ct * vfma(x, exponent < low ? vf32{} : bell, vsplat(0.5f) * twice_normal_area(x));
}

// The tanh form by the sigmoid, (1 + tanh(u)) / 2 = sigmoid(2 u), which keeps the digits of small results. Here 2 u.
KAIMO_INLINE vf32 gelu_tanh_inner(vf32 x) { return vsplat(2 * kSqrtTwoOverPi) * vfma(vsplat(kGeluCubic), x * (x * x), x); }

KAIMO_INLINE vf32 gelu_tanh_f32(vf32 x) { return x * sigmoid_f32(gelu_tanh_inner(x)); }

KAIMO_INLINE vf32 gelu_tanh_grad_f32(vf32 ct, vf32 x) {
  const vf32 one = vsplat(1.0f), s = sigmoid_f32(gelu_tanh_inner(x));
  const vf32 slope = vsplat(2 * kSqrtTwoOverPi) * vfma(vsplat(3 * kGeluCubic), x * x, one);
  return ct * vfma(x, s * (one - s) * slope, s);
}

}  // namespace
}  // namespace kaimo
