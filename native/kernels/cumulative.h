// cumsum, cumprod, logcumsumexp, cummax, cummin: element i combines elements 0 to i along a dim.
// in[0]: any strides; out[0] dense, of in[0]'s dtype; cummax and cummin also give out[1], i32 places. ints = dim, reverse (optional, 0 or 1:
// elements i to the end). Floats accumulate in f64; integers wrap; NaN stays.
#pragma once
#include <math.h>

#include <type_traits>

#include "view.h"

namespace kaimo {
namespace {

constexpr int64_t kScanWidth = 32;

// An operand as [outer][n along the dim][inner]; strides in elements. The merged inner run has one stride.
struct ScanView {
  Walk<2> outer;  // [0] input, [1] output
  int64_t n, step_in, step_out;       // along the dim
  int64_t width, stride_in, stride_out;  // side by side

  ScanView(const Operand& in, const Operand& out, int dim, bool reverse) {
    outer.rank = 0;
    for (int d = 0; d < in.rank; d++)
      if (d != dim) outer.push(in.dims[d], {in.strides[d], out.strides[d]});
    width = stride_in = stride_out = 1;
    if (outer.rank > 0 && dim + 1 < in.rank) {
      outer.rank--;
      width = outer.dims[outer.rank];
      stride_in = outer.strides[0][outer.rank];
      stride_out = outer.strides[1][outer.rank];
    }
    n = in.dims[dim];
    first_in = reverse ? (n - 1) * in.strides[dim] : 0;
    first_out = reverse ? (n - 1) * out.strides[dim] : 0;
    step_in = reverse ? -in.strides[dim] : in.strides[dim];
    step_out = reverse ? -out.strides[dim] : out.strides[dim];
  }
  int64_t first_in, first_out;

