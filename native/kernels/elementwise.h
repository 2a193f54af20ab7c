// elementwise: runs a cluster of elementwise operations over tiles that stay in the first-level cache.
//
// All operands have the dims of the loop. Inputs take any strides (broadcast, transposed and sliced views are read in place);
// outputs may be strided too. An output may occupy the memory of an input of the same dims, strides and element size.
// ints = registers, wide, instructions, instructions x (opcode, d, a, b, c), n_out x register.
// Registers 0 .. n_in - 1 hold the inputs and are never written. A register that is an output is written once. `wide` is 1 where any
// register has 8-byte lanes.
#pragma once
#include "elementwise_io.h"
#include "elementwise_table.h"

namespace kaimo {
namespace {

constexpr int kMaxClusterOperands = 96;
constexpr int kMaxClusterRegisters = 160;

struct ClusterCode {
  const int64_t* code;
  const int64_t* out_registers;
  int64_t n_instructions;
  int n_in, n_out, n_registers;
  int64_t tile;            // elements, a multiple of kLaneMultiple
  int64_t register_bytes;  // one register in scratch memory
  int64_t last_input_read;  // instructions from here on read no input: they may write over one
  double element_ns;
};

inline ClusterCode decode_cluster(const KernelCall& call) {
  ClusterCode cluster;
  cluster.n_registers = static_cast<int>(call.ints[0]);
  const int64_t lane = call.ints[1] != 0 ? 8 : 4;
  cluster.n_instructions = call.ints[2];
  cluster.code = call.ints + 3;
  cluster.out_registers = cluster.code + 5 * cluster.n_instructions;
  cluster.n_in = call.n_in;
  cluster.n_out = call.n_out;
  cluster.last_input_read = 0;
  cluster.element_ns = 0.05 * (call.n_in + call.n_out);
  for (int64_t i = 0; i < cluster.n_instructions; i++) {
    const int64_t* at = cluster.code + 5 * i;
    cluster.element_ns += static_cast<double>(kOps[at[0]].cost);
    if (at[2] < call.n_in || at[3] < call.n_in || at[4] < call.n_in) cluster.last_input_read = i;
  }
  constexpr int64_t kRegisterBudget = 24 * 1024;
  cluster.tile = cluster.n_registers * lane * 512 <= kRegisterBudget ? 512 : cluster.n_registers * lane * 256 <= kRegisterBudget ? 256 : 128;
  // The odd line keeps registers from falling on the same sets of the cache.
  cluster.register_bytes = cluster.tile * lane + 64;
  return cluster;
}

// How an input reaches its register, or a register its output.
enum class Feed { once, direct, load, stream };

// Outputs from this size on go past the caches: nothing of them would be left there for a reader.
constexpr int64_t kStreamBytes = int64_t(8) << 20;

// Copies a multiple of 64 bytes to an aligned destination past the caches.
inline void stream_copy(char* to, const char* from, int64_t bytes) {
#if defined(__AVX2__)
  for (int64_t i = 0; i < bytes; i += 32) _mm256_stream_si256(reinterpret_cast<__m256i*>(to + i), _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i)));
#elif defined(__SSE2__)
  for (int64_t i = 0; i < bytes; i += 16) _mm_stream_si128(reinterpret_cast<__m128i*>(to + i), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + i)));
#else
  __builtin_memcpy(to, from, static_cast<size_t>(bytes));
#endif
}
inline void stream_fence() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

// Lines of the next tile, asked for a few at a time between the operations of this one: memory works while the registers do.
struct Ahead {
  const char* streams[8];
  int count = 0;
  int64_t lines = 0;  // of each stream

  void fetch(int64_t step, int64_t steps) const {
    const int64_t total = count * lines;
    for (int64_t i = total * step / steps, end = total * (step + 1) / steps; i < end; i++) __builtin_prefetch(streams[i / lines] + i % lines * 64);
  }
};

struct ClusterView {
  char* data;
  int64_t bytes;   // of an element
  int64_t stride;  // along the inner dim, in elements
  const int64_t* strides;
  DType dtype;
  bool native;
  bool flat;        // row-major over the whole loop
  Feed feed;
};

// The loop: `rows` rows of `columns` elements. A tile covers either part of one row or `tile_rows` whole rows.
struct ClusterLoop {
  int outer_rank;
  const int64_t* dims;
  int64_t rows, columns;
  int64_t tile_rows;   // 0: tiles are parts of a row
  int64_t row_tiles;   // tiles of one row
};

inline ClusterView view_of(const Operand& operand, int outer_rank) {
  ClusterView view;
  view.data = operand.data;
  view.bytes = element_size(operand.dtype);
  view.dtype = operand.dtype;
  view.native = is_native(operand.dtype);
  view.strides = operand.strides;
  view.stride = outer_rank < operand.rank ? operand.strides[outer_rank] : 0;
  view.flat = is_dense(operand);
  view.feed = Feed::load;
  return view;
}

