// Randomness for tests and simulations: the same octets again for the same seed. Thread-safe. Not for secrets.
#pragma once

#include <mutex>
#include <random>

#include "base/clock.h"

namespace symbolon {

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
