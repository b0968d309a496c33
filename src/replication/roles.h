// The role record of a pool: which Region is primary, which are secondaries and in which state (replication protocol
// §4).
//
// The record lies in the directory, in clear, under kRoleRecordType; every directory commit reads it. Pure functions,
// thread-safe: they take a record and answer the changed one, which the caller commits.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "replication/role.pb.h"

namespace symbolon::replication {

// Record type in Space::kDirectory; the id is empty.
inline constexpr std::uint16_t kRoleRecordType = 1;
inline constexpr int kMembersMax = 16;
inline constexpr std::uint32_t kLagBoundSecondsMax = 3'600;
// Of all Regions, former ones included.
inline constexpr int kLogKeysMax = 64;

enum class RoleErrorCode {
  // The Region is no secondary of the pool.
  kNotMember,
  // It is one already (in DELETING it still is), or is the primary.
  kAlreadyMember,
  // The member's state does not allow the change.
  kWrongState,
  kTooManyMembers,
  // The pool's durability asks for what no other member can acknowledge.
  kNeeded,
  kPoolDeleted,
};

struct RoleError {
  RoleErrorCode code;
  // The member's state with kWrongState.
  pb::MemberState state = pb::MEMBER_STATE_UNSPECIFIED;
};

template <class T>
using RoleResult = Result<T, RoleError>;

// What a Region is for a pool.
struct Role {
  enum class Kind { kNone, kPrimary, kSecondary };
  Kind kind = Kind::kNone;
  // Of a secondary.
  pb::MemberState state = pb::MEMBER_STATE_UNSPECIFIED;
  bool operator==(const Role&) const = default;
};

// The record of a new pool: first epoch, no secondaries.
pb::RoleRecord NewRoleRecord(const Region& primary);

Bytes SerializeRole(const pb::RoleRecord& record);
// nullopt: not a role record (corrupt).
std::optional<pb::RoleRecord> ParseRole(BytesView stored);

Role RoleOf(const pb::RoleRecord& record, const Region& region);
// The primary; between a hand-over and the next epoch, whoever opens that.
Region LeaderOf(const pb::RoleRecord& record);
// nullptr: no secondary. Points into `record`.
const pb::Member* FindMember(const pb::RoleRecord& record, const Region& region);

// A new secondary, in CREATING.
RoleResult<pb::RoleRecord> AddMember(pb::RoleRecord record, const Region& region, Timestamp now);
// UpdateUserPoolReplica: to ACTIVE or INACTIVE from either of them; to the state that it is in: no change. kNeeded:
// every write would be refused then.
RoleResult<pb::RoleRecord> SetMemberState(pb::RoleRecord record, const Region& region, pb::MemberState state);
// The first copy is complete: CREATING becomes INACTIVE; any other state stays.
RoleResult<pb::RoleRecord> MarkCopied(pb::RoleRecord record, const Region& region);
// DeleteUserPoolReplica: to DELETING, from INACTIVE, or from CREATING (a copy that cannot end must be possible to give
// up). kNeeded, as SetMemberState.
RoleResult<pb::RoleRecord> BeginRemoval(pb::RoleRecord record, const Region& region);
// The member has dropped the pool: it leaves the record. Only from DELETING.
RoleResult<pb::RoleRecord> RemoveMember(pb::RoleRecord record, const Region& region);
// When writes are answered from now on. `lag_bound_seconds` (1 to kLagBoundSecondsMax) is of BOUNDED, `falls_back` of
// SYNC; both must be zero otherwise.
struct DurabilitySetting {
  pb::Durability mode = pb::ASYNC;
  std::uint32_t lag_bound_seconds = 0;
  bool falls_back = false;
  bool operator==(const DurabilitySetting&) const = default;
};
// kNotMember: no secondary has a complete copy (SYNC) or is ACTIVE (BOUNDED), so that every write would be refused.
RoleResult<pb::RoleRecord> SetDurability(pb::RoleRecord record, const DurabilitySetting& setting);
DurabilitySetting DurabilityOf(const pb::RoleRecord& record);
// The member holds a complete directory, and is to keep it.
bool HoldsAll(const pb::Member& member);
// Whether what this member acknowledges counts: it holds a complete directory and is to keep it, and for BOUNDED it
// serves.
bool CountsFor(pb::Durability mode, const pb::Member& member);

// With which key the Region signs; nullptr: it is not known to sign. Points into `record`.
const pb::LogKey* LogKeyOf(const pb::RoleRecord& record, const Region& region);
enum class KeyStanding {
  // It is the one that counts, or the Region showed none and none is known.
  kKnown,
  // It may be pinned: the Region has none, or shows it from another store, because it lost its disk or its key.
  kNew,
  // The same store is known by another key, or is known by one and shows none.
  kRefused,
};
// `incarnation`, `key`: as the Region's Hello has them.
KeyStanding StandingOfKey(const pb::RoleRecord& record, const Region& region, BytesView incarnation, BytesView key);
// The Region may lead: others know it by this key, or by none.
bool IsKnownByKey(const pb::RoleRecord& record, const Region& region, BytesView incarnation, BytesView key);
// Pins a key that may be pinned; what else it is told changes nothing. `facts`: how far all Regions' facts are known.
pb::RoleRecord PinLogKey(pb::RoleRecord record, const Region& region, const Bytes& incarnation, const Bytes& key,
                         const storage::pb::FactVector& facts, Timestamp now);
// The entry writes the role record, or begins an epoch.
bool ChangesRoles(const storage::pb::LogEntry& entry);
// The fact was said by a Region that signs, and is not older than that.
bool NeedsProof(const pb::RoleRecord& record, const storage::pb::FactEntry& fact);

// DeleteUserPool: every member has to drop the pool, and the primary drops it when no member is left. Such a pool
// exists for nobody but replication.
pb::RoleRecord MarkDeleted(pb::RoleRecord record);

// The planned end of the primary's epoch: from now on nobody is primary, and `to`, an ACTIVE secondary, opens the next
// epoch. The former primary is an ACTIVE secondary from now on.
RoleResult<pb::RoleRecord> HandOver(pb::RoleRecord record, const Region& to, Timestamp now);
// `region` is primary in epoch `counter`, which it opens with this record. A former primary stays as ACTIVE secondary.
// Any secondary with a complete directory may (kWrongState otherwise), and the primary itself.
RoleResult<pb::RoleRecord> TakeOver(pb::RoleRecord record, const Region& region, std::uint64_t counter, Timestamp now);

// "CREATING", "INACTIVE", "ACTIVE", "DELETING", as Cognito writes them.
std::string_view MemberStateName(pb::MemberState state);
// "async", "sync", "bounded".
std::string_view DurabilityName(pb::Durability mode);

}  // namespace symbolon::replication
