// Convolution with output features along the vector registers, for outputs whose feature dim is innermost (NHWC):
// y[r][co] = X[r][k] W[k][co], rows r = (n, position), k = (taps, ci). Tiles read rows of X where they lie in the padded input, or, where a
// tile has more rows than there are address registers, from a block gathered into the worker's cache. A y whose rows have no single stride
// (the phases of a strided input gradient, mixed layouts) is scattered from the finished block.
#pragma once
#include "conv_cols.h"

namespace kaimo {
namespace {

struct ConvRows {
  Pool* pool;
  const ConvShape* s;
  PaddedInput p;
  const float* w;
  const int64_t* taps;     // offsets of the kernel's taps
  int64_t w_rs;            // between k of the weights where they are one run of rows, or 0
  const float* packed;     // W's panels, group after group, or null: a task packs or reads them in place
  const int64_t* offsets;  // of every run within the padded input
  int64_t run, depth;      // k = run index * run + element
  Epilogue<float> epilogue;
  int64_t n0, images, row_blocks, col_blocks;
  float* pack_target;
  bool folds;  // rows of y have one stride
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
          KAIMO_UNROLL(16)
          for (int i = 0; i < n; ++i) r[i] = i0 + i < rows ? vload(base[i0 + i] + offset + j) : vf32{};
          vtranspose(r);
          KAIMO_UNROLL(16)
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

// Whether tiles read rows of X where they lie: there are registers for their addresses.
constexpr bool kRowsInPlace = kMr <= 6;

// Where k0 lies among the runs.
struct RunStart {
  const int64_t* offset;
  int64_t within, run;
};

// tile_kernel with rows of A at any addresses, their k in runs.
template <int mr>
KAIMO_NOINLINE void tile_of_rows(const TileArgs<float>& t, const float* const* rows, RunStart at) {
  constexpr int n = Vec<float>::n;
  const int64_t b_rs = t.b_rs;
  vf32 acc[mr][kNv] = {};
  const float* b = t.b;
  if (!t.first) {
    for (int i = 0; i < mr; ++i) __builtin_prefetch(t.c + i * t.ldc, 1);
  }
  for (int64_t left = t.kc; left > 0; ++at.offset) {
    const int64_t len = min64(at.run - at.within, left), offset = *at.offset + at.within;
    const float* a[mr];
    KAIMO_UNROLL(8)
    for (int i = 0; i < mr; ++i) a[i] = rows[i] + offset;
    const auto step = [&](int64_t k) __attribute__((always_inline)) {
      vf32 bv[kNv];
      KAIMO_UNROLL(8)
      for (int j = 0; j < kNv; ++j) bv[j] = vload(b + j * n);
      b += b_rs;
      KAIMO_UNROLL(8)
      for (int i = 0; i < mr; ++i) {
        const vf32 av = vsplat(a[i][k]);
        KAIMO_UNROLL(8)
        for (int j = 0; j < kNv; ++j) acc[i][j] = vfma(av, bv[j], acc[i][j]);
      }
    };
    for (int64_t k = 0; k < len; ++k) step(k);  // not unrolled, see tile_kernel
    left -= len;
    at.within = 0;
  }
  tile_finish<float, mr, kNv>(t, acc);
}

using RowsKernel = void (*)(const TileArgs<float>&, const float* const*, RunStart);

template <int... mr>
struct RowsTableOf {
  static constexpr RowsKernel kernels[sizeof...(mr)] = {tile_of_rows<mr>...};
};

KAIMO_INLINE void run_rows_tile(const TileArgs<float>& t, const float* const* rows, RunStart at, int64_t count, int64_t cols) {
  if constexpr (kRowsInPlace) {
    const RowsKernel kernel = RowsTableOf<1, 2, 3, 4, 5, 6>::kernels[count - 1];
    if (cols == kNr<float>) {
      kernel(t, rows, at);
    } else {
      tile_edge(t, [=](const TileArgs<float>& inner) { kernel(inner, rows, at); }, count, cols);
    }
  }
}

// k in [k0, k0 + kc) of panel p of the weights of group g.
inline void pack_weights(float* dst, const ConvRows& job, int64_t g, int64_t p, int64_t k0, int64_t kc) {
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const float* w = job.w + g * s.w_group + p * nr * s.w_o;
  for (int64_t k = 0; k < kc;) {
    const int64_t tap = (k0 + k) / s.ci, c = (k0 + k) % s.ci, len = min64(s.ci - c, kc - k);
    pack_b_panel(dst + k * nr, w + job.taps[tap] + c * s.w_i, s.w_i, s.w_o, len, min64(nr, s.co - p * nr));
    k += len;
  }
}

// Offset of row r (of the pass) in y.
inline int64_t result_offset(const ConvRows& job, int64_t r) {
  const ConvShape& s = *job.s;
  const int64_t positions = s.positions(), n = r / positions, p = r % positions, w = p % s.out[2], h = p / s.out[2] % s.out[1], d = p / s.out[2] / s.out[1];
  return n * s.y_n + d * s.y_s[0] + h * s.y_s[1] + w * s.y_s[2];
}

// A finished block [rows][ld] into y's strides.
KAIMO_NOINLINE void store_rows(const ConvRows& job, float* y, const float* block, int64_t row0, int64_t rows, int64_t cols, int64_t ld) {
  const ConvShape& s = *job.s;
  const bool image_folds = positions_fold(s.out, s.y_s);
  constexpr int64_t step = 16;  // features at a time: a cache line of the block
  for (int64_t i = 0; i < rows;) {
    const int64_t left = image_folds ? s.positions() - (row0 + i) % s.positions() : s.out[2] - (row0 + i) % s.out[2], len = min64(rows - i, left);
    float* to = y + result_offset(job, row0 + i);
    const float* from = block + i * ld;
    if (s.y_c == 1) {
      for (int64_t r = 0; r < len; ++r) __builtin_memcpy(to + r * s.y_s[2], from + r * ld, sizeof(float) * size_t(cols));
    } else if (s.y_s[2] == 1) {
      transpose_line(to, s.y_c, from, ld, 1, cols, len);
    } else {
      for (int64_t c0 = 0; c0 < cols; c0 += step) {
        for (int64_t r = 0; r < len; ++r) {
          for (int64_t c = c0; c < min64(cols, c0 + step); ++c) to[r * s.y_s[2] + c * s.y_c] = from[r * ld + c];
        }
      }
    }
    i += len;
  }
}

// Floats that a task needs: a panel of W, addresses of rows, packed rows, the result where it must be scattered.
struct RowsScratch {
  int64_t bases, block, result, total;
  RowsScratch(const ConvRows& job, int64_t rows, int64_t panels) {
    constexpr int64_t nr = kNr<float>;
    const int64_t kb = gemm_k_block(job.depth);
    bases = (kb + 1) * nr;
    block = bases + round_up(rows, 16) * (int64_t(sizeof(float*)) / 4);
    result = block + (kRowsInPlace ? 0 : RowSplit(rows).tiles * kMr * kb) + 2 * nr;
    total = result + (job.folds ? 0 : rows * panels * nr);
  }
};

KAIMO_NOINLINE void conv_rows_block(const ConvRows& job, int64_t g, int64_t row0, int64_t rows, int64_t p0, int64_t p1, float* panel) {
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t depth = job.depth, kb = gemm_k_block(depth), positions = s.positions();
  const RowsScratch layout(job, rows, p1 - p0);
  const float** bases = reinterpret_cast<const float**>(panel + layout.bases);
  float *block = panel + layout.block, *result = panel + layout.result;
  const float* x = reinterpret_cast<const float*>(job.p.data) + g * job.p.group_stride;
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t r = row0 + i;
    bases[i] = x + r / positions * job.p.n_stride + position_base(s, job.p, r % positions);
  }
  float* y = reinterpret_cast<float*>(s.y) + g * s.y_group + job.n0 * s.y_n;
  Epilogue<float> e = job.epilogue;
  if (e.bias) e.bias += g * s.co;
  if (e.scale) e.scale += g * s.co;
  const RowSplit split(rows);
  TileArgs<float> t;
  t.ldc = job.folds ? s.y_s[2] : (p1 - p0) * nr;
  t.epilogue = &e;
  for (int64_t k0 = 0; k0 < depth; k0 += kb) {
    t.kc = min64(kb, depth - k0);
    t.first = k0 == 0;
    t.last = k0 + t.kc == depth;
    const RunStart start{job.offsets + k0 / job.run, k0 % job.run, job.run};
    const bool few = !job.packed && job.w_rs && s.w_o == 1 && split.tiles <= 2;
    for (int64_t tile = 0, i = 0; tile < split.tiles && !kRowsInPlace; i += split.rows(tile), ++tile) {
      pack_rows(block + tile * t.kc * kMr, job, bases + i, split.rows(tile), k0, t.kc);
    }
    for (int64_t p = p0; p < p1; ++p) {
      const int64_t cols = min64(nr, s.co - p * nr);
      t.b_rs = nr;
      if (job.packed) {
        t.b = job.packed + ((g * ceil_div(s.co, nr) + p) * depth + k0) * nr;
      } else if (few && cols == nr) {
        t.b = job.w + job.taps[0] + g * s.w_group + k0 * job.w_rs + p * nr;
        t.b_rs = job.w_rs;
      } else {
        pack_weights(panel, job, g, p, k0, t.kc);
        t.b = panel;
      }
      t.col = p * nr;
      for (int64_t tile = 0, i = 0; tile < split.tiles; i += split.rows(tile), ++tile) {
        t.row = row0 + i;
        t.c = job.folds ? y + t.row * t.ldc + t.col : result + i * t.ldc + (p - p0) * nr;
        if (kRowsInPlace) {
          run_rows_tile(t, bases + i, start, split.rows(tile), cols);
        } else {
          t.a = block + tile * t.kc * kMr;
          run_tile(t, kAPacked, split.rows(tile), cols);
        }
      }
    }
  }
  if (!job.folds) store_rows(job, y + p0 * nr * s.y_c, result, row0, rows, min64(p1 * nr, s.co) - p0 * nr, t.ldc);
}

inline void conv_rows_task(void* context, int64_t task, int worker) {
  ConvRows& job = *static_cast<ConvRows*>(context);
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t total = job.images * s.positions(), panels = ceil_div(s.co, nr);
  const int64_t cb = task % job.col_blocks, rb = task / job.col_blocks % job.row_blocks, g = task / job.col_blocks / job.row_blocks;
  const int64_t row0 = total * rb / job.row_blocks, row1 = total * (rb + 1) / job.row_blocks, rows = row1 - row0;
  const int64_t p0 = panels * cb / job.col_blocks, p1 = panels * (cb + 1) / job.col_blocks;
  float* scratch = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t(RowsScratch(job, rows, p1 - p0).total)));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  conv_rows_block(job, g, row0, rows, p0, p1, scratch);
}

