// Exponential back-off with jitter: each wait is uniform between half and all of a limit that doubles. Not thread-safe.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/bytes.h"
#include "base/clock.h"

namespace symbolon::replication {

class Backoff {
 public:
  Backoff(std::chrono::nanoseconds initial, std::chrono::nanoseconds limit)
      : initial_(initial), limit_(limit), next_(initial) {}

  std::chrono::nanoseconds Next(Random& random) {
    const std::chrono::nanoseconds whole = next_;
    next_ = std::min(next_ * 2, limit_);
    return whole / 2 + std::chrono::nanoseconds(whole.count() / 2 * ReadBigEndian16(random.Octets(2)) / 65'536);
  }
  void Reset() { next_ = initial_; }

 private:
  std::chrono::nanoseconds initial_;
  std::chrono::nanoseconds limit_;
  std::chrono::nanoseconds next_;
};

}  // namespace symbolon::replication
