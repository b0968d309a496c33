// ListUsers: pages of a pool's users, all or those that a filter finds.
#include <algorithm>

#include "cognito/call.h"
#include "cognito/page_token.h"
#include "cognito/user_filter.h"
#include "cognito/user_shapes.h"
#include "directory/users.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::FoundUsers;
using directory::User;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr std::size_t kPageUsersMax = 60;
// A walk that finds little ends early, with a token to go on.
constexpr std::size_t kWalkedUsersMax = 1'000;

bool Matches(Call& call, const User& user, const UserFilter& filter) {
  const auto own = ShownAttributeOf(call.tx(), user.record, filter.attribute);
  if (!own) return false;
  const std::string has = directory::NormaliseName(call.pool(), *own);
  const std::string wanted = directory::NormaliseName(call.pool(), filter.value);
  return filter.is_prefix ? has.starts_with(wanted) : has == wanted;
}

// Through all users; few pages are worth an index of prefixes, and whether somebody is disabled is in no record.
FoundUsers FindByWalking(Call& call, const UserFilter& filter, std::optional<Bytes> after, std::size_t limit) {
  FoundUsers found;
  for (std::size_t walked = 0; walked < kWalkedUsersMax;) {
    FoundUsers page = directory::ListUsers(call.tx(), after, kPageUsersMax);
    for (User& user : page.users) {
      ++walked;
      after = user.key;
      if (!Matches(call, user, filter)) continue;
      found.users.push_back(std::move(user));
      if (found.users.size() == limit) {
        found.next = after;
        return found;
      }
    }
    if (!page.next) return found;
  }
  found.next = after;
  return found;
}

FoundUsers FindByIndex(Call& call, const UserFilter& filter, std::optional<Bytes> after, std::size_t limit) {
  FoundUsers found;
  for (std::size_t walked = 0; walked < kWalkedUsersMax;) {
    const std::size_t wanted = limit - found.users.size();
    FoundUsers page =
        directory::FindUsersByAttribute(call.tx(), call.pool(), filter.attribute, filter.value, after, wanted);
    std::ranges::move(page.users, std::back_inserter(found.users));
    walked += wanted;
    after = std::move(page.next);
    if (!after || found.users.size() == limit) break;
  }
  found.next = std::move(after);
  return found;
}

ApiResult<void> CheckAttributesToGet(const pb::PoolRecord& pool, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (std::ranges::find(pool.schema(), name, &pb::AttributeSchema::name) == pool.schema().end())
      return Fail(ErrorCode::kInvalidParameterException, "One or more requested attributes do not exist.");
  }
  return {};
}

}  // namespace

ApiResult<ListUsersResponse> ListUsers(Call& call, const ListUsersRequest& request) {
  const auto attributes = request.AttributesToGet.value_or(std::vector<std::string>{});
  SYMBOLON_TRY_VOID(CheckAttributesToGet(call.pool(), attributes));
  std::optional<UserFilter> filter;
  if (request.Filter && !request.Filter->empty()) {
    SYMBOLON_TRY(filter, ParseUserFilter(*request.Filter));
  }
  const std::string listing = "ListUsers:" + request.Filter.value_or("");
  SYMBOLON_TRY(std::optional<Bytes> after, OpenPageToken(call, listing, request.PaginationToken));
  const std::size_t limit = request.Limit.value_or(0) == 0 ? kPageUsersMax : static_cast<std::size_t>(*request.Limit);

  const bool has_index = filter && !filter->is_prefix && filter->attribute != "status";
  const FoundUsers found = !filter     ? directory::ListUsers(call.tx(), after, limit)
                           : has_index ? FindByIndex(call, *filter, std::move(after), limit)
                                       : FindByWalking(call, *filter, std::move(after), limit);
  ListUsersResponse response;
  auto& users = response.Users.emplace();
  for (const User& user : found.users) {
    UserType& shown = users.emplace_back(DescribeUser(call.tx(), user.record));
    if (attributes.empty() || !shown.Attributes) continue;
    std::erase_if(*shown.Attributes, [&](const AttributeType& attribute) {
      return std::ranges::find(attributes, attribute.Name) == attributes.end();
    });
  }
  if (found.next) response.PaginationToken = SealPageToken(call, listing, *found.next);
  return response;
}

}  // namespace symbolon::cognito::operations
