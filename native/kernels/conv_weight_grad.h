// The gradient of a convolution by its kernel, f32:
//   grad_kernel[k][o] = sum over rows r = (n, position) of x[base[r] + offset[k]] g[r][o],  k = (taps, ci).
// A panel of k is a panel of B, gathered block by block into the worker's cache; g, packed once for all panels, is A. Rows are cut by
// shapes alone: by passes (what is padded and packed at a time), and into separate sums where panels are too few to keep threads busy.
#pragma once
#include "conv.h"
#include "conv_winograd_grad.h"

namespace kaimo {
namespace {

struct WeightGrad {
  Pool* pool;
  const ConvShape* s;
  PaddedInput p;
  const float* limit;
  const float* g;  // of the pass: element (row, feature) at image * g_image + position * g_row + feature * g_feature
  int64_t g_image, g_row, g_feature, g_group;
  float* packed;  // g in tiles, block of rows after block of rows, or null: read in place
  int64_t block_stride, packed_group;
  const int64_t* lines;    // bases of the first position of every output line of one image
  const int64_t* offsets;  // of every k
  const int64_t* taps;     // of the kernel's taps
  float* sums;             // [split][group][panel][co][kNr] of passes before this one, or null: one pass, one split
  int64_t images, splits, tasks;
  bool first, last, failed;

  int64_t rows() const { return images * s->positions(); }
  int64_t panels() const { return ceil_div(s->depth(), kNr<float>); }
  int64_t block_rows() const { return gemm_k_block(rows()); }
};

// Stretches of a panel's columns that lie side by side in the padded input.
inline int find_runs(const int64_t* offsets, int64_t cols, Segment* out) {
  int count = 0;
  for (int64_t col = 0; col < cols;) {
    int64_t len = 1;
    while (col + len < cols && offsets[col + len] == offsets[col] + len) ++len;
    out[count++] = {col, len, offsets[col]};
    col += len;
  }
  return count;
}

// Rows of one output line. As in pack_segments, whole vectors are stored from left to right; `limit` null: nothing lies too near the end.
KAIMO_INLINE void pack_line(float* dst, const float* row, int64_t step, int64_t len, const Segment* seg, int count, const float* limit) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  for (int64_t r = 0; r < len; ++r, dst += nr, row += step) {
    for (int i = 0; i < count; ++i) {
      const float* src = row + seg[i].base;
      float* to = dst + seg[i].col;
      for (int64_t j = 0; j < seg[i].len; j += n) {
        if (!limit || src + j + n <= limit) {
          vstore(to + j, vload(src + j));
        } else {
          for (int64_t l = j; l < min64(j + n, seg[i].len); ++l) to[l] = src[l];
        }
      }
    }
  }
}

// Rows [r0, r0 + kc) of a panel.
KAIMO_NOINLINE void pack_taps(float* dst, const WeightGrad& job, const float* x, const Segment* seg, int count, int64_t r0, int64_t kc) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  const ConvShape& s = *job.s;
  const int64_t width = s.out[2], height = s.out[0] * s.out[1], step = s.stride[2] * job.p.s[2];
  int64_t w = r0 % width, line = r0 / width % height, image = r0 / width / height, reach = 0;
  for (int i = 0; i < count; ++i) reach = max64(reach, seg[i].base + round_up(seg[i].len, n));
  for (int64_t done = 0; done < kc;) {
    const int64_t len = min64(width - w, kc - done);
    const float* row = x + image * job.p.n_stride + job.lines[line] + w * step;
    if (row + (len - 1) * step + reach > job.limit) {
      pack_line(dst, row, step, len, seg, count, job.limit);
    } else if (count == 1 && seg[0].len == nr) {
      const float* src = row + seg[0].base;
      for (int64_t r = 0; r < len; ++r, src += step) {
        KAIMO_UNROLL(8)
        for (int64_t j = 0; j < nr; j += n) vstore(dst + r * nr + j, vload(src + j));
      }
    } else {
      pack_line(dst, row, step, len, seg, count, nullptr);
    }
    dst += len * nr;
    done += len;
    w = 0;
    if (++line == height) {
      line = 0;
      ++image;
    }
  }
}

