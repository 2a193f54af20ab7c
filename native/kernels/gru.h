// gru and gru_grad: all steps of one layer in one direction (Cho et al. 2014), the reset gate after the product. Gates stand in the order reset,
// update, new; `recurrent` is the part of the new gate that the reset gate scales.
//   gru      in = projected [T, N, 3H] (dense), weight [3H, H], bias [3H], h0 [N, H], mask bool [T, N]?; out = hidden [T, N, H], gates [T, N, 3H],
//            which may lie over projected, recurrent [T, N, H]
//   gru_grad in = dhidden, hidden [T, N, H], gates [T, N, 3H], recurrent [T, N, H] (all but the first dense), weight, h0, mask?; out = dprojected
//            [T, N, 3H], which may lie over gates, drecurrent [T, N, H], which may lie over recurrent, dh0 [N, H]
//   ints = reverse, mask
#pragma once
#include "recurrent.h"

namespace kaimo {
namespace {

template <typename T>
struct GruForward {
  static constexpr int64_t kExtra = 0;
  const StepProduct<T>* product;
  StepShape shape;
  const T *projected, *bias, *h0;
  T *hidden, *gates, *recurrent;

  void row(const StepPart<T>& part, int64_t row, const T* z, const T* h_old) const {
    const int64_t units = shape.units, at = part.step * shape.rows + row;
    const T* b = bias + part.unit0;
    for (int64_t g = 0; g < 2; ++g) {
      const T *x = projected + at * 3 * units + g * units + part.unit0, *sums = z + g * kNr<T>, *shift = b + g * units;
      T* y = gates + at * 3 * units + g * units + part.unit0;
      each_unit_vector<T>(part.units, [=](UnitVector<T> v) __attribute__((always_inline)) { v.put(y, rnn_sigmoid(v.get(x) + (v.get(sums) + v.get(shift)))); });
    }
    const T *r = gates + at * 3 * units + part.unit0, *update = r + units, *x = projected + at * 3 * units + 2 * units + part.unit0;
    T *n = gates + at * 3 * units + 2 * units + part.unit0, *scaled = recurrent + at * units + part.unit0, *h = hidden + at * units + part.unit0;
    each_unit_vector<T>(part.units, [=](UnitVector<T> v) __attribute__((always_inline)) {
      const auto sum = v.get(z + 2 * kNr<T>) + v.get(b + 2 * units);
      v.put(scaled, sum);
      v.put(n, rnn_tanh(v.get(x) + v.get(r) * sum));
    });
    if (!shape.reads(part.step, row)) {
      __builtin_memcpy(h, h_old, sizeof(T) * size_t(part.units));
      return;
    }
#pragma GCC ivdep
    for (int64_t u = 0; u < part.units; ++u) h[u] = update[u] * h_old[u] + (T(1) - update[u]) * n[u];
  }

  void part(const StepPart<T>& part) const {
    const int64_t units = shape.units, width = 3 * kNr<T>, before = shape.before(part.step);
    for (int64_t r = 0; r < part.rows; ++r) {
      const int64_t at = part.step * shape.rows + part.row0 + r;
      fetch_row(projected + at * 3 * units + part.unit0, 3, units, part.units);
      fetch_row(hidden + at * units + part.unit0, 1, 0, part.units);
      fetch_row(recurrent + at * units + part.unit0, 1, 0, part.units);
    }
    for (int64_t g = 0; g < 3; ++g) product->multiply(part.side, part.tile0, part.tile1, part.block * 3 + g, part.sums + g * kNr<T>, width);
    const T* h_before = before < 0 ? h0 : hidden + before * shape.rows * units;
    for (int64_t r = 0; r < part.rows; ++r) row(part, part.row0 + r, part.sums + r * width, h_before + (part.row0 + r) * units + part.unit0);
    product->put(1 - part.side, part.tile0, part.tile1, part.unit0, part.units, hidden + (part.step * shape.rows + part.row0) * units + part.unit0, units, 1, part.buffer);
  }
};

template <typename T>
Status run_gru(KernelCall& call) {
  const Operand& x = call.in[0];
  StepShape shape{x.dims[0], x.dims[1], x.dims[2] / 3, call.ints[0] != 0, nullptr, 0, 0};
  if (call.ints[1]) shape.read_mask(call.in[4]);
  const int64_t state = shape.rows * shape.units;
  StepProduct<T> product(shape.rows, shape.units, 3 * ceil_div(shape.units, kNr<T>));
  const int64_t elements = state + 3 * shape.units + kMr * shape.units + product.elements() + 2 * Vec<T>::n;
  T* memory = static_cast<T*>(shared_scratch(call.pool, sizeof(T) * size_t(elements)));
  if (memory == nullptr) return Status::out_of_memory;
  T* bias = memory + state;
  for (int64_t i = 0; i < 3 * shape.units; ++i) bias[i] = data_of<T>(call.in[2])[i * call.in[2].strides[0]];
  copy_state(call.in[3], memory);
  T* buffer = bias + 3 * shape.units;
  product.place(buffer + kMr * shape.units + Vec<T>::n);
  pack_forward_weights(product, call.in[1], 3);
  product.put(0, 0, product.split.tiles, 0, shape.units, memory, shape.units, 1, buffer);
  const GruForward<T> cell{&product, shape, data_of<T>(x), bias, memory, data_of<T>(call.out[0]), data_of<T>(call.out[1]), data_of<T>(call.out[2])};
  return run_steps(call.pool, cell, product, shape, 3, false);
}

template <typename T>
struct GruBackward {
  static constexpr int64_t kExtra = 1;
  const StepProduct<T>* product;
  StepShape shape;
  const Operand* dh;
  const T *hidden, *gates, *recurrent, *h0;
  T *dprojected, *drecurrent, *dh0;
  // Gradient of a step's state but for what comes through the product, [N, H], updated in place.
  T* carry;

