// Pools: what the store tells of them, what peers are told of them, and what time asks for.
#include <algorithm>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"

namespace symbolon::replication {

Machine::Pool* Machine::FindPool(const PoolId& id) {
  const auto found = pools_.find(id);
  return found == pools_.end() ? nullptr : &found->second;
}

Machine::Pool& Machine::FindOrAddPool(const PoolId& id) {
  const auto [found, added] = pools_.try_emplace(id);
  if (!added) return found->second;
  LoadSignatures(id, found->second);
  auto promised = store_.MakeSnapshot()->Promised(id);
  if (promised) {
    found->second.promised = *std::move(promised);
  } else {
    log::Error("replication: what was promised of pool {} cannot be read: {}", id.value(), promised.error().detail);
  }
  return found->second;
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
    NoteHead(*pool, now);
    position_gate_.OnHead(id, *news.head);
    for (auto& [region, supplier] : pool->suppliers) {
      supplier->OnHead(*news.head);
      MarkReady(region, id, Topic::kDirectory);
    }
    ProceedWithTakeover(id, *pool, now);
  }
  if (news.facts_grew || news.roles) pool->facts_here.reset();
  if (news.facts_grew) {
    for (const auto& [region, supplier] : pool->fact_suppliers) MarkReady(region, id, Topic::kFacts);
  }
}

void Machine::LoadPool(const PoolId& id, Instant now) {
  const auto snapshot = store_.MakeSnapshot();
  const auto head = snapshot->Head(id);
  const auto stored = snapshot->Get(RoleKey(id));
  auto promised = snapshot->Promised(id);
  if (!head || !stored || !promised) {
    log::Error("replication: pool {} cannot be read", id.value());
    return;
  }
  const auto [found, added] = pools_.try_emplace(id);
  Pool& pool = found->second;
  if (added) LoadSignatures(id, pool);
  const std::optional<pb::RoleRecord> before = std::exchange(pool.role, std::nullopt);
  pool.head = *head;
  NoteHead(pool, now);
  pool.promised = *std::move(promised);
  if (*stored) pool.role = ParseRole(**stored);
  if (*stored && !pool.role) log::Error("replication: the role record of pool {} is not readable", id.value());
  UpdateDurability(id, pool, now);
  if (starting_) BeginAdmission(id, pool, "starts again", now);
  OnRoles(id, pool, before, now);
  ForgetPoolIfGone(id);
}

void Machine::ForgetPoolIfGone(const PoolId& id) {
  const auto found = pools_.find(id);
  if (found == pools_.end()) return;
  const Pool& pool = found->second;
  // A copy that nobody offers any more begins again where it was.
  const bool of_no_use = pool.consumer && pool.consumer->state() == Consumer::State::kIdle && !pool.consumer->busy() &&
                         !pool.drop_as_member && !IsNamed(id);
  if (pool.head || (pool.consumer && !of_no_use) || pool.merges_under_way > 0 || pool.dropping_deleted ||
      !pool.promises.empty() || pool.handing_over || pool.awaiting || pool.taking_over || pool.starting_epoch) {
    return;
  }
  lease_.Forget(id);
  gate_.Forget(id);
  durability_gate_.Forget(id);
  pools_.erase(found);
}

bool Machine::IsPrimary(const Pool& pool) const { return pool.role && pool.role->primary() == own_.value(); }

bool Machine::Shares(const Pool& pool, const Region& region) {
  if (!pool.role) return false;
  const Role role = RoleOf(*pool.role, region);
  return role.kind == Role::Kind::kPrimary || (role.kind == Role::Kind::kSecondary && role.state != pb::DELETING);
}

void Machine::OnRoles(const PoolId& id, Pool& pool, const std::optional<pb::RoleRecord>& before, Instant now) {
  for (auto& [region, supplier] : pool.suppliers) {
    if (Supplies(pool) && pool.role && FindMember(*pool.role, region) != nullptr) continue;
    supplier->OnRoleLost();
    MarkReady(region, id, Topic::kDirectory);
  }
  for (auto& [region, peer] : peers_) {
    const bool was = before && RoleOf(*before, region).kind != Role::Kind::kNone;
    if (was || Concerns(id, pool, peer)) Announce(id, pool, peer);
    MarkReady(region, id, Topic::kFacts);
    if (!pool.role || RoleOf(*pool.role, region).kind == Role::Kind::kNone) pool.facts_told.erase(region);
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
      return Drop(id, pool, self->number(), LeaderOf(id, pool).value_or(Region()), now);
    }
  }
  const bool was_handed_over = before && before->primary().empty() && before->has_next();
  if (was_handed_over && pool.role && !pool.role->primary().empty() && !IsPrimary(pool)) {
    log::Info("replication: pool {}: {} is primary, in epoch {}", id.value(), pool.role->primary(),
              pool.role->epoch_counter());
  }
  UpdateRight(id, pool, now);
  UpdateGate(id, pool);
  // What it was told before it led.
  for (const auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (heard != peer.heard.end()) Hear(id, region, heard->second.standing(), now);
  }
  UpdateFactPulls(id, pool);
  UpdateConsumer(id, pool, now);
  MaybeAcceptHandover(id, pool, now);
  ProceedWithHandover(id, pool, now);
}