inline void conv_pack_weights_task(void* context, int64_t task, int) {
  ConvRows& job = *static_cast<ConvRows*>(context);
  const int64_t panels = ceil_div(job.s->co, kNr<float>);
  pack_weights(job.pack_target + task * job.depth * kNr<float>, job, task / panels, task % panels, 0, job.depth);
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

inline Status conv_rows(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
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
  const bool pack = s.batch * s.positions() > kFewRows;
  float* padded = memory.take<float>(job.p.elements + 2 * nr);
  job.pack_target = memory.take<float>(pack ? s.groups * panels * nr * job.depth : 0);
  int64_t* offsets = memory.take<int64_t>(s.tap_count());
  int64_t* taps = memory.take<int64_t>(s.tap_count());
  if (!memory.ready()) return Status::ok;
  fill_runs(s, &job, offsets);
  job.offsets = offsets;
  fill_weight_taps(s, taps);
  job.taps = taps;
  job.w = reinterpret_cast<const float*>(s.w);
  job.w_rs = k.rank == 0 ? 1 : k.rank == 1 ? k.a[0] : 0;
  job.folds = (s.y_c == 1 || s.co == 1) && positions_fold(s.out, s.y_s) && (s.batch == 1 || s.y_n == s.y_s[2] * s.positions());
  job.epilogue = end.epilogue(false);
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
    const int64_t wanted = kRowsInPlace ? kConvBlockRows : max64(24, ceil_div(rows, kWantedTasks));  // packed rows must not be packed twice
    job.row_blocks = pack ? ceil_div(rows, min64(kConvBlockRows, wanted)) : 1;
    const int64_t most = !pack ? ceil_div(panels, 2) : kRowsInPlace ? panels : panels / 4;
    job.col_blocks = max64(1, min64(most, ceil_div(kWantedTasks, s.groups * job.row_blocks)));
    if (double(rows) * double(s.co * s.groups) * double(job.depth) < kForkCost) job.row_blocks = ceil_div(rows, 4 * kConvBlockRows), job.col_blocks = 1;
    parallel_for(pool, s.groups * job.row_blocks * job.col_blocks, conv_rows_task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  return Status::ok;
}

}  // namespace
}  // namespace kaimo
