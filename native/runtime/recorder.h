// What the profiler sees: when each kernel of each program ran.
#pragma once
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

namespace kaimo {

struct Span {
  int64_t program, instruction;
  int64_t start, duration;  // nanoseconds of a steady clock
};

class Recorder {
 public:
  static int64_t now() {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
  }
  bool on() const { return on_.load(std::memory_order_relaxed); }

  // Forgets what was recorded and takes up to `limit` spans.
  void start(size_t limit) {
    std::lock_guard<std::mutex> lock(mutex_);
    spans_.clear();
    limit_ = limit;
    on_.store(true);
  }
  std::vector<Span> stop() {
    std::lock_guard<std::mutex> lock(mutex_);
    on_.store(false);
    return std::move(spans_);
  }
  void add(int64_t program, int64_t instruction, int64_t start) {
    const int64_t end = now();
    std::lock_guard<std::mutex> lock(mutex_);
    if (on_.load() && spans_.size() < limit_) spans_.push_back({program, instruction, start, end - start});
  }

 private:
  std::mutex mutex_;
  std::atomic<bool> on_{false};
  std::vector<Span> spans_;
  size_t limit_ = 0;
};

}  // namespace kaimo
