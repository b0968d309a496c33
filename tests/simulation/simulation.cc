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
    : dice_(seed), trace_(scheduler_, print), network_(scheduler_, dice_), plant_(plant) {
  if (!print) log::SetLevel(log::Level::kOff);
  for (const char* name : {"eu-central-1", "us-east-1", "ap-south-1"}) names_.emplace_back(name);
  if (dice_.Chance(0.5)) names_.pop_back();
  hands_over_ = dice_.Chance(0.7);
  takes_over_ = hands_over_ && dice_.Chance(0.6);
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
    if (!missing.empty()) CallOperator();
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
  result_.counters.suffixes_set_aside += counters.suffixes_set_aside;
  result_.counters.hand_overs += counters.hand_overs;
  result_.counters.take_overs += counters.take_overs;
  result_.counters.step_downs += counters.step_downs;
  result_.counters.protocol_errors += counters.protocol_errors;
}

void Simulation::Watch(SimRegion& region) {
  region.on_crash = [this, &region] {
    ++result_.crashes;
    scheduler_.After(dice_.Micros(20'000, 4'000'000), [this, &region] { Restart(region); });
  };
  region.on_promise = [this, &region](const replication::pb::PromiseAnswer& answer) {
    promises_[{region.name(), PoolId(answer.pool())}] = {answer.epoch(), answer.head().digest()};
  };
  region.on_notice = [this, &region](const storage::Notice& notice) {
    for (const auto& pool : pools_) {
      if (pool->id != notice.pool) continue;
      if (notice.head) {
        OnHead(region, *pool, *notice.head);
      } else if (notice.everything) {
        trace_.Say("{} dropped {}", region.name().value(), pool->id.value());
        seen_.erase({region.name(), pool->id});
        durable_.erase({region.name(), pool->id});
      }
    }
    if (notice.head || notice.everything) region.Post(nanoseconds(0), [this, &region] { CheckRegion(region); });
  };
}

void Simulation::OnHead(SimRegion& region, PoolModel& pool, const storage::pb::Head& head) {
  trace_.Say("{} holds {} at {}, epoch {}", region.name().value(), pool.id.value(), head.sequence(),
             head.epoch().counter());
  const std::string wrong = pool.Learn(region.store());
  if (!wrong.empty()) Fail("{}: pool {}: {}", region.name().value(), pool.id.value(), wrong);
  durable_[{region.name(), pool.id}] = head;
  if (const auto hand_over = pool.TakeHandOver()) {
    ++result_.hand_overs;
    const auto there = durable_.find({hand_over->to, pool.id});
    if (there == durable_.end() || !pool.Contains(there->second.digest(), hand_over->before)) {
      Fail("{}: pool {} is handed over to {}, which has not everything", region.name().value(), pool.id.value(),
           hand_over->to.value());
    }
  }
  const auto promise = promises_.find({region.name(), pool.id});
  if (promise == promises_.end() || storage::CompareEpochs(head.epoch(), promise->second.epoch) >= 0) return;
  if (head.digest() == promise->second.head_digest) return;
  // A Region may collect what leads to its own epoch, and take what led to the one that it promised.
  const auto promised = region.store().MakeSnapshot()->Promised(pool.id);
  if (promised && *promised && (*promised)->region() == region.name().value()) return;
  if (pool.LeadsTo(head.digest(), promise->second.epoch)) return;
  Fail("{}: pool {}: entry {} of epoch {}, though epoch {} was promised", region.name().value(), pool.id.value(),
       head.sequence(), head.epoch().counter(), promise->second.epoch.counter());
}

void Simulation::Restart(SimRegion& region) {
  if (region.up()) return;
  region.Start();
  if (!region.up()) return;
  for (const auto& pool : pools_) {
    if (const auto head = HeadOf(region.store(), pool->id)) OnHead(region, *pool, *head);
  }
  CheckRegion(region);
  CheckAcknowledgements();
}

void Simulation::CheckRegion(SimRegion& region) {
  for (const auto& pool : pools_) {
    const auto head = HeadOf(region.store(), pool->id);
    if (!head) continue;
    const std::string wrong = pool->Check(region.store());
    if (!wrong.empty()) Fail("{}: pool {}: {}", region.name().value(), pool->id.value(), wrong);
    storage::pb::Head& seen = seen_[{region.name(), pool->id}];
    const bool back = storage::CompareEpochs(head->epoch(), seen.epoch()) < 0 ||
                      (storage::SameEpoch(head->epoch(), seen.epoch()) && head->sequence() < seen.sequence());
    if (back) {
      Fail("{}: pool {} went back from {} to {}", region.name().value(), pool->id.value(), seen.sequence(),
           head->sequence());
    }
    seen = *head;
  }
}

// What a supplier takes as acknowledged is durable in the member.
void Simulation::CheckAcknowledgements() {
  for (const auto& pool : pools_) {
    for (auto& [name, primary] : regions_) {
      if (!primary->up()) continue;
      const auto status = primary->machine().Status(pool->id, primary->Now());
      if (!status) continue;
      for (const replication::MemberStatus& member : status->members) {
        if (!member.acknowledged || member.state == replication::pb::DELETING) continue;
        SimRegion& region = RegionOf(member.region);
        if (!region.up()) continue;
        const auto head = HeadOf(region.store(), pool->id);
        // It may have gone to another history, with a higher epoch, since.
        if (head && (pool->Contains(head->digest(), member.acknowledged->digest()) ||
                     storage::CompareEpochs(head->epoch(), member.acknowledged->epoch()) > 0)) {
          continue;
        }
        Fail("{}: pool {}: {} was acknowledged, {} is durable", member.region.value(), pool->id.value(),
             member.acknowledged->sequence(), head ? head->sequence() : 0);
      }
    }
  }
}

void Simulation::CheckSurvives(const PoolModel& pool, SimRegion& primary, std::uint64_t sequence) {
  const auto digest = primary.store().DigestAt(pool.id, sequence);
  if (!digest || !*digest) return;
  for (const Region& name : names_) {
    const auto there = durable_.find({name, pool.id});
    if (name != primary.name() && there != durable_.end() && pool.Contains(there->second.digest(), **digest)) return;
  }
  Fail("pool {}: {} was answered as SYNC has it, and is nowhere but in the primary", pool.id.value(), sequence);
}

bool Simulation::Admits(SimRegion& region, const PoolId& pool) {
  if (!region.up()) return false;
  const auto status = region.machine().Status(pool, region.Now());
  return status && status->admits_writes;
}

// Unless somebody took over by force, at most one Region admits writes.
void Simulation::CheckPrimaries() {
  for (const auto& pool : pools_) {
    if (pool->forced) continue;
    const auto admitting =
        std::ranges::count_if(regions_, [&](auto& known) { return Admits(*known.second, pool->id); });
    if (admitting > 1) Fail("pool {}: {} Regions admit writes", pool->id.value(), admitting);
  }
}

void Simulation::CheckLater() {
  scheduler_.After(std::chrono::milliseconds(250), [this] {
    CheckAcknowledgements();
    CheckPrimaries();
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
  SimRegion* found = nullptr;
  for (auto& [name, region] : regions_) {
    if (!Admits(*region, pool.id)) continue;
    if (found != nullptr) return fmt::format("{} and {} admit writes", found->name().value(), name.value());
    found = region.get();
  }
  if (found == nullptr) {
    for (auto& [name, region] : regions_) {
      if (HeadOf(region->store(), pool.id))
        return fmt::format("{} holds it, and no Region admits writes", name.value());
    }
    return pool.deletion_tried || pool.acknowledged.empty() ? "" : "nowhere";
  }
  SimRegion& primary = *found;
  const auto head = HeadOf(primary.store(), pool.id);
  const auto role = RoleAt(primary, pool.id);
  if (!head || !role) return "no role record";
  if (role->deleted()) return "deleted, and still there";
  std::string lost = WritesMissing(pool, head->digest());
  if (!lost.empty()) return lost;
  for (auto& [name, region] : regions_) {
    const replication::Role of_region = replication::RoleOf(*role, name);
    if (of_region.kind == replication::Role::Kind::kNone) {
      const auto left = HeadOf(region->store(), pool.id);
      // Whoever took over by force may not have known of this member: a person has to add it again.
      if (pool.forced && !(left && pool.Contains(head->digest(), left->digest()))) continue;
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
  for (const replication::MemberStatus& member : status->members) {
    if (member.lag_entries != 0 || member.lag_time != std::chrono::microseconds(0)) {
      return fmt::format("{} has it all, and lags by {} entries", member.region.value(), member.lag_entries);
    }
  }
  return "";
}

std::string Simulation::WritesMissing(PoolModel& pool, const Bytes& head_digest) {
  std::uint64_t set_aside = 0;
  for (const PoolModel::Write& write : pool.acknowledged) {
    if (pool.Contains(head_digest, write.digest)) continue;
    const bool kept = std::ranges::any_of(regions_, [&](const auto& known) {
      const auto heads = known.second->archive().kept.find(pool.id);
      return heads != known.second->archive().kept.end() &&
             std::ranges::any_of(heads->second,
                                 [&](const Bytes& kept_head) { return pool.Contains(kept_head, write.digest); });
    });
    if (!pool.forced || !kept) {
      return fmt::format("the write that {} acknowledged at {} is gone", write.region.value(), write.sequence);
    }
    ++set_aside;
  }
  result_.writes_set_aside = std::max(result_.writes_set_aside, set_aside);
  return "";
}

// Where a take-over was tried and failed, nobody may be primary: a person has to try again.
void Simulation::CallOperator() {
  if (scheduler_.now() < operator_at_) return;
  operator_at_ = scheduler_.now() + std::chrono::seconds(12);
  for (const auto& pool : pools_) {
    const bool led = std::ranges::any_of(regions_, [&](auto& known) { return Admits(*known.second, pool->id); });
    if (led || !pool->forced) continue;
    std::vector<Region> holders;
    std::ranges::copy_if(names_, std::back_inserter(holders), [&](const Region& name) {
      return RegionOf(name).up() && HeadOf(RegionOf(name).store(), pool->id);
    });
    if (!holders.empty()) TakeOver(*pool, RegionOf(dice_.Pick(holders)));
  }
}

std::string Simulation::FactsMissing(PoolModel& pool, SimRegion& region) {
  const auto snapshot = region.store().MakeSnapshot();
  const auto role = RoleAt(region, pool.id);
  for (const auto& [subject, element] : pool.facts) {
    // Of a Region that is no member any more, because it was added after the position that a take-over began from.
    const Region origin(element.substr(0, element.rfind('-')));
    if (pool.forced && role && replication::RoleOf(*role, origin).kind == replication::Role::Kind::kNone) continue;
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
