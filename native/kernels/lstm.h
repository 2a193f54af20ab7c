// lstm and lstm_grad: all steps of one layer in one direction (Hochreiter and Schmidhuber 1997). Gates stand in the order input, forget, cell, output.
//   lstm      in = projected [T, N, 4H] (dense), weight [4H, H], h0, c0 [N, H], mask bool [T, N]?; out = hidden, cells [T, N, H], gates [T, N, 4H],
//             which may lie over projected
//   lstm_grad in = dhidden, dcells [T, N, H], cells [T, N, H], gates [T, N, 4H] (both dense), weight, c0, mask?; out = dprojected [T, N, 4H], which
//             may lie over gates, dh0, dc0 [N, H]
//   ints = reverse, mask
#pragma once
#include "recurrent.h"

namespace kaimo {
namespace {

template <typename T>
struct LstmForward {
  static constexpr int64_t kExtra = 0;
  const StepProduct<T>* product;
  StepShape shape;
  const T *projected, *h0, *c0;
  T *hidden, *cells, *gates;

  void activate(const StepPart<T>& part, int64_t at, int64_t row) const {
    const int64_t units = shape.units, width = 4 * kNr<T>;
    for (int64_t g = 0; g < 4; ++g) {
      const T* x = projected + at * 4 * units + g * units + part.unit0;
      const T* z = part.sums + row * width + g * kNr<T>;
      T* y = gates + at * 4 * units + g * units + part.unit0;
      each_unit_vector<T>(part.units, [=](UnitVector<T> at) __attribute__((always_inline)) {
        const auto sum = at.get(x) + at.get(z);
        at.put(y, g == 2 ? rnn_tanh(sum) : rnn_sigmoid(sum));
      });
    }
  }

  void part(const StepPart<T>& part) const {
    const int64_t units = shape.units, width = 4 * kNr<T>, before = shape.before(part.step);
    for (int64_t r = 0; r < part.rows; ++r) {
      const int64_t at = part.step * shape.rows + part.row0 + r;
      fetch_row(projected + at * 4 * units + part.unit0, 4, units, part.units);
      fetch_row(hidden + at * units + part.unit0, 1, 0, part.units);
      fetch_row(cells + at * units + part.unit0, 1, 0, part.units);
    }
    for (int64_t g = 0; g < 4; ++g) product->multiply(part.side, part.tile0, part.tile1, part.block * 4 + g, part.sums + g * kNr<T>, width);
    const T* h_before = before < 0 ? h0 : hidden + before * shape.rows * units;
    const T* c_before = before < 0 ? c0 : cells + before * shape.rows * units;
    for (int64_t r = 0; r < part.rows; ++r) {
      const int64_t row = part.row0 + r, at = part.step * shape.rows + row;
      activate(part, at, r);
      const T *i = gates + at * 4 * units + part.unit0, *f = i + units, *g = f + units, *o = g + units;
      const T *h_old = h_before + row * units + part.unit0, *c_old = c_before + row * units + part.unit0;
      T *h = hidden + at * units + part.unit0, *c = cells + at * units + part.unit0;
      if (!shape.reads(part.step, row)) {
        __builtin_memcpy(h, h_old, sizeof(T) * size_t(part.units));
        __builtin_memcpy(c, c_old, sizeof(T) * size_t(part.units));
        continue;
      }
      each_unit_vector<T>(part.units, [=](UnitVector<T> at) __attribute__((always_inline)) {
        const auto cell = at.get(f) * at.get(c_old) + at.get(i) * at.get(g);
        at.put(c, cell);
        at.put(h, at.get(o) * rnn_tanh(cell));
      });
    }
    product->put(1 - part.side, part.tile0, part.tile1, part.unit0, part.units, hidden + (part.step * shape.rows + part.row0) * units + part.unit0, units, 1, part.buffer);
  }
};

template <typename T>
Status run_lstm(KernelCall& call) {
  const Operand& x = call.in[0];
  StepShape shape{x.dims[0], x.dims[1], x.dims[2] / 4, call.ints[0] != 0, nullptr, 0, 0};
  if (call.ints[1]) shape.read_mask(call.in[4]);
  const int64_t state = shape.rows * shape.units;
  StepProduct<T> product(shape.rows, shape.units, 4 * ceil_div(shape.units, kNr<T>));
  T* memory = static_cast<T*>(shared_scratch(call.pool, sizeof(T) * size_t(2 * state + kMr * shape.units + product.elements() + 2 * Vec<T>::n)));
  if (memory == nullptr) return Status::out_of_memory;
  LstmForward<T> cell{&product, shape, data_of<T>(x), memory, memory + state, data_of<T>(call.out[0]), data_of<T>(call.out[1]), data_of<T>(call.out[2])};
  copy_state(call.in[2], memory);
  copy_state(call.in[3], memory + state);
  T* buffer = memory + 2 * state;
  product.place(buffer + kMr * shape.units + Vec<T>::n);
  pack_forward_weights(product, call.in[1], 4);
  product.put(0, 0, product.split.tiles, 0, shape.units, memory, shape.units, 1, buffer);
  return run_steps(call.pool, cell, product, shape, 4, false);
}

template <typename T>
struct LstmBackward {
  static constexpr int64_t kExtra = 2;
  const StepProduct<T>* product;
  StepShape shape;
  const Operand *dh, *dc;
  const T *cells, *gates, *c0;
  T *dprojected, *dh0, *dc0;
  // Gradients of a step's states but for what comes through the product: [N, H] each, updated in place.
  T *carry_h, *carry_c;

