// max_pool_grad, min_pool_grad: x, grad_out -> grad_x, with the ints of reduce_window. The gradient of each window goes to its first
// extreme in row-major order (the first NaN, if there is one; padding never gets any). Windows are taken in row-major order, so sums
// do not depend on threads. Float dtypes; f16 and bf16 add in f32 and round once.
#pragma once
#include "window.h"

namespace kaimo {
namespace {

// The dims are cut in three: leading ones whose windows are single elements (tasks run over them), the windowed ones, and the last dim
// where its windows are single elements too (its elements side by side).
struct PoolGrad {
  WindowShape w;
  const Operand *x, *g;
  int first, end;  // windowed dims
  int64_t units, lanes, x_lane, g_lane;
  int64_t in_size, dx_stride[kMaxRank];  // elements of one unit of grad_x
  bool plane;
};

template <bool max, class A>
KAIMO_INLINE bool better(A v, A best) {
  return (max ? v > best : v < best) | ((v != v) & (best == best));
}

// Finds the first extreme of the window at o for `lanes` lanes, into best and at (offsets in the unit's grad_x; -1 for none).
template <bool max, class T, class A>
KAIMO_NOINLINE void find_extremes(const PoolGrad& p, const T* x, const int64_t* o, A* best, int32_t* at) {
  const WindowShape& w = p.w;
  for (int64_t l = 0; l < p.lanes; ++l) at[l] = -1;
  int64_t t[kMaxRank] = {};
  for (bool more = true; more;) {
    int64_t from = 0, to = 0;
    bool inside = true;
    for (int d = p.first; d < p.end && inside; ++d) {
      const int64_t i = w.index(d, o[d], t[d]);
      inside = i >= 0;
      from += i * w.x_stride[d];
      to += i * p.dx_stride[d];
    }
    if (inside) {
      for (int64_t l = 0; l < p.lanes; ++l) {
        const A v = load_as<A>(x[from + l * p.x_lane]);
        const bool take = (at[l] < 0) | better<max>(v, best[l]);
        best[l] = take ? v : best[l];
        at[l] = take ? int32_t(to + l) : at[l];
      }
    }
    more = false;
    for (int d = p.end - 1; d >= p.first; --d) {
      if (++t[d] < w.window[d]) {
        more = true;
        break;
      }
      t[d] = 0;
    }
  }
}

// Taps of window o of dim d that lie inside, without dilation of the base: [begin, end).
struct TapRange {
  int64_t start, begin, end;
  TapRange(const WindowShape& w, int d, int64_t o) : start(o * w.stride[d] - w.lo[d]) {
    const int64_t step = w.dilation[d], room = w.in[d] - 1 - start;
    begin = start >= 0 ? 0 : (-start + step - 1) / step;
    end = room < 0 ? 0 : min64(w.window[d], room / step + 1);
  }
};

// Positions of the extremes of Vec<float>::n windows of a plane side by side, all of whose columns lie inside; steps of 1 or 2, elements side
// by side. The extreme of lane l is at[l] elements from the start of the plane.
template <bool max, int step>
KAIMO_INLINE vi32 extremes_in_line(const PoolGrad& p, const float* x, const TapRange& rows, int64_t start) {
  const WindowShape& w = p.w;
  const int h = p.first, c = p.first + 1;
  vi32 lanes;
  for (int l = 0; l < Vec<float>::n; ++l) lanes[l] = l * step;
  vf32 best = {};
  vi32 at = {};
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const int64_t row = rows.start + i * w.dilation[h];
    const float* line = x + row * w.x_stride[h] + start;
    for (int64_t j = 0; j < w.window[c]; ++j) {
      const vf32 v = step == 1 ? vload(line + j * w.dilation[c]) : vload_even(line + j * w.dilation[c]);
      const vi32 here = lanes + int32_t(row * w.in[c] + start + j * w.dilation[c]);
      const bool first = i == rows.begin && j == 0;
      const vi32 take = (max ? v > best : v < best) | ((v != v) & (best == best));
      best = first ? v : take ? v : best;
      at = first ? here : take ? here : at;
    }
  }
  return at;
}

// Windows of one row, from `ow` on, as many as go by whole vectors; returns the first one left.
template <bool max>
KAIMO_NOINLINE int64_t pool_grad_line(const PoolGrad& p, const float* x, const float* g, const TapRange& rows, int64_t oh, int64_t ow, float* sums) {
  constexpr int64_t n = Vec<float>::n;
  const WindowShape& w = p.w;
  const int h = p.first, c = p.first + 1;
  const int64_t step = w.stride[c], reach = step * n + (w.window[c] - 1) * w.dilation[c];  // elements that loads touch
  if (w.x_stride[c] != 1 || step > 2 || rows.begin >= rows.end) return ow;
  for (; ow + n <= w.out[c]; ow += n) {
    const int64_t start = ow * step - w.lo[c];
    if (start < 0 || start + reach > w.in[c]) return ow;
    const vi32 at = step == 1 ? extremes_in_line<max, 1>(p, x, rows, start) : extremes_in_line<max, 2>(p, x, rows, start);
    for (int64_t l = 0; l < n; ++l) sums[at[l]] += g[oh * p.g->strides[h] + (ow + l) * p.g->strides[c]];
  }
  return ow;
}

// Two windowed dims, one lane: the usual plane of NCHW.
template <bool max, class T, class A>
KAIMO_NOINLINE void pool_grad_plane(const PoolGrad& p, const T* x, const T* g, A* sums) {
  const WindowShape& w = p.w;
  const int h = p.first, c = p.first + 1;
  for (int64_t oh = 0; oh < w.out[h]; ++oh) {
    const TapRange rows(w, h, oh);
    for (int64_t ow = 0; ow < w.out[c]; ++ow) {
      if constexpr (sizeof(T) == 4) {
        ow = pool_grad_line<max>(p, x, g, rows, oh, ow, sums);
        if (ow == w.out[c]) break;
      }
      const TapRange cols(w, c, ow);
      if (rows.begin >= rows.end || cols.begin >= cols.end) continue;
      A best = A(0);
      int64_t at = -1;
      for (int64_t i = rows.begin; i < rows.end; ++i) {
        const int64_t row = rows.start + i * w.dilation[h];
        const T* line = x + row * w.x_stride[h];
        for (int64_t j = cols.begin; j < cols.end; ++j) {
          const int64_t col = cols.start + j * w.dilation[c];
          const A v = load_as<A>(line[col * w.x_stride[c]]);
          const bool take = (at < 0) | better<max>(v, best);
          best = take ? v : best;
          at = take ? row * w.in[c] + col : at;
        }
      }
      sums[at] += load_as<A>(g[oh * p.g->strides[h] + ow * p.g->strides[c]]);
    }
  }
}

template <bool max, class T, class A>
void pool_grad_unit(const PoolGrad& p, int64_t unit, A* sums, A* best, int32_t* at, T* dx) {
  const WindowShape& w = p.w;
  int64_t xo = 0, go = 0;
  for (int64_t d = p.first - 1, rest = unit; d >= 0; rest /= w.in[d], --d) {
    xo += rest % w.in[d] * p.x->strides[d];
    go += rest % w.in[d] * p.g->strides[d];
  }
  const T *x = reinterpret_cast<const T*>(p.x->data) + xo, *g = reinterpret_cast<const T*>(p.g->data) + go;
  for (int64_t i = 0; i < p.in_size; ++i) sums[i] = A(0);
  if (p.plane) {
    pool_grad_plane<max>(p, x, g, sums);
    return store_row(sums, dx + unit * p.in_size, p.in_size);
  }
  int64_t windows = 1, o[kMaxRank] = {};
  for (int d = p.first; d < p.end; ++d) windows *= w.out[d];
  for (int64_t i = 0; i < windows; ++i) {
    int64_t at_g = 0;
    for (int d = p.first; d < p.end; ++d) at_g += o[d] * p.g->strides[d];
    find_extremes<max>(p, x, o, best, at);
    for (int64_t l = 0; l < p.lanes; ++l) {
      if (at[l] >= 0) sums[at[l]] += load_as<A>(g[at_g + l * p.g_lane]);
    }
    for (int d = p.end - 1; d >= p.first && ++o[d] == w.out[d]; --d) o[d] = 0;
  }
  store_row(sums, dx + unit * p.in_size, p.in_size);
}

template <bool max, class T, class A>
Status pool_grad(KernelCall& call) {
  const Operand& dx = call.out[0];
  PoolGrad p;
  p.x = &call.in[0];
  p.g = &call.in[1];
  if (!parse_window(call, *p.x, *p.g, &p.w) || dx.rank != p.x->rank) return Status::unsupported;
  const int rank = p.w.rank;
  for (int d = 0; d < rank; ++d) {
    if (dx.dims[d] != p.x->dims[d]) return Status::unsupported;
  }
  if (element_count(dx) == 0) return Status::ok;
  p.first = 0;
  p.end = rank;
  p.units = p.lanes = p.x_lane = p.g_lane = 1;
  while (p.first < rank && p.w.trivial(p.first)) p.units *= p.w.in[p.first++];
  if (p.end > p.first && p.w.trivial(p.end - 1)) {
    --p.end;
    p.lanes = p.w.in[p.end];
    p.x_lane = p.x->strides[p.end];
    p.g_lane = p.g->strides[p.end];
  }
  dense_strides(dx.dims, rank, p.dx_stride);
  p.in_size = p.first == 0 ? element_count(dx) : p.dx_stride[p.first - 1];
  int64_t taps = 1, windows = 1;
  for (int d = p.first; d < p.end; ++d) {
    taps *= p.w.window[d];
    windows *= p.w.out[d];
  }
  if (taps * windows == 0) {
    for (int64_t i = 0; i < element_count(dx) * element_size(dx.dtype); ++i) dx.data[i] = 0;
    return Status::ok;
  }
  if (p.in_size > 0x7fffffff) return Status::unsupported;
  p.plane = p.lanes == 1 && p.end == rank && p.end - p.first == 2 && p.w.base[p.first] == 1 && p.w.base[p.first + 1] == 1;
  bool failed = false;
  const auto run = [&](int64_t begin, int64_t end, int worker) {
    const size_t bytes = sizeof(A) * static_cast<size_t>(p.in_size + p.lanes + 16) + sizeof(int32_t) * static_cast<size_t>(round_up(p.lanes, 2));
    int32_t* at = static_cast<int32_t*>(worker_scratch(call.pool, worker, bytes));
    if (at == nullptr) {
      __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
      return;
    }
    A* best = reinterpret_cast<A*>(at + round_up(p.lanes, 2));
    for (int64_t u = begin; u < end; ++u) pool_grad_unit<max>(p, u, best + p.lanes, best, at, reinterpret_cast<T*>(dx.data));
  };
  parallel_ranges(call.pool, p.units, double(windows * taps) * (3 + double(p.lanes)) + double(p.in_size), run);
  return failed ? Status::out_of_memory : Status::ok;
}

template <bool max>
Status pool_grad_typed(KernelCall& call) {
  if (call.in[0].dtype != call.out[0].dtype || call.in[1].dtype != call.out[0].dtype) return Status::unsupported;
  switch (call.in[0].dtype) {
    case DType::f32: return pool_grad<max, float, float>(call);
    case DType::f64: return pool_grad<max, double, double>(call);
    case DType::f16: return pool_grad<max, f16, float>(call);
    case DType::bf16: return pool_grad<max, bf16, float>(call);
    default: return Status::unsupported;
  }
}

static const KernelEntry kWindowGradKernels[] = {
    {"max_pool_grad", pool_grad_typed<true>},
    {"min_pool_grad", pool_grad_typed<false>},
};

}  // namespace
}  // namespace kaimo
