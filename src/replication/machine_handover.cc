// Planned promotion (replication protocol §4): the primary hands over, and the next one begins its epoch. Until the
// hand-over is committed the primary stays in charge, whatever fails; from then on there is no way back, and whoever
// asked is told so if the next primary is not heard of.
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

ControlError Overtaken(const HandedOver& handed_over) {
  const storage::pb::Epoch& by = handed_over.overtaken_by();
  return {ControlErrorCode::kOvertaken, "The hand-over to Region " + handed_over.next().region() +
                                            " is overtaken: Region " + by.region() + " takes the user pool in epoch " +
                                            std::to_string(by.counter()) + "."};
}

}  // namespace

// ---- in the Region that hands over ----

void Machine::HandOver(const Region& from, const PoolId& id, const Region& to, ControlDone<Promoted> done,
                       Instant now) {
  const auto refuse = [&](ControlErrorCode code, std::string detail) {
    done(Err(ControlError{code, std::move(detail)}));
  };
  Pool* pool = FindPool(id);
  if (pool == nullptr || pool->unread || !pool->role || !pool->head) return done(Err(WhyUnknown(id)));
  if (from != own_ && FindMember(*pool->role, from) == nullptr) {
    return refuse(ControlErrorCode::kNotMember, "the caller is no member");
  }
  if (IsHandingOver(id, to)) {
    pool->handing_over->done.push_back(std::move(done));
    return;
  }
  if (IsHandedOver(*pool)) {
    // Where it begins is known when that is in the log here.
    HandedOver handed_over(pool->role->next(), 0, options_, now);
    if (pool->role->next().region() != to.value()) {
      const bool overtaken = handed_over.Judge(KnownOf(id, *pool), now) == HandedOver::Outcome::kOvertaken;
      return done(Err(overtaken
                          ? Overtaken(handed_over)
                          : ControlError{ControlErrorCode::kHandedOver, WhatBecomesOf(id, *pool, pool->role->next())}));
    }
    if (!pool->awaiting) pool->awaiting.emplace(std::move(handed_over), std::vector<ControlDone<Promoted>>());
    pool->awaiting->done.push_back(std::move(done));
    return ProceedWithAwaiting(id, *pool, now);
  }
  if (!IsPrimary(*pool)) {
    return refuse(ControlErrorCode::kNotPrimary, LeaderOf(id, *pool).value_or(Region()).value());
  }
  if (to == own_) return done(CurrentEpoch(id, *pool));
  const pb::Member* member = FindMember(*pool->role, to);
  if (member == nullptr) return refuse(ControlErrorCode::kNotMember, "no replica in " + to.value());
  if (member->state() != pb::ACTIVE) {
    return refuse(ControlErrorCode::kWrongState, std::string(MemberStateName(member->state())));
  }
  if (const std::string conflict = AuthorityConflict(); !conflict.empty()) {
    return refuse(ControlErrorCode::kRefused, conflict);
  }
  if (authority_ && !authority_->Covers(now)) return refuse(ControlErrorCode::kRefused, WhyNotBegun(id));
  if (const auto peer = peers_.find(to);
      peer != peers_.end() && !IsKnownByKey(*pool->role, to, peer->second.incarnation, peer->second.log_key)) {
    return refuse(ControlErrorCode::kRefused, to.value() + " does not sign with the log key that it is known by");
  }
  if (!Admits(*pool) || pool->handing_over || pool->taking_over) {
    return refuse(ControlErrorCode::kRefused, "the pool's primary is changing already");
  }
  log::Info("replication: pool {}: the hand-over to {} begins", id.value(), to.value());
  pool->handing_over.emplace(Handover(to, options_, now));
  pool->handing_over->done.push_back(std::move(done));
  ProceedWithHandover(id, *pool, now);
}

bool Machine::IsHandingOver(const PoolId& id, const Region& to) const {
  const auto pool = pools_.find(id);
  return pool != pools_.end() && pool->second.handing_over && pool->second.handing_over->handover.to() == to;
}

