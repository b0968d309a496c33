// What operators do to change a pool's primary, and what goes wrong best meanwhile.
#include <algorithm>

#include "simulation.h"
#include "storage/log.h"

namespace symbolon::simulation {

void Simulation::HandOver(PoolModel& pool) {
  SimRegion* primary = PrimaryOf(pool);
  if (primary == nullptr) return;
  const auto role = RoleAt(*primary, pool.id);
  if (role->members().empty()) return;
  HandOverTo(pool, Region(role->members(static_cast<int>(dice_.Below(role->members().size()))).region()));
}

void Simulation::HandOverTo(PoolModel& pool, const Region& to) {
  SimRegion* primary = PrimaryOf(pool);
  if (primary == nullptr || primary->name() == to) return;
  trace_.Say("{} shall hand {} over to {}", primary->name().value(), pool.id.value(), to.value());
  if (plant_ == Plant::kHandOverWithoutEquality) {
    const Timestamp now = primary->Now().wall;
    return ChangeRole(
        pool, [&](replication::pb::RoleRecord role) { return replication::HandOver(std::move(role), to, now); });
  }
  AskForHandOver(pool, *primary, to, [this, primary, to] { TroubleHandOver(*primary, RegionOf(to)); });
}

// Whatever can go wrong best does so now.
void Simulation::TroubleHandOver(SimRegion& primary, SimRegion& to) {
  if (faults_ && dice_.Chance(0.15)) {
    scheduler_.After(dice_.Micros(0, 60'000),
                     [this, &to, duration = dice_.Micros(500'000, 6'000'000)] { Kill(to, duration); });
  }
  SimRegion& victim = dice_.Chance(0.5) ? primary : to;
  if (dice_.Chance(0.2)) scheduler_.After(dice_.Micros(0, 100'000), [&victim] { victim.Crash(); });
  if (dice_.Chance(0.2)) {
    static constexpr storage::WriteFault kFaults[] = {storage::WriteFault::kCrashBeforeDurable,
                                                      storage::WriteFault::kCrashAfterDurable};
    victim.PlanFault(kFaults[dice_.Below(2)], dice_.Below(4));
  }
  if (dice_.Chance(0.1)) CutLater();
  if (dice_.Chance(0.1))
    scheduler_.After(dice_.Micros(0, 50'000), [&victim] { victim.Pause(std::chrono::seconds(2)); });
}

void Simulation::AskForHandOver(PoolModel& pool, SimRegion& asked, const Region& to, std::function<void()> meanwhile) {
  asked.Post(nanoseconds(0), [this, &asked, &pool, to, meanwhile = std::move(meanwhile)] {
    const HandOverAsking asking{
        .to = to, .begins = asked.BeginsHandOver(pool.id, to), .locked_since = RegionOf(to).LockedSince(pool.id)};
    asked.AskToLead(pool.id, to, [this, &asked, &pool, asking, meanwhile](replication::ControlResult<void> may) {
      if (may) {
        if (meanwhile) scheduler_.After(nanoseconds(0), meanwhile);
        return HandOverFrom(pool, asked, asking);
      }
      trace_.Say("the hand-over to {}: {}", asking.to.value(), may.error().detail);
      CheckHandOverAnswer(pool, asked, asking, Err(std::move(may).error()), /*refused_at_once=*/true);
    });
  });
}

void Simulation::HandOverFrom(PoolModel& pool, SimRegion& asked, const HandOverAsking& asking) {
  const auto refused_at_once = std::make_shared<bool>(true);
  asked.machine().HandOver(
      asked.name(), pool.id, asking.to,
      [this, &asked, &pool, asking, refused_at_once](replication::ControlResult<replication::Promoted> result) {
        trace_.Say("the hand-over to {}: {}", asking.to.value(), result ? "done" : result.error().detail);
        const bool handed_over = !result && result.error().code == replication::ControlErrorCode::kHandedOver;
        if (handed_over && plant_ == Plant::kHandedOverIsRefused) {
          result = Err(replication::ControlError{replication::ControlErrorCode::kRefused, "planted"});
        }
        if (handed_over && plant_ == Plant::kHandedOverIsDone) {
          const auto role = RoleAt(asked, pool.id);
          result = replication::Promoted{.epoch_counter = role ? role->next().counter() : 0, .first_sequence = 0};
        }
        CheckHandOverAnswer(pool, asked, asking, result, *refused_at_once);
      },
      asked.Now());
  *refused_at_once = false;
}

// What whoever asked for a hand-over is told is true.
void Simulation::CheckHandOverAnswer(PoolModel& pool, SimRegion& asked, const HandOverAsking& asking,
                                     const replication::ControlResult<replication::Promoted>& result,
                                     bool refused_at_once) {
  const Region& to = asking.to;
  if (asking.begins && asking.locked_since && asking.locked_since == RegionOf(to).LockedSince(pool.id)) {
    ++result_.hand_overs_locked;
    if (result || result.error().code == replication::ControlErrorCode::kHandedOver) {
      Fail("pool {} is handed over to {}, where its key was withdrawn all the time", pool.id.value(), to.value());
    }
  }
  if (result) {
    // It may have taken the epoch of that name by force before it heard of the hand-over, from further back.
    if (!pool.Began(to, result->epoch_counter, pool.forced ? 0 : result->first_sequence)) {
      Fail("pool {}: {} is said to lead from {} on, epoch {}, and has not begun that", pool.id.value(), to.value(),
           result->first_sequence, result->epoch_counter);
    }
    return;
  }
  const auto role = RoleAt(asked, pool.id);
  const bool in_charge = role && role->primary() == asked.name().value();
  switch (result.error().code) {
    case replication::ControlErrorCode::kHandedOver: {
      ++result_.hand_overs_unheard;
      // Of what the store has just done the machine may not have heard.
      const auto status = asked.machine().Status(pool.id, asked.Now());
      const bool knows = status && status->role.kind == replication::Role::Kind::kPrimary;
      if (in_charge && knows)
        Fail("pool {} is said to be handed over, and {} leads it", pool.id.value(), asked.name().value());
      // Otherwise the answer came before what was heard of it was looked at.
      if (!role || !role->has_next()) return;
      pool.pending.push_back(
          {Region(role->next().region()), role->next().counter(), HeadOf(asked.store(), pool.id)->sequence() + 1});
      // Whoever retries asks the same Region, or the one that is to lead.
      SimRegion& again = dice_.Chance(0.7) ? asked : RegionOf(to);
      scheduler_.After(dice_.Micros(0, 2'000'000), [this, &pool, &again, to] {
        if (again.up()) AskForHandOver(pool, again, to);
      });
      return;
    }
    case replication::ControlErrorCode::kRefused:
      if (!refused_at_once && !in_charge) {
        Fail("pool {}: nothing is said to have changed, and {} is not in charge", pool.id.value(),
             asked.name().value());
      }
      return;
    case replication::ControlErrorCode::kNotPrimary:
    case replication::ControlErrorCode::kNotMember:
    case replication::ControlErrorCode::kWrongState:
    case replication::ControlErrorCode::kOvertaken:
    case replication::ControlErrorCode::kUnavailable:
      return;
  }
}

// Where nobody took over by force, whoever was handed the pool began its epoch by itself, however long it was away.
void Simulation::CheckPending(const PoolModel& pool) {
  if (pool.forced || !pool.lost_heads.empty()) return;
  for (const PoolModel::Pending& pending : pool.pending) {
    if (pool.Began(pending.region, pending.counter, pending.first_sequence)) continue;
    Fail("pool {}: {} was to begin epoch {} by itself, and never did", pool.id.value(), pending.region.value(),
         pending.counter);
  }
}

// A person does not promote a Region of which the pool's newest role record knows nothing: it was added after the
// position from which somebody took over, or was removed, and its replica says that it is stale.
bool Simulation::MayTakeOver(const PoolModel& pool, const Region& region) const {
  const storage::pb::Head* newest = nullptr;
  for (const auto& [place, head] : durable_) {
    if (place.second != pool.id) continue;
    if (newest == nullptr || storage::CompareEpochs(head.epoch(), newest->epoch()) > 0) newest = &head;
  }
  if (newest == nullptr) return true;
  const Bytes* stored = pool.RecordAt(newest->digest(), RoleRecordKey());
  const auto role = stored == nullptr ? std::nullopt : replication::ParseRole(*stored);
  return role && replication::RoleOf(*role, region).kind != replication::Role::Kind::kNone;
}

void Simulation::TakeOver(PoolModel& pool, SimRegion& region) {
  if (!region.up() || !MayTakeOver(pool, region.name())) return;
  trace_.Say("{} shall take {} over", region.name().value(), pool.id.value());
  // The primary lives, and cannot be asked; or it is busy.
  if (SimRegion* primary = PrimaryOf(pool); primary != nullptr && faults_ && dice_.Chance(0.5)) {
    Cut(region.name(), primary->name(), true);
  }
  for (std::uint64_t burst = dice_.Between(0, 20); burst > 0; --burst) {
    scheduler_.After(dice_.Micros(0, 40'000), [this, &pool] { WriteDirectory(pool); });
  }
  region.Post(nanoseconds(0), [this, &region, &pool] {
    // The person is told so.
    if (!region.Opens(pool.id)) {
      ++region.refused_locked;
      return;
    }
    if (Admits(region, pool.id)) return;
    pool.forced = true;
    pool.forced_by_person = true;
    region.machine().TakeOver(
        pool.id, /*accept_loss=*/true,
        [this, &region, &pool](const replication::ControlResult<replication::Promoted>& result) {
          if (!faults_ && !result) pool.refused.insert(region.name());
          trace_.Say("the take-over by {}: {}", region.name().value(), result ? "done" : result.error().detail);
        },
        region.Now());
  });
  if (!faults_) return;
  SimRegion& victim = dice_.Chance(0.4) ? region : RegionOf(dice_.Pick(names_));
  if (dice_.Chance(0.5)) scheduler_.After(dice_.Micros(0, 200'000), [&victim] { victim.Crash(); });
  if (dice_.Chance(0.2)) CutLater();
}

// Where a take-over was tried and failed, or the next primary lost its disk, nobody may be primary: a person has to say
// who it is.
void Simulation::CallOperator() {
  if (scheduler_.now() < operator_at_) return;
  operator_at_ = scheduler_.now() + std::chrono::seconds(12);
  for (const auto& pool : pools_) {
    const bool led = std::ranges::any_of(regions_, [&](auto& known) { return Admits(*known.second, pool->id); });
    if (led || (!pool->forced && pool->lost_heads.empty())) continue;
    std::vector<Region> holders;
    std::ranges::copy_if(names_, std::back_inserter(holders), [&](const Region& name) {
      return RegionOf(name).up() && HeadOf(RegionOf(name).store(), pool->id) && MayTakeOver(*pool, name);
    });
    if (holders.empty()) continue;
    Region picked = dice_.Pick(holders);
    // Refused, a person tries another one.
    const auto other = std::ranges::find_if(holders, [&](const Region& name) { return !pool->refused.contains(name); });
    if (other == holders.end()) {
      pool->refused.clear();
    } else if (pool->refused.contains(picked)) {
      picked = *other;
    }
    SimRegion& next = RegionOf(picked);
    next.RestoreKey(pool->id);
    TakeOver(*pool, next);
  }
}

}  // namespace symbolon::simulation
