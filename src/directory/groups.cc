#include "directory/groups.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace symbolon::directory {
namespace {

pb::MembershipRecord Membership(BytesView user_key, std::string_view group_name) {
  pb::MembershipRecord membership;
  membership.set_group(std::string(group_name));
  membership.set_user_key(Bytes(user_key));
  return membership;
}

}  // namespace

Bytes GroupKeyOf(const Transaction& tx, std::string_view group_name) {
  return tx.keys().BlindIndex("group", group_name).substr(0, kGroupKeyBytes);
}

Bytes ResourceServerKeyOf(const Transaction& tx, std::string_view identifier) {
  return tx.keys().BlindIndex("resource server", identifier).substr(0, kGroupKeyBytes);
}

std::optional<pb::GroupRecord> GetGroup(Transaction& tx, std::string_view group_name) {
  return tx.Get<GroupKind>(GroupKeyOf(tx, group_name));
}

void PutGroup(Transaction& tx, const pb::GroupRecord& group) { tx.Put<GroupKind>(GroupKeyOf(tx, group.name()), group); }

void DeleteGroup(Transaction& tx, std::string_view group_name) { tx.Delete<GroupKind>(GroupKeyOf(tx, group_name)); }

bool IsMember(Transaction& tx, BytesView user_key, std::string_view group_name) {
  return tx.Get<MembershipOfUserKind>(Bytes(user_key) + GroupKeyOf(tx, group_name)).has_value();
}

void AddMember(Transaction& tx, BytesView user_key, std::string_view group_name) {
  const Bytes group_key = GroupKeyOf(tx, group_name);
  const pb::MembershipRecord membership = Membership(user_key, group_name);
  tx.Put<MembershipOfUserKind>(Bytes(user_key) + group_key, membership);
  tx.Put<MembershipOfGroupKind>(group_key + Bytes(user_key), membership);
}

void RemoveMember(Transaction& tx, BytesView user_key, std::string_view group_name) {
  const Bytes group_key = GroupKeyOf(tx, group_name);
  tx.Delete<MembershipOfUserKind>(Bytes(user_key) + group_key);
  tx.Delete<MembershipOfGroupKind>(group_key + Bytes(user_key));
}

void RemoveFromAllGroups(Transaction& tx, BytesView user_key) {
  for (const auto& row : tx.Scan<MembershipOfUserKind>(user_key, std::nullopt, kGroupsPerUserMax).rows) {
    RemoveMember(tx, user_key, row.record.group());
  }
}

std::vector<pb::GroupRecord> GroupsOf(Transaction& tx, BytesView user_key) {
  std::vector<pb::GroupRecord> groups;
  for (const auto& row : tx.Scan<MembershipOfUserKind>(user_key, std::nullopt, kGroupsPerUserMax).rows) {
    // A membership may outlive its group for as long as the group's deletion takes to walk its members.
    if (auto group = GetGroup(tx, row.record.group())) groups.push_back(*std::move(group));
  }
  constexpr std::uint64_t kLast = std::numeric_limits<std::uint64_t>::max();
  std::ranges::sort(groups, {}, [](const pb::GroupRecord& group) {
    return std::tuple(group.has_precedence() ? std::uint64_t{group.precedence()} : kLast, group.name());
  });
  return groups;
}

Rows<MembershipOfGroupKind> MembersOf(Transaction& tx, std::string_view group_name, const std::optional<Bytes>& after,
                                      std::size_t limit) {
  return tx.Scan<MembershipOfGroupKind>(GroupKeyOf(tx, group_name), after, limit);
}

}  // namespace symbolon::directory
