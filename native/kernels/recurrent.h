// What lstm.h, gru.h and simple_rnn.h share: a loop over steps whose one matrix product reads the step before.
//
// Of a step, the left operand [N, K] lies packed in tiles of rows, written piece by piece by the tasks of the step before; the weights are
// packed once a call. A task owns a block of kNr units and some tiles of rows: it multiplies, then runs the gates while the sums are in its
// cache. Sums are those of gemm.h, so that kernel and body agree but for the order in which results of one product are added.
#pragma once
#include "activation.h"
#include "gemm.h"

namespace kaimo {
namespace {

// tanh(x) = -t / (2 + t) with t = exp(-2|x|) - 1: one exponential and one division, at most 2.5 ulp off, which a sum over steps does not
// notice. NaN stays.
KAIMO_INLINE vf32 rnn_tanh(vf32 x) {
  const vi32 sign = vsplat(int32_t(INT32_MIN));
  const ExpParts e = exp_parts(vgreater(vsplat(-20.0f), vsplat(-2.0f) * (vf32)((vi32)x & ~sign)));
  const vf32 q = expm1_polynomial(e.r);
  const vf32 scale = exp_scale(e.z), t = vfma(scale, q, scale - vsplat(1.0f));
  return (vf32)((vi32)(t / (vsplat(-2.0f) - t)) | ((vi32)x & sign));
}
KAIMO_INLINE vf32 rnn_sigmoid(vf32 x) { return sigmoid_f32(x); }
KAIMO_INLINE vf64 rnn_tanh(vf64 x) {
  for (int l = 0; l < Vec<double>::n; ++l) x[l] = ::tanh(x[l]);
  return x;
}
KAIMO_INLINE vf64 rnn_sigmoid(vf64 x) {
  for (int l = 0; l < Vec<double>::n; ++l) {
    const double e = ::exp(x[l] < 0 ? x[l] : -x[l]);
    x[l] = (x[l] < 0 ? e : 1.0) / (1.0 + e);
  }
  return x;
}

// Where the vectors of a run of units lie: `left` of them whole, or the rest, which is copied.
template <typename T>
struct UnitVector {
  using V = typename Vec<T>::type;
  int64_t unit, left;
  bool whole() const { return left >= Vec<T>::n; }
  V get(const T* p) const {
    if (whole()) return vload(p + unit);
    V v = {};
    __builtin_memcpy(&v, p + unit, sizeof(T) * size_t(left));
    return v;
  }
  void put(T* p, V v) const {
    if (whole()) return vstore(p + unit, v);
    __builtin_memcpy(p + unit, &v, sizeof(T) * size_t(left));
  }
};

// f for all vectors of `units` units. A full block is the common case, and unrolls.
template <typename T, typename F>
KAIMO_INLINE void each_unit_vector(int64_t units, F f) {
  constexpr int n = Vec<T>::n;
  if (units == kNr<T>) {
    KAIMO_UNROLL(4)
    for (int j = 0; j < kNv; ++j) f(UnitVector<T>{j * n, n});
    return;
  }
  for (int64_t u = 0; u < units; u += n) f(UnitVector<T>{u, units - u});
}

// Rows of a task: A's tiles and the sums stay in the L2 cache.
constexpr int64_t kStepRows = 4 * kMr;

// [N, K] x [K, panels * kNr], the left side in two buffers: one is read while the other is written.
template <typename T>
struct StepProduct {
  int64_t rows, k, panels, tile_size;
  RowSplit split;
  T *a[2], *b;

  StepProduct(int64_t n, int64_t depth, int64_t panel_count) : rows(n), k(depth), panels(panel_count), tile_size(depth * kMr + Vec<T>::n), split(n), a{}, b(nullptr) {}

  int64_t elements() const { return 2 * split.tiles * tile_size + panels * k * kNr<T> + Vec<T>::n; }
  void place(T* memory) {
    a[0] = memory;
    a[1] = a[0] + split.tiles * tile_size;
    b = a[1] + split.tiles * tile_size;
  }
  T* panel(int64_t p) const { return b + p * k * kNr<T>; }

  // Columns [k0, k0 + count) of rows of tiles [t0, t1) from src (its first row is that of tile t0). `buffer`: kMr * count and a vector.
  void put(int side, int64_t t0, int64_t t1, int64_t k0, int64_t count, const T* src, int64_t rs, int64_t cs, T* buffer) const {
    for (int64_t t = t0; t < t1; ++t) {
      // Packing writes beyond its end, where a neighbour's columns may stand.
      pack_a_panel(buffer, src + (split.start(t) - split.start(t0)) * rs, rs, cs, split.rows(t), count);
      __builtin_memcpy(a[side] + t * tile_size + k0 * kMr, buffer, sizeof(T) * size_t(count * kMr));
    }
  }

