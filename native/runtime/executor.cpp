#include "executor.h"

#include <chrono>
#include <cstdlib>

#include "cpu.h"
#include "memory.h"

namespace kaimo {

namespace {
constexpr auto kSpin = std::chrono::microseconds(50);
}  // namespace

Executor::Executor(int threads, bool may_spin) : pool_(threads, may_spin), may_spin_(may_spin), thread_([this] { loop(); }) {
  // The thread outlives static destruction: the executor is never destroyed.
  thread_.detach();
}

bool Executor::reserve_arena(int64_t bytes) {
  if (bytes <= arena_bytes_.load(std::memory_order_relaxed)) return true;
  std::free(arena_);
  arena_ = nullptr;
  arena_bytes_.store(0);
  // Large arenas sit on huge pages where the system has them: fewer page faults and TLB misses.
  const int64_t huge = static_cast<int64_t>(kHugePage), unit = bytes >= huge ? huge : 4096;
  const int64_t size = (bytes + unit - 1) / unit * unit;
  arena_ = static_cast<char*>(std::aligned_alloc(static_cast<size_t>(unit), static_cast<size_t>(size)));
  if (arena_ == nullptr) return false;
  if (unit == huge) advise_huge_pages(arena_, static_cast<size_t>(size));
  arena_bytes_.store(size);
  return true;
}

void Executor::execute(Job* job) {
  Program& program = *job->program;
  if (!reserve_arena(program.arena_bytes())) {
    job->failure.status = Status::out_of_memory;
    job->failure.error.limit = program.arena_bytes();
    return;
  }
  job->failure = program.run(&pool_, arena_, job->buffers.data(), job->stop, job->stop_word, &recorder_);
}

void Executor::submit(Job* job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    queue_.push_back(job);
    queued_.store(static_cast<int64_t>(queue_.size()));
  }
  work_.notify_one();
}

void Executor::run_and_wait(Job* job) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (queue_.empty() && running_ == nullptr) {
    running_ = job;
    lock.unlock();
    const uint64_t control = float_control();
    flush_denormals();
    execute(job);
    set_float_control(control);
    lock.lock();
    running_ = nullptr;
    idle_.notify_all();
    work_.notify_one();
    return;
  }
  queue_.push_back(job);
  queued_.store(static_cast<int64_t>(queue_.size()));
  work_.notify_one();
  idle_.wait(lock, [&] { return job->done; });
}

void Executor::withdraw(const void* owner) {
  std::unique_lock<std::mutex> lock(mutex_);
  std::deque<Job*> kept, withdrawn;
  for (Job* job : queue_) (job->owner == owner ? withdrawn : kept).push_back(job);
  queue_.swap(kept);
  queued_.store(static_cast<int64_t>(queue_.size()));
  for (Job* job : withdrawn) {
    job->failure.status = Status::cancelled;
    job->done = true;
    if (job->finished != nullptr) job->finished(job);
  }
  if (running_ != nullptr && running_->owner == owner) running_->stop.store(true);
  idle_.wait(lock, [&] { return running_ == nullptr || running_->owner != owner; });
}

void Executor::loop() {
  flush_denormals();
  for (;;) {
    const auto spin_end = std::chrono::steady_clock::now() + kSpin;
    while (may_spin_ && queued_.load(std::memory_order_acquire) == 0 && std::chrono::steady_clock::now() < spin_end) pause_cpu();
    std::unique_lock<std::mutex> lock(mutex_);
    // A run_and_wait under way on another thread owns the pool and the arena.
    work_.wait(lock, [&] { return !queue_.empty() && running_ == nullptr; });
    Job* const job = queue_.front();
    queue_.pop_front();
    queued_.store(static_cast<int64_t>(queue_.size()));
    running_ = job;
    lock.unlock();
    execute(job);
    lock.lock();
    running_ = nullptr;
    job->done = true;
    // Under the lock, so that withdraw() returns only when no call into the owner is under way.
    if (job->finished != nullptr) job->finished(job);
    idle_.notify_all();
  }
}

}  // namespace kaimo
