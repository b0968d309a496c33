// Moves the facts of one pool between two Regions (replication protocol §5): each tells how far it has every Region's
// facts, and gets what it lacks. With a connection in each direction both halves run on both sides.
//
// Pure state machines, for one pool and one connection; frames and store calls are their outputs. Not thread-safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "replication/link.pb.h"
#include "replication/options.h"
#include "replication/status.h"
#include "replication/window.h"
#include "storage/store.h"

namespace symbolon::replication {

// Sends what the consumer lacks. Only to a member: whoever calls Next() has checked that.
class FactSupplier {
 public:
  // `peer` is the consumer. All references outlive this object.
  FactSupplier(storage::Store& store, PoolId pool, Region peer, const Options& options, Window& link_window,
               ReplicationCounters& counters);

  void OnHave(const pb::FactsHave& have);
  // The next frame, if the windows are open and there is something to send. Unnumbered.
  std::optional<pb::Frame> Next();

  const storage::pb::FactVector& acknowledged() const { return acknowledged_; }
  // The peer has all of these. What it said itself since it asked it need not acknowledge: that came from it.
  bool PeerHas(const storage::pb::FactVector& facts) const;

 private:
  struct Sent {
    std::string region;
    std::string incarnation;
    std::uint64_t last_number = 0;
    std::size_t size_bytes = 0;
  };

  // How far the consumer has to have this component from here: all of it, but of its own facts only those that were
  // here when it began, which it may have lost; the later ones came from it.
  std::uint64_t Wanted(const storage::pb::FactProgress& progress) const;
  std::uint64_t Known(const storage::pb::FactProgress& progress) const;

  storage::Store& store_;
  const PoolId pool_;
  const Region peer_;
  const Options& options_;
  ReplicationCounters& counters_;
  // This Region's vector when the consumer began.
  storage::pb::FactVector at_begin_;
  storage::pb::FactVector acknowledged_;
  // What was sent last, per Region and incarnation, where that is beyond `acknowledged_`.
  std::deque<Sent> sent_;
  Window window_;
};

// Asks for facts, merges what comes, and tells how far it is.
class FactConsumer {
 public:
  struct Step {
    std::optional<pb::Frame> frame;
    // To be merged; the result is fed back. At most one merge is under way.
    std::optional<std::vector<storage::pb::FactEntry>> merge;
  };

  // All references outlive this object.
  FactConsumer(storage::Store& store, PoolId pool, const Options& options);

  Step Start();
  Step OnFacts(pb::Facts facts);
  Step OnMerged(const storage::StoreResult<void>& result, Instant now);
  // Asks again after a failure.
  Step OnTick(Instant now);

 private:
  std::optional<pb::Frame> Have(bool again);
  void Proceed(Step& step);

  storage::Store& store_;
  const PoolId pool_;
  const Options& options_;
  std::deque<storage::pb::FactEntry> queue_;
  std::size_t queued_bytes_ = 0;
  bool merging_ = false;
  // What comes is of no use until the supplier was asked again, and that is done at this time.
  std::optional<std::chrono::nanoseconds> ask_again_at_;
};

}  // namespace symbolon::replication