struct ClusterRun {
  ClusterCode code;
  ClusterLoop loop;
  ClusterView in[kMaxClusterOperands];
  ClusterView out[kMaxClusterOperands];
  Pool* pool;
  bool large = false;  // more than the caches hold
  mutable bool failed = false;

  int64_t row_offset(const ClusterView& view, int64_t row) const {
    if (loop.outer_rank == 1) return row * view.strides[0];
    int64_t offset = 0;
    for (int d = loop.outer_rank - 1; d >= 0; d--) {
      offset += row % loop.dims[d] * view.strides[d];
      row /= loop.dims[d];
    }
    return offset;
  }

  // Elements [column, column + n) of a row, or whole rows from `row` on, between memory and a register.
  template <class F>
  void each_run(const ClusterView& view, int64_t row, int64_t column, int64_t n, F&& f) const {
    if (view.flat) return f(view.data + (row * loop.columns + column) * view.bytes, int64_t(1), int64_t(0), n);
    if (loop.tile_rows == 0) return f(view.data + (row_offset(view, row) + column * view.stride) * view.bytes, view.stride, int64_t(0), n);
    for (int64_t at = 0; at < n; at += loop.columns, row++)
      f(view.data + row_offset(view, row) * view.bytes, view.stride, at, loop.columns);
  }

  void load(const ClusterView& view, char* to, int64_t row, int64_t column, int64_t n) const {
    const int64_t lane = lane_bytes(view.dtype);
    each_run(view, row, column, n,
             [&](const char* from, int64_t stride, int64_t at, int64_t count) { load_run(view.dtype, to + at * lane, from, stride, count); });
  }

  void store(const ClusterView& view, const char* from, int64_t row, int64_t column, int64_t n) const {
    const int64_t lane = lane_bytes(view.dtype);
    each_run(view, row, column, n,
             [&](char* to, int64_t stride, int64_t at, int64_t count) { store_run(view.dtype, to, from + at * lane, stride, count); });
  }

  // Where the elements of a tile lie one after the other in memory, or null.
  char* in_place(const ClusterView& view, int64_t row, int64_t column) const {
    if (!view.native) return nullptr;
    if (view.flat) return view.data + (row * loop.columns + column) * view.bytes;
    if (loop.tile_rows == 0 && view.stride == 1) return view.data + (row_offset(view, row) + column) * view.bytes;
    return nullptr;
  }

  void run_tile(char** registers, char* const* scratch, int64_t row, int64_t column, int64_t n) const {
    const int64_t padded = (n + kLaneMultiple - 1) & ~(kLaneMultiple - 1);
    Ahead ahead;
    ahead.lines = code.tile * 4 / 64;
    for (int i = 0; i < code.n_in; i++) {
      if (in[i].feed == Feed::once) continue;
      // A partial tile is copied: the loops run over whole multiples of lanes, which may lie beyond the buffer.
      char* const direct = in[i].feed == Feed::direct && padded == n ? in_place(in[i], row, column) : nullptr;
      registers[i] = direct != nullptr ? direct : scratch[i];
      if (direct != nullptr && large && ahead.count < 8) ahead.streams[ahead.count++] = direct + n * in[i].bytes;
      if (direct == nullptr) load(in[i], scratch[i], row, column, n);
    }
    bool stored[kMaxClusterOperands];
    for (int o = 0; o < code.n_out; o++) {
      const int64_t r = code.out_registers[o];
      stored[o] = false;
      if (r < code.n_in) continue;
      registers[r] = scratch[r];
    }
    for (int o = 0; o < code.n_out; o++) {
      const int64_t r = code.out_registers[o];
      if (r < code.n_in || padded != n || out[o].feed != Feed::direct || registers[r] != scratch[r]) continue;
      char* const direct = in_place(out[o], row, column);
      stored[o] = direct != nullptr;
      if (direct != nullptr) registers[r] = direct;
    }
    const int64_t* at = code.code;
    for (int64_t i = 0; i < code.n_instructions; i++, at += 5) {
      kOps[at[0]].run(registers[at[1]], registers[at[2]], registers[at[3]], registers[at[4]], padded);
      if (ahead.count > 0) ahead.fetch(i, code.n_instructions);
    }
    for (int o = 0; o < code.n_out; o++) {
      if (stored[o]) continue;
      const char* const from = registers[code.out_registers[o]];
      char* const to = out[o].feed == Feed::stream && n == code.tile ? in_place(out[o], row, column) : nullptr;
      if (to != nullptr && reinterpret_cast<uintptr_t>(to) % 64 == 0) stream_copy(to, from, n * out[o].bytes);
      else store(out[o], from, row, column, n);
    }
  }

