// Pools: what the role record asks of this Region for each, and what comes of frames and store calls.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

storage::Key RoleKey(const PoolId& id) { return {storage::Space::kDirectory, id, kRoleRecordType, Bytes()}; }

// What a peer may name: keys of the store are made of it.
bool ValidPool(const std::string& name) {
  return !name.empty() && name.size() <= storage::kNameBytesMax && name.find('\0') == std::string::npos;
}

ControlError ControlErrorOf(const RoleError& error) {
  switch (error.code) {
    case RoleErrorCode::kNotMember:
    case RoleErrorCode::kPoolDeleted:
      return {ControlErrorCode::kNotMember, "no such member"};
    case RoleErrorCode::kAlreadyMember:
    case RoleErrorCode::kWrongState:
    case RoleErrorCode::kTooManyMembers:
      return {ControlErrorCode::kWrongState, std::string(MemberStateName(error.state))};
  }
  return {ControlErrorCode::kWrongState, ""};
}

}  // namespace

Machine::Pool* Machine::FindPool(const PoolId& id) {
  const auto found = pools_.find(id);
  return found == pools_.end() ? nullptr : &found->second;
}

// ---- news of the store ----

void Machine::OnNews(const News& news, Instant now) {
  for (const auto& [id, of_pool] : news) OnPoolNews(id, of_pool, now);
}

void Machine::OnPoolNews(const PoolId& id, const PoolNews& news, Instant now) {
  Pool* pool = FindPool(id);
  if (news.roles || (pool == nullptr && news.head)) {
    LoadPool(id, now);
    pool = FindPool(id);
  }
  if (pool == nullptr) return;
  if (news.head) {
    pool->head = news.head;
    for (auto& [region, supplier] : pool->suppliers) {
      supplier->OnHead(*news.head);
      MarkReady(region, id, Topic::kDirectory);
    }
  }
  if (news.facts_grew) {
    for (const auto& [region, supplier] : pool->fact_suppliers) MarkReady(region, id, Topic::kFacts);
  }
}

void Machine::LoadPool(const PoolId& id, Instant now) {
  const auto snapshot = store_.MakeSnapshot();
  const auto head = snapshot->Head(id);
  const auto stored = snapshot->Get(RoleKey(id));
  if (!head || !stored) {
    log::Error("replication: pool {} cannot be read", id.value());
    return;
  }
  Pool& pool = pools_[id];
  const std::optional<pb::RoleRecord> before = std::exchange(pool.role, std::nullopt);
  pool.head = *head;
  if (*stored) pool.role = ParseRole(**stored);
  if (*stored && !pool.role) log::Error("replication: the role record of pool {} is not readable", id.value());
  OnRoles(id, pool, before, now);
  ForgetPoolIfGone(id);
}

void Machine::ForgetPoolIfGone(const PoolId& id) {
  const auto found = pools_.find(id);
  if (found == pools_.end()) return;
  const Pool& pool = found->second;
  if (!pool.head && !pool.consumer && pool.merges_under_way == 0 && !pool.dropping_deleted) pools_.erase(found);
}

bool Machine::IsPrimary(const Pool& pool) const { return pool.role && pool.role->primary() == own_.value(); }

bool Machine::Shares(const Pool& pool, const Region& region) {
  if (!pool.role) return false;
  const Role role = RoleOf(*pool.role, region);
  return role.kind == Role::Kind::kPrimary || (role.kind == Role::Kind::kSecondary && role.state != pb::DELETING);
}

