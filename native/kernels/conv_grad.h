// conv_input_grad: grad_out, kernel -> grad_input.  conv_weight_grad: input, grad_out -> grad_kernel.
// ints: those of the forward convolution (conv_shape.h), activation 0; the result's dims give the rest.
// Both add in an order that depends on shapes alone.
#pragma once
#include "conv_scatter_grad.h"
#include "conv_weight_grad.h"

namespace kaimo {
namespace {

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
    if (dx.dtype == DType::f32 && worth_scatter_grad(f)) return conv_scatter_grad(call.pool, f, memory);
    if (dx.dtype == DType::f32) return conv_f32(call.pool, s, ConvEnd{}, memory);
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
