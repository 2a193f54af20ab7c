// One row times a matrix in f32, bound by memory: B is read once, in the order in which it lies. Sums keep the order of gemm_micro.h.
#pragma once
#include "gemm.h"

namespace kaimo {
namespace {

constexpr int64_t kGemvAhead = 128;  // floats

// Adds the sums of one block of K to `cols` columns of the row c.
KAIMO_INLINE void gemv_finish(const Gemm<float>& g, float* c, int64_t col, const float* acc, int64_t cols, bool first, bool last) {
  const Epilogue<float>& e = g.epilogue;
  for (int64_t j = 0; j < cols; ++j) {
    float v = first ? acc[j] : c[j] + acc[j];
    if (last && e.bias) v += e.bias[(col + j) * e.bias_cs];
    if (last && e.act == kActRelu) v = v <= 0 ? 0 : v;
    c[j] = v;
  }
}

// acc[j] += sum over i < count of a[i * a_cs] b[i * b_rs + j], in the order of i. Eight rows of B a pass.
KAIMO_NOINLINE void gemv_rows(float* acc, const float* a, int64_t a_cs, const float* b, int64_t b_rs, int64_t count, int64_t cols) {
  constexpr int n = Vec<float>::n;
  int64_t k = 0;
  for (; k + 8 <= count; k += 8) {
    float x[8];
    for (int i = 0; i < 8; ++i) x[i] = a[(k + i) * a_cs];
    const float* row = b + k * b_rs;
    int64_t j = 0;
    for (; j + n <= cols; j += n) {
      vf32 v = vload(acc + j);
      if (j % 16 == 0) {
        for (int i = 0; i < 8; ++i) __builtin_prefetch(row + (i + 8) * b_rs + j, 0, 2);
      }
      KAIMO_UNROLL(8)
      for (int i = 0; i < 8; ++i) v = vfma(vsplat(x[i]), vload(row + i * b_rs + j), v);
      vstore(acc + j, v);
    }
    for (; j < cols; ++j) {
      for (int i = 0; i < 8; ++i) acc[j] = sfma(x[i], row[i * b_rs + j], acc[j]);
    }
  }
  for (; k < count; ++k) {
    const float x = a[k * a_cs];
    for (int64_t j = 0; j < cols; ++j) acc[j] = sfma(x, b[k * b_rs + j], acc[j]);
  }
}

// acc[j] = sum over k < count of a[k] b[j * b_cs + k] for kNr columns: blocks of B are transposed in registers, so that every column keeps
// its own chain in the order of k.
KAIMO_NOINLINE void gemv_columns(float* acc, const float* a, const float* b, int64_t b_cs, int64_t count) {
  constexpr int n = Vec<float>::n;
  vf32 sum[kNv] = {};
  int64_t k = 0;
  // Two vectors of a row at a time: rows whose distance is a power of two share a set of the L1 cache, so a line is used up at once.
  for (; k + 2 * n <= count; k += 2 * n) {
    KAIMO_UNROLL(4)
    for (int v = 0; v < kNv; ++v) {
      vf32 r[n], s[n];
      KAIMO_UNROLL(16)
      for (int i = 0; i < n; ++i) {
        const float* p = b + (v * n + i) * b_cs + k;
        __builtin_prefetch(p + kGemvAhead, 0, 2);
        r[i] = vload(p);
        s[i] = vload(p + n);
      }
      vtranspose(r);
      KAIMO_UNROLL(16)
      for (int i = 0; i < n; ++i) sum[v] = vfma(vsplat(a[k + i]), r[i], sum[v]);
      vtranspose(s);
      KAIMO_UNROLL(16)
      for (int i = 0; i < n; ++i) sum[v] = vfma(vsplat(a[k + n + i]), s[i], sum[v]);
    }
  }
  for (int v = 0; v < kNv; ++v) vstore(acc + v * n, sum[v]);
  for (; k < count; ++k) {
    for (int64_t j = 0; j < kNr<float>; ++j) acc[j] = sfma(a[k], b[j * b_cs + k], acc[j]);
  }
}

struct GemvJob {
  Pool* pool;
  const Gemm<float>* g;
  int64_t cols, tasks;  // columns a task, tasks a matrix
  bool by_rows, failed;
};

inline void gemv_task(void* context, int64_t task, int worker) {
  GemvJob& job = *static_cast<GemvJob*>(context);
  const Gemm<float>& g = *job.g;
  const int64_t kb = gemm_k_block(g.k), nr = kNr<float>;
  float* acc = static_cast<float*>(worker_scratch(job.pool, worker, sizeof(float) * size_t(round_up(job.cols, nr) + kb)));
  if (!acc) {
    __atomic_store_n(&job.failed, true, __ATOMIC_RELAXED);
    return;
  }
  float* dense = acc + round_up(job.cols, nr);  // one block of a, side by side
  int64_t ao, bo, co;
  g.batch.offsets(task / job.tasks, &ao, &bo, &co);
  const int64_t col = task % job.tasks * job.cols, cols = min64(job.cols, g.n - col);
  for (int64_t k0 = 0; k0 < g.k; k0 += kb) {
    const int64_t kc = min64(kb, g.k - k0);
    const float *a = g.a + ao + k0 * g.a_cs, *b = g.b + bo + k0 * g.b_rs + col * g.b_cs;
    if (job.by_rows) {
      for (int64_t j = 0; j < cols; ++j) acc[j] = 0;
      gemv_rows(acc, a, g.a_cs, b, g.b_rs, kc, cols);
    } else {
      for (int64_t k = 0; k < kc; ++k) dense[k] = a[k * g.a_cs];
      for (int64_t j = 0; j < cols; j += nr) {
        if (cols - j >= nr) {
          gemv_columns(acc + j, dense, b + j * g.b_cs, g.b_cs, kc);
          continue;
        }
        for (int64_t l = j; l < cols; ++l) {
          acc[l] = 0;
          for (int64_t k = 0; k < kc; ++k) acc[l] = sfma(dense[k], b[l * g.b_cs + k], acc[l]);
        }
      }
    }
    gemv_finish(g, g.c + co + col, col, acc, cols, k0 == 0 && !g.accumulate, k0 + kc == g.k);
  }
  if (g.epilogue.tail) g.epilogue.tail(g.epilogue, g.c + co + col, 1, cols, g.ldc);
}

// Whether this product is one row times a matrix that lies in one of the two plain orders.
template <typename T>
KAIMO_INLINE bool is_gemv(const Gemm<T>& g) {
  return sizeof(T) == sizeof(float) && g.m == 1 && !g.packed_b && (g.b_cs == 1 || g.b_rs == 1);
}

inline Status gemv(Pool* pool, const Gemm<float>& g) {
  GemvJob job{pool, &g, g.n, 1, g.b_cs == 1, false};
  const double cost = double(g.n) * double(g.k) * 8;
  // Whole pages of a row where B lies by rows; enough columns for a task's worth where it lies by columns.
  const int64_t least = job.by_rows ? 2048 : 2 * kNr<float>;
  if (cost * double(g.batch.count) >= kForkCost) {
    job.cols = min64(g.n, max64(least, round_up(int64_t(kTaskCost / (8 * double(g.k))) + 1, kNr<float>)));
  } else if (job.by_rows) {
    job.cols = min64(g.n, 2048);
  }
  job.tasks = ceil_div(g.n, job.cols);
  if (cost * double(g.batch.count) < kForkCost) {
    for (int64_t t = 0; t < job.tasks * g.batch.count; ++t) gemv_task(&job, t, 0);
  } else {
    parallel_for(pool, job.tasks * g.batch.count, gemv_task, &job);
  }
  return job.failed ? Status::out_of_memory : Status::ok;
}

// The engine's entry for f32 and f64.
template <typename T>
inline Status matrix_product(Pool* pool, const Gemm<T>& g, void* workspace) {
  if constexpr (sizeof(T) == sizeof(float)) {
    if (is_gemv(g) && g.n > 0 && g.k > 0 && g.batch.count > 0) return gemv(pool, g);
  }
  return gemm(pool, g, workspace);
}

}  // namespace
}  // namespace kaimo
