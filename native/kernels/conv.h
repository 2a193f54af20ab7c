// convolution (StableHLO): input, kernel [, bias [, scale]] -> out. Attributes: conv_shape.h. bias, scale: one element an output feature, any
// stride; out = act(convolution * scale + bias), a scale for f32 only.
// f32 runs as an implicit matrix product in the layout of the output (features or positions innermost), 1x1 kernels as a plain one,
// one channel a group by a direct kernel; every other dtype and layout through an explicit im2col. Padding is a zero that takes part.
#pragma once
#include "conv_depthwise.h"
#include "conv_winograd.h"

namespace kaimo {
namespace {

inline bool is_pointwise(const ConvShape& s) {
  for (int d = 0; d < kSpatial; ++d) {
    if (s.taps[d] != 1 || s.stride[d] != 1 || s.lo[d] != 0 || s.ldil[d] != 1 || s.out[d] != s.in[d]) return false;
  }
  return positions_fold(s.in, s.x_s);
}

// 1x1: y = W x on the operands as they are.
inline Status conv_pointwise(Pool* pool, const ConvShape& s, bool channels_last, const ConvEnd& end, Workspace& memory) {
  const float *x = reinterpret_cast<const float*>(s.x), *w = reinterpret_cast<const float*>(s.w);
  Gemm<float> g;
  g.k = s.ci;
  g.c = reinterpret_cast<float*>(s.y);
  g.epilogue = end.epilogue(!channels_last);
  g.batch.push(s.groups, channels_last ? s.x_group : s.w_group, channels_last ? s.w_group : s.x_group, s.y_group);
  if (channels_last) {
    const bool fold = s.x_n == s.x_s[2] * s.positions() && s.y_n == s.y_s[2] * s.positions();
    g.m = s.positions() * (fold ? s.batch : 1);
    if (!fold) g.batch.push(s.batch, s.x_n, 0, s.y_n);
    g.n = s.co;
    g.a = x;
    g.a_rs = s.x_s[2];
    g.a_cs = s.x_c;
    g.b = w;
    g.b_rs = s.w_i;
    g.b_cs = s.w_o;
    g.ldc = s.y_s[2];
  } else {
    g.batch.push(s.batch, 0, s.x_n, s.y_n);
    g.m = s.co;
    g.n = s.positions();
    g.a = w;
    g.a_rs = s.w_o;
    g.a_cs = s.w_i;
    g.b = x;
    g.b_rs = s.x_c;
    g.b_cs = s.x_s[2];
    g.ldc = s.y_c;
  }
  void* workspace = memory.take<char>(int64_t(gemm_workspace(g)));
  return memory.ready() ? matrix_product(pool, g, workspace) : Status::ok;
}

constexpr int64_t kLongSum = 64;

inline Status conv_dense_f32(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
  const bool rows_fold = positions_fold(s.out, s.y_s) && (s.batch == 1 || s.y_n == s.y_s[2] * s.positions());
  const bool channels_last = (s.y_c == 1 || s.co == 1) && rows_fold;
  const bool channels_first = s.y_s[2] == 1 && positions_fold(s.out, s.y_s);
  if (is_depthwise(s) && channels_first) return depthwise_cols(pool, s, end, memory);
  if (is_depthwise(s) && s.y_group == 1 && rows_fold) return depthwise_rows(pool, s, end, memory);
  const bool many_rows = channels_last && kRowsInPlace && s.batch * s.positions() > kFewRows;  // no packing of rows in conv_rows
  if (is_pointwise(s) && (channels_first || (channels_last && !many_rows)) && (s.groups == 1 || !end.bias)) {
    return conv_pointwise(pool, s, !channels_first, end, memory);
  }
  if (worth_winograd(s)) {
    const size_t before = memory.used();
    bool used = false;
    const Status status = conv_winograd(pool, s, end, memory, &used);
    if (used || status != Status::ok) return status;
    memory.rewind(before);
  }
  // Rows by way of blocks that are transposed at the end, where the sums are long and features fill a panel.
  const bool by_rows = kRowsInPlace && s.co >= kNr<float> && s.depth() >= kLongSum && s.batch * s.positions() > kFewRows;
  if (channels_first && !by_rows && !(channels_last && s.co > 1)) return conv_cols(pool, s, end, memory);
  return conv_rows(pool, s, end, memory);
}

// The outputs o = r + l q of a dilated input (stride 1) for one r a dim: an undilated convolution with every (l / gcd)-th tap.
// False where no tap meets an element.
inline bool phase_shape(const ConvShape& s, const int64_t* r, ConvShape* phase) {
  *phase = s;
  bool any = true;
  for (int d = 0; d < kSpatial; ++d) {
    const int64_t l = s.ldil[d];
    int64_t first = 0, step = 1;
    while (first < s.taps[d] && (r[d] - s.lo[d] + first * s.rdil[d]) % l != 0) ++first;
    while (step * s.rdil[d] % l != 0) ++step;
    any = any && first < s.taps[d];
    phase->out[d] = (s.out[d] - r[d] + l - 1) / l;
    phase->taps[d] = first < s.taps[d] ? (s.taps[d] - 1 - first) / step + 1 : 0;
    phase->w += first * s.w_s[d] * int64_t(sizeof(float));
    phase->w_s[d] = step * s.w_s[d];
    phase->y += r[d] * s.y_s[d] * int64_t(sizeof(float));
    phase->y_s[d] = l * s.y_s[d];
    phase->lo[d] = -(r[d] - s.lo[d] + first * s.rdil[d]) / l;
    phase->rdil[d] = step * s.rdil[d] / l;
    phase->ldil[d] = 1;
  }
  return any;
}

// Outputs that no tap reaches: the bias under the activation.
inline void fill_untouched(Pool* pool, const ConvShape& s, const ConvEnd& after) {
  const int64_t lines = s.out[0] * s.out[1], features = s.groups * s.co;
  const bool plain = s.y_c == 1 && !after.bias;
  parallel_ranges(pool, s.batch * lines, double(s.out[2] * features) * 0.4, [&](int64_t begin, int64_t end, int) {
    for (int64_t i = begin; i < end; ++i) {
      float* line = reinterpret_cast<float*>(s.y) + i / lines * s.y_n + i % lines / s.out[1] * s.y_s[0] + i % s.out[1] * s.y_s[1];
      for (int64_t g = 0; g < s.groups; ++g) {
        for (int64_t w = 0; w < s.out[2] && plain; ++w) __builtin_memset(line + g * s.y_group + w * s.y_s[2], 0, sizeof(float) * size_t(s.co));
        for (int64_t c = 0; c < s.co && !plain; ++c) {
          const float v = after.apply(0, g * s.co + c);
          float* to = line + g * s.y_group + c * s.y_c;
          for (int64_t w = 0; w < s.out[2]; ++w) to[w * s.y_s[2]] = v;
        }
      }
    }
  });
}

// A dilated input (transposed convolution, gradient of a strided one) phase by phase, so that no inserted zero is multiplied.
// The zeros between elements do take part in the definition: 0 * inf is lost where a weight is infinite.
inline Status conv_phases(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
  const size_t used = memory.used();
  int64_t r[kSpatial];
  for (r[0] = 0; r[0] < min64(s.ldil[0], s.out[0]); ++r[0]) {
    for (r[1] = 0; r[1] < min64(s.ldil[1], s.out[1]); ++r[1]) {
      for (r[2] = 0; r[2] < min64(s.ldil[2], s.out[2]); ++r[2]) {
        ConvShape phase;
        if (!phase_shape(s, r, &phase)) {
          if (memory.ready()) fill_untouched(pool, phase, end);
          continue;
        }
        memory.rewind(used);
        const Status status = conv_dense_f32(pool, phase, end, memory);
        if (status != Status::ok) return status;
      }
    }
  }
  return Status::ok;
}

inline Status conv_f32(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
  bool phases = false, strided = false;
  for (int d = 0; d < kSpatial; ++d) {
    phases = phases || s.ldil[d] > 1;
    strided = strided || s.stride[d] > 1;
  }
  return phases && !strided ? conv_phases(pool, s, end, memory) : conv_dense_f32(pool, s, end, memory);
}

// ---- every other dtype: rows of im2col as a dense matrix, image by image ----

// rows[position][k], k = (ci, taps), of one image and group whose padded data starts at x.
inline void gather_rows(Pool* pool, const ConvShape& s, const PaddedInput& p, const char* x, DType dtype, const int64_t* offsets, char* rows) {
  const int64_t depth = s.depth();
  with_element_size(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    parallel_ranges(pool, s.positions(), double(depth), [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const T* src = reinterpret_cast<const T*>(x) + position_base(s, p, r);
        T* out = reinterpret_cast<T*>(rows) + r * depth;
        for (int64_t k = 0; k < depth; ++k) out[k] = src[offsets[k]];
      }
    });
    return Status::ok;
  });
}

