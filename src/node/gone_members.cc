#include "node/gone_members.h"

#include <algorithm>
#include <future>

#include "base/log.h"
#include "key_life/commit.h"
#include "replication/roles.h"

namespace symbolon::node {

void GoneMembers::Tick() {
  if (gone_.empty()) return;
  changes_.Visit([this](const PoolId& pool) { return RemoveFrom(pool); });
}

bool GoneMembers::RemoveFrom(const PoolId& pool) {
  const auto snapshot = store_.MakeSnapshot();
  const storage::Key key{.pool = pool, .type = replication::kRoleRecordType, .id = {}};
  const auto stored = snapshot->Get(key);
  if (!stored) {
    log::Error("pool {} cannot be read: {}", pool.value(), stored.error().detail);
    return false;
  }
  const auto role = *stored ? replication::ParseRole(**stored) : std::nullopt;
  if (!role || role->primary() != here_.value()) return true;
  replication::pb::RoleRecord changed = *role;
  for (const Region& region : gone_) {
    // Errors: it is no member, or is not to leave.
    if (auto without = replication::RemoveMember(changed, region)) changed = *std::move(without);
  }
  if (changed.members_size() == role->members_size()) return true;
  if (gate_ != nullptr && !gate_->IsOpen(pool)) return false;
  storage::Commit commit{.pool = pool, .snapshot_version = snapshot->version(), .reads = {key}};
  commit.directory.push_back({key, replication::SerializeRole(changed)});
  std::promise<replication::DurableCommitResult> done;
  commits_.Submit(std::move(commit), *role, [&](auto result) { done.set_value(std::move(result)); });
  if (const auto committed = done.get_future().get(); !committed) {
    log::Warning("pool {}: replicas in Regions that are gone stay listed for now: {}", pool.value(),
                 key_life::Describe(committed.error()));
    return false;
  }
  log::Info("pool {}: replicas in Regions that keys.forgotten_regions names have left it", pool.value());
  return true;
}

}  // namespace symbolon::node
