// What DeleteUserPool leaves to be done where the node has no replication: the pool's records, log, facts and wrapped
// keys go. (With replication that is its work, because every member has to hear of it first.)
#pragma once

#include "node/role_changes.h"

namespace symbolon::node {

class DeletedPools {
 public:
  DeletedPools(storage::Store& store, Region here) : store_(store), here_(std::move(here)), changes_(store) {}

  // Drops them from the store, those of before the start too; what fails is tried again the next time. Blocks. Not
  // from two threads.
  void Tick();

 private:
  // False: it has to be tried again.
  bool DropIfDeleted(const PoolId& pool);

  storage::Store& store_;
  const Region here_;
  RoleChanges changes_;
};

}  // namespace symbolon::node
