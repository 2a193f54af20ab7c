// Plan "blocks" of the matrix product, for many rows: B is packed once by all threads, then a task owns a block of rows, packs that block
// of A and runs all panels.
#pragma once
#include "../runtime/pool.h"
#include "gemm_problem.h"

namespace kaimo {
namespace {

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
      const T* next = p + 1 < p1 ? t.b + g.k * nr : t.b;
      for (int64_t tile = tile0; tile < tile1; ++tile) {
        const int64_t rows = split.rows(tile);
        t.ahead = packed_ahead(next, t.kc, tile - tile0, tile1 - tile0);
        t.a = scratch + (tile - tile0) * t.kc * kMr;
        t.c = g.c + co + t.row * g.ldc + t.col;
        run_tile(t, kAPacked, rows, cols);
        t.row += rows;
      }
    }
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

}  // namespace
}  // namespace kaimo
