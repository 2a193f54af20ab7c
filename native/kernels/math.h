// Transcendental functions. The f32 forms are free of branches: those that calculate most often are written for vectors, loops over the
// others vectorise. Polynomials are minimax fits on the
// reduced interval, at most about 2 ulp off in all. Rare functions go through double. Denormal results are flushed to zero.
#pragma once
#include <math.h>

#include "half.h"
#include "simd.h"

namespace kaimo {
namespace {

constexpr float kInfF = __builtin_inff();
constexpr float kNaNF = __builtin_nanf("");
// Adding it rounds a small float to the nearest integer, which then stands in the low bits.
constexpr float kRoundF = 12582912.0f;          // 1.5 * 2^23
constexpr double kRoundD = 6755399441055744.0;  // 1.5 * 2^52

// Exponent and mantissa of x, the mantissa in [sqrt(1/2), sqrt(2)).
KAIMO_INLINE int32_t mantissa_start(float x) { return static_cast<int32_t>(bit_cast<uint32_t>(x) - 0x3f3504f3u); }
KAIMO_INLINE float mantissa_of(int32_t shifted) { return bit_cast<float>((static_cast<uint32_t>(shifted) & 0x007fffffu) + 0x3f3504f3u); }

// x = n ln2 + r, |r| <= ln2 / 2; n also stands in the low bits of z.
struct ExpParts {
  vf32 z, r;
};
KAIMO_INLINE ExpParts exp_parts(vf32 x) {
  const vf32 z = vfma(x, vsplat(1.44269504f), vsplat(kRoundF));
  const vf32 n = z - vsplat(kRoundF);
  return {z, vfma(n, vsplat(0.000212194442f), vfma(n, vsplat(-0.693359375f), x))};
}
// exp(r)
KAIMO_INLINE vf32 exp_polynomial(vf32 r) {
  vf32 p = vfma(vsplat(0.0013814596f), r, vsplat(0.0083687175f));
  p = vfma(p, r, vsplat(0.04166839f));
  p = vfma(p, r, vsplat(0.16666521f));
  p = vfma(p, r, vsplat(0.49999994f));
  return vfma(p * r, r, r) + vsplat(1.0f);
}
// 2^n from z for n of -126 to 127: shifted up, n adds to the exponent of 1.
KAIMO_INLINE vf32 exp_scale(vf32 z) { return (vf32)(((vi32)z << 23) + vsplat(int32_t(0x3f800000))); }

// exp(x) = 2^n exp(r). n may be 128, so it adds to the exponent of exp(r) itself.
KAIMO_INLINE vf32 exp_f32(vf32 x) {
  const ExpParts e = exp_parts(vlesser(vsplat(89.0f), vgreater(vsplat(-88.0f), x)));
  const vf32 y = (vf32)((vi32)exp_polynomial(e.r) + ((vi32)e.z << 23));
  const vf32 low = x < vsplat(-87.3365448f) ? vf32{} : y;
  const vf32 high = x > vsplat(88.7228394f) ? vsplat(kInfF) : low;
  return x != x ? x : high;
}

// e^r - 1 for what exp_parts leaves of an argument.
KAIMO_INLINE vf32 expm1_polynomial(vf32 r) {
  vf32 q = vfma(vsplat(0.00019845877f), r, vsplat(0.0013940628f));
  q = vfma(q, r, vsplat(0.00833339f));
  q = vfma(q, r, vsplat(0.041666362f));
  q = vfma(q, r, vsplat(0.16666666f));
  q = vfma(q, r, vsplat(0.5f));
  return vfma(q * r, r, r);
}

KAIMO_INLINE vf32 expm1_f32(vf32 x) {
  const ExpParts e = exp_parts(vlesser(vsplat(89.0f), vgreater(vsplat(-20.0f), x)));
  const vf32 q = expm1_polynomial(e.r);
  // 2^n q + (2^n - 1), with 2^n halved against overflow at n = 128.
  const vf32 scale = (vf32)(((vi32)e.z << 23) + vsplat(int32_t(0x3f000000)));
  const vf32 y = vfma(scale, q, scale - vsplat(0.5f)) * vsplat(2.0f);
  const vf32 high = x > vsplat(88.7228394f) ? vsplat(kInfF) : y;
  // Tiny arguments return themselves, -0 with its sign; so does NaN.
  const vf32 magnitude = (vf32)((vi32)x & vsplat(int32_t(INT32_MAX)));
  return magnitude >= vsplat(1e-8f) ? high : x;
}

// log(x) = e ln2 + log(m), m in [sqrt(1/2), sqrt(2)).
KAIMO_INLINE float log_f32(float x) {
  const int32_t shifted = mantissa_start(x);
  const float e = static_cast<float>(shifted >> 23);
  const float f = mantissa_of(shifted) - 1.0f;
  float p = sfma(0.06746592f, f, -0.11675639f);
  p = sfma(p, f, 0.11888178f);
  p = sfma(p, f, -0.12405592f);
  p = sfma(p, f, 0.14219551f);
  p = sfma(p, f, -0.16667996f);
  p = sfma(p, f, 0.20002119f);
  p = sfma(p, f, -0.2500001f);
  p = sfma(p, f, 0.33333313f);
  const float f2 = f * f;
  float y = sfma(p * f, f2, e * -0.000212194442f);
  y = sfma(-0.5f, f2, y);
  y = sfma(e, 0.693359375f, f + y);
  const float zero = x < 1.17549435e-38f ? -kInfF : y;
  const float negative = x < 0.0f ? kNaNF : zero;
  const float infinite = x == kInfF ? x : negative;
  return x != x ? x : infinite;
}

// log(1 + x) = log(u) + (x - (u - 1)) / u with u = 1 + x rounded.
KAIMO_INLINE float log1p_f32(float x) {
  const float u = 1.0f + x;
  const float lost = x - (u - 1.0f);
  const float y = log_f32(u) + lost / u;
  const float plain = u > 1e30f || u <= 0.0f ? log_f32(u) : y;
  const float small = x > -1e-7f && x < 1e-7f ? x : plain;
  return x != x ? x : small;
}

// An odd polynomial near 0, else 1 - 2 / (exp(2|x|) + 1), which is 1 from 2|x| = 20 on.
KAIMO_INLINE vf32 tanh_f32(vf32 x) {
  const vf32 magnitude = (vf32)((vi32)x & vsplat(int32_t(INT32_MAX)));
  const vf32 s = x * x;
  vf32 p = vfma(vsplat(-0.0057049785f), s, vsplat(0.020639079f));
  p = vfma(p, s, vsplat(-0.05373971f));
  p = vfma(p, s, vsplat(0.13331442f));
  p = vfma(p, s, vsplat(-0.3333328f));
  const vf32 near = vfma(p * s, x, x);
  const ExpParts e = exp_parts(vlesser(vsplat(20.0f), magnitude + magnitude));
  const vf32 far = vsplat(1.0f) - vsplat(2.0f) / vfma(exp_polynomial(e.r), exp_scale(e.z), vsplat(1.0f));
  const vf32 y = magnitude < vsplat(0.625f) ? near : far;
  return (vf32)((vi32)y | ((vi32)x & vsplat(int32_t(INT32_MIN))));
}

// x times a ratio of polynomials in x^2, fitted to a relative error of 2e-8 up to 3.92; from there on the result is 1, which without
// fused multiply-adds the ratio does not quite give.
KAIMO_INLINE vf32 erf_f32(vf32 x) {
  const vf32 c = vlesser(vsplat(3.92f), vgreater(vsplat(-3.92f), x));
  const vf32 s = c * c;
  vf32 p = vfma(vsplat(2.0500909e-06f), s, vsplat(0.0002848829f));
  p = vfma(p, s, vsplat(0.0037656149f));
  p = vfma(p, s, vsplat(0.052748717f));
  p = vfma(p, s, vsplat(0.19040638f));
  p = vfma(p, s, vsplat(1.1283791f));
  vf32 q = vfma(vsplat(3.8091759e-05f), s, vsplat(0.0011625354f));
  q = vfma(q, s, vsplat(0.014969213f));
  q = vfma(q, s, vsplat(0.11410908f));
  q = vfma(q, s, vsplat(0.50207603f));
  q = vfma(q, s, vsplat(1.0f));
  const vi32 sign = vsplat(int32_t(INT32_MIN)), bits = (vi32)x;
  const vf32 one = (vf32)((vi32)vsplat(1.0f) | (bits & sign));
  return (vf32)(bits & ~sign) >= vsplat(3.92f) ? one : vlesser(vsplat(1.0f), vgreater(vsplat(-1.0f), c * (p / q)));
}

// Quadrant and remainder of x / (pi/2). The high part of pi/2 has 33 bits, so its products with the quadrant are exact.
struct Reduced {
  float r;
  int32_t quadrant;
};
constexpr float kMaxTrig = 1.0e6f;  // beyond it the caller uses the C library
KAIMO_INLINE Reduced reduce_angle(float x) {
  const double d = x;
  const double z = d * 0.63661977236758134308 + kRoundD;
  const double n = z - kRoundD;
  const double r = (d - n * 1.57079632673412561417) - n * 6.07710050650619224932e-11;
  return {static_cast<float>(r), static_cast<int32_t>(bit_cast<int64_t>(z))};
}
KAIMO_INLINE float sin_or_cos(Reduced a, int32_t quadrant) {
  const float s = a.r * a.r;
  float p = sfma(2.718114e-06f, s, -0.00019839311f);
  p = sfma(p, s, 0.008333329f);
  p = sfma(p, s, -0.16666667f);
  const float sine = sfma(p * s, a.r, a.r);
  float q = sfma(-2.7205684e-07f, s, 2.479946e-05f);
  q = sfma(q, s, -0.0013888883f);
  q = sfma(q, s, 0.041666668f);
  const float cosine = sfma(q * s, s, sfma(-0.5f, s, 1.0f));
  const float y = (quadrant & 1) != 0 ? cosine : sine;
  return bit_cast<float>(bit_cast<uint32_t>(y) ^ ((static_cast<uint32_t>(quadrant) & 2u) << 30));
}
KAIMO_INLINE float sin_f32(float x) {
  const Reduced a = reduce_angle(x);
  const float y = sin_or_cos(a, a.quadrant);
  return x == 0.0f ? x : y;
}
KAIMO_INLINE float cos_f32(float x) {
  const Reduced a = reduce_angle(x);
  return sin_or_cos(a, static_cast<int32_t>(static_cast<uint32_t>(a.quadrant) + 1u));
}

// x^y for positive finite normal x and finite y, by log2 and exp2 in double.
KAIMO_INLINE float pow_positive(float x, float y) {
  const int32_t shifted = mantissa_start(x);
  const double e = static_cast<double>(shifted >> 23);
  const double m = static_cast<double>(mantissa_of(shifted));
  const double s = (m - 1.0) / (m + 1.0);
  const double s2 = s * s;
  double p = 0.16882441102536355 * s2 + 0.18118292883972287;
  p = p * s2 + 0.22223544399072834;
  p = p * s2 + 0.28571414517738963;
  p = p * s2 + 0.4000000007080794;
  p = p * s2 + 0.6666666666653378;
  p = p * s2 + 1.9999999999999998;
  const double t = static_cast<double>(y) * (p * s * 1.4426950408889634074 + e);
  const double c = t > 140.0 ? 140.0 : t < -160.0 ? -160.0 : t;
  const double z = c + kRoundD;
  const double f = c - (z - kRoundD);
  double q = 1.0149044614438107e-07 * f + 1.3259386023329461e-06;
  q = q * f + 1.525299152759646e-05;
  q = q * f + 0.00015403435037017466;
  q = q * f + 0.0013333557606296925;
  q = q * f + 0.00961812919193758;
  q = q * f + 0.05550410866875267;
  q = q * f + 0.24022650695650394;
  q = q * f + 0.6931471805598699;
  q = q * f + 1.0;
  const uint64_t scaled = bit_cast<uint64_t>(q) + (bit_cast<uint64_t>(z) << 52);
  return static_cast<float>(bit_cast<double>(scaled));
}

// Digamma by reflection, upward recurrence to x >= 10 and the asymptotic series (Abramowitz and Stegun 6.3.7, 6.3.5, 6.3.18).
inline double digamma_f64(double x) {
  if (x != x || x == __builtin_inf()) return x;
  if (x == 0) return __builtin_copysign(__builtin_inf(), -x);
  if (x < 0) {
    // The nearest integer, so that a small negative x keeps its digits.
    const double fraction = x - __builtin_rint(x);
    if (fraction == 0) return __builtin_nan("");
    return digamma_f64(1.0 - x) - M_PI / tan(M_PI * fraction);
  }
  double sum = 0;
  for (; x < 10; x += 1) sum -= 1 / x;
  const double s = 1 / (x * x);
  const double series =
      s * (1.0 / 12 - s * (1.0 / 120 - s * (1.0 / 252 - s * (1.0 / 240 - s * (1.0 / 132 - s * (691.0 / 32760 - s * (1.0 / 12)))))));
  return sum + log(x) - 0.5 / x - series;
}

// Inverse of erf: the start of Giles (2012), then Newton steps on erfc in the tail and erf elsewhere.
inline double erf_inv_f64(double x) {
  if (x != x || x < -1 || x > 1) return __builtin_nan("");
  if (x == 1 || x == -1) return x * __builtin_inf();
  if (x == 0) return x;
  const double w = -log((1 - x) * (1 + x));
  double y;
  if (w < 5) {
    const double v = w - 2.5;
    static const double c[] = {2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941};
    y = c[0];
    for (int i = 1; i < 9; i++) y = y * v + c[i];
  } else {
    const double v = sqrt(w) - 3;
    static const double c[] = {-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682};
    y = c[0];
    for (int i = 1; i < 9; i++) y = y * v + c[i];
  }
  y *= x;
  for (int step = 0; step < 2; step++) {
    const double a = y < 0 ? -y : y;
    const double error = a > 1 ? (1 - (x < 0 ? -x : x)) - erfc(a) : erf(a) - (x < 0 ? -x : x);
    const double slope = M_2_SQRTPI * exp(-a * a);
    // Halley's correction: erf'' = -2 a erf'.
    const double delta = error / slope;
    const double next = a - delta / (1 + a * delta);
    y = y < 0 ? -next : next;
  }
  return y;
}

inline double lgamma_f64(double x) {
#if defined(_WIN32)
  return lgamma(x);
#else
  int sign;
  return lgamma_r(x, &sign);
#endif
}

}  // namespace
}  // namespace kaimo
