// A pool as its secondary has it: the consumer that the roles ask for, the facts that are pulled, and the end of both.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {

void Machine::OnPoolState(Peer& peer, pb::PoolState state, Instant now) {
  if (!IsPoolName(state.pool())) return;
  const PoolId id(state.pool());
  if (state.has_head() || state.has_receiver()) {
    if (!peer.heard.contains(id) && FindPool(id) == nullptr && peer.heard.size() >= PoolsHeardMax()) {
      if (!std::exchange(peer.unheard, true)) {
        log::Error("replication: {} names {} pools that are not here: the others wait", peer.region.value(),
                   peer.heard.size());
      }
      return;
    }
    peer.heard[id] = state;
  } else {
    peer.heard.erase(id);
  }
  ConsiderHeard(peer, id, state, now);
}

void Machine::ConsiderHeard(Peer& peer, const PoolId& id, const pb::PoolState& state, Instant now) {
  const bool by_primary = state.primary() == peer.region.value();
  const bool member = state.has_receiver();
  const bool goes = by_primary && member && state.receiver().state() == pb::DELETING;
  Pool* pool = FindPool(id);
  if (pool == nullptr && by_primary && member) pool = &FindOrAddPool(id, now);
  // When it has been read this comes again.
  if (pool == nullptr || pool->unread) return;
  // Whoever holds a directory opens it first: it may hold what the primary does not.
  if (goes && !pool->head) return Drop(id, *pool, state.receiver().number(), peer.region, now);
  // A Region that takes itself for the primary of a pool that has gone on without it would not hear of that otherwise.
  const bool known = pool->role && RoleOf(*pool->role, peer.region).kind != Role::Kind::kNone;
  HearSignature(id, *pool, peer.region, state.signed_head());
  if (by_primary && (pool->head || pool->promised) && !known) Announce(id, *pool, peer);
  Hear(id, peer.region, state.standing(), now);
  UpdateAdmission(id, *pool, now);
  UpdateFactPulls(id, *pool);
  UpdateConsumer(id, *pool, now);
  ProceedWithHandover(id, *pool, now);
  if (by_primary && pool->consumer && pool->consumer_peer == peer.region && pool->consumer->connected()) {
    CarryOut(id, *pool, pool->consumer->Hurry(now), now);
  }
}

std::size_t Machine::PoolsHeardMax() const { return pools_here_ + kPoolsHeardMax; }

bool Machine::IsNamed(const PoolId& id) const {
  return std::ranges::any_of(peers_, [&](const auto& peer) { return peer.second.heard.contains(id); });
}

void Machine::ForgetUnnamed() {
  std::vector<PoolId> ids;
  for (const auto& [id, pool] : pools_) {
    if (!pool.head && !IsNamed(id)) ids.push_back(id);
  }
  for (const PoolId& id : ids) ForgetPoolIfGone(id);
}

void Machine::OnUnknownPool(Peer& peer, const PoolId& id, Instant now) {
  Pool* pool = FindPool(id);
  if (pool == nullptr || pool->head) return;
  peer.heard.erase(id);
  UpdateConsumer(id, *pool, now);
  ForgetPoolIfGone(id);
}

void Machine::UpdateConsumer(const PoolId& id, Pool& pool, Instant now) {
  std::optional<Region> wanted;
  std::optional<storage::pb::Epoch> recovers_for;
  if (pool.unread) {
    // Nobody, until it is known whom.
  } else if (pool.taking_over) {
    const Takeover& takeover = pool.taking_over->takeover;
    if (takeover.phase() == Takeover::Phase::kFetching) {
      wanted = takeover.source();
      recovers_for = takeover.epoch();
    }
  } else if (pool.promises.empty() && !pool.drop_as_member) {
    wanted = LeaderOf(id, pool);
    if (wanted == own_) wanted.reset();
  }
  if (pool.consumer && (!wanted || pool.consumer_peer != *wanted)) CarryOut(id, pool, pool.consumer->Pause(now), now);
  if (!wanted || pool.drop_as_member) return;
  if (!pool.consumer) pool.consumer = std::make_unique<Consumer>(store_, random_, signer_, id, options_, counters_);
  pool.consumer->SetSupplier(*wanted, LogKeyAskedOf(pool, *wanted));
  pool.consumer->SetRecovery(recovers_for);
  if (pool.promised) pool.consumer->SetFloor(*pool.promised);
  pool.consumer_peer = *wanted;
  const auto peer = peers_.find(*wanted);
  if (peer == peers_.end() || !peer->second.dialled || !peer->second.dialled->greeted()) return;
  if (!pool.consumer->connected()) CarryOut(id, pool, pool.consumer->OnConnected(now), now);
}

