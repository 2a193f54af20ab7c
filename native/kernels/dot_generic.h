// dot_general for every dtype: operands are widened block by block (f16, bf16 -> f32; small integers, bool -> u32; i64 -> u64, so that
// overflow wraps), multiplied by the same tile kernels in the same order, and narrowed on the way out.
#pragma once
#include "convert_row.h"
#include "dot_fold.h"

namespace kaimo {
namespace {

constexpr int64_t kGenericRows = 48, kGenericPanels = 4;

struct GenericJob {
  Pool* pool;
  FoldedDot f;
  DType dtype;
  char* out;
  const char* bias;  // dense, or null
  int64_t activation;
  int64_t row_blocks, col_blocks;
  bool failed;
};

template <typename Acc>
KAIMO_NOINLINE void generic_block(const GenericJob& job, int64_t matrix, int64_t row0, int64_t rows, int64_t col0, int64_t cols, char* scratch) {
  constexpr int64_t nr = kNr<Acc>;
  static const Epilogue<Acc> plain;
  const FoldedDot& f = job.f;
  const int64_t size = element_size(job.dtype);
  const int64_t kb = gemm_k_block(f.k), width = kGenericPanels * nr;
  Acc* a_block = reinterpret_cast<Acc*>(scratch);
  Acc* panel = a_block + kGenericRows * kb;
  Acc* tile = panel + kb * nr;
  int64_t ao, bo, co;
  f.batch.offsets(matrix, &ao, &bo, &co);
  for (int64_t i = 0; i < kGenericRows * width; ++i) tile[i] = Acc(0);
  const RowSplit split(rows, kTileRows<Acc>);
  for (int64_t k0 = 0; k0 < f.k; k0 += kb) {
    const int64_t kc = min64(kb, f.k - k0);
    for (int64_t i = 0; i < rows; ++i) {
      widen_row(job.dtype, f.a + (ao + (row0 + i) * f.a_rs + k0 * f.a_cs) * size, f.a_cs, a_block + i * kc, kc);
    }
    for (int64_t p = 0; p * nr < cols; ++p) {
      const int64_t used = min64(nr, cols - p * nr);
      for (int64_t k = 0; k < kc; ++k) {
        for (int64_t j = used; j < nr; ++j) panel[k * nr + j] = Acc(0);
        widen_row(job.dtype, f.b + (bo + (k0 + k) * f.b_rs + (col0 + p * nr) * f.b_cs) * size, f.b_cs, panel + k * nr, used);
      }
      for (int64_t t = 0, i = 0; t < split.tiles; i += split.rows(t), ++t) {
        const TileArgs<Acc> args{kc, a_block + i * kc, kc, 1, panel, nr, tile + i * width + p * nr, width, k0 == 0, false, &plain, 0, 0, {}};
        TileTable<Acc>::kernels[kARows][tile_index(split.rows(t))](args);
      }
    }
  }
  Acc* bias = panel;  // the panel is free now
  if (job.bias) {
    for (int64_t j = 0; j < cols; j += nr) {
      widen_row(job.dtype, f.swapped ? job.bias : job.bias + (col0 + j) * size, f.swapped ? 0 : 1, bias, min64(nr, cols - j));
      for (int64_t i = 0; i < rows; ++i) {
        for (int64_t l = 0; l < min64(nr, cols - j); ++l) tile[i * width + j + l] += bias[l];
      }
    }
  }
  for (int64_t i = 0; i < rows; ++i) {
    Acc* row = tile + i * width;
    if (job.activation == kActRelu) {
      for (int64_t j = 0; j < cols; ++j) row[j] = row[j] <= Acc(0) ? Acc(0) : row[j];
    }
    narrow_row(job.dtype, row, job.out + (co + (row0 + i) * f.ldc + col0) * size, cols);
  }
}

template <typename Acc>
void generic_task(void* context, int64_t task, int worker) {
  auto& job = *static_cast<GenericJob*>(context);
  const int64_t kb = gemm_k_block(job.f.k), nr = kNr<Acc>, width = kGenericPanels * nr;
  char* scratch = static_cast<char*>(worker_scratch(job.pool, worker, sizeof(Acc) * size_t(kGenericRows * kb + kb * nr + kGenericRows * width + nr)));
  if (!scratch) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  const int64_t cb = task % job.col_blocks, rb = task / job.col_blocks % job.row_blocks;
  generic_block<Acc>(job, task / job.col_blocks / job.row_blocks, rb * kGenericRows, min64(kGenericRows, job.f.m - rb * kGenericRows), cb * width,
                     min64(width, job.f.n - cb * width), scratch);
}

template <typename Acc>
Status run_generic_in(GenericJob& job) {
  job.row_blocks = ceil_div(job.f.m, kGenericRows);
  job.col_blocks = ceil_div(job.f.n, kGenericPanels * kNr<Acc>);
  const int64_t tasks = job.row_blocks * job.col_blocks * job.f.batch.count;
  parallel_for(job.pool, tasks, generic_task<Acc>, &job);
  return job.failed ? Status::out_of_memory : Status::ok;
}


inline Status run_generic(GenericJob& job) {
  if (job.dtype == DType::f64) return run_generic_in<double>(job);
  if (is_float(job.dtype)) return run_generic_in<float>(job);
  return job.dtype == DType::i64 ? run_generic_in<uint64_t>(job) : run_generic_in<uint32_t>(job);
}

}  // namespace
}  // namespace kaimo
