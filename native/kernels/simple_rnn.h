// rnn and rnn_grad: all steps of one plain recurrent layer in one direction (Elman 1990).
//   rnn      in = projected [T, N, H] (dense), weight [H, H], h0 [N, H], mask bool [T, N]?; out = hidden [T, N, H], which may lie over projected
//   rnn_grad in = dhidden, hidden [T, N, H] (the second dense), weight, mask?; out = dprojected [T, N, H], dh0 [N, H]
//   ints = reverse, mask, activation (0 tanh, 1 relu)
#pragma once
#include "recurrent.h"

namespace kaimo {
namespace {

template <typename T>
struct RnnForward {
  static constexpr int64_t kExtra = 0;
  const StepProduct<T>* product;
  StepShape shape;
  bool rectified;
  const T *projected, *h0;
  T* hidden;

  void part(const StepPart<T>& part) const {
    const int64_t units = shape.units, before = shape.before(part.step);
    product->multiply(part.side, part.tile0, part.tile1, part.block, part.sums, kNr<T>);
    const T* h_before = before < 0 ? h0 : hidden + before * shape.rows * units;
    for (int64_t r = 0; r < part.rows; ++r) {
      const int64_t row = part.row0 + r, at = (part.step * shape.rows + row) * units + part.unit0;
      const T *x = projected + at, *z = part.sums + r * kNr<T>;
      T* h = hidden + at;
      if (!shape.reads(part.step, row)) {
        __builtin_memcpy(h, h_before + row * units + part.unit0, sizeof(T) * size_t(part.units));
      } else if (rectified) {
        for (int64_t u = 0; u < part.units; ++u) h[u] = relu(x[u] + z[u]);
      } else {
        each_unit_vector<T>(part.units, [=](UnitVector<T> v) __attribute__((always_inline)) { v.put(h, rnn_tanh(v.get(x) + v.get(z))); });
      }
    }
    product->put(1 - part.side, part.tile0, part.tile1, part.unit0, part.units, hidden + (part.step * shape.rows + part.row0) * units + part.unit0, units, 1, part.buffer);
  }
};

template <typename T>
Status run_rnn(KernelCall& call) {
  const Operand& x = call.in[0];
  StepShape shape{x.dims[0], x.dims[1], x.dims[2], call.ints[0] != 0, nullptr, 0, 0};
  if (call.ints[1]) shape.read_mask(call.in[3]);
  const int64_t state = shape.rows * shape.units;
  StepProduct<T> product(shape.rows, shape.units, ceil_div(shape.units, kNr<T>));
  T* memory = static_cast<T*>(shared_scratch(call.pool, sizeof(T) * size_t(state + kMr * shape.units + product.elements() + 2 * Vec<T>::n)));
  if (memory == nullptr) return Status::out_of_memory;
  copy_state(call.in[2], memory);
  T* buffer = memory + state;
  product.place(buffer + kMr * shape.units + Vec<T>::n);
  pack_forward_weights(product, call.in[1], 1);
  product.put(0, 0, product.split.tiles, 0, shape.units, memory, shape.units, 1, buffer);
  const RnnForward<T> cell{&product, shape, call.ints[2] != 0, data_of<T>(x), memory, data_of<T>(call.out[0])};
  return run_steps(call.pool, cell, product, shape, 1, false);
}

template <typename T>
struct RnnBackward {
  static constexpr int64_t kExtra = 1;
  const StepProduct<T>* product;
  StepShape shape;
  bool rectified;
  const Operand* dh;
  const T* hidden;
  T *dprojected, *dh0;
  // Gradient of the state of steps that were not read, [N, H].
  T* carry;

  void row(const StepPart<T>& part, int64_t row, const T* back) const {
    const int64_t at = (part.step * shape.rows + row) * shape.units + part.unit0;
    const T* dh_row = state_row(*dh, part.step, row, part.unit0, part.units, part.buffer + kMr * kNr<T> + Vec<T>::n);
    const T* h = hidden + at;
    T *d = dprojected + at, *held = carry + row * shape.units + part.unit0;
    const bool reads = shape.reads(part.step, row);
#pragma GCC ivdep
    for (int64_t u = 0; u < part.units; ++u) {
      const T own = held[u] + back[u] + dh_row[u];
      const T slope = rectified ? (h[u] > T(0) ? T(1) : T(0)) : T(1) - h[u] * h[u];
      d[u] = reads ? own * slope : T(0);
      held[u] = reads ? T(0) : own;
    }
  }

  void part(const StepPart<T>& part) const {
    const int64_t units = shape.units;
    sums_from_before(*product, part);
    if (part.step < 0) return add_carried(part, units, carry, dh0);
    for (int64_t r = 0; r < part.rows; ++r) row(part, part.row0 + r, part.sums + r * kNr<T>);
    product->put(1 - part.side, part.tile0, part.tile1, part.unit0, part.units, dprojected + (part.step * shape.rows + part.row0) * units + part.unit0, units, 1, part.buffer);
  }
};

template <typename T>
Status run_rnn_grad(KernelCall& call) {
  const Operand& hidden = call.in[1];
  StepShape shape{hidden.dims[0], hidden.dims[1], hidden.dims[2], call.ints[0] != 0, nullptr, 0, 0};
  if (call.ints[1]) shape.read_mask(call.in[3]);
  const int64_t state = shape.rows * shape.units;
  StepProduct<T> product(shape.rows, shape.units, ceil_div(shape.units, kNr<T>));
  T* memory = static_cast<T*>(shared_scratch(call.pool, sizeof(T) * size_t(state + product.elements())));
  if (memory == nullptr) return Status::out_of_memory;
  for (int64_t i = 0; i < state; ++i) memory[i] = T(0);
  product.place(memory + state);
  pack_backward_weights(product, call.in[2]);
  const RnnBackward<T> cell{&product, shape, call.ints[2] != 0, &call.in[0], data_of<T>(hidden), data_of<T>(call.out[0]), data_of<T>(call.out[1]), memory};
  return run_steps(call.pool, cell, product, shape, 1, true);
}

Status rnn_kernel(KernelCall& call) { return with_state_type(call, run_rnn<float>, run_rnn<double>); }
Status rnn_grad_kernel(KernelCall& call) { return with_state_type(call, run_rnn_grad<float>, run_rnn_grad<double>); }

const KernelEntry kRnnKernels[] = {{"rnn", rnn_kernel}, {"rnn_grad", rnn_grad_kernel}};

}  // namespace
}  // namespace kaimo
