// When the reads of one Region fail, whatever processes live: for a while, some of them or all.
#pragma once

#include <functional>
#include <optional>

#include "scheduler.h"
#include "storage/memory/unreadable_store.h"

namespace symbolon::simulation {

class BadReads {
 public:
  explicit BadReads(const Scheduler& scheduler) : scheduler_(scheduler) {}

  // From now on that share of the reads fails, for so long; which ones the seed says. `concerns`: only of these; empty:
  // of all. Replaces what was said before.
  void Begin(double share, nanoseconds duration, std::uint64_t seed = 1,
             std::function<bool(const storage::Read&)> concerns = {}) {
    dice_.emplace(seed);
    share_ = share;
    until_ = scheduler_.now() + duration;
    concerns_ = std::move(concerns);
  }
  void End() { until_ = {}; }
  // The read that is about to be made fails.
  bool Strike(const storage::Read& read) {
    if (scheduler_.now() >= until_ || (concerns_ && !concerns_(read)) || !dice_->Chance(share_)) return false;
    ++count_;
    return true;
  }
  // Of those that have failed.
  std::uint64_t count() const { return count_; }

 private:
  const Scheduler& scheduler_;
  std::optional<Dice> dice_;
  double share_ = 0;
  nanoseconds until_{};
  std::function<bool(const storage::Read&)> concerns_;
  std::uint64_t count_ = 0;
};

}  // namespace symbolon::simulation
