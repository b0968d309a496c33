// Who is primary (replication protocol §2, §4): what this Region knows and promises, when it admits writes, and how the
// pool passes from one Region to another.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

constexpr int kTakeoverAttemptsMax = 3;
// A Region that is connected and alive has been heard from within so many heartbeats.
constexpr int kHeartbeatsMissedMax = 3;

bool HoldsAll(const pb::Member& member) { return member.state() == pb::ACTIVE || member.state() == pb::INACTIVE; }

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
  return IsPrimary(pool) && Supplies(pool) && pool.promises.empty() && !pool.admission &&
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

void Machine::Hear(const PoolId& id, const Region& region, const pb::Standing& standing, Instant now) {
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->head || !LeadsByRecord(*pool) || !Trusts(id, *pool, region)) return;
  const storage::pb::Epoch& heard = Highest(standing);
  if (storage::CompareEpochs(heard, pool->head->epoch()) > 0) StepDown(id, *pool, heard, region.value(), now);
}

void Machine::StepDown(const PoolId& id, Pool& pool, const storage::pb::Epoch& epoch, std::string_view who,
                       Instant now) {
  if (pool.promised && storage::CompareEpochs(epoch, *pool.promised) <= 0) return;
  if (std::ranges::any_of(pool.promises, [&](const Pool::Promise& promise) {
        return storage::CompareEpochs(promise.epoch, epoch) >= 0;
      })) {
    return;
  }
  log::Warning("replication: pool {}: {} knows epoch {} of {}; this Region, primary in epoch {}, steps down",
               id.value(), who, epoch.counter(), epoch.region(), pool.head->epoch().counter());
  ++counters_.step_downs;
  MakePromise(id, epoch, /*asked=*/false, [](bool, Instant) {}, now);
}

// ---- when writes are admitted ----

// Shut also for a Region that is about to be primary: it will do what it is asked when it has begun its epoch.
void Machine::UpdateGate(const PoolId& id, const Pool& pool) { gate_.Set(id, !LeadsByRecord(pool) || Admits(pool)); }