// Copies a dense [d][h][w][co] result into y's strides.
inline void scatter_result(const ConvShape& s, const Operand& from, char* y) {
  with_element_size(from.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* src = reinterpret_cast<const T*>(from.data);
    for (int64_t p = 0; p < s.positions(); ++p) {
      const int64_t w = p % s.out[2], h = p / s.out[2] % s.out[1], d = p / s.out[2] / s.out[1];
      T* to = reinterpret_cast<T*>(y) + d * s.y_s[0] + h * s.y_s[1] + w * s.y_s[2];
      for (int64_t c = 0; c < s.co; ++c) to[c * s.y_c] = *src++;
    }
    return Status::ok;
  });
}

inline Status multiply_rows(Pool* pool, const ConvShape& s, DType dtype, const char* rows, const char* weights, char* result,
                            const char* bias, int64_t activation) {
  GenericJob job{};
  job.pool = pool;
  job.f.m = s.positions();
  job.f.n = s.co;
  job.f.k = s.depth();
  job.f.a = rows;
  job.f.a_rs = s.depth();
  job.f.a_cs = 1;
  job.f.b = weights;
  job.f.b_rs = 1;
  job.f.b_cs = s.depth();
  job.f.ldc = s.co;
  job.dtype = dtype;
  job.out = result;
  job.bias = bias;
  job.activation = activation;
  return run_generic(job);
}

