// A small pool of threads that share one executor. Kernels see only these functions.
#pragma once
#include <cstddef>
#include <cstdint>

namespace kaimo {

class Pool;

// Number of threads that parallel_for may use (including the caller), at least 1.
int pool_threads(const Pool* pool);

// Runs fn(ctx, task, worker) for every task in [0, tasks), tasks taken from an atomic counter, worker in [0, pool_threads).
// Returns when all are done. Callers cut work at boundaries that depend on shapes alone, so results do not depend on the number
// of threads. With one task, or one thread, everything runs inline on the caller.
void parallel_for(Pool* pool, int64_t tasks, void (*fn)(void* ctx, int64_t task, int worker), void* ctx);

// 64-byte aligned memory of the worker that lasts until its next call; grows on demand, null when out of memory.
void* worker_scratch(Pool* pool, int worker, size_t bytes);

// 64-byte aligned memory shared by all workers of the running kernel (one owner at a time: the kernel's caller thread).
void* shared_scratch(Pool* pool, size_t bytes);

}  // namespace kaimo
