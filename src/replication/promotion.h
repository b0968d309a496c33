// The two ways in which a pool's primary changes (replication protocol §4): a hand-over, seen from the Region that
// hands over, and a take-over, seen from the Region that takes.
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
  // Its first sequence.
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
// the hand-over is committed, and B starts its epoch. Until that commit any failure leaves A in charge.
class Handover {
 public:
  enum class Phase { kCatchingUp, kDraining, kCommitting, kHandedOver };
  enum class Step { kWait, kShutGate, kCommit, kAbort };

  // What is known now. `acknowledged`: what B has durably.
  struct View {
    bool following = false;
    std::uint64_t head = 0;
    std::optional<std::uint64_t> acknowledged;
  };

  Handover(Region to, const Options& options, Instant now);

  const Region& to() const { return to_; }
  Phase phase() const { return phase_; }
  // Writes have to wait.
  bool shuts_gate() const { return phase_ != Phase::kCatchingUp; }
  // The outcome after the commit is B's: only whoever asked is told that it takes long.
  bool overdue(Instant now) const { return now.since_boot >= deadline_; }

  Step Next(const View& view, Instant now);
  // The log grew before the hand-over could be committed.
  void OnConflict() { phase_ = Phase::kDraining; }
  void OnCommitted(Instant now);
  // For kAbort.
  std::string why() const;

 private:
  const Region to_;
  const Options& options_;
  Phase phase_ = Phase::kCatchingUp;
  std::chrono::nanoseconds deadline_;
  bool lost_ = false;
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
  // False: a higher epoch is in the way.
  bool OnAnswer(const Region& member, const pb::PromiseAnswer& answer);
  // The next phase, if it is time for it. `head`: this Region's.
  void Proceed(const storage::pb::Head& head, const Reachable& reachable, Instant now);
  // The log grew before the epoch could be started.
  void OnConflict() { phase_ = Phase::kAsking; }

  // The highest counter that stood in the way.
  std::uint64_t refused_by() const { return refused_by_; }
  // Who did not answer, or was lost with entries that are not had here.
  std::vector<Region> silent() const;

 private:
  struct Answer {
    std::optional<storage::pb::Head> head;
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
