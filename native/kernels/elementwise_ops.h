// The operations of the elementwise interpreter: loops over tiles of registers, by name.
//
// A register holds one lane a value: f32 (also f16 and bf16, rounded by round.*), f64, i32 (also i8, i16, u8 and bool, wrapped by wrap.*),
// u32, i64. Every loop runs over a multiple of kLaneMultiple values, and may write the register that it reads. Edge cases follow the
// table in src/interpret/semantics.ts.
#pragma once
#include "half.h"
#include "math.h"

namespace kaimo {
namespace {

constexpr int64_t kLaneMultiple = 16;

using OpFn = void (*)(void* d, const void* a, const void* b, const void* c, int64_t n);

struct OpEntry {
  const char* name;
  OpFn run;
  float cost;  // estimated nanoseconds an element
};

template <class D, class A, class F>
void unary_loop(void* d, const void* a, const void*, const void*, int64_t n) {
  D* out = static_cast<D*>(d);
  const A* x = static_cast<const A*>(a);
  n &= ~(kLaneMultiple - 1);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) out[i] = F::f(x[i]);
}

template <class D, class A, class F>
void binary_loop(void* d, const void* a, const void* b, const void*, int64_t n) {
  D* out = static_cast<D*>(d);
  const A* x = static_cast<const A*>(a);
  const A* y = static_cast<const A*>(b);
  n &= ~(kLaneMultiple - 1);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) out[i] = F::f(x[i], y[i]);
}

template <class T>
void select_loop(void* d, const void* a, const void* b, const void* c, int64_t n) {
  T* out = static_cast<T*>(d);
  const int32_t* p = static_cast<const int32_t*>(a);
  const T* x = static_cast<const T*>(b);
  const T* y = static_cast<const T*>(c);
  n &= ~(kLaneMultiple - 1);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) {
    const T t = x[i], e = y[i];
    out[i] = p[i] != 0 ? t : e;
  }
}

template <class T>
struct UnsignedOf {
  using type = uint32_t;
};
template <>
struct UnsignedOf<int64_t> {
  using type = uint64_t;
};
template <class T>
using Unsigned = typename UnsignedOf<T>::type;

#define KAIMO_FUNCTOR1(name, expr)                  \
  struct name {                                     \
    template <class T>                              \
    KAIMO_INLINE T f(T x) { return expr; } \
  };
#define KAIMO_FUNCTOR2(name, expr)                       \
  struct name {                                          \
    template <class T>                                   \
    KAIMO_INLINE T f(T x, T y) { return expr; } \
  };
#define KAIMO_COMPARE(name, op)                                  \
  struct name {                                                  \
    template <class T>                                           \
    KAIMO_INLINE int32_t f(T x, T y) { return x op y ? 1 : 0; } \
  };

KAIMO_FUNCTOR2(AddF, x + y)
KAIMO_FUNCTOR2(SubF, x - y)
KAIMO_FUNCTOR2(MulF, x * y)
KAIMO_FUNCTOR2(DivF, x / y)
KAIMO_FUNCTOR1(NegF, -x)
KAIMO_FUNCTOR1(SignF, x > T(0) ? T(1) : x < T(0) ? T(-1) : x)
KAIMO_FUNCTOR2(AddI, T(Unsigned<T>(x) + Unsigned<T>(y)))
KAIMO_FUNCTOR2(SubI, T(Unsigned<T>(x) - Unsigned<T>(y)))
KAIMO_FUNCTOR2(MulI, T(Unsigned<T>(x) * Unsigned<T>(y)))
KAIMO_FUNCTOR1(NegI, T(Unsigned<T>(0) - Unsigned<T>(x)))
KAIMO_FUNCTOR1(AbsI, x < T(0) ? T(Unsigned<T>(0) - Unsigned<T>(x)) : x)
KAIMO_FUNCTOR1(SignI, T(x > T(0) ? 1 : 0) - T(x < T(0) ? 1 : 0))
KAIMO_FUNCTOR1(NotI, ~x)
KAIMO_FUNCTOR2(AndI, x& y)
KAIMO_FUNCTOR2(OrI, x | y)
KAIMO_FUNCTOR2(XorI, x ^ y)
KAIMO_FUNCTOR2(MaxI, x > y ? x : y)
KAIMO_FUNCTOR2(MinI, x < y ? x : y)
KAIMO_COMPARE(Eq, ==)
KAIMO_COMPARE(Ne, !=)
KAIMO_COMPARE(Lt, <)
KAIMO_COMPARE(Le, <=)
KAIMO_COMPARE(Gt, >)
KAIMO_COMPARE(Ge, >=)
#undef KAIMO_FUNCTOR1
#undef KAIMO_FUNCTOR2
#undef KAIMO_COMPARE

