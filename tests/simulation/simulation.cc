#include "simulation.h"

#include <algorithm>

#include "base/log.h"
#include "storage/log.h"

namespace symbolon::simulation {
namespace {

constexpr nanoseconds kConvergenceLimit = std::chrono::seconds(90);
constexpr std::uint16_t kFactType = 50;

}  // namespace

Simulation::Simulation(std::uint64_t seed, Plant plant, bool print)
    : dice_(seed), trace_(scheduler_, print), network_(scheduler_, dice_) {
  if (!print) log::SetLevel(log::Level::kOff);
  for (const char* name : {"eu-central-1", "us-east-1", "ap-south-1"}) names_.emplace_back(name);
  if (dice_.Chance(0.5)) names_.pop_back();
  for (const Region& name : names_) {
    std::vector<Region> peers;
    std::ranges::copy_if(names_, std::back_inserter(peers), [&](const Region& peer) { return peer != name; });
    regions_[name] = std::make_unique<SimRegion>(name, peers, scheduler_, dice_, network_, trace_, plant);
    Watch(*regions_[name]);
  }
}

Result Simulation::Run() {
  NetworkFaults faults;
  faults.loss = dice_.Chance(0.5) ? 0.004 : 0;
  faults.doubling = dice_.Chance(0.5) ? 0.02 : 0;
  faults.disorder = dice_.Chance(0.3) ? 0.004 : 0;
  network_.SetFaults(faults);
  for (auto& [name, region] : regions_) Restart(*region);
  MakePools();
  ActLater();
  CheckLater();
  const nanoseconds end_of_faults = scheduler_.now() + dice_.Micros(6'000'000, 20'000'000);
  while (result_.violation.empty() && scheduler_.RunOne(end_of_faults)) {
  }
  Heal();
  const nanoseconds limit = scheduler_.now() + kConvergenceLimit;
  std::string missing = "nothing was tried";
  while (result_.violation.empty() && scheduler_.now() < limit && !missing.empty()) {
    const nanoseconds pause = scheduler_.now() + std::chrono::milliseconds(500);
    while (result_.violation.empty() && scheduler_.RunOne(pause)) {
    }
    missing = NotConverged();
  }
  if (!missing.empty()) Fail("no convergence: {}", missing);
  for (auto& [name, region] : regions_) {
    if (region->up()) Count(region->machine().Counters());
  }
  result_.trace_digest = trace_.Digest();
  return result_;
}

void Simulation::Count(const replication::ReplicationCounters& counters) {
  result_.counters.entries_sent += counters.entries_sent;
  result_.counters.entries_applied += counters.entries_applied;
  result_.counters.facts_sent += counters.facts_sent;
  result_.counters.facts_merged += counters.facts_merged;
  result_.counters.copies_begun += counters.copies_begun;
  result_.counters.copies_resumed += counters.copies_resumed;
  result_.counters.copies_served += counters.copies_served;
  result_.counters.copies_taken += counters.copies_taken;
  result_.counters.copies_failed += counters.copies_failed;
  result_.counters.streams_ended += counters.streams_ended;
  result_.counters.chain_breaks += counters.chain_breaks;
  result_.counters.divergences += counters.divergences;
  result_.counters.protocol_errors += counters.protocol_errors;
}

void Simulation::Watch(SimRegion& region) {
  region.on_crash = [this, &region] {
    ++result_.crashes;
    scheduler_.After(dice_.Micros(20'000, 4'000'000), [this, &region] { Restart(region); });
  };
  region.on_notice = [this, &region](const storage::Notice& notice) {
    for (const auto& pool : pools_) {
      if (pool->id != notice.pool) continue;
      if (notice.head && pool->primary == region.name()) pool->Learn(region.store());
      if (notice.head) {
        trace_.Say("{} holds {} at {}", region.name().value(), pool->id.value(), notice.head->sequence());
      } else if (notice.everything) {
        trace_.Say("{} dropped {}", region.name().value(), pool->id.value());
        seen_.erase({region.name(), pool->id});
      }
    }
    if (notice.head || notice.everything) region.Post(nanoseconds(0), [this, &region] { CheckRegion(region); });
  };
}

void Simulation::Restart(SimRegion& region) {
  if (region.up()) return;
  region.Start();
  if (!region.up()) return;
  for (const auto& pool : pools_) {
    if (pool->primary != region.name()) continue;
    pool->Learn(region.store());
    // Nobody was told whether a deletion happened.
    if (const auto role = RoleAt(region, pool->id)) pool->deleted = role->deleted();
  }
  CheckRegion(region);
  CheckAcknowledgements();
}

void Simulation::CheckRegion(SimRegion& region) {
  for (const auto& pool : pools_) {
    const auto head = HeadOf(region.store(), pool->id);
    if (!head) {
      if (pool->primary == region.name() && !pool->deleted && pool->acknowledged > 0) {
        Fail("{}: pool {} is gone from its primary", region.name().value(), pool->id.value());
      }
      continue;
    }
    const std::string wrong = pool->Check(region.store());
    if (!wrong.empty()) Fail("{}: pool {}: {}", region.name().value(), pool->id.value(), wrong);
    std::uint64_t& seen = seen_[{region.name(), pool->id}];
    if (head->sequence() < seen) {
      Fail("{}: pool {} went back from {} to {}", region.name().value(), pool->id.value(), seen, head->sequence());
    }
    seen = head->sequence();
    if (pool->primary == region.name() && head->sequence() < pool->acknowledged) {
      Fail("{}: pool {}: a write acknowledged at {} is gone, the head is {}", region.name().value(), pool->id.value(),
           pool->acknowledged, head->sequence());
    }
  }
}

// What a primary takes as acknowledged is durable in the member.
void Simulation::CheckAcknowledgements() {
  for (const auto& pool : pools_) {
    SimRegion& primary = RegionOf(pool->primary);
    if (!primary.up()) continue;
    const auto status = primary.machine().Status(pool->id, primary.Now());
    if (!status) continue;
    for (const replication::MemberStatus& member : status->members) {
      if (!member.acknowledged || member.state == replication::pb::DELETING) continue;
      SimRegion& region = RegionOf(member.region);
      if (!region.up()) continue;
      const auto head = HeadOf(region.store(), pool->id);
      const std::uint64_t durable = head ? head->sequence() : 0;
      if (durable < member.acknowledged->sequence()) {
        Fail("{}: pool {}: {} was acknowledged, {} is durable", member.region.value(), pool->id.value(),
             member.acknowledged->sequence(), durable);
      }
    }
  }
}

void Simulation::CheckSurvives(const PoolModel& pool, std::uint64_t sequence) {
  // No Region's position ever goes back (CheckRegion), so where it was seen it stays.
  for (const Region& name : names_) {
    const auto seen = seen_.find({name, pool.id});
    if (name != pool.primary && seen != seen_.end() && seen->second >= sequence) return;
  }
  Fail("pool {}: {} was answered as SYNC has it, and is nowhere but in the primary", pool.id.value(), sequence);
}

void Simulation::CheckLater() {
  scheduler_.After(std::chrono::milliseconds(250), [this] {
    CheckAcknowledgements();
    CheckLater();
  });
}

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

std::string Simulation::NotConverged(PoolModel& pool) {
  SimRegion& primary = RegionOf(pool.primary);
  const auto head = HeadOf(primary.store(), pool.id);
  if (!head) {
    if (pool.acknowledged > 0 && !pool.deleted) return "not at its primary";
    for (auto& [name, region] : regions_) {
      if (HeadOf(region->store(), pool.id)) return fmt::format("deleted, and still in {}", name.value());
    }
    return "";
  }
  if (pool.deleted) return "deleted, and still there";
  const auto role = RoleAt(primary, pool.id);
  if (!role) return "no role record";
  for (auto& [name, region] : regions_) {
    const replication::Role of_region = replication::RoleOf(*role, name);
    if (of_region.kind == replication::Role::Kind::kNone) {
      if (HeadOf(region->store(), pool.id) || *region->store().FindStaging(pool.id)) {
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
  for (const replication::MemberStatus& member : status->members) {
    if (member.lag_entries != 0 || member.lag_time != std::chrono::microseconds(0)) {
      return fmt::format("{} has it all, and lags by {} entries", member.region.value(), member.lag_entries);
    }
  }
  return "";
}

std::string Simulation::FactsMissing(PoolModel& pool, SimRegion& region) {
  const auto snapshot = region.store().MakeSnapshot();
  for (const auto& [subject, element] : pool.facts) {
    const auto stored = snapshot->Get({storage::Space::kFact, pool.id, kFactType, subject});
    storage::pb::FactValue value;
    if (stored && *stored) value.ParseFromString(**stored);
    if (std::ranges::find(value.elements(), element) == value.elements().end()) {
      return fmt::format("{} lacks the fact {} of {}", region.name().value(), element, subject);
    }
  }
  return "";
}

}  // namespace symbolon::simulation