  void run_tiles(int64_t begin, int64_t end, int worker) const {
    char* const memory = static_cast<char*>(worker_scratch(pool, worker, static_cast<size_t>(code.n_registers * code.register_bytes)));
    if (memory == nullptr) {
      __atomic_store_n(&failed, true, __ATOMIC_RELAXED);
      return;
    }
    char* scratch[kMaxClusterRegisters];
    char* registers[kMaxClusterRegisters];
    for (int r = 0; r < code.n_registers; r++) registers[r] = scratch[r] = memory + r * code.register_bytes;
    for (int i = 0; i < code.n_in; i++) {
      if (in[i].feed != Feed::once) continue;
      if (loop.tile_rows == 0) load_run(in[i].dtype, scratch[i], in[i].data, 0, min64(code.tile, round_up(loop.columns, kLaneMultiple)));
      else load(in[i], scratch[i], 0, 0, loop.tile_rows * loop.columns);
    }
    if (loop.tile_rows > 0) {
      for (int64_t unit = begin; unit < end; unit++) {
        const int64_t row = unit * loop.tile_rows;
        run_tile(registers, scratch, row, 0, min64(loop.tile_rows, loop.rows - row) * loop.columns);
      }
      return;
    }
    for (int64_t unit = begin; unit < end; unit++) {
      const int64_t column = unit % loop.row_tiles * code.tile;
      run_tile(registers, scratch, unit / loop.row_tiles, column, min64(code.tile, loop.columns - column));
    }
    if (large) stream_fence();
  }
};

// Chooses how tiles cut the loop and how each operand is fed. Operands have merged dims: the last one is the inner loop.
inline void plan_cluster(ClusterRun& run, const KernelCall& call) {
  const Operand& shape = call.out[0];
  ClusterLoop& loop = run.loop;
  loop.outer_rank = shape.rank > 0 ? shape.rank - 1 : 0;
  loop.dims = shape.dims;
  loop.columns = shape.rank > 0 ? shape.dims[shape.rank - 1] : 1;
  loop.rows = 1;
  for (int d = 0; d < loop.outer_rank; d++) loop.rows *= shape.dims[d];
  loop.tile_rows = loop.rows > 1 && loop.columns <= run.code.tile / 2 ? run.code.tile / loop.columns : 0;
  loop.row_tiles = ceil_div(loop.columns, run.code.tile);
  run.large = loop.rows * loop.columns >= (int64_t(1) << 18);
  for (int i = 0; i < call.n_in; i++) {
    ClusterView& view = run.in[i] = view_of(call.in[i], loop.outer_rank);
    bool outer_fixed = true;
    for (int d = 0; d < loop.outer_rank; d++) outer_fixed = outer_fixed && (view.strides[d] == 0 || shape.dims[d] == 1);
    // The same values in every tile: a scalar, or a row that tiles of whole rows repeat.
    if (outer_fixed && (loop.tile_rows > 0 || view.stride == 0)) view.feed = Feed::once;
    else if (view.native) view.feed = Feed::direct;
  }
  for (int o = 0; o < call.n_out; o++) {
    ClusterView& view = run.out[o] = view_of(call.out[o], loop.outer_rank);
    if (!view.native) continue;
    if (loop.rows * loop.columns * view.bytes >= kStreamBytes) {
      view.feed = Feed::stream;
      continue;
    }
    for (int64_t i = run.code.last_input_read; i < run.code.n_instructions; i++)
      if (run.code.code[5 * i + 1] == run.code.out_registers[o]) view.feed = Feed::direct;
  }
}

static Status elementwise_kernel(KernelCall& call) {
  if (call.n_in + call.n_out > kMaxClusterOperands || call.ints[0] > kMaxClusterRegisters) return Status::unsupported;
  ClusterRun run;
  run.pool = call.pool;
  run.code = decode_cluster(call);
  plan_cluster(run, call);
  if (run.loop.rows == 0 || run.loop.columns == 0) return Status::ok;
  const bool whole_rows = run.loop.tile_rows > 0;
  const int64_t units = whole_rows ? ceil_div(run.loop.rows, run.loop.tile_rows) : run.loop.rows * run.loop.row_tiles;
  const double unit_elements = static_cast<double>(whole_rows ? run.loop.tile_rows * run.loop.columns : min64(run.code.tile, run.loop.columns));
  parallel_ranges(call.pool, units, 10 + 5 * static_cast<double>(run.code.n_instructions) + unit_elements * run.code.element_ns,
                  [&](int64_t begin, int64_t end, int worker) { run.run_tiles(begin, end, worker); });
  return run.failed ? Status::out_of_memory : Status::ok;
}

static const KernelEntry kElementwiseKernels[] = {
    {"elementwise", elementwise_kernel},
};

}  // namespace
}  // namespace kaimo
