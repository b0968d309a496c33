// Who is primary (replication protocol §2, §4): what this Region knows and promises, when it admits writes, and the
// beginning of an epoch of its own.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"
#include "storage/plausible_epochs.h"

namespace symbolon::replication {
namespace {

// A Region asks again when it is connected anew.
constexpr int kPromisesWaitingMax = 8;

}  // namespace

// ---- what is known ----

pb::Standing Machine::StandingOf(const Pool& pool) const {
  pb::Standing standing;
  if (pool.head) *standing.mutable_epoch() = pool.head->epoch();
  if (pool.promised) *standing.mutable_promised() = *pool.promised;
  if (pool.role && pool.role->has_next()) *standing.mutable_next() = pool.role->next();
  return standing;
}

bool Machine::OwnsEpoch(const Pool& pool) const {
  return pool.head && pool.head->epoch().region() == own_.value() &&
         pool.head->epoch().incarnation() == store_.incarnation();
}

bool Machine::RestoredPrimary(const Pool& pool) const { return IsPrimary(pool) && !OwnsEpoch(pool); }

bool Machine::Supplies(const Pool& pool) const {
  return OwnsEpoch(pool) && !pool.rolled_back &&
         !(pool.promised && storage::CompareEpochs(*pool.promised, pool.head->epoch()) > 0);
}

bool Machine::Admits(const Pool& pool) const {
  return !pool.unread && IsPrimary(pool) && Supplies(pool) && pool.promises.empty() && !pool.admission &&
         !(pool.handing_over && pool.handing_over->handover.shuts_gate()) &&
         (!authority_ || (pool.right && authority_->live()));
}

bool Machine::LeadsByRecord(const Pool& pool) const {
  return IsPrimary(pool) || (pool.role && pool.role->primary().empty() && pool.role->next().region() == own_.value());
}

std::optional<Region> Machine::LeaderOf(const PoolId& id, const Pool& pool) const {
  std::optional<Region> leader;
  storage::pb::Epoch highest;
  if (pool.head) highest = pool.head->epoch();
  for (const auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (heard == peer.heard.end() || heard->second.primary() != region.value() || !heard->second.has_receiver())
      continue;
    if (!pool.head && heard->second.receiver().state() == pb::DELETING) continue;
    if (pool.unproven.contains(region)) continue;
    const storage::pb::Epoch& epoch = heard->second.standing().epoch();
    if (storage::CompareEpochs(epoch, highest) <= 0 || !Trusts(id, pool, region)) continue;
    if (pool.promised && storage::CompareEpochs(epoch, *pool.promised) < 0) continue;
    highest = epoch;
    leader = region;
  }
  if (leader || !pool.role) return leader;
  // Whoever the record names writes nothing any more that could be taken here.
  if (pool.head && pool.promised && storage::CompareEpochs(pool.head->epoch(), *pool.promised) < 0) return std::nullopt;
  return replication::LeaderOf(*pool.role);
}

bool Machine::Trusts(const PoolId& id, const Pool& pool, const Region& region) const {
  if (!pool.role || RoleOf(*pool.role, region).kind != Role::Kind::kNone) return true;
  if (RestoredPrimary(pool)) return true;
  return std::ranges::any_of(peers_, [&](const auto& known) {
    const auto heard = known.second.heard.find(id);
    return known.first != region && RoleOf(*pool.role, known.first).kind != Role::Kind::kNone &&
           heard != known.second.heard.end() && heard->second.primary() == region.value();
  });
}

std::uint64_t Machine::KnownCounter(const PoolId& id, const Pool& pool, const Region& except) const {
  std::vector<std::uint64_t> counters;
  for (const auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (region == except || heard == peer.heard.end() || !Trusts(id, pool, region)) continue;
    counters.push_back(HighestCounter(heard->second.standing()));
  }
  std::ranges::sort(counters);
  std::uint64_t known = HighestCounter(StandingOf(pool));
  for (const std::uint64_t counter : counters) {
    if (counter > known && counter - known > storage::kEpochLeapMax) break;
    known = std::max(known, counter);
  }
  return known;
}

bool Machine::IsPlausible(const PoolId& id, const Pool& pool, const Region& from, const pb::Standing& standing) const {
  const std::uint64_t known = KnownCounter(id, pool, from);
  return storage::IsPlausible(standing.epoch(), known) && storage::IsPlausible(standing.promised(), known) &&
         storage::IsPlausible(MakeEpoch(standing.next().counter(), from, Bytes()), known);
}

void Machine::Hear(const PoolId& id, const Region& region, const pb::Standing& standing, Instant now) {
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->head || !LeadsByRecord(*pool) || !Trusts(id, *pool, region)) return;
  const storage::pb::Epoch& heard = Highest(standing);
  if (storage::CompareEpochs(heard, pool->head->epoch()) <= 0) return;
  if (!storage::IsPlausible(heard, KnownCounter(id, *pool, region))) {
    log::Error("replication: pool {}: {} names epoch {}, to which no Region can have come: ignored", id.value(),
               region.value(), heard.counter());
    return;
  }
  StepDown(id, *pool, heard, region.value(), now);
}