  // Gradients of one row; `back` holds the product, and carry_h what else came from later.
  void row(const StepPart<T>& part, int64_t row, const T* back, const T* c_old) const {
    const int64_t units = shape.units, at = part.step * shape.rows + row;
    T* own = part.buffer + kMr * kNr<T> + Vec<T>::n;
    const T* dh_row = state_row(*dh, part.step, row, part.unit0, part.units, own);
    const T* dc_row = state_row(*dc, part.step, row, part.unit0, part.units, own + kNr<T>);
    const T *i = gates + at * 4 * units + part.unit0, *f = i + units, *g = f + units, *o = g + units, *c = cells + at * units + part.unit0;
    T *di = dprojected + at * 4 * units + part.unit0, *df = di + units, *dg = df + units, *d_o = dg + units;
    T *held_h = carry_h + row * units + part.unit0, *held_c = carry_c + row * units + part.unit0;
    if (!shape.reads(part.step, row)) {
      for (int64_t u = 0; u < part.units; ++u) {
        held_h[u] = held_h[u] + back[u] + dh_row[u];
        held_c[u] += dc_row[u];
        di[u] = df[u] = dg[u] = d_o[u] = T(0);
      }
      return;
    }
    each_unit_vector<T>(part.units, [=](UnitVector<T> at) __attribute__((always_inline)) {
      using V = typename Vec<T>::type;
      const V in = at.get(i), forget = at.get(f), fresh = at.get(g), out = at.get(o), one = vsplat(T(1));
      const V own_h = at.get(held_h) + at.get(back) + at.get(dh_row), squashed = rnn_tanh(at.get(c));
      const V cell = at.get(held_c) + at.get(dc_row) + own_h * (out * (one - squashed * squashed));
      const V before = at.get(c_old);
      at.put(di, cell * (fresh * (in * (one - in))));
      at.put(df, cell * (before * (forget * (one - forget))));
      at.put(dg, cell * (in * (one - fresh * fresh)));
      at.put(d_o, own_h * (squashed * (out * (one - out))));
      at.put(held_h, V{});
      at.put(held_c, cell * forget);
    });
  }

  void part(const StepPart<T>& part) const {
    const int64_t units = shape.units, before = shape.before(part.step);
    for (int64_t r = 0; part.step >= 0 && r < part.rows; ++r) {
      const int64_t at = part.step * shape.rows + part.row0 + r;
      fetch_row(gates + at * 4 * units + part.unit0, 4, units, part.units);
      fetch_row(cells + at * units + part.unit0, 1, 0, part.units);
      if (before >= 0) fetch_row(cells + (before * shape.rows + part.row0 + r) * units + part.unit0, 1, 0, part.units);
    }
    sums_from_before(*product, part);
    if (part.step < 0) {
      add_carried(part, units, carry_h, dh0);
      for (int64_t r = 0; r < part.rows; ++r) {
        const int64_t at = (part.row0 + r) * units + part.unit0;
        __builtin_memcpy(dc0 + at, carry_c + at, sizeof(T) * size_t(part.units));
      }
      return;
    }
    const T* c_before = before < 0 ? c0 : cells + before * shape.rows * units;
    for (int64_t r = 0; r < part.rows; ++r) row(part, part.row0 + r, part.sums + r * kNr<T>, c_before + (part.row0 + r) * units + part.unit0);
    for (int64_t g = 0; g < 4; ++g) {
      const T* d = dprojected + (part.step * shape.rows + part.row0) * 4 * units + g * units + part.unit0;
      product->put(1 - part.side, part.tile0, part.tile1, g * units + part.unit0, part.units, d, 4 * units, 1, part.buffer);
    }
  }
};

template <typename T>
Status run_lstm_grad(KernelCall& call) {
  const Operand& gates = call.in[3];
  StepShape shape{gates.dims[0], gates.dims[1], gates.dims[2] / 4, call.ints[0] != 0, nullptr, 0, 0};
  if (call.ints[1]) shape.read_mask(call.in[6]);
  const int64_t state = shape.rows * shape.units;
  StepProduct<T> product(shape.rows, 4 * shape.units, ceil_div(shape.units, kNr<T>));
  T* memory = static_cast<T*>(shared_scratch(call.pool, sizeof(T) * size_t(3 * state + product.elements())));
  if (memory == nullptr) return Status::out_of_memory;
  LstmBackward<T> cell{&product, shape, &call.in[0], &call.in[1], data_of<T>(call.in[2]), data_of<T>(gates), memory,
                       data_of<T>(call.out[0]), data_of<T>(call.out[1]), data_of<T>(call.out[2]), memory + state, memory + 2 * state};
  copy_state(call.in[5], memory);
  for (int64_t i = state; i < 3 * state; ++i) memory[i] = T(0);
  product.place(memory + 3 * state);
  pack_backward_weights(product, call.in[4]);
  return run_steps(call.pool, cell, product, shape, 1, true);
}

Status lstm_kernel(KernelCall& call) { return with_state_type(call, run_lstm<float>, run_lstm<double>); }
Status lstm_grad_kernel(KernelCall& call) { return with_state_type(call, run_lstm_grad<float>, run_lstm_grad<double>); }

const KernelEntry kLstmKernels[] = {{"lstm", lstm_kernel}, {"lstm_grad", lstm_grad_kernel}};

}  // namespace
}  // namespace kaimo
