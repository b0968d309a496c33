// What the durability gate is told: how far the members that count have come (replication protocol §6).
#include <algorithm>

#include "replication/machine.h"

namespace symbolon::replication {

void Machine::UpdateDurability(const PoolId& id, Pool& pool, Instant now) {
  const pb::Durability mode = pool.role ? pool.role->durability() : pb::ASYNC;
  if (!IsPrimary(pool) || !pool.head || mode == pb::ASYNC) {
    durability_gate_.Forget(id);
    return ProceedWithInSync(id, pool, now);
  }
  DurabilityGate::Reach reach{.epoch_counter = pool.head->epoch().counter(), .may_fall_back = MayFallBack(id, pool)};
  const std::optional<std::set<Region>> in_sync = mode == pb::SYNC ? InSync(id) : std::nullopt;
  for (const pb::Member& member : pool.role->members()) {
    if (!CountsFor(mode, member) || (in_sync && !in_sync->contains(Region(member.region())))) continue;
    const auto found = pool.suppliers.find(Region(member.region()));
    if (found == pool.suppliers.end() || !found->second->acknowledged()) continue;
    Supplier& supplier = *found->second;
    // What it said when it was connected last is durable still.
    reach.acknowledged = std::max(reach.acknowledged, supplier.acknowledged()->sequence());
    reach.in_reach = reach.in_reach || supplier.following();
    if (mode != pb::BOUNDED) continue;
    const auto lag = supplier.LagTime(*pool.head, pool.head_times, now);
    if (lag && (!reach.lag || *lag < *reach.lag)) reach.lag = lag;
  }
  durability_gate_.Update(id, reach);
  ProceedWithInSync(id, pool, now);
}

}  // namespace symbolon::replication
