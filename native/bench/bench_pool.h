// A minimal pool for kernel benches and tests, so that they run without the engine: spinning threads, one counter.
#pragma once
#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include "../runtime/pool.h"

namespace kaimo {

struct Scratch {
  void* data = nullptr;
  size_t bytes = 0;
  void* get(size_t wanted) {
    if (wanted > bytes) {
      std::free(data);
      bytes = (wanted + 63) / 64 * 64;
      data = std::aligned_alloc(64, bytes);
    }
    return data;
  }
  ~Scratch() { std::free(data); }
};

class Pool {
 public:
  explicit Pool(int threads) : scratch(size_t(threads)) {
    for (int w = 1; w < threads; ++w) workers.emplace_back([this, w] { loop(w); });
  }
  ~Pool() {
    stop.store(true);
    for (auto& t : workers) t.join();
  }
  void run(int64_t n, void (*f)(void*, int64_t, int), void* c) {
    if (n <= 1 || workers.empty()) {
      for (int64_t t = 0; t < n; ++t) f(c, t, 0);
      return;
    }
    fn = f;
    context = c;
    tasks = n;
    next.store(0);
    left.store(int(workers.size()));
    generation.fetch_add(1, std::memory_order_release);
    work(0);
    while (left.load(std::memory_order_acquire)) pause();
  }
  std::vector<Scratch> scratch;
  Scratch shared;
  std::vector<std::thread> workers;

 private:
  // Yields, so that tests finish on a busy machine.
  static void pause() { std::this_thread::yield(); }
  void work(int worker) {
    for (int64_t t; (t = next.fetch_add(1)) < tasks;) fn(context, t, worker);
  }
  void loop(int worker) {
    for (uint64_t seen = 0;;) {
      while (generation.load(std::memory_order_acquire) == seen) {
        if (stop.load()) return;
        pause();
      }
      ++seen;
      work(worker);
      left.fetch_sub(1, std::memory_order_release);
    }
  }
  std::atomic<uint64_t> generation{0};
  std::atomic<int64_t> next{0};
  std::atomic<int> left{0};
  std::atomic<bool> stop{false};
  void (*fn)(void*, int64_t, int) = nullptr;
  void* context = nullptr;
  int64_t tasks = 0;
};

inline int pool_threads(const Pool* pool) { return int(pool->scratch.size()); }
inline void parallel_for(Pool* pool, int64_t tasks, void (*fn)(void*, int64_t, int), void* ctx) { pool->run(tasks, fn, ctx); }
inline void* worker_scratch(Pool* pool, int worker, size_t bytes) { return pool->scratch[size_t(worker)].get(bytes); }
inline void* shared_scratch(Pool* pool, size_t bytes) { return pool->shared.get(bytes); }

}  // namespace kaimo