ControlResult<Promoted> Machine::CurrentEpoch(const PoolId& id, const Pool& pool) const {
  Promoted promoted{.epoch_counter = pool.role->epoch_counter()};
  const auto history = store_.MakeSnapshot()->History(id);
  if (!history) return Err(ControlError{ControlErrorCode::kUnavailable, history.error().detail});
  if (history->epochs_size() > 0) promoted.first_sequence = history->epochs().rbegin()->first_sequence();
  return promoted;
}

void Machine::ProceedWithHandover(const PoolId& id, Pool& pool, Instant now) {
  ProceedWithAwaiting(id, pool, now);
  if (!pool.handing_over) return;
  Handover& handover = pool.handing_over->handover;
  if (handover.phase() == Handover::Phase::kCommitting) return;
  if (handover.phase() == Handover::Phase::kCommitted) {
    // Its own record may not have been looked at since: until then the gate stays shut.
    if (IsPrimary(pool)) return;
    Pool::HandingOver handed = std::move(*pool.handing_over);
    pool.handing_over.reset();
    pool.awaiting.emplace(HandedOver(std::move(handed.next), handed.first_sequence, options_, now),
                          std::move(handed.done));
    UpdateGate(id, pool);
    return ProceedWithAwaiting(id, pool, now);
  }
  if (!pool.role) {
    return EndHandover(id, pool, Err(ControlError{ControlErrorCode::kNotMember, "the pool is gone from here"}));
  }
  if (!IsPrimary(pool) || !Supplies(pool) || !pool.promises.empty()) {
    return EndHandover(id, pool,
                       Err(ControlError{ControlErrorCode::kOvertaken,
                                        "Region " + own_.value() +
                                            " has handed nothing over: another Region takes the user pool in a higher "
                                            "epoch, or tries to."}));
  }
  const auto head = store_.MakeSnapshot()->Head(id);
  if (!head || !*head) return;
  Handover::View view{.head = (*head)->sequence()};
  const auto supplier = pool.suppliers.find(handover.to());
  if (supplier != pool.suppliers.end() && supplier->second->following()) {
    view.following = true;
    view.acknowledged = supplier->second->acknowledged()->sequence();
    view.lag_time = supplier->second->LagTime(**head, pool.head_times, now);
  }
  Handover::Step step = handover.Next(view, now);
  if (step == Handover::Step::kShutGate) {
    UpdateGate(id, pool);
    step = handover.Next(view, now);
  }
  if (step == Handover::Step::kCommit) return CommitHandover(id, pool, view.head, now);
  if (step == Handover::Step::kAbort) {
    EndHandover(id, pool, Err(ControlError{ControlErrorCode::kRefused, handover.why()}));
  }
}

void Machine::CommitHandover(const PoolId& id, Pool& pool, std::uint64_t at_sequence, Instant now) {
  const auto snapshot = store_.MakeSnapshot();
  const auto stored = snapshot->Get(RoleKey(id));
  if (stored && !*stored) {
    return EndHandover(id, pool, Err(ControlError{ControlErrorCode::kNotMember, "the pool is gone from here"}));
  }
  const auto role = stored ? ParseRole(**stored) : std::nullopt;
  if (!role) {
    return EndHandover(id, pool, Err(ControlError{ControlErrorCode::kRefused, "the role record cannot be read"}));
  }
  const Region& to = pool.handing_over->handover.to();
  auto changed = replication::HandOver(*role, to, now.wall);
  if (!changed) {
    return EndHandover(id, pool, Err(ControlError{ControlErrorCode::kRefused, "the replica's state has changed"}));
  }
  changed->mutable_next()->set_incarnation(peers_.at(to).incarnation);
  storage::Commit commit;
  commit.pool = id;
  commit.snapshot_version = snapshot->version();
  commit.reads.push_back(RoleKey(id));
  // Everything that was acknowledged by then, and nothing else, lies before it.
  commit.at_sequence = at_sequence;
  commit.directory.push_back({RoleKey(id), SerializeRole(*changed)});
  host_.Submit(std::move(commit),
               [this, id, next = changed->next()](const storage::StoreResult<storage::Committed>& result, Instant at) {
                 OnHandoverCommitted(id, next, result, at);
               });
}

