// Running a function over rows: the values along some dims ("the row"), once for every position of the others. The function sees
// contiguous values in the calculation type (f32, or f64 for f64) whatever the operands' dtypes and strides are.
#pragma once
#include <type_traits>

#include "copy.h"
#include "reduce_core.h"

namespace kaimo {
namespace {

// Between stored floats and calculation values; strides in elements.
struct FloatCast {
  int64_t stored;  // bytes of an element
  int64_t value;   // bytes of a calculation value
  bool direct;     // elements are calculation values already
  void (*load)(const char* in, int64_t stride, char* out, int64_t n);
  void (*store)(const char* in, char* out, int64_t stride, int64_t n);
};

template <class T, class A>
struct ErasedFloat {
  static void load(const char* in, int64_t stride, char* out, int64_t n) { load_strided(reinterpret_cast<const T*>(in), stride, reinterpret_cast<A*>(out), n); }
  static void store(const char* raw, char* raw_out, int64_t stride, int64_t n) {
    const A* in = reinterpret_cast<const A*>(raw);
    T* out = reinterpret_cast<T*>(raw_out);
    if (stride == 1) return store_row(in, out, n);
    for (int64_t i = 0; i < n; i++) out[i * stride] = Store<T>::from(in[i]);
  }
  static FloatCast cast() { return {sizeof(T), sizeof(A), std::is_same<T, A>::value, load, store}; }
};

// The cast of any dtype, to the calculation type of `with` (so that an f32 statistic meets f16 data in f32).
inline bool float_cast(DType dtype, FloatCast* cast) {
  return with_float(dtype, [&](auto tag) {
           using T = typename decltype(tag)::type;
           *cast = ErasedFloat<T, typename Compute<T>::type>::cast();
           return Status::ok;
         }) == Status::ok;
}

constexpr int kMaxRowOperands = 4;
constexpr int64_t kRowLanes = 16;

// Operands of one logical shape (inputs may broadcast by stride 0), split into outer dims and row dims; offsets in bytes.
struct RowJob {
  int count;   // operands
  int inputs;  // the first ones are inputs, the rest outputs
  char* data[kMaxRowOperands];
  FloatCast cast[kMaxRowOperands] = {};
  Walk<kMaxRowOperands> outer, row;
  int64_t rows, n;

  // False where an operand is not floating. All operands calculate in the type of the first.
  bool init(const Operand* const* operands, int operand_count, int input_count, uint32_t row_dims) {
    count = operand_count;
    inputs = input_count;
    outer.rank = row.rank = 0;
    rows = n = 1;
    for (int k = 0; k < count; k++) {
      data[k] = operands[k]->data;
      if (!float_cast(operands[k]->dtype, &cast[k]) || cast[k].value != cast[0].value) return false;
    }
    const Operand& shape = *operands[count - 1];
    for (int d = 0; d < shape.rank; d++) {
      const bool in_row = row_dims >> d & 1;
      int64_t step[kMaxRowOperands] = {};
      for (int k = 0; k < count; k++) step[k] = operands[k]->strides[d] * cast[k].stored;
      (in_row ? n : rows) *= shape.dims[d];
      (in_row ? row : outer).push(shape.dims[d], step);
    }
    return true;
  }

  // Elements between neighbours of the row, where it has one dim.
  int64_t row_stride(int k) const { return row.rank == 0 ? 1 : row.strides[k][row.rank - 1] / cast[k].stored; }
  bool in_place(int k) const { return cast[k].direct && row.rank <= 1 && row_stride(k) == 1; }

  // One whole row between memory and a buffer, run by run.
  void move(int k, char* base, char* buffer) const {
    Walk<kMaxRowOperands> runs = row;
    const int64_t stride = row_stride(k), length = row.rank > 0 ? row.dims[row.rank - 1] : 1;
    if (runs.rank > 0) runs.rank--;
    runs.start(0);
    for (int64_t done = 0; done < n; done += length, runs.next()) {
      if (k < inputs) cast[k].load(base + runs.offset[k], stride, buffer + done * cast[k].value, length);
      else cast[k].store(buffer + done * cast[k].value, base + runs.offset[k], stride, length);
    }
  }