// Rows of one tile of g side by side: dst[k * kMr + i], k < kc. The excess of a whole vector is overwritten by the next k; `closed`: the
// last k has no next.
KAIMO_INLINE void copy_features(float* dst, const float* src, int64_t row, int64_t rows, int64_t kc, const float* end, bool closed) {
  constexpr int64_t n = Vec<float>::n, reach = (kMr + n - 1) / n * n;
  for (int64_t k = 0; k < kc; ++k) {
    const float* from = src + k * row;
    if (from + reach <= end && (k + 1 < kc || !closed)) {
      KAIMO_UNROLL(8)
      for (int64_t i = 0; i < reach; i += n) vstore(dst + k * kMr + i, vload(from + i));
    } else {
      for (int64_t i = 0; i < rows; ++i) dst[k * kMr + i] = from[i];
    }
  }
}

// A block of rows of g of one group. Some rows of all tiles at a time where features lie side by side, so that memory is read in streams.
inline void pack_grad_task(void* context, int64_t task, int) {
  const WeightGrad& job = *static_cast<const WeightGrad*>(context);
  const ConvShape& s = *job.s;
  const int64_t rows = job.rows(), kb = job.block_rows(), blocks = ceil_div(rows, kb), g = task / blocks, block = task % blocks, positions = s.positions();
  const int64_t r0 = block * kb, kc = min64(kb, rows - r0);
  const RowSplit split(s.co);
  const bool side_by_side = job.g_feature == 1;
  float* dst = job.packed + g * job.packed_group + block * job.block_stride;
  const float* from = job.g + g * job.g_group;
  const float* end = from + (job.images - 1) * job.g_image + (positions - 1) * job.g_row + s.co;
  const int64_t step = side_by_side ? kPackRows : kc;
  for (int64_t k0 = 0; k0 < kc; k0 += step) {
    const int64_t stop = min64(kc, k0 + step);
    for (int64_t tile = 0; tile < split.tiles; ++tile) {
      for (int64_t k = k0; k < stop;) {
        const int64_t image = (r0 + k) / positions, position = (r0 + k) % positions, len = min64(stop - k, positions - position);
        const float* src = from + image * job.g_image + position * job.g_row + split.start(tile) * job.g_feature;
        float* to = dst + (tile * kc + k) * kMr;
        if (side_by_side) {
          copy_features(to, src, job.g_row, split.rows(tile), len, end, k + len == kc);
        } else {
          pack_a_panel(to, src, job.g_feature, job.g_row, split.rows(tile), len);
        }
        k += len;
      }
    }
  }
}

// Finished sums [co][kNr] of a panel into the kernel's strides.
inline void store_panel(const WeightGrad& job, int64_t g, int64_t panel, const float* sums) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  const ConvShape& s = *job.s;
  const int64_t cols = min64(nr, s.depth() - panel * nr);
  float* base = reinterpret_cast<float*>(const_cast<char*>(s.w)) + g * s.w_group;
  float* to[nr];
  for (int64_t j = 0; j < cols; ++j) to[j] = base + job.taps[(panel * nr + j) / s.ci] + (panel * nr + j) % s.ci * s.w_i;
  int64_t o = 0;
  if (s.w_o == 1 && cols == nr) {
    for (; o + n <= s.co; o += n) {
      for (int64_t j = 0; j < nr; j += n) {
        vf32 r[n];
        vload_transposed(r, sums + o * nr + j, nr);
        KAIMO_UNROLL(16)
        for (int64_t i = 0; i < n; ++i) vstore(to[j + i] + o, r[i]);
      }
    }
  }
  for (; o < s.co; ++o) {
    for (int64_t j = 0; j < cols; ++j) to[j][o * s.w_o] = sums[o * nr + j];
  }
}

