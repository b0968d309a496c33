// Changes of the role record that the primary makes: members that come and go, and their states.
#include "base/log.h"
#include "replication/machine.h"
#include "storage/log.h"

namespace symbolon::replication {
namespace {

ControlError ControlErrorOf(const RoleError& error) {
  switch (error.code) {
    case RoleErrorCode::kNotMember:
    case RoleErrorCode::kPoolDeleted:
      return {ControlErrorCode::kNotMember, "no such member"};
    case RoleErrorCode::kAlreadyMember:
    case RoleErrorCode::kWrongState:
    case RoleErrorCode::kTooManyMembers:
      return {ControlErrorCode::kWrongState, std::string(MemberStateName(error.state))};
    case RoleErrorCode::kNeeded:
      return {ControlErrorCode::kWrongState, "the pool's durability needs it"};
  }
  return {ControlErrorCode::kWrongState, ""};
}

}  // namespace

void Machine::OnDropped(Peer& peer, const pb::Dropped& dropped, Instant now) {
  const PoolId id(dropped.pool());
  Pool* pool = FindPool(id);
  if (pool == nullptr) return;
  // What it acknowledged it does not have any more: made again, it tells anew.
  pool->fact_suppliers.erase(peer.region);
  pool->facts_told.erase(peer.region);
  if (!IsPrimary(*pool)) return;
  pool->leavers[peer.region] = {.member_number = dropped.member_number(), .remove_at = now.since_boot};
  RemoveLeavers(id, *pool, now);
}

void Machine::RemoveLeavers(const PoolId& id, Pool& pool, Instant now) {
  if (pool.leavers.empty() || !Admits(pool)) return;
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
  if (!Admits(pool)) return;
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
  if (!facts->second->PeerHas(pool.facts_at_copy[region])) return;
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
  if (!Admits(pool) || !pool.role->deleted() || pool.role->members_size() > 0) return;
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

void Machine::ProposeMemberState(const Region& from, const PoolId& id, const Region& region, pb::MemberState state,
                                 ControlDone<void> done) {
  Pool* pool = FindPool(id);
  if (pool == nullptr || pool->unread || !pool->role) return done(Err(WhyUnknown(id)));
  if (!IsPrimary(*pool)) return done(Err(ControlError{ControlErrorCode::kNotPrimary, pool->role->primary()}));
  if (from != own_ && FindMember(*pool->role, from) == nullptr) {
    return done(Err(ControlError{ControlErrorCode::kNotMember, "the caller is no member"}));
  }
  if (!Admits(*pool)) return done(Err(ControlError{ControlErrorCode::kUnavailable, "the primary is changing"}));
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
                                      storage::StoreResult<storage::Committed> result, Instant now) mutable {
    if (result && authority_ && !authority_->Covers(now)) {
      return done(Err(ControlError{ControlErrorCode::kUnavailable, "the authority's lease has run out meanwhile"}));
    }
    if (result) return done({});
    if (result.error().code == storage::StoreErrorCode::kConflict && attempt < options_.role_change_attempts_max) {
      return ChangeRole(id, std::move(change), std::move(done), attempt + 1);
    }
    done(Err(ControlError{ControlErrorCode::kUnavailable, std::move(result).error().detail}));
  });
}

}  // namespace symbolon::replication