void Machine::OnRoles(const PoolId& id, Pool& pool, const std::optional<pb::RoleRecord>& before, Instant now) {
  for (auto& [region, supplier] : pool.suppliers) {
    if (IsPrimary(pool) && FindMember(*pool.role, region) != nullptr) continue;
    supplier->OnRoleLost();
    MarkReady(region, id, Topic::kDirectory);
  }
  for (auto& [region, peer] : peers_) {
    const bool was = before && RoleOf(*before, region).kind != Role::Kind::kNone;
    const bool is = pool.role && RoleOf(*pool.role, region).kind != Role::Kind::kNone;
    if (was || is) Announce(id, pool, peer);
    MarkReady(region, id, Topic::kFacts);
    const pb::Member* member = pool.role ? FindMember(*pool.role, region) : nullptr;
    if (member == nullptr || member->state() != pb::CREATING) {
      pool.facts_at_copy.erase(region);
      pool.mark_copied_at.erase(region);
    }
    MaybeMarkCopied(id, pool, region, now);
  }
  MaybeDropDeleted(id, pool);
  if (pool.role) {
    const pb::Member* self = FindMember(*pool.role, own_);
    if (self != nullptr && self->state() == pb::DELETING) {
      return Drop(id, pool, self->number(), Region(pool.role->primary()), now);
    }
  }
  UpdateFactPulls(id, pool);
  UpdateConsumer(id, pool, now);
}

pb::PoolState Machine::StateFor(const PoolId& id, const Pool& pool, const Region& peer) const {
  pb::PoolState state;
  state.set_pool(id.value());
  if (pool.head) *state.mutable_head() = *pool.head;
  if (!pool.role) return state;
  state.set_primary(pool.role->primary());
  if (const pb::Member* member = FindMember(*pool.role, peer)) {
    *state.mutable_receiver() = *member;
    state.mutable_receiver()->clear_regional_seed();
  }
  return state;
}

void Machine::Announce(const PoolId& id, const Pool& pool, Peer& peer) {
  if (!peer.accepted || !peer.accepted->greeted()) return;
  pb::Frame frame;
  *frame.mutable_pools()->add_pools() = StateFor(id, pool, peer.region);
  peer.accepted->Push(std::move(frame));
}

// ---- as consumer ----

void Machine::OnPoolState(Peer& peer, pb::PoolState state, Instant now) {
  if (!ValidPool(state.pool())) return;
  const PoolId id(state.pool());
  const bool by_primary = state.primary() == peer.region.value();
  const bool member = state.has_receiver();
  const bool goes = by_primary && member && state.receiver().state() == pb::DELETING;
  const std::uint64_t member_number = state.receiver().number();
  if (state.has_head() || member) {
    peer.heard[id] = std::move(state);
  } else {
    peer.heard.erase(id);
  }
  Pool* pool = FindPool(id);
  if (goes) return Drop(id, pools_[id], member_number, peer.region, now);
  if (pool == nullptr && by_primary && member) pool = &pools_[id];
  if (pool == nullptr) return;
  UpdateFactPulls(id, *pool);
  UpdateConsumer(id, *pool, now);
}

void Machine::UpdateConsumer(const PoolId& id, Pool& pool, Instant now) {
  std::optional<Region> wanted;
  if (pool.role) {
    const Role role = RoleOf(*pool.role, own_);
    if (role.kind == Role::Kind::kSecondary && role.state != pb::DELETING) wanted = Region(pool.role->primary());
  } else if (!pool.head) {
    for (const auto& [region, peer] : peers_) {
      const auto heard = peer.heard.find(id);
      if (heard == peer.heard.end() || heard->second.primary() != region.value()) continue;
      if (heard->second.has_receiver() && heard->second.receiver().state() != pb::DELETING) wanted = region;
    }
  }
  if (pool.consumer && (!wanted || pool.consumer_peer != *wanted)) pool.consumer->OnDisconnected();
  if (!wanted || pool.drop_as_member) return;
  if (!pool.consumer) pool.consumer = std::make_unique<Consumer>(store_, random_, id, options_, counters_);
  pool.consumer_peer = *wanted;
  const auto peer = peers_.find(*wanted);
  if (peer == peers_.end() || !peer->second.dialled || !peer->second.dialled->greeted()) return;
  if (!pool.consumer->connected()) CarryOut(id, pool, pool.consumer->OnConnected(now), now);
}