inline Status conv_generic(Pool* pool, const ConvShape& s, DType dtype, const char* bias, int64_t activation, Workspace& memory) {
  const int64_t size = element_size(dtype), positions = s.positions(), depth = s.depth();
  PaddedInput p = plan_padded(s, false, 1);
  const Operand weights = weight_view(s, dtype);
  char* padded = memory.take<char>(p.elements * size);
  char* copied = memory.take<char>(element_count(weights) * size);
  int64_t* offsets = memory.take<int64_t>(depth);
  char* rows = memory.take<char>(positions * depth * size);
  char* result = memory.take<char>(positions * s.co * size);
  if (!memory.ready()) return Status::ok;
  fill_offsets(s, p, offsets);
  copy_in_order(pool, weights, kIdentityOrder, copied);
  for (int64_t n = 0; n < s.batch; ++n) {
    if (p.in_place) {
      p.data = s.x + n * p.n_stride * size;
    } else {
      with_element_size(dtype, [&](auto tag) {
        using T = typename decltype(tag)::type;
        fill_padded<T>(pool, s, p, n, 1, reinterpret_cast<T*>(padded));
        return Status::ok;
      });
      p.data = padded;
    }
    for (int64_t g = 0; g < s.groups; ++g) {
      gather_rows(pool, s, p, p.data + g * p.group_stride * size, dtype, offsets, rows);
      const Status status = multiply_rows(pool, s, dtype, rows, copied + g * s.co * depth * size, result,
                                          bias ? bias + g * s.co * size : nullptr, activation);
      if (status != Status::ok) return status;
      Operand from{result, dtype, 4, {s.out[0], s.out[1], s.out[2], s.co}, {s.out[1] * s.out[2] * s.co, s.out[2] * s.co, s.co, 1}};
      scatter_result(s, from, s.y + (g * s.y_group + n * s.y_n) * size);
    }
  }
  return Status::ok;
}

// ---- kernel ----

// y of an empty sum: the bias under the activation, or zeros. Every dtype has all-zero bits for zero.
inline Status conv_empty_sum(KernelCall& call, const ConvInts& c) {
  const Operand& out = call.out[0];
  const int64_t bytes = element_count(out) * element_size(out.dtype);
  for (int64_t i = 0; i < bytes; ++i) out.data[i] = 0;
  if (call.n_in < 3) return Status::ok;
  const int64_t size = element_size(out.dtype), feature = c.output[1];
  int64_t inner = 1;
  for (int d = int(feature) + 1; d < out.rank; ++d) inner *= out.dims[d];
  for (int64_t i = 0; i < element_count(out); ++i) {
    const int64_t f = i / inner % out.dims[feature];
    __builtin_memcpy(out.data + i * size, call.in[2].data + f * call.in[2].strides[0] * size, size_t(size));
  }
  return c.activation == kActNone ? Status::ok : Status::unsupported;
}

inline Status convolution(KernelCall& call) {
  ConvInts c;
  ConvShape s;
  if (call.n_in < 2 || call.n_in > 4 || !parse_conv_ints(call, &c)) return Status::unsupported;
  const Operand &x = call.in[0], &w = call.in[1], &y = call.out[0];
  if (!make_conv(c, x, w, y, &s) || x.dtype != w.dtype || x.dtype != y.dtype) return Status::unsupported;
  const Operand* bias = call.n_in >= 3 ? &call.in[2] : nullptr;
  const Operand* scale = call.n_in == 4 ? &call.in[3] : nullptr;
  const Operand* const ends[] = {bias, scale};
  for (const Operand* each : ends) {
    if (each && (each->dtype != x.dtype || each->rank != 1 || each->dims[0] != s.groups * s.co)) return Status::unsupported;
  }
  if (scale && x.dtype != DType::f32) return Status::unsupported;
  if (c.activation != kActNone && !is_float(x.dtype)) return Status::unsupported;
  if (element_count(y) == 0) return Status::ok;
  if (s.depth() == 0) return conv_empty_sum(call, c);
  return with_workspace(call.pool, [&](Workspace& memory) {
    char* dense_bias = memory.take<char>(bias ? bias->dims[0] * element_size(bias->dtype) : 0);
    char* dense_scale = memory.take<char>(scale ? scale->dims[0] * element_size(scale->dtype) : 0);
    if (!bias) dense_bias = nullptr;
    if (!scale) dense_scale = nullptr;
    if (bias && memory.ready()) copy_in_order(call.pool, *bias, kIdentityOrder, dense_bias);
    if (scale && memory.ready()) copy_in_order(call.pool, *scale, kIdentityOrder, dense_scale);
    if (x.dtype == DType::f32) return conv_f32(call.pool, s, {reinterpret_cast<const float*>(dense_bias), reinterpret_cast<const float*>(dense_scale), c.activation}, memory);
    return conv_generic(call.pool, s, x.dtype, dense_bias, c.activation, memory);
  });
}

static const KernelEntry kConvolutionKernels[] = {{"convolution", convolution}};

}  // namespace
}  // namespace kaimo
