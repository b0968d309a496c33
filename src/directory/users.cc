#include "directory/users.h"

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "directory/devices.h"
#include "directory/groups.h"
#include "directory/normalise.h"

namespace symbolon::directory {
namespace {

constexpr std::size_t kFindPrefixBytes = 16;

// Kept in kFindIndex; sub and username are found through their own keys.
constexpr std::array<std::string_view, 7> kFindIndexed = {
    "email", "phone_number", "given_name", "family_name", "name", "preferred_username", "cognito:user_status"};

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::ranges::find(list, value) != list.end();
}

bool IsVerified(const pb::UserRecord& user, std::string_view attribute) {
  const auto verified = user.attributes().find(std::string(attribute) + "_verified");
  return verified != user.attributes().end() && verified->second == "true";
}

// Folded in every pool: whoever looks compares the values themselves afterwards.
Bytes FindPrefix(const Transaction& tx, std::string_view attribute, std::string_view value) {
  return tx.keys().BlindIndex("find:" + std::string(attribute), FoldCase(value)).substr(0, kFindPrefixBytes);
}

// The names under which a user is found beside the user name, with the attributes that say them, in their order. Values
// may repeat (an e-mail address as preferred_username), and be the user name.
std::vector<std::pair<std::string_view, std::string_view>> ActiveNamesOf(const pb::PoolRecord& pool,
                                                                         const pb::UserRecord& user) {
  std::vector<std::pair<std::string_view, std::string_view>> names;
  const auto add = [&](std::string_view attribute, std::string_view value) {
    if (!value.empty()) names.emplace_back(attribute, value);
  };
  add("sub", user.sub());
  // What an identity provider says of somebody gives them no name by which they are found here.
  if (user.has_external()) return names;
  for (const auto& [attribute, value] : user.attributes()) {
    const bool is_sign_in_name = Contains(pool.username_attributes(), attribute);
    const bool is_alias = Contains(pool.alias_attributes(), attribute) &&
                          (attribute == "preferred_username" || IsVerified(user, attribute));
    if (is_sign_in_name || is_alias) add(attribute, value);
  }
  std::ranges::sort(names);
  return names;
}

// One of these as the index has it.
struct Name {
  Bytes id;
  std::string attribute;
};

// Ids may repeat. Without the user name.
std::vector<Name> ActiveNames(const Transaction& tx, const pb::PoolRecord& pool, const User& user) {
  std::vector<Name> names;
  for (const auto& [attribute, value] : ActiveNamesOf(pool, user.record)) {
    Bytes id = UserKeyOf(tx, pool, value);
    if (id != user.key) names.push_back({.id = std::move(id), .attribute = std::string(attribute)});
  }
  return names;
}

bool Holds(const std::vector<Name>& names, const Bytes& id) {
  return std::ranges::find(names, id, &Name::id) != names.end();
}

pb::UserReference ReferenceTo(BytesView user_key) {
  pb::UserReference reference;
  reference.set_user_key(Bytes(user_key));
  return reference;
}

// Takes an alias from the user who holds it: the attribute stays, unverified; a preferred_username goes.
void ReleaseAlias(Transaction& tx, const pb::PoolRecord& pool, const Bytes& holder_key, const Bytes& id) {
  auto holder = GetUser(tx, holder_key);
  if (!holder) return;
  const pb::UserRecord before = holder->record;
  auto& attributes = *holder->record.mutable_attributes();
  for (const Name& name : ActiveNames(tx, pool, *holder)) {
    if (name.id != id) continue;
    if (name.attribute == "preferred_username") {
      attributes.erase(name.attribute);
    } else {
      attributes[name.attribute + "_verified"] = "false";
    }
  }
  // Only drops entries, so it cannot be in conflict itself.
  (void)UpdateUser(tx, pool, before, *holder, OnAliasConflict::kRefuse);
}

// Whether `holder` has the name by an alias, which can be taken away: not by the sub, and not as what it signs in by.
bool IsMovable(Transaction& tx, const pb::PoolRecord& pool, const Bytes& holder_key, const Bytes& id) {
  if (!pool.username_attributes().empty()) return false;
  const auto holder = GetUser(tx, holder_key);
  return !holder || UserKeyOf(tx, pool, holder->record.sub()) != id;
}

// Makes room for the names that `user` has and had not: nothing has changed when it answers a conflict.
Result<void, NameConflict> ClaimNames(Transaction& tx, const pb::PoolRecord& pool, const Bytes& user_key,
                                      const std::vector<Name>& had, const std::vector<Name>& has,
                                      OnAliasConflict on_conflict) {
  std::map<Bytes, Bytes> holders;
  for (const Name& name : has) {
    if (Holds(had, name.id)) continue;
    if (tx.Get<UserKind>(name.id)) return Err(NameConflict{name.attribute});
    const auto holder = tx.Get<UniqueIndexKind>(name.id);
    if (!holder || holder->user_key() == user_key) continue;
    if (on_conflict == OnAliasConflict::kRefuse || name.attribute == "sub" ||
        !IsMovable(tx, pool, holder->user_key(), name.id)) {
      return Err(NameConflict{name.attribute});
    }
    holders.emplace(name.id, holder->user_key());
  }
  for (const auto& [id, holder_key] : holders) ReleaseAlias(tx, pool, holder_key, id);
  return {};
}

Result<void, NameConflict> ReplaceNames(Transaction& tx, const pb::PoolRecord& pool, const User* before,
                                        const User* after, OnAliasConflict on_conflict) {
  // Most changes are of something else.
  if (before != nullptr && after != nullptr &&
      ActiveNamesOf(pool, before->record) == ActiveNamesOf(pool, after->record)) {
    return {};
  }
  const auto names_before = before != nullptr ? ActiveNames(tx, pool, *before) : std::vector<Name>();
  const auto names_after = after != nullptr ? ActiveNames(tx, pool, *after) : std::vector<Name>();
  if (after != nullptr) {
    SYMBOLON_TRY_VOID(ClaimNames(tx, pool, after->key, names_before, names_after, on_conflict));
  }
  for (const Name& name : names_before) {
    if (!Holds(names_after, name.id)) tx.Delete<UniqueIndexKind>(name.id);
  }
  for (const Name& name : names_after) {
    if (!Holds(names_before, name.id)) tx.Put<UniqueIndexKind>(name.id, ReferenceTo(after->key));
  }
  return {};
}

void ReplaceFindEntries(Transaction& tx, const User* before, const User* after) {
  for (const std::string_view attribute : kFindIndexed) {
    const auto value_of = [&](const User* user) {
      return user != nullptr ? AttributeOf(user->record, attribute).value_or("") : std::string();
    };
    const std::string old_value = value_of(before), new_value = value_of(after);
    if (FoldCase(old_value) == FoldCase(new_value)) continue;
    if (!old_value.empty()) tx.Delete<FindIndexKind>(FindPrefix(tx, attribute, old_value) + before->key);
    if (!new_value.empty()) {
      tx.Put<FindIndexKind>(FindPrefix(tx, attribute, new_value) + after->key, ReferenceTo(after->key));
    }
  }
}

// `before`, if there is one, has the same key.
Result<void, NameConflict> ReplaceIndexes(Transaction& tx, const pb::PoolRecord& pool, const User* before,
                                          const User* after, OnAliasConflict on_conflict) {
  SYMBOLON_TRY_VOID(ReplaceNames(tx, pool, before, after, on_conflict));
  ReplaceFindEntries(tx, before, after);
  return {};
}

}  // namespace