void Machine::Drop(const PoolId& id, Pool& pool, std::uint64_t member_number, const Region& peer, Instant now) {
  // Only the pool's own primary can send its replica away.
  if (pool.role && pool.role->primary() != peer.value()) {
    log::Error("replication: {} asks to drop pool {}, whose primary is {}: ignored", peer.value(), id.value(),
               pool.role->primary());
    return;
  }
  if (!pool.consumer) pool.consumer = std::make_unique<Consumer>(store_, random_, id, options_, counters_);
  pool.consumer_peer = peer;
  pool.fact_pulls.clear();
  pool.drop_as_member = member_number;
  ProceedWithDrop(id, pool, now);
}

void Machine::ProceedWithDrop(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.drop_as_member || pool.merges_under_way > 0 || pool.consumer->state() == Consumer::State::kDropping) return;
  // A fact that was accepted here may be nowhere else yet; the store checks it again when it drops the pool.
  if (const auto at_primary = FactsAtPrimary(id, pool)) {
    const auto here = store_.MakeSnapshot()->Facts(id);
    if (!here || !storage::Covers(*at_primary, *here)) return;
  }
  CarryOut(id, pool, pool.consumer->Drop(*pool.drop_as_member, now), now);
}

std::optional<storage::pb::FactVector> Machine::FactsAtPrimary(const PoolId& id, const Pool& pool) const {
  if (!pool.head || !pool.role) return std::nullopt;
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
      host_.RunBlocking(
          [this, id, begun = std::move(*begin)] { return store_.BeginStaging(id, begun.head, begun.history); }, done);
    } else if (auto* write = std::get_if<WriteStaging>(&*step.call)) {
      host_.RunBlocking([this, id, records = std::move(write->records)] { return store_.WriteStaging(id, records); },
                        done);
    } else if (std::holds_alternative<FlipStaging>(*step.call)) {
      host_.RunBlocking([this, id] { return store_.FlipStaging(id); }, done);
    } else {
      host_.RunBlocking(
          [this, id, at_primary = FactsAtPrimary(id, pool)] {
            return store_.DropPool(id, at_primary ? &*at_primary : nullptr);
          },
          done);
    }
  }
  if (pool.consumer->state() == Consumer::State::kDropped) {
    pool.consumer.reset();
    pool.drop_as_member.reset();
    // The Region may have been taken in again meanwhile.
    UpdateConsumer(id, pool, now);
    ForgetPoolIfGone(id);
    return;
  }
  if (const std::optional<std::uint64_t> member_number = pool.consumer->TakeToldToDrop()) {
    Drop(id, pool, *member_number, pool.consumer_peer, now);
  }
}

void Machine::OnConsumerCallDone(const PoolId& id, storage::StoreResult<std::optional<storage::pb::Head>> result,
                                 Instant now) {
  // A consumer with a call under way is never destroyed.
  Pool* pool = FindPool(id);
  SYMBOLON_CHECK(pool != nullptr && pool->consumer);
  CarryOut(id, *pool, pool->consumer->OnCallDone(std::move(result), now), now);
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
      pull = {peer.dialled->link(), std::make_unique<FactConsumer>(store_, id, options_)};
      CarryOut(id, pool, peer, pull.consumer->Start());
    }
  }
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
                     if (result) counters_.facts_merged += count;
                     const auto pull = merged->fact_pulls.find(region);
                     if (pull != merged->fact_pulls.end() && pull->second.link == link) {
                       CarryOut(id, *merged, peers_.at(region), pull->second.consumer->OnMerged(result, now));
                     }
                     if (merged->merges_under_way > 0) return;
                     if (merged->drop_as_member) return ProceedWithDrop(id, *merged, now);
                     ForgetPoolIfGone(id);
                   });
}

// ---- as supplier ----

