// Regions from which the key of a pool is withdrawn: what they refuse meanwhile, what goes on all the same, and that
// they serve what they have when the key is back. Which of it a Region looks at is done here as
// replication/replicator.cc and cognito/pipeline.cc do it.
#include "simulation.h"

namespace symbolon::simulation {
namespace {

// For the answer of the Region that is to lead.
constexpr nanoseconds kQuestionLimit = std::chrono::milliseconds(500);
constexpr nanoseconds kServiceLimit = std::chrono::seconds(15);

}  // namespace

void SimRegion::WithdrawKey(const PoolId& pool) {
  if (!locked_since_.emplace(pool, scheduler_.now()).second) return;
  trace_.Say("{}: the key of {} is withdrawn", name_.value(), pool.value());
  if (up()) plans_->Forget(pool);
}

void SimRegion::RestoreKey(const PoolId& pool) {
  if (locked_since_.erase(pool) > 0) trace_.Say("{}: the key of {} is back", name_.value(), pool.value());
}

std::optional<nanoseconds> SimRegion::LockedSince(const PoolId& pool) const {
  const auto since = locked_since_.find(pool);
  return since == locked_since_.end() ? std::nullopt : std::optional(since->second);
}

bool SimRegion::MayLead(const PoolId& pool) const { return Opens(pool) || plant_ == Plant::kLeadLocked; }

bool SimRegion::BeginsHandOver(const PoolId& pool, const Region& to) {
  const auto status = machine_->Status(pool, Now());
  return status && status->primary == name_ && to != name_ && !status->handed_over_to &&
         !machine_->IsHandingOver(pool, to);
}

void SimRegion::AskToLead(const PoolId& pool, const Region& to,
                          std::move_only_function<void(replication::ControlResult<void>)> done) {
  if (!BeginsHandOver(pool, to)) return done({});
  auto asker = std::make_shared<decltype(done)>(std::move(done));
  const auto answer = [this, asker, life = life_](replication::ControlResult<void> may) {
    if (life == life_ && *asker) std::exchange(*asker, nullptr)(std::move(may));
  };
  const auto refuse = [answer](std::string why) {
    answer(Err(replication::ControlError{replication::ControlErrorCode::kRefused, std::move(why)}));
  };
  Post(kQuestionLimit, [refuse] { refuse("no answer"); });
  SimRegion& there = network_.At(to);
  network_.Carry(name_, to, [this, &there, pool, answer, refuse] {
    there.Post(nanoseconds(0), [this, &there, pool, answer, refuse] {
      network_.Carry(there.name_, name_, [this, answer, refuse, may = there.MayLead(pool)] {
        Post(nanoseconds(0), [answer, refuse, may] { may ? answer({}) : refuse("it cannot open the pool"); });
      });
    });
  });
}

void Simulation::WithdrawKey(PoolModel& pool) {
  ++result_.keys_withdrawn;
  std::vector<Region> regions = names_;
  if (dice_.Chance(0.85)) {
    const std::vector<Region> replicas = ActiveReplicas(pool);
    regions = {dice_.Pick(replicas.empty() || dice_.Chance(0.4) ? names_ : replicas)};
  }
  for (const Region& name : regions) RegionOf(name).WithdrawKey(pool.id);
  scheduler_.After(dice_.Micros(300'000, 4'000'000), [this, &pool, regions] {
    if (!faults_) return;
    for (const Region& name : regions) RegionOf(name).RestoreKey(pool.id);
  });
  if (!hands_over_ || !dice_.Chance(0.6)) return;
  scheduler_.After(dice_.Micros(0, 200'000), [this, &pool, to = dice_.Pick(regions)] { HandOverTo(pool, to); });
}

std::vector<Region> Simulation::ActiveReplicas(PoolModel& pool) {
  std::vector<Region> replicas;
  SimRegion* primary = PrimaryOf(pool);
  if (primary == nullptr) return replicas;
  for (const auto& member : RoleAt(*primary, pool.id)->members()) {
    if (member.state() == replication::pb::ACTIVE) replicas.emplace_back(member.region());
  }
  return replicas;
}

void Simulation::OpenAgain() {
  for (const auto& pool : pools_) {
    for (auto& [name, region] : regions_) {
      if (region->Opens(pool->id)) continue;
      const bool serves = people_[pool->id]->Serves(*region);
      region->RestoreKey(pool->id);
      // See NotConverged.
      if (!serves || (pool->forced && pool->deletion_tried)) continue;
      ++result_.caught_up_locked;
      CheckServes(*pool, *region);
    }
  }
}

void Simulation::CheckServes(PoolModel& pool, SimRegion& region) {
  People& people = *people_[pool.id];
  const std::uint64_t answered = people.answers();
  const nanoseconds limit = scheduler_.now() + kServiceLimit;
  while (result_.violation.empty() && people.answers() == answered) {
    if (scheduler_.now() >= limit) {
      Fail("{} does not serve people of pool {}, whose key is back", region.name().value(), pool.id.value());
    }
    // The process may die of what befell it before all was healed.
    if (region.up()) region.Post(nanoseconds(0), [&people, &region] { people.SignIn(region); });
    const nanoseconds pause = scheduler_.now() + std::chrono::milliseconds(500);
    while (result_.violation.empty() && people.answers() == answered && scheduler_.RunOne(pause)) CheckLeases();
  }
}

}  // namespace symbolon::simulation
