// Plan "panels" of the matrix product, for few rows: a task owns some panels of B, packs each into its own cache (or reads it in place)
// and runs all rows over it.
#pragma once
#include "../runtime/pool.h"
#include "gemm_problem.h"

namespace kaimo {
namespace {

template <typename T>
struct PanelsJob {
  Pool* pool;
  const Gemm<T>* g;
  const T* packed_a;  // all matrices, or null
  int64_t group;      // panels a task, counted through the batch
  bool failed;
};

// Where one panel of B serves many rows, or its rows would all fall into the same sets of the cache, a packed copy is read faster.
template <typename T>
KAIMO_INLINE bool worth_packing_b(const Gemm<T>& g) {
  const int64_t pitch = g.b_rs * int64_t(sizeof(T));
  return g.b_cs != 1 || g.m > 4 * kMr || (g.m > kMr && pitch % 1024 == 0);
}

// A packed before all else, block of K by block of K, tile by tile. A block ends in the slack that pack_a_panel asks for, so that blocks
// can be packed side by side.
template <typename T>
struct PackedA {
  int64_t tiles, kb, blocks, block_size, matrix_size;
  explicit PackedA(const Gemm<T>& g) : tiles(RowSplit(g.m).tiles), kb(gemm_k_block(g.k)), blocks(ceil_div(g.k, kb)) {
    block_size = round_up(tiles * kMr * kb + Vec<T>::n, 64 / int64_t(sizeof(T)));
    matrix_size = blocks * block_size;
  }
};

// Rows whose distance is a multiple of 1 KiB share few sets of the L1 cache (at 4 KiB the tile kernels run at 40 % of their speed), and
// columns use a small part of each line. The copy must serve enough panels to pay.
constexpr int64_t kPackedABytes = int64_t(16) << 20, kPackedAPanels = 8;

template <typename T>
KAIMO_INLINE bool worth_packing_a(const Gemm<T>& g) {
  const PackedA<T> packed(g);
  if (g.m < 4 || g.panels() < kPackedAPanels || packed.matrix_size * g.batch.count * int64_t(sizeof(T)) > kPackedABytes) return false;
  return g.a_cs != 1 || g.a_rs * int64_t(sizeof(T)) % 1024 == 0;
}

template <typename T>
struct PackAJob {
  const Gemm<T>* g;
  T* packed;
};

// One block of K of one matrix.
template <typename T>
void pack_a_task(void* context, int64_t task, int) {
  const auto& job = *static_cast<PackAJob<T>*>(context);
  const Gemm<T>& g = *job.g;
  const PackedA<T> layout(g);
  const int64_t matrix = task / layout.blocks, k0 = task % layout.blocks * layout.kb, kc = min64(layout.kb, g.k - k0);
  int64_t ao, bo, co;
  g.batch.offsets(matrix, &ao, &bo, &co);
  T* dst = job.packed + task * layout.block_size;
  const RowSplit split(g.m);
  for (int64_t tile = 0; tile < split.tiles; ++tile) {
    pack_a_panel(dst + tile * kc * kMr, g.a + ao + split.start(tile) * g.a_rs + k0 * g.a_cs, g.a_rs, g.a_cs, split.rows(tile), kc);
  }
}

// The part `tile` of `tiles` of a source panel of B: whole lines of kAheadRows rows along k or, where columns are contiguous, of k.
template <typename T>
KAIMO_INLINE LinesAhead<T> source_ahead(const T* src, int64_t rs, int64_t cs, int64_t kc, int64_t tile, int64_t tiles) {
  static_assert(kNr<float> % 8 == 0 && kAheadRows == 16, "");
  constexpr int64_t rows = int64_t(kAheadRows), line = 64 / int64_t(sizeof(T));
  const int64_t pitch = cs == 1 ? rs : cs, step = cs == 1 ? rows * rs : line;
  const int64_t groups = cs == 1 ? kc / rows : kc / line, first = groups * tile / tiles, end = groups * (tile + 1) / tiles;
  return LinesAhead<T>{src + first * step, pitch, step, uint64_t((end - first) * rows)};
}

// Panels [p0, p1) of one matrix of the batch; scratch holds one panel of one block of K, then one tile of A.
template <typename T>
KAIMO_NOINLINE void gemm_panels(const Gemm<T>& g, const T* packed_a, int64_t matrix, int64_t p0, int64_t p1, T* scratch) {
  constexpr int64_t nr = kNr<T>;
  int64_t ao, bo, co;
  g.batch.offsets(matrix, &ao, &bo, &co);
  const RowSplit split(g.m);
  const PackedA<T> packed(g);
  const int64_t kb = packed.kb;
  const bool pack_b = worth_packing_b(g), ahead = pack_b && (g.b_cs == 1 || g.b_rs == 1);
  const ALayout layout = packed_a ? kAPacked : g.a_cs == 1 ? kARows : g.a_rs == 1 ? kAColumns : kAPacked;
  T* a_tile = scratch + (kb + 1) * nr;
  TileArgs<T> t;
  t.a_rs = g.a_rs;
  t.a_cs = g.a_cs;
  t.ldc = g.ldc;
  t.epilogue = &g.epilogue;
  for (int64_t block = 0; block < packed.blocks; ++block) {
    const int64_t k0 = block * kb;
    t.kc = min64(kb, g.k - k0);
    t.first = k0 == 0 && !g.accumulate;
    t.last = k0 + t.kc == g.k;
    const T* a_block = packed_a ? packed_a + matrix * packed.matrix_size + block * packed.block_size : nullptr;
    for (int64_t p = p0; p < p1; ++p) {
      const int64_t cols = min64(nr, g.n - p * nr);
      const T* src = g.b + bo + k0 * g.b_rs + p * nr * g.b_cs;
      t.b_rs = nr;
      if (g.packed_b) {
        t.b = g.packed_b + (p * g.k + k0) * nr;
      } else if (!pack_b && cols == nr) {
        t.b = src;
        t.b_rs = g.b_rs;
      } else {
        pack_b_panel(scratch, src, g.b_rs, g.b_cs, t.kc, cols);
        t.b = scratch;
      }
      const T* next = nullptr;
      if (g.packed_b) next = p + 1 < g.panels() ? t.b + g.k * nr : nullptr;
      else if (ahead && (p + 2) * nr <= g.n) next = src + nr * g.b_cs;
      t.ahead = LinesAhead<T>{};
      t.col = p * nr;
      t.row = 0;
      for (int64_t tile = 0; tile < split.tiles; ++tile) {
        const int64_t rows = split.rows(tile);
        if (next && g.packed_b) t.ahead = packed_ahead(next, t.kc, tile, split.tiles);
        else if (next) t.ahead = source_ahead(next, g.b_rs, g.b_cs, t.kc, tile, split.tiles);
        if (packed_a) {
          t.a = a_block + tile * t.kc * kMr;
        } else {
          t.a = g.a + ao + t.row * g.a_rs + k0 * g.a_cs;
          if (layout == kAPacked) {
            pack_a_panel(a_tile, t.a, g.a_rs, g.a_cs, rows, t.kc);
            t.a = a_tile;
          }
        }
        t.c = g.c + co + t.row * g.ldc + t.col;
        run_tile(t, layout, rows, cols);
        t.row += rows;
      }
    }
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
    gemm_panels(g, job.packed_a, matrix, p0, p1, scratch);
    u += p1 - p0;
  }
}

// Multiply-adds (or memory traffic in that currency) that are worth a task of their own, and in total worth waking other threads.
constexpr double kTaskCost = 0.5e6, kForkCost = 1.5e6;

template <typename T>
int64_t panels_workspace(const Gemm<T>& g) {
  return worth_packing_a(g) ? PackedA<T>(g).matrix_size * g.batch.count : 0;
}

// `workspace`: panels_workspace(g) elements.
template <typename T>
Status gemm_by_panels(Pool* pool, const Gemm<T>& g, T* workspace) {
  const bool pack_a = worth_packing_a(g);
  if (pack_a) {
    PackAJob<T> packing{&g, workspace};
    parallel_for(pool, PackedA<T>(g).blocks * g.batch.count, pack_a_task<T>, &packing);
  }
  const int64_t units = g.panels() * g.batch.count;
  const double unit_cost = double(max64(g.m, 8)) * double(g.k) * double(kNr<T>);
  int64_t group = units;
  if (unit_cost * double(units) >= kForkCost) {
    group = unit_cost >= kTaskCost ? 1 : int64_t(kTaskCost / unit_cost) + 1;
    if (group > units) group = units;
  }
  PanelsJob<T> job{pool, &g, pack_a ? workspace : nullptr, group, false};
  parallel_for(pool, ceil_div(units, group), panels_task<T>, &job);
  return job.failed ? Status::out_of_memory : Status::ok;
}

}  // namespace
}  // namespace kaimo