void Machine::MarkReady(const Region& peer, const PoolId& id, Topic topic) {
  const auto found = peers_.find(peer);
  if (found != peers_.end() && found->second.accepted) found->second.accepted->MarkReady({id, topic});
}

void Machine::OnOpen(Peer& peer, const pb::Open& open, Instant now) {
  const PoolId id(open.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->head) {
    pb::Frame frame;
    pb::Outcome& outcome = *frame.mutable_outcome();
    outcome.set_pool(open.pool());
    outcome.set_stream(open.stream());
    outcome.set_refused(pb::UNKNOWN_POOL);
    peer.accepted->Push(std::move(frame));
    return;
  }
  std::unique_ptr<Supplier>& supplier = pool->suppliers[peer.region];
  if (!supplier) supplier = std::make_unique<Supplier>(store_, id, options_, peer.window, counters_);
  const pb::Member* member = pool->role ? FindMember(*pool->role, peer.region) : nullptr;
  const Region hint(pool->role ? pool->role->primary() : std::string());
  supplier->OnOpen(open, member, hint, pinned_copies() < static_cast<int>(options_.copies_max), now);
  MarkReady(peer.region, id, Topic::kDirectory);
  MaybeMarkCopied(id, *pool, peer.region, now);
}

void Machine::OnFactsHave(Peer& peer, const pb::FactsHave& have, Instant now) {
  const PoolId id(have.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->head) return;
  std::unique_ptr<FactSupplier>& supplier = pool->fact_suppliers[peer.region];
  if (!supplier) {
    supplier = std::make_unique<FactSupplier>(store_, id, peer.region, options_, peer.window, counters_);
  }
  supplier->OnHave(have);
  MarkReady(peer.region, id, Topic::kFacts);
  MaybeMarkCopied(id, *pool, peer.region, now);
  ProceedWithDrop(id, *pool, now);
}

std::optional<pb::Frame> Machine::NextOf(Peer& peer, const Session::Ready& ready, Instant now) {
  Pool* pool = FindPool(ready.pool);
  if (pool == nullptr) return std::nullopt;
  if (ready.topic == Topic::kDirectory) {
    const auto supplier = pool->suppliers.find(peer.region);
    return supplier == pool->suppliers.end() ? std::nullopt : supplier->second->Next(now);
  }
  const auto supplier = pool->fact_suppliers.find(peer.region);
  if (supplier == pool->fact_suppliers.end() || !Shares(*pool, peer.region)) return std::nullopt;
  return supplier->second->Next();
}

void Machine::OnDropped(Peer& peer, const pb::Dropped& dropped, Instant now) {
  const PoolId id(dropped.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr || !IsPrimary(*pool)) return;
  pool->leavers[peer.region] = {.member_number = dropped.member_number(), .remove_at = now.since_boot};
  RemoveLeavers(id, *pool, now);
}

void Machine::RemoveLeavers(const PoolId& id, Pool& pool, Instant now) {
  if (pool.leavers.empty() || !IsPrimary(pool)) return;
  std::erase_if(pool.leavers, [&](const auto& leaver) {
    const pb::Member* member = FindMember(*pool.role, leaver.first);
    // Done; or an echo of an earlier membership.
    return member == nullptr || member->number() != leaver.second.member_number || member->state() != pb::DELETING;
  });
  for (auto& [region, leaver] : pool.leavers) {
    if (now.since_boot < leaver.remove_at) continue;
    // Tried again, should it fail: the member says it once.
    leaver.remove_at = now.since_boot + options_.heartbeat_interval;
    ChangeRole(
        id,
        [region, number = leaver.member_number](pb::RoleRecord record) -> RoleResult<pb::RoleRecord> {
          const pb::Member* member = FindMember(record, region);
          if (member == nullptr || member->number() != number || member->state() != pb::DELETING) return record;
          return RemoveMember(std::move(record), region);
        },
        [id](ControlResult<void> result) {
          if (result) return;
          log::Warning("replication: pool {}: a member that left stays listed: {}", id.value(), result.error().detail);
        });
  }
}

