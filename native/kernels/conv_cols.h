// Convolution with output positions along the vector registers, for outputs whose spatial dims are innermost (NCHW):
// y[co][p] = W[co][k] X[k][p], k = (ci, taps). Panels of X are gathered block by block into the worker's cache (im2col never exists
// as a whole) and W is read in place.
#pragma once
#include "conv_input.h"

namespace kaimo {
namespace {

constexpr int64_t kConvPanels = 8, kConvRows = 128;  // a task: up to 8 panels of positions by 128 features

struct ConvCols {
  Pool* pool;
  const ConvShape* s;
  PaddedInput p;
  const float* limit;  // end of readable memory behind p.data
  const float* w;
  int64_t w_group, w_rs, w_cs;
  const int64_t* offsets;  // of k within the padded input
  Epilogue<float> epilogue;
  int64_t n0, images, group, panel_groups, row_blocks, block_rows;
  bool failed;
};

// A run of positions in one output row.
struct Segment {
  int64_t col, len, base;
};

inline int64_t position_base(const ConvShape& s, const PaddedInput& p, int64_t position) {
  const int64_t w = position % s.out[2], h = position / s.out[2] % s.out[1], d = position / s.out[2] / s.out[1];
  return d * s.stride[0] * p.s[0] + h * s.stride[1] * p.s[1] + w * s.stride[2] * p.s[2];
}

inline int find_segments(const ConvShape& s, const PaddedInput& p, int64_t first, int64_t cols, Segment* out) {
  int count = 0;
  for (int64_t col = 0; col < cols;) {
    const int64_t len = min64(cols - col, s.out[2] - (first + col) % s.out[2]);
    out[count++] = {col, len, position_base(s, p, first + col)};
    col += len;
  }
  return count;
}

// kc rows of one panel. Whole vectors are stored from left to right, so what a store writes beyond its segment is overwritten by the
// next; the destination needs a vector of slack.
template <int step>
KAIMO_NOINLINE void pack_segments(float* dst, const float* x, const float* limit, const Segment* seg, int count, const int64_t* offsets, int64_t kc) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  for (int64_t k = 0; k < kc; ++k, dst += nr) {
    for (int i = 0; i < count; ++i) {
      const float* src = x + seg[i].base + offsets[k];
      float* to = dst + seg[i].col;
      for (int64_t j = 0; j < seg[i].len; j += n) {
        const float* from = src + j * step;
        if (from + n * step <= limit) {
          vstore(to + j, step == 1 ? vload(from) : vload_even(from));
        } else {
          for (int64_t l = j; l < min64(j + n, seg[i].len); ++l) to[l] = src[l * step];
        }
      }
    }
  }
}

KAIMO_NOINLINE void pack_columns(float* dst, const ConvShape& s, const PaddedInput& p, const float* x, const float* limit, int64_t first,
                                 int64_t cols, const int64_t* offsets, int64_t kc) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  Segment seg[nr];
  const int count = find_segments(s, p, first, cols, seg);
  const int64_t step = s.stride[2] * p.s[2];
  if (cols < nr) {
    for (int64_t i = 0; i < kc * nr; ++i) dst[i] = 0;
  }
  if (step == 1 && count == 1 && cols == nr) {
    const float* src = x + seg[0].base;
    for (int64_t k = 0; k < kc; ++k) {
      KAIMO_UNROLL(8)
      for (int64_t j = 0; j < nr; j += n) vstore(dst + k * nr + j, vload(src + offsets[k] + j));
    }
  } else if (step == 1) {
    pack_segments<1>(dst, x, limit, seg, count, offsets, kc);
  } else if (step == 2) {
    pack_segments<2>(dst, x, limit, seg, count, offsets, kc);
  } else {
    for (int64_t k = 0; k < kc; ++k) {
      for (int i = 0; i < count; ++i) {
        for (int64_t j = 0; j < seg[i].len; ++j) dst[k * nr + seg[i].col + j] = x[seg[i].base + offsets[k] + j * step];
      }
    }
  }
}

KAIMO_NOINLINE void conv_cols_block(const ConvCols& job, int64_t n, int64_t g, int64_t p0, int64_t p1, int64_t row0, int64_t rows, float* scratch) {
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t depth = s.depth(), kb = gemm_k_block(depth), positions = s.positions();
  const float* x = reinterpret_cast<const float*>(job.p.data) + g * job.p.group_stride + n * job.p.n_stride;
  float* y = reinterpret_cast<float*>(s.y) + g * s.y_group + (job.n0 + n) * s.y_n;
  Epilogue<float> e = job.epilogue;
  if (e.bias) e.bias += g * s.co;
  if (e.scale) e.scale += g * s.co;
  const RowSplit split(rows);
  TileArgs<float> t;
  t.a_rs = job.w_rs;
  t.a_cs = job.w_cs;
  t.b_rs = nr;
  t.b = scratch;
  t.ldc = s.y_c;
  t.epilogue = &e;
  for (int64_t k0 = 0; k0 < depth; k0 += kb) {
    t.kc = min64(kb, depth - k0);
    t.first = k0 == 0;
    t.last = k0 + t.kc == depth;
    for (int64_t panel = p0; panel < p1; ++panel) {
      t.col = panel * nr;
      const int64_t cols = min64(nr, positions - t.col);
      pack_columns(scratch, s, job.p, x, job.limit, t.col, cols, job.offsets + k0, t.kc);
      t.row = row0;
      for (int64_t tile = 0; tile < split.tiles; ++tile) {
        t.a = job.w + g * job.w_group + t.row * job.w_rs + k0 * job.w_cs;
        t.c = y + t.row * s.y_c + t.col;
        run_tile(t, kARows, split.rows(tile), cols);
        t.row += split.rows(tile);
      }
    }
  }
}

