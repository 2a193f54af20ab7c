// The geometry of a convolution (StableHLO), its gradients among them, with every layout reduced to strides.
//   ints = {R, input_batch, input_feature, input_spatial[R], kernel_input_feature, kernel_output_feature, kernel_spatial[R],
//           output_batch, output_feature, output_spatial[R], strides[R], padding_low[R], padding_high[R], lhs_dilation[R],
//           rhs_dilation[R], feature_group_count, batch_group_count, activation},  0 <= R <= 3
// The gradient kernels take the ints of the forward convolution.
#pragma once
#include "dot_generic.h"

namespace kaimo {
namespace {

constexpr int kSpatial = 3;  // fewer spatial dims are padded on the left with extents of 1

// y[group, n, co, p] = sum over taps t and ci of x[group, n, ci, p * stride - lo + t * rdil] w[group, ci, co, t], where x is dilated by
// ldil and zero outside. Strides in elements; data pointers point at element 0 of each operand.
struct ConvShape {
  int64_t groups, batch, ci, co;  // batch, ci, co of one group
  int64_t in[kSpatial], taps[kSpatial], out[kSpatial];
  int64_t stride[kSpatial], lo[kSpatial], ldil[kSpatial], rdil[kSpatial];
  const char *x, *w;
  char* y;
  int64_t x_group, x_n, x_c, x_s[kSpatial];
  int64_t w_group, w_i, w_o, w_s[kSpatial];
  int64_t y_group, y_n, y_c, y_s[kSpatial];

