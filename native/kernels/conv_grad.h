// conv_input_grad: grad_out, kernel -> grad_input.  conv_weight_grad: input, grad_out -> grad_kernel.
// ints: those of the forward convolution (conv_shape.h), activation 0; the result's dims give the rest.
// Both add in an order that depends on shapes alone.
#pragma once
#include "conv.h"

namespace kaimo {
namespace {

// grad_kernel[o][k] = sum over rows r = (n, position) of g[r][o] x[base[r] + offset[k]], k = (taps, ci): a task owns a panel of k.
struct WeightGrad {
  Pool* pool;
  const ConvShape* s;
  PaddedInput p;
  const float* limit;
  const float* g;  // [row][feature], features side by side
  int64_t g_row, g_group;
  const int64_t* bases;    // of every position of one image
  const int64_t* offsets;  // of every k
  float* sums;             // [group][co][k]
  int64_t images, row_blocks;
  bool first, failed;
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

// Rows [r0, r0 + kc) of a panel. As in pack_segments, whole vectors are stored from left to right.
KAIMO_NOINLINE void pack_taps(float* dst, const WeightGrad& job, const float* x, const Segment* seg, int count, int64_t r0, int64_t kc) {
  constexpr int64_t nr = kNr<float>, n = Vec<float>::n;
  const int64_t positions = job.s->positions();
  int64_t image = r0 / positions, position = r0 % positions;
  for (int64_t k = 0; k < kc; ++k, dst += nr) {
    const float* row = x + image * job.p.n_stride + job.bases[position];
    for (int i = 0; i < count; ++i) {
      const float* src = row + seg[i].base;
      float* to = dst + seg[i].col;
      for (int64_t j = 0; j < seg[i].len; j += n) {
        if (src + j + n <= job.limit) {
          vstore(to + j, vload(src + j));
        } else {
          for (int64_t l = j; l < min64(j + n, seg[i].len); ++l) to[l] = src[l];
        }
      }
    }
    if (++position == positions) {
      position = 0;
      ++image;
    }
  }
}

inline void weight_grad_task(void* context, int64_t task, int worker) {
  WeightGrad& job = *static_cast<WeightGrad*>(context);
  constexpr int64_t nr = kNr<float>;
  static const Epilogue<float> plain;
  const ConvShape& s = *job.s;
  const int64_t depth = s.depth(), panels = ceil_div(depth, nr), rows = job.images * s.positions(), kb = gemm_k_block(rows);
  float* scratch = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t((kb + 2) * nr)));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  const int64_t rb = task % job.row_blocks, panel = task / job.row_blocks % panels, g = task / job.row_blocks / panels;
  const int64_t o0 = s.co * rb / job.row_blocks, o1 = s.co * (rb + 1) / job.row_blocks, cols = min64(nr, depth - panel * nr);
  Segment seg[nr];
  const int count = find_runs(job.offsets + panel * nr, cols, seg);
  const float* x = reinterpret_cast<const float*>(job.p.data) + g * job.p.group_stride;
  const RowSplit split(o1 - o0);
  for (int64_t i = 0; i < (kb + 2) * nr; ++i) scratch[i] = 0;
  TileArgs<float> t{};
  t.a_rs = 1;
  t.a_cs = job.g_row;
  t.b = scratch;
  t.b_rs = nr;
  t.ldc = depth;
  t.epilogue = &plain;
  for (int64_t r0 = 0; r0 < rows; r0 += kb) {
    t.kc = min64(kb, rows - r0);
    t.first = job.first && r0 == 0;
    pack_taps(scratch, job, x, seg, count, r0, t.kc);
    int64_t o = o0;
    for (int64_t tile = 0; tile < split.tiles; o += split.rows(tile), ++tile) {
      t.a = job.g + g * job.g_group + r0 * job.g_row + o;
      t.c = job.sums + (g * s.co + o) * depth + panel * nr;
      run_tile(t, kAColumns, split.rows(tile), cols);
    }
  }
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

// sums[group][co][taps][ci] into the kernel's strides.
inline void store_weights(Pool* pool, const ConvShape& s, const float* sums) {
  const int64_t depth = s.depth(), taps = s.tap_count();
  parallel_ranges(pool, s.groups * s.co, double(depth), [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      const float* from = sums + i * depth;
      float* base = reinterpret_cast<float*>(const_cast<char*>(s.w)) + i / s.co * s.w_group + i % s.co * s.w_o;
      for (int64_t t = 0; t < taps; ++t) {
        const int64_t d = t % s.taps[2], b = t / s.taps[2] % s.taps[1], a = t / s.taps[2] / s.taps[1];
        float* to = base + a * s.w_s[0] + b * s.w_s[1] + d * s.w_s[2];
        for (int64_t c = 0; c < s.ci; ++c) to[c * s.w_i] = *from++;
      }
    }
  });
}

// 1x1 kernels: a plain product, image by image where images do not fold into one run of rows.
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

inline Status weight_grad_f32(Pool* pool, const ConvShape& s, Workspace& memory) {
  if (is_pointwise(s) && positions_fold(s.out, s.y_s) && (s.w_i == 1 || s.w_o == 1)) return weight_grad_pointwise(pool, s, memory);
  constexpr int64_t nr = kNr<float>;
  const int64_t images = images_per_pass(s, true), positions = s.positions(), depth = s.depth();
  WeightGrad job{};
  job.pool = pool;
  job.s = &s;
  job.p = plan_padded(s, true, images);
  const bool in_place = s.y_c == 1 && positions_fold(s.out, s.y_s) && (s.batch == 1 || s.y_n == s.y_s[2] * positions);
  float* padded = memory.take<float>(job.p.elements + 2 * nr);
  float* features = memory.take<float>(in_place ? 0 : images * positions * s.groups * s.co);
  int64_t* bases = memory.take<int64_t>(positions);
  int64_t* offsets = memory.take<int64_t>(depth);
  job.sums = memory.take<float>(s.groups * s.co * depth);
  if (!memory.ready()) return Status::ok;
  for (int64_t i = 0; i < positions; ++i) bases[i] = position_base(s, job.p, i);
  fill_tap_offsets(s, job.p, offsets);
  job.bases = bases;
  job.offsets = offsets;
  job.limit = job.p.in_place ? input_limit(s) : padded + job.p.elements + 2 * nr;
  job.g_row = in_place ? s.y_s[2] : s.groups * s.co;
  job.g_group = in_place ? s.y_group : s.co;
  job.row_blocks = ceil_div(s.co, kConvRows);
  for (int64_t n0 = 0; n0 < s.batch; n0 += images) {
    job.images = min64(images, s.batch - n0);
    job.first = n0 == 0;
    if (job.p.in_place) {
      job.p.data = s.x + n0 * job.p.n_stride * int64_t(sizeof(float));
    } else {
      job.p.data = reinterpret_cast<char*>(padded);
      fill_padded(pool, s, job.p, n0, job.images, padded);
    }
    job.g = in_place ? reinterpret_cast<const float*>(s.y) + n0 * s.y_n : features;
    if (!in_place) gather_features(pool, s, n0, job.images, features);
    parallel_for(pool, s.groups * ceil_div(depth, nr) * job.row_blocks, weight_grad_task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  store_weights(pool, s, job.sums);
  return Status::ok;
}

inline void clear(const Operand& out) {
  const int64_t bytes = element_count(out) * element_size(out.dtype);
  for (int64_t i = 0; i < bytes; ++i) out.data[i] = 0;
}

inline Status conv_input_grad(KernelCall& call) {
  ConvInts c;
  ConvShape f;
  if (call.n_in != 2 || !parse_conv_ints(call, &c) || c.activation != kActNone) return Status::unsupported;
  const Operand &g = call.in[0], &w = call.in[1], &dx = call.out[0];
  if (!make_conv(c, dx, w, g, &f) || g.dtype != w.dtype || g.dtype != dx.dtype) return Status::unsupported;
  if (element_count(dx) == 0) return Status::ok;
  if (element_count(g) == 0 || element_count(w) == 0) {
    clear(dx);
    return Status::ok;
  }
  const ConvShape s = input_grad_shape(f, element_size(dx.dtype));
  return with_workspace(call.pool, [&](Workspace& memory) {
    if (dx.dtype == DType::f32) return conv_f32(call.pool, s, nullptr, kActNone, memory);
    return conv_generic(call.pool, s, g.dtype, nullptr, kActNone, memory);
  });
}

inline Status conv_weight_grad(KernelCall& call) {
  ConvInts c;
  ConvShape f;
  if (call.n_in != 2 || !parse_conv_ints(call, &c) || c.activation != kActNone) return Status::unsupported;
  const Operand &x = call.in[0], &g = call.in[1], &dw = call.out[0];
  if (!make_conv(c, x, dw, g, &f) || x.dtype != g.dtype || x.dtype != dw.dtype) return Status::unsupported;
  if (element_count(dw) == 0) return Status::ok;
  if (element_count(x) == 0 || element_count(g) == 0) {
    clear(dw);
    return Status::ok;
  }
  return with_workspace(call.pool, [&](Workspace& memory) {
    if (x.dtype == DType::f32) return weight_grad_f32(call.pool, f, memory);
    return conv_generic(call.pool, weight_grad_shape(f), x.dtype, nullptr, kActNone, memory);
  });
}

static const KernelEntry kConvGradKernels[] = {{"conv_input_grad", conv_input_grad}, {"conv_weight_grad", conv_weight_grad}};

}  // namespace
}  // namespace kaimo