KAIMO_INLINE uint32_t bits_of(float x) { return bit_cast<uint32_t>(x); }
KAIMO_INLINE uint64_t bits_of(double x) { return bit_cast<uint64_t>(x); }
template <class T, class B>
KAIMO_INLINE T from_bits(B bits) { return bit_cast<T>(bits); }

// NaN from either side; the zeros meet by their bits: -0 < +0.
struct MaxF {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    const T equal = from_bits<T>(bits_of(x) & bits_of(y));
    const T greater = x > y || x != x ? x : y;
    return x == y ? equal : greater;
  }
};
struct MinF {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    const T equal = from_bits<T>(bits_of(x) | bits_of(y));
    const T less = x < y || x != x ? x : y;
    return x == y ? equal : less;
  }
};
struct AbsF {
  KAIMO_INLINE float f(float x) { return __builtin_fabsf(x); }
  KAIMO_INLINE double f(double x) { return __builtin_fabs(x); }
};

struct DivI {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    if (y == T(0)) return T(-1);
    if (y == T(-1) && T(-1) < T(0)) return T(Unsigned<T>(0) - Unsigned<T>(x));
    return x / y;
  }
};
struct RemI {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    if (y == T(0)) return x;
    if (y == T(-1) && T(-1) < T(0)) return 0;
    return x % y;
  }
};
struct PowI {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    if (y < T(0)) return x == T(1) ? T(1) : x == T(-1) ? ((y & 1) == 0 ? T(1) : T(-1)) : T(0);
    Unsigned<T> result = 1, base = Unsigned<T>(x);
    for (Unsigned<T> rest = Unsigned<T>(y); rest != 0; rest >>= 1) {
      if ((rest & 1) != 0) result *= base;
      base *= base;
    }
    return T(result);
  }
};
// Amounts are read as unsigned; the narrow types arrive extended, and are wrapped after.
struct ShiftLeft {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    constexpr Unsigned<T> width = sizeof(T) * 8;
    const Unsigned<T> amount = Unsigned<T>(y);
    const T shifted = T(Unsigned<T>(x) << (amount & (width - 1)));
    return amount >= width ? T(0) : shifted;
  }
};
struct ShiftLogical {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    constexpr Unsigned<T> width = sizeof(T) * 8;
    const Unsigned<T> amount = Unsigned<T>(y);
    const T shifted = T(Unsigned<T>(x) >> (amount & (width - 1)));
    return amount >= width ? T(0) : shifted;
  }
};
template <class T>
struct SignedOf {
  using type = int32_t;
};
template <>
struct SignedOf<int64_t> {
  using type = int64_t;
};
struct ShiftArithmetic {
  template <class T>
  KAIMO_INLINE T f(T x, T y) {
    constexpr Unsigned<T> width = sizeof(T) * 8;
    const Unsigned<T> amount = Unsigned<T>(y);
    return T(typename SignedOf<T>::type(x) >> (amount >= width ? width - 1 : amount));
  }
};