void Machine::StepDown(const PoolId& id, Pool& pool, const storage::pb::Epoch& epoch, std::string_view who,
                       Instant now) {
  if (pool.promised && storage::CompareEpochs(epoch, *pool.promised) <= 0) return;
  if (std::ranges::any_of(pool.promises, [&](const Pool::Promise& promise) {
        return storage::CompareEpochs(promise.epoch, epoch) >= 0;
      })) {
    return;
  }
  // Those are enough to write nothing any more; the highest is heard of again.
  if (std::ranges::count(pool.promises, false, &Pool::Promise::asked) >= kPromisesWaitingMax) return;
  log::Warning("replication: pool {}: {} knows epoch {} of {}; this Region, primary in epoch {}, steps down",
               id.value(), who, epoch.counter(), epoch.region(), pool.head->epoch().counter());
  ++counters_.step_downs;
  MakePromise(id, epoch, /*asked=*/false, [](bool, Instant) {}, now);
}

// ---- when writes are admitted ----

// Shut also for a Region that is about to be primary: it will do what it is asked when it has begun its epoch.
void Machine::UpdateGate(const PoolId& id, const Pool& pool) {
  if (!authority_) {
    // Also for those who have passed the gate; and before those go on who wait there.
    if (pool.admission || pool.unread) {
      lease_.Deny(id);
    } else {
      lease_.Forget(id);
    }
  }
  gate_.Set(id, !pool.unread && (!LeadsByRecord(pool) || Admits(pool)));
}

void Machine::BeginAdmission(const PoolId& id, Pool& pool, std::string_view why, Instant now) {
  if (!LeadsByRecord(pool)) return;
  Pool::Admission admission;
  for (const pb::Member& member : pool.role->members()) {
    if (HoldsAll(member) && member.region() != own_.value()) admission.silent.insert(Region(member.region()));
  }
  if (admission.silent.empty()) return;
  admission.alone_at = options_.admit_alone_after.count() == 0 ? std::chrono::nanoseconds::max()
                                                               : now.since_boot + options_.admit_alone_after;
  pool.admission = std::move(admission);
  log::Info("replication: pool {}: this Region was primary and {}; it hears the other Regions first", id.value(), why);
}

void Machine::UpdateAdmission(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.admission) return;
  if (!pool.role || !pool.head) {
    // It was dropped: nothing is left to be primary of.
    pool.admission.reset();
    UpdateGate(id, pool);
    return;
  }
  std::erase_if(pool.admission->silent, [&](const Region& region) {
    const pb::Member* member = FindMember(*pool.role, region);
    if (member == nullptr || !HoldsAll(*member)) return true;
    const auto peer = peers_.find(region);
    if (peer == peers_.end()) return false;
    const auto heard = peer->second.heard.find(id);
    return heard != peer->second.heard.end() && heard->second.standing().has_epoch() &&
           storage::CompareEpochs(Highest(heard->second.standing()), pool.head->epoch()) <= 0;
  });
  const bool alone = !pool.admission->silent.empty();
  if (alone && now.since_boot < pool.admission->alone_at) return;
  if (alone) {
    log::Warning("replication: pool {}: not every Region has answered; this Region goes on as primary without them",
                 id.value());
  }
  pool.admission.reset();
  UpdateGate(id, pool);
}

