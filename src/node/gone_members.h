// Replicas in Regions that are gone for good (keys.forgotten_regions). Such a Region never says that it has dropped a
// pool: a replica there leaves the pool as soon as it is to be deleted, or the pool is.
#pragma once

#include <vector>

#include "node/role_changes.h"
#include "replication/durable_commits.h"
#include "replication/write_gate.h"

namespace symbolon::node {

class GoneMembers {
 public:
  // `gate`: nullptr without replication.
  GoneMembers(storage::Store& store, replication::DurableCommits& commits, const replication::WriteGate* gate,
              Region here, std::vector<Region> gone)
      : store_(store),
        commits_(commits),
        gate_(gate),
        here_(std::move(here)),
        gone_(std::move(gone)),
        changes_(store) {}

  // Takes them out of the role records of pools whose primary this Region is. What fails is tried again the next time.
  // Blocks. Not from two threads.
  void Tick();

 private:
  // False: it has to be tried again.
  bool RemoveFrom(const PoolId& pool);

  storage::Store& store_;
  replication::DurableCommits& commits_;
  const replication::WriteGate* const gate_;
  const Region here_;
  const std::vector<Region> gone_;
  RoleChanges changes_;
};

}  // namespace symbolon::node
