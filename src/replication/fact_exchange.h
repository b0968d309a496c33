// Moves the facts of one pool between two Regions (replication protocol §5): each tells how far it has every Region's
// facts, and gets what it lacks. With a connection in each direction both halves run on both sides.
//
// A fact bears the signature of the Region that said it (fact_signatures.h), through whichever Region it comes. What a
// Region that is known to sign has not signed is not taken; the rest of what the supplier has is.
//
// Pure state machines, for one pool and one connection; frames and store calls are their outputs. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "replication/fact_signatures.h"
#include "replication/link.pb.h"
#include "replication/options.h"
#include "replication/status.h"
#include "replication/window.h"
#include "storage/store.h"

namespace symbolon::replication {

// What a Region that asks for facts has told.
struct FactsTold {
  storage::pb::FactVector acknowledged;
  // What was at the supplier when it began to ask.
  storage::pb::FactVector at_begin;
};

// How many entries of these logs `peer` has not acknowledged; of its own, which came from it, only those count that it
// may have lost. Entries that were forgotten meanwhile count still.
std::uint64_t UnacknowledgedFacts(const storage::pb::FactVector& facts, const FactsTold& told, const Region& peer);

// Sends what the consumer lacks. Only to a member: whoever calls Next() has checked that.
class FactSupplier {
 public:
  // Whether the fact counts only with a proof.
  using NeedsProof = std::function<bool(const storage::pb::FactEntry&)>;

  // `peer` is the consumer. All references outlive this object.
  FactSupplier(storage::Store& store, const LogSigner& signer, PoolId pool, Region peer, const Options& options,
               Window& link_window, ReplicationCounters& counters);

  void OnHave(const pb::FactsHave& have);
  // The next frame, if the windows are open and there is something to send. Unnumbered.
  std::optional<pb::Frame> Next(const NeedsProof& needs_proof);

  // The store could not be read: there may be something to send, and no news of it will come.
  bool failed() const { return failed_; }

  const storage::pb::FactVector& acknowledged() const { return told_.acknowledged; }
  const FactsTold& told() const { return told_; }
  // The peer has all of these. What it said itself since it asked it need not acknowledge: that came from it.
  bool PeerHas(const storage::pb::FactVector& facts) const;

 private:
  struct Sent {
    std::string region;
    std::string incarnation;
    std::uint64_t last_number = 0;
    std::size_t size_bytes = 0;
  };

  std::uint64_t Known(const storage::pb::FactProgress& progress) const;
  // Those that the consumer takes, as it takes them.
  void Prepare(std::vector<storage::pb::FactEntry>& entries, const NeedsProof& needs_proof) const;

  storage::Store& store_;
  const LogSigner& signer_;
  const PoolId pool_;
  const Region peer_;
  const Options& options_;
  ReplicationCounters& counters_;
  FactsTold told_;
  // The consumer began, and what was here then (FactsTold::at_begin) is not read yet.
  bool begins_ = false;
  bool failed_ = false;
  // Whose turn was last, by Region and incarnation: a log of which nothing is taken does not hold up the others.
  std::pair<Bytes, Bytes> last_turn_;
  // What was sent last, per Region and incarnation, where that is beyond what is acknowledged.
  std::deque<Sent> sent_;
  Window window_;
  bool takes_proofs_ = false;
};

// What a consumer has to know of the Region that said a fact.
struct FactOrigin {
  // By one of these it has to be signed.
  std::vector<Bytes> log_keys;
  // While none is known: it is another Region than the supplier, and takes part in the pool, or may, so that it can be
  // asked itself, or its key will come.
  bool key_may_come = false;
  // Those up to a number need no proof.
  std::map<Bytes, std::uint64_t> unsigned_through;
  // They are in the role record, so that other Regions know them too.
  bool pinned = false;
  // It is asked itself: another one's word for what has no proof is not needed.
  bool asked_itself = false;
  // The supplier is of a release that passes facts on without their proofs.
  bool proofs_lost = false;
};

// Asks for facts, merges what comes, and tells how far it is.
class FactConsumer {
 public:
  struct Step {
    std::optional<pb::Frame> frame;
    // To be merged; the result is fed back. At most one merge is under way.
    std::optional<std::vector<storage::pb::FactEntry>> merge;
  };

