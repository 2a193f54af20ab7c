// Rows of any dtype to and from the type that a kernel calculates in: f16 and bf16 as f32, small integers and bool as 32-bit.
#pragma once
#include "simd.h"
#include "view.h"

namespace kaimo {
namespace {

inline bool is_float(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16; }

// Whether kernels calculate on T in Acc: every other pair is never asked for, and not compiled.
template <class T, class Acc>
constexpr bool kCalculatesIn = __is_same(Acc, float) ? __is_same(T, float) || __is_same(T, f16) || __is_same(T, bf16)
                             : __is_same(Acc, double) ? __is_same(T, double)
                                                      : !__is_same(T, float) && !__is_same(T, double) && !__is_same(T, f16) && !__is_same(T, bf16) &&
                                                            (sizeof(T) == 8) == (sizeof(Acc) == 8);

// Strided elements of any dtype as a dense row of the type that it calculates in.
template <typename Acc>
KAIMO_NOINLINE void widen_row(DType dtype, const char* src, int64_t stride, Acc* dst, int64_t n) {
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kCalculatesIn<T, Acc>) {
      const T* in = reinterpret_cast<const T*>(src);
      if (stride == 1) {
        load_row(in, dst, n);
      } else {
        for (int64_t i = 0; i < n; ++i) dst[i] = load_as<Acc>(in[i * stride]);
      }
    }
    return Status::ok;
  });
}

template <typename Acc>
KAIMO_NOINLINE void narrow_row(DType dtype, const Acc* src, char* dst, int64_t n) {
  if (dtype == DType::boolean) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[i] != Acc(0);
    return;
  }
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (kCalculatesIn<T, Acc>) store_row(src, reinterpret_cast<T*>(dst), n);
    return Status::ok;
  });
}

}  // namespace
}  // namespace kaimo
