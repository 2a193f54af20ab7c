// C = act(A B + bias) for strided matrices, batched: the engine behind dot_general and convolution, T = float or double.
// Two plans, gemm_panels.h and gemm_blocks.h, equal bit for bit (gemm_micro.h states the order of sums).
#pragma once
#include "gemm_blocks.h"
#include "gemm_panels.h"

namespace kaimo {
namespace {

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
    if (e.tail) e.tail(e, g.c + co, g.m, g.n, g.ldc);
  }
}

// Up to this many rows no panel of B is read twice by different tasks.
constexpr int64_t kPanelsMaxRows = 128;

// Bytes of 64-byte aligned memory that gemm() needs besides the workers' own scratch.
template <typename T>
size_t gemm_workspace(const Gemm<T>& g) {
  if (g.m == 0 || g.n == 0 || g.k == 0 || g.batch.count == 0) return 0;
  return sizeof(T) * size_t(g.m <= kPanelsMaxRows ? panels_workspace(g) : PackPlan<T>(g).elements);
}

template <typename T>
Status gemm(Pool* pool, const Gemm<T>& g, void* workspace) {
  if (g.m == 0 || g.n == 0 || g.batch.count == 0) return Status::ok;
  if (g.k == 0) {
    gemm_empty_sum(g);
    return Status::ok;
  }
  T* memory = static_cast<T*>(workspace);
  return g.m <= kPanelsMaxRows ? gemm_by_panels(pool, g, memory) : gemm_by_blocks(pool, g, memory);
}

}  // namespace
}  // namespace kaimo
