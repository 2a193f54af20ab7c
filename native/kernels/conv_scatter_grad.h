// The gradient of a 2-D convolution by its input, f32, where the input has few features (a first layer over images): a panel of features would
// be mostly empty. The product P[position][(tap, ci)] = dy[position][co] w[co][(tap, ci)] of one row of outputs is added to the rows of the input
// that its taps met (col2im). A task owns a band of input rows; every element is added up in the order of outputs, wherever bands are cut.
#pragma once
#include "conv_input.h"

namespace kaimo {
namespace {

struct ScatterGrad {
  Pool* pool;
  const ConvShape* f;
  float* weights;  // [panel][co][kNr] over (tap, ci)
  int64_t bands;   // of one image
  bool failed;

  int64_t columns() const { return f->tap_count() * f->ci; }
  int64_t product_ld() const { return round_up(columns(), kNr<float>); }
  int64_t line() const { return f->covered(2) * f->ci; }  // a padded row of the input
  int64_t row(int64_t band) const { return f->in[1] * band / bands; }
};

// Whether it serves: features of the input fill less than half a panel, those of the output side by side or positions are.
inline bool worth_scatter_grad(const ConvShape& f) {
  return f.groups == 1 && f.taps[0] == 1 && f.in[0] == 1 && f.out[0] == 1 && f.lo[0] == 0 && f.ldil[1] == 1 && f.ldil[2] == 1 && f.tap_count() > 1 &&
         2 * f.ci <= kNr<float> && f.co >= 8 && f.tap_count() * f.ci >= kNr<float> / 2 && (f.y_c == 1 || f.y_s[2] == 1);
}

// Panel p of the weights.
inline void scatter_weights_task(void* context, int64_t p, int) {
  constexpr int64_t nr = kNr<float>;
  ScatterGrad& job = *static_cast<ScatterGrad*>(context);
  const ConvShape& f = *job.f;
  const float* w = reinterpret_cast<const float*>(f.w);
  float* out = job.weights + p * f.co * nr;
  for (int64_t j = 0; j < nr; ++j) {
    const int64_t column = p * nr + j, tap = column / f.ci, c = column % f.ci;
    const float* from = w + tap / f.taps[2] * f.w_s[1] + tap % f.taps[2] * f.w_s[2] + c * f.w_i;
    for (int64_t o = 0; o < f.co; ++o) out[o * nr + j] = column < job.columns() ? from[o * f.w_o] : 0;
  }
}

// One row of outputs by all columns.
KAIMO_NOINLINE void scatter_product(const ScatterGrad& job, const float* y, float* product) {
  static const Epilogue<float> plain;
  constexpr int64_t nr = kNr<float>;
  const ConvShape& f = *job.f;
  const int64_t kb = gemm_k_block(f.co), ld = job.product_ld();
  const RowSplit split(f.out[2]);
  TileArgs<float> t{};
  t.a_rs = f.y_s[2];
  t.a_cs = f.y_c;
  t.b_rs = nr;
  t.ldc = ld;
  t.epilogue = &plain;
  for (int64_t k0 = 0; k0 < f.co; k0 += kb) {
    t.kc = min64(kb, f.co - k0);
    t.first = k0 == 0;
    for (int64_t p = 0; p < ld / nr; ++p) {
      t.b = job.weights + (p * f.co + k0) * nr;
      for (int64_t tile = 0; tile < split.tiles; ++tile) {
        t.a = y + split.start(tile) * f.y_s[2] + k0 * f.y_c;
        t.c = product + split.start(tile) * ld + p * nr;
        TileTable<float>::kernels[f.y_c == 1 ? kARows : kAColumns][tile_index(split.rows(tile))](t);
      }
    }
  }
}

// to[i] += from[i]
KAIMO_INLINE void add_to(float* to, const float* from, int64_t count) {
  constexpr int64_t n = Vec<float>::n;
  int64_t i = 0;
  for (; i + n <= count; i += n) vstore(to + i, vload(to + i) + vload(from + i));
  for (; i < count; ++i) to[i] += from[i];
}

// Products of output row h added to rows [r0, r1) of the input, padded lines of which start at `lines`.
KAIMO_NOINLINE void scatter_row(const ScatterGrad& job, const float* product, int64_t h, int64_t r0, int64_t r1, float* lines) {
  const ConvShape& f = *job.f;
  const int64_t ld = job.product_ld(), run = f.rdil[2] == 1 ? f.taps[2] * f.ci : f.ci, runs = f.taps[2] * f.ci / run;
  for (int64_t w = 0; w < f.out[2]; ++w) {
    for (int64_t a = 0; a < f.taps[1]; ++a) {
      const int64_t row = h * f.stride[1] - f.lo[1] + a * f.rdil[1];
      if (row < r0 || row >= r1) continue;
      float* to = lines + (row - r0) * job.line() + w * f.stride[2] * f.ci;
      const float* from = product + w * ld + a * f.taps[2] * f.ci;
      for (int64_t b = 0; b < runs; ++b) add_to(to + b * f.rdil[2] * f.ci, from + b * run, run);
    }
  }
}

// Finished lines of rows [r0, r1) of an image into the input's strides.
inline void scatter_store(const ScatterGrad& job, float* x, int64_t r0, int64_t r1, const float* lines) {
  const ConvShape& f = *job.f;
  for (int64_t row = r0; row < r1; ++row, lines += job.line()) {
    for (int64_t c = 0; c < f.ci; ++c) {
      float* to = x + row * f.x_s[1] + c * f.x_c;
      for (int64_t w = 0; w < f.in[2]; ++w) {
        const int64_t at = w + f.lo[2];
        to[w * f.x_s[2]] = at >= 0 && at < f.covered(2) ? lines[at * f.ci + c] : 0;
      }
    }
  }
}

inline void scatter_grad_task(void* context, int64_t task, int worker) {
  ScatterGrad& job = *static_cast<ScatterGrad*>(context);
  const ConvShape& f = *job.f;
  const int64_t image = task / job.bands, r0 = job.row(task % job.bands), r1 = job.row(task % job.bands + 1);
  const int64_t held = (r1 - r0) * job.line(), total = held + f.out[2] * job.product_ld();
  float* lines = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t(total)));
  if (!lines) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  float* product = lines + held;
  __builtin_memset(lines, 0, sizeof(float) * size_t(held));
  const float* y = reinterpret_cast<const float*>(f.y) + image * f.y_n;
  const int64_t reach = (f.taps[1] - 1) * f.rdil[1];
  for (int64_t h = 0; h < f.out[1]; ++h) {
    const int64_t top = h * f.stride[1] - f.lo[1];
    if (top >= r1 || top + reach < r0) continue;
    scatter_product(job, y + h * f.y_s[1], product);
    scatter_row(job, product, h, r0, r1, lines);
  }
  scatter_store(job, reinterpret_cast<float*>(const_cast<char*>(f.x)) + image * f.x_n, r0, r1, lines);
}

// Bands are cut where images alone do not keep threads busy; each calculates the outputs again that its neighbours share.
inline Status conv_scatter_grad(Pool* pool, const ConvShape& f, Workspace& memory) {
  ScatterGrad job{pool, &f, nullptr, 1, false};
  const int64_t panels = job.product_ld() / kNr<float>, reach = (f.taps[1] - 1) * f.rdil[1] + 1;
  job.bands = max64(1, min64(ceil_div(8, f.batch), f.in[1] / (8 * reach)));
  job.weights = memory.take<float>(panels * f.co * kNr<float>);
  if (!memory.ready()) return Status::ok;
  parallel_for(pool, panels, scatter_weights_task, &job);
  parallel_for(pool, f.batch * job.bands, scatter_grad_task, &job);
  return job.failed ? Status::out_of_memory : Status::ok;
}

}  // namespace
}  // namespace kaimo
