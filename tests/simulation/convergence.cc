// What must have come about some time after all faults are over.
#include <algorithm>

#include "simulation.h"
#include "storage/log.h"

namespace symbolon::simulation {

using replication::pb::RoleRecord;

std::string Simulation::NotConverged() {
  for (auto& [name, region] : regions_) {
    if (!region->up()) return name.value() + " is down";
    CheckRegion(*region);
  }
  for (const auto& pool : pools_) {
    std::string missing = NotConverged(*pool);
    if (!missing.empty()) return fmt::format("pool {}: {}", pool->id.value(), missing);
  }
  return "";
}

// Whoever was removed, comes out of a backup of before and is told to take the pool over leads what was there then, and
// the primary does not know it: a person has to remove it, and is told.
bool Simulation::LeadsItsBackup(const PoolModel& pool, SimRegion& region, SimRegion& primary) {
  if (!pool.forced || !pool.lost_heads.contains(region.name())) return false;
  const auto role = RoleAt(primary, pool.id);
  if (!role || replication::RoleOf(*role, region.name()).kind != replication::Role::Kind::kNone) return false;
  const auto status = primary.machine().Status(pool.id, primary.Now());
  return status && status->problem.contains("takes itself for the primary");
}

std::string Simulation::NotConverged(PoolModel& pool) {
  // Where one branch deletes the pool and another goes on, those that are left may not know whom to believe: a person
  // has to end it.
  if (pool.forced && pool.deletion_tried) return "";
  SimRegion* found = nullptr;
  for (auto& [name, region] : regions_) {
    if (!Admits(*region, pool.id)) continue;
    if (found == nullptr) {
      found = region.get();
      continue;
    }
    if (LeadsItsBackup(pool, *region, *found)) continue;
    if (!LeadsItsBackup(pool, *found, *region)) {
      return fmt::format("{} and {} admit writes", found->name().value(), name.value());
    }
    found = region.get();
  }
  if (found == nullptr) {
    for (auto& [name, region] : regions_) {
      // What came out of a backup after the pool was deleted is a person's to remove.
      if (!HeadOf(region->store(), pool.id) || (pool.deletion_tried && pool.lost_heads.contains(name))) continue;
      return fmt::format("{} holds it, and no Region admits writes", name.value());
    }
    const bool may_be_gone =
        pool.deletion_tried || std::ranges::all_of(pool.acknowledged, &PoolModel::Write::lost_with_disk);
    return may_be_gone ? "" : "nowhere";
  }
  SimRegion& primary = *found;
  const auto head = HeadOf(primary.store(), pool.id);
  const auto role = RoleAt(primary, pool.id);
  if (!head || !role) return "no role record";
  if (role->deleted()) return "deleted, and still there";
  std::string lost = WritesMissing(pool, *role, head->digest());
  if (!lost.empty()) return lost;
  for (auto& [name, region] : regions_) {
    const replication::Role of_region = replication::RoleOf(*role, name);
    if (of_region.kind == replication::Role::Kind::kNone) {
      const auto left = HeadOf(region->store(), pool.id);
      // Whoever took over by force may not have known of this member: a person has to add it again. The same holds for
      // one that came out of a backup.
      if (pool.forced && !(left && pool.Contains(head->digest(), left->digest()))) continue;
      if (pool.lost_heads.contains(name)) continue;
      if (left || *region->store().FindStaging(pool.id)) {
        return fmt::format("{} is no member, and holds it", name.value());
      }
      continue;
    }
    if (of_region.state == replication::pb::CREATING || of_region.state == replication::pb::DELETING) {
      return fmt::format("{} stays {}", name.value(), replication::MemberStateName(of_region.state));
    }
    const auto held = HeadOf(region->store(), pool.id);
    if (!held || held->digest() != head->digest()) {
      return fmt::format("{} is at {}, the primary at {}", name.value(), held ? held->sequence() : 0, head->sequence());
    }
    std::string missing = FactsMissing(pool, *region);
    if (!missing.empty()) return missing;
  }
  const auto status = primary.machine().Status(pool.id, primary.Now());
  if (!status) return "no status";
  // Where nobody is there to confirm a SYNC pool's writes, none is made.
  if (primary.Opens(pool.id) && !status->out_of_reach) {
    std::string unabsorbed = people_[pool.id]->Unabsorbed(primary);
    if (!unabsorbed.empty()) return unabsorbed;
  }
  for (const replication::MemberStatus& member : status->members) {
    if (member.lag_entries != 0 || member.lag_time != std::chrono::microseconds(0)) {
      return fmt::format("{} has it all, and lags by {} entries", member.region.value(), member.lag_entries);
    }
  }
  return BranchesTorn(pool, head->digest());
}

void Simulation::CheckAtEnd() {
  for (const auto& erasure : erasures_) {
    if (erasure->final) CheckErased(*erasure);
  }
  for (const auto& pool : pools_) CheckPending(*pool);
  std::vector<SimRegion*> all;
  for (auto& [name, region] : regions_) all.push_back(region.get());
  for (SimRegion* region : all) {
    CheckFacts(*region);
    CheckNothingReadable(*region);
    for (const auto& pool : pools_) {
      // See NotConverged.
      if (!(pool->forced && pool->deletion_tried)) people_[pool->id]->CheckAtEnd(*region, all);
    }
  }
  for (auto& [id, people] : people_) {
    result_.answers += people->answers();
    result_.doubly_used += people->doubly_used();
    result_.tokens_reused += people->tokens_reused();
    result_.steps_used += people->steps_used();
    result_.steps_refused += people->steps_refused();
    result_.first_sign_ins_said += people->first_sign_ins_said();
    result_.absorbed += people->absorbed();
    result_.first_seen_ended += people->first_seen_ended();
  }
}

// What is not in the surviving history was set aside, to its last entry, acknowledged or not.
std::string Simulation::BranchesTorn(const PoolModel& pool, const Bytes& head_digest) {
  for (const Bytes& end : pool.Ends()) {
    if (pool.Contains(head_digest, end) || IsElsewhere(pool, end)) continue;
    const bool lost = std::ranges::any_of(names_, [&](const Region& name) { return pool.LostWithDisk(name, end); });
    if (lost) continue;
    return fmt::format("entry {} of {} is neither in the history nor set aside", pool.SequenceOf(end),
                       pool.WriterOf(end).value());
  }
  return "";
}

// Whoever took over by force, from before it was added, does not know of this member, which keeps what it has until a
// person adds it again, and sets it aside then.
bool Simulation::IsWithFormerMember(const PoolModel& pool, const RoleRecord& role, const Bytes& digest) const {
  return std::ranges::any_of(names_, [&](const Region& name) {
    const auto held = durable_.find({name, pool.id});
    return replication::RoleOf(role, name).kind == replication::Role::Kind::kNone && held != durable_.end() &&
           pool.Contains(held->second.digest(), digest);
  });
}

std::string Simulation::WritesMissing(PoolModel& pool, const RoleRecord& role, const Bytes& head_digest) {
  std::uint64_t set_aside = 0;
  for (const PoolModel::Write& write : pool.acknowledged) {
    if (pool.Contains(head_digest, write.digest) || write.lost_with_disk) continue;
    const bool safe = write.safe && !pool.forced_by_person && !pool.left_sync;
    if (!pool.forced || safe || !(IsSetAside(pool, write.digest) || IsWithFormerMember(pool, role, write.digest))) {
      return fmt::format("the write that {} acknowledged at {} is gone", write.region.value(), write.sequence);
    }
    ++set_aside;
  }
  result_.writes_set_aside = std::max(result_.writes_set_aside, set_aside);
  return "";
}

std::string Simulation::FactsMissing(PoolModel& pool, SimRegion& region) {
  const auto vector = region.store().MakeSnapshot()->Facts(pool.id);
  SYMBOLON_CHECK(vector);
  const auto role = RoleAt(region, pool.id);
  const std::string missing = pool.facts.Missing(*vector, [&](const Region& name) {
    // A Region may be no member any more, because it was added after the position that a take-over began from; or have
    // come out of a backup in which it still is one.
    const bool may_be_none = pool.forced || pool.lost_heads.contains(name);
    return !(may_be_none && role && replication::RoleOf(*role, name).kind == replication::Role::Kind::kNone);
  });
  return missing.empty() ? "" : fmt::format("{} lacks {}", region.name().value(), missing);
}

}  // namespace symbolon::simulation