// Two f32 operations in one pass, rounded one after the other: contraction into a fused multiply-add would make results depend on
// which operations share a cluster.
#if !defined(__clang__)
#pragma GCC push_options
#pragma GCC optimize("fp-contract=off")
#endif
template <class F, class G>
void pair_loop(void* d, const void* a, const void* b, const void* c, int64_t n) {
#if defined(__clang__)
#pragma clang fp contract(off)
#endif
  float* out = static_cast<float*>(d);
  const float* x = static_cast<const float*>(a);
  const float* y = static_cast<const float*>(b);
  const float* z = static_cast<const float*>(c);
  n &= ~(kLaneMultiple - 1);
#pragma GCC ivdep
  for (int64_t i = 0; i < n; i++) out[i] = G::f(F::f(x[i], y[i]), z[i]);
}
#if !defined(__clang__)
#pragma GCC pop_options
#endif
struct SubFromF {
  template <class T>
  KAIMO_INLINE T f(T x, T y) { return y - x; }
};

template <class T>
struct Wrap {
  KAIMO_INLINE int32_t f(int32_t x) { return static_cast<T>(x); }
};
struct IsNonZero {
  template <class T>
  KAIMO_INLINE int32_t f(T x) { return x != T(0) ? 1 : 0; }
};
struct Not1 {
  KAIMO_INLINE int32_t f(int32_t x) { return x ^ 1; }
};
template <class D>
struct Cast {
  template <class T>
  KAIMO_INLINE D f(T x) { return static_cast<D>(x); }
};
struct RoundF16 {
  KAIMO_INLINE float f(float x) { return f16_to_f32(f32_to_f16(x)); }
};
struct RoundBf16 {
  KAIMO_INLINE float f(float x) { return bf16_to_f32(f32_to_bf16(x)); }
};
struct BitsF16 {
  KAIMO_INLINE int32_t f(float x) { return static_cast<int16_t>(f32_to_f16(x)); }
};
struct BitsBf16 {
  KAIMO_INLINE int32_t f(float x) { return static_cast<int16_t>(f32_to_bf16(x)); }
};
struct FromBitsF16 {
  KAIMO_INLINE float f(int32_t x) { return f16_to_f32(static_cast<uint16_t>(x)); }
};
struct FromBitsBf16 {
  KAIMO_INLINE float f(int32_t x) { return bf16_to_f32(static_cast<uint16_t>(x)); }
};

// Float to integer: truncates, NaN gives 0, out of range saturates. `Low` and `High` are the range of the storage type.
template <int64_t Low, int64_t High>
struct Saturate {
  KAIMO_INLINE int32_t f(float x) {
    constexpr float top = static_cast<float>(High);
    const float low = x < static_cast<float>(Low) ? static_cast<float>(Low) : x;
    const float within = low < top ? low : 0.0f;  // NaN too
    // A mask instead of a choice: compilers turn the choice into a branch, and then do not vectorise.
    const int32_t over = -static_cast<int32_t>(x >= top);
    return (static_cast<int32_t>(within) & ~over) | (static_cast<int32_t>(High) & over);
  }
  KAIMO_INLINE int32_t f(double x) {
    const double low = x < static_cast<double>(Low) ? static_cast<double>(Low) : x;
    const double within = low > static_cast<double>(High) ? static_cast<double>(High) : low;
    return static_cast<int32_t>(x != x ? 0.0 : within);
  }
};
struct SaturateU32 {
  KAIMO_INLINE uint32_t f(double x) {
    const double low = x < 0.0 ? 0.0 : x;
    const double within = low > 4294967295.0 ? 4294967295.0 : low;
    return static_cast<uint32_t>(static_cast<int64_t>(x != x ? 0.0 : within));
  }
  KAIMO_INLINE uint32_t f(float x) { return f(static_cast<double>(x)); }
};
struct SaturateI64 {
  KAIMO_INLINE int64_t f(double x) {
    if (x != x) return 0;
    if (x >= 9223372036854775808.0) return INT64_MAX;
    if (x <= -9223372036854775808.0) return INT64_MIN;
    return static_cast<int64_t>(x);
  }
  KAIMO_INLINE int64_t f(float x) { return f(static_cast<double>(x)); }
};

}  // namespace
}  // namespace kaimo