void Machine::Drop(const PoolId& id, Pool& pool, std::uint64_t member_number, const Region& peer, Instant now) {
  if (pool.unread) return;
  // Only the pool's own primary can send its replica away.
  if (pool.role && LeaderOf(id, pool) != peer) {
    log::Error("replication: {} asks to drop pool {}, which it does not lead: ignored", peer.value(), id.value());
    return;
  }
  // What it is about to lead it does not drop; its new epoch answers the peer.
  if (pool.taking_over || pool.starting_epoch) return;
  if (!pool.consumer) pool.consumer = std::make_unique<Consumer>(store_, random_, signer_, id, options_, counters_);
  pool.consumer_peer = peer;
  pool.fact_pulls.clear();
  pool.drop_as_member = member_number;
  ProceedWithDrop(id, pool, now);
}

void Machine::ProceedWithDrop(const PoolId& id, Pool& pool, Instant now) {
  if (pool.unread || !pool.drop_as_member || pool.merges_under_way > 0) return;
  if (pool.consumer->state() == Consumer::State::kDropping) return;
  // A fact that was accepted here may be nowhere else yet; the store checks it again when it drops the pool.
  if (const auto at_primary = FactsAtPrimary(id, pool)) {
    const auto here = store_.MakeSnapshot()->Facts(id);
    if (!here || !storage::Covers(*at_primary, *here)) {
      // It may have asked for them before this Region knew that it is the primary, and got none.
      MarkReady(pool.consumer_peer, id, Topic::kFacts);
      return;
    }
  }
  CarryOut(id, pool, pool.consumer->Drop(*pool.drop_as_member, now), now);
}

std::optional<storage::pb::FactVector> Machine::FactsAtPrimary(const PoolId& id, const Pool& pool) const {
  if (!pool.head) return std::nullopt;
  auto here = store_.MakeSnapshot()->Facts(id);
  if (!here) return storage::pb::FactVector();
  const auto supplier = pool.fact_suppliers.find(pool.consumer_peer);
  for (storage::pb::FactProgress& progress : *here->mutable_progress()) {
    // Its own came from it.
    if (progress.region() == pool.consumer_peer.value()) continue;
    progress.set_number(
        supplier == pool.fact_suppliers.end()
            ? 0
            : storage::ProgressOf(supplier->second->acknowledged(), progress.region(), progress.incarnation()));
  }
  return *std::move(here);
}

void Machine::CarryOut(const PoolId& id, Pool& pool, Consumer::Step step, Instant now) {
  Peer* peer = nullptr;
  if (const auto found = peers_.find(pool.consumer_peer); found != peers_.end()) peer = &found->second;
  if (peer != nullptr && peer->dialled && peer->dialled->greeted()) {
    for (pb::Frame& frame : step.frames) peer->dialled->Push(std::move(frame));
  }
  if (step.call) {
    const auto done = [this, id](storage::StoreResult<void> result, Instant at) {
      if (result) {
        OnConsumerCallDone(id, std::nullopt, at);
      } else {
        OnConsumerCallDone(id, Err(std::move(result).error()), at);
      }
    };
    if (auto* apply = std::get_if<ApplyEntries>(&*step.call)) {
      host_.Apply({id, std::move(apply->entries)},
                  [this, id](storage::StoreResult<storage::pb::Head> head, Instant at) {
                    if (head) {
                      OnConsumerCallDone(id, std::optional(*std::move(head)), at);
                    } else {
                      OnConsumerCallDone(id, Err(std::move(head).error()), at);
                    }
                  });
    } else if (auto* begin = std::get_if<BeginStaging>(&*step.call)) {
      pool.may_be_staged = true;
      host_.RunBlocking(
          [this, id, begun = std::move(*begin)] { return store_.BeginStaging(id, begun.head, begun.history); }, done);
    } else if (auto* write = std::get_if<WriteStaging>(&*step.call)) {
      host_.RunBlocking([this, id, pieces = std::move(write->pieces)] { return store_.WritePackedStaging(id, pieces); },
                        done);
    } else if (auto* aside = std::get_if<SetAside>(&*step.call)) {
      const auto kept = std::make_shared<std::optional<storage::pb::Head>>();
      host_.RunBlocking(
          [this, id, fork = aside->fork, kept]() -> storage::StoreResult<void> {
            SYMBOLON_TRY(*kept, archive_.Keep(store_, id, fork));
            return {};
          },
          [this, id, kept](storage::StoreResult<void> result, Instant at) {
            if (result) {
              OnConsumerCallDone(id, *kept, at);
            } else {
              OnConsumerCallDone(id, Err(std::move(result).error()), at);
            }
          });
    } else if (std::holds_alternative<FlipStaging>(*step.call)) {
      host_.RunBlocking(
          [this, id] {
            auto flipped = store_.FlipStaging(id);
            // It was to replace another state than the one that is here: it is taken anew.
            if (flipped || flipped.error().code != storage::StoreErrorCode::kConflict) return flipped;
            // Should that fail, the copy is refused again the next time.
            if (const auto dropped = store_.DropStaging(id); !dropped) return dropped;
            return flipped;
          },
          done);
    } else {
      host_.RunBlocking(
          [this, id, at_primary = FactsAtPrimary(id, pool)] {
            return store_.DropPool(id, at_primary ? &*at_primary : nullptr);
          },
          done);
    }
  }
  if (pool.consumer->state() == Consumer::State::kDropped) {
    // Others that take themselves for the primary wait for the same.
    for (auto& [region, other] : peers_) {
      const auto heard = other.heard.find(id);
      if (heard == other.heard.end() || region == pool.consumer_peer || !other.dialled || !other.dialled->greeted() ||
          heard->second.primary() != region.value() || heard->second.receiver().state() != pb::DELETING) {
        continue;
      }
      pb::Frame frame;
      frame.mutable_dropped()->set_pool(id.value());
      frame.mutable_dropped()->set_member_number(heard->second.receiver().number());
      other.dialled->Push(std::move(frame));
    }
    pool.consumer.reset();
    pool.drop_as_member.reset();
    // The Region may have been taken in again meanwhile.
    UpdateConsumer(id, pool, now);
    ForgetPoolIfGone(id);
    return;
  }
  NoteSignature(pool);
  if (pool.consumer->TakeUnproven()) OnUnproven(id, pool, now);
  if (const std::optional<std::uint64_t> member_number = pool.consumer->TakeToldToDrop()) {
    Drop(id, pool, *member_number, pool.consumer_peer, now);
  }
}