// Blocks of rows [b0, b1) into the sums of panels [p0, p1) of group g, a panel after another: [co][kNr].
KAIMO_NOINLINE void weight_grad_panels(const WeightGrad& job, int64_t g, int64_t p0, int64_t p1, int64_t b0, int64_t b1, float* sums, float* scratch) {
  constexpr int64_t nr = kNr<float>;
  static const Epilogue<float> plain;
  const ConvShape& s = *job.s;
  const int64_t rows = job.rows(), kb = job.block_rows(), depth = s.depth();
  const float* x = reinterpret_cast<const float*>(job.p.data) + g * job.p.group_stride;
  const RowSplit split(s.co);
  TileArgs<float> t{};
  t.a_rs = 1;
  t.a_cs = job.packed ? kMr : job.g_row;
  t.b = scratch;
  t.b_rs = nr;
  t.ldc = nr;
  t.epilogue = &plain;
  for (int64_t block = b0; block < b1; ++block) {
    const int64_t r0 = block * kb;
    t.kc = min64(kb, rows - r0);
    t.first = job.first && block == b0;
    for (int64_t p = p0; p < p1; ++p) {
      Segment seg[nr];
      const int count = find_runs(job.offsets + p * nr, min64(nr, depth - p * nr), seg);
      pack_taps(scratch, job, x, seg, count, r0, t.kc);
      t.c = sums + (p - p0) * s.co * nr;
      for (int64_t tile = 0; tile < split.tiles; ++tile) {
        const int64_t tile_rows = split.rows(tile);
        if (job.packed) {
          t.a = job.packed + g * job.packed_group + block * job.block_stride + tile * t.kc * kMr;
        } else {
          t.a = job.g + g * job.g_group + r0 * job.g_row + split.start(tile);
        }
        TileTable<float>::kernels[job.packed ? kAPacked : kAColumns][tile_index(tile_rows)](t);
        t.c += tile_rows * nr;
      }
    }
  }
}

// A task: some panels (of any groups) of one split.
inline void weight_grad_task(void* context, int64_t task, int worker) {
  WeightGrad& job = *static_cast<WeightGrad*>(context);
  constexpr int64_t nr = kNr<float>;
  const ConvShape& s = *job.s;
  const int64_t panels = job.panels(), units = s.groups * panels, kb = job.block_rows(), blocks = ceil_div(job.rows(), kb), panel_size = s.co * nr;
  const int64_t split = task % job.splits, part = task / job.splits, most = ceil_div(units, job.tasks);
  const int64_t own = job.sums ? 0 : most * panel_size;
  float* scratch = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t((kb + 2) * nr + own)));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  for (int64_t i = 0; i < (kb + 2) * nr; ++i) scratch[i] = 0;
  const int64_t end = units * (part + 1) / job.tasks;
  for (int64_t u = units * part / job.tasks; u < end;) {
    const int64_t g = u / panels, p0 = u % panels, p1 = min64(panels, p0 + end - u);
    float* sums = job.sums ? job.sums + (split * units + u) * panel_size : scratch + (kb + 2) * nr;
    weight_grad_panels(job, g, p0, p1, blocks * split / job.splits, blocks * (split + 1) / job.splits, sums, scratch);
    if (job.last && job.splits == 1) {
      for (int64_t p = p0; p < p1; ++p) store_panel(job, g, p, sums + (p - p0) * panel_size);
    }
    u += p1 - p0;
  }
}

// Adds the splits, in order, and stores.
inline void store_splits(WeightGrad& job) {
  constexpr int64_t nr = kNr<float>;
  const int64_t panels = job.panels(), units = job.s->groups * panels, size = job.s->co * nr;
  parallel_ranges(job.pool, units, double(job.splits * size), [&](int64_t begin, int64_t end, int) {
    for (int64_t u = begin; u < end; ++u) {
      float* sums = job.sums + u * size;
      for (int64_t split = 1; split < job.splits; ++split) {
        const float* more = job.sums + (split * units + u) * size;
        for (int64_t i = 0; i < size; ++i) sums[i] += more[i];
      }
      store_panel(job, u / panels, u % panels, sums);
    }
  });
}

