// What clients, operators and accidents do.
#include <algorithm>

#include "simulation.h"

namespace symbolon::simulation {
namespace {

using replication::pb::MemberState;
using replication::pb::RoleRecord;

constexpr std::uint16_t kRecordType = 60;
constexpr std::uint16_t kFactType = 50;

storage::Key RoleKey(const PoolId& pool) {
  return {storage::Space::kDirectory, pool, replication::kRoleRecordType, Bytes()};
}

}  // namespace

storage::Commit Simulation::CommitOn(storage::Store& store, const PoolId& pool) {
  storage::Commit commit;
  commit.pool = pool;
  commit.snapshot_version = store.MakeSnapshot()->version();
  commit.reads.push_back(RoleKey(pool));
  return commit;
}

std::optional<RoleRecord> Simulation::RoleAt(SimRegion& region, const PoolId& pool) {
  const auto stored = region.store().MakeSnapshot()->Get(RoleKey(pool));
  SYMBOLON_CHECK(stored);
  return *stored ? replication::ParseRole(**stored) : std::nullopt;
}

void Simulation::MakePools() {
  const std::uint64_t count = dice_.Between(1, 2);
  for (std::uint64_t i = 0; i < count; ++i) {
    const Region& primary = dice_.Pick(names_);
    pools_.push_back(std::make_unique<PoolModel>(PoolId(primary.value() + "_pool" + std::to_string(i)), primary));
    PoolModel& pool = *pools_.back();
    // A Region that takes over by itself asks nobody.
    pool.forced = automatic_;
    people_[pool.id] = std::make_unique<People>(
        pool, People::World{.scheduler = scheduler_,
                            .dice = dice_,
                            .trace = trace_,
                            .fail = [this](const std::string& what) { Fail("{}", what); },
                            .primary = [this, &pool] { return PrimaryOf(pool); },
                            .any_region = [this]() -> SimRegion& { return RegionOf(dice_.Pick(names_)); },
                            .region = [this](const Region& name) -> SimRegion& { return RegionOf(name); },
                            .durable_head = [this, &pool](const Region& name) -> std::optional<Bytes> {
                              const auto held = durable_.find({name, pool.id});
                              return held == durable_.end() ? std::nullopt : std::optional(held->second.digest());
                            },
                            .plant = plant_});
    SimRegion& region = RegionOf(primary);
    storage::Commit commit = CommitOn(region.store(), pool.id);
    commit.start_epoch_counter = 1;
    RoleRecord role = replication::NewRoleRecord(primary);
    for (const Region& name : names_) {
      if (hands_over_ && name != primary && dice_.Chance(0.8)) {
        role = *replication::AddMember(std::move(role), name, region.Now().wall);
      }
    }
    commit.directory = people_[pool.id]->MakeDirectory(region);
    commit.directory.push_back({RoleKey(pool.id), replication::SerializeRole(role)});
    const std::uint64_t records = dice_.Between(0, 60);
    for (std::uint64_t record = 0; record < records; ++record) {
      commit.directory.push_back({{storage::Space::kDirectory, pool.id, kRecordType, "u" + std::to_string(record)},
                                  dice_.random().Octets(dice_.Between(1, 120))});
    }
    region.Commit(std::move(commit), [this, &pool, &region](auto result) { OnAnswer(pool, region, result); });
  }
}

void Simulation::ActLater() {
  if (!faults_) return;
  scheduler_.After(dice_.Micros(500, 60'000), [this] {
    if (!faults_) return;
    Act();
    ActLater();
  });
}

void Simulation::Act() {
  PoolModel& pool = *dice_.Pick(pools_);
  SimRegion& region = RegionOf(dice_.Pick(names_));
  if (hands_over_ && dice_.Chance(0.05)) return HandOver(pool);
  if (takes_over_ && dice_.Chance(0.012)) return TakeOver(pool, region);
  if (ActUnderAuthority(pool)) return;
  if (withdraws_keys_ && dice_.Chance(0.008)) return WithdrawKey(pool);
  if (dice_.Chance(0.3)) return people_[pool.id]->Act(region);
  const std::uint64_t what = dice_.Below(1'000);
  if (what < 350) return WriteDirectory(pool);
  if (what < 370) return Erase(pool);
  if (what < 500) return ForwardWrite(pool, region);
  if (what < 520) {
    for (std::uint64_t burst = dice_.Between(5, 30); burst > 0; --burst) WriteDirectory(pool);
    return;
  }
  if (what < 760) return WriteFact(pool, region);
  if (what < 830) return ChangeMembers(pool);
  if (what < 860) return ProposeState(pool);
  if (what < 862) return DeletePool(pool);
  if (what < 877) return SetDurability(pool);
  if (calm_ && dice_.Chance(0.8)) return;
  HaveAccident(region);
}

SimRegion* Simulation::PrimaryOf(PoolModel& pool) {
  std::vector<SimRegion*> primaries;
  for (auto& [name, region] : regions_) {
    if (!region->up() || !region->machine().write_gate().IsOpen(pool.id)) continue;
    const auto role = RoleAt(*region, pool.id);
    if (role && !role->deleted() && role->primary() == name.value()) primaries.push_back(region.get());
  }
  return primaries.empty() ? nullptr : dice_.Pick(primaries);
}

SimRegion* Simulation::OpenPrimaryOf(PoolModel& pool) {
  SimRegion* primary = PrimaryOf(pool);
  return primary != nullptr && primary->Opens(pool.id) ? primary : nullptr;
}

void Simulation::OnAnswer(PoolModel& pool, SimRegion& region, const storage::StoreResult<storage::Committed>& result,
                          bool safe) {
  if (!result) return;
  const auto digest = region.store().DigestAt(pool.id, result->position->sequence());
  // It may have been trimmed, or copied over, before its client was told: not looked at.
  if (!digest || !*digest) return;
  trace_.Say("acknowledged: {} at {} in {}", pool.id.value(), result->position->sequence(), region.name().value());
  pool.acknowledged.push_back({**digest, result->position->sequence(), region.name(), safe});
}

void Simulation::OnDurableAnswer(PoolModel& pool, SimRegion& region, replication::pb::Durability mode,
                                 const replication::DurableCommitResult& result) {
  if (!result) {
    using Code = replication::CommitErrorCode;
    if (result.error().code == Code::kUnconfirmed) {
      ++(mode == replication::pb::SYNC ? result_.unconfirmed : result_.answers_withheld);
    }
    if (result.error().code == Code::kBehind || result.error().code == Code::kOutOfReach) ++result_.held;
    return;
  }
  ++result_.commits;
  OnAnswer(pool, region, result->committed, authority_ && mode == replication::pb::SYNC);
  if (mode != replication::pb::SYNC) return;
  ++(result->fell_back ? result_.fell_back : result_.confirmed);
  if (!result->fell_back) CheckSurvives(pool, region, result->committed.position->sequence());
}

void Simulation::WriteDirectory(PoolModel& pool) {
  SimRegion* primary = OpenPrimaryOf(pool);
  if (primary == nullptr) return;
  SimRegion& region = *primary;
  storage::Commit commit = CommitOn(region.store(), pool.id);
  std::set<Bytes> used;
  for (std::uint64_t changes = dice_.Between(1, 4); changes > 0; --changes) {
    const Bytes id = "k" + std::to_string(dice_.Below(24));
    if (!used.insert(id).second) continue;
    std::optional<Bytes> value;
    if (!dice_.Chance(0.25)) value = dice_.random().Octets(dice_.Between(0, 150));
    commit.directory.push_back({{storage::Space::kDirectory, pool.id, kRecordType, id}, std::move(value)});
  }
  const RoleRecord role = *RoleAt(region, pool.id);
  // What has passed the gate may be slow, or stopped.
  if (dice_.Chance(0.01)) region.Pause(dice_.Micros(1'000, 3'000'000));
  const auto submit = [this, &pool, &region, role, commit = std::move(commit)]() mutable {
    region.CommitDurably(std::move(commit), role, [this, &pool, &region, mode = role.durability()](auto result) {
      OnDurableAnswer(pool, region, mode, result);
    });
  };
  region.Post(dice_.Chance(0.8) ? nanoseconds(0) : dice_.Micros(0, 3'000), submit);
}

void Simulation::WriteFact(PoolModel& pool, SimRegion& region) {
  if (!region.up() || !region.Opens(pool.id)) return;
  const auto role = RoleAt(region, pool.id);
  if (!role || role->deleted()) return;
  const replication::Role of_region = replication::RoleOf(*role, region.name());
  // No replica accepts anything while it is made or goes.
  if (of_region.kind == replication::Role::Kind::kNone || of_region.state == MemberState::CREATING ||
      of_region.state == MemberState::DELETING) {
    return;
  }
  const bool lasting = dice_.Chance(0.8);
  const Bytes subject = (lasting ? "s" : "e") + std::to_string(dice_.Below(8));
  const Bytes element = fmt::format("{}-{}", region.name().value(), ++serial_);
  storage::Commit commit = CommitOn(region.store(), pool.id);
  storage::FactChange& fact = commit.facts.emplace_back();
  fact.key = {storage::Space::kFact, pool.id, kFactType, subject};
  fact.value.add_elements(element);
  if (!lasting)
    fact.value.set_expires_at_micros(
        ToMicros(region.Now().wall + std::chrono::milliseconds(dice_.Between(100, 4'000))));
  storage::FactChange said = fact;
  region.Commit(std::move(commit), [this, &pool, &region, said = std::move(said)](auto result) {
    if (result) OnFactAnswer(pool, region, said);
  });
}

void Simulation::AbsorbLater() {
  scheduler_.After(std::chrono::milliseconds(200), [this] {
    for (auto& [name, region] : regions_) {
      if (!region->up()) continue;
      SimRegion& here = *region;
      here.Post(nanoseconds(0), [this, &here] {
        for (auto& [pool, people] : people_) people->Absorb(here);
      });
    }
    AbsorbLater();
  });
}

void Simulation::OnFactAnswer(PoolModel& pool, SimRegion& region, const storage::FactChange& fact) {
  ++result_.facts;
  trace_.Say("accepted: a fact of {} in {}", pool.id.value(), region.name().value());
  Bytes key;
  AppendBigEndian16(key, fact.key.type);
  pool.facts.OnAcknowledged(region.name(), key + fact.key.id, fact.value);
}

void Simulation::ChangeRole(PoolModel& pool, const RoleChange& change) {
  SimRegion* primary = OpenPrimaryOf(pool);
  if (primary == nullptr) return;
  SimRegion& region = *primary;
  storage::Commit commit = CommitOn(region.store(), pool.id);
  auto changed = change(*RoleAt(region, pool.id));
  if (!changed) return;
  if (plant_ == Plant::kDropUnknownFields && !region.newer()) changed->DiscardUnknownFields();
  if (region.newer() && !HasUnknownField(*changed)) AddUnknownField(*changed);
  commit.directory.push_back({RoleKey(pool.id), replication::SerializeRole(*changed)});
  pool.deletion_tried = pool.deletion_tried || changed->deleted();
  region.CommitDurably(std::move(commit), *changed, [this, &pool, &region](auto result) {
    if (result) OnAnswer(pool, region, result->committed);
  });
}

void Simulation::ChangeMembers(PoolModel& pool) {
  std::vector<Region> others;
  const SimRegion* primary = PrimaryOf(pool);
  if (primary == nullptr) return;
  std::ranges::copy_if(names_, std::back_inserter(others), [&](const Region& name) { return name != primary->name(); });
  const Region region = dice_.Pick(others);
  // Where roles are to change, members shall last.
  const std::uint64_t what = hands_over_ && dice_.Chance(0.7) ? 7 : dice_.Below(10);
  const Timestamp now = RegionOf(region).Now().wall;
  trace_.Say("member {} of {}: {}", region.value(), pool.id.value(), what);
  ChangeRole(pool, [&](RoleRecord role) -> replication::RoleResult<RoleRecord> {
    if (what < 5) return replication::AddMember(std::move(role), region, now);
    if (what < 8) {
      return replication::SetMemberState(
          std::move(role), region, dice_.Chance(hands_over_ ? 0.9 : 0.6) ? MemberState::ACTIVE : MemberState::INACTIVE);
    }
    return replication::BeginRemoval(std::move(role), region);
  });
}

void Simulation::ProposeState(PoolModel& pool) {
  SimRegion* found = PrimaryOf(pool);
  if (found == nullptr) return;
  SimRegion& primary = *found;
  const Region from = dice_.Pick(names_);
  if (!RegionOf(from).Opens(pool.id)) return;
  const MemberState state = dice_.Chance(0.7) ? MemberState::ACTIVE : MemberState::INACTIVE;
  trace_.Say("{} proposes {} for {}", from.value(), static_cast<int>(state), pool.id.value());
  primary.Post(nanoseconds(0), [this, &primary, &pool, from, state] {
    primary.machine().ProposeMemberState(
        from, pool.id, from, state, [this, from](replication::ControlResult<void> result) {
          trace_.Say("{}'s proposal: {}", from.value(), result ? "done" : result.error().detail);
        });
  });
}

void Simulation::SetDurability(PoolModel& pool) {
  const replication::DurabilitySetting settings[] = {
      {},
      {.mode = replication::pb::SYNC},
      {.mode = replication::pb::SYNC, .falls_back = true},
      {.mode = replication::pb::BOUNDED, .lag_bound_seconds = 1},
  };
  const replication::DurabilitySetting setting =
      sync_only_ ? settings[dice_.Between(1, 2)] : settings[dice_.Below(std::size(settings))];
  pool.left_sync = pool.left_sync || setting.mode != replication::pb::SYNC;
  trace_.Say("durability of {}: {}", pool.id.value(), replication::DurabilityName(setting.mode));
  ChangeRole(pool, [&](RoleRecord role) { return replication::SetDurability(std::move(role), setting); });
}

void Simulation::DeletePool(PoolModel& pool) {
  // Little is promised of a pool that is deleted in one branch and goes on in another.
  if (takes_over_ && !dice_.Chance(0.2)) return;
  trace_.Say("{} is deleted", pool.id.value());
  ChangeRole(pool, [](RoleRecord role) -> replication::RoleResult<RoleRecord> {
    return replication::MarkDeleted(std::move(role));
  });
}

}  // namespace symbolon::simulation
