// Pools: what the store tells of them, what peers are told of them, and what time asks for.
#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "replication/machine.h"

namespace symbolon::replication {

bool Machine::IsPoolName(const std::string& name) {
  return !name.empty() && name.size() <= storage::kNameBytesMax && name.find('\0') == std::string::npos;
}

bool Machine::FindPools(Instant now) {
  const auto snapshot = store_.MakeSnapshot();
  std::vector<PoolId> found;
  std::optional<PoolId> after;
  for (bool more = true; more;) {
    constexpr std::size_t kPage = 1'000;
    auto page = snapshot->Pools(after, kPage);
    if (!page) {
      if (!std::exchange(listing_failed_, true)) {
        log::Error("replication: pools cannot be listed, so nothing is admitted: {}", page.error().detail);
      }
      return false;
    }
    more = page->size() == kPage;
    if (more) after = page->back();
    std::ranges::move(*page, std::back_inserter(found));
  }
  if (listing_failed_) log::Info("replication: the pools are listed at last");
  listed_ = true;
  starting_ = true;
  for (const PoolId& pool : found) LoadPool(pool, now);
  starting_ = false;
  gate_.Open();
  trim_at_ = now.since_boot + options_.trim_interval;
  return true;
}

Machine::Pool* Machine::FindPool(const PoolId& id) {
  const auto found = pools_.find(id);
  return found == pools_.end() ? nullptr : &found->second;
}

Machine::Pool& Machine::FindOrAddPool(const PoolId& id, Instant now) {
  const auto [found, added] = pools_.try_emplace(id);
  if (added) ReadPool(id, found->second, now);
  return found->second;
}

// ---- news of the store ----

void Machine::OnNews(const News& news, Instant now) {
  // When they are listed they are read.
  if (!listed_) return;
  for (const auto& [id, of_pool] : news) OnPoolNews(id, of_pool, now);
}

void Machine::OnPoolNews(const PoolId& id, const PoolNews& news, Instant now) {
  Pool* pool = FindPool(id);
  if (news.roles || (pool == nullptr && news.head) || (pool != nullptr && pool->unread)) {
    LoadPool(id, now);
    pool = FindPool(id);
  }
  if (pool == nullptr) return;
  // A head alone does not say what else is here.
  if (pool->unread && !pool->head) return;
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
  const auto [found, added] = pools_.try_emplace(id);
  Pool& pool = found->second;
  pool.unread_since_start = pool.unread_since_start || starting_;
  const bool was_unread = pool.unread;
  const std::optional<pb::RoleRecord> before = pool.role;
  if (!ReadPool(id, pool, now)) return;
  UpdateDurability(id, pool, now);
  if (std::exchange(pool.unread_since_start, false)) BeginAdmission(id, pool, "starts again", now);
  OnRoles(id, pool, before, now);
  if (was_unread) OnReadAtLast(id, now);
  ForgetPoolIfGone(id);
}

bool Machine::ReadPool(const PoolId& id, Pool& pool, Instant now) {
  const auto snapshot = store_.MakeSnapshot();
  const auto head = snapshot->Head(id);
  const auto stored = snapshot->Get(RoleKey(id));
  auto promised = snapshot->Promised(id);
  auto signatures = LoadSignatures(id, pool);
  std::optional<pb::RoleRecord> role;
  if (stored && *stored) role = ParseRole(**stored);
  if (!head || !stored || !promised || !signatures || (*stored && !role)) {
    std::string why = "its role record is damaged";
    if (!head) why = head.error().detail;
    if (!stored) why = stored.error().detail;
    if (!promised) why = promised.error().detail;
    if (!signatures) why = signatures.error().detail;
    SetUnread(id, pool, why, now);
    return false;
  }
  if (std::exchange(pool.unread, false)) log::Info("replication: pool {} is read at last", id.value());
  pool.head = *head;
  NoteHead(pool, now);
  pool.promised = *std::move(promised);
  pool.role = std::move(role);
  return true;
}

void Machine::SetUnread(const PoolId& id, Pool& pool, std::string_view why, Instant now) {
  if (!std::exchange(pool.unread, true)) {
    log::Error("replication: pool {} cannot be read, so nothing of it is admitted or answered: {}", id.value(), why);
  }
  UpdateRight(id, pool, now);
  UpdateGate(id, pool);
  UpdateConsumer(id, pool, now);
}

void Machine::OnReadAtLast(const PoolId& id, Instant now) {
  if (Pool* pool = FindPool(id); pool != nullptr && pool->head) {
    position_gate_.OnHead(id, *pool->head);
    for (auto& [region, supplier] : pool->suppliers) {
      supplier->OnHead(*pool->head);
      MarkReady(region, id, Topic::kDirectory);
    }
  }
  for (auto& [region, peer] : peers_) {
    const auto heard = peer.heard.find(id);
    if (heard != peer.heard.end()) ConsiderHeard(peer, id, pb::PoolState(heard->second), now);
  }
  Pool* pool = FindPool(id);
  if (pool == nullptr) return;
  for (const auto& [region, asked] : std::exchange(pool->promises_asked_for, {})) {
    Peer& asker = peers_.at(region);
    if (asker.accepted && now.since_boot < asked.until) OnPromiseRequest(asker, asked.request, now);
  }
}

ControlError Machine::WhyUnknown(const PoolId& id) const {
  const auto found = pools_.find(id);
  if (listed_ && (found == pools_.end() || !found->second.unread)) {
    return {ControlErrorCode::kNotMember, "unknown pool"};
  }
  return {ControlErrorCode::kUnavailable, "the store of Region " + own_.value() + " cannot be read"};
}

void Machine::ForgetPoolIfGone(const PoolId& id) {
  const auto found = pools_.find(id);
  if (found == pools_.end()) return;
  const Pool& pool = found->second;
  // A copy that nobody offers any more begins again where it was.
  const bool of_no_use = pool.consumer && pool.consumer->state() == Consumer::State::kIdle && !pool.consumer->busy() &&
                         !pool.drop_as_member && !IsNamed(id);
  if (pool.unread || pool.head || (pool.consumer && !of_no_use) || pool.merges_under_way > 0 || pool.dropping_deleted ||
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
  if (pool.unread || !peer.accepted || !peer.accepted->greeted()) return;
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
  for (const auto& [region, supplier] : pool.fact_suppliers) {
    if (supplier->failed()) MarkReady(region, id, Topic::kFacts);
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
  if (std::exchange(pool.compares_again, false)) {
    for (const auto& [region, peer] : peers_) {
      const auto heard = peer.heard.find(id);
      if (heard != peer.heard.end()) HearSignature(id, pool, region, heard->second.signed_head());
    }
  }
  PinKeys(id, pool, now);
  KeepSignatures(id, pool, now);
  MaybeDropStaging(id, pool, now);
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
