// Records that are erased as users are (src/erasure): deleted by an entry, and, once every member of the pool has come
// past it, their bodies in the log of every Region.
#include <algorithm>

#include "erasure/in_region.h"
#include "simulation.h"

namespace symbolon::simulation {
namespace {

constexpr std::uint16_t kRecordType = 60;

Bytes KeyOf(const Bytes& id) {
  Bytes key;
  AppendBigEndian16(key, kRecordType);
  return key + id;
}

}  // namespace

void Simulation::Erase(PoolModel& pool) {
  SimRegion* primary = OpenPrimaryOf(pool);
  if (primary == nullptr) return;
  SimRegion& region = *primary;
  storage::Commit commit = CommitOn(region.store(), pool.id);
  const Bytes id = "k" + std::to_string(dice_.Below(24));
  commit.directory.push_back({{storage::Space::kDirectory, pool.id, kRecordType, id}, std::nullopt});
  const replication::pb::RoleRecord role = *RoleAt(region, pool.id);
  region.CommitDurably(std::move(commit), role, [this, &pool, &region, id, mode = role.durability()](auto result) {
    OnDurableAnswer(pool, region, mode, result);
    if (!result || !result->committed.position) return;
    const std::uint64_t sequence = result->committed.position->sequence();
    const auto digest = region.store().DigestAt(pool.id, sequence);
    if (!digest || !*digest) return;
    trace_.Say("{} of {} is to be erased up to {}", id, pool.id.value(), sequence);
    erasures_.push_back(
        std::make_unique<Erasure>(Erasure{.pool = &pool, .key = KeyOf(id), .digest = **digest, .sequence = sequence}));
    Pursue(*erasures_.back());
  });
}

// Asks again and again, as the primary does, whoever that is.
void Simulation::Pursue(Erasure& erasure) {
  scheduler_.After(dice_.Micros(20'000, 400'000), [this, &erasure] {
    if (erasure.final) return;
    PoolModel& pool = *erasure.pool;
    if (SimRegion* primary = PrimaryOf(pool)) {
      const auto head = HeadOf(primary->store(), pool.id);
      // It was set aside, and so is the erasure.
      if (head && !pool.Contains(head->digest(), erasure.digest)) return;
      const auto role = RoleAt(*primary, pool.id);
      if (role && !role->deleted()) AskMembers(erasure, *primary, *role);
    }
    Pursue(erasure);
  });
}

bool Simulation::HasReached(const Erasure& erasure, SimRegion& region) {
  if (!region.up()) return false;
  if (!erasure::WhyNotReached(region.store(), erasure.pool->id, erasure.sequence, true).empty()) return false;
  const auto head = HeadOf(region.store(), erasure.pool->id);
  return head && erasure.pool->Contains(head->digest(), erasure.digest);
}

void Simulation::AskMembers(Erasure& erasure, SimRegion& primary, const replication::pb::RoleRecord& role) {
  std::vector<Region> members{primary.name()};
  for (const auto& member : role.members()) {
    if (member.region() != primary.name().value()) members.emplace_back(member.region());
  }
  const bool reached =
      std::ranges::all_of(members, [&](const Region& name) { return HasReached(erasure, RegionOf(name)); });
  if (!reached && plant_ != Plant::kSendErased) return;
  for (const Region& name : members) {
    if (erasure.erased.contains(name)) continue;
    SimRegion& region = RegionOf(name);
    // The question, and whatever comes between: the Region may have come out of a backup by then.
    region.Post(dice_.Micros(100, 300'000), [this, &erasure, &region] { EraseIn(erasure, region); });
  }
  if (!std::ranges::all_of(members, [&](const Region& name) { return erasure.erased.contains(name); })) return;
  erasure.final = true;
  ++result_.erasures;
  trace_.Say("{} is erased", HexEncode(erasure.key));
  CheckErased(erasure);
}

void Simulation::EraseIn(Erasure& erasure, SimRegion& region) {
  if (erasure.final || erasure.erased.contains(region.name()) || !HasReached(erasure, region)) return;
  const auto erased = region.store().EraseLogBodies(erasure.pool->id, erasure.sequence,
                                                    [&](BytesView key, BytesView) { return key == erasure.key; });
  // The process may have died of it.
  if (!erased) return;
  trace_.Say("{} erased {} bodies", region.name().value(), *erased);
  result_.bodies_erased += *erased;
  erasure.erased.insert(region.name());
}

// No Region that stated it has the bodies again, unless its disk came out of a backup of before.
void Simulation::CheckErased(const Erasure& erasure) {
  for (const Region& name : erasure.erased) {
    SimRegion& region = RegionOf(name);
    if (!region.up() || erasure.pool->lost_heads.contains(name)) continue;
    const auto size = region.store().MeasureLog(erasure.pool->id);
    const auto head = HeadOf(region.store(), erasure.pool->id);
    if (!size || !head) continue;
    for (std::uint64_t next = head->sequence() + 1 - size->entries; next <= erasure.sequence;) {
      const auto entries = region.store().ReadLog(erasure.pool->id, next, 64 << 10);
      if (!entries || entries->empty()) break;
      next += entries->size();
      for (const storage::pb::LogEntry& entry : *entries) {
        const bool kept = entry.sequence() <= erasure.sequence &&
                          std::ranges::any_of(entry.changes(), [&](const storage::pb::LogChange& change) {
                            return change.key() == erasure.key && change.has_value();
                          });
        if (kept) return Fail("{} has a body of what was erased, in entry {}", name.value(), entry.sequence());
      }
    }
  }
}

}  // namespace symbolon::simulation