void Machine::OnHandoverCommitted(const PoolId& id, pb::NextEpoch next,
                                  const storage::StoreResult<storage::Committed>& result, Instant now) {
  Pool* pool = FindPool(id);
  SYMBOLON_CHECK(pool != nullptr && pool->handing_over);
  Pool::HandingOver& handing = *pool->handing_over;
  if (result) {
    ++counters_.hand_overs;
    log::Info("replication: pool {}: handed over to {} at {}", id.value(), next.region(), result->position->sequence());
    handing.next = std::move(next);
    handing.first_sequence = result->position->sequence() + 1;
    handing.handover.OnCommitted();
    return ProceedWithHandover(id, *pool, now);
  }
  const auto end = [&](ControlErrorCode code, std::string detail) {
    log::Error("replication: pool {}: the hand-over is not written: {}", id.value(), result.error().detail);
    EndHandover(id, *pool, Err(ControlError{code, std::move(detail)}));
  };
  switch (result.error().code) {
    case storage::StoreErrorCode::kConflict:
      handing.handover.OnConflict();
      return ProceedWithHandover(id, *pool, now);
    case storage::StoreErrorCode::kUnknownOutcome:
      return end(ControlErrorCode::kUnavailable,
                 "the disk of Region " + own_.value() + " failed while the hand-over was written");
    case storage::StoreErrorCode::kNotWriter:
      return end(ControlErrorCode::kOvertaken, "Region " + own_.value() +
                                                   " has handed nothing over: another Region takes the user pool in a "
                                                   "higher epoch.");
    case storage::StoreErrorCode::kFull:
    case storage::StoreErrorCode::kUnavailable:
    case storage::StoreErrorCode::kGap:
    case storage::StoreErrorCode::kExpired:
    case storage::StoreErrorCode::kCorrupt:
      return end(ControlErrorCode::kRefused, "the store of Region " + own_.value() + " does not take the hand-over");
  }
}

void Machine::EndHandover(const PoolId& id, Pool& pool, const ControlResult<Promoted>& result) {
  Pool::HandingOver ended = std::move(*pool.handing_over);
  pool.handing_over.reset();
  if (!result) {
    log::Warning("replication: pool {}: the hand-over to {} ends: {}", id.value(), ended.handover.to().value(),
                 result.error().detail);
  }
  UpdateGate(id, pool);
  for (ControlDone<Promoted>& done : ended.done) done(result);
}

// ---- in every Region that knows of it ----

bool Machine::IsHandedOver(const Pool& pool) {
  return pool.role && pool.head && pool.role->primary().empty() && pool.role->has_next();
}

std::vector<pb::Standing> Machine::KnownOf(const PoolId& id, const Pool& pool) const {
  std::vector<pb::Standing> known{StandingOf(pool)};
  for (const auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (heard == peer.heard.end() || !IsPlausible(id, pool, region, heard->second.standing())) continue;
    known.push_back(heard->second.standing());
  }
  return known;
}

void Machine::ProceedWithAwaiting(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.awaiting) return;
  const auto outcome = pool.awaiting->handed_over.Judge(KnownOf(id, pool), now);
  if (outcome == HandedOver::Outcome::kOpen) return;
  Pool::Awaiting ended = std::move(*pool.awaiting);
  pool.awaiting.reset();
  const pb::NextEpoch& next = ended.handed_over.next();
  ControlResult<Promoted> told = ended.handed_over.promoted();
  if (const auto history = store_.MakeSnapshot()->History(id)) {
    for (const auto& begun : history->epochs()) {
      if (begun.epoch().counter() != next.counter() || begun.epoch().region() != next.region()) continue;
      told->first_sequence = begun.first_sequence();
    }
  }
  if (outcome == HandedOver::Outcome::kOvertaken) {
    told = Err(Overtaken(ended.handed_over));
  } else if (outcome == HandedOver::Outcome::kUnheard) {
    told = Err(ControlError{ControlErrorCode::kHandedOver, WhatBecomesOf(id, pool, next)});
  }
  if (!told) log::Warning("replication: pool {}: {}", id.value(), told.error().detail);
  for (ControlDone<Promoted>& done : ended.done) done(told);
}