  // Rows of tiles [t0, t1) times panel p, to c.
  void multiply(int side, int64_t t0, int64_t t1, int64_t p, T* c, int64_t ldc) const {
    static const Epilogue<T> plain;
    const int64_t kb = gemm_k_block(k);
    TileArgs<T> t;
    t.a_rs = 1;
    t.a_cs = kMr;
    t.b_rs = kNr<T>;
    t.ldc = ldc;
    t.epilogue = &plain;
    t.row = t.col = 0;
    for (int64_t k0 = 0; k0 < k; k0 += kb) {
      t.kc = min64(kb, k - k0);
      t.first = k0 == 0;
      t.last = k0 + t.kc == k;
      t.b = panel(p) + k0 * kNr<T>;
      for (int64_t tile = t0; tile < t1; ++tile) {
        t.a = a[side] + tile * tile_size + k0 * kMr;
        t.c = c + (split.start(tile) - split.start(t0)) * ldc;
        run_tile(t, kAPacked, split.rows(tile), kNr<T>);
      }
    }
  }
};

// The units and rows of one task at one step.
template <typename T>
struct StepPart {
  int64_t step;           // position in time; -1 behind the last step of a way back
  bool first;             // no step came before
  int64_t tile0, tile1, row0, rows;
  int64_t block, unit0, units;
  int side;               // of the left operand that is read; the other is written
  T *sums, *buffer;       // [rows, panels of a block * kNr]; scratch
};

// What a part's rows get from the step before, or zeros where there was none: [rows, kNr] on the way back.
template <typename T>
KAIMO_INLINE void sums_from_before(const StepProduct<T>& product, const StepPart<T>& part) {
  if (part.first) {
    for (int64_t i = 0; i < part.rows * kNr<T>; ++i) part.sums[i] = T(0);
  } else {
    product.multiply(part.side, part.tile0, part.tile1, part.block, part.sums, kNr<T>);
  }
}

// The gradient of the first state, [N, H]: what was carried past all steps and what came through the product.
template <typename T>
KAIMO_INLINE void add_carried(const StepPart<T>& part, int64_t units, const T* carry, T* out) {
  for (int64_t r = 0; r < part.rows; ++r) {
    const int64_t at = (part.row0 + r) * units + part.unit0;
    for (int64_t u = 0; u < part.units; ++u) out[at + u] = carry[at + u] + part.sums[r * kNr<T> + u];
  }
}

struct StepShape {
  int64_t steps, rows, units;
  bool reverse;
  // Bool [steps, rows]: where 0 the state stays as it was; null: everywhere 1.
  const uint8_t* mask;
  int64_t mask_step, mask_row;

