// Virtual time: events in order of their time, and of their making where times are equal. And the seed's dice.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/clock.h"
#include "base/seeded_random.h"

namespace symbolon::simulation {

using std::chrono::nanoseconds;

class Scheduler {
 public:
  nanoseconds now() const { return now_; }
  void After(nanoseconds delay, std::move_only_function<void()> event) {
    events_.emplace(std::pair(now_ + delay, ++serial_), std::move(event));
  }
  // False: nothing happens before `end`, which is the time now.
  bool RunOne(nanoseconds end) {
    if (events_.empty() || events_.begin()->first.first > end) {
      now_ = end;
      return false;
    }
    auto event = events_.extract(events_.begin());
    now_ = event.key().first;
    event.mapped()();
    return true;
  }

 private:
  nanoseconds now_ = std::chrono::seconds(1);
  std::uint64_t serial_ = 0;
  std::map<std::pair<nanoseconds, std::uint64_t>, std::move_only_function<void()>> events_;
};

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : random_(seed) {}
  Random& random() { return random_; }
  // Uniform below `bound`.
  std::uint64_t Below(std::uint64_t bound) { return ReadBigEndian64(random_.Octets(8)) % bound; }
  // Uniform in [low, high].
  std::uint64_t Between(std::uint64_t low, std::uint64_t high) { return low + Below(high - low + 1); }
  bool Chance(double probability) { return static_cast<double>(Below(1 << 20)) < probability * (1 << 20); }
  nanoseconds Micros(std::uint64_t low, std::uint64_t high) { return std::chrono::microseconds(Between(low, high)); }
  template <class T>
  const T& Pick(const std::vector<T>& from) {
    return from[Below(from.size())];
  }

 private:
  SeededRandom random_;
};

}  // namespace symbolon::simulation
