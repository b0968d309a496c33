// Promotion by force (replication protocol §4), in the Region that takes: promises are collected, the longest log is
// fetched, and its epoch begins.
#include <algorithm>
#include <limits>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

constexpr int kTakeoverAttemptsMax = 3;
// A Region that is connected and alive has been heard from within so many heartbeats.
constexpr int kHeartbeatsMissedMax = 3;

}  // namespace

void Machine::TakeOver(const PoolId& id, bool accept_loss, ControlDone<Promoted> done, Instant now) {
  TakeOver(id, accept_loss, std::nullopt, std::move(done), now);
}

void Machine::TakeOver(const PoolId& id, bool accept_loss, const std::optional<Pool::Decision>& decision,
                       ControlDone<Promoted> done, Instant now) {
  const auto refuse = [&](ControlErrorCode code, std::string detail) {
    done(Err(ControlError{code, std::move(detail)}));
  };
  Pool* pool = FindPool(id);
  if (pool == nullptr || pool->unread || !pool->role || !pool->head || pool->role->deleted()) {
    return done(Err(WhyUnknown(id)));
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
  BeginTakeover(id, *pool, accept_loss, decision, 1, 0, std::move(done), now);
}

std::set<Region> Machine::MembersAsked(const PoolId& id, const Pool& pool) const {
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
  return members;
}

Takeover::Reachable Machine::ReachableNow(Instant now) const {
  Takeover::Reachable reachable;
  for (const auto& [region, peer] : peers_) {
    if (!peer.dialled || !peer.dialled->greeted()) continue;
    if (now.since_boot - peer.last_heard < kHeartbeatsMissedMax * options_.heartbeat_interval) reachable.insert(region);
  }
  return reachable;
}

bool Machine::LacksItsPart(const PoolId& id, const Pool& pool, const Region& region, bool has_log) const {
  const auto peer = peers_.find(region);
  const Bytes& incarnation = peer == peers_.end() ? store_.incarnation() : peer->second.incarnation;
  const bool leads = pool.role->primary() == region.value();
  if (leads && pool.head->epoch().region() == region.value() && pool.head->epoch().incarnation() != incarnation) {
    return true;
  }
  if (authority_) {
    for (const pb::InSyncMember& member : authority_->Find(id).value.in_sync()) {
      if (member.region() == region.value()) return member.incarnation() != incarnation || !has_log;
    }
  }
  const pb::Member* member = FindMember(*pool.role, region);
  return !has_log && (leads || (member != nullptr && HoldsAll(*member)));
}

bool Machine::IsSync(const PoolId& id, const Pool& pool) const {
  return pool.role->durability() == pb::SYNC || (authority_ && authority_->Find(id).value.sync());
}

void Machine::BeginTakeover(const PoolId& id, Pool& pool, bool accept_loss,
                            const std::optional<Pool::Decision>& decision, int attempt, std::uint64_t above,
                            ControlDone<Promoted> done, Instant now) {
  std::uint64_t highest = std::max({above, KnownCounter(id, pool, own_), pool.role->epoch_counter()});
  if (authority_) highest = std::max(highest, authority_->Find(id).value.epoch().counter());
  if (highest == std::numeric_limits<std::uint64_t>::max()) {
    return done(Err(ControlError{ControlErrorCode::kRefused, "the pool's epochs are used up"}));
  }
  const storage::pb::Epoch epoch = MakeEpoch(highest + 1, own_, store_.incarnation());
  log::Warning("replication: pool {}: this Region takes epoch {}, without the primary's hand-over", id.value(),
               epoch.counter());
  pool.taking_over.emplace(Takeover(epoch, MembersAsked(id, pool), options_, now), accept_loss, decision, attempt,
                           std::move(done));
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
  if (!answer.granted() && !IsPlausible(id, *pool, peer.region, answer.standing())) {
    log::Error("replication: pool {}: {} gives no promise, for an epoch to which no Region can have come: as silent",
               id.value(), peer.region.value());
    return;
  }
  const bool lacks = pool->role && pool->head && LacksItsPart(id, *pool, peer.region, answer.has_head());
  if (!pool->role || taking.takeover.OnAnswer(peer.region, answer, lacks)) return ProceedWithTakeover(id, *pool, now);
  if (taking.attempt == kTakeoverAttemptsMax || pool->starting_epoch) {
    return EndTakeover(
        id, *pool, Err(ControlError{ControlErrorCode::kRefused, peer.region.value() + " has promised a higher epoch"}),
        now);
  }
  Pool::TakingOver again = std::move(taking);
  pool->taking_over.reset();
  BeginTakeover(id, *pool, again.accept_loss, again.decision, again.attempt + 1, again.takeover.refused_by(),
                std::move(again.done), now);
}

void Machine::ProceedWithTakeover(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.taking_over || pool.starting_epoch || pool.unread) return;
  if (!pool.head || !pool.role) {
    return EndTakeover(id, pool, Err(ControlError{ControlErrorCode::kNotMember, "the pool is gone from here"}), now);
  }
  Takeover& takeover = pool.taking_over->takeover;
  if (authority_ && !pool.taking_over->registered) return ProceedWithRegister(id, pool, now);
  if (takeover.phase() == Takeover::Phase::kPromising || !pool.promises.empty()) return;
  for (auto& [region, peer] : peers_) {
    if (!peer.dialled || !peer.dialled->greeted()) continue;
    if (!takeover.TakeTurnToAsk(region, peer.dialled->link())) continue;
    pb::Frame frame;
    frame.mutable_promise_request()->set_pool(id.value());
    *frame.mutable_promise_request()->mutable_epoch() = takeover.epoch();
    peer.dialled->Push(std::move(frame));
  }
  takeover.Proceed(*pool.head, ReachableNow(now), now);
  UpdateConsumer(id, pool, now);
  if (takeover.phase() != Takeover::Phase::kStarting || (pool.consumer && pool.consumer->busy())) return;

  Promoted promoted{.epoch_counter = takeover.epoch().counter()};
  for (const Region& region : takeover.silent()) promoted.silent.push_back({region, LastHeardOf(id, pool, region)});
  const std::size_t without_part =
      takeover.CountWithoutPart() + (LacksItsPart(id, pool, own_, /*has_log=*/true) ? 1 : 0);
  if (IsSync(id, pool) && without_part > kSilentMaxOfSync && !pool.taking_over->accept_loss) {
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