  bool reads(int64_t step, int64_t row) const { return mask == nullptr || mask[step * mask_step + row * mask_row] != 0; }
  // The step whose state came before that of `step`, or -1.
  int64_t before(int64_t step) const { return reverse ? (step + 1 < steps ? step + 1 : -1) : step - 1; }
  void read_mask(const Operand& operand) {
    mask = reinterpret_cast<const uint8_t*>(operand.data);
    mask_step = operand.strides[0];
    mask_row = operand.strides[1];
  }
};

// Runs cell.part(part) for all parts of every step in order; `backwards` takes the steps from the last read to the first, and a last time with
// step -1. `panels` of sums and `extra` values of a row are scratch of a part.
template <typename T, typename Cell>
Status run_steps(Pool* pool, const Cell& cell, const StepProduct<T>& product, const StepShape& shape, int64_t panels, bool backwards) {
  struct Job {
    Pool* pool;
    const Cell* cell;
    const StepProduct<T>* product;
    const StepShape* shape;
    int64_t panels, blocks, chunks, group, step;
    bool first, failed;
    int side;
  } job{pool, &cell, &product, &shape, panels, ceil_div(shape.units, kNr<T>), ceil_div(product.split.tiles, kStepRows / kMr), 1, 0, true, false, 0};
  const int64_t parts = job.blocks * job.chunks;
  const double cost = double(min64(shape.rows, kStepRows)) * double(kNr<T>) * double(panels) * double(product.k + 64);
  job.group = cost * double(parts) < kForkCost ? parts : cost >= kTaskCost ? 1 : min64(parts, int64_t(kTaskCost / cost) + 1);
  if (parts == 0) return Status::ok;
  const auto task = [](void* context, int64_t index, int worker) {
    Job& j = *static_cast<Job*>(context);
    const StepProduct<T>& g = *j.product;
    const int64_t width = j.panels * kNr<T>, rows = min64(kStepRows, j.shape->rows);
    const size_t bytes = sizeof(T) * size_t(rows * width + kMr * kNr<T> + Cell::kExtra * kNr<T> + 3 * Vec<T>::n);
    T* scratch = static_cast<T*>(worker_scratch(j.pool, worker, bytes));
    if (scratch == nullptr) return __atomic_store_n(&j.failed, true, __ATOMIC_RELAXED);
    const int64_t end = min64((index + 1) * j.group, j.blocks * j.chunks);
    for (int64_t i = index * j.group; i < end; ++i) {
      StepPart<T> part;
      const int64_t chunk = i % j.chunks;
      part.step = j.step;
      part.first = j.first;
      part.block = i / j.chunks;
      part.unit0 = part.block * kNr<T>;
      part.units = min64(kNr<T>, j.shape->units - part.unit0);
      part.tile0 = g.split.tiles * chunk / j.chunks;
      part.tile1 = g.split.tiles * (chunk + 1) / j.chunks;
      part.row0 = g.split.start(part.tile0);
      part.rows = g.split.start(part.tile1) - part.row0;
      part.side = j.side;
      part.sums = scratch;
      part.buffer = scratch + rows * width + Vec<T>::n;
      j.cell->part(part);
    }
  };
  const bool up = shape.reverse == backwards;
  for (int64_t s = 0; s < shape.steps + backwards; ++s) {
    job.step = s == shape.steps ? -1 : up ? s : shape.steps - 1 - s;
    job.first = s == 0;
    job.side = int(s & 1);
    parallel_for(pool, ceil_div(parts, job.group), task, &job);
    if (job.failed) return Status::out_of_memory;
  }
  return Status::ok;
}

// Row `row` of step `step` of a strided [T, N, H], from unit `unit0`; values that do not lie together are gathered in `buffer`.
template <typename T>
KAIMO_INLINE const T* state_row(const Operand& x, int64_t step, int64_t row, int64_t unit0, int64_t units, T* buffer) {
  const T* from = reinterpret_cast<const T*>(x.data) + step * x.strides[0] + row * x.strides[1] + unit0 * x.strides[2];
  if (x.strides[2] == 1) return from;
  for (int64_t i = 0; i < units; ++i) buffer[i] = from[i * x.strides[2]];
  return buffer;
}

// Asks for `parts` runs of a row that lie `stride` apart while the product is still to be calculated: processors see no pattern in them.
template <typename T>
KAIMO_INLINE void fetch_row(const T* from, int64_t parts, int64_t stride, int64_t units) {
  for (int64_t p = 0; p < parts; ++p)
    for (int64_t u = 0; u < units; u += 64 / int64_t(sizeof(T))) __builtin_prefetch(from + p * stride + u, 1, 2);
}

// Weights [G * H, H] of a forward pass: block by block of units, the panels of its G gates.
template <typename T>
void pack_forward_weights(const StepProduct<T>& product, const Operand& weight, int64_t gates) {
  const int64_t units = weight.dims[0] / gates, rs = weight.strides[0], cs = weight.strides[1];
  for (int64_t p = 0; p < product.panels; ++p) {
    const int64_t unit0 = p / gates * kNr<T>;
    const T* from = reinterpret_cast<const T*>(weight.data) + (p % gates * units + unit0) * rs;
    pack_b_panel(product.panel(p), from, cs, rs, product.k, min64(kNr<T>, units - unit0));
  }
}

// The same weights on the way back, where their rows are summed over.
template <typename T>
void pack_backward_weights(const StepProduct<T>& product, const Operand& weight) {
  const int64_t units = weight.dims[1], rs = weight.strides[0], cs = weight.strides[1];
  for (int64_t p = 0; p < product.panels; ++p)
    pack_b_panel(product.panel(p), reinterpret_cast<const T*>(weight.data) + p * kNr<T> * cs, rs, cs, product.k, min64(kNr<T>, units - p * kNr<T>));
}

// A dense copy of a state [N, H].
template <typename T>
void copy_state(const Operand& from, T* to) {
  for (int64_t n = 0; n < from.dims[0]; ++n)
    for (int64_t u = 0; u < from.dims[1]; ++u) to[n * from.dims[1] + u] = reinterpret_cast<const T*>(from.data)[n * from.strides[0] + u * from.strides[1]];
}

template <typename T>
KAIMO_INLINE T* data_of(const Operand& operand) {
  return reinterpret_cast<T*>(operand.data);
}

// f32 or f64, all operands but the mask alike.
inline Status with_state_type(KernelCall& call, Status (*single)(KernelCall&), Status (*twice)(KernelCall&)) {
  const DType dtype = call.in[0].dtype;
  for (int i = 0; i < call.n_in; ++i)
    if (call.in[i].dtype != dtype && call.in[i].dtype != DType::boolean) return Status::unsupported;
  return dtype == DType::f32 ? single(call) : dtype == DType::f64 ? twice(call) : Status::unsupported;
}

}  // namespace
}  // namespace kaimo
