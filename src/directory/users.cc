#include "directory/users.h"

#include <algorithm>
#include <array>
#include <map>

#include "directory/groups.h"
#include "directory/normalise.h"

namespace symbolon::directory {
namespace {

constexpr std::size_t kIndexBytes = 16;

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

Bytes IndexId(const Transaction& tx, std::string_view space, std::string_view attribute, std::string_view normalised) {
  return tx.keys().BlindIndex(std::string(space) + ":" + std::string(attribute), normalised).substr(0, kIndexBytes);
}

Bytes UniqueId(const Transaction& tx, const pb::PoolRecord& pool, std::string_view attribute, std::string_view value) {
  return IndexId(tx, "unique", attribute, attribute == "sub" ? std::string(value) : NormaliseName(pool, value));
}

// Folded in every pool: whoever looks compares the values themselves afterwards.
Bytes FindPrefix(const Transaction& tx, std::string_view attribute, std::string_view value) {
  return IndexId(tx, "find", attribute, FoldCase(value));
}

// Index id → attribute, for every name under which the user can be found at present.
std::map<Bytes, std::string> UniqueEntries(const Transaction& tx, const pb::PoolRecord& pool,
                                           const pb::UserRecord& user) {
  std::map<Bytes, std::string> entries;
  if (user.sub() != user.username()) entries.emplace(UniqueId(tx, pool, "sub", user.sub()), "sub");
  for (const auto& [attribute, value] : user.attributes()) {
    if (value.empty()) continue;
    const bool is_sign_in_name = Contains(pool.username_attributes(), attribute);
    const bool is_alias = Contains(pool.alias_attributes(), attribute) &&
                          (attribute == "preferred_username" || IsVerified(user, attribute));
    if (is_sign_in_name || is_alias) entries.emplace(UniqueId(tx, pool, attribute, value), attribute);
  }
  return entries;
}

std::map<Bytes, bool> FindEntries(const Transaction& tx, const User& user) {
  std::map<Bytes, bool> entries;
  for (std::string_view attribute : kFindIndexed) {
    if (const auto value = AttributeOf(user.record, attribute); value && !value->empty()) {
      entries.emplace(FindPrefix(tx, attribute, *value) + user.key, true);
    }
  }
  return entries;
}

pb::UserReference ReferenceTo(BytesView user_key) {
  pb::UserReference reference;
  reference.set_user_key(Bytes(user_key));
  return reference;
}

// Takes an alias from the user who holds it: the attribute stays, unverified.
void ReleaseAlias(Transaction& tx, const pb::PoolRecord& pool, BytesView holder_key, const std::string& attribute) {
  auto holder = GetUser(tx, holder_key);
  if (!holder) return;
  const pb::UserRecord before = holder->record;
  if (attribute == "preferred_username") {
    holder->record.mutable_attributes()->erase(attribute);
  } else {
    (*holder->record.mutable_attributes())[attribute + "_verified"] = "false";
  }
  // Only drops entries, so it cannot be in conflict itself.
  (void)UpdateUser(tx, pool, before, *holder, OnAliasConflict::kRefuse);
}

Result<void, NameConflict> ReplaceIndexes(Transaction& tx, const pb::PoolRecord& pool, const User* before,
                                          const User* after, OnAliasConflict on_conflict) {
  const std::map<Bytes, std::string> none;
  const auto unique_before = before != nullptr ? UniqueEntries(tx, pool, before->record) : none;
  const auto unique_after = after != nullptr ? UniqueEntries(tx, pool, after->record) : none;
  for (const auto& [id, attribute] : unique_after) {
    if (unique_before.contains(id)) continue;
    const auto holder = tx.Get<UniqueIndexKind>(id);
    if (!holder || holder->user_key() == after->key) continue;
    if (on_conflict == OnAliasConflict::kRefuse || Contains(pool.username_attributes(), attribute)) {
      return Err(NameConflict{attribute});
    }
    ReleaseAlias(tx, pool, holder->user_key(), attribute);
  }
  for (const auto& [id, attribute] : unique_before) {
    if (!unique_after.contains(id)) tx.Delete<UniqueIndexKind>(id);
  }
  for (const auto& [id, attribute] : unique_after) {
    if (!unique_before.contains(id)) tx.Put<UniqueIndexKind>(id, ReferenceTo(after->key));
  }

  const auto find_before = before != nullptr ? FindEntries(tx, *before) : std::map<Bytes, bool>();
  const auto find_after = after != nullptr ? FindEntries(tx, *after) : std::map<Bytes, bool>();
  for (const auto& [id, unused] : find_before) {
    if (!find_after.contains(id)) tx.Delete<FindIndexKind>(id);
  }
  for (const auto& [id, unused] : find_after) {
    if (!find_before.contains(id)) tx.Put<FindIndexKind>(id, ReferenceTo(after->key));
  }
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
  auto record = tx.Get<UserKind>(user_key);
  if (!record) return std::nullopt;
  return User{.key = Bytes(user_key), .record = *std::move(record)};
}

std::optional<User> FindUser(Transaction& tx, const pb::PoolRecord& pool, std::string_view name) {
  if (auto user = GetUser(tx, UserKeyOf(tx, pool, name))) return user;
  const auto by = [&](std::string_view attribute) -> std::optional<User> {
    const auto reference = tx.Get<UniqueIndexKind>(UniqueId(tx, pool, attribute, name));
    return reference ? GetUser(tx, reference->user_key()) : std::nullopt;
  };
  for (const auto* names : {&pool.username_attributes(), &pool.alias_attributes()}) {
    for (const std::string& attribute : *names) {
      if (auto user = by(attribute)) return user;
    }
  }
  return by("sub");
}

Result<void, NameConflict> InsertUser(Transaction& tx, const pb::PoolRecord& pool, const User& user,
                                      OnAliasConflict on_conflict) {
  if (tx.Get<UserKind>(user.key)) return Err(NameConflict{"username"});
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
    std::optional<User> user = GetUser(tx, UserKeyOf(tx, pool, value));
    if (!user && attribute == "sub") {
      if (const auto reference = tx.Get<UniqueIndexKind>(UniqueId(tx, pool, "sub", value)))
        user = GetUser(tx, reference->user_key());
    }
    if (user) keep(*std::move(user));
    return found;
  }
  if (std::ranges::find(kFindIndexed, attribute) == kFindIndexed.end()) {
    FoundUsers page = ListUsers(tx, after, limit);
    for (User& user : page.users) keep(std::move(user));
    found.next = std::move(page.next);
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
  if (attribute == "status") return user.enabled() ? "Enabled" : "Disabled";
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
