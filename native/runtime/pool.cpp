#include "pool_impl.h"

#include <chrono>
#include <cstdlib>
#include <new>

#include "cpu.h"

namespace kaimo {

namespace {
constexpr uint64_t kOpen = uint64_t(1) << 16;
constexpr uint64_t kCountMask = kOpen - 1;
constexpr uint64_t kEpoch = kOpen << 1;
constexpr auto kSpin = std::chrono::microseconds(50);

uint64_t epoch_of(uint64_t state) { return state & ~(kEpoch - 1); }
}  // namespace

void* Scratch::reserve(size_t bytes) {
  if (bytes <= size) return data;
  std::free(data);
  size = (bytes + 4095) & ~size_t(4095);
  data = std::aligned_alloc(64, size);
  if (data == nullptr) size = 0;
  return data;
}

Scratch::~Scratch() { std::free(data); }

// The state word holds [epoch | open bit | number of workers inside]. A worker may enter a job only while it is open, and the
// caller closes the job before it waits for the workers inside: one that still sleeps is never waited for.
Pool::Pool(int threads, bool may_spin) : threads_(threads), may_spin_(may_spin), scratch_(new Scratch[threads]) {
  for (int worker = 1; worker < threads; worker++) {
    workers_.emplace_back([this, worker] { work(worker); });
  }
}

Pool::~Pool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopping_.store(true);
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
}

void Pool::take_tasks(int worker) {
  for (;;) {
    const int64_t task = next_.fetch_add(1, std::memory_order_relaxed);
    if (task >= tasks_) return;
    fn_(ctx_, task, worker);
  }
}

bool Pool::wait_for_job(uint64_t last) {
  const auto has_job = [&] {
    const uint64_t state = state_.load();
    return (state & kOpen) != 0 && epoch_of(state) != last;
  };
  const auto spin_end = std::chrono::steady_clock::now() + kSpin;
  while (may_spin_) {
    for (int i = 0; i < 64; i++) {
      if (has_job()) return true;
      pause_cpu();
    }
    if (std::chrono::steady_clock::now() > spin_end) break;
  }
  std::unique_lock<std::mutex> lock(mutex_);
  sleepers_.fetch_add(1);
  wake_.wait(lock, [&] { return stopping_.load() || has_job(); });
  sleepers_.fetch_sub(1);
  return !stopping_.load();
}

void Pool::work(int worker) {
  flush_denormals();
  uint64_t last = 0;
  while (wait_for_job(last)) {
    uint64_t state = state_.load(std::memory_order_acquire);
    if ((state & kOpen) == 0) continue;
    if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
    last = epoch_of(state);
    take_tasks(worker);
    state_.fetch_sub(1, std::memory_order_release);
  }
}

void Pool::run(int64_t tasks, void (*fn)(void*, int64_t, int), void* ctx) {
  if (tasks <= 1 || threads_ == 1 || inside_) {
    for (int64_t task = 0; task < tasks; task++) fn(ctx, task, 0);
    return;
  }
  inside_ = true;
  fn_ = fn;
  ctx_ = ctx;
  tasks_ = tasks;
  next_.store(0, std::memory_order_relaxed);
  const uint64_t epoch = epoch_of(state_.load(std::memory_order_relaxed)) + kEpoch;
  state_.store(epoch | kOpen);
  if (sleepers_.load() > 0) {
    { std::lock_guard<std::mutex> lock(mutex_); }
    wake_.notify_all();
  }
  take_tasks(0);
  state_.fetch_and(~kOpen, std::memory_order_acq_rel);
  for (int spins = 0; (state_.load(std::memory_order_acquire) & kCountMask) != 0; spins++) {
    if (may_spin_ && spins < 4096) pause_cpu();
    else std::this_thread::yield();
  }
  inside_ = false;
}

int pool_threads(const Pool* pool) { return pool->threads(); }

void parallel_for(Pool* pool, int64_t tasks, void (*fn)(void* ctx, int64_t task, int worker), void* ctx) {
  pool->run(tasks, fn, ctx);
}

void* worker_scratch(Pool* pool, int worker, size_t bytes) { return pool->scratch(worker).reserve(bytes); }

void* shared_scratch(Pool* pool, size_t bytes) { return pool->shared().reserve(bytes); }

}  // namespace kaimo
