// Requests at a steady pace against one Region, on a thread of their own, as a drill needs them.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cli/drill_report.h"

namespace symbolon::cli {

// Thread-safe.
class DrillLog {
 public:
  explicit DrillLog(std::chrono::steady_clock::time_point started) : started_(started) {}
  DrillTime Now() const { return std::chrono::duration_cast<DrillTime>(std::chrono::steady_clock::now() - started_); }
  void Add(DrillAttempt attempt) {
    const std::lock_guard lock(mutex_);
    attempts_.push_back(std::move(attempt));
  }
  std::vector<DrillAttempt> Take() {
    const std::lock_guard lock(mutex_);
    return std::move(attempts_);
  }

 private:
  const std::chrono::steady_clock::time_point started_;
  mutable std::mutex mutex_;
  std::vector<DrillAttempt> attempts_;  // guarded by mutex_
};

// Until it is destroyed, when it waits for the request under way. A request that takes longer than the interval is
// followed by the next at once.
class DrillProbe {
 public:
  // `attempt` makes one request, whose number it is given, and fills in all but the times.
  DrillProbe(DrillLog& log, std::chrono::microseconds interval, std::size_t attempts_max,
             std::function<DrillAttempt(std::size_t number)> attempt);

 private:
  std::jthread thread_;
};

}  // namespace symbolon::cli
