// A clock for tests: it stands until it is moved. Thread-safe.
#pragma once

#include <atomic>

#include "base/clock.h"

namespace symbolon {

class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp start = FromSeconds(1'800'000'000)) : now_micros_(ToMicros(start)) {}

  Timestamp Now() override { return FromMicros(now_micros_); }
  std::chrono::nanoseconds SinceBoot() override { return std::chrono::nanoseconds(since_boot_nanos_); }

  // Time passes.
  void Advance(std::chrono::nanoseconds by) {
    now_micros_ += std::chrono::floor<std::chrono::microseconds>(by).count();
    since_boot_nanos_ += by.count();
  }
  // Wall time jumps, and no time passes.
  void SetNow(Timestamp now) { now_micros_ = ToMicros(now); }

 private:
  std::atomic<std::int64_t> now_micros_;
  std::atomic<std::int64_t> since_boot_nanos_ = 1'000'000'000;
};

}  // namespace symbolon