std::string Machine::WhatBecomesOf(const PoolId& id, const Pool& pool, const pb::NextEpoch& next) const {
  const std::string epoch = std::to_string(next.counter());
  if (next.region() == own_.value()) {
    return "The user pool is handed over to this Region, " + own_.value() + ", which has not begun epoch " + epoch +
           ": " + WhyNotBegunHere(id, pool, next) + ".";
  }
  std::string text = "The user pool is handed over to Region " + next.region() + ", which leads it from epoch " +
                     epoch + " on; this cannot be taken back. ";
  const auto peer = peers_.find(Region(next.region()));
  const bool known = peer != peers_.end() && !peer->second.incarnation.empty();
  if (known && !next.incarnation().empty() && peer->second.incarnation != next.incarnation()) {
    return text + "It has another store by now, which does not begin by itself: promote a Region with Force.";
  }
  const bool connected = peer != peers_.end() && ((peer->second.dialled && peer->second.dialled->greeted()) ||
                                                  (peer->second.accepted && peer->second.accepted->greeted()));
  text += "Region " + own_.value() + " has not heard that it has begun" +
          (connected ? "" : ", and has no connection to it") +
          ". It begins by itself as soon as it has the hand-over; until then no Region changes the pool. Ask again to "
          "see. If it is lost, promote another Region with Force: what it has changed by then, if it has begun, is set "
          "aside.";
  return text;
}

// ---- in the next primary ----

std::string Machine::WhyNotBegunHere(const PoolId& id, const Pool& pool, const pb::NextEpoch& next) const {
  if (!next.incarnation().empty() && next.incarnation() != store_.incarnation()) {
    return "its store came out of a backup since, and begins only when it is promoted with Force";
  }
  if (pool.promised &&
      storage::CompareEpochs(*pool.promised, MakeEpoch(next.counter(), own_, store_.incarnation())) > 0) {
    return "Region " + pool.promised->region() + " takes the pool in epoch " + std::to_string(pool.promised->counter());
  }
  if (authority_ && !pool.starting_epoch) return WhyNotBegun(id);
  if (pool.admission) return "it asks the other Regions first whether they know of a higher epoch";
  return "it is about to";
}

void Machine::MaybeAcceptHandover(const PoolId& id, Pool& pool, Instant now) {
  if (pool.unread || !pool.role || !pool.head) return;
  if (!pool.role->primary().empty() || pool.role->next().region() != own_.value()) return;
  if (pool.starting_epoch || pool.taking_over || !pool.promises.empty()) return;
  // The authority knows better than all the others.
  if (pool.admission && !authority_) return;
  const std::uint64_t counter = pool.role->next().counter();
  const Bytes& named = pool.role->next().incarnation();
  if (!named.empty() && named != store_.incarnation()) return;
  if (pool.promised && storage::CompareEpochs(*pool.promised, MakeEpoch(counter, own_, store_.incarnation())) > 0) {
    return;
  }
  if (!MayBegin(id, pool, counter)) return;
  StartEpoch(
      id, pool, counter,
      [this, id, counter](const storage::StoreResult<storage::Committed>& result, Instant) {
        if (result) {
          ++counters_.take_overs;
          log::Info("replication: pool {}: this Region is primary, in epoch {} from {} on", id.value(), counter,
                    result->position->sequence());
        } else if (result.error().code != storage::StoreErrorCode::kConflict) {
          log::Error("replication: pool {}: epoch {} does not begin: {}", id.value(), counter, result.error().detail);
        }
      },
      now);
}

}  // namespace symbolon::replication
