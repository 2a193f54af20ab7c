// The pool behind pool.h: workers that spin briefly between parallel loops, then sleep.
#pragma once
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pool.h"

namespace kaimo {

// Grow-only 64-byte aligned memory; contents are lost when it grows.
struct Scratch {
  void* data = nullptr;
  size_t size = 0;
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  void* reserve(size_t bytes);
};

class Pool {
 public:
  // `threads` counts the caller of run(); the pool starts one fewer. `may_spin` is false where threads outnumber the cores.
  Pool(int threads, bool may_spin);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  int threads() const { return threads_; }
  Scratch& scratch(int worker) { return scratch_[worker]; }
  Scratch& shared() { return shared_; }
  // Called by one thread at a time: the owner of the executor.
  void run(int64_t tasks, void (*fn)(void* ctx, int64_t task, int worker), void* ctx);

 private:
  void work(int worker);
  void take_tasks(int worker);
  bool wait_for_job(uint64_t last);

  const int threads_;
  const bool may_spin_;
  bool inside_ = false;  // a nested loop runs inline
  void (*fn_)(void*, int64_t, int) = nullptr;
  void* ctx_ = nullptr;
  int64_t tasks_ = 0;
  alignas(64) std::atomic<uint64_t> state_{0};
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<int> sleepers_{0};
  std::atomic<bool> stopping_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  std::unique_ptr<Scratch[]> scratch_;
  Scratch shared_;
  std::vector<std::thread> workers_;
};

}  // namespace kaimo