// ---- promises ----

void Machine::MakePromise(const PoolId& id, storage::pb::Epoch epoch, bool asked, PromiseDone done, Instant now) {
  Pool* pool = FindPool(id);
  SYMBOLON_CHECK(pool != nullptr);
  pool->promises.push_back({std::move(epoch), asked, std::move(done)});
  UpdateGate(id, *pool);
  UpdateConsumer(id, *pool, now);
  ProceedWithPromises(id, now);
}

void Machine::ProceedWithPromises(const PoolId& id, Instant now) {
  Pool* pool = FindPool(id);
  if (pool == nullptr || pool->promises.empty() || pool->promise_submitted || now.since_boot < pool->promise_at) return;
  // What was taken from another Region before is done first, and then nothing more is taken.
  if (pool->consumer && pool->consumer->busy()) return;
  const Pool::Promise& promise = pool->promises.front();
  if (pool->promised && storage::SameEpoch(*pool->promised, promise.epoch)) return OnPromised(id, true, now);
  const pb::Standing standing = StandingOf(*pool);
  const bool allowed = promise.asked ? MayPromise(promise.epoch, standing)
                                     : storage::CompareEpochs(promise.epoch, Highest(standing)) > 0;
  if (!allowed) return OnPromised(id, false, now);
  pool->promise_submitted = true;
  storage::Commit commit;
  commit.pool = id;
  commit.promise = promise.epoch;
  host_.Submit(std::move(commit), [this, id](const storage::StoreResult<storage::Committed>& result, Instant at) {
    Pool* promising = FindPool(id);
    SYMBOLON_CHECK(promising != nullptr);
    promising->promise_submitted = false;
    if (result) {
      promising->promised = promising->promises.front().epoch;
    } else {
      log::Warning("replication: pool {}: an epoch is not promised: {}", id.value(), result.error().detail);
      // Whoever leads, and knows of another's higher epoch, admits nothing before that is durable; to the one who asked
      // it is silent.
      Pool::Promise& failed = promising->promises.front();
      const bool knows = failed.epoch.region() != own_.value() && LeadsByRecord(*promising);
      if (result.error().code != storage::StoreErrorCode::kConflict && (knows || !failed.asked)) {
        promising->promise_at = at.since_boot + options_.heartbeat_interval;
        if (std::exchange(failed.asked, false)) std::exchange(failed.done, [](bool, Instant) {})(false, at);
        return;
      }
    }
    OnPromised(id, result.has_value(), at);
  });
}

void Machine::OnPromised(const PoolId& id, bool granted, Instant now) {
  Pool* pool = FindPool(id);
  PromiseDone done = std::move(pool->promises.front().done);
  pool->promises.pop_front();
  if (granted) {
    for (auto& [region, supplier] : pool->suppliers) {
      if (Supplies(*pool)) continue;
      supplier->OnRoleLost();
      MarkReady(region, id, Topic::kDirectory);
    }
    for (auto& [region, peer] : peers_) {
      if (Concerns(id, *pool, peer)) Announce(id, *pool, peer);
    }
  }
  UpdateGate(id, *pool);
  done(granted, now);
  pool = FindPool(id);
  if (pool == nullptr) return;
  if (pool->taking_over && pool->promised &&
      storage::CompareEpochs(*pool->promised, pool->taking_over->takeover.epoch()) > 0) {
    EndTakeover(id, *pool, Err(ControlError{ControlErrorCode::kRefused, "another Region takes a higher epoch"}), now);
  }
  ProceedWithHandover(id, *pool, now);
  UpdateConsumer(id, *pool, now);
  ProceedWithPromises(id, now);
}