  using OriginOf = std::function<FactOrigin(const Region&)>;

  // Facts in this store's own name that it never accepted.
  enum class OwnFacts {
    kNone,
    // Nobody can prove them: the supplier, or whoever told it, says that they are forgotten.
    kClaimed,
    // This Region signed them.
    kProved,
  };

  // `supplier`: who is asked. All references outlive this object.
  FactConsumer(storage::Store& store, const LogSigner& signer, PoolId pool, Region supplier, const Options& options,
               ReplicationCounters& counters);

  Step Start();
  Step OnFacts(pb::Facts facts, const OriginOf& origin_of, Instant now);
  Step OnMerged(const storage::StoreResult<void>& result, Instant now);
  // What others sent was merged: the supplier is told with the next tick, at most once in a heartbeat. It may wait for
  // just that, and have nothing to send itself.
  void OnMergedElsewhere() { told_less_ = true; }
  // Asks again after a failure.
  Step OnTick(Instant now);
  // The worst that the supplier was found to hold.
  OwnFacts own_facts() const { return own_facts_; }

 private:
  std::optional<pb::Frame> Have(bool again);
  void Proceed(Step& step);
  enum class Standing {
    kTaken,
    // Whoever said it is asked for it instead.
    kLeft,
    // It is not what the Region that it names said.
    kRefused,
  };
  Standing StandingOf(const storage::pb::FactEntry& entry, const FactOrigin& origin);
  // How far facts are forgotten is the supplier's own word, or not told.
  bool MayLeaveGaps(const pb::Facts& facts, const OriginOf& origin_of);
  // The entry belongs to a log that is left out.
  bool IsLeftOut(const storage::pb::FactEntry& entry);
  void LeaveOut(const std::pair<Bytes, Bytes>& log, Instant now);
  void LeaveOut(const storage::pb::FactEntry& entry, Standing why, Instant now);
  // The merge under way has ended, and not taken all. False: it failed altogether.
  bool LeaveOutRefused(const storage::StoreError& error, Instant now);
  void Forget(const std::pair<Bytes, Bytes>& log);
  bool AsksForLeftOut(Instant now) const { return ask_for_left_out_at_ && now.since_boot >= *ask_for_left_out_at_; }

  storage::Store& store_;
  const PoolId pool_;
  const Region supplier_;
  const Options& options_;
  ReplicationCounters& counters_;
  FactVerifier verifier_;
  // Logs, by Region and incarnation, of which nothing is taken until the supplier goes on behind this number; nullopt:
  // it has not been asked again.
  std::map<std::pair<Bytes, Bytes>, std::optional<std::uint64_t>> left_out_;
  std::optional<std::chrono::nanoseconds> ask_for_left_out_at_;
  std::deque<storage::pb::FactEntry> queue_;
  std::size_t queued_bytes_ = 0;
  bool merging_ = false;
  // What is being merged, by Region and incarnation.
  struct Merging {
    std::uint64_t number = 0;
    std::uint64_t forgotten_before = 0;
    bool proved = false;
  };
  std::map<std::pair<Bytes, Bytes>, std::vector<Merging>> merging_logs_;
  OwnFacts own_facts_ = OwnFacts::kNone;
  // More is here than the supplier was told, and when it is told at the earliest.
  bool told_less_ = false;
  std::chrono::nanoseconds tell_at_{};
  // What comes is of no use until the supplier was asked again, and that is done at this time.
  std::optional<std::chrono::nanoseconds> ask_again_at_;
};

}  // namespace symbolon::replication
