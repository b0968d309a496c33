// Groups and their members.
#include "directory/groups.h"

#include <fmt/format.h>

#include "cognito/call.h"
#include "cognito/page_token.h"
#include "cognito/user_shapes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

// Groups of a pool, as AWS bounds them.
constexpr std::size_t kPageMax = 60;

ApiResult<pb::GroupRecord> Find(Call& call, const std::string& name) {
  auto group = directory::GetGroup(call.tx(), name);
  if (!group) return Fail(ErrorCode::kResourceNotFoundException, "Group not found.");
  return *std::move(group);
}

ApiResult<directory::User> FindUser(Call& call, const std::string& username) {
  auto user = directory::FindUser(call.tx(), call.pool(), username);
  if (!user) return Fail(ErrorCode::kUserNotFoundException, "User does not exist.");
  return *std::move(user);
}

template <class Request>
void ApplySettings(pb::GroupRecord& group, const Request& request) {
  if (request.Description) group.set_description(*request.Description);
  if (request.RoleArn) group.set_role_arn(*request.RoleArn);
  if (request.Precedence) group.set_precedence(static_cast<std::uint32_t>(*request.Precedence));
}

GroupType Describe(Call& call, const pb::GroupRecord& group) {
  GroupType shown;
  shown.GroupName = group.name();
  shown.UserPoolId = call.pool_id().value();
  if (!group.description().empty()) shown.Description = group.description();
  if (!group.role_arn().empty()) shown.RoleArn = group.role_arn();
  if (group.has_precedence()) shown.Precedence = static_cast<std::int32_t>(group.precedence());
  shown.LastModifiedDate = FromMicros(group.modified_micros());
  shown.CreationDate = FromMicros(group.created_micros());
  return shown;
}

std::size_t LimitOf(const std::optional<std::int32_t>& limit) {
  return limit.value_or(0) == 0 ? kPageMax : static_cast<std::size_t>(*limit);
}

}  // namespace

ApiResult<CreateGroupResponse> CreateGroup(Call& call, const CreateGroupRequest& request) {
  if (directory::GetGroup(call.tx(), request.GroupName)) {
    return Fail(ErrorCode::kGroupExistsException, "A group with the name already exists.");
  }
  pb::GroupRecord group;
  group.set_name(request.GroupName);
  group.set_created_micros(ToMicros(call.now()));
  group.set_modified_micros(ToMicros(call.now()));
  ApplySettings(group, request);
  directory::PutGroup(call.tx(), group);
  return CreateGroupResponse{.Group = Describe(call, group)};
}

ApiResult<GetGroupResponse> GetGroup(Call& call, const GetGroupRequest& request) {
  SYMBOLON_TRY(const pb::GroupRecord group, Find(call, request.GroupName));
  return GetGroupResponse{.Group = Describe(call, group)};
}

ApiResult<UpdateGroupResponse> UpdateGroup(Call& call, const UpdateGroupRequest& request) {
  SYMBOLON_TRY(pb::GroupRecord group, Find(call, request.GroupName));
  ApplySettings(group, request);
  group.set_modified_micros(ToMicros(call.now()));
  directory::PutGroup(call.tx(), group);
  return UpdateGroupResponse{.Group = Describe(call, group)};
}

ApiResult<DeleteGroupResponse> DeleteGroup(Call& call, const DeleteGroupRequest& request) {
  SYMBOLON_TRY(const pb::GroupRecord group, Find(call, request.GroupName));
  // One commit, so that no membership of a former group comes to life when a group of that name is made again.
  const auto members = directory::MembersOf(call.tx(), group.name(), std::nullopt, directory::kMembersRemovedMax + 1);
  if (members.rows.size() > directory::kMembersRemovedMax) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("A group of more than {} members cannot be deleted at once: remove members first.",
                            directory::kMembersRemovedMax));
  }
  for (const auto& row : members.rows) directory::RemoveMember(call.tx(), row.record.user_key(), group.name());
  directory::DeleteGroup(call.tx(), group.name());
  return DeleteGroupResponse{};
}

