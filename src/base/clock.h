// Time and randomness as things that a test can replace. Nothing below `node` reads any other.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/bytes.h"

namespace symbolon {

// UTC, microseconds since 1970.
using Timestamp = std::chrono::sys_time<std::chrono::microseconds>;

constexpr std::int64_t ToMicros(Timestamp time) { return time.time_since_epoch().count(); }
constexpr Timestamp FromMicros(std::int64_t micros) { return Timestamp(std::chrono::microseconds(micros)); }
constexpr std::int64_t ToSeconds(Timestamp time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}
constexpr Timestamp FromSeconds(std::int64_t seconds) { return Timestamp(std::chrono::seconds(seconds)); }

// Thread-safe.
class Clock {
 public:
  virtual ~Clock() = default;
  // Wall time; may jump either way.
  virtual Timestamp Now() = 0;
  // Time since some fixed moment, counting suspension (CLOCK_BOOTTIME); never jumps or runs backwards.
  virtual std::chrono::nanoseconds SinceBoot() = 0;
};

// The machine's clock.
Clock& SystemClock();

// Thread-safe source of octets; cryptographically strong except in tests (crypto::SystemRandom is the real one).
class Random {
 public:
  virtual ~Random() = default;
  virtual Bytes Octets(std::size_t count) = 0;
};

}  // namespace symbolon
