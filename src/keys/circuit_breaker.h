// Spares callers the time-outs of a key service that does not answer, and the service the calls.
#pragma once

#include <chrono>
#include <mutex>

#include "base/clock.h"

namespace symbolon::keys {

// Closed, every call is admitted. A failure (no answer: not a refusal) opens it: for `open_time` none is, then one at a
// time to find out. The first that is answered closes it. Thread-safe.
class CircuitBreaker {
 public:
  // `clock` outlives it.
  CircuitBreaker(Clock& clock, std::chrono::nanoseconds open_time) : clock_(clock), open_time_(open_time) {}

  // Who is admitted reports how it ended.
  [[nodiscard]] bool Admit() {
    std::lock_guard guard(mutex_);
    if (!open_) return true;
    const auto now = clock_.SinceBoot();
    if (now < next_probe_) return false;
    next_probe_ = now + open_time_;
    return true;
  }
  void Answered() {
    std::lock_guard guard(mutex_);
    open_ = false;
  }
  void Failed() {
    std::lock_guard guard(mutex_);
    open_ = true;
    next_probe_ = clock_.SinceBoot() + open_time_;
  }

 private:
  Clock& clock_;
  const std::chrono::nanoseconds open_time_;
  std::mutex mutex_;
  bool open_ = false;                      // guarded by mutex_
  std::chrono::nanoseconds next_probe_{};  // guarded by mutex_
};

}  // namespace symbolon::keys
