// What an authority has to say in who is primary (replication protocol §4): which pools' registers name this Region,
// when it takes one and lets it go, and when it takes a pool over by itself.
//
// A Region admits writes of a pool while its lease stands and the pool's register names the epoch at the head of the
// pool's log as its own. Before an epoch is begun the register names it; so whoever finds a higher epoch there than in
// its log steps down.
#include <algorithm>

#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"
#include "storage/plausible_epochs.h"

namespace symbolon::replication {
namespace {

storage::pb::Position PositionOf(const storage::pb::Head& head) {
  storage::pb::Position position;
  *position.mutable_epoch() = head.epoch();
  position.set_sequence(head.sequence());
  return position;
}

bool IsInSync(const pb::Register& value, const Region& region, const Bytes& incarnation) {
  return std::ranges::any_of(value.in_sync(), [&](const pb::InSyncMember& member) {
    return member.region() == region.value() && member.incarnation() == incarnation;
  });
}

}  // namespace

void Machine::OnRegister(const PoolId& id, Instant now) {
  if (Pool* pool = FindPool(id)) UpdateRight(id, *pool, now);
  if (Pool* pool = FindPool(id)) MaybeAcceptHandover(id, *pool, now);
  if (Pool* pool = FindPool(id)) ProceedWithTakeover(id, *pool, now);
}

void Machine::OnLease(Instant now) {
  std::vector<PoolId> ids;
  for (const auto& [id, pool] : pools_) ids.push_back(id);
  for (const PoolId& id : ids) OnRegister(id, now);
}

void Machine::UpdateRight(const PoolId& id, Pool& pool, Instant now) {
  if (!authority_) return;
  pool.right = false;
  if (!pool.unread && authority_->informed() && pool.role && pool.head) {
    const Authority::Known& known = authority_->Find(id);
    const bool leads = IsPrimary(pool) && Supplies(pool);
    pool.right = leads && !known.value.released() && storage::SameEpoch(known.value.epoch(), pool.head->epoch());
    if (pool.right) {
      // Nobody else can have become primary.
      pool.admission.reset();
      authority_->Admit(id, pool.head->epoch().counter());
    } else {
      FollowRegister(id, pool, known, leads, now);
    }
  }
  if (!pool.right) authority_->Deny(id);
  UpdateGate(id, pool);
}

void Machine::FollowRegister(const PoolId& id, Pool& pool, const Authority::Known& known, bool leads, Instant now) {
  if (authority_->swapping(id)) return;
  const storage::pb::Epoch& registered = known.value.epoch();
  const bool own = authority_->IsOwn(known.value);
  if (!own && LeadsByRecord(pool)) {
    const storage::pb::Epoch mine =
        IsPrimary(pool) ? pool.head->epoch() : MakeEpoch(pool.role->next().counter(), own_, store_.incarnation());
    if (!storage::IsPlausible(registered, mine.counter())) return;
    if (storage::CompareEpochs(registered, mine) > 0) return StepDown(id, pool, registered, "the authority", now);
  }
  // A register that is behind was made by nobody yet, or while no authority was asked.
  const bool behind = storage::CompareEpochs(registered, pool.head->epoch()) <= 0;
  if (leads && behind) {
    if (!pool.admission && pool.promises.empty() && authority_->IsFree(known)) Register(id, pool, pool.head->epoch());
    return;
  }
  if (own && !known.value.released() && MayRelease(id, pool, registered)) {
    pb::Register value = known.value;
    value.set_released(true);
    // A person hands the pool over, or it was not led at all.
    value.clear_tenure_seconds();
    // One that fails is tried again when the registers have been read.
    authority_->Swap(id, std::move(value), [](Authority::Swapped, Instant) {});
  }
}

bool Machine::MayRelease(const PoolId& id, const Pool& pool, const storage::pb::Epoch& registered) const {
  if (pool.taking_over || pool.starting_epoch || !pool.promises.empty()) return false;
  // News of the newest may be on their way.
  const auto snapshot = store_.MakeSnapshot();
  const auto head = snapshot->Head(id);
  const auto stored = snapshot->Get(RoleKey(id));
  if (!head || !stored) return false;
  if (!*head || !*stored) return true;
  const auto role = ParseRole(**stored);
  if (!role) return false;
  if (pool.promised && storage::CompareEpochs(*pool.promised, registered) > 0) return true;
  const bool leads = role->primary() == own_.value() && storage::SameEpoch((*head)->epoch(), registered);
  const bool begins = role->primary().empty() && role->next().region() == own_.value() &&
                      role->next().counter() == registered.counter();
  return !leads && !begins;
}

void Machine::Register(const PoolId& id, const Pool& pool, const storage::pb::Epoch& epoch) {
  pb::Register value;
  *value.mutable_epoch() = epoch;
  // Who is asked for what was answered before; the epoch goes on with them until others have joined.
  const pb::Register& before = authority_->Find(id).value;
  value.set_sync(before.sync() || pool.role->durability() == pb::SYNC);
  if (before.sync()) *value.mutable_in_sync() = before.in_sync();
  if (pool.taking_over && pool.taking_over->decision) {
    value.set_tenure_seconds(static_cast<std::uint32_t>(authority_->options().automatic_promotion_tenure.count()));
  }
  authority_->Swap(id, std::move(value), [this, id](Authority::Swapped swapped, Instant now) {
    if (swapped == Authority::Swapped::kDone) OnRegister(id, now);
  });
}

bool Machine::MayBegin(const PoolId& id, Pool& pool, std::uint64_t counter) {
  if (!authority_) return true;
  if (!authority_->live()) return false;
  const Authority::Known& known = authority_->Find(id);
  const bool own = authority_->IsOwn(known.value);
  const std::uint64_t registered = known.value.epoch().counter();
  if (own && registered == counter && !known.value.released()) return true;
  if (authority_->swapping(id)) return false;
  const bool below = registered < counter || (own && registered == counter);
  if (below && authority_->IsFree(known)) {
    Register(id, pool, MakeEpoch(counter, own_, store_.incarnation()));
  } else {
    authority_->Hurry();
  }
  return false;
}

std::string Machine::WhyNotBegun(const PoolId& id) const {
  if (!authority_->live()) return "this Region has no lease of the authority: " + authority_->problem();
  const Authority::Known& known = authority_->Find(id);
  if (known.unreadable) return std::string(kUnreadableRegister);
  if (authority_->IsFree(known)) return "the authority's register of the pool changes";
  return "Region " + known.value.epoch().region() + " holds the authority's lease of the pool until at most " +
         std::to_string(authority_->options().lease.count()) + " s after it is gone";
}

void Machine::ProceedWithRegister(const PoolId& id, Pool& pool, Instant now) {
  Pool::TakingOver& taking = *pool.taking_over;
  if (taking.registered) return;
  // Its owner may have come back meanwhile, and have answered writes without this Region.
  const bool decided_on = !taking.decision || authority_->swapping(id) ||
                          authority_->IsOwn(authority_->Find(id).value) || *taking.decision == DecisionNow(id);
  if (!decided_on) {
    return EndTakeover(id, pool,
                       Err(ControlError{ControlErrorCode::kRefused,
                                        "the primary's lease or its register is not as it was when that was decided"}),
                       now);
  }
  if (MayBegin(id, pool, taking.takeover.epoch().counter())) {
    taking.registered = true;
    return PromiseToSelf(id, pool, now);
  }
  if (now.since_boot < taking.register_until) return;
  EndTakeover(id, pool, Err(ControlError{ControlErrorCode::kRefused, WhyNotBegun(id)}), now);
}

// ---- the in-sync set ----
//
// With SYNC durability every write that is answered is held by a member of the register's in-sync set, or was answered
// while the set was empty. Whoever takes over without a person's doing is in the set and hears all members but one: so
// it has all that was answered. The set is emptied before a write is answered without a member, and a member joins it
// when it has all that was so answered.

std::optional<std::set<Region>> Machine::InSync(const PoolId& id) const {
  if (!authority_) return std::nullopt;
  std::set<Region> in_sync;
  const pb::Register& value = authority_->Find(id).value;
  if (!value.sync()) return in_sync;
  for (const pb::InSyncMember& member : value.in_sync()) {
    // A store that came out of a backup has not what it acknowledged before.
    const auto peer = peers_.find(Region(member.region()));
    const bool another =
        peer != peers_.end() && !peer->second.incarnation.empty() && peer->second.incarnation != member.incarnation();
    if (!another) in_sync.emplace(member.region());
  }
  return in_sync;
}

bool Machine::MayFallBack(const PoolId& id, const Pool& pool) const {
  if (!authority_) return true;
  const pb::Register& value = authority_->Find(id).value;
  return value.sync() && value.in_sync().empty() && !authority_->swapping(id) && !pool.joining &&
         !pool.in_sync_uncertain;
}

void Machine::UpdateJoining(const PoolId& id, Pool& pool, const std::set<Region>& in_sync) {
  const auto acknowledged = [&](const Region& region) -> std::optional<std::uint64_t> {
    const pb::Member* member = FindMember(*pool.role, region);
    const auto supplier = pool.suppliers.find(region);
    if (member == nullptr || !CountsFor(pb::SYNC, *member) || supplier == pool.suppliers.end()) return std::nullopt;
    if (!supplier->second->following() || !supplier->second->acknowledged()) return std::nullopt;
    return supplier->second->acknowledged()->sequence();
  };
  if (pool.joining) {
    if (!acknowledged(pool.joining->region)) return pool.joining.reset();
    if (pool.joining->target) return;
    // The gate knows by now that nothing more may be answered without a secondary.
    const auto head = store_.MakeSnapshot()->Head(id);
    if (head && *head) pool.joining->target = (*head)->sequence();
    return;
  }
  for (const auto& [region, supplier] : pool.suppliers) {
    if (in_sync.contains(region) || acknowledged(region).value_or(0) < pool.head->sequence()) continue;
    pool.joining = Pool::Joining{region, std::nullopt};
    return;
  }
}

void Machine::ProceedWithInSync(const PoolId& id, Pool& pool, Instant) {
  // A pool that was dropped may not have been told so yet.
  if (!authority_ || !pool.right || !pool.role || !pool.head || authority_->swapping(id)) return;
  const pb::Register& known = authority_->Find(id).value;
  const std::set<Region> in_sync = *InSync(id);
  const bool sync = pool.role->durability() == pb::SYNC;
  std::map<Region, Bytes> recorded;
  for (const pb::InSyncMember& member : known.in_sync()) recorded[Region(member.region())] = member.incarnation();
  std::map<Region, Bytes> wanted;
  // Whom an older state of the cluster names may lack what was answered since.
  const bool older = pool.in_sync_as_of != authority_->setbacks();
  if (!sync || older || durability_gate_.WantsFallBack(id)) {
    pool.joining.reset();
  } else {
    for (const Region& region : in_sync) {
      const pb::Member* member = FindMember(*pool.role, region);
      if (member != nullptr && CountsFor(pb::SYNC, *member)) wanted[region] = recorded[region];
    }
    UpdateJoining(id, pool, in_sync);
    if (pool.joining && pool.joining->target &&
        pool.suppliers.at(pool.joining->region)->acknowledged()->sequence() >= *pool.joining->target) {
      wanted[pool.joining->region] = peers_.at(pool.joining->region).incarnation;
    }
  }
  const std::uint64_t as_of = authority_->setbacks();
  if (known.sync() == sync && wanted == recorded && !pool.in_sync_uncertain) {
    pool.in_sync_as_of = as_of;
    return;
  }
  pb::Register value = known;
  value.set_sync(sync);
  value.clear_in_sync();
  for (const auto& [region, incarnation] : wanted) {
    pb::InSyncMember& member = *value.add_in_sync();
    member.set_region(region.value());
    member.set_incarnation(incarnation);
  }
  authority_->Swap(id, std::move(value), [this, id, as_of](Authority::Swapped swapped, Instant now) {
    Pool* changed = FindPool(id);
    if (changed == nullptr) return;
    if (swapped == Authority::Swapped::kUnavailable) changed->in_sync_uncertain = true;
    if (swapped == Authority::Swapped::kDone) {
      changed->in_sync_uncertain = false;
      changed->in_sync_as_of = as_of;
    }
    if (changed->joining && InSync(id)->contains(changed->joining->region)) changed->joining.reset();
    UpdateDurability(id, *changed, now);
  });
}

// ---- by itself ----

void Machine::MaybeEndTenure(const PoolId& id, const Pool& pool, Instant now) {
  if (!authority_ || !authority_->live() || !pool.right || authority_->swapping(id)) return;
  const Authority::Known& known = authority_->Find(id);
  const auto tenure = Authority::TenureOf(known);
  if (!tenure || now.since_boot < tenure->ends_at) return;
  pb::Register value = known.value;
  value.clear_tenure_seconds();
  // One that fails is tried again.
  authority_->Swap(id, std::move(value), [](Authority::Swapped, Instant) {});
}

std::string Machine::WhyNotAlone(const Authority::Known& known, Instant now) const {
  const auto tenure = Authority::TenureOf(known);
  if (!tenure || now.since_boot >= tenure->ends_at) return "";
  const auto seconds = [](std::chrono::nanoseconds time) {
    return std::to_string(std::chrono::ceil<std::chrono::seconds>(time).count()) + " s";
  };
  return "Region " + known.value.epoch().region() + ", whose lease is gone, took the pool over by itself " +
         seconds(now.since_boot - tenure->seen_at) + " ago: for another " + seconds(tenure->ends_at - now.since_boot) +
         " no Region does so again, a person may promote one with Force";
}

bool Machine::IsNextInLine(const PoolId& id, const Pool& pool, const pb::Register& value, Instant now) const {
  const Takeover::Reachable reachable = ReachableNow(now);
  return std::ranges::none_of(pool.role->members(), [&](const pb::Member& member) {
    const auto peer = peers_.find(Region(member.region()));
    if (member.state() != pb::ACTIVE || peer == peers_.end() || !reachable.contains(peer->first)) return false;
    if (value.sync() && !IsInSync(value, peer->first, peer->second.incarnation)) return false;
    const auto heard = peer->second.heard.find(id);
    if (heard == peer->second.heard.end() || !heard->second.has_head()) return false;
    const int order = storage::ComparePositions(PositionOf(heard->second.head()), PositionOf(*pool.head));
    return order > 0 || (order == 0 && peer->first < own_);
  });
}

Machine::Pool::Decision Machine::DecisionNow(const PoolId& id) const {
  const Authority::Known& known = authority_->Find(id);
  return {.revision = known.revision, .gone_since = authority_->GoneSince(known)};
}

void Machine::MaybeTakeOverAlone(const PoolId& id, Pool& pool, Instant now) {
  if (!authority_ || !authority_->options().automatic_promotion || !authority_->live() || !authority_->InReach(now)) {
    return;
  }
  const pb::Member* self = pool.role && pool.head ? FindMember(*pool.role, own_) : nullptr;
  if (self == nullptr || self->state() != pb::ACTIVE || pool.role->deleted()) return;
  if (pool.taking_over || pool.starting_epoch || pool.drop_as_member || !pool.promises.empty()) return;
  const Authority::Known& known = authority_->Find(id);
  const auto gone_since = authority_->GoneSince(known);
  if (!gone_since) return;
  const bool own = authority_->IsOwn(known.value);
  if (own && !known.value.released()) return;
  // Whoever handed over has the register, released, until the next primary registers its epoch. That may be lost; then
  // nobody has written since, and nobody has more.
  const bool has_all = own && IsHandedOver(pool);
  if (!has_all && known.value.sync() && !IsInSync(known.value, own_, store_.incarnation())) return;
  if (pool.gone_since != gone_since) {
    pool.gone_since = gone_since;
    // So that those who could take over know who has most.
    for (auto& [region, peer] : peers_) Announce(id, pool, peer);
    if (const std::string why = WhyNotAlone(known, now); !why.empty()) {
      log::Warning("replication: pool {}: {}", id.value(), why);
    }
  }
  if (const auto tenure = Authority::TenureOf(known); tenure && now.since_boot < tenure->ends_at) return;
  const auto after = authority_->options().automatic_promotion_after;
  const auto patience = IsNextInLine(id, pool, known.value, now) ? after : after + after / 2;
  if (now.since_boot - *gone_since < patience || now.since_boot < pool.alone_again_at) return;
  if (IsSync(id, pool)) {
    // What has to fail is not tried: a primary that comes back would find its register taken.
    std::set<Region> silent = MembersAsked(id, pool);
    for (const Region& region : ReachableNow(now)) {
      const auto heard = peers_.at(region).heard.find(id);
      const bool has_log = heard == peers_.at(region).heard.end() || heard->second.has_head();
      if (!LacksItsPart(id, pool, region, has_log)) silent.erase(region);
    }
    if (silent.size() > kSilentMaxOfSync) return;
  }
  pool.alone_again_at = now.since_boot + after;
  log::Warning("replication: pool {}: {} Region {} {} s ago: this Region is to take over by itself", id.value(),
               known.value.released() ? "it was released by" : "the lease is gone of", known.value.epoch().region(),
               std::chrono::duration_cast<std::chrono::seconds>(now.since_boot - *gone_since).count());
  host_.RunBlocking(
      [may_lead = may_lead_, id]() -> storage::StoreResult<void> {
        if (!may_lead || may_lead(id)) return {};
        return Err(storage::StoreError{storage::StoreErrorCode::kUnavailable, "its keys cannot be opened here"});
      },
      [this, id, decision = DecisionNow(id)](const storage::StoreResult<void>& may, Instant at) {
        if (!may) return log::Error("replication: pool {} is not taken over: {}", id.value(), may.error().detail);
        ++authority_->counters.automatic_promotions;
        // What comes of it is in the log already.
        TakeOver(id, /*accept_loss=*/false, decision, [](const ControlResult<Promoted>&) {}, at);
      });
}

// ---- whether all Regions ask the same authority ----

pb::AuthorityKind Machine::authority_kind() const { return authority_ ? pb::AUTHORITY_ETCD : pb::AUTHORITY_OPERATOR; }

std::string Machine::AuthorityConflict() const {
  for (const auto& [region, peer] : peers_) {
    if (!peer.authority) continue;
    const pb::AuthorityState& theirs = *peer.authority;
    if (theirs.kind() != authority_kind()) {
      return "Region " + region.value() + " has another authority (" +
             (theirs.kind() == pb::AUTHORITY_ETCD ? "etcd" : "operator") + ")";
    }
    const bool known = authority_ && authority_->cluster() != 0 && theirs.cluster() != 0;
    if (known && (theirs.cluster() != authority_->cluster() || theirs.key_prefix() != authority_prefix_)) {
      return "Region " + region.value() + " asks another etcd cluster, or under another key prefix";
    }
  }
  return "";
}

pb::AuthorityState Machine::OwnAuthority() const {
  pb::AuthorityState state;
  state.set_kind(authority_kind());
  if (authority_) state.set_cluster(authority_->cluster());
  state.set_key_prefix(authority_prefix_);
  return state;
}

}  // namespace symbolon::replication