// Offsets of k = (taps, ci).
inline void fill_tap_offsets(const ConvShape& s, const PaddedInput& p, int64_t* out) {
  for (int64_t a = 0; a < s.taps[0]; ++a) {
    for (int64_t b = 0; b < s.taps[1]; ++b) {
      for (int64_t d = 0; d < s.taps[2]; ++d) {
        for (int64_t c = 0; c < s.ci; ++c) *out++ = c * p.c_stride + a * s.rdil[0] * p.s[0] + b * s.rdil[1] * p.s[1] + d * s.rdil[2] * p.s[2];
      }
    }
  }
}

// Images [n0, n0 + images) of grad_out as [row][feature].
inline void gather_features(Pool* pool, const ConvShape& s, int64_t n0, int64_t images, float* dst) {
  const int64_t lines = s.out[0] * s.out[1], width = s.out[2], features = s.groups * s.co;
  parallel_ranges(pool, images * s.groups * lines, double(width * s.co) * 0.4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t line = i % lines, g = i / lines % s.groups, n = i / lines / s.groups;
      const float* src = reinterpret_cast<const float*>(s.y) + g * s.y_group + (n0 + n) * s.y_n + line / s.out[1] * s.y_s[0] + line % s.out[1] * s.y_s[1];
      transpose_line(dst + (n * lines + line) * width * features + g * s.co, features, src, s.y_c, s.y_s[2], width, s.co);
    }
  });
}

// 1x1 kernels with positions innermost: a plain product, image by image where images do not fold into one run of rows.
inline Status weight_grad_pointwise(Pool* pool, const ConvShape& s, Workspace& memory) {
  const bool fold = s.batch == 1 || (s.x_n == s.x_s[2] * s.positions() && s.y_n == s.y_s[2] * s.positions());
  const float *x = reinterpret_cast<const float*>(s.x), *y = reinterpret_cast<const float*>(s.y);
  const bool by_input = s.w_i == 1;  // columns of the product: input or output features
  Gemm<float> g;
  g.k = s.positions() * (fold ? s.batch : 1);
  g.m = by_input ? s.co : s.ci;
  g.n = by_input ? s.ci : s.co;
  g.a_rs = by_input ? s.y_c : s.x_c;
  g.a_cs = by_input ? s.y_s[2] : s.x_s[2];
  g.b_rs = by_input ? s.x_s[2] : s.y_s[2];
  g.b_cs = by_input ? s.x_c : s.y_c;
  g.c = reinterpret_cast<float*>(const_cast<char*>(s.w));
  g.ldc = by_input ? s.w_o : s.w_i;
  g.batch.push(s.groups, by_input ? s.y_group : s.x_group, by_input ? s.x_group : s.y_group, s.w_group);
  void* workspace = memory.take<char>(int64_t(gemm_workspace(g)));
  if (!memory.ready()) return Status::ok;
  for (int64_t n = 0; n < (fold ? 1 : s.batch); ++n) {
    g.a = by_input ? y + n * s.y_n : x + n * s.x_n;
    g.b = by_input ? x + n * s.x_n : y + n * s.y_n;
    g.accumulate = n > 0;
    const Status status = matrix_product(pool, g, workspace);
    if (status != Status::ok) return status;
  }
  return Status::ok;
}

// Fewer panels than this do not repay packing g.
constexpr int64_t kPackGradPanels = 3;
// Sums of a task: they should stay in the cache.
constexpr int64_t kGradSums = 32768;

// Images of a pass: g packed should stay in the cache, as the padded input should.
inline int64_t grad_images(const ConvShape& s) {
  const int64_t image = s.positions() * s.groups * s.co * int64_t(sizeof(float));
  return max64(1, min64(images_per_pass(s, true), kPaddedBytes / max64(1, image)));
}

