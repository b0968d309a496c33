// Groups and their members, and the keys of what else is found by name. All functions work on one Transaction; see
// there for failures.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "directory/record_types.h"
#include "directory/transaction.h"

namespace symbolon::directory {

inline constexpr std::size_t kGroupKeyBytes = 16;
// As AWS bounds it; keeps every walk over a user's groups short.
inline constexpr std::size_t kGroupsPerUserMax = 100;

// Memberships that one commit removes with their group.
inline constexpr std::size_t kMembersRemovedMax = 5'000;

Bytes GroupKeyOf(const Transaction& tx, std::string_view group_name);
Bytes ResourceServerKeyOf(const Transaction& tx, std::string_view identifier);

std::optional<pb::GroupRecord> GetGroup(Transaction& tx, std::string_view group_name);
void PutGroup(Transaction& tx, const pb::GroupRecord& group);
// The group alone; its memberships are removed one by one (RemoveMember).
void DeleteGroup(Transaction& tx, std::string_view group_name);

bool IsMember(Transaction& tx, BytesView user_key, std::string_view group_name);
void AddMember(Transaction& tx, BytesView user_key, std::string_view group_name);
void RemoveMember(Transaction& tx, BytesView user_key, std::string_view group_name);
void RemoveFromAllGroups(Transaction& tx, BytesView user_key);

// The user's groups, most important first: by precedence (absent last), then by name.
std::vector<pb::GroupRecord> GroupsOf(Transaction& tx, BytesView user_key);
// Keys of users in a group, in order, after `after`.
Rows<MembershipOfGroupKind> MembersOf(Transaction& tx, std::string_view group_name, const std::optional<Bytes>& after,
                                      std::size_t limit);

}  // namespace symbolon::directory
