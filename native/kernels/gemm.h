// C = act(A B + bias) for strided matrices, batched: the engine behind dot_general and convolution, T = float or double.
//
// Two plans, equal bit for bit (gemm_micro.h states the order of sums):
//   panels  few rows: a task owns some panels of B, packs each into its own cache (or reads it in place) and runs all rows over it.
//   blocks  many rows: B is packed once by all threads, then a task owns a block of rows, packs that block of A and runs all panels.
#pragma once
#include "../runtime/pool.h"
#include "gemm_pack.h"
#include "kernel.h"

namespace kaimo {
namespace {

constexpr int kMaxBatchRank = 2 * kMaxRank;

// Outer dims over which the same product repeats; strides in elements, 0 allowed for a and b.
struct GemmBatch {
  int rank = 0;
  int64_t count = 1;
  int64_t dims[kMaxBatchRank], a[kMaxBatchRank], b[kMaxBatchRank], c[kMaxBatchRank];

  void push(int64_t dim, int64_t a_stride, int64_t b_stride, int64_t c_stride) {
    dims[rank] = dim;
    a[rank] = a_stride;
    b[rank] = b_stride;
    c[rank] = c_stride;
    ++rank;
    count *= dim;
  }
  void offsets(int64_t index, int64_t* ao, int64_t* bo, int64_t* co) const {
    *ao = *bo = *co = 0;
    for (int d = rank - 1; d >= 0; --d) {
      const int64_t i = index % dims[d];
      index /= dims[d];
      *ao += i * a[d];
      *bo += i * b[d];
      *co += i * c[d];
    }
  }
  bool b_shared() const {
    for (int d = 0; d < rank; ++d) {
      if (dims[d] > 1 && b[d] != 0) return false;
    }
    return true;
  }
};

template <typename T>
struct Gemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_rs, a_cs;
  const T* b;
  int64_t b_rs, b_cs;
  const T* packed_b = nullptr;  // gemm_pack_b's layout, shared by the whole batch; b is ignored then
  T* c;
  int64_t ldc;
  bool accumulate = false;  // add to what C holds
  Epilogue<T> epilogue;
  GemmBatch batch;

