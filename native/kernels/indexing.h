// gather, dynamic_slice, dynamic_update_slice, and what scatter shares with them: reading index vectors and checking them.
#pragma once
#include "copy.h"

namespace kaimo {
namespace {

// An integer element of any integer dtype.
inline int64_t integer_at(const char* data, DType dtype, int64_t i) {
  switch (dtype) {
    case DType::i8: return reinterpret_cast<const int8_t*>(data)[i];
    case DType::i16: return reinterpret_cast<const int16_t*>(data)[i];
    case DType::u8: return reinterpret_cast<const uint8_t*>(data)[i];
    case DType::i32: return reinterpret_cast<const int32_t*>(data)[i];
    case DType::u32: return reinterpret_cast<const uint32_t*>(data)[i];
    default: return reinterpret_cast<const int64_t*>(data)[i];
  }
}

// A list in ints: its length, then its entries.
struct IntList {
  const int64_t* data;
  int n;
  bool has(int64_t value) const {
    for (int i = 0; i < n; i++)
      if (data[i] == value) return true;
    return false;
  }
};

inline IntList take_list(const int64_t*& ints) {
  const IntList list{ints + 1, static_cast<int>(ints[0])};
  ints += 1 + list.n;
  return list;
}

// Where the window of each index vector starts. The vector is the last dim of the indices.
struct StartReader {
  const Operand& indices;
  Walk<1> batch;             // all dims but the last
  int64_t count;             // index vectors
  int components;
  int64_t component_stride;
  int64_t step[kMaxRank];    // elements of the indexed tensor per unit of each component
  int64_t limit[kMaxRank];   // exclusive bound of each component

  // dims, strides: of the indexed tensor; window: its slice sizes.
  StartReader(const Operand& source, const IntList& map, const int64_t* dims, const int64_t* strides, const int64_t* window)
      : indices(source), count(1), components(map.n), component_stride(source.strides[source.rank - 1]) {
    batch.rank = 0;
    for (int d = 0; d < source.rank - 1; d++) {
      batch.push(source.dims[d], {source.strides[d]});
      count *= source.dims[d];
    }
    for (int c = 0; c < components; c++) {
      step[c] = strides[map.data[c]];
      limit[c] = dims[map.data[c]] - window[map.data[c]] + 1;
    }
  }

  // The element offset of one window, or false with the error filled in.
  bool read(int64_t at, int64_t* offset, KernelError* error) const {
    *offset = 0;
    for (int c = 0; c < components; c++) {
      const int64_t index = integer_at(indices.data, indices.dtype, at + c * component_stride);
      if (static_cast<uint64_t>(index) >= static_cast<uint64_t>(limit[c] < 0 ? 0 : limit[c])) {
        *error = {1, index, limit[c]};
        return false;
      }
      *offset += index * step[c];
    }
    return true;
  }

