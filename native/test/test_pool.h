// A pool for kernel tests: threads for every parallel_for, or inline when built for one thread.
#pragma once
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../runtime/pool.h"

namespace kaimo {

class Pool {
 public:
  int threads = 1;
  std::vector<std::vector<char>> scratch{16};
  std::vector<char> shared;
};

int pool_threads(const Pool* pool) { return pool->threads; }

void parallel_for(Pool* pool, int64_t tasks, void (*fn)(void*, int64_t, int), void* ctx) {
  if (tasks <= 1 || pool->threads == 1) {
    for (int64_t task = 0; task < tasks; task++) fn(ctx, task, 0);
    return;
  }
  std::atomic<int64_t> next{0};
  std::vector<std::thread> workers;
  for (int worker = 0; worker < pool->threads; worker++)
    workers.emplace_back([&, worker] {
      for (int64_t task = next++; task < tasks; task = next++) fn(ctx, task, worker);
    });
  for (auto& worker : workers) worker.join();
}

inline void* aligned(std::vector<char>& memory, size_t bytes) {
  memory.assign(bytes + 64, static_cast<char>(0xa5));
  const size_t address = reinterpret_cast<size_t>(memory.data());
  return reinterpret_cast<void*>((address + 63) / 64 * 64);
}

void* worker_scratch(Pool* pool, int worker, size_t bytes) { return aligned(pool->scratch[worker], bytes); }
void* shared_scratch(Pool* pool, size_t bytes) { return aligned(pool->shared, bytes); }

}  // namespace kaimo
