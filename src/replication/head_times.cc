#include "replication/head_times.h"

#include <algorithm>
#include <limits>

#include "base/result.h"

namespace symbolon::replication {
namespace {

constexpr std::chrono::milliseconds kGrain{10};
constexpr std::size_t kSamplesMax = 512;

}  // namespace

void HeadTimes::Note(std::uint64_t sequence, Instant now) {
  const std::uint64_t last = !samples_.empty() ? samples_.back().sequence : before_ ? before_->sequence : 0;
  if (!before_ || sequence < last) {
    samples_.clear();
    before_ = Sample{sequence, now};
    return;
  }
  if (sequence == last) return;
  if (!samples_.empty() && now.since_boot - samples_.back().at.since_boot < kGrain) {
    samples_.back().sequence = sequence;
    return;
  }
  samples_.push_back({sequence, now});
  if (samples_.size() <= kSamplesMax) return;
  MergeTwo(now);
}

// From the earlier one's time on; those for which that matters least, beside their age.
void HeadTimes::MergeTwo(Instant now) {
  std::size_t least = 0;
  double least_share = std::numeric_limits<double>::max();
  for (std::size_t i = 0; i + 1 < samples_.size(); ++i) {
    const std::chrono::duration<double> apart = samples_[i + 1].at.since_boot - samples_[i].at.since_boot;
    const std::chrono::duration<double> age = now.since_boot - samples_[i].at.since_boot;
    if (const double share = apart / age; share < least_share) {
      least = i;
      least_share = share;
    }
  }
  samples_[least].sequence = samples_[least + 1].sequence;
  samples_.erase(samples_.begin() + static_cast<std::ptrdiff_t>(least) + 1);
}

void HeadTimes::ForgetThrough(std::uint64_t sequence) {
  while (!samples_.empty() && samples_.front().sequence <= sequence) {
    before_ = samples_.front();
    samples_.pop_front();
  }
}

std::optional<std::chrono::nanoseconds> HeadTimes::SeenAt(std::uint64_t sequence) const {
  if (!before_ || sequence <= before_->sequence) return std::nullopt;
  const auto sample = std::ranges::lower_bound(samples_, sequence, {}, &Sample::sequence);
  return sample == samples_.end() ? std::nullopt : std::optional(sample->at.since_boot);
}

std::chrono::nanoseconds HeadTimes::MadeAt(Timestamp commit_time) const {
  SYMBOLON_CHECK(before_);
  return before_->at.since_boot - std::max<std::chrono::nanoseconds>(before_->at.wall - commit_time, {});
}

}  // namespace symbolon::replication
