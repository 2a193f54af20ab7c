// Between memory and the registers of the elementwise interpreter: runs of a strided view, converted to the register's class.
#pragma once
#include "view.h"

namespace kaimo {
namespace {

// True where a register holds the elements exactly as memory does, so that no copy is needed.
inline bool is_native(DType dtype) {
  return dtype == DType::f32 || dtype == DType::f64 || dtype == DType::i32 || dtype == DType::u32 || dtype == DType::i64;
}

// Bytes of a lane in a register.
inline int64_t lane_bytes(DType dtype) { return dtype == DType::f64 || dtype == DType::i64 ? 8 : 4; }

template <class R, class T>
inline void load_lanes(R* to, const T* from, int64_t stride, int64_t n) {
  if (stride == 0) {
    const R value = load_as<R>(*from);
    for (int64_t i = 0; i < n; i++) to[i] = value;
  } else if (stride == 1) {
    for (int64_t i = 0; i < n; i++) to[i] = load_as<R>(from[i]);
  } else {
    for (int64_t i = 0; i < n; i++) to[i] = load_as<R>(from[i * stride]);
  }
}

inline void load_run(DType dtype, void* to, const char* from, int64_t stride, int64_t n) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return load_lanes(static_cast<uint32_t*>(to), reinterpret_cast<const uint32_t*>(from), stride, n);
    case DType::f64:
    case DType::i64:
      return load_lanes(static_cast<uint64_t*>(to), reinterpret_cast<const uint64_t*>(from), stride, n);
    case DType::f16:
      if (stride == 1) return f16_to_f32_row(reinterpret_cast<const uint16_t*>(from), static_cast<float*>(to), n);
      return load_lanes(static_cast<float*>(to), reinterpret_cast<const f16*>(from), stride, n);
    case DType::bf16:
      return load_lanes(static_cast<float*>(to), reinterpret_cast<const bf16*>(from), stride, n);
    case DType::i8:
      return load_lanes(static_cast<int32_t*>(to), reinterpret_cast<const int8_t*>(from), stride, n);
    case DType::i16:
      return load_lanes(static_cast<int32_t*>(to), reinterpret_cast<const int16_t*>(from), stride, n);
    case DType::u8:
    case DType::boolean:
      return load_lanes(static_cast<int32_t*>(to), reinterpret_cast<const uint8_t*>(from), stride, n);
  }
}

template <class T, class R>
inline void store_lanes(T* to, const R* from, int64_t stride, int64_t n) {
  if (stride == 1) {
    for (int64_t i = 0; i < n; i++) to[i] = Store<T>::from(from[i]);
  } else {
    for (int64_t i = 0; i < n; i++) to[i * stride] = Store<T>::from(from[i]);
  }
}

inline void store_run(DType dtype, char* to, const void* from, int64_t stride, int64_t n) {
  switch (dtype) {
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return store_lanes(reinterpret_cast<uint32_t*>(to), static_cast<const uint32_t*>(from), stride, n);
    case DType::f64:
    case DType::i64:
      return store_lanes(reinterpret_cast<uint64_t*>(to), static_cast<const uint64_t*>(from), stride, n);
    case DType::f16:
      if (stride == 1) return f32_to_f16_row(static_cast<const float*>(from), reinterpret_cast<uint16_t*>(to), n);
      return store_lanes(reinterpret_cast<f16*>(to), static_cast<const float*>(from), stride, n);
    case DType::bf16:
      return store_lanes(reinterpret_cast<bf16*>(to), static_cast<const float*>(from), stride, n);
    case DType::i16:
      return store_lanes(reinterpret_cast<int16_t*>(to), static_cast<const int32_t*>(from), stride, n);
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return store_lanes(reinterpret_cast<uint8_t*>(to), static_cast<const int32_t*>(from), stride, n);
  }
}

}  // namespace
}  // namespace kaimo