pb::PoolState Machine::StateFor(const PoolId& id, const Pool& pool, const Region& peer) const {
  pb::PoolState state;
  state.set_pool(id.value());
  if (pool.head) *state.mutable_head() = *pool.head;
  *state.mutable_standing() = StandingOf(pool);
  if (const auto signed_head = pool.signed_heads.find(peer); signed_head != pool.signed_heads.end()) {
    *state.mutable_signed_head() = signed_head->second;
  }
  if (!pool.role) return state;
  state.set_primary(pool.role->primary());
  if (const pb::Member* member = FindMember(*pool.role, peer)) *state.mutable_receiver() = *member;
  return state;
}

void Machine::Announce(const PoolId& id, const Pool& pool, Peer& peer) {
  if (!peer.accepted || !peer.accepted->greeted()) return;
  pb::Frame frame;
  *frame.mutable_pools()->add_pools() = StateFor(id, pool, peer.region);
  peer.accepted->Push(std::move(frame));
}

bool Machine::Concerns(const PoolId& id, const Pool& pool, const Peer& peer) const {
  if (pool.role && RoleOf(*pool.role, peer.region).kind != Role::Kind::kNone) return true;
  const auto heard = peer.heard.find(id);
  return heard != peer.heard.end() && heard->second.primary() == peer.region.value();
}

// ---- time ----

void Machine::NoteHead(Pool& pool, Instant now) {
  if (pool.head) pool.head_times.Note(pool.head->sequence(), now);
}

void Machine::ForgetHeadTimes(Pool& pool) const {
  if (!pool.head || pool.head_times.empty()) return;
  std::uint64_t acknowledged = pool.head->sequence();
  if (Supplies(pool) && pool.role) {
    for (const pb::Member& member : pool.role->members()) {
      if (member.region() == own_.value()) continue;
      const auto found = pool.suppliers.find(Region(member.region()));
      const bool told = found != pool.suppliers.end() && found->second->acknowledged();
      acknowledged = std::min(acknowledged, told ? found->second->acknowledged()->sequence() : 0);
    }
  }
  pool.head_times.ForgetThrough(acknowledged);
}

void Machine::TickPool(const PoolId& id, Pool& pool, Instant now) {
  UpdateDurability(id, pool, now);
  ForgetHeadTimes(pool);
  for (auto& [region, supplier] : pool.suppliers) {
    supplier->OnTick(now);
    // A copy that keeps its pace has given up its turn.
    if (supplier->has_answer() || supplier->pinned()) MarkReady(region, id, Topic::kDirectory);
    MaybeMarkCopied(id, pool, region, now);
  }
  for (auto& [region, pull] : pool.fact_pulls) CarryOut(id, pool, peers_.at(region), pull.consumer->OnTick(now));
  UpdateAdmission(id, pool, now);
  UpdateRight(id, pool, now);
  MaybeEndTenure(id, pool, now);
  MaybeAcceptHandover(id, pool, now);
  ProceedWithPromises(id, now);
  ProceedWithHandover(id, pool, now);
  ProceedWithTakeover(id, pool, now);
  MaybeTakeOverAlone(id, pool, now);
  RemoveLeavers(id, pool, now);
  if (std::erase_if(pool.unproven, [&](const auto& known) { return now.since_boot >= known.second; }) > 0) {
    UpdateConsumer(id, pool, now);
  }
  PinKeys(id, pool, now);
  KeepSignatures(id, pool, now);
  MaybeDropDeleted(id, pool);
  ProceedWithDrop(id, pool, now);
  if (pool.consumer) CarryOut(id, pool, pool.consumer->OnTick(now), now);
}

std::uint64_t Machine::KeptEntriesMax(const PoolId& id) const {
  const auto size = store_.MeasureLog(id);
  if (!size) {
    log::Warning("replication: the log of pool {} cannot be measured: {}", id.value(), size.error().detail);
    return options_.kept_entries_max;
  }
  if (size->bytes <= options_.kept_bytes_max) return options_.kept_entries_max;
  // As if all were equally large.
  const double share = static_cast<double>(options_.kept_bytes_max) / static_cast<double>(size->bytes);
  return std::min(options_.kept_entries_max, static_cast<std::uint64_t>(share * static_cast<double>(size->entries)));
}

void Machine::Trim(const PoolId& id, Pool& pool, Instant now) {
  if (!pool.head) return;
  // What a fenced Region has may have to be set aside.
  if (OwnsEpoch(pool) && !Supplies(pool)) return;
  const std::uint64_t head = pool.head->sequence();
  const auto reaching_back = [head](std::uint64_t entries) { return head >= entries ? head - entries + 1 : 1; };
  std::uint64_t first_kept = reaching_back(options_.kept_entries_min);
  if (Supplies(pool) && pool.role) {
    for (const pb::Member& member : pool.role->members()) {
      if (member.state() == pb::DELETING || member.region() == own_.value()) continue;
      const auto found = pool.suppliers.find(Region(member.region()));
      if (found == pool.suppliers.end() || !found->second->heard()) {
        // Nobody knows yet what it has. A copy that has not begun needs no entries.
        if (member.state() != pb::CREATING) first_kept = 1;
        continue;
      }
      found->second->LagTime(*pool.head, pool.head_times, now);  // remembered past the trimming
      const std::optional<std::uint64_t> needed = found->second->needed_from();
      if (!needed) continue;
      const auto reachable = store_.DigestAt(id, *needed - 1);
      if (!reachable || *reachable) first_kept = std::min(first_kept, *needed);
    }
  }
  first_kept = std::max(first_kept, reaching_back(KeptEntriesMax(id)));
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
