// reduce_window_sum, reduce_window_max, reduce_window_min (StableHLO): x -> out.
//   ints = {window[rank], stride[rank], padding_low[rank], padding_high[rank], base_dilation[rank], window_dilation[rank]}
// Padding and dilation hold the fold's identity (0, -inf, +inf). max and min keep NaN. The fold runs over the outer dims of a window
// first, then along the last dim; f16 and bf16 fold in f32 and round once; integers wrap; bool: sum and max are or, min is and.
#pragma once
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

// Folds one row of the input into the accumulator.
template <class Op, class T, class A>
KAIMO_INLINE void fold_row(const T* x, int64_t stride, A* acc, int64_t n) {
  if (stride == 1) {
    for (int64_t i = 0; i < n; ++i) acc[i] = Op::apply(acc[i], load_as<A>(x[i]));
  } else {
    for (int64_t i = 0; i < n; ++i) acc[i] = Op::apply(acc[i], load_as<A>(x[i * stride]));
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
template <class Op, class T, class A>
KAIMO_NOINLINE void fold_along(const WindowShape& w, const A* row, A* sums, T* out) {
  const int d = w.rank - 1;
  const int64_t n = w.out[d], stride = w.stride[d];
  for (int64_t o = 0; o < n; ++o) sums[o] = Op::template identity<A>();
  for (int64_t t = 0; t < w.window[d]; ++t) {
    const int64_t shift = t * w.dilation[d] - w.lo[d];
    if (w.base[d] != 1) {
      for (int64_t o = 0; o < n; ++o) {
        const int64_t i = w.index(d, o, t);
        if (i >= 0) sums[o] = Op::apply(sums[o], row[i]);
      }
      continue;
    }
    // Windows whose tap t is inside: 0 <= o * stride + shift < in.
    const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    const int64_t room = w.in[d] - 1 - shift, last = room < 0 ? 0 : room / stride + 1, end = last < n ? last : n;
    const A* from = row + shift;
    if (stride == 1) {
      for (int64_t o = begin; o < end; ++o) sums[o] = Op::apply(sums[o], from[o]);
    } else if (stride == 2) {
      for (int64_t o = begin; o < end; ++o) sums[o] = Op::apply(sums[o], from[2 * o]);
    } else {
      for (int64_t o = begin; o < end; ++o) sums[o] = Op::apply(sums[o], from[o * stride]);
    }
  }
  store_row(sums, out, n);
}

template <class Op, class T, class A>
Status reduce_window(KernelCall& call) {
  const Operand &x = call.in[0], &out = call.out[0];
  WindowShape w;
  if (!parse_window(call, x, out, &w)) return Status::unsupported;
  if (element_count(out) == 0) return Status::ok;
  if (w.rank == 0) {
    A value = load_as<A>(*reinterpret_cast<const T*>(x.data));
    store_row(&value, reinterpret_cast<T*>(out.data), 1);
    return Status::ok;
  }
  const int last = w.rank - 1;
  const int64_t n = w.in[last], m = w.out[last];
  int64_t rows = 1, taps = 1;
  for (int d = 0; d < last; ++d) {
    rows *= w.out[d];
    taps *= w.window[d];
  }
  const bool direct = w.trivial(last);
  bool failed = false;
  const double cost = (double(n * taps) * 0.2 + (direct ? 0 : double(m * w.window[last]) * 0.5)) + 10;
  parallel_ranges(call.pool, rows, cost, [&](int64_t begin, int64_t end, int worker) {
    A* acc = static_cast<A*>(worker_scratch(call.pool, worker, sizeof(A) * static_cast<size_t>(n + m + 1)));
    if (acc == nullptr) {
      __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
      return;
    }
    for (int64_t r = begin; r < end; ++r) {
      int64_t o[kMaxRank] = {};
      for (int64_t d = last - 1, rest = r; d >= 0; rest /= w.out[d], --d) o[d] = rest % w.out[d];
      for (int64_t i = 0; i < n; ++i) acc[i] = Op::template identity<A>();
      every_outer_tap(w, o, 0, 0, [&](int64_t offset) { fold_row<Op>(reinterpret_cast<const T*>(x.data) + offset, x.strides[last], acc, n); });
      T* to = reinterpret_cast<T*>(out.data) + r * m;
      if (direct) store_row(acc, to, m);
      else fold_along<Op>(w, acc, acc + n, to);
    }
  });
  return failed ? Status::out_of_memory : Status::ok;
}

// The type that a fold of T calculates in: floats as everywhere, integers modulo their width (sums unsigned, so that they wrap).
template <class Op>
Status reduce_window_typed(KernelCall& call) {
  constexpr bool sum = __is_same(Op, SumOp);
  if (call.in[0].dtype != call.out[0].dtype) return Status::unsupported;
  switch (call.in[0].dtype) {
    case DType::f32: return reduce_window<Op, float, float>(call);
    case DType::f64: return reduce_window<Op, double, double>(call);
    case DType::f16: return reduce_window<Op, f16, float>(call);
    case DType::bf16: return reduce_window<Op, bf16, float>(call);
    case DType::i8: return sum ? reduce_window<Op, uint8_t, uint32_t>(call) : reduce_window<Op, int8_t, int8_t>(call);
    case DType::i16: return sum ? reduce_window<Op, uint16_t, uint32_t>(call) : reduce_window<Op, int16_t, int16_t>(call);
    case DType::u8: return sum ? reduce_window<Op, uint8_t, uint32_t>(call) : reduce_window<Op, uint8_t, uint8_t>(call);
    case DType::i32: return sum ? reduce_window<Op, uint32_t, uint32_t>(call) : reduce_window<Op, int32_t, int32_t>(call);
    case DType::u32: return reduce_window<Op, uint32_t, uint32_t>(call);
    case DType::i64: return sum ? reduce_window<Op, uint64_t, uint64_t>(call) : reduce_window<Op, int64_t, int64_t>(call);
    case DType::boolean: return sum ? reduce_window<OrOp, uint8_t, uint8_t>(call) : reduce_window<Op, uint8_t, uint8_t>(call);
  }
  return Status::unsupported;
}

// min over no element of a bool window is true, stored as 1.
inline Status reduce_window_min(KernelCall& call) {
  const Status status = reduce_window_typed<MinOp>(call);
  if (status != Status::ok || call.out[0].dtype != DType::boolean) return status;
  for (int64_t i = 0; i < element_count(call.out[0]); ++i) call.out[0].data[i] = call.out[0].data[i] != 0;
  return status;
}

static const KernelEntry kWindowKernels[] = {
    {"reduce_window_sum", reduce_window_typed<SumOp>},
    {"reduce_window_max", reduce_window_typed<MaxOp>},
    {"reduce_window_min", reduce_window_min},
};

}  // namespace
}  // namespace kaimo