std::string NormaliseName(const pb::PoolRecord& pool, std::string_view name) {
  const bool case_sensitive = !pool.has_case_sensitive() || pool.case_sensitive();
  return case_sensitive ? std::string(name) : FoldCase(name);
}

Bytes UserKeyOf(const Transaction& tx, const pb::PoolRecord& pool, std::string_view username) {
  return tx.keys().BlindIndex("username", NormaliseName(pool, username)).substr(0, kUserKeyBytes);
}

std::optional<User> GetUser(Transaction& tx, BytesView user_key) {
  const auto shared = ShareUser(tx, user_key);
  if (!shared) return std::nullopt;
  return shared->Copy();
}

std::optional<SharedUser> ShareUser(Transaction& tx, BytesView user_key) {
  auto record = tx.Share<UserKind>(user_key);
  if (!record) return std::nullopt;
  return SharedUser{.key = Bytes(user_key), .record = std::move(record)};
}

std::optional<User> FindUser(Transaction& tx, const pb::PoolRecord& pool, std::string_view name) {
  const Bytes id = UserKeyOf(tx, pool, name);
  if (auto user = GetUser(tx, id)) return user;
  const auto reference = tx.Get<UniqueIndexKind>(id);
  return reference ? GetUser(tx, reference->user_key()) : std::nullopt;
}

