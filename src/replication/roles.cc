#include "replication/roles.h"

#include <algorithm>

namespace symbolon::replication {
namespace {

pb::Member* MutableMember(pb::RoleRecord& record, const Region& region) {
  for (pb::Member& member : *record.mutable_members()) {
    if (member.region() == region.value()) return &member;
  }
  return nullptr;
}

void InsertMember(pb::RoleRecord& record, const Region& region, pb::MemberState state, Timestamp now) {
  record.set_members_added(record.members_added() + 1);
  pb::Member* member = record.add_members();
  member->set_region(region.value());
  member->set_state(state);
  member->set_number(record.members_added());
  member->set_added_at_micros(ToMicros(now));
  std::ranges::sort(*record.mutable_members(), {}, &pb::Member::region);
}

void DemotePrimary(pb::RoleRecord& record, Timestamp now) {
  if (record.primary().empty()) return;
  const Region former(record.primary());
  record.clear_primary();
  InsertMember(record, former, pb::ACTIVE, now);
}

// Whether somebody's acknowledgements are what the record's durability asks for.
bool CanConfirm(const pb::RoleRecord& record) {
  return record.durability() == pb::ASYNC || std::ranges::any_of(record.members(), [&](const pb::Member& member) {
           return CountsFor(record.durability(), member);
         });
}

// `from` are the states that allow the change.
RoleResult<pb::RoleRecord> Move(pb::RoleRecord record, const Region& region,
                                std::initializer_list<pb::MemberState> from, pb::MemberState to) {
  if (record.deleted()) return Err(RoleError{RoleErrorCode::kPoolDeleted});
  pb::Member* member = MutableMember(record, region);
  if (member == nullptr) return Err(RoleError{RoleErrorCode::kNotMember});
  if (std::ranges::find(from, member->state()) == from.end()) {
    return Err(RoleError{RoleErrorCode::kWrongState, member->state()});
  }
  const bool could_confirm = CanConfirm(record);
  member->set_state(to);
  if (could_confirm && !CanConfirm(record)) return Err(RoleError{RoleErrorCode::kNeeded});
  return record;
}

}  // namespace

pb::RoleRecord NewRoleRecord(const Region& primary) {
  pb::RoleRecord record;
  record.set_epoch_counter(1);
  record.set_primary(primary.value());
  return record;
}

Bytes SerializeRole(const pb::RoleRecord& record) { return record.SerializeAsString(); }

std::optional<pb::RoleRecord> ParseRole(BytesView stored) {
  pb::RoleRecord record;
  if (!record.ParseFromArray(stored.data(), static_cast<int>(stored.size()))) return std::nullopt;
  if (record.epoch_counter() == 0 || record.members_size() > kMembersMax + 1)
    return std::nullopt;  // one more between epochs
  if (record.log_keys_size() > kLogKeysMax) return std::nullopt;
  return record;
}

Role RoleOf(const pb::RoleRecord& record, const Region& region) {
  if (record.primary() == region.value()) return {Role::Kind::kPrimary};
  if (const pb::Member* member = FindMember(record, region)) return {Role::Kind::kSecondary, member->state()};
  return {};
}

Region LeaderOf(const pb::RoleRecord& record) {
  return Region(record.primary().empty() ? record.next().region() : record.primary());
}

const pb::Member* FindMember(const pb::RoleRecord& record, const Region& region) {
  for (const pb::Member& member : record.members()) {
    if (member.region() == region.value()) return &member;
  }
  return nullptr;
}

RoleResult<pb::RoleRecord> AddMember(pb::RoleRecord record, const Region& region, Timestamp now) {
  if (record.deleted()) return Err(RoleError{RoleErrorCode::kPoolDeleted});
  if (RoleOf(record, region).kind != Role::Kind::kNone) return Err(RoleError{RoleErrorCode::kAlreadyMember});
  if (record.members_size() == kMembersMax) return Err(RoleError{RoleErrorCode::kTooManyMembers});
  InsertMember(record, region, pb::CREATING, now);
  return record;
}

RoleResult<pb::RoleRecord> SetMemberState(pb::RoleRecord record, const Region& region, pb::MemberState state) {
  if (state != pb::ACTIVE && state != pb::INACTIVE) return Err(RoleError{RoleErrorCode::kWrongState, state});
  return Move(std::move(record), region, {pb::ACTIVE, pb::INACTIVE}, state);
}

RoleResult<pb::RoleRecord> MarkCopied(pb::RoleRecord record, const Region& region) {
  const pb::Member* member = FindMember(record, region);
  if (member != nullptr && member->state() != pb::CREATING) return record;
  return Move(std::move(record), region, {pb::CREATING}, pb::INACTIVE);
}

RoleResult<pb::RoleRecord> BeginRemoval(pb::RoleRecord record, const Region& region) {
  return Move(std::move(record), region, {pb::INACTIVE, pb::CREATING}, pb::DELETING);
}

RoleResult<pb::RoleRecord> RemoveMember(pb::RoleRecord record, const Region& region) {
  auto& members = *record.mutable_members();
  const auto member = std::ranges::find(members, region.value(), &pb::Member::region);
  if (member == members.end()) return Err(RoleError{RoleErrorCode::kNotMember});
  if (member->state() != pb::DELETING) return Err(RoleError{RoleErrorCode::kWrongState, member->state()});
  members.erase(member);
  return record;
}

RoleResult<pb::RoleRecord> SetDurability(pb::RoleRecord record, const DurabilitySetting& setting) {
  if (record.deleted()) return Err(RoleError{RoleErrorCode::kPoolDeleted});
  SYMBOLON_CHECK((setting.mode == pb::BOUNDED) == (setting.lag_bound_seconds > 0) &&
                 setting.lag_bound_seconds <= kLagBoundSecondsMax && (setting.mode == pb::SYNC || !setting.falls_back));
  record.set_durability(setting.mode);
  record.set_lag_bound_seconds(setting.lag_bound_seconds);
  record.set_sync_falls_back(setting.falls_back);
  if (!CanConfirm(record)) return Err(RoleError{RoleErrorCode::kNotMember});
  return record;
}

DurabilitySetting DurabilityOf(const pb::RoleRecord& record) {
  return {record.durability(), record.lag_bound_seconds(), record.sync_falls_back()};
}

bool HoldsAll(const pb::Member& member) { return member.state() == pb::ACTIVE || member.state() == pb::INACTIVE; }

bool CountsFor(pb::Durability mode, const pb::Member& member) {
  return member.state() == pb::ACTIVE || (mode == pb::SYNC && HoldsAll(member));
}

RoleResult<pb::RoleRecord> HandOver(pb::RoleRecord record, const Region& to, Timestamp now) {
  if (record.deleted()) return Err(RoleError{RoleErrorCode::kPoolDeleted});
  const pb::Member* member = FindMember(record, to);
  if (member == nullptr || record.primary().empty()) return Err(RoleError{RoleErrorCode::kNotMember});
  if (member->state() != pb::ACTIVE) return Err(RoleError{RoleErrorCode::kWrongState, member->state()});
  record.mutable_next()->set_counter(record.epoch_counter() + 1);
  record.mutable_next()->set_region(to.value());
  DemotePrimary(record, now);
  return record;
}

RoleResult<pb::RoleRecord> TakeOver(pb::RoleRecord record, const Region& region, std::uint64_t counter, Timestamp now) {
  if (record.deleted()) return Err(RoleError{RoleErrorCode::kPoolDeleted});
  if (record.primary() != region.value()) {
    const pb::Member* member = FindMember(record, region);
    if (member == nullptr) return Err(RoleError{RoleErrorCode::kNotMember});
    if (member->state() != pb::ACTIVE && member->state() != pb::INACTIVE) {
      return Err(RoleError{RoleErrorCode::kWrongState, member->state()});
    }
    DemotePrimary(record, now);
    auto& members = *record.mutable_members();
    members.erase(std::ranges::find(members, region.value(), &pb::Member::region));
  }
  record.set_primary(region.value());
  record.set_epoch_counter(counter);
  record.clear_next();
  return record;
}

const pb::LogKey* LogKeyOf(const pb::RoleRecord& record, const Region& region) {
  const auto& keys = record.log_keys();
  const auto last =
      std::find_if(keys.rbegin(), keys.rend(), [&](const auto& key) { return key.region() == region.value(); });
  return last == keys.rend() ? nullptr : &*last;
}

KeyStanding StandingOfKey(const pb::RoleRecord& record, const Region& region, BytesView incarnation, BytesView key) {
  const pb::LogKey* known = LogKeyOf(record, region);
  if (known == nullptr) return key.empty() ? KeyStanding::kKnown : KeyStanding::kNew;
  if (known->public_key() == key) return KeyStanding::kKnown;
  if (key.empty()) return KeyStanding::kRefused;
  return known->incarnation() == incarnation ? KeyStanding::kRefused : KeyStanding::kNew;
}

bool IsKnownByKey(const pb::RoleRecord& record, const Region& region, BytesView incarnation, BytesView key) {
  return LogKeyOf(record, region) == nullptr || StandingOfKey(record, region, incarnation, key) == KeyStanding::kKnown;
}

pb::RoleRecord PinLogKey(pb::RoleRecord record, const Region& region, const Bytes& incarnation, const Bytes& key,
                         const storage::pb::FactVector& facts, Timestamp now) {
  if (StandingOfKey(record, region, incarnation, key) != KeyStanding::kNew) return record;
  // The oldest of those that do not count any more make room.
  auto& keys = *record.mutable_log_keys();
  if (keys.size() == kLogKeysMax) {
    const auto former = std::ranges::find_if(
        keys, [&](const pb::LogKey& pinned) { return LogKeyOf(record, Region(pinned.region())) != &pinned; });
    if (former == keys.end()) return record;
    // What was said before the Region's first key stays known with the next one.
    const pb::LogKey gone = *former;
    keys.erase(former);
    const auto next = std::ranges::find(keys, gone.region(), &pb::LogKey::region);
    if (next->unsigned_facts().empty()) *next->mutable_unsigned_facts() = gone.unsigned_facts();
  }
  const bool first = LogKeyOf(record, region) == nullptr;
  pb::LogKey& pinned = *keys.Add();
  pinned.set_region(region.value());
  pinned.set_public_key(key);
  pinned.set_incarnation(incarnation);
  pinned.set_pinned_at_micros(ToMicros(now));
  if (!first) return record;
  for (const storage::pb::FactProgress& progress : facts.progress()) {
    if (progress.region() == region.value()) *pinned.add_unsigned_facts() = progress;
  }
  return record;
}

bool ChangesRoles(const storage::pb::LogEntry& entry) {
  // The record's id is empty.
  return entry.starts_epoch() || std::ranges::any_of(entry.changes(), [](const storage::pb::LogChange& change) {
           return change.key().size() == 2 && ReadBigEndian16(change.key()) == kRoleRecordType;
         });
}

bool NeedsProof(const pb::RoleRecord& record, const storage::pb::FactEntry& fact) {
  const auto first = std::ranges::find(record.log_keys(), fact.region(), &pb::LogKey::region);
  if (first == record.log_keys().end()) return false;
  return std::ranges::none_of(first->unsigned_facts(), [&](const storage::pb::FactProgress& progress) {
    return progress.incarnation() == fact.incarnation() && fact.number() <= progress.number();
  });
}

pb::RoleRecord MarkDeleted(pb::RoleRecord record) {
  record.set_deleted(true);
  for (pb::Member& member : *record.mutable_members()) member.set_state(pb::DELETING);
  return record;
}

std::string_view MemberStateName(pb::MemberState state) {
  switch (state) {
    case pb::CREATING:
      return "CREATING";
    case pb::INACTIVE:
      return "INACTIVE";
    case pb::ACTIVE:
      return "ACTIVE";
    case pb::DELETING:
      return "DELETING";
    default:
      return "UNKNOWN";
  }
}

std::string_view DurabilityName(pb::Durability mode) {
  switch (mode) {
    case pb::ASYNC:
      return "async";
    case pb::SYNC:
      return "sync";
    case pb::BOUNDED:
      return "bounded";
    default:
      return "unknown";
  }
}

}  // namespace symbolon::replication
