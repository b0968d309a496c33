// One Region's clock: runs a little too fast or too slow, and its wall time may be wrong by any amount.
#pragma once

#include <cstdint>

#include "base/clock.h"
#include "scheduler.h"

namespace symbolon::simulation {

class SimClock final : public Clock {
 public:
  // `drift_ppm`: microseconds too many (or too few) in each second.
  SimClock(const Scheduler& virtual_time, std::int64_t drift_ppm)
      : virtual_time_(virtual_time), drift_ppm_(drift_ppm) {}

  Timestamp Now() override {
    return FromSeconds(1'800'000'000) + std::chrono::floor<std::chrono::microseconds>(SinceBoot()) + offset_;
  }
  nanoseconds SinceBoot() override {
    const nanoseconds now = virtual_time_.now();
    return now + now / 1'000'000 * drift_ppm_;
  }
  void SetOffset(std::chrono::microseconds offset) { offset_ = offset; }

 private:
  const Scheduler& virtual_time_;
  const std::int64_t drift_ppm_;
  std::chrono::microseconds offset_{};
};

}  // namespace symbolon::simulation
