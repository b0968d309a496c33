// Private to this module: how often a Region that does not answer is asked again.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <set>

#include "base/ids.h"

namespace symbolon::keys::local {

// Times are the clock's SinceBoot(). Not thread-safe.
class RegionBackoff {
 public:
  static constexpr std::chrono::seconds kFirst{1};
  static constexpr std::chrono::seconds kMost{60};

  // Those that are left alone now.
  std::set<Region> Resting(std::chrono::nanoseconds now) const {
    std::set<Region> resting;
    for (const auto& [region, failing] : failing_) {
      if (now < failing.next) resting.insert(region);
    }
    return resting;
  }

  // After a round: `resting` as it was before, and who could not be reached, `resting` among them. Every other Region
  // answered, or had nothing to be told.
  void EndRound(const std::set<Region>& resting, const std::set<Region>& unreachable, std::chrono::nanoseconds now) {
    std::erase_if(failing_, [&](const auto& entry) { return !unreachable.contains(entry.first); });
    for (const Region& region : unreachable) {
      if (resting.contains(region)) continue;
      Failing& failing = failing_[region];
      failing.pause = failing.pause.count() == 0 ? kFirst : std::min(2 * failing.pause, kMost);
      failing.next = now + failing.pause;
    }
  }

 private:
  struct Failing {
    std::chrono::seconds pause{};
    std::chrono::nanoseconds next{};
  };
  std::map<Region, Failing> failing_;
};

}  // namespace symbolon::keys::local
