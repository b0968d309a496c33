// When a Region saw a pool's log grow, on the clock that never jumps: how old an entry is, whatever happens to wall
// time.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

#include "base/clock.h"
#include "replication/options.h"

namespace symbolon::replication {

// Times are never later than when the entry was first seen, so that no lag looks smaller; they may be earlier, by 10 ms
// or, when many are kept, by a few hundredths of their age. Bounded: 512 times. Not thread-safe.
class HeadTimes {
 public:
  // The log's head is at `sequence` now. One that is below the last one begins anew: the log was replaced.
  void Note(std::uint64_t sequence, Instant now);
  // Nobody will ask for entries up to this one, but for those that were there before the first Note.
  void ForgetThrough(std::uint64_t sequence);

  // There is nothing to forget.
  bool empty() const { return samples_.empty(); }

  // When the entry was first seen, by Instant::since_boot; nullopt: before what is remembered.
  std::optional<std::chrono::nanoseconds> SeenAt(std::uint64_t sequence) const;
  // The same of an entry from before what is remembered, by when it says that it was made, as wall time was then. It
  // may be negative. Something must have been noted.
  std::chrono::nanoseconds MadeAt(Timestamp commit_time) const;

 private:
  struct Sample {
    std::uint64_t sequence = 0;
    Instant at;
  };
  void MergeTwo(Instant now);

  // The last one that is not remembered exactly.
  std::optional<Sample> before_;
  // Of entries above the sample before, up to this one's.
  std::deque<Sample> samples_;
};

}  // namespace symbolon::replication