void Machine::OnPromiseRequest(Peer& peer, const pb::PromiseRequest& request, Instant now) {
  pb::PromiseAnswer answer;
  answer.set_pool(request.pool());
  *answer.mutable_epoch() = request.epoch();
  const auto say = [this, region = peer.region, link = peer.accepted->link()](pb::PromiseAnswer said) {
    Peer& asker = peers_.at(region);
    if (!asker.accepted || asker.accepted->link() != link) return;
    pb::Frame frame;
    *frame.mutable_promise_answer() = std::move(said);
    asker.accepted->Push(std::move(frame));
  };
  if (!IsPoolName(request.pool())) return;
  const PoolId id(request.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || (!pool->unread && !pool->head)) {
    const auto head = store_.MakeSnapshot()->Head(id);
    // Whoever has nothing has nothing to promise.
    if (head && !*head) return say(std::move(answer));
    if (pool == nullptr) pool = &pools_[id];
    SetUnread(id, *pool, head ? "news of it are on their way" : head.error().detail, now);
  }
  // It would be taken for the answer of a Region that has nothing. Asked over another connection it is asked again.
  if (pool->unread) {
    pool->promises_asked_for[peer.region] = {request, now.since_boot + options_.promise_limit};
    return;
  }
  if (!pool->role) return;
  if (request.epoch().region() != peer.region.value() || !Trusts(id, *pool, peer.region)) {
    log::Error("replication: pool {}: {} asks for a promise, and is no member: ignored", id.value(),
               peer.region.value());
    return;
  }
  if (!storage::IsPlausible(request.epoch(), KnownCounter(id, *pool, peer.region))) {
    log::Error("replication: pool {}: {} asks for a promise of epoch {}, to which no Region can have come: ignored",
               id.value(), peer.region.value(), request.epoch().counter());
    return;
  }
  const auto waiting = std::ranges::count_if(pool->promises, [&](const Pool::Promise& promise) {
    return promise.asked && promise.epoch.region() == peer.region.value();
  });
  if (waiting >= kPromisesWaitingMax) return;
  MakePromise(
      id, request.epoch(), /*asked=*/true,
      [this, id, say, answer = std::move(answer)](bool granted, Instant) mutable {
        const Pool& asked = pools_.at(id);
        const auto head = store_.MakeSnapshot()->Head(id);
        *answer.mutable_standing() = StandingOf(asked);
        // A store that fails says nothing: no higher epoch is in the way.
        if (!head || (!granted && MayPromise(answer.epoch(), answer.standing()))) return;
        answer.set_granted(granted);
        if (*head) *answer.mutable_head() = **head;
        say(std::move(answer));
      },
      now);
}

// ---- an epoch begins ----

void Machine::StartEpoch(const PoolId& id, Pool& pool, std::uint64_t counter, Done<storage::Committed> done,
                         Instant now) {
  storage::Commit commit;
  commit.pool = id;
  // The record and the position that were read are the newest, if the log has not grown.
  commit.at_sequence = pool.head->sequence();
  commit.start_epoch_counter = counter;
  auto changed = replication::TakeOver(*pool.role, own_, counter, now.wall);
  if (!changed) {
    return done(Err(storage::StoreError{storage::StoreErrorCode::kNotWriter, "this Region's replica is not complete"}),
                now);
  }
  // Otherwise PinKeys does it later.
  if (const auto facts = store_.MakeSnapshot()->Facts(id)) {
    *changed = PinLogKey(*std::move(changed), own_, store_.incarnation(), signer_.public_key(), *facts, now.wall);
  }
  commit.directory.push_back({RoleKey(id), SerializeRole(*changed)});
  pool.starting_epoch = true;
  host_.Submit(std::move(commit),
               [this, id, done = std::move(done)](storage::StoreResult<storage::Committed> result, Instant at) mutable {
                 Pool* started = FindPool(id);
                 SYMBOLON_CHECK(started != nullptr);
                 started->starting_epoch = false;
                 if (result) started->admission.reset();
                 done(std::move(result), at);
               });
}

}  // namespace symbolon::replication
