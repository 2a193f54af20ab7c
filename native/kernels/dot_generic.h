// dot_general for every dtype: operands are widened block by block (f16, bf16 -> f32; small integers, bool -> u32; i64 -> u64, so that
// overflow wraps), multiplied by the same tile kernels in the same order, and narrowed on the way out.
#pragma once
#include "dot_fold.h"

namespace kaimo {
namespace {

constexpr int64_t kGenericRows = 48, kGenericPanels = 4;

// Strided elements of any dtype as a dense row of the accumulator type.
template <typename Acc>
void widen_row(DType dtype, const char* src, int64_t stride, Acc* dst, int64_t n) {
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* in = reinterpret_cast<const T*>(src);
    for (int64_t i = 0; i < n; ++i) {
      if constexpr (__is_same(T, f16)) {
        dst[i] = Acc(f16_to_f32(in[i * stride].bits));
      } else if constexpr (__is_same(T, bf16)) {
        dst[i] = Acc(bf16_to_f32(in[i * stride].bits));
      } else {
        dst[i] = Acc(in[i * stride]);
      }
    }
    return Status::ok;
  });
}

template <typename Acc>
void narrow_row(DType dtype, const Acc* src, char* dst, int64_t n) {
  if (dtype == DType::boolean) {
    for (int64_t i = 0; i < n; ++i) dst[i] = src[i] != Acc(0);
    return;
  }
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T* out = reinterpret_cast<T*>(dst);
    for (int64_t i = 0; i < n; ++i) {
      if constexpr (__is_same(T, f16)) {
        out[i] = f16{sizeof(Acc) == 8 ? f64_to_f16(double(src[i])) : f32_to_f16(float(src[i]))};
      } else if constexpr (__is_same(T, bf16)) {
        out[i] = bf16{sizeof(Acc) == 8 ? f64_to_bf16(double(src[i])) : f32_to_bf16(float(src[i]))};
      } else {
        out[i] = T(src[i]);
      }
    }
    return Status::ok;
  });
}

struct GenericJob {
  Pool* pool;
  FoldedDot f;
  DType a, b, c, bias_dtype;
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
  const int64_t a_size = element_size(job.a), b_size = element_size(job.b), c_size = element_size(job.c);
  const int64_t kb = gemm_k_block(f.k), width = kGenericPanels * nr;
  Acc* a_block = reinterpret_cast<Acc*>(scratch);
  Acc* panel = a_block + kGenericRows * kb;
  Acc* tile = panel + kb * nr;
  int64_t ao, bo, co;
  f.batch.offsets(matrix, &ao, &bo, &co);
  for (int64_t i = 0; i < kGenericRows * width; ++i) tile[i] = Acc(0);
  const RowSplit split(rows);
  for (int64_t k0 = 0; k0 < f.k; k0 += kb) {
    const int64_t kc = min64(kb, f.k - k0);
    for (int64_t i = 0; i < rows; ++i) {
      widen_row(job.a, f.a + (ao + (row0 + i) * f.a_rs + k0 * f.a_cs) * a_size, f.a_cs, a_block + i * kc, kc);
    }
    for (int64_t p = 0; p * nr < cols; ++p) {
      const int64_t used = min64(nr, cols - p * nr);
      for (int64_t k = 0; k < kc; ++k) {
        for (int64_t j = used; j < nr; ++j) panel[k * nr + j] = Acc(0);
        widen_row(job.b, f.b + (bo + (k0 + k) * f.b_rs + (col0 + p * nr) * f.b_cs) * b_size, f.b_cs, panel + k * nr, used);
      }
      for (int64_t t = 0, i = 0; t < split.tiles; i += split.rows(t), ++t) {
        const TileArgs<Acc> args{kc, a_block + i * kc, kc, 1, panel, nr, tile + i * width + p * nr, width, k0 == 0, false, &plain, 0, 0};
        TileTable<Acc>::kernels[0][split.rows(t) - 1](args);
      }
    }
  }
  Acc* bias = panel;  // the panel is free now
  if (job.bias) {
    for (int64_t j = 0; j < cols; j += nr) {
      widen_row(job.bias_dtype, f.swapped ? job.bias : job.bias + (col0 + j) * element_size(job.bias_dtype), f.swapped ? 0 : 1, bias, min64(nr, cols - j));
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
    narrow_row(job.c, row, job.out + (co + (row0 + i) * f.ldc + col0) * c_size, cols);
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
Status run_generic(GenericJob& job) {
  job.row_blocks = ceil_div(job.f.m, kGenericRows);
  job.col_blocks = ceil_div(job.f.n, kGenericPanels * kNr<Acc>);
  const int64_t tasks = job.row_blocks * job.col_blocks * job.f.batch.count;
  parallel_for(job.pool, tasks, generic_task<Acc>, &job);
  return job.failed ? Status::out_of_memory : Status::ok;
}

inline bool is_float(DType t) { return t == DType::f32 || t == DType::f64 || t == DType::f16 || t == DType::bf16; }

}  // namespace
}  // namespace kaimo
