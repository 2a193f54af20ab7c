// Convolution with one input channel a group: a sum of shifted rows, no matrix product.
#pragma once
#include "conv_cols.h"

namespace kaimo {
namespace {

inline bool is_depthwise(const ConvShape& s) { return s.groups > 1 && s.ci == 1; }

struct Depthwise {
  Pool* pool;
  const ConvShape* s;
  PaddedInput p;
  const float* limit;
  const float* w;  // cols: [group][co][tap]; rows: [tap][channel]
  const int64_t* offsets;
  ConvEnd end;
  int64_t n0, images, channels;
  int64_t max_offset;
};

// n elements of one output row: sum over taps of w[t] * x[offset[t] + i * step], `vectors` registers at a time.
template <int vectors, int step>
KAIMO_INLINE void depthwise_vectors(float* y, const float* x, const float* w, const int64_t* offsets, int64_t taps, float scale, float bias, bool act) {
  constexpr int n = Vec<float>::n;
  vf32 acc[vectors] = {};
  for (int64_t t = 0; t < taps; ++t) {
    const vf32 wt = vsplat(w[t]);
    const float* src = x + offsets[t];
    KAIMO_UNROLL(4)
    for (int v = 0; v < vectors; ++v) acc[v] = vfma(wt, step == 1 ? vload(src + v * n) : vload_even(src + v * n * 2), acc[v]);
  }
  for (int v = 0; v < vectors; ++v) {
    const vf32 r = acc[v] * vsplat(scale) + vsplat(bias);
    vstore(y + v * n, act ? relu(r) : r);
  }
}

template <int step>
KAIMO_NOINLINE void depthwise_line(const Depthwise& job, float* y, const float* x, const float* w, float scale, float bias) {
  constexpr int n = Vec<float>::n;
  const int64_t len = job.s->out[2], taps = job.s->tap_count(), stride = job.s->stride[2] * job.p.s[2];
  int64_t i = 0;
  const float* last = job.limit - job.max_offset - 4 * n * step;
  if (step <= 2) {
    for (; i + 4 * n <= len && x + i * step <= last; i += 4 * n) depthwise_vectors<4, step>(y + i, x + i * step, w, job.offsets, taps, scale, bias, job.end.activation == kActRelu);
    for (; i + n <= len && x + i * step <= last; i += n) depthwise_vectors<1, step>(y + i, x + i * step, w, job.offsets, taps, scale, bias, job.end.activation == kActRelu);
    if (i < len && x + i * step <= last) {
      float rest[n];
      depthwise_vectors<1, step>(rest, x + i * step, w, job.offsets, taps, scale, bias, job.end.activation == kActRelu);
      for (int64_t j = 0; i < len; ++i, ++j) y[i] = rest[j];
    }
  }
  for (; i < len; ++i) {
    float sum = 0;
    for (int64_t t = 0; t < taps; ++t) sum = sfma(w[t], x[job.offsets[t] + i * stride], sum);
    sum = sum * scale + bias;
    y[i] = job.end.activation == kActRelu && sum <= 0 ? 0 : sum;
  }
}

// NCHW: one task a plane of the output.
inline void depthwise_plane(const Depthwise& job, int64_t plane) {
  const ConvShape& s = *job.s;
  const int64_t m = plane % s.co, g = plane / s.co % s.groups, n = plane / s.co / s.groups;
  const float* x = reinterpret_cast<const float*>(job.p.data) + g * job.p.group_stride + n * job.p.n_stride;
  const float* w = job.w + (g * s.co + m) * s.tap_count();
  const int64_t feature = g * s.co + m;
  const float bias = job.end.bias ? job.end.bias[feature] : 0, scale = job.end.scale ? job.end.scale[feature] : 1;
  const int64_t step = s.stride[2] * job.p.s[2];
  for (int64_t d = 0; d < s.out[0]; ++d) {
    for (int64_t h = 0; h < s.out[1]; ++h) {
      float* y = reinterpret_cast<float*>(s.y) + (job.n0 + n) * s.y_n + g * s.y_group + m * s.y_c + d * s.y_s[0] + h * s.y_s[1];
      const float* row = x + d * s.stride[0] * job.p.s[0] + h * s.stride[1] * job.p.s[1];
      (step == 1 ? depthwise_line<1> : step == 2 ? depthwise_line<2> : depthwise_line<3>)(job, y, row, w, scale, bias);
    }
  }
}

inline Status depthwise_cols(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
  constexpr int64_t slack = 8 * Vec<float>::n;
  const int64_t images = images_per_pass(s, false);
  Depthwise job{pool, &s, plan_padded(s, false, images), nullptr, nullptr, nullptr, end, 0, 0, 0, 0};
  const Operand weights = weight_view(s);
  float* padded = memory.take<float>(job.p.elements + slack);
  float* copied = memory.take<float>(element_count(weights));
  int64_t* offsets = memory.take<int64_t>(s.tap_count());
  if (!memory.ready()) return Status::ok;
  copy_in_order(pool, weights, kIdentityOrder, reinterpret_cast<char*>(copied));
  fill_offsets(s, job.p, offsets);
  job.w = copied;
  job.offsets = offsets;
  for (int64_t t = 0; t < s.tap_count(); ++t) job.max_offset = max64(job.max_offset, offsets[t]);
  const double cost = double(s.positions()) * double(s.tap_count()) * 0.1;
  for (; job.n0 < s.batch; job.n0 += images) {
    job.images = min64(images, s.batch - job.n0);
    if (job.p.in_place) {
      job.p.data = s.x + job.n0 * job.p.n_stride * int64_t(sizeof(float));
      job.limit = input_limit(s);
    } else {
      job.p.data = reinterpret_cast<char*>(padded);
      job.limit = padded + job.p.elements + slack;
      fill_padded(pool, s, job.p, job.n0, job.images, padded);
    }
    parallel_ranges(pool, job.images * s.groups * s.co, cost, [&](int64_t begin, int64_t end, int) {
      for (int64_t plane = begin; plane < end; ++plane) depthwise_plane(job, plane);
    });
  }
  return Status::ok;
}

// NHWC: one output position, channels along the registers.
KAIMO_NOINLINE void depthwise_position(const Depthwise& job, float* y, const float* x) {
  constexpr int n = Vec<float>::n;
  const int64_t taps = job.s->tap_count(), channels = job.channels;
  int64_t c = 0;
  for (; c + 2 * n <= channels; c += 2 * n) {
    vf32 a = {}, b = {};
    for (int64_t t = 0; t < taps; ++t) {
      const float *src = x + job.offsets[t] + c, *w = job.w + t * channels + c;
      a = vfma(vload(w), vload(src), a);
      b = vfma(vload(w + n), vload(src + n), b);
    }
    if (job.end.scale) {
      a *= vload(job.end.scale + c);
      b *= vload(job.end.scale + c + n);
    }
    if (job.end.bias) {
      a += vload(job.end.bias + c);
      b += vload(job.end.bias + c + n);
    }
    const bool act = job.end.activation == kActRelu;
    vstore(y + c, act ? relu(a) : a);
    vstore(y + c + n, act ? relu(b) : b);
  }
  for (; c < channels; ++c) {
    float sum = 0;
    for (int64_t t = 0; t < taps; ++t) sum = sfma(job.w[t * channels + c], x[job.offsets[t] + c], sum);
    y[c] = job.end.apply(sum, c);
  }
}

inline Status depthwise_rows(Pool* pool, const ConvShape& s, const ConvEnd& end, Workspace& memory) {
  ConvShape t = s;  // the groups as channels of one image
  t.ci = t.co = s.groups;
  t.groups = 1;
  t.x_c = s.x_group;
  const int64_t images = images_per_pass(t, true);
  Depthwise job{pool, &t, plan_padded(t, true, images), nullptr, nullptr, nullptr, end, 0, 0, s.groups, 0};
  const Operand weights = weight_view(s);
  float* padded = memory.take<float>(job.p.elements);
  float* copied = memory.take<float>(element_count(weights));
  int64_t* offsets = memory.take<int64_t>(s.tap_count());
  if (!memory.ready()) return Status::ok;
  const int64_t order[] = {3, 4, 5, 1, 2, 0};
  copy_in_order(pool, weights, order, reinterpret_cast<char*>(copied));
  fill_offsets(s, job.p, offsets);
  job.w = copied;
  job.offsets = offsets;
  const int64_t positions = s.positions();
  for (; job.n0 < s.batch; job.n0 += images) {
    job.images = min64(images, s.batch - job.n0);
    if (job.p.in_place) {
      job.p.data = s.x + job.n0 * job.p.n_stride * int64_t(sizeof(float));
    } else {
      job.p.data = reinterpret_cast<char*>(padded);
      fill_padded(pool, t, job.p, job.n0, job.images, padded);
    }
    parallel_ranges(pool, job.images * positions, double(s.groups * s.tap_count()) * 0.1, [&](int64_t begin, int64_t end, int) {
      for (int64_t r = begin; r < end; ++r) {
        const float* x = reinterpret_cast<const float*>(job.p.data) + r / positions * job.p.n_stride + position_base(s, job.p, r % positions);
        depthwise_position(job, reinterpret_cast<float*>(s.y) + (job.n0 + r / positions) * s.y_n + r % positions * s.y_s[2], x);
      }
    });
  }
  return Status::ok;
}

}  // namespace
}  // namespace kaimo
