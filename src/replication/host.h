// What the replication machine asks of whoever drives it: threads in production, a seeded schedule in the simulator.
#pragma once

#include <functional>
#include <vector>

#include "base/ids.h"
#include "replication/options.h"
#include "replication/session.h"
#include "storage/store.h"

namespace symbolon::replication {

// A result arrives later, never within the call, while nothing else of the machine runs, and not after the machine is
// gone.
template <class T>
using Done = std::move_only_function<void(storage::StoreResult<T>, Instant)>;

class MachineHost {
 public:
  virtual ~MachineHost() = default;

  // Answered by Machine::OnConnected or OnClosed with this link.
  virtual void Dial(const Region& peer, LinkId link) = 0;
  // Nothing more comes of this link, OnClosed neither.
  virtual void Close(LinkId link) = 0;

  virtual void Submit(storage::Commit commit, Done<storage::Committed> done) = 0;
  virtual void Apply(storage::AppliedEntries entries, Done<storage::pb::Head> done) = 0;
  virtual void MergeFacts(PoolId pool, std::vector<storage::pb::FactEntry> entries, Done<void> done) = 0;
  // Runs `work` where blocking is allowed, one after the other.
  virtual void RunBlocking(std::move_only_function<storage::StoreResult<void>()> work, Done<void> done) = 0;
};

}  // namespace symbolon::replication