  void row(const StepPart<T>& part, int64_t row, const T* back, const T* h_old) const {
    const int64_t units = shape.units, at = part.step * shape.rows + row;
    const T* dh_row = state_row(*dh, part.step, row, part.unit0, part.units, part.buffer + kMr * kNr<T> + Vec<T>::n);
    const T *r = gates + at * 3 * units + part.unit0, *z = r + units, *n = z + units, *scaled = recurrent + at * units + part.unit0;
    T *dr = dprojected + at * 3 * units + part.unit0, *dz = dr + units, *dn = dz + units, *ds = drecurrent + at * units + part.unit0;
    T* held = carry + row * units + part.unit0;
    if (!shape.reads(part.step, row)) {
      for (int64_t u = 0; u < part.units; ++u) {
        held[u] = held[u] + back[u] + dh_row[u];
        dr[u] = dz[u] = dn[u] = ds[u] = T(0);
      }
      return;
    }
#pragma GCC ivdep
    for (int64_t u = 0; u < part.units; ++u) {
      const T own = held[u] + back[u] + dh_row[u], reset = r[u], update = z[u], fresh = n[u];
      const T slope = (T(1) - update) * (T(1) - fresh * fresh);
      dr[u] = own * (slope * scaled[u] * (reset * (T(1) - reset)));
      dz[u] = own * ((h_old[u] - fresh) * (update * (T(1) - update)));
      dn[u] = own * slope;
      ds[u] = own * (slope * reset);
      held[u] = own * update;
    }
  }

  void part(const StepPart<T>& part) const {
    const int64_t units = shape.units, before = shape.before(part.step);
    for (int64_t r = 0; part.step >= 0 && r < part.rows; ++r) {
      const int64_t at = part.step * shape.rows + part.row0 + r;
      fetch_row(gates + at * 3 * units + part.unit0, 3, units, part.units);
      fetch_row(recurrent + at * units + part.unit0, 1, 0, part.units);
      if (before >= 0) fetch_row(hidden + (before * shape.rows + part.row0 + r) * units + part.unit0, 1, 0, part.units);
    }
    sums_from_before(*product, part);
    if (part.step < 0) return add_carried(part, units, carry, dh0);
    const T* h_before = before < 0 ? h0 : hidden + before * shape.rows * units;
    for (int64_t r = 0; r < part.rows; ++r) row(part, part.row0 + r, part.sums + r * kNr<T>, h_before + (part.row0 + r) * units + part.unit0);
    const int64_t at = part.step * shape.rows + part.row0;
    for (int64_t g = 0; g < 2; ++g)
      product->put(1 - part.side, part.tile0, part.tile1, g * units + part.unit0, part.units, dprojected + at * 3 * units + g * units + part.unit0, 3 * units, 1, part.buffer);
    product->put(1 - part.side, part.tile0, part.tile1, 2 * units + part.unit0, part.units, drecurrent + at * units + part.unit0, units, 1, part.buffer);
  }
};

template <typename T>
Status run_gru_grad(KernelCall& call) {
  const Operand& gates = call.in[2];
  StepShape shape{gates.dims[0], gates.dims[1], gates.dims[2] / 3, call.ints[0] != 0, nullptr, 0, 0};
  if (call.ints[1]) shape.read_mask(call.in[6]);
  const int64_t state = shape.rows * shape.units;
  StepProduct<T> product(shape.rows, 3 * shape.units, ceil_div(shape.units, kNr<T>));
  T* memory = static_cast<T*>(shared_scratch(call.pool, sizeof(T) * size_t(2 * state + product.elements())));
  if (memory == nullptr) return Status::out_of_memory;
  copy_state(call.in[5], memory);
  for (int64_t i = state; i < 2 * state; ++i) memory[i] = T(0);
  product.place(memory + 2 * state);
  pack_backward_weights(product, call.in[4]);
  const GruBackward<T> cell{&product, shape, &call.in[0], data_of<T>(call.in[1]), data_of<T>(gates), data_of<T>(call.in[3]), memory,
                            data_of<T>(call.out[0]), data_of<T>(call.out[1]), data_of<T>(call.out[2]), memory + state};
  return run_steps(call.pool, cell, product, shape, 1, true);
}

Status gru_kernel(KernelCall& call) { return with_state_type(call, run_gru<float>, run_gru<double>); }
Status gru_grad_kernel(KernelCall& call) { return with_state_type(call, run_gru_grad<float>, run_gru_grad<double>); }

const KernelEntry kGruKernels[] = {{"gru", gru_kernel}, {"gru_grad", gru_grad_kernel}};

}  // namespace
}  // namespace kaimo