ApiResult<ListGroupsResponse> ListGroups(Call& call, const ListGroupsRequest& request) {
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, "ListGroups", request.NextToken));
  const auto page = call.tx().Scan<directory::GroupKind>("", after, LimitOf(request.Limit));
  ListGroupsResponse response;
  auto& groups = response.Groups.emplace();
  for (const auto& row : page.rows) groups.push_back(Describe(call, row.record));
  if (page.next) response.NextToken = SealPageToken(call, "ListGroups", *page.next);
  return response;
}

ApiResult<AdminAddUserToGroupResponse> AdminAddUserToGroup(Call& call, const AdminAddUserToGroupRequest& request) {
  SYMBOLON_TRY(const directory::User user, FindUser(call, request.Username));
  SYMBOLON_TRY(const pb::GroupRecord group, Find(call, request.GroupName));
  if (directory::IsMember(call.tx(), user.key, group.name())) return AdminAddUserToGroupResponse{};
  if (directory::GroupsOf(call.tx(), user.key).size() >= directory::kGroupsPerUserMax) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("A user is in at most {} groups.", directory::kGroupsPerUserMax));
  }
  directory::AddMember(call.tx(), user.key, group.name());
  return AdminAddUserToGroupResponse{};
}

ApiResult<AdminRemoveUserFromGroupResponse> AdminRemoveUserFromGroup(Call& call,
                                                                     const AdminRemoveUserFromGroupRequest& request) {
  SYMBOLON_TRY(const directory::User user, FindUser(call, request.Username));
  SYMBOLON_TRY(const pb::GroupRecord group, Find(call, request.GroupName));
  if (directory::IsMember(call.tx(), user.key, group.name()))
    directory::RemoveMember(call.tx(), user.key, group.name());
  return AdminRemoveUserFromGroupResponse{};
}

ApiResult<AdminListGroupsForUserResponse> AdminListGroupsForUser(Call& call,
                                                                 const AdminListGroupsForUserRequest& request) {
  SYMBOLON_TRY(const directory::User user, FindUser(call, request.Username));
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, "AdminListGroupsForUser", request.NextToken));
  const auto page = call.tx().Scan<directory::MembershipOfUserKind>(
      user.key, after ? std::optional(user.key + *after) : std::nullopt, LimitOf(request.Limit));
  AdminListGroupsForUserResponse response;
  auto& groups = response.Groups.emplace();
  for (const auto& row : page.rows) {
    if (const auto group = directory::GetGroup(call.tx(), row.record.group())) groups.push_back(Describe(call, *group));
  }
  if (page.next) {
    response.NextToken =
        SealPageToken(call, "AdminListGroupsForUser", BytesView(*page.next).substr(directory::kUserKeyBytes));
  }
  return response;
}

ApiResult<ListUsersInGroupResponse> ListUsersInGroup(Call& call, const ListUsersInGroupRequest& request) {
  SYMBOLON_TRY(const pb::GroupRecord group, Find(call, request.GroupName));
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, "ListUsersInGroup", request.NextToken));
  const Bytes group_key = directory::GroupKeyOf(call.tx(), group.name());
  const auto page = directory::MembersOf(
      call.tx(), group.name(), after ? std::optional(group_key + *after) : std::nullopt, LimitOf(request.Limit));
  ListUsersInGroupResponse response;
  auto& users = response.Users.emplace();
  for (const auto& row : page.rows) {
    if (const auto user = directory::GetUser(call.tx(), row.record.user_key()))
      users.push_back(DescribeUser(call.tx(), user->record));
  }
  if (page.next) {
    response.NextToken =
        SealPageToken(call, "ListUsersInGroup", BytesView(*page.next).substr(directory::kGroupKeyBytes));
  }
  return response;
}

}  // namespace symbolon::cognito::operations
