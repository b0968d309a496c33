// Clock and randomness for tests and simulations: they do what they are told, and the same again for the same seed.
#pragma once

#include <mutex>
#include <random>

#include "base/clock.h"

namespace symbolon {

// Stands still until it is moved. Thread-safe.
class ManualClock final : public Clock {
 public:
  explicit ManualClock(Timestamp now = FromSeconds(1'800'000'000)) : now_(now) {}

  Timestamp Now() override {
    std::lock_guard lock(mutex_);
    return now_;
  }
  std::chrono::nanoseconds SinceBoot() override {
    std::lock_guard lock(mutex_);
    return since_boot_;
  }
  // Both clocks.
  void Advance(std::chrono::microseconds by) {
    std::lock_guard lock(mutex_);
    now_ += by;
    since_boot_ += by;
  }
  // The wall clock alone, either way.
  void SetNow(Timestamp now) {
    std::lock_guard lock(mutex_);
    now_ = now;
  }

 private:
  std::mutex mutex_;
  Timestamp now_;
  std::chrono::nanoseconds since_boot_ = std::chrono::hours(1);
};

// Thread-safe. Not for secrets.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : engine_(seed) {}

  Bytes Octets(std::size_t count) override {
    std::lock_guard lock(mutex_);
    Bytes octets(count, '\0');
    for (char& octet : octets) octet = static_cast<char>(engine_() >> 56);
    return octets;
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_;
};

}  // namespace symbolon