  // Calls f(input offset, output offset, width) for every strip of at most kScanWidth neighbours.
  template <class F>
  void for_each_strip(Pool* pool, double element_ns, F f) const {
    const int64_t strips = (width + kScanWidth - 1) / kScanWidth, wide = width < kScanWidth ? width : kScanWidth;
    if (n == 0 || width == 0 || outer.count() == 0) return;
    parallel_ranges(pool, outer.count() * strips, 10 + static_cast<double>(n * wide) * element_ns, [&](int64_t begin, int64_t end, int) {
      Walk<2> at = outer;
      for (int64_t unit = begin; unit < end; unit++) {
        at.start(unit / strips);
        const int64_t first = unit % strips * kScanWidth;
        f(at.offset[0] + first * stride_in + first_in, at.offset[1] + first * stride_out + first_out, width - first < kScanWidth ? width - first : kScanWidth);
      }
    });
  }
};

struct CumSum {
  static constexpr double kElementNs = 1.5;
  template <class A>
  static A apply(A a, A b) { return a + b; }
};
struct CumProd {
  static constexpr double kElementNs = 1.5;
  template <class A>
  static A apply(A a, A b) { return a * b; }
};
struct LogCumSumExp {
  static constexpr double kElementNs = 30;
  static double apply(double a, double b) {
    const double high = a > b || a != a ? a : b, low = a > b || a != a ? b : a;
    // Also keeps inf - inf, and -inf - -inf, from becoming NaN.
    if (high == low || low != low) return low != low ? low : high + 0.69314718055994530942;
    return high + ::log1p(::exp(low - high));
  }
};

template <class T>
struct ScanType {
  using type = typename std::conditional<std::is_integral<T>::value, uint64_t, double>::type;
};

template <class A, class T>
inline A scan_load(T value) {
  if constexpr (std::is_same<T, f16>::value || std::is_same<T, bf16>::value) return static_cast<A>(load_as<float>(value));
  else return static_cast<A>(value);
}
template <class T, class A>
inline T scan_store(A value) {
  if constexpr (std::is_same<T, f16>::value) return f16{f64_to_f16(value)};
  else if constexpr (std::is_same<T, bf16>::value) return bf16{f64_to_bf16(value)};
  else return static_cast<T>(value);
}

template <class Op, class T>
inline void scan_typed(KernelCall& call, const ScanView& view) {
  using A = typename ScanType<T>::type;
  const T* in = reinterpret_cast<const T*>(call.in[0].data);
  T* out = reinterpret_cast<T*>(call.out[0].data);
  view.for_each_strip(call.pool, Op::kElementNs, [&](int64_t from, int64_t to, int64_t width) {
    A total[kScanWidth];
    if (width == 1) {
      // One line: its total stays in a register.
      A sum = scan_load<A>(in[from]);
      out[to] = scan_store<T>(sum);
      for (int64_t k = 1; k < view.n; k++) {
        sum = Op::apply(sum, scan_load<A>(in[from + k * view.step_in]));
        out[to + k * view.step_out] = scan_store<T>(sum);
      }
      return;
    }
    for (int64_t k = 0; k < view.n; k++, from += view.step_in, to += view.step_out) {
      for (int64_t i = 0; i < width; i++) {
        const A value = scan_load<A>(in[from + i * view.stride_in]);
        total[i] = k == 0 ? value : Op::apply(total[i], value);
        out[to + i * view.stride_out] = scan_store<T>(total[i]);
      }
    }
  });
}

inline ScanView scan_view(const KernelCall& call, int output = 0) {
  return ScanView(call.in[0], call.out[output], static_cast<int>(call.ints[0]), call.n_ints > 1 && call.ints[1] != 0);
}

template <class Op>
inline Status scan_kernel(KernelCall& call) {
  const ScanView view = scan_view(call);
  return with_dtype(call.in[0].dtype, [&](auto tag) {
    scan_typed<Op, typename decltype(tag)::type>(call, view);
    return Status::ok;
  });
}

static Status cumsum_kernel(KernelCall& call) { return scan_kernel<CumSum>(call); }
static Status cumprod_kernel(KernelCall& call) { return scan_kernel<CumProd>(call); }
static Status logcumsumexp_kernel(KernelCall& call) {
  const ScanView view = scan_view(call);
  return with_float(call.in[0].dtype, [&](auto tag) {
    scan_typed<LogCumSumExp, typename decltype(tag)::type>(call, view);
    return Status::ok;
  });
}

// The later of equals wins; from a NaN on, the latest NaN.
template <bool kMax, class T>
inline void scan_extreme(KernelCall& call, const ScanView& view) {
  using A = typename std::conditional<std::is_integral<T>::value, T, typename Compute<T>::type>::type;
  const T* in = reinterpret_cast<const T*>(call.in[0].data);
  T* out = reinterpret_cast<T*>(call.out[0].data);
  int32_t* places = reinterpret_cast<int32_t*>(call.out[1].data);
  const bool reverse = call.n_ints > 1 && call.ints[1] != 0;
  view.for_each_strip(call.pool, 2, [&](int64_t from, int64_t to, int64_t width) {
    A best[kScanWidth];
    int32_t place[kScanWidth];
    for (int64_t k = 0; k < view.n; k++, from += view.step_in, to += view.step_out) {
      for (int64_t i = 0; i < width; i++) {
        const T stored = in[from + i * view.stride_in];
        const A value = load_as<A>(stored);
        const bool later = k == 0 || (kMax ? value >= best[i] : value <= best[i]) || value != value;
        best[i] = later ? value : best[i];
        place[i] = later ? static_cast<int32_t>(reverse ? view.n - 1 - k : k) : place[i];
        out[to + i * view.stride_out] = Store<T>::from(best[i]);
        places[to + i * view.stride_out] = place[i];
      }
    }
  });
}

template <bool kMax>
inline Status scan_extreme_kernel(KernelCall& call) {
  const ScanView view = scan_view(call);
  if (view.n > 0x7fffffff) return Status::unsupported;
  return with_dtype(call.in[0].dtype, [&](auto tag) {
    scan_extreme<kMax, typename decltype(tag)::type>(call, view);
    return Status::ok;
  });
}

static Status cummax_kernel(KernelCall& call) { return scan_extreme_kernel<true>(call); }
static Status cummin_kernel(KernelCall& call) { return scan_extreme_kernel<false>(call); }

static const KernelEntry kCumulativeKernels[] = {
    {"cumsum", cumsum_kernel}, {"cumprod", cumprod_kernel}, {"logcumsumexp", logcumsumexp_kernel}, {"cummax", cummax_kernel}, {"cummin", cummin_kernel},
};

}  // namespace
}  // namespace kaimo