void Machine::BeginAdmission(const PoolId& id, Pool& pool, Instant now) {
  if (!LeadsByRecord(pool)) return;
  Pool::Admission admission;
  for (const pb::Member& member : pool.role->members()) {
    if (HoldsAll(member) && member.region() != own_.value()) admission.silent.insert(Region(member.region()));
  }
  if (admission.silent.empty()) return;
  admission.alone_at = options_.admit_alone_after.count() == 0 ? std::chrono::nanoseconds::max()
                                                               : now.since_boot + options_.admit_alone_after;
  pool.admission = std::move(admission);
  log::Info("replication: pool {}: this Region was primary; it hears the other Regions first", id.value());
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
  if (pool == nullptr || pool->promises.empty() || pool->promise_submitted) return;
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
  const PoolId id(request.pool());
  Pool* pool = FindPool(id);
  // Whoever has nothing has nothing to promise.
  if (pool == nullptr || !pool->role || !pool->head) return say(std::move(answer));
  if (request.epoch().region() != peer.region.value() || !Trusts(id, *pool, peer.region)) {
    log::Error("replication: pool {}: {} asks for a promise, and is no member: ignored", id.value(),
               peer.region.value());
    return;
  }
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

// ---- planned ----

void Machine::HandOver(const Region& from, const PoolId& id, const Region& to, ControlDone<Promoted> done,
                       Instant now) {
  const auto refuse = [&](ControlErrorCode code, std::string detail) {
    done(Err(ControlError{code, std::move(detail)}));
  };
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->role || !pool->head) return refuse(ControlErrorCode::kNotMember, "unknown pool");
  if (from != own_ && FindMember(*pool->role, from) == nullptr) {
    return refuse(ControlErrorCode::kNotMember, "the caller is no member");
  }
  if (pool->handing_over && pool->handing_over->handover.to() == to) {
    pool->handing_over->done.push_back(std::move(done));
    return;
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

ControlResult<Promoted> Machine::CurrentEpoch(const PoolId& id, const Pool& pool) const {
  Promoted promoted{.epoch_counter = pool.role->epoch_counter()};
  const auto history = store_.MakeSnapshot()->History(id);
  if (!history) return Err(ControlError{ControlErrorCode::kUnavailable, history.error().detail});
  if (history->epochs_size() > 0) promoted.first_sequence = history->epochs().rbegin()->first_sequence();
  return promoted;
}

void Machine::ProceedWithHandover(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.handing_over) return;
  Handover& handover = pool.handing_over->handover;
  if (handover.phase() == Handover::Phase::kHandedOver) {
    const auto peer = peers_.find(handover.to());
    const auto heard = peer->second.heard.find(id);
    const bool begun = (pool.role && pool.role->primary() == handover.to().value()) ||
                       (heard != peer->second.heard.end() &&
                        heard->second.standing().epoch().counter() >= pool.handing_over->promoted.epoch_counter);
    if (begun) return EndHandover(id, pool, pool.handing_over->promoted);
    if (!handover.overdue(now)) return;
    return EndHandover(id, pool,
                       Err(ControlError{ControlErrorCode::kUnavailable,
                                        "handed over to " + handover.to().value() + ", which has not begun yet"}));
  }
  if (handover.phase() == Handover::Phase::kCommitting) return;
  if (!IsPrimary(pool) || !Supplies(pool) || !pool.promises.empty()) {
    return EndHandover(id, pool, Err(ControlError{ControlErrorCode::kRefused, "this Region stepped down"}));
  }
  const auto head = store_.MakeSnapshot()->Head(id);
  if (!head || !*head) return;
  Handover::View view{.head = (*head)->sequence()};
  const auto supplier = pool.suppliers.find(handover.to());
  if (supplier != pool.suppliers.end() && supplier->second->following()) {
    view.following = true;
    view.acknowledged = supplier->second->acknowledged()->sequence();
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
  const auto role = stored && *stored ? ParseRole(**stored) : std::nullopt;
  const Region& to = pool.handing_over->handover.to();
  auto changed = role ? replication::HandOver(*role, to, now.wall) : Err(RoleError{RoleErrorCode::kNotMember});
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
  Promoted promoted{.epoch_counter = changed->next().counter()};
  host_.Submit(std::move(commit), [this, id, promoted](const storage::StoreResult<storage::Committed>& result,
                                                       Instant at) mutable {
    Pool* handing = FindPool(id);
    SYMBOLON_CHECK(handing != nullptr && handing->handing_over);
    Handover& handover = handing->handing_over->handover;
    if (result) {
      ++counters_.hand_overs;
      promoted.first_sequence = result->position->sequence() + 1;
      log::Info("replication: pool {}: handed over to {} at {}", id.value(), handover.to().value(),
                result->position->sequence());
      handing->handing_over->promoted = std::move(promoted);
      handover.OnCommitted(at);
    } else if (result.error().code == storage::StoreErrorCode::kConflict) {
      handover.OnConflict();
    } else {
      return EndHandover(id, *handing, Err(ControlError{ControlErrorCode::kUnavailable, result.error().detail}));
    }
    ProceedWithHandover(id, *handing, at);
  });
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

void Machine::MaybeAcceptHandover(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.role || !pool.head || !pool.role->primary().empty() || pool.role->next().region() != own_.value()) return;
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
                 if (result) {
                   started->admission.reset();
                   // A copy that was under way is of no use any more.
                   host_.RunBlocking([this, id] { return store_.DropStaging(id); },
                                     [](const storage::StoreResult<void>&, Instant) {});
                 }
                 done(std::move(result), at);
               });
}

// ---- forced ----

void Machine::TakeOver(const PoolId& id, bool accept_loss, ControlDone<Promoted> done, Instant now) {
  const auto refuse = [&](ControlErrorCode code, std::string detail) {
    done(Err(ControlError{code, std::move(detail)}));
  };
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->role || !pool->head || pool->role->deleted()) {
    return refuse(ControlErrorCode::kNotMember, "unknown pool");
  }
  if (Admits(*pool)) return done(CurrentEpoch(id, *pool));
  if (const std::string conflict = AuthorityConflict(); !conflict.empty()) {
    return refuse(ControlErrorCode::kRefused, conflict);
  }
  if (pool->rolled_back || !IsKnownByKey(*pool->role, own_, store_.incarnation(), signer_.public_key())) {
    return refuse(ControlErrorCode::kRefused,
                  "the other Regions do not know this store, or its log key: see its status");
  }
  if (pool->drop_as_member) return refuse(ControlErrorCode::kWrongState, std::string(MemberStateName(pb::DELETING)));
  if (pool->taking_over || pool->handing_over || pool->starting_epoch) {
    return refuse(ControlErrorCode::kRefused, "the pool's primary is changing already");
  }
  if (const auto taken = replication::TakeOver(*pool->role, own_, 1, now.wall); !taken) {
    return refuse(ControlErrorCode::kWrongState, std::string(MemberStateName(taken.error().state)));
  }
  BeginTakeover(id, *pool, accept_loss, 1, 0, std::move(done), now);
}

