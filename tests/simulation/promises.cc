// The promises that hold all the way, checked at every change of a store and at every restart.
#include <algorithm>

#include "simulation.h"
#include "storage/log.h"

namespace symbolon::simulation {

void Simulation::Watch(SimRegion& region) {
  WatchAnswers(region);
  region.on_crash = [this, &region] {
    ++result_.crashes;
    scheduler_.After(dice_.Micros(20'000, 4'000'000), [this, &region] { Restart(region); });
  };
  region.on_send = [this](const replication::pb::Frame& frame) { CheckFrame(frame); };
  region.on_promise = [this, &region](const replication::pb::PromiseAnswer& answer) {
    promises_[{region.name(), PoolId(answer.pool())}] = {answer.epoch(), answer.head().digest()};
  };
  region.on_notice = [this, &region](const storage::Notice& notice) {
    for (const auto& pool : pools_) {
      if (pool->id != notice.pool) continue;
      people_.at(pool->id)->OnNotice(region, notice);
      if (notice.facts_grew) LearnFacts(region, *pool);
      if (notice.head) {
        OnHead(region, *pool, *notice.head);
      } else if (notice.everything) {
        trace_.Say("{} dropped {}", region.name().value(), pool->id.value());
        seen_.erase({region.name(), pool->id});
        durable_.erase({region.name(), pool->id});
        pool->facts.OnDropped(region.name());
      }
    }
    if (notice.head || notice.everything) region.Post(nanoseconds(0), [this, &region] { CheckRegion(region); });
  };
}

void Simulation::LearnFacts(SimRegion& region, PoolModel& pool) {
  const std::string wrong = pool.facts.Learn(region.store());
  if (!wrong.empty()) Fail("{}: pool {}: {}", region.name().value(), pool.id.value(), wrong);
}

void Simulation::CheckFrame(const replication::pb::Frame& frame) {
  if (frame.SerializeAsString().contains(kPlainText)) Fail("a frame can be read");
}

void Simulation::CheckNothingReadable(SimRegion& region) {
  const auto engine = storage::MakeMemoryEngine(region.disk().Copy());
  const auto snapshot = engine->MakeSnapshot();
  for (auto record = snapshot->Iterate(BytesView("\0", 1), "\xff"); record->Valid(); record->Next()) {
    if (record->key().contains(kPlainText) || record->value().contains(kPlainText)) {
      Fail("{}: a record can be read", region.name().value());
    }
  }
}

void Simulation::OnHead(SimRegion& region, PoolModel& pool, const storage::pb::Head& head) {
  trace_.Say("{} holds {} at {}, epoch {}", region.name().value(), pool.id.value(), head.sequence(),
             head.epoch().counter());
  const std::string wrong = pool.Learn(region.store());
  if (!wrong.empty()) Fail("{}: pool {}: {}", region.name().value(), pool.id.value(), wrong);
  storage::pb::Head& durable = durable_[{region.name(), pool.id}];
  if (durable.sequence() > 0 && !pool.Contains(head.digest(), durable.digest())) {
    pool.left_heads[region.name()].push_back(durable.digest());
  }
  durable = head;
  if (const auto hand_over = pool.TakeHandOver()) {
    ++result_.hand_overs;
    const auto there = durable_.find({hand_over->to, pool.id});
    if ((there == durable_.end() || !pool.Contains(there->second.digest(), hand_over->before)) &&
        !pool.LostWithDisk(hand_over->to, hand_over->before) && !pool.Left(hand_over->to, hand_over->before)) {
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
  if (const nanoseconds until = down_until_[region.name()]; scheduler_.now() < until && faults_) {
    return scheduler_.After(until - scheduler_.now(), [this, &region] { Restart(region); });
  }
  if (read_dice_ && faults_ && read_dice_->Chance(0.4)) SpoilReads(region);
  region.Start();
  if (!region.up()) return;
  for (const auto& pool : pools_) {
    LearnFacts(region, *pool);
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
        if (pool->LostWithDisk(member.region, member.acknowledged->digest())) continue;
        // A primary that has been deposed does not hear that a later one, which may be down by now, let the member go.
        const bool deposed = std::ranges::any_of(durable_, [&](const auto& held) {
          return held.first.second == pool->id &&
                 storage::CompareEpochs(held.second.epoch(), member.acknowledged->epoch()) > 0;
        });
        if (!head && deposed) continue;
        // Nor one that cannot read at present that it lets the member go itself.
        const auto role = RoleAt(*primary, pool->id);
        const replication::pb::Member* kept = role ? replication::FindMember(*role, member.region) : nullptr;
        if (!head && (kept == nullptr || kept->state() == replication::pb::DELETING)) continue;
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
    if (name == primary.name()) continue;
    if (there != durable_.end() && pool.Contains(there->second.digest(), **digest)) return;
    if (pool.LostWithDisk(name, **digest)) return;
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

void Simulation::CheckFacts(SimRegion& region) {
  if (!region.up()) return;
  for (const auto& pool : pools_) {
    const std::string wrong = pool->facts.Check(region.store());
    if (!wrong.empty()) Fail("{}: pool {}: {}", region.name().value(), pool->id.value(), wrong);
  }
}

void Simulation::CheckLater() {
  scheduler_.After(std::chrono::milliseconds(250), [this] {
    CheckAcknowledgements();
    CheckPrimaries();
    if (dice_.Chance(0.2)) CheckFacts(RegionOf(dice_.Pick(names_)));
    CheckLater();
  });
}

}  // namespace symbolon::simulation
