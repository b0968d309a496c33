// The two ways in which a pool's primary changes (replication protocol §4): a hand-over, seen from the Region that
// hands over and from those that wait for its end, and a take-over, seen from the Region that takes.
//
// Pure state machines: told what is known, they answer what to do next; the machine does it. Not thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "replication/epochs.h"
#include "replication/link.pb.h"
#include "replication/options.h"

namespace symbolon::replication {

// What a promotion came to.
struct Promoted {
  // The epoch that the new primary opened.
  std::uint64_t epoch_counter = 0;
  // Its first sequence; after a hand-over that or a lower one, or 0, while the log here does not show it.
  std::uint64_t first_sequence = 0;
  // Regions that gave no promise, and the last position of each that anybody here heard of. What such a Region has
  // after `first_sequence` - 1 will be set aside.
  struct Silent {
    Region region;
    std::optional<std::uint64_t> last_heard_sequence;
  };
  std::vector<Silent> silent;
};

// Planned, A to B, at A: writes go on until B is nearly there, then they wait until B has acknowledged everything; then
// the hand-over is committed. Until that commit any failure leaves A in charge; what follows is HandedOver's.
class Handover {
 public:
  enum class Phase { kCatchingUp, kDraining, kCommitting, kCommitted };
  enum class Step { kWait, kShutGate, kCommit, kAbort };

  // What is known now. `acknowledged`: what B has durably; `lag_time`: how old the first entry is that it has not.
  struct View {
    bool following = false;
    std::uint64_t head = 0;
    std::optional<std::uint64_t> acknowledged;
    std::optional<std::chrono::microseconds> lag_time;
  };

  Handover(Region to, const Options& options, Instant now);

  const Region& to() const { return to_; }
  Phase phase() const { return phase_; }
  // Writes have to wait.
  bool shuts_gate() const { return phase_ != Phase::kCatchingUp; }

  Step Next(const View& view, Instant now);
  // The log grew before the hand-over could be committed.
  void OnConflict() { phase_ = Phase::kDraining; }
  void OnCommitted() { phase_ = Phase::kCommitted; }
  // For kAbort.
  std::string why() const;

 private:
  const Region to_;
  const Options& options_;
  Phase phase_ = Phase::kCatchingUp;
  std::chrono::nanoseconds deadline_;
  bool lost_ = false;
};

// After that commit, in any Region that has it: there is no way back. The Region that the record names begins the next
// epoch as soon as it has the record, heard of or not, unless a higher epoch was promised; here whoever asked waits for
// word of it.
class HandedOver {
 public:
  enum class Outcome {
    kOpen,
    kBegun,
    // Another epoch, above the one that was handed over, is begun or promised.
    kOvertaken,
    // Waited for long enough. It may have begun all the same, and have changed the pool since.
    kUnheard,
  };

  // `first_sequence`: see Promoted.
  HandedOver(pb::NextEpoch next, std::uint64_t first_sequence, const Options& options, Instant now);

  const pb::NextEpoch& next() const { return next_; }
  // For kBegun.
  Promoted promoted() const { return {.epoch_counter = next_.counter(), .first_sequence = first_sequence_}; }
  // For kOvertaken.
  const storage::pb::Epoch& overtaken_by() const { return overtaken_by_; }

  // `known`: where this Region and others are.
  Outcome Judge(const std::vector<pb::Standing>& known, Instant now);

 private:
  const pb::NextEpoch next_;
  const std::uint64_t first_sequence_;
  const std::chrono::nanoseconds deadline_;
  storage::pb::Epoch overtaken_by_;
};

// Forced, at the Region that takes: every member is asked to promise the new epoch; the longest log of those that did
// is fetched; then the epoch starts on top of it.
class Takeover {
 public:
  enum class Phase { kPromising, kAsking, kFetching, kStarting };

  Takeover(storage::pb::Epoch epoch, std::set<Region> members, const Options& options, Instant now);

  const storage::pb::Epoch& epoch() const { return epoch_; }
  Phase phase() const { return phase_; }
  // Where the longest log is, while it is fetched.
  const Region& source() const { return source_; }

  // Of Regions: those that can be expected to answer now.
  using Reachable = std::set<Region>;

  // This Region's own promise is durable.
  void OnOwnPromise() { phase_ = Phase::kAsking; }
  // True once for every connection (`link`) of a member that has not answered: ask it.
  bool TakeTurnToAsk(const Region& member, std::uint64_t link);
  // False: a higher epoch is in the way. `lacks_its_part`: its store is not the one that held what was answered.
  bool OnAnswer(const Region& member, const pb::PromiseAnswer& answer, bool lacks_its_part = false);
  // The next phase, if it is time for it. `head`: this Region's.
  void Proceed(const storage::pb::Head& head, const Reachable& reachable, Instant now);
  // The log grew before the epoch could be started.
  void OnConflict() { phase_ = Phase::kAsking; }

  // The highest counter that stood in the way.
  std::uint64_t refused_by() const { return refused_by_; }
  // Who did not answer, or was lost with entries that are not had here.
  std::vector<Region> silent() const;
  // Those, and those that answered from another store than the one that held what was answered.
  std::size_t CountWithoutPart() const;

 private:
  struct Answer {
    std::optional<storage::pb::Head> head;
    bool lacks_its_part = false;
  };

  void Choose(const storage::pb::Head& head, Instant now);

  const storage::pb::Epoch epoch_;
  const std::set<Region> members_;
  const Options& options_;
  Phase phase_ = Phase::kPromising;
  const std::chrono::nanoseconds patient_until_;
  const std::chrono::nanoseconds ask_until_;
  std::map<Region, std::uint64_t> asked_;
  std::map<Region, Answer> answers_;
  // What those had who answered and were lost before all of it was fetched.
  std::map<Region, storage::pb::Head> lost_;
  std::uint64_t refused_by_ = 0;

  Region source_;
  storage::pb::Head wanted_;
  std::uint64_t fetched_ = 0;
  std::chrono::nanoseconds fetch_until_{};
};

}  // namespace symbolon::replication