void Machine::BeginTakeover(const PoolId& id, Pool& pool, bool accept_loss, int attempt, std::uint64_t above,
                            ControlDone<Promoted> done, Instant now) {
  std::uint64_t highest = std::max({above, HighestCounter(StandingOf(pool)), pool.role->epoch_counter()});
  for (const auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (heard != peer.heard.end()) highest = std::max(highest, HighestCounter(heard->second.standing()));
  }
  if (authority_) highest = std::max(highest, authority_->Find(id).value.epoch().counter());
  std::set<Region> members;
  if (!pool.role->primary().empty()) members.insert(Region(pool.role->primary()));
  for (const pb::Member& member : pool.role->members()) {
    if (HoldsAll(member)) members.insert(Region(member.region()));
  }
  // Members that this Region has not heard of may hold what was answered.
  if (authority_) {
    for (const pb::InSyncMember& member : authority_->Find(id).value.in_sync()) members.emplace(member.region());
  }
  if (RestoredPrimary(pool)) {
    for (const auto& [region, peer] : peers_) members.insert(region);
  }
  members.erase(own_);
  const storage::pb::Epoch epoch = MakeEpoch(highest + 1, own_, store_.incarnation());
  log::Warning("replication: pool {}: this Region takes epoch {}, without the primary's hand-over", id.value(),
               epoch.counter());
  pool.taking_over.emplace(Takeover(epoch, std::move(members), options_, now), accept_loss, attempt, std::move(done));
  pool.taking_over->register_until = now.since_boot + options_.promise_limit;
  // The authority first: where it says no, nothing has changed.
  if (authority_) return ProceedWithRegister(id, pool, now);
  PromiseToSelf(id, pool, now);
}

void Machine::PromiseToSelf(const PoolId& id, Pool& pool, Instant now) {
  const storage::pb::Epoch epoch = pool.taking_over->takeover.epoch();
  MakePromise(
      id, epoch, /*asked=*/true,
      [this, id, epoch](bool granted, Instant at) {
        Pool* taking = FindPool(id);
        if (taking == nullptr || !taking->taking_over ||
            !storage::SameEpoch(taking->taking_over->takeover.epoch(), epoch)) {
          return;
        }
        if (!granted) {
          return EndTakeover(id, *taking,
                             Err(ControlError{ControlErrorCode::kRefused, "a higher epoch is known here already"}), at);
        }
        taking->taking_over->takeover.OnOwnPromise();
        ProceedWithTakeover(id, *taking, at);
      },
      now);
}

void Machine::OnPromiseAnswer(Peer& peer, const pb::PromiseAnswer& answer, Instant now) {
  const PoolId id(answer.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->taking_over) return;
  Pool::TakingOver& taking = *pool->taking_over;
  if (!pool->role || taking.takeover.OnAnswer(peer.region, answer)) return ProceedWithTakeover(id, *pool, now);
  if (taking.attempt == kTakeoverAttemptsMax || pool->starting_epoch) {
    return EndTakeover(
        id, *pool, Err(ControlError{ControlErrorCode::kRefused, peer.region.value() + " has promised a higher epoch"}),
        now);
  }
  Pool::TakingOver again = std::move(taking);
  pool->taking_over.reset();
  BeginTakeover(id, *pool, again.accept_loss, again.attempt + 1, again.takeover.refused_by(), std::move(again.done),
                now);
}