Result<void, NameConflict> InsertUser(Transaction& tx, const pb::PoolRecord& pool, const User& user,
                                      OnAliasConflict on_conflict) {
  if (tx.Get<UserKind>(user.key) || tx.Get<UniqueIndexKind>(user.key)) return Err(NameConflict{"username"});
  // A node that knew no devices may have deleted an earlier user of the name, and left theirs.
  DeleteDevicesOf(tx, user.key);
  SYMBOLON_TRY_VOID(ReplaceIndexes(tx, pool, nullptr, &user, on_conflict));
  tx.Put<UserKind>(user.key, user.record);
  return {};
}

Result<void, NameConflict> UpdateUser(Transaction& tx, const pb::PoolRecord& pool, const pb::UserRecord& before,
                                      const User& after, OnAliasConflict on_conflict) {
  const User former{.key = after.key, .record = before};
  SYMBOLON_TRY_VOID(ReplaceIndexes(tx, pool, &former, &after, on_conflict));
  tx.Put<UserKind>(after.key, after.record);
  return {};
}

void DeleteUser(Transaction& tx, const pb::PoolRecord& pool, const User& user) {
  RemoveFromAllGroups(tx, user.key);
  DeleteDevicesOf(tx, user.key);
  if (user.record.has_external()) {
    pb::FormerIdentityRecord former;
    former.set_deletions(user.record.external().deletions() + 1);
    tx.Put<FormerIdentityKind>(user.key, former);
  }
  (void)ReplaceIndexes(tx, pool, &user, nullptr, OnAliasConflict::kRefuse);  // only drops entries
  tx.Delete<UserKind>(user.key);
}

bool IsFindable(std::string_view attribute) {
  return attribute == "sub" || attribute == "username" || attribute == "status" ||
         std::ranges::find(kFindIndexed, attribute) != kFindIndexed.end();
}

FoundUsers FindUsersByAttribute(Transaction& tx, const pb::PoolRecord& pool, std::string_view attribute,
                                std::string_view value, const std::optional<Bytes>& after, std::size_t limit) {
  FoundUsers found;
  const auto keep = [&](User user) {
    const auto own = AttributeOf(user.record, attribute);
    if (own && NormaliseName(pool, *own) == NormaliseName(pool, value)) found.users.push_back(std::move(user));
  };
  if (attribute == "username" || attribute == "sub") {
    std::optional<User> user = FindUser(tx, pool, value);
    if (user) keep(*std::move(user));
    return found;
  }
  auto entries = tx.Scan<FindIndexKind>(FindPrefix(tx, attribute, value), after, limit);
  for (const auto& entry : entries.rows) {
    if (auto user = GetUser(tx, entry.record.user_key())) keep(*std::move(user));
  }
  found.next = std::move(entries.next);
  return found;
}

FoundUsers ListUsers(Transaction& tx, const std::optional<Bytes>& after, std::size_t limit) {
  FoundUsers found;
  auto rows = tx.Scan<UserKind>("", after, limit);
  for (auto& row : rows.rows) found.users.push_back({.key = std::move(row.id), .record = std::move(row.record)});
  found.next = std::move(rows.next);
  return found;
}

std::optional<std::string> AttributeOf(const pb::UserRecord& user, std::string_view attribute) {
  if (attribute == "sub") return user.sub();
  if (attribute == "username") return user.username();
  if (attribute == "cognito:user_status") return std::string(StatusName(user.status()));
  const auto found = user.attributes().find(std::string(attribute));
  if (found == user.attributes().end()) return std::nullopt;
  return found->second;
}

std::string_view StatusName(pb::UserStatus status) {
  switch (status) {
    case pb::UNCONFIRMED:
      return "UNCONFIRMED";
    case pb::CONFIRMED:
      return "CONFIRMED";
    case pb::FORCE_CHANGE_PASSWORD:
      return "FORCE_CHANGE_PASSWORD";
    case pb::RESET_REQUIRED:
      return "RESET_REQUIRED";
    case pb::EXTERNAL_PROVIDER:
      return "EXTERNAL_PROVIDER";
    default:
      return "UNKNOWN";
  }
}

}  // namespace symbolon::directory