  // All windows in order. An error is that of the first bad vector, whatever the threads did.
  Status read_all(KernelCall& call, int64_t* starts) {
    int bad = 0;
    parallel_ranges(call.pool, count, 1 + components, [&](int64_t begin, int64_t end, int) {
      Walk<1> at = batch;
      at.start(begin);
      KernelError ignored;
      for (int64_t i = begin; i < end; i++, at.next())
        if (!read(at.offset[0], starts + i, &ignored)) __atomic_store_n(&bad, 1, __ATOMIC_RELAXED);
    });
    if (!bad) return Status::ok;
    batch.start(0);
    for (int64_t i = 0; i < count; i++, batch.next())
      if (!read(batch.offset[0], starts + i, &call.error)) break;
    return Status::index_out_of_bounds;
  }
};

template <class T>
inline void gather_runs(Pool* pool, const T* in, T* out, const int64_t* starts, Walk<2>& outer, int64_t runs_per_window, int64_t n, int64_t si, int64_t so) {
  const double run_ns = 6 + (si == 1 && so == 1 ? 0.1 * sizeof(T) : 1.0) * static_cast<double>(n);
  parallel_ranges(pool, outer.count(), run_ns, [&](int64_t begin, int64_t end, int) {
    Walk<2> at = outer;
    at.start(begin);
    int64_t window = begin / runs_per_window, left = runs_per_window - begin % runs_per_window;
    for (int64_t run = begin; run < end; run++, at.next()) {
      const T* from = in + starts[window] + at.offset[0];
      if (n == 1) out[at.offset[1]] = *from;
      else copy_run(from, si, out + at.offset[1], so, n);
      if (--left == 0) {
        window++;
        left = runs_per_window;
      }
    }
  });
}

// gather (StableHLO, index vector in the last dim): in[0] operand, in[1] integer indices;
// ints = n, offset_dims..., n, collapsed_slice_dims..., n, start_index_map..., slice_sizes (one for each operand dim).
// An index vector whose window leaves the operand fails with index_out_of_bounds {operand 1, index, exclusive limit}.
static Status gather_kernel(KernelCall& call) {
  const Operand &in = call.in[0], &indices = call.in[1], &out = call.out[0];
  const int64_t* ints = call.ints;
  const IntList offset_dims = take_list(ints), collapsed = take_list(ints), map = take_list(ints);
  const int64_t* sizes = ints;
  StartReader reader(indices, map, in.dims, in.strides, sizes);
  if (reader.count == 0) return Status::ok;
  int64_t* starts = static_cast<int64_t*>(shared_scratch(call.pool, static_cast<size_t>(reader.count) * sizeof(int64_t)));
  if (starts == nullptr) return Status::out_of_memory;
  const Status status = reader.read_all(call, starts);
  if (status != Status::ok || element_count(out) == 0) return status;

  Walk<2> window, walk;
  window.rank = walk.rank = 0;
  for (int d = 0, w = 0; d < in.rank; d++) {
    if (collapsed.has(d)) continue;
    window.push(sizes[d], {in.strides[d], out.strides[offset_dims.data[w++]]});
  }
  int64_t n = 1, si = 1, so = 1, runs = 1;
  if (window.rank > 0) {
    window.rank--;
    n = window.dims[window.rank];
    si = window.strides[0][window.rank];
    so = window.strides[1][window.rank];
  }
  for (int d = 0; d < out.rank; d++)
    if (!offset_dims.has(d)) walk.push(out.dims[d], {0, out.strides[d]});
  for (int d = 0; d < window.rank; d++) {
    walk.push(window.dims[d], {window.strides[0][d], window.strides[1][d]});
    runs *= window.dims[d];
  }
  return with_element_size(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    gather_runs(call.pool, reinterpret_cast<const T*>(in.data), reinterpret_cast<T*>(out.data), starts, walk, runs, n, si, so);
    return Status::ok;
  });
}

// The element offset of a slice whose scalar starts (operands from `first`) are clamped so that it fits.
inline int64_t clamped_start(const KernelCall& call, int first, const Operand& whole, const int64_t* sizes) {
  int64_t offset = 0;
  for (int d = 0; d < whole.rank; d++) {
    const Operand& scalar = call.in[first + d];
    const int64_t last = whole.dims[d] - sizes[d];
    int64_t start = integer_at(scalar.data, scalar.dtype, 0);
    start = start > last ? last : start;
    offset += (start < 0 ? 0 : start) * whole.strides[d];
  }
  return offset;
}

// dynamic_slice: in[0] operand, in[1..rank] integer scalar starts (clamped). The output's dims are the slice sizes. No ints.
static Status dynamic_slice_kernel(KernelCall& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  const int64_t offset = clamped_start(call, 1, in, out.dims);
  return with_element_size(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    copy_view(call.pool, reinterpret_cast<const T*>(in.data) + offset, in.strides, reinterpret_cast<T*>(out.data), out.strides, out.dims, out.rank);
    return Status::ok;
  });
}

// The operand of an updating kernel into its output, unless the output is the operand's own memory.
template <class T>
inline void copy_unless_in_place(KernelCall& call) {
  const Operand &in = call.in[0], &out = call.out[0];
  if (in.data != out.data) copy_view(call.pool, reinterpret_cast<const T*>(in.data), in.strides, reinterpret_cast<T*>(out.data), out.strides, out.dims, out.rank);
}

// dynamic_update_slice: in[0] operand, in[1] update, in[2..] integer scalar starts (clamped). In place where out[0] is in[0]. No ints.
static Status dynamic_update_slice_kernel(KernelCall& call) {
  const Operand &update = call.in[1], &out = call.out[0];
  const int64_t offset = clamped_start(call, 2, out, update.dims);
  return with_element_size(out.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    copy_unless_in_place<T>(call);
    copy_view(call.pool, reinterpret_cast<const T*>(update.data), update.strides, reinterpret_cast<T*>(out.data) + offset, out.strides, update.dims, out.rank);
    return Status::ok;
  });
}

static const KernelEntry kIndexingKernels[] = {
    {"gather", gather_kernel},
    {"dynamic_slice", dynamic_slice_kernel},
    {"dynamic_update_slice", dynamic_update_slice_kernel},
};

}  // namespace
}  // namespace kaimo