inline void conv_cols_task(void* context, int64_t task, int worker) {
  ConvCols& job = *static_cast<ConvCols*>(context);
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  float* scratch = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t((gemm_k_block(s.depth()) + 1) * nr)));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  const int64_t rb = task % job.row_blocks, pg = task / job.row_blocks % job.panel_groups;
  const int64_t image = task / job.row_blocks / job.panel_groups, panels = ceil_div(s.positions(), nr);
  const int64_t row0 = rb * job.block_rows;
  conv_cols_block(job, image % job.images, image / job.images, pg * job.group, min64(panels, (pg + 1) * job.group), row0,
                  min64(job.block_rows, s.co - row0), scratch);
}

// Offsets of k = (ci, taps) in the padded input.
inline void fill_offsets(const ConvShape& s, const PaddedInput& p, int64_t* out) {
  for (int64_t c = 0; c < s.ci; ++c) {
    for (int64_t a = 0; a < s.taps[0]; ++a) {
      for (int64_t b = 0; b < s.taps[1]; ++b) {
        for (int64_t d = 0; d < s.taps[2]; ++d) {
          *out++ = c * p.c_stride + a * s.rdil[0] * p.s[0] + b * s.rdil[1] * p.s[1] + d * s.rdil[2] * p.s[2];
        }
      }
    }
  }
}

// Images of one pass: the padded copy of them should stay in the cache.
constexpr int64_t kPaddedBytes = int64_t(4) << 20;

inline int64_t images_per_pass(const ConvShape& s, bool channels_last) {
  const PaddedInput one = plan_padded(s, channels_last, 1);
  if (one.in_place) return s.batch;
  return max64(1, min64(s.batch, kPaddedBytes / int64_t(sizeof(float)) / max64(1, one.elements)));
}

inline Status conv_cols(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
  constexpr int64_t nr = kNr<float>;
  ConvCols job{};
  job.pool = pool;
  job.s = &s;
  const int64_t images = images_per_pass(s, false), panels = ceil_div(s.positions(), nr);
  job.p = plan_padded(s, false, images);
  const Operand weights = weight_view(s);
  DimGroup k;
  for (int d = 2; d < weights.rank; ++d) k.push(weights.dims[d], weights.strides[d], 0, 0);
  const bool copy = k.rank > 1 || (k.rank == 1 && k.a[0] != 1);
  float* padded = memory.take<float>(job.p.elements + 2 * nr);
  float* copied = memory.take<float>(copy ? element_count(weights) : 0);
  int64_t* offsets = memory.take<int64_t>(s.depth());
  int64_t* taps = memory.take<int64_t>(s.tap_count());
  if (!memory.ready()) return Status::ok;
  fill_offsets(s, job.p, offsets);
  job.offsets = offsets;
  if (copy) {
    fill_weight_taps(s, taps);
    copy_weights(pool, s, false, taps, copied);
  }
  job.w = copy ? copied : reinterpret_cast<const float*>(s.w);
  job.w_group = copy ? s.co * s.depth() : s.w_group;
  job.w_rs = copy ? s.depth() : s.w_o;
  job.w_cs = 1;
  job.epilogue = end.epilogue(true);
  job.limit = job.p.in_place ? input_limit(s) : padded + job.p.elements + 2 * nr;
  if (!job.p.in_place) job.p.data = reinterpret_cast<char*>(padded);
  const RowSplit split(s.co);
  job.block_rows = min64(s.co, kConvRows);
  job.row_blocks = ceil_div(s.co, job.block_rows);
  const double panel_cost = double(max64(job.block_rows, 8)) * double(s.depth()) * double(nr);
  job.group = max64(1, min64(min64(panels, kConvPanels), int64_t(kTaskCost / panel_cost) + 1));
  job.panel_groups = ceil_div(panels, job.group);
  for (job.n0 = 0; job.n0 < s.batch; job.n0 += images) {
    job.images = min64(images, s.batch - job.n0);
    if (job.p.in_place) {
      job.p.data = s.x + job.n0 * job.p.n_stride * int64_t(sizeof(float));
    } else {
      fill_padded(pool, s, job.p, job.n0, job.images, padded);
    }
    parallel_for(pool, s.groups * job.images * job.panel_groups * job.row_blocks, conv_cols_task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  return Status::ok;
}

}  // namespace
}  // namespace kaimo