void Machine::ProceedWithTakeover(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.taking_over || pool.starting_epoch) return;
  if (!pool.head || !pool.role) {
    return EndTakeover(id, pool, Err(ControlError{ControlErrorCode::kNotMember, "the pool is gone from here"}), now);
  }
  Takeover& takeover = pool.taking_over->takeover;
  if (authority_ && !pool.taking_over->registered) return ProceedWithRegister(id, pool, now);
  if (takeover.phase() == Takeover::Phase::kPromising || !pool.promises.empty()) return;
  Takeover::Reachable reachable;
  for (auto& [region, peer] : peers_) {
    if (!peer.dialled || !peer.dialled->greeted()) continue;
    if (now.since_boot - peer.last_heard < kHeartbeatsMissedMax * options_.heartbeat_interval) reachable.insert(region);
    if (!takeover.TakeTurnToAsk(region, peer.dialled->link())) continue;
    pb::Frame frame;
    frame.mutable_promise_request()->set_pool(id.value());
    *frame.mutable_promise_request()->mutable_epoch() = takeover.epoch();
    peer.dialled->Push(std::move(frame));
  }
  takeover.Proceed(*pool.head, reachable, now);
  UpdateConsumer(id, pool, now);
  if (takeover.phase() != Takeover::Phase::kStarting || (pool.consumer && pool.consumer->busy())) return;

  Promoted promoted{.epoch_counter = takeover.epoch().counter()};
  for (const Region& region : takeover.silent()) promoted.silent.push_back({region, LastHeardOf(id, pool, region)});
  const bool sync = pool.role->durability() == pb::SYNC || (authority_ && authority_->Find(id).value.sync());
  if (sync && promoted.silent.size() > 1 && !pool.taking_over->accept_loss) {
    return EndTakeover(id, pool,
                       Err(ControlError{ControlErrorCode::kRefused,
                                        "writes that were acknowledged as durable in two Regions may be lost"}),
                       now);
  }
  StartEpoch(
      id, pool, takeover.epoch().counter(),
      [this, id, promoted = std::move(promoted)](const storage::StoreResult<storage::Committed>& result,
                                                 Instant at) mutable {
        Pool* taking = FindPool(id);
        if (taking == nullptr || !taking->taking_over) return;
        if (result) {
          promoted.first_sequence = result->position->sequence();
          return EndTakeover(id, *taking, std::move(promoted), at);
        }
        if (result.error().code == storage::StoreErrorCode::kConflict)
          return taking->taking_over->takeover.OnConflict();
        EndTakeover(id, *taking, Err(ControlError{ControlErrorCode::kUnavailable, result.error().detail}), at);
      },
      now);
}

std::optional<std::uint64_t> Machine::LastHeardOf(const PoolId& id, const Pool& pool, const Region& region) const {
  std::optional<std::uint64_t> sequence;
  if (const auto peer = peers_.find(region); peer != peers_.end()) {
    const auto heard = peer->second.heard.find(id);
    if (heard != peer->second.heard.end() && heard->second.has_head()) sequence = heard->second.head().sequence();
  }
  if (pool.consumer && pool.consumer->primary_head() &&
      pool.consumer->primary_head()->epoch().region() == region.value()) {
    sequence = std::max(sequence.value_or(0), pool.consumer->primary_head()->sequence());
  }
  return sequence;
}

void Machine::EndTakeover(const PoolId& id, Pool& pool, ControlResult<Promoted> result, Instant now) {
  Pool::TakingOver ended = std::move(*pool.taking_over);
  pool.taking_over.reset();
  if (result) {
    ++counters_.take_overs;
    log::Warning("replication: pool {}: this Region is primary, in epoch {} from {} on", id.value(),
                 result->epoch_counter, result->first_sequence);
    for (const Promoted::Silent& silent : result->silent) {
      log::Warning(
          "replication: pool {}: {} gave no promise; what it has from {} on will be set aside (last heard: {})",
          id.value(), silent.region.value(), result->first_sequence,
          silent.last_heard_sequence ? std::to_string(*silent.last_heard_sequence) : "nothing");
    }
  } else {
    log::Error("replication: pool {}: epoch {} is not taken: {}", id.value(), ended.takeover.epoch().counter(),
               result.error().detail);
  }
  UpdateRight(id, pool, now);
  UpdateGate(id, pool);
  UpdateConsumer(id, pool, now);
  ended.done(std::move(result));
}

}  // namespace symbolon::replication