  // `lanes` rows at byte distance `step` at once, for rows whose neighbours lie closer than their own elements. V: an unsigned integer
  // of the size of a calculation value.
  template <class V>
  void move_lanes(int k, char* base, int64_t step, int64_t lanes, char* raw, int64_t pitch_bytes) const {
    const int64_t lane_stride = step / cast[k].stored, stride = row_stride(k) * cast[k].stored, pitch = pitch_bytes / static_cast<int64_t>(sizeof(V));
    V* buffer = reinterpret_cast<V*>(raw);
    alignas(64) V tile[kRowLanes * kRowLanes];
    for (int64_t i = 0; i < n; i += kRowLanes) {
      const int64_t count = n - i < kRowLanes ? n - i : kRowLanes;
      if (k < inputs) {
        for (int64_t r = 0; r < count; r++) cast[k].load(base + (i + r) * stride, lane_stride, reinterpret_cast<char*>(tile + r * kRowLanes), lanes);
        transpose_tile(tile, kRowLanes, buffer + i, pitch, count, lanes);
      } else {
        transpose_tile(buffer + i, pitch, tile, kRowLanes, lanes, count);
        for (int64_t r = 0; r < count; r++) cast[k].store(reinterpret_cast<char*>(tile + r * kRowLanes), base + (i + r) * stride, lane_stride, lanes);
      }
    }
  }
};

// Calls f(rows, position, worker) for every row: rows[k] points to the n contiguous values of operand k, position counts rows in
// row-major order of the outer dims. `element_ns` estimates the time of one element. An input and an output must not share a row's memory
// unless they are the same view and f reads each value before it writes it.
template <class F>
inline Status for_each_row(Pool* pool, const RowJob& job, double element_ns, F f) {
  if (job.rows == 0 || job.n == 0) return Status::ok;
  const int inner = job.outer.rank - 1;
  int64_t lanes = 1;
  bool buffered = false, in_place[kMaxRowOperands];
  for (int k = 0; k < job.count; k++) {
    in_place[k] = job.in_place(k);
    buffered = buffered || !in_place[k];
  }
  if (buffered && job.row.rank == 1 && inner >= 0 && job.row_stride(0) != 1) {
    lanes = 65536 / job.n;
    lanes = lanes < 1 ? 1 : lanes > kRowLanes ? kRowLanes : lanes;
  }
  Walk<kMaxRowOperands> outer = job.outer;
  int64_t columns = 1;
  if (inner >= 0) columns = outer.dims[--outer.rank];
  const int64_t groups = (columns + lanes - 1) / lanes;
  const int64_t pitch = (job.n * job.cast[0].value + 63) / 64 * 64;
  int no_memory = 0;
  parallel_ranges(pool, outer.count() * groups, static_cast<double>(lanes) * (10 + element_ns * static_cast<double>(job.n)), [&](int64_t begin, int64_t end, int worker) {
    char* scratch = nullptr;
    if (buffered) {
      scratch = static_cast<char*>(worker_scratch(pool, worker, static_cast<size_t>(pitch * lanes * job.count)));
      if (scratch == nullptr) return __atomic_store_n(&no_memory, 1, __ATOMIC_RELAXED);
    }
    Walk<kMaxRowOperands> at = outer;
    at.start(begin / groups);
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t first = unit % groups * lanes, wide = columns - first < lanes ? columns - first : lanes;
      if (unit != begin && first == 0) at.next();
      char* base[kMaxRowOperands];
      int64_t step[kMaxRowOperands];
      for (int k = 0; k < job.count; k++) {
        step[k] = inner >= 0 ? job.outer.strides[k][inner] : 0;
        base[k] = job.data[k] + at.offset[k] + first * step[k];
      }
      const auto move = [&](int k) {
        if (in_place[k]) return;
        char* buffer = scratch + k * lanes * pitch;
        if (lanes == 1) job.move(k, base[k], buffer);
        else if (job.cast[k].value == 4) job.move_lanes<uint32_t>(k, base[k], step[k], wide, buffer, pitch);
        else job.move_lanes<uint64_t>(k, base[k], step[k], wide, buffer, pitch);
      };
      for (int k = 0; k < job.inputs; k++) move(k);
      for (int64_t l = 0; l < wide; l++) {
        char* rows[kMaxRowOperands] = {};
        for (int k = 0; k < job.count; k++) rows[k] = in_place[k] ? base[k] + l * step[k] : scratch + (k * lanes + l) * pitch;
        f(rows, unit / groups * columns + first + l, worker);
      }
      for (int k = job.inputs; k < job.count; k++) move(k);
    }
  });
  return no_memory ? Status::out_of_memory : Status::ok;
}

}  // namespace
}  // namespace kaimo
