// Names of the elementwise operations and their loops. The position in the table is the opcode; the host looks names up at load.
#pragma once
#include "activation.h"
#include "elementwise_ops.h"

namespace kaimo {
namespace {

// ---- floats
template <float (*F)(float)>
struct Function32 {
  KAIMO_INLINE float f(float x) { return F(x); }
};
// A function of vectors.
template <vf32 (*F)(vf32)>
void vector_loop(void* d, const void* a, const void*, const void*, int64_t n) {
  static_assert(kLaneMultiple % Vec<float>::n == 0, "");
  float* out = static_cast<float*>(d);
  const float* x = static_cast<const float*>(a);
  n &= ~(kLaneMultiple - 1);
  for (int64_t i = 0; i < n; i += Vec<float>::n) vstore(out + i, F(vload(x + i)));
}
template <vf32 (*F)(vf32, vf32)>
void vector_loop2(void* d, const void* a, const void* b, const void*, int64_t n) {
  float* out = static_cast<float*>(d);
  const float *x = static_cast<const float*>(a), *y = static_cast<const float*>(b);
  n &= ~(kLaneMultiple - 1);
  for (int64_t i = 0; i < n; i += Vec<float>::n) vstore(out + i, F(vload(x + i), vload(y + i)));
}
struct SqrtF {
  KAIMO_INLINE float f(float x) { return __builtin_sqrtf(x); }
  KAIMO_INLINE double f(double x) { return __builtin_sqrt(x); }
};
struct RsqrtF {
  template <class T>
  KAIMO_INLINE T f(T x) { return T(1) / SqrtF::f(x); }
};
struct FloorF {
  KAIMO_INLINE float f(float x) { return __builtin_floorf(x); }
  KAIMO_INLINE double f(double x) { return __builtin_floor(x); }
};
struct CeilF {
  KAIMO_INLINE float f(float x) { return __builtin_ceilf(x); }
  KAIMO_INLINE double f(double x) { return __builtin_ceil(x); }
};
struct RintF {
  KAIMO_INLINE float f(float x) { return __builtin_rintf(x); }
  KAIMO_INLINE double f(double x) { return __builtin_rint(x); }
};

// One call of the C library an element, in double.
template <double (*F)(double)>
void library_f64(void* d, const void* a, const void*, const void*, int64_t n) {
  for (int64_t i = 0; i < n; i++) static_cast<double*>(d)[i] = F(static_cast<const double*>(a)[i]);
}
template <double (*F)(double)>
void library_f32(void* d, const void* a, const void*, const void*, int64_t n) {
  for (int64_t i = 0; i < n; i++) static_cast<float*>(d)[i] = static_cast<float>(F(static_cast<const float*>(a)[i]));
}
template <class T, double (*F)(double, double)>
void library2(void* d, const void* a, const void* b, const void*, int64_t n) {
  for (int64_t i = 0; i < n; i++) static_cast<T*>(d)[i] = static_cast<T>(F(static_cast<const T*>(a)[i], static_cast<const T*>(b)[i]));
}
// C's functions as unambiguous overloads.
#define KAIMO_LIBRARY1(name) \
  inline double name##_f64(double x) { return name(x); }
#define KAIMO_LIBRARY2(name) \
  inline double name##_f64(double x, double y) { return name(x, y); }
KAIMO_LIBRARY1(exp)
KAIMO_LIBRARY1(expm1)
KAIMO_LIBRARY1(log)
KAIMO_LIBRARY1(log1p)
KAIMO_LIBRARY1(sin)
KAIMO_LIBRARY1(cos)
KAIMO_LIBRARY1(tan)
KAIMO_LIBRARY1(tanh)
KAIMO_LIBRARY1(erf)
KAIMO_LIBRARY1(erfc)
KAIMO_LIBRARY2(fmod)
KAIMO_LIBRARY2(pow)
KAIMO_LIBRARY2(atan2)
#undef KAIMO_LIBRARY1
#undef KAIMO_LIBRARY2

// The vector form of sine and cosine covers |x| <= kMaxTrig; a tile with more goes to the C library whole.
template <float (*Fast)(float), double (*Exact)(double)>
void trig_loop(void* d, const void* a, const void* b, const void* c, int64_t n) {
  const float* x = static_cast<const float*>(a);
  int32_t far = 0;
  for (int64_t i = 0; i < n; i++) far |= __builtin_fabsf(x[i]) <= kMaxTrig ? 0 : 1;
  if (far != 0) return library_f32<Exact>(d, a, b, c, n);
  unary_loop<float, float, Function32<Fast>>(d, a, b, c, n);
}

struct PowF {
  KAIMO_INLINE float f(float x, float y) { return pow_positive(x, y); }
};
void pow_loop(void* d, const void* a, const void* b, const void* c, int64_t n) {
  const float* x = static_cast<const float*>(a);
  const float* y = static_cast<const float*>(b);
  int32_t odd = 0;
  for (int64_t i = 0; i < n; i++) odd |= x[i] >= 1.17549435e-38f && x[i] < kInfF && __builtin_fabsf(y[i]) < kInfF ? 0 : 1;
  if (odd != 0) return library2<float, pow_f64>(d, a, b, c, n);
  binary_loop<float, float, PowF>(d, a, b, c, n);
}

void copy_4(void* d, const void* a, const void*, const void*, int64_t n) { __builtin_memmove(d, a, static_cast<size_t>(n) * 4); }
void copy_8(void* d, const void* a, const void*, const void*, int64_t n) { __builtin_memmove(d, a, static_cast<size_t>(n) * 8); }

using SaturateI8 = Saturate<-128, 127>;
using SaturateI16 = Saturate<-32768, 32767>;
using SaturateU8 = Saturate<0, 255>;
using SaturateI32 = Saturate<INT32_MIN, INT32_MAX>;

#define UNARY(name, D, A, F, cost) {name, unary_loop<D, A, F>, cost}
#define BINARY(name, D, A, F, cost) {name, binary_loop<D, A, F>, cost}
#define COMPARES(suffix, T, cost)                                                                                              \
  BINARY("eq." suffix, int32_t, T, Eq, cost), BINARY("ne." suffix, int32_t, T, Ne, cost), BINARY("lt." suffix, int32_t, T, Lt, cost), \
      BINARY("le." suffix, int32_t, T, Le, cost), BINARY("gt." suffix, int32_t, T, Gt, cost), BINARY("ge." suffix, int32_t, T, Ge, cost)
#define FLOATS(suffix, T, cost)                                                                                                       \
  BINARY("add." suffix, T, T, AddF, cost), BINARY("subtract." suffix, T, T, SubF, cost), BINARY("multiply." suffix, T, T, MulF, cost), \
      BINARY("divide." suffix, T, T, DivF, 3 * cost), BINARY("maximum." suffix, T, T, MaxF, cost), BINARY("minimum." suffix, T, T, MinF, cost), \
      UNARY("negate." suffix, T, T, NegF, cost), UNARY("abs." suffix, T, T, AbsF, cost), UNARY("sign." suffix, T, T, SignF, cost), \
      UNARY("sqrt." suffix, T, T, SqrtF, 3 * cost), UNARY("rsqrt." suffix, T, T, RsqrtF, 5 * cost), UNARY("floor." suffix, T, T, FloorF, cost), \
      UNARY("ceil." suffix, T, T, CeilF, cost), UNARY("round_nearest_even." suffix, T, T, RintF, cost), {"select." suffix, select_loop<T>, cost}, \
      UNARY("nonzero." suffix, int32_t, T, IsNonZero, cost), COMPARES(suffix, T, cost)
#define INTEGERS(suffix, T, cost)                                                                                                     \
  BINARY("add." suffix, T, T, AddI, cost), BINARY("subtract." suffix, T, T, SubI, cost), BINARY("multiply." suffix, T, T, MulI, cost), \
      BINARY("divide." suffix, T, T, DivI, 2.5f), BINARY("remainder." suffix, T, T, RemI, 2.5f), BINARY("power." suffix, T, T, PowI, 5.0f), \
      BINARY("maximum." suffix, T, T, MaxI, cost), BINARY("minimum." suffix, T, T, MinI, cost), UNARY("negate." suffix, T, T, NegI, cost), \
      UNARY("abs." suffix, T, T, AbsI, cost), UNARY("sign." suffix, T, T, SignI, cost), UNARY("not." suffix, T, T, NotI, cost), \
      BINARY("and." suffix, T, T, AndI, cost), BINARY("or." suffix, T, T, OrI, cost), BINARY("xor." suffix, T, T, XorI, cost), \
      BINARY("shift_left." suffix, T, T, ShiftLeft, cost), BINARY("shift_right_logical." suffix, T, T, ShiftLogical, cost), \
      BINARY("shift_right_arithmetic." suffix, T, T, ShiftArithmetic, cost), {"select." suffix, select_loop<T>, cost}, \
      UNARY("nonzero." suffix, int32_t, T, IsNonZero, cost), COMPARES(suffix, T, cost)

#define PAIRS(first, F)                                                                                                               \
  {first "+add.f32", pair_loop<F, AddF>, 0.08f}, {first "+subtract.f32", pair_loop<F, SubF>, 0.08f},                                  \
      {first "+subtract_from.f32", pair_loop<F, SubFromF>, 0.08f}, {first "+multiply.f32", pair_loop<F, MulF>, 0.08f},                 \
      {first "+maximum.f32", pair_loop<F, MaxF>, 0.08f}, {first "+minimum.f32", pair_loop<F, MinF>, 0.08f}

const OpEntry kOps[] = {
    PAIRS("add", AddF),
    PAIRS("subtract", SubF),
    PAIRS("multiply", MulF),
    PAIRS("maximum", MaxF),
    PAIRS("minimum", MinF),
    {"copy.4", copy_4, 0.05f},
    {"copy.8", copy_8, 0.1f},
    FLOATS("f32", float, 0.06f),
    FLOATS("f64", double, 0.12f),
    INTEGERS("i32", int32_t, 0.06f),
    INTEGERS("u32", uint32_t, 0.06f),
    INTEGERS("i64", int64_t, 0.15f),

    {"exponential.f32", vector_loop<exp_f32>, 0.5f},
    {"exponential_minus_one.f32", vector_loop<expm1_f32>, 0.6f},
    UNARY("log.f32", float, float, Function32<log_f32>, 0.6f),
    UNARY("log_plus_one.f32", float, float, Function32<log1p_f32>, 0.9f),
    {"tanh.f32", vector_loop<tanh_f32>, 0.8f},
    {"erf.f32", vector_loop<erf_f32>, 1.0f},
    {"relu.f32", vector_loop<relu_f32>, 0.06f},
    {"relu_grad.f32", vector_loop2<relu_grad_f32>, 0.08f},
    {"sigmoid.f32", vector_loop<sigmoid_f32>, 0.6f},
    {"silu.f32", vector_loop<silu_f32>, 0.6f},
    {"silu_grad.f32", vector_loop2<silu_grad_f32>, 0.8f},
    {"gelu.f32", vector_loop<gelu_f32>, 0.6f},
    {"gelu_grad.f32", vector_loop2<gelu_grad_f32>, 1.1f},
    {"gelu_tanh.f32", vector_loop<gelu_tanh_f32>, 0.9f},
    {"gelu_tanh_grad.f32", vector_loop2<gelu_tanh_grad_f32>, 1.0f},
    {"sine.f32", trig_loop<sin_f32, sin_f64>, 1.2f},
    {"cosine.f32", trig_loop<cos_f32, cos_f64>, 1.2f},
    {"power.f32", pow_loop, 3.0f},
    {"tangent.f32", library_f32<tan_f64>, 15.0f},
    {"erfc.f32", library_f32<erfc_f64>, 15.0f},
    {"erf_inv.f32", library_f32<erf_inv_f64>, 60.0f},
    {"lgamma.f32", library_f32<lgamma_f64>, 25.0f},
    {"digamma.f32", library_f32<digamma_f64>, 30.0f},
    {"remainder.f32", library2<float, fmod_f64>, 10.0f},
    {"atan2.f32", library2<float, atan2_f64>, 20.0f},

    {"exponential.f64", library_f64<exp_f64>, 5.0f},
    {"exponential_minus_one.f64", library_f64<expm1_f64>, 10.0f},
    {"log.f64", library_f64<log_f64>, 6.0f},
    {"log_plus_one.f64", library_f64<log1p_f64>, 12.0f},
    {"tanh.f64", library_f64<tanh_f64>, 15.0f},
    {"erf.f64", library_f64<erf_f64>, 15.0f},
    {"sine.f64", library_f64<sin_f64>, 10.0f},
    {"cosine.f64", library_f64<cos_f64>, 10.0f},
    {"power.f64", library2<double, pow_f64>, 20.0f},
    {"tangent.f64", library_f64<tan_f64>, 15.0f},
    {"erfc.f64", library_f64<erfc_f64>, 15.0f},
    {"erf_inv.f64", library_f64<erf_inv_f64>, 60.0f},
    {"lgamma.f64", library_f64<lgamma_f64>, 25.0f},
    {"digamma.f64", library_f64<digamma_f64>, 30.0f},
    {"remainder.f64", library2<double, fmod_f64>, 10.0f},
    {"atan2.f64", library2<double, atan2_f64>, 20.0f},

    UNARY("wrap.i8", int32_t, int32_t, Wrap<int8_t>, 0.06f),
    UNARY("wrap.i16", int32_t, int32_t, Wrap<int16_t>, 0.06f),
    UNARY("wrap.u8", int32_t, int32_t, Wrap<uint8_t>, 0.06f),
    UNARY("wrap.u16", int32_t, int32_t, Wrap<uint16_t>, 0.06f),
    UNARY("not.bool", int32_t, int32_t, Not1, 0.06f),
    UNARY("round.f16", float, float, RoundF16, 0.4f),
    UNARY("round.bf16", float, float, RoundBf16, 0.15f),
    UNARY("bits.f16", int32_t, float, BitsF16, 0.4f),
    UNARY("bits.bf16", int32_t, float, BitsBf16, 0.15f),
    UNARY("from_bits.f16", float, int32_t, FromBitsF16, 0.4f),
    UNARY("from_bits.bf16", float, int32_t, FromBitsBf16, 0.06f),

    UNARY("convert.f32.f64", double, float, Cast<double>, 0.1f),
    UNARY("convert.f32.i8", int32_t, float, SaturateI8, 0.15f),
    UNARY("convert.f32.i16", int32_t, float, SaturateI16, 0.15f),
    UNARY("convert.f32.u8", int32_t, float, SaturateU8, 0.15f),
    UNARY("convert.f32.i32", int32_t, float, SaturateI32, 0.15f),
    UNARY("convert.f32.u32", uint32_t, float, SaturateU32, 0.5f),
    UNARY("convert.f32.i64", int64_t, float, SaturateI64, 1.0f),
    UNARY("convert.f64.f32", float, double, Cast<float>, 0.1f),
    UNARY("convert.f64.i8", int32_t, double, SaturateI8, 0.3f),
    UNARY("convert.f64.i16", int32_t, double, SaturateI16, 0.3f),
    UNARY("convert.f64.u8", int32_t, double, SaturateU8, 0.3f),
    UNARY("convert.f64.i32", int32_t, double, SaturateI32, 0.3f),
    UNARY("convert.f64.u32", uint32_t, double, SaturateU32, 0.5f),
    UNARY("convert.f64.i64", int64_t, double, SaturateI64, 1.0f),
    UNARY("convert.i32.f32", float, int32_t, Cast<float>, 0.06f),
    UNARY("convert.i32.f64", double, int32_t, Cast<double>, 0.1f),
    UNARY("convert.i32.i64", int64_t, int32_t, Cast<int64_t>, 0.1f),
    UNARY("convert.u32.f32", float, uint32_t, Cast<float>, 0.2f),
    UNARY("convert.u32.f64", double, uint32_t, Cast<double>, 0.2f),
    UNARY("convert.u32.i64", int64_t, uint32_t, Cast<int64_t>, 0.1f),
    UNARY("convert.i64.f32", float, int64_t, Cast<float>, 0.6f),
    UNARY("convert.i64.f64", double, int64_t, Cast<double>, 0.6f),
    UNARY("convert.i64.i32", int32_t, int64_t, Cast<int32_t>, 0.1f),
};
#undef UNARY
#undef BINARY
#undef COMPARES
#undef FLOATS
#undef INTEGERS
#undef PAIRS

constexpr int32_t kOpCount = sizeof kOps / sizeof kOps[0];

}  // namespace
}  // namespace kaimo