void Machine::MaybeMarkCopied(const PoolId& id, Pool& pool, const Region& region, Instant now) {
  if (!IsPrimary(pool)) return;
  const pb::Member* member = FindMember(*pool.role, region);
  if (member == nullptr || member->state() != pb::CREATING) return;
  const auto supplier = pool.suppliers.find(region);
  const auto facts = pool.fact_suppliers.find(region);
  if (supplier == pool.suppliers.end() || !supplier->second->following() || facts == pool.fact_suppliers.end()) return;
  if (!pool.facts_at_copy.contains(region)) {
    auto vector = store_.MakeSnapshot()->Facts(id);
    if (!vector) return;
    pool.facts_at_copy[region] = *std::move(vector);
  }
  // A replica that lacks revocations must not be made active.
  if (!storage::Covers(facts->second->acknowledged(), pool.facts_at_copy[region])) return;
  if (now.since_boot < pool.mark_copied_at[region]) return;
  pool.mark_copied_at[region] = now.since_boot + options_.heartbeat_interval;
  ChangeRole(
      id,
      [region, number = member->number()](pb::RoleRecord record) -> RoleResult<pb::RoleRecord> {
        const pb::Member* copied = FindMember(record, region);
        if (copied == nullptr || copied->number() != number) return record;
        return MarkCopied(std::move(record), region);
      },
      [id](ControlResult<void> result) {
        if (!result)
          log::Warning("replication: pool {}: the end of a copy is not recorded: {}", id.value(),
                       result.error().detail);
      });
}

void Machine::MaybeDropDeleted(const PoolId& id, Pool& pool) {
  if (!IsPrimary(pool) || !pool.role->deleted() || pool.role->members_size() > 0) return;
  if (pool.dropping_deleted || pool.merges_under_way > 0) return;
  pool.dropping_deleted = true;
  pool.fact_pulls.clear();
  host_.RunBlocking([this, id] { return store_.DropPool(id); },
                    [this, id](storage::StoreResult<void> result, Instant) {
                      if (!result)
                        log::Error("replication: pool {} cannot be dropped: {}", id.value(), result.error().detail);
                      if (Pool* dropped = FindPool(id)) dropped->dropping_deleted = false;
                      ForgetPoolIfGone(id);
                    });
}

int Machine::pinned_copies() const {
  int count = 0;
  for (const auto& [id, pool] : pools_) {
    for (const auto& [region, supplier] : pool.suppliers) count += supplier->pinned() ? 1 : 0;
  }
  return count;
}

// ---- roles ----

void Machine::ProposeMemberState(const Region& from, const PoolId& id, const Region& region, pb::MemberState state,
                                 ControlDone<void> done) {
  Pool* pool = FindPool(id);
  if (pool == nullptr || !pool->role) return done(Err(ControlError{ControlErrorCode::kNotMember, "unknown pool"}));
  if (!IsPrimary(*pool)) return done(Err(ControlError{ControlErrorCode::kNotPrimary, pool->role->primary()}));
  if (from != own_ && FindMember(*pool->role, from) == nullptr) {
    return done(Err(ControlError{ControlErrorCode::kNotMember, "the caller is no member"}));
  }
  ChangeRole(
      id, [region, state](pb::RoleRecord record) { return SetMemberState(std::move(record), region, state); },
      std::move(done));
}