  int64_t tap_count() const { return taps[0] * taps[1] * taps[2]; }
  int64_t positions() const { return out[0] * out[1] * out[2]; }
  int64_t depth() const { return ci * tap_count(); }
  // Extent of the dilated and padded input that the windows cover.
  int64_t covered(int d) const { return (out[d] - 1) * stride[d] + (taps[d] - 1) * rdil[d] + 1; }
};

// Whether dims d of y are one run of stride y_s[2].
inline bool positions_fold(const int64_t* extent, const int64_t* strides) {
  return (extent[1] == 1 || strides[1] == strides[2] * extent[2]) && (extent[0] == 1 || strides[0] == strides[2] * extent[2] * extent[1]);
}

struct ConvInts {
  int64_t rank, feature_groups, batch_groups, activation;
  const int64_t *input, *kernel, *output, *stride, *lo, *hi, *ldil, *rdil;
};

inline bool valid_dims(const int64_t* dims, int count) {
  bool seen[kSpatial + 2] = {};
  for (int i = 0; i < count; ++i) {
    if (dims[i] < 0 || dims[i] >= count || seen[dims[i]]) return false;
    seen[dims[i]] = true;
  }
  return true;
}

inline bool parse_conv_ints(const KernelCall& call, ConvInts* c) {
  if (call.n_ints < 1 || call.ints[0] < 0 || call.ints[0] > kSpatial) return false;
  const int64_t r = c->rank = call.ints[0];
  if (call.n_ints != 1 + 3 * (2 + r) + 5 * r + 3) return false;
  c->input = call.ints + 1;
  c->kernel = c->input + 2 + r;
  c->output = c->kernel + 2 + r;
  c->stride = c->output + 2 + r;
  c->lo = c->stride + r;
  c->hi = c->lo + r;
  c->ldil = c->hi + r;
  c->rdil = c->ldil + r;
  c->feature_groups = c->rdil[r];
  c->batch_groups = c->rdil[r + 1];
  c->activation = c->rdil[r + 2];
  const int n = int(r) + 2;
  return valid_dims(c->input, n) && valid_dims(c->kernel, n) && valid_dims(c->output, n) && c->feature_groups > 0 && c->batch_groups > 0 &&
         (c->feature_groups == 1 || c->batch_groups == 1) && c->activation >= 0 && c->activation <= kActRelu;
}

// Fills dim d of the shape from spatial dim i; false where the output's extent does not follow from the window.
inline bool conv_spatial(const ConvInts& c, const Operand& x, const Operand& w, const Operand& y, int i, int d, ConvShape* s) {
  const int64_t xd = c.input[2 + i], wd = c.kernel[2 + i], yd = c.output[2 + i];
  s->in[d] = x.dims[xd];
  s->taps[d] = w.dims[wd];
  s->out[d] = y.dims[yd];
  s->x_s[d] = x.strides[xd];
  s->w_s[d] = w.strides[wd];
  s->y_s[d] = y.strides[yd];
  s->stride[d] = c.stride[i];
  s->lo[d] = c.lo[i];
  s->ldil[d] = c.ldil[i];
  s->rdil[d] = c.rdil[i];
  if (c.stride[i] < 1 || c.ldil[i] < 1 || c.rdil[i] < 1) return false;
  const int64_t dilated = s->in[d] == 0 ? 0 : (s->in[d] - 1) * s->ldil[d] + 1;
  const int64_t window = s->taps[d] == 0 ? 0 : (s->taps[d] - 1) * s->rdil[d] + 1;
  const int64_t room = dilated + c.lo[i] + c.hi[i] - window;
  return s->out[d] == (room < 0 ? 0 : room / s->stride[d] + 1);
}

// The forward convolution of input x and kernel w to y, whichever of them the kernel call reads or writes.
inline bool make_conv(const ConvInts& c, const Operand& x, const Operand& w, const Operand& y, ConvShape* s) {
  const int rank = int(c.rank) + 2;
  if (x.rank != rank || w.rank != rank || y.rank != rank) return false;
  for (int d = 0; d < kSpatial; ++d) {
    s->in[d] = s->taps[d] = s->out[d] = s->stride[d] = s->ldil[d] = s->rdil[d] = 1;
    s->lo[d] = s->x_s[d] = s->w_s[d] = s->y_s[d] = 0;
  }
  for (int i = 0; i < c.rank; ++i) {
    if (!conv_spatial(c, x, w, y, i, kSpatial - int(c.rank) + i, s)) return false;
  }
  const int64_t groups = c.feature_groups * c.batch_groups;
  s->groups = groups;
  s->x = x.data;
  s->w = w.data;
  s->y = y.data;
  s->x_n = x.strides[c.input[0]];
  s->x_c = x.strides[c.input[1]];
  s->w_i = w.strides[c.kernel[0]];
  s->w_o = w.strides[c.kernel[1]];
  s->y_n = y.strides[c.output[0]];
  s->y_c = y.strides[c.output[1]];
  s->batch = y.dims[c.output[0]];
  s->ci = w.dims[c.kernel[0]];
  const int64_t features = w.dims[c.kernel[1]];
  if (features % groups || y.dims[c.output[1]] != features) return false;
  s->co = features / groups;
  if (x.dims[c.input[1]] != s->ci * c.feature_groups || x.dims[c.input[0]] != s->batch * c.batch_groups) return false;
  s->x_group = c.batch_groups > 1 ? s->batch * s->x_n : s->ci * s->x_c;
  s->w_group = s->co * s->w_o;
  s->y_group = s->co * s->y_c;
  return true;
}

// The gradient by the input as a convolution of the gradient by the output: features change roles, taps run backwards, and strides
// and dilations of the input change places. `dx` takes the place of y. (Dumoulin and Visin, "A guide to convolution arithmetic", 2016.)
inline ConvShape input_grad_shape(const ConvShape& f, int64_t element_bytes) {
  ConvShape g = f;
  g.ci = f.co;
  g.co = f.ci;
  g.x = f.y;
  g.y = const_cast<char*>(f.x);
  g.x_group = f.y_group;
  g.x_n = f.y_n;
  g.x_c = f.y_c;
  g.y_group = f.x_group;
  g.y_n = f.x_n;
  g.y_c = f.x_c;
  g.w_i = f.w_o;
  g.w_o = f.w_i;
  for (int d = 0; d < kSpatial; ++d) {
    g.in[d] = f.out[d];
    g.out[d] = f.in[d];
    g.x_s[d] = f.y_s[d];
    g.y_s[d] = f.x_s[d];
    g.stride[d] = f.ldil[d];
    g.ldil[d] = f.stride[d];
    g.lo[d] = (f.taps[d] - 1) * f.rdil[d] - f.lo[d];
    g.w_s[d] = -f.w_s[d];
    g.w += f.w_s[d] * (f.taps[d] - 1) * element_bytes;
  }
  return g;
}

// The gradient by the kernel as a convolution of the input: batch and input features change roles, positions become taps.
inline ConvShape weight_grad_shape(const ConvShape& f) {
  ConvShape g = f;
  g.batch = f.ci;
  g.ci = f.batch;
  g.x_n = f.x_c;
  g.x_c = f.x_n;
  g.w = f.y;
  g.y = const_cast<char*>(f.w);
  g.w_group = f.y_group;
  g.w_i = f.y_n;
  g.w_o = f.y_c;
  g.y_group = f.w_group;
  g.y_n = f.w_i;
  g.y_c = f.w_o;
  for (int d = 0; d < kSpatial; ++d) {
    g.taps[d] = f.out[d];
    g.out[d] = f.taps[d];
    g.w_s[d] = f.y_s[d];
    g.y_s[d] = f.w_s[d];
    g.stride[d] = f.rdil[d];
    g.rdil[d] = f.stride[d];
  }
  return g;
}

// What follows the sum of every output: act(sum * scale[feature] + bias[feature]); scale or both may be null, act is none or relu.
struct ConvEnd {
  const float *bias = nullptr, *scale = nullptr;
  int64_t activation = kActNone;

  float apply(float sum, int64_t feature) const {
    if (scale) sum *= scale[feature];
    if (bias) sum += bias[feature];
    return activation == kActRelu && sum <= 0 ? 0 : sum;
  }
  // For a product whose rows, or else columns, are features.
  Epilogue<float> epilogue(bool rows) const {
    Epilogue<float> e;
    e.bias = bias;
    e.scale = scale;
    e.bias_rs = rows;
    e.bias_cs = !rows;
    e.act = activation;
    return e;
  }
};

// The weights as an operand with dims group, co, ci, taps.
inline Operand weight_view(const ConvShape& s, DType dtype = DType::f32) {
  Operand w{};
  w.data = const_cast<char*>(s.w);
  w.dtype = dtype;
  w.rank = 3 + kSpatial;
  w.dims[0] = s.groups;
  w.dims[1] = s.co;
  w.dims[2] = s.ci;
  w.strides[0] = s.w_group;
  w.strides[1] = s.w_o;
  w.strides[2] = s.w_i;
  for (int d = 0; d < kSpatial; ++d) {
    w.dims[3 + d] = s.taps[d];
    w.strides[3 + d] = s.w_s[d];
  }
  return w;
}

}  // namespace
}  // namespace kaimo
