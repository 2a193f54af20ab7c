// reduce_window_sum, reduce_window_max, reduce_window_min (StableHLO): x -> out.
//   ints = {window[rank], stride[rank], padding_low[rank], padding_high[rank], base_dilation[rank], window_dilation[rank]}
// Padding and dilation hold the fold's identity (0, -inf, +inf). max and min keep NaN. The fold runs over the outer dims of a window
// first, then along the last dim; f16 and bf16 fold in f32 and round once; integers wrap; bool: sum and max are or, min is and.
#pragma once
#include "convert_row.h"
#include "reduce_core.h"

namespace kaimo {
namespace {

struct WindowShape {
  int rank;
  int64_t in[kMaxRank], out[kMaxRank], x_stride[kMaxRank];
  const int64_t *window, *stride, *lo, *hi, *base, *dilation;

  // Where tap t of window o lies in the input: its index, or -1 in padding or between dilated elements.
  int64_t index(int d, int64_t o, int64_t t) const {
    const int64_t at = o * stride[d] - lo[d] + t * dilation[d];
    if (at < 0) return -1;
    if (base[d] == 1) return at < in[d] ? at : -1;
    return at % base[d] == 0 && at / base[d] < in[d] ? at / base[d] : -1;
  }
  // A dim whose windows are its elements.
  bool trivial(int d) const { return window[d] == 1 && stride[d] == 1 && lo[d] == 0 && base[d] == 1 && out[d] == in[d]; }
};

inline bool parse_window(const KernelCall& call, const Operand& x, const Operand& out, WindowShape* w) {
  const int rank = w->rank = x.rank;
  if (out.rank != rank || call.n_ints != 6 * rank) return false;
  const int64_t* p = call.ints;
  const int64_t** parts[] = {&w->window, &w->stride, &w->lo, &w->hi, &w->base, &w->dilation};
  for (const int64_t** part : parts) {
    *part = p;
    p += rank;
  }
  for (int d = 0; d < rank; ++d) {
    w->in[d] = x.dims[d];
    w->out[d] = out.dims[d];
    w->x_stride[d] = x.strides[d];
    if (w->window[d] < 0 || w->stride[d] < 1 || w->base[d] < 1 || w->dilation[d] < 1) return false;
    const int64_t dilated = x.dims[d] == 0 ? 0 : (x.dims[d] - 1) * w->base[d] + 1;
    const int64_t extent = w->window[d] == 0 ? 0 : (w->window[d] - 1) * w->dilation[d] + 1;
    const int64_t room = dilated + w->lo[d] + w->hi[d] - extent;
    if (out.dims[d] != (room < 0 ? 0 : room / w->stride[d] + 1)) return false;
  }
  return true;
}

// What a fold of this dtype starts from.
template <class Op, class A>
A window_identity(DType dtype) {
  if (__is_same(Op, SumOp)) return A(0);
  if (is_float(dtype)) return A(Op::template identity<float>());
  if (dtype == DType::boolean) return __is_same(Op, MinOp) ? A(1) : A(0);
  switch (dtype) {
    case DType::i8: return A(Op::template identity<int8_t>());
    case DType::i16: return A(Op::template identity<int16_t>());
    case DType::u8: return A(Op::template identity<uint8_t>());
    case DType::u32: return A(Op::template identity<uint32_t>());
    case DType::i32: return A(Op::template identity<int32_t>());
    default: return A(Op::template identity<int64_t>());
  }
}

// Whether rows of this dtype need no conversion.
template <class A>
bool same_bits(DType dtype) {
  if (__is_same(A, float)) return dtype == DType::f32;
  if (__is_same(A, double)) return dtype == DType::f64;
  return sizeof(A) == 8 ? dtype == DType::i64 : dtype == DType::i32 || dtype == DType::u32;
}

// Folds one row of the input into the accumulator. Rows of another dtype than the calculation's are converted first, to `buffer`.
template <class Op, class A>
KAIMO_NOINLINE void fold_row(DType dtype, const char* x, int64_t stride, A* acc, A* buffer, int64_t n) {
  const A* row = reinterpret_cast<const A*>(x);
  if (buffer != nullptr) {
    widen_row(dtype, x, stride, buffer, n);
    row = buffer;
    stride = 1;
  }
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) acc[i] = Op::apply(acc[i], row[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) acc[i] = Op::apply(acc[i], row[i * stride]);
  }
}

// Calls f(offset of the input row) for each tap of the outer dims that lies inside; `o` is the output row's index.
template <class F>
inline void every_outer_tap(const WindowShape& w, const int64_t* o, int dim, int64_t offset, F&& f) {
  if (dim == w.rank - 1) return f(offset);
  for (int64_t t = 0; t < w.window[dim]; ++t) {
    const int64_t i = w.index(dim, o[dim], t);
    if (i >= 0) every_outer_tap(w, o, dim + 1, offset + i * w.x_stride[dim], f);
  }
}

// The fold along the last dim, from the folded input row to an output row.
template <class Op, class A>
KAIMO_NOINLINE void fold_along(const WindowShape& w, const A* row, A* sums, A identity) {
  const int d = w.rank - 1;
  const int64_t n = w.out[d], stride = w.stride[d];
  for (int64_t o = 0; o < n; ++o) sums[o] = identity;
  for (int64_t t = 0; t < w.window[d]; ++t) {
    if (w.base[d] != 1) {
      for (int64_t o = 0; o < n; ++o) {
        const int64_t i = w.index(d, o, t);
        if (i >= 0) sums[o] = Op::apply(sums[o], row[i]);
      }
      continue;
    }
    // Windows whose tap t is inside: 0 <= o * stride + shift < in.
    const int64_t shift = t * w.dilation[d] - w.lo[d], room = w.in[d] - 1 - shift, last = room < 0 ? 0 : room / stride + 1;
    const int64_t end = min64(last, n);
    int64_t o = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const A* from = row + shift;
    if constexpr (__is_same(A, float)) {
      constexpr int64_t v = Vec<float>::n;
      for (; stride == 1 && o + v <= end; o += v) vstore(sums + o, Op::apply(vload(sums + o), vload(from + o)));
      // The last pair's second half is not needed, but must lie inside the row.
      for (; stride == 2 && o + v < end; o += v) vstore(sums + o, Op::apply(vload(sums + o), vload_even(from + 2 * o)));
    }
    for (; o < end; ++o) sums[o] = Op::apply(sums[o], from[o * stride]);
  }
}

template <class Op, class A>
Status reduce_window(KernelCall& call) {
  const Operand &x = call.in[0], &out = call.out[0];
  WindowShape w;
  if (!parse_window(call, x, out, &w)) return Status::unsupported;
  if (element_count(out) == 0) return Status::ok;
  const int64_t size = element_size(x.dtype);
  if (w.rank == 0) {
    __builtin_memcpy(out.data, x.data, size_t(size));
    return Status::ok;
  }
  const int last = w.rank - 1;
  const int64_t n = w.in[last], m = w.out[last];
  int64_t rows = 1, taps = 1;
  for (int d = 0; d < last; ++d) {
    rows *= w.out[d];
    taps *= w.window[d];
  }
  const bool direct = w.trivial(last), convert = !same_bits<A>(x.dtype);
  const A identity = window_identity<Op, A>(x.dtype);
  bool failed = false;
  const double cost = (double(n * taps) * 0.2 + (direct ? 0 : double(m * w.window[last]) * 0.5)) + 10;
  parallel_ranges(call.pool, rows, cost, [&](int64_t begin, int64_t end, int worker) {
    A* acc = static_cast<A*>(worker_scratch(call.pool, worker, sizeof(A) * static_cast<size_t>(2 * n + m + 1)));
    if (acc == nullptr) {
      __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
      return;
    }
    A *sums = acc + n, *buffer = convert ? sums + m : nullptr;
    for (int64_t r = begin; r < end; ++r) {
      int64_t o[kMaxRank] = {};
      for (int64_t d = last - 1, rest = r; d >= 0; rest /= w.out[d], --d) o[d] = rest % w.out[d];
      for (int64_t i = 0; i < n; ++i) acc[i] = identity;
      every_outer_tap(w, o, 0, 0, [&](int64_t offset) { fold_row<Op>(x.dtype, x.data + offset * size, x.strides[last], acc, buffer, n); });
      if (!direct) fold_along<Op>(w, acc, sums, identity);
      const A* result = direct ? acc : sums;
      if (convert) narrow_row(x.dtype, result, out.data + r * m * size, m);
      else __builtin_memcpy(out.data + r * m * size, result, sizeof(A) * size_t(m));
    }
  });
  return failed ? Status::out_of_memory : Status::ok;
}

// Calculation types: floats as everywhere; sums of integers modulo 2^32 or 2^64; extremes in i32, u32 or i64.
template <class Op>
Status reduce_window_typed(KernelCall& call) {
  constexpr bool sum = __is_same(Op, SumOp);
  if (call.in[0].dtype != call.out[0].dtype) return Status::unsupported;
  switch (call.in[0].dtype) {
    case DType::f64: return reduce_window<Op, double>(call);
    case DType::f32:
    case DType::f16:
    case DType::bf16: return reduce_window<Op, float>(call);
    case DType::i64:
      if constexpr (sum) return reduce_window<Op, uint64_t>(call);
      else return reduce_window<Op, int64_t>(call);
    case DType::i8:
    case DType::i16:
    case DType::i32:
      if constexpr (!sum) return reduce_window<Op, int32_t>(call);
      else return reduce_window<Op, uint32_t>(call);
    default: return reduce_window<Op, uint32_t>(call);
  }
}

static const KernelEntry kWindowKernels[] = {
    {"reduce_window_sum", reduce_window_typed<SumOp>},
    {"reduce_window_max", reduce_window_typed<MaxOp>},
    {"reduce_window_min", reduce_window_typed<MinOp>},
};

}  // namespace
}  // namespace kaimo