void Machine::ChangeRole(const PoolId& id, RoleChange change, ControlDone<void> done, int attempt) {
  const auto snapshot = store_.MakeSnapshot();
  const auto stored = snapshot->Get(RoleKey(id));
  const auto record = stored && *stored ? ParseRole(**stored) : std::nullopt;
  if (!record) return done(Err(ControlError{ControlErrorCode::kUnavailable, "no role record"}));
  if (record->primary() != own_.value())
    return done(Err(ControlError{ControlErrorCode::kNotPrimary, record->primary()}));
  auto changed = change(*record);
  if (!changed) return done(Err(ControlErrorOf(changed.error())));
  Bytes value = SerializeRole(*changed);
  if (value == SerializeRole(*record)) return done({});

  storage::Commit commit;
  commit.pool = id;
  commit.snapshot_version = snapshot->version();
  commit.reads.push_back(RoleKey(id));
  commit.directory.push_back({RoleKey(id), std::move(value)});
  host_.Submit(std::move(commit), [this, id, change = std::move(change), done = std::move(done), attempt](
                                      storage::StoreResult<storage::Committed> result, Instant) mutable {
    if (result) return done({});
    if (result.error().code == storage::StoreErrorCode::kConflict && attempt < options_.role_change_attempts_max) {
      return ChangeRole(id, std::move(change), std::move(done), attempt + 1);
    }
    done(Err(ControlError{ControlErrorCode::kUnavailable, std::move(result).error().detail}));
  });
}

// ---- time ----

void Machine::TickPool(const PoolId& id, Pool& pool, Instant now) {
  for (auto& [region, supplier] : pool.suppliers) {
    supplier->OnTick(now);
    if (supplier->has_answer()) MarkReady(region, id, Topic::kDirectory);
    MaybeMarkCopied(id, pool, region, now);
  }
  for (auto& [region, pull] : pool.fact_pulls) CarryOut(id, pool, peers_.at(region), pull.consumer->OnTick(now));
  RemoveLeavers(id, pool, now);
  MaybeDropDeleted(id, pool);
  ProceedWithDrop(id, pool, now);
  if (pool.consumer) CarryOut(id, pool, pool.consumer->OnTick(now), now);
}

void Machine::Trim(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.head) return;
  const std::uint64_t head = pool.head->sequence();
  const auto reaching_back = [head](std::uint64_t entries) { return head >= entries ? head - entries + 1 : 1; };
  std::uint64_t first_kept = reaching_back(options_.kept_entries_min);
  if (IsPrimary(pool)) {
    for (const pb::Member& member : pool.role->members()) {
      if (member.state() == pb::DELETING) continue;
      const auto found = pool.suppliers.find(Region(member.region()));
      if (found == pool.suppliers.end() || !found->second->heard()) {
        // Nobody knows yet what it has. A copy that has not begun needs no entries.
        if (member.state() != pb::CREATING) first_kept = 1;
        continue;
      }
      found->second->LagTime(*pool.head, now.wall);  // remembered past the trimming
      const std::optional<std::uint64_t> needed = found->second->needed_from();
      if (!needed) continue;
      const auto reachable = store_.DigestAt(id, *needed - 1);
      if (!reachable || *reachable) first_kept = std::min(first_kept, *needed);
    }
  }
  first_kept = std::max(first_kept, reaching_back(options_.kept_entries_max));
  // What was trimmed before is not asked for again.
  if (first_kept <= std::max<std::uint64_t>(pool.trimmed_to, 1)) return;
  pool.trimmed_to = first_kept;
  host_.RunBlocking([this, id, first_kept] { return store_.TrimLog(id, first_kept); },
                    [this, id, first_kept](storage::StoreResult<void> result, Instant) {
                      Pool* trimmed = FindPool(id);
                      if (trimmed == nullptr) return;
                      if (!result) {
                        log::Warning("replication: the log of pool {} is not trimmed: {}", id.value(),
                                     result.error().detail);
                        trimmed->trimmed_to = 0;
                        return;
                      }
                      for (auto& [region, supplier] : trimmed->suppliers) {
                        supplier->OnTrimmed(first_kept);
                        MarkReady(region, id, Topic::kDirectory);
                      }
                    });
}

}  // namespace symbolon::replication
