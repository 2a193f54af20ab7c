// Convolution with output features along the vector registers, for outputs whose feature dim is innermost (NHWC):
// y[r][co] = X[r][k] W[k][co], rows r = (n, position), k = (taps, ci). A block of rows of X is gathered into the worker's cache.
#pragma once
#include "conv_cols.h"

namespace kaimo {
namespace {

struct ConvRows {
  Pool* pool;
  const ConvShape* s;
  PaddedInput p;
  const float* w;
  int64_t w_group, w_rs, w_cs;
  const float* packed;     // W's panels, group after group, or null: read in place
  const int64_t* offsets;  // of every run within the padded input
  int64_t run, depth;      // k = run index * run + element
  Epilogue<float> epilogue;
  int64_t n0, images, row_blocks, col_blocks;
  float* pack_target;
  bool failed;
};

// A panel of `rows` rows of X for k in [k0, k0 + kc): whole runs are contiguous in every row.
KAIMO_NOINLINE void pack_rows(float* dst, const ConvRows& job, const float* const* base, int64_t rows, int64_t k0, int64_t kc) {
  constexpr int n = Vec<float>::n;
  for (int64_t k = 0; k < kc;) {
    const int64_t within = (k0 + k) % job.run, len = min64(job.run - within, kc - k);
    const int64_t offset = job.offsets[(k0 + k) / job.run] + within;
    float* out = dst + k * kMr;
    int64_t j = 0;
    if (kMr < n || kMr % n == 0) {
      for (; j + n <= len; j += n) {
        for (int64_t i0 = 0; i0 < kMr; i0 += n) {
          vf32 r[n];
          for (int i = 0; i < n; ++i) r[i] = i0 + i < rows ? vload(base[i0 + i] + offset + j) : vf32{};
          vtranspose(r);
          for (int i = 0; i < n; ++i) vstore(out + (j + i) * kMr + i0, r[i]);
        }
      }
    }
    for (; j < len; ++j) {
      for (int64_t i = 0; i < rows; ++i) out[j * kMr + i] = base[i][offset + j];
    }
    k += len;
  }
}

KAIMO_NOINLINE void conv_rows_block(const ConvRows& job, int64_t g, int64_t row0, int64_t rows, int64_t p0, int64_t p1, char* scratch) {
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t depth = job.depth, kb = gemm_k_block(depth), positions = s.positions();
  float* panel = reinterpret_cast<float*>(scratch);
  const float** bases = reinterpret_cast<const float**>(panel + (kb + 1) * nr);
  float* block = reinterpret_cast<float*>(bases + round_up(rows, 16));
  const float* x = reinterpret_cast<const float*>(job.p.data) + g * job.p.group_stride;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t r = row0 + i;
    bases[i] = x + r / positions * job.p.n_stride + position_base(s, job.p, r % positions);
  }
  float* y = reinterpret_cast<float*>(s.y) + g * s.y_group + job.n0 * s.y_n;
  Epilogue<float> e = job.epilogue;
  if (e.bias) e.bias += g * s.co;
  const RowSplit split(rows);
  TileArgs<float> t;
  t.ldc = s.y_s[2];
  t.epilogue = &e;
  for (int64_t k0 = 0; k0 < depth; k0 += kb) {
    t.kc = min64(kb, depth - k0);
    t.first = k0 == 0;
    t.last = k0 + t.kc == depth;
    for (int64_t tile = 0, i = 0; tile < split.tiles; i += split.rows(tile), ++tile) {
      pack_rows(block + tile * t.kc * kMr, job, bases + i, split.rows(tile), k0, t.kc);
    }
    for (int64_t p = p0; p < p1; ++p) {
      const int64_t cols = min64(nr, s.co - p * nr);
      t.b_rs = nr;
      if (job.packed) {
        t.b = job.packed + ((g * ceil_div(s.co, nr) + p) * depth + k0) * nr;
      } else {
        const float* src = job.w + g * job.w_group + k0 * job.w_rs + p * nr * job.w_cs;
        if (job.w_cs == 1 && cols == nr && split.tiles <= 2) {
          t.b = src;
          t.b_rs = job.w_rs;
        } else {
          pack_b_panel(panel, src, job.w_rs, job.w_cs, t.kc, cols);
          t.b = panel;
        }
      }
      t.col = p * nr;
      for (int64_t tile = 0, i = 0; tile < split.tiles; i += split.rows(tile), ++tile) {
        t.row = row0 + i;
        t.a = block + tile * t.kc * kMr;
        t.c = y + t.row * t.ldc + t.col;
        run_tile(t, kAPacked, split.rows(tile), cols);
      }
    }
  }
}

inline void conv_rows_task(void* context, int64_t task, int worker) {
  ConvRows& job = *static_cast<ConvRows*>(context);
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t total = job.images * s.positions(), panels = ceil_div(s.co, nr), kb = gemm_k_block(job.depth);
  const int64_t cb = task % job.col_blocks, rb = task / job.col_blocks % job.row_blocks, g = task / job.col_blocks / job.row_blocks;
  const int64_t row0 = total * rb / job.row_blocks, row1 = total * (rb + 1) / job.row_blocks, rows = row1 - row0;
  const size_t bytes = sizeof(float) * size_t((kb + 1) * nr + RowSplit(rows).tiles * kMr * kb + 2 * nr) + sizeof(float*) * size_t(round_up(rows, 16));
  char* scratch = static_cast<char*>(worker_scratch(job.pool, worker, bytes));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  conv_rows_block(job, g, row0, rows, panels * cb / job.col_blocks, panels * (cb + 1) / job.col_blocks, scratch);
}

inline void conv_pack_weights_task(void* context, int64_t task, int) {
  ConvRows& job = *static_cast<ConvRows*>(context);
  constexpr int64_t nr = kNr<float>;
  const int64_t panels = ceil_div(job.s->co, nr), g = task / panels, p = task % panels;
  pack_b_panel(job.pack_target + task * job.depth * nr, job.w + g * job.w_group + p * nr * job.w_cs, job.w_rs, job.w_cs, job.depth,
               min64(nr, job.s->co - p * nr));
}

// Runs: stretches of k that are contiguous in the padded input: channels, and the taps of a row where they adjoin.
inline void fill_runs(const ConvShape& s, ConvRows* job, int64_t* offsets) {
  const bool merged = job->run == s.taps[2] * s.ci;
  for (int64_t a = 0; a < s.taps[0]; ++a) {
    for (int64_t b = 0; b < s.taps[1]; ++b) {
      for (int64_t d = 0; d < (merged ? 1 : s.taps[2]); ++d) *offsets++ = a * s.rdil[0] * job->p.s[0] + b * s.rdil[1] * job->p.s[1] + d * s.rdil[2] * job->p.s[2];
    }
  }
}

// Up to kFewRows rows a task takes all of them and some columns, so that no weight is packed twice; with more, weights are packed first.
constexpr int64_t kConvBlockRows = 96, kFewRows = 64;

inline Status conv_rows(Pool* pool, const ConvShape& s, const float* bias, int64_t activation, Workspace& memory) {
  constexpr int64_t nr = kNr<float>;
  ConvRows job{};
  job.pool = pool;
  job.s = &s;
  job.depth = s.depth();
  const int64_t images = images_per_pass(s, true), panels = ceil_div(s.co, nr);
  job.p = plan_padded(s, true, images);
  job.run = s.rdil[2] == 1 && job.p.s[2] == s.ci ? s.taps[2] * s.ci : s.ci;
  const Operand weights = weight_view(s);
  const int order[] = {3, 4, 5, 2};
  DimGroup k;
  for (int d : order) k.push(weights.dims[d], weights.strides[d], 0, 0);
  const bool copy = k.rank > 1, pack = s.batch * s.positions() > kFewRows;
  float* padded = memory.take<float>(job.p.elements + 2 * nr);
  float* copied = memory.take<float>(copy ? element_count(weights) : 0);
  job.pack_target = memory.take<float>(pack ? s.groups * panels * nr * job.depth : 0);
  int64_t* offsets = memory.take<int64_t>(s.tap_count());
  int64_t* taps = memory.take<int64_t>(s.tap_count());
  if (!memory.ready()) return Status::ok;
  fill_runs(s, &job, offsets);
  job.offsets = offsets;
  if (copy) {
    fill_weight_taps(s, taps);
    copy_weights(pool, s, true, taps, copied);
  }
  job.w = copy ? copied : reinterpret_cast<const float*>(s.w);
  job.w_group = copy ? s.co * job.depth : s.w_group;
  job.w_rs = copy ? s.co : k.rank ? k.a[0] : 1;
  job.w_cs = copy ? 1 : s.w_o;
  job.epilogue.bias = bias;
  job.epilogue.act = activation;
  if (pack) {
    parallel_for(pool, s.groups * panels, conv_pack_weights_task, &job);
    job.packed = job.pack_target;
  }
  if (!job.p.in_place) job.p.data = reinterpret_cast<char*>(padded);
  for (job.n0 = 0; job.n0 < s.batch; job.n0 += images) {
    job.images = min64(images, s.batch - job.n0);
    if (job.p.in_place) {
      job.p.data = s.x + job.n0 * job.p.n_stride * int64_t(sizeof(float));
    } else {
      fill_padded(pool, s, job.p, job.n0, job.images, padded);
    }
    const int64_t rows = job.images * s.positions();
    job.row_blocks = pack ? ceil_div(rows, min64(kConvBlockRows, max64(24, ceil_div(rows, kWantedTasks)))) : 1;
    job.col_blocks = max64(1, min64(pack ? panels / 4 : ceil_div(panels, 2), kWantedTasks / max64(1, s.groups * job.row_blocks)));
    if (double(rows) * double(s.co * s.groups) * double(job.depth) < kForkCost) job.row_blocks = ceil_div(rows, 4 * kConvBlockRows), job.col_blocks = 1;
    parallel_for(pool, s.groups * job.row_blocks * job.col_blocks, conv_rows_task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  return Status::ok;
}

}  // namespace
}  // namespace kaimo