inline Status weight_grad_direct(Pool* pool, const ConvShape& s, Workspace& memory) {
  constexpr int64_t nr = kNr<float>;
  const int64_t positions = s.positions(), depth = s.depth(), height = s.out[0] * s.out[1];
  const int64_t images = grad_images(s);
  WeightGrad job{};
  job.pool = pool;
  job.s = &s;
  job.images = images;
  job.p = plan_padded(s, true, images);
  const int64_t panels = job.panels(), units = s.groups * panels, blocks = ceil_div(job.rows(), job.block_rows());
  const bool enough = double(job.rows()) * double(s.co) * double(depth * s.groups) >= kForkCost;
  const bool pack = panels >= kPackGradPanels, folds = positions_fold(s.out, s.y_s);
  const bool in_place = folds && (pack ? s.y_c == 1 || s.y_s[2] == 1 : s.y_c == 1 && (s.batch == 1 || s.y_n == s.y_s[2] * positions));
  job.splits = enough ? max64(1, min64(blocks, kWantedTasks / units)) : 1;
  job.tasks = enough ? min64(units, max64(8 * pool_threads(pool), units * s.co * nr / kGradSums)) : 1;
  const bool keep = job.splits > 1 || images < s.batch;
  job.block_stride = RowSplit(s.co).tiles * kMr * kKcMax + Vec<float>::n;  // a last pass may have longer blocks
  job.packed_group = blocks * job.block_stride;
  float* padded = memory.take<float>(job.p.elements + 2 * nr);
  float* features = memory.take<float>(in_place ? 0 : images * positions * s.groups * s.co);
  float* packed = memory.take<float>(pack ? s.groups * job.packed_group + Vec<float>::n : 0);
  int64_t* lines = memory.take<int64_t>(height);
  int64_t* offsets = memory.take<int64_t>(depth);
  int64_t* taps = memory.take<int64_t>(s.tap_count());
  float* sums = memory.take<float>(keep ? job.splits * units * s.co * nr : 0);
  if (!memory.ready()) return Status::ok;
  for (int64_t i = 0; i < height; ++i) lines[i] = position_base(s, job.p, i * s.out[2]);
  fill_tap_offsets(s, job.p, offsets);
  fill_weight_taps(s, taps);
  job.lines = lines;
  job.offsets = offsets;
  job.taps = taps;
  job.sums = keep ? sums : nullptr;
  job.packed = pack ? packed : nullptr;
  job.limit = job.p.in_place ? input_limit(s) : padded + job.p.elements + 2 * nr;
  job.g_row = in_place ? s.y_s[2] : s.groups * s.co;
  job.g_image = in_place ? s.y_n : positions * job.g_row;
  job.g_feature = in_place ? s.y_c : 1;
  job.g_group = in_place ? s.y_group : s.co;
  for (int64_t n0 = 0; n0 < s.batch; n0 += images) {
    job.images = min64(images, s.batch - n0);
    job.first = n0 == 0;
    job.last = n0 + job.images == s.batch;
    if (job.p.in_place) {
      job.p.data = s.x + n0 * job.p.n_stride * int64_t(sizeof(float));
    } else {
      job.p.data = reinterpret_cast<char*>(padded);
      fill_padded(pool, s, job.p, n0, job.images, padded);
    }
    job.g = in_place ? reinterpret_cast<const float*>(s.y) + n0 * s.y_n : features;
    if (!in_place) gather_features(pool, s, n0, job.images, features);
    if (pack) parallel_for(pool, s.groups * ceil_div(job.rows(), job.block_rows()), pack_grad_task, &job);
    parallel_for(pool, job.tasks * job.splits, weight_grad_task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  if (job.splits > 1) store_splits(job);
  return Status::ok;
}

inline Status weight_grad_f32(Pool* pool, const ConvShape& s, Workspace& memory) {
  if (is_pointwise(s) && !(s.x_c == 1 && s.y_c == 1) && positions_fold(s.out, s.y_s) && (s.w_i == 1 || s.w_o == 1)) return weight_grad_pointwise(pool, s, memory);
  if (worth_winograd_grad(s)) {
    const size_t before = memory.used();
    bool used = false;
    const Status status = winograd_weight_grad(pool, s, memory, &used);
    if (used || status != Status::ok) return status;
    memory.rewind(before);
  }
  return weight_grad_direct(pool, s, memory);
}

}  // namespace
}  // namespace kaimo