void Machine::MaybeDropStaging(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.may_be_staged || now.since_boot < pool.unstage_at) return;
  const bool follows = pool.consumer && pool.consumer->state() == Consumer::State::kFollowing;
  const bool leads = Admits(pool) && !(pool.consumer && pool.consumer->busy());
  if (!follows && !leads) return;
  pool.unstage_at = now.since_boot + options_.heartbeat_interval;
  const auto staging = store_.FindStaging(id);
  if (!staging) return;
  pool.may_be_staged = staging->has_value();
  if (!*staging) return;
  // One that fails is tried again.
  host_.RunBlocking([this, id] { return store_.DropStaging(id); },
                    [id](const storage::StoreResult<void>& result, Instant) {
                      if (result) return;
                      log::Warning("replication: pool {}: a copy that was begun stays for now: {}", id.value(),
                                   result.error().detail);
                    });
}

void Machine::OnConsumerCallDone(const PoolId& id, storage::StoreResult<std::optional<storage::pb::Head>> result,
                                 Instant now) {
  // A consumer with a call under way is never destroyed.
  Pool* pool = FindPool(id);
  SYMBOLON_CHECK(pool != nullptr && pool->consumer);
  CarryOut(id, *pool, pool->consumer->OnCallDone(std::move(result), now), now);
  ProceedWithPromises(id, now);
}

void Machine::UpdateFactPulls(const PoolId& id, Pool& pool) {
  for (auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    const bool wanted = peer.dialled && peer.dialled->greeted() && pool.head && !pool.drop_as_member &&
                        Shares(pool, own_) && RoleOf(*pool.role, region).kind != Role::Kind::kNone &&
                        heard != peer.heard.end() && heard->second.has_head();
    if (!wanted) {
      pool.fact_pulls.erase(region);
    } else if (!pool.fact_pulls.contains(region)) {
      Pool::FactPull& pull = pool.fact_pulls[region];
      pull = {peer.dialled->link(), std::make_unique<FactConsumer>(store_, signer_, id, region, options_, counters_)};
      CarryOut(id, pool, peer, pull.consumer->Start());
    }
  }
}

void Machine::NoteOwnFacts(const PoolId& id, Pool& pool, const Region& holder, FactConsumer::OwnFacts found) {
  if (found <= pool.own_facts) return;
  pool.own_facts = found;
  pool.own_facts_at = holder;
  log::Error("replication: pool {}: {}", id.value(), OwnFactsProblem(pool));
}

void Machine::CarryOut(const PoolId& id, Pool& pool, Peer& peer, FactConsumer::Step step) {
  if (step.frame) peer.dialled->Push(*std::move(step.frame));
  if (!step.merge) return;
  ++pool.merges_under_way;
  const std::size_t count = step.merge->size();
  host_.MergeFacts(id, *std::move(step.merge),
                   [this, id, region = peer.region, link = peer.dialled->link(), count](
                       storage::StoreResult<void> result, Instant now) {
                     Pool* merged = FindPool(id);
                     SYMBOLON_CHECK(merged != nullptr && merged->merges_under_way > 0);
                     --merged->merges_under_way;
                     if (result) {
                       counters_.facts_merged += count;
                       for (auto& [other, other_pull] : merged->fact_pulls) {
                         if (other != region) other_pull.consumer->OnMergedElsewhere();
                       }
                     }
                     const auto pull = merged->fact_pulls.find(region);
                     if (pull != merged->fact_pulls.end() && pull->second.link == link) {
                       CarryOut(id, *merged, peers_.at(region), pull->second.consumer->OnMerged(result, now));
                       NoteOwnFacts(id, *merged, region, pull->second.consumer->own_facts());
                     }
                     if (merged->merges_under_way > 0) return;
                     if (merged->drop_as_member) return ProceedWithDrop(id, *merged, now);
                     ForgetPoolIfGone(id);
                   });
}

}  // namespace symbolon::replication
