// Users and the indexes that find them. All functions work on one Transaction; see there for failures.
//
// A user's key is derived from the user name, which never changes. Aliases and subs lead to it through unique index
// entries; an entry exists exactly while the name is active:
//   - the sub, always;
//   - pools with UsernameAttributes: the e-mail address or phone number that is the sign-in name, at once;
//   - of users of identity providers nothing else: whoever has such a provider cannot take somebody's name by it;
//   - pools with AliasAttributes: e-mail address and phone number while verified, preferred_username always.
// User names, aliases and subs are one space of names, in which each leads to one user at the most: nobody can take a
// name by which somebody else is found, as an attribute of whatever kind. An entry's id is the key that a user of that
// name would have. Keys and ids are blind (PoolKeys::BlindIndex), so the store shows no name.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "directory/record_types.h"
#include "directory/transaction.h"

namespace symbolon::directory {

inline constexpr std::size_t kUserKeyBytes = 16;

struct User {
  Bytes key;
  pb::UserRecord record;
};

// One to look at, shared with other plans (Transaction::Share).
struct SharedUser {
  Bytes key;
  std::shared_ptr<const pb::UserRecord> record;

  // One to change.
  User Copy() const { return {.key = key, .record = *record}; }
};

// Names are equal under this form: as they are, or folded in a case-insensitive pool.
std::string NormaliseName(const pb::PoolRecord& pool, std::string_view name);

Bytes UserKeyOf(const Transaction& tx, const pb::PoolRecord& pool, std::string_view username);

// By user name, active alias or sub.
std::optional<User> FindUser(Transaction& tx, const pb::PoolRecord& pool, std::string_view name);
std::optional<User> GetUser(Transaction& tx, BytesView user_key);
std::optional<SharedUser> ShareUser(Transaction& tx, BytesView user_key);

// Which name stands in the way of a change.
struct NameConflict {
  // "username", "email", "phone_number", "preferred_username" or "sub": of the one who wants the name.
  std::string attribute;
};

// What happens when an alias that becomes active belongs to somebody else.
enum class OnAliasConflict {
  kRefuse,
  // The other user's attribute becomes unverified (a preferred_username goes) and the alias moves here
  // (ForceAliasCreation). User names, sign-in names and subs do not move.
  kMove,
};

// Both change nothing when they answer a conflict.
// A user who is new: user.key is UserKeyOf(username).
Result<void, NameConflict> InsertUser(Transaction& tx, const pb::PoolRecord& pool, const User& user,
                                      OnAliasConflict on_conflict);
// `before` is the record as read in this transaction.
Result<void, NameConflict> UpdateUser(Transaction& tx, const pb::PoolRecord& pool, const pb::UserRecord& before,
                                      const User& after, OnAliasConflict on_conflict);
// With its index entries, group memberships and devices.
void DeleteUser(Transaction& tx, const pb::PoolRecord& pool, const User& user);

// Whether ListUsers can find by equality of this attribute ("status" and "sub" included).
bool IsFindable(std::string_view attribute);

struct FoundUsers {
  std::vector<User> users;
  std::optional<Bytes> next;
};
// `attribute` is a findable one other than "status", which is no part of the record (auth/disabling.h).
// Users whose attribute equals `value` exactly (under the pool's rule for case), at most `limit`; `after` is an earlier
// `next`.
FoundUsers FindUsersByAttribute(Transaction& tx, const pb::PoolRecord& pool, std::string_view attribute,
                                std::string_view value, const std::optional<Bytes>& after, std::size_t limit);
// All users, in the order of their keys.
FoundUsers ListUsers(Transaction& tx, const std::optional<Bytes>& after, std::size_t limit);

// The attribute as ListUsers shows and compares it: "sub", "username" and "cognito:user_status" included.
std::optional<std::string> AttributeOf(const pb::UserRecord& user, std::string_view attribute);
// "UNCONFIRMED", "CONFIRMED" ...
std::string_view StatusName(pb::UserStatus status);

}  // namespace symbolon::directory
