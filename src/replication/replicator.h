// Replication of one Region in production: drives the machine on a thread of its own, with the store, the machine's
// clock and the links to other Regions.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "replication/forwarding.h"
#include "replication/machine.h"
#include "replication/options.h"
#include "replication/registers.h"
#include "replication/status.h"
#include "replication/transport.h"
#include "storage/store.h"

namespace symbolon::replication {

// An authority beside the operator, and the way to it.
struct ReplicatorAuthority {
  AuthorityOptions options;
  std::unique_ptr<RegisterClient> registers;
  std::string key_prefix;
  // AuthoritySetup::may_lead.
  std::function<bool(const PoolId&)> may_lead;
};

// Thread-safe.
class Replicator {
 public:
  // Answers get_transport_key, import_replica_key and may_lead of another Region. May block.
  using AnswerKeyRequest = std::function<ControlResult<Bytes>(const Region& from, const pb::ControlRequest& request)>;

  // Answers a client's request that another Region passed on; `answer` is called once, on any thread. Does not block.
  using AnswerForwarded = std::function<void(const Region& from, pb::ControlRequest::Forward request,
                                             std::function<void(ControlResult<Bytes>)> answer)>;

  // What is referred to outlives the replicator. `peers`: the other Regions.
  Replicator(storage::Store& store, Clock& clock, Random& random, const LogSigner& signer, std::vector<Region> peers,
             const Options& options, std::unique_ptr<Transport> transport, SuffixArchive& archive,
             AnswerKeyRequest answer_key_request, std::optional<ReplicatorAuthority> authority = std::nullopt);
  // Stops.
  ~Replicator();
  Replicator(const Replicator&) = delete;
  Replicator& operator=(const Replicator&) = delete;

  // Before Start. Without it such requests are refused.
  void ServeForwarded(AnswerForwarded answer);
  // Once.
  Result<void, TransportError> Start();
  // Ends links and threads; blocks until the work under way is done. The store must still be stepped. Idempotent.
  void Stop();

  // These wait for the machine's thread, which never blocks: microseconds. nullopt, empty: not known here, or stopped.
  std::optional<ReplicationStatus> Status(const PoolId& pool);
  std::vector<ReplicationStatus> Statuses();
  std::vector<PeerStatus> Peers();
  ReplicationCounters Counters();
  // nullopt: the operator alone decides who is primary.
  std::optional<AuthorityStatus> AuthorityStatusNow();

  // Where writes and requests wait; they live as long as the replicator.
  DurabilityGate& durability_gate();
  PositionGate& position_gate();

  // Passes a client's request on to the pool's primary, for which `primary` is taken here. So many at a time go to each
  // Region: kForwardsMax. `timeout` is for all of it. `done` runs on any thread.
  void Forward(const PoolId& pool, const Region& primary, Bytes request, std::chrono::milliseconds timeout,
               std::function<void(Forwarded)> done);
  // Where changes of directories wait while this Region must not make them. As long-lived as the replicator.
  WriteGate& write_gate();
  // What commits of changes have to look at. As long-lived as the replicator.
  const WriteLease& write_lease() const;
  // Has the pool's primary, wherever it is, hand over to `to`, which must open the pool's keys. `done` runs on any
  // thread. Errors: Machine::HandOver.
  void HandOver(const PoolId& pool, const Region& to, std::function<void(ControlResult<Promoted>)> done);
  // Makes this Region the primary: Machine::TakeOver.
  void TakeOver(const PoolId& pool, bool accept_loss, std::function<void(ControlResult<Promoted>)> done);
  // A single call to another Region; kNotMember: there is no such Region. Blocks, at the most for the time-out of such
  // calls.
  ControlResult<Bytes> Ask(const Region& peer, const pb::ControlRequest& request);

 private:
  class Driver;
  const std::unique_ptr<Driver> driver_;
};

}  // namespace symbolon::replication
