// One executor a process: a queue in order of submission, a thread, a pool and an arena, shared by every JavaScript environment.
#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "pool_impl.h"
#include "program.h"

namespace kaimo {

// A submitted run. The owner keeps the memory behind `buffers` alive until the job has finished.
struct Job {
  std::shared_ptr<Program> program;
  std::vector<char*> buffers;
  std::atomic<bool> stop{false};
  const volatile int32_t* stop_word = nullptr;
  Failure failure;
  const void* owner = nullptr;  // jobs of one owner can be withdrawn together
  // Called by the executor once the job has run or was withdrawn; the job may be gone afterwards.
  void (*finished)(Job* job) = nullptr;
  bool done = false;  // guarded by the executor's mutex; set for jobs without `finished`
};

class Executor {
 public:
  Executor(int threads, bool may_spin);

  int threads() const { return pool_.threads(); }
  void submit(Job* job);
  // Runs the job and returns when it is done, on the calling thread if nothing else is queued.
  void run_and_wait(Job* job);
  // Withdraws the queued jobs of an owner, stops its running one and returns when none is left inside.
  void withdraw(const void* owner);
  int64_t arena_bytes() const { return arena_bytes_.load(); }
  Recorder& recorder() { return recorder_; }

 private:
  void loop();
  void execute(Job* job);
  bool reserve_arena(int64_t bytes);

  Pool pool_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable idle_;
  std::deque<Job*> queue_;
  Job* running_ = nullptr;
  std::atomic<int64_t> queued_{0};
  const bool may_spin_;
  char* arena_ = nullptr;
  std::atomic<int64_t> arena_bytes_{0};
  Recorder recorder_;
  std::thread thread_;
};

}  // namespace kaimo