  int64_t panels() const { return ceil_div(n, kNr<T>); }
};

// Elements of B packed: one layout for every M.
template <typename T>
KAIMO_INLINE int64_t gemm_packed_b_size(int64_t k, int64_t n) {
  return round_up(n, kNr<T>) * k;
}

// Runs the tile kernel for one tile, whole or cut at the right edge.
template <typename T>
KAIMO_INLINE void run_tile(const TileArgs<T>& t, ALayout layout, int64_t rows, int64_t cols) {
  const TileKernel<T> kernel = TileTable<T>::kernels[layout][tile_index(rows)];
  if (cols == kNr<T>) {
    kernel(t);
  } else {
    tile_edge(t, kernel, rows, cols);
  }
}

// ---- plan "panels" ----

template <typename T>
struct PanelsJob {
  Pool* pool;
  const Gemm<T>* g;
  int64_t group;  // panels a task, counted through the batch
  bool failed;
};

// Where one panel of B serves many rows, or its rows would all fall into the same sets of the cache, a packed copy is read faster.
template <typename T>
KAIMO_INLINE bool worth_packing_b(const Gemm<T>& g) {
  const int64_t pitch = g.b_rs * int64_t(sizeof(T));
  return g.b_cs != 1 || g.m > 4 * kMr || (g.m > kMr && pitch % 1024 == 0);
}

// Panels [p0, p1) of one matrix of the batch; scratch holds one panel of one block of K, then one tile of A.
template <typename T>
KAIMO_NOINLINE void gemm_panels(const Gemm<T>& g, int64_t matrix, int64_t p0, int64_t p1, T* scratch) {
  constexpr int64_t nr = kNr<T>;
  int64_t ao, bo, co;
  g.batch.offsets(matrix, &ao, &bo, &co);
  const RowSplit split(g.m);
  const int64_t kb = gemm_k_block(g.k);
  const bool pack_b = worth_packing_b(g);
  const ALayout layout = g.a_cs == 1 ? kARows : g.a_rs == 1 ? kAColumns : kAPacked;
  T* a_tile = scratch + (kb + 1) * nr;
  TileArgs<T> t;
  t.a_rs = g.a_rs;
  t.a_cs = g.a_cs;
  t.ldc = g.ldc;
  t.epilogue = &g.epilogue;
  for (int64_t k0 = 0; k0 < g.k; k0 += kb) {
    t.kc = min64(kb, g.k - k0);
    t.first = k0 == 0 && !g.accumulate;
    t.last = k0 + t.kc == g.k;
    for (int64_t p = p0; p < p1; ++p) {
      const int64_t cols = min64(nr, g.n - p * nr);
      t.b_rs = nr;
      if (g.packed_b) {
        t.b = g.packed_b + (p * g.k + k0) * nr;
      } else {
        const T* src = g.b + bo + k0 * g.b_rs + p * nr * g.b_cs;
        if (!pack_b && cols == nr) {
          t.b = src;
          t.b_rs = g.b_rs;
        } else {
          pack_b_panel(scratch, src, g.b_rs, g.b_cs, t.kc, cols);
          t.b = scratch;
        }
      }
      t.col = p * nr;
      t.row = 0;
      for (int64_t tile = 0; tile < split.tiles; ++tile) {
        const int64_t rows = split.rows(tile);
        t.a = g.a + ao + t.row * g.a_rs + k0 * g.a_cs;
        if (layout == kAPacked) {
          pack_a_panel(a_tile, t.a, g.a_rs, g.a_cs, rows, t.kc);
          t.a = a_tile;
        }
        t.c = g.c + co + t.row * g.ldc + t.col;
        run_tile(t, layout, rows, cols);
        t.row += rows;
      }
    }
  }
  if (g.epilogue.hook) {
    const int64_t col = p0 * nr, cols = min64(p1 * nr, g.n) - col;
    g.epilogue.hook(g.epilogue.context, g.c + co + col, 0, col, g.m, cols, g.ldc);
  }
}

template <typename T>
void panels_task(void* context, int64_t task, int worker) {
  auto& job = *static_cast<PanelsJob<T>*>(context);
  const Gemm<T>& g = *job.g;
  const size_t bytes = sizeof(T) * size_t((gemm_k_block(g.k) + 1) * (kNr<T> + kMr) + Vec<T>::n);
  T* scratch = static_cast<T*>(worker_scratch(job.pool, worker, bytes));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  const int64_t panels = g.panels(), end = min64((task + 1) * job.group, panels * g.batch.count);
  for (int64_t u = task * job.group; u < end;) {
    const int64_t matrix = u / panels, p0 = u % panels, p1 = min64(panels, p0 + end - u);
    gemm_panels(g, matrix, p0, p1, scratch);
    u += p1 - p0;
  }
}

// Multiply-adds (or memory traffic in that currency) that are worth a task of their own, and in total worth waking other threads.
constexpr double kTaskCost = 0.5e6, kForkCost = 1.5e6;

template <typename T>
Status gemm_by_panels(Pool* pool, const Gemm<T>& g) {
  const int64_t units = g.panels() * g.batch.count;
  const double unit_cost = double(max64(g.m, 8)) * double(g.k) * double(kNr<T>);
  int64_t group = units;
  if (unit_cost * double(units) >= kForkCost) {
    group = unit_cost >= kTaskCost ? 1 : int64_t(kTaskCost / unit_cost) + 1;
    if (group > units) group = units;
  }
  PanelsJob<T> job{pool, &g, group, false};
  parallel_for(pool, ceil_div(units, group), panels_task<T>, &job);
  return job.failed ? Status::out_of_memory : Status::ok;
}

// ---- plan "blocks" ----

// Rows that are packed as parallel streams.
constexpr int64_t kPackRows = 16;

template <typename T>
struct BlocksJob {
  Pool* pool;
  const Gemm<T>* g;
  T* packed;               // panels [panel0, panel1) of matrices [matrix0, matrix1)
  int64_t matrix0, matrix1, panel0, panel1;
  bool b_shared;
  int64_t row_blocks, col_blocks;  // tasks of one matrix
  int64_t pack_group;              // panels or rows a packing task
  bool failed;
};

// Panel u of the chunk, rows [k0, k1).
template <typename T>
KAIMO_INLINE void pack_b_part(const BlocksJob<T>& job, int64_t u, int64_t k0, int64_t k1) {
  const Gemm<T>& g = *job.g;
  constexpr int64_t nr = kNr<T>;
  const int64_t panels = job.panel1 - job.panel0;
  int64_t ao, bo, co;
  g.batch.offsets(job.matrix0 + u / panels, &ao, &bo, &co);
  const int64_t col = (job.panel0 + u % panels) * nr;
  pack_b_panel(job.packed + (u * g.k + k0) * nr, g.b + bo + k0 * g.b_rs + col * g.b_cs, g.b_rs, g.b_cs, k1 - k0, min64(nr, g.n - col));
}

// A task packs whole panels, or, where the rows of B are contiguous, all panels of some rows: read along the panels' width, rows come
// from memory as streams.
template <typename T>
void pack_b_task(void* context, int64_t task, int) {
  auto& job = *static_cast<BlocksJob<T>*>(context);
  const Gemm<T>& g = *job.g;
  const int64_t panels = job.panel1 - job.panel0, units = panels * (job.b_shared ? 1 : job.matrix1 - job.matrix0);
  if (g.b_cs != 1) {
    const int64_t end = min64((task + 1) * job.pack_group, units);
    for (int64_t u = task * job.pack_group; u < end; ++u) pack_b_part(job, u, 0, g.k);
    return;
  }
  const int64_t rows = job.pack_group, blocks = ceil_div(g.k, rows);
  const int64_t u0 = task / blocks * panels, first = task % blocks * rows, end = min64(g.k, first + rows);
  for (int64_t k = first; k < end; k += kPackRows) {
    for (int64_t u = u0; u < u0 + panels; ++u) pack_b_part(job, u, k, min64(end, k + kPackRows));
  }
}

template <typename T>
void pack_b(BlocksJob<T>& job) {
  const Gemm<T>& g = *job.g;
  const int64_t panels = job.panel1 - job.panel0, matrices = job.b_shared ? 1 : job.matrix1 - job.matrix0;
  const int64_t panel_size = g.k * kNr<T>;
  const bool by_rows = g.b_cs == 1;
  job.pack_group = by_rows ? round_up(max64(1, 65536 / (panels * kNr<T>)), kPackRows) : max64(1, 65536 / panel_size);
  const int64_t tasks = by_rows ? matrices * ceil_div(g.k, job.pack_group) : ceil_div(panels * matrices, job.pack_group);
  parallel_for(job.pool, tasks, pack_b_task<T>, &job);
}

// Rows of tiles [tile0, tile1), panels [p0, p1) relative to the packed ones.
template <typename T>
KAIMO_NOINLINE void gemm_block(const BlocksJob<T>& job, int64_t matrix, int64_t tile0, int64_t tile1, int64_t p0, int64_t p1, T* scratch) {
  const Gemm<T>& g = *job.g;
  constexpr int64_t nr = kNr<T>;
  int64_t ao, bo, co;
  g.batch.offsets(matrix, &ao, &bo, &co);
  const T* packed = job.packed + (job.b_shared ? 0 : matrix - job.matrix0) * (job.panel1 - job.panel0) * g.k * nr;
  const RowSplit split(g.m);
  const int64_t row0 = split.start(tile0), kb = gemm_k_block(g.k);
  TileArgs<T> t;
  t.b_rs = nr;
  t.ldc = g.ldc;
  t.epilogue = &g.epilogue;
  for (int64_t k0 = 0; k0 < g.k; k0 += kb) {
    t.kc = min64(kb, g.k - k0);
    t.first = k0 == 0 && !g.accumulate;
    t.last = k0 + t.kc == g.k;
    // Columns of A are contiguous: rows of K come from memory as streams.
    const int64_t step = g.a_rs == 1 && g.a_cs != 1 ? kPackRows : t.kc;
    for (int64_t k = 0; k < t.kc; k += step) {
      for (int64_t tile = tile0; tile < tile1; ++tile) {
        T* dst = scratch + ((tile - tile0) * t.kc + k) * kMr;
        const T* src = g.a + ao + split.start(tile) * g.a_rs + (k0 + k) * g.a_cs;
        pack_a_panel(dst, src, g.a_rs, g.a_cs, split.rows(tile), min64(step, t.kc - k));
      }
    }
    for (int64_t p = p0; p < p1; ++p) {
      t.b = packed + (p * g.k + k0) * nr;
      t.col = (job.panel0 + p) * nr;
      t.row = row0;
      const int64_t cols = min64(nr, g.n - t.col);
      for (int64_t tile = tile0; tile < tile1; ++tile) {
        const int64_t rows = split.rows(tile);
        t.a = scratch + (tile - tile0) * t.kc * kMr;
        t.c = g.c + co + t.row * g.ldc + t.col;
        run_tile(t, kAPacked, rows, cols);
        t.row += rows;
      }
    }
  }
  if (g.epilogue.hook) {
    const int64_t col = (job.panel0 + p0) * nr, cols = min64((job.panel0 + p1) * nr, g.n) - col;
    g.epilogue.hook(g.epilogue.context, g.c + co + row0 * g.ldc + col, row0, col, t.row - row0, cols, g.ldc);
  }
}

template <typename T>
void blocks_task(void* context, int64_t task, int worker) {
  auto& job = *static_cast<BlocksJob<T>*>(context);
  const Gemm<T>& g = *job.g;
  const RowSplit split(g.m);
  const int64_t cb = task % job.col_blocks, rb = task / job.col_blocks % job.row_blocks;
  const int64_t matrix = job.matrix0 + task / job.col_blocks / job.row_blocks;
  const int64_t tile0 = split.tiles * rb / job.row_blocks, tile1 = split.tiles * (rb + 1) / job.row_blocks;
  const int64_t panels = job.panel1 - job.panel0;
  const size_t bytes = sizeof(T) * size_t((tile1 - tile0) * kMr * gemm_k_block(g.k) + Vec<T>::n);
  T* scratch = static_cast<T*>(worker_scratch(job.pool, worker, bytes));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  gemm_block(job, matrix, tile0, tile1, panels * cb / job.col_blocks, panels * (cb + 1) / job.col_blocks, scratch);
}

// Rows of a block: A's block should stay in the L2 cache; smaller where that gives every thread of a large machine something to do.
constexpr int64_t kBlockRows = 192, kMinBlockRows = 48, kWantedTasks = 16;
constexpr int64_t kPackedBytes = int64_t(16) << 20;

// How much of B is packed in one pass.
template <typename T>
struct PackPlan {
  bool b_shared;
  int64_t chunk, matrices, elements;
  explicit PackPlan(const Gemm<T>& g) : b_shared(g.packed_b != nullptr || g.batch.b_shared()) {
    const int64_t panels = g.panels(), panel_size = g.k * kNr<T>;
    const int64_t fits = max64(1, kPackedBytes / int64_t(sizeof(T)) / panel_size);
    chunk = g.packed_b ? panels : min64(panels, fits);
    matrices = b_shared ? g.batch.count : min64(g.batch.count, max64(1, fits / panels));
    elements = g.packed_b ? 0 : chunk * (b_shared ? 1 : matrices) * panel_size + Vec<T>::n;
  }
};

template <typename T>
Status gemm_by_blocks(Pool* pool, const Gemm<T>& g, T* workspace) {
  const int64_t panels = g.panels();
  const PackPlan<T> plan(g);
  const int64_t chunk = plan.chunk, matrices = plan.matrices;
  BlocksJob<T> job{pool, &g, g.packed_b ? const_cast<T*>(g.packed_b) : workspace, 0, 0, 0, 0, plan.b_shared, 1, 1, 1, false};
  const int64_t wanted = ceil_div(kWantedTasks, matrices);
  const int64_t rows = min64(kBlockRows, max64(kMinBlockRows, ceil_div(g.m, wanted)));
  job.row_blocks = min64(ceil_div(g.m, rows), RowSplit(g.m).tiles);
  for (job.matrix0 = 0; job.matrix0 < g.batch.count; job.matrix0 = job.matrix1) {
    job.matrix1 = min64(job.matrix0 + matrices, g.batch.count);
    for (job.panel0 = 0; job.panel0 < panels; job.panel0 = job.panel1) {
      job.panel1 = min64(job.panel0 + chunk, panels);
      const int64_t count = job.matrix1 - job.matrix0, width = job.panel1 - job.panel0;
      if (!g.packed_b) pack_b(job);
      job.col_blocks = max64(1, min64(width / 32, kWantedTasks / max64(1, count * job.row_blocks)));
      parallel_for(pool, count * job.row_blocks * job.col_blocks, blocks_task<T>, &job);
      if (job.failed) return Status::out_of_memory;
    }
  }
  return Status::ok;
}

// ---- entry ----

// K == 0: the empty sum, then the epilogue.
template <typename T>
void gemm_empty_sum(const Gemm<T>& g) {
  const Epilogue<T>& e = g.epilogue;
  for (int64_t matrix = 0; matrix < g.batch.count; ++matrix) {
    int64_t ao, bo, co;
    g.batch.offsets(matrix, &ao, &bo, &co);
    for (int64_t i = 0; i < g.m; ++i) {
      for (int64_t j = 0; j < g.n; ++j) {
        T v = g.accumulate ? g.c[co + i * g.ldc + j] : T(0);
        if (e.bias) v += e.bias[i * e.bias_rs + j * e.bias_cs];
        if (e.act == kActRelu) v = v <= T(0) ? T(0) : v;
        g.c[co + i * g.ldc + j] = v;
      }
    }
    if (e.hook) e.hook(e.context, g.c + co, 0, 0, g.m, g.n, g.ldc);
  }
}

// Up to this many rows A is read in place and no panel of B is read twice by different tasks.
constexpr int64_t kPanelsMaxRows = 128;

// Bytes of 64-byte aligned memory that gemm() needs besides the workers' own scratch.
template <typename T>
size_t gemm_workspace(const Gemm<T>& g) {
  if (g.m <= kPanelsMaxRows || g.n == 0 || g.k == 0 || g.batch.count == 0) return 0;
  return sizeof(T) * size_t(PackPlan<T>(g).elements);
}

template <typename T>
Status gemm(Pool* pool, const Gemm<T>& g, void* workspace) {
  if (g.m == 0 || g.n == 0 || g.batch.count == 0) return Status::ok;
  if (g.k == 0) {
    gemm_empty_sum(g);
    return Status::ok;
  }
  return g.m <= kPanelsMaxRows ? gemm_by_panels(pool, g) : gemm_by_blocks(pool, g, static_cast<T*>(workspace));
}

}  // namespace
}  // namespace kaimo
