// Sequences of events that chance alone seldom brings about (replication protocol §9). They begin some time into the
// run, and chance goes on meanwhile.
#include <algorithm>

#include "simulation.h"

namespace symbolon::simulation {
namespace {

using std::chrono::milliseconds;

}  // namespace

void Simulation::PlotSomething() {
  PoolModel& pool = *dice_.Pick(pools_);
  const std::uint64_t what = dice_.Below(5);
  scheduler_.After(dice_.Micros(1'500'000, 5'000'000), [this, &pool, what] {
    trace_.Say("plot {} of {}", what, pool.id.value());
    switch (what) {
      case 0:
        return ReturnAfterTwoEpochs(pool);
      case 1:
        return FailOverAndBackAndOver(pool);
      case 2:
        return PromoteDuringCopy(pool);
      case 3:
        return PromoteAllAtOnce(pool);
      default:
        return ComeAndGo(pool);
    }
  });
}

void Simulation::Kill(SimRegion& region, nanoseconds duration) {
  down_until_[region.name()] = scheduler_.now() + duration;
  region.Crash();
}

// A primary dies; another Region takes over, dies as well, and a third one, or the first, takes over; then they return.
void Simulation::ReturnAfterTwoEpochs(PoolModel& pool) {
  SimRegion* first = PrimaryOf(pool);
  if (first == nullptr) return;
  Kill(*first, milliseconds(dice_.Between(2'500, 9'000)));
  for (const milliseconds at : {milliseconds(100), milliseconds(2'000)}) {
    scheduler_.After(at, [this, &pool, first] {
      if (SimRegion* second = PrimaryOf(pool); second != nullptr && second != first) {
        Kill(*second, milliseconds(dice_.Between(1'000, 6'000)));
      }
      TakeOver(pool, RegionOf(dice_.Pick(names_)));
    });
  }
}

// A cut, writes and facts on both sides, a failover; the failback when they meet; and the failover again.
void Simulation::FailOverAndBackAndOver(PoolModel& pool) {
  SimRegion* first = PrimaryOf(pool);
  if (first == nullptr) return;
  SimRegion& second = RegionOf(dice_.Pick(names_));
  if (&second == first) return;
  Cut(first->name(), second.name(), true);
  scheduler_.After(dice_.Micros(200'000, 1'000'000), [this, &pool, &second] { TakeOver(pool, second); });
  scheduler_.After(milliseconds(4'000), [this, &pool, first] {
    network_.HealAll();
    dice_.Chance(0.5) ? HandOverTo(pool, first->name()) : TakeOver(pool, *first);
  });
  scheduler_.After(milliseconds(7'000), [this, &pool, &second] {
    dice_.Chance(0.5) ? HandOverTo(pool, second.name()) : TakeOver(pool, second);
  });
}

// A member is removed and added again; while it takes its copy, the primary changes.
void Simulation::PromoteDuringCopy(PoolModel& pool) {
  ComeAndGo(pool);
  for (int time = 0; time < 3; ++time) {
    scheduler_.After(dice_.Micros(100'000, 2'500'000), [this, &pool] {
      dice_.Chance(0.5) ? HandOver(pool) : TakeOver(pool, RegionOf(dice_.Pick(names_)));
    });
  }
}

void Simulation::PromoteAllAtOnce(PoolModel& pool) {
  for (const Region& name : names_) {
    scheduler_.After(dice_.Micros(0, 150'000),
                     [this, &pool, name] { dice_.Chance(0.4) ? HandOver(pool) : TakeOver(pool, RegionOf(name)); });
  }
}

void Simulation::ComeAndGo(PoolModel& pool) {
  SimRegion* primary = PrimaryOf(pool);
  if (primary == nullptr) return;
  const Region name = dice_.Pick(names_);
  const Timestamp now = primary->Now().wall;
  const auto change = [this, &pool](nanoseconds at, RoleChange what) {
    scheduler_.After(at, [this, &pool, what = std::move(what)] { ChangeRole(pool, what); });
  };
  for (int time = 0; time < 3; ++time) {
    const milliseconds at(time * dice_.Between(300, 1'500));
    change(at, [name](replication::pb::RoleRecord role) {
      return replication::SetMemberState(std::move(role), name, replication::pb::INACTIVE);
    });
    change(at + milliseconds(60),
           [name](replication::pb::RoleRecord role) { return replication::BeginRemoval(std::move(role), name); });
    for (const int later : {150, 400, 900}) {
      change(at + milliseconds(later), [name, now](replication::pb::RoleRecord role) {
        return replication::AddMember(std::move(role), name, now);
      });
    }
  }
}

}  // namespace symbolon::simulation
