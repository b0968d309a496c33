// Resource servers and their custom scopes.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cognito/call.h"
#include "cognito/page_token.h"
#include "directory/groups.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::ResourceServerKind;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr std::size_t kServersMax = 25;
constexpr std::size_t kPageMax = 50;

Bytes KeyOf(Call& call, const std::string& identifier) { return directory::ResourceServerKeyOf(call.tx(), identifier); }

ApiResult<pb::ResourceServerRecord> Find(Call& call, const std::string& identifier) {
  auto server = call.tx().Get<ResourceServerKind>(KeyOf(call, identifier));
  if (!server) {
    return Fail(ErrorCode::kResourceNotFoundException,
                fmt::format("Resource Server does not exist. Identifier: {}", identifier));
  }
  return *std::move(server);
}

ApiResult<void> ApplyScopes(pb::ResourceServerRecord& server,
                            const std::optional<std::vector<ResourceServerScopeType>>& scopes) {
  server.clear_scopes();
  std::set<std::string> names;
  for (const ResourceServerScopeType& scope : scopes.value_or(std::vector<ResourceServerScopeType>{})) {
    if (!names.insert(scope.ScopeName).second) {
      return Fail(ErrorCode::kInvalidParameterException, fmt::format("Scope {} is defined twice.", scope.ScopeName));
    }
    auto& stored = *server.add_scopes();
    stored.set_name(scope.ScopeName);
    stored.set_description(scope.ScopeDescription);
  }
  std::ranges::sort(*server.mutable_scopes(), {}, &pb::ResourceServerRecord::Scope::name);
  return {};
}

ResourceServerType Describe(Call& call, const pb::ResourceServerRecord& server) {
  ResourceServerType shown;
  shown.UserPoolId = call.pool_id().value();
  shown.Identifier = server.identifier();
  shown.Name = server.name();
  auto& scopes = shown.Scopes.emplace();
  for (const auto& scope : server.scopes())
    scopes.push_back({.ScopeName = scope.name(), .ScopeDescription = scope.description()});
  return shown;
}

}  // namespace

ApiResult<CreateResourceServerResponse> CreateResourceServer(Call& call, const CreateResourceServerRequest& request) {
  if (call.tx().Get<ResourceServerKind>(KeyOf(call, request.Identifier))) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("{} already exists in user pool {}.", request.Identifier, call.pool_id().value()));
  }
  if (call.tx().Scan<ResourceServerKind>("", std::nullopt, kServersMax).rows.size() >= kServersMax) {
    return Fail(ErrorCode::kLimitExceededException,
                fmt::format("A user pool has at most {} resource servers.", kServersMax));
  }
  pb::ResourceServerRecord server;
  server.set_identifier(request.Identifier);
  server.set_name(request.Name);
  SYMBOLON_TRY_VOID(ApplyScopes(server, request.Scopes));
  call.tx().Put<ResourceServerKind>(KeyOf(call, request.Identifier), server);
  return CreateResourceServerResponse{.ResourceServer = Describe(call, server)};
}

ApiResult<DescribeResourceServerResponse> DescribeResourceServer(Call& call,
                                                                 const DescribeResourceServerRequest& request) {
  SYMBOLON_TRY(const pb::ResourceServerRecord server, Find(call, request.Identifier));
  return DescribeResourceServerResponse{.ResourceServer = Describe(call, server)};
}

ApiResult<UpdateResourceServerResponse> UpdateResourceServer(Call& call, const UpdateResourceServerRequest& request) {
  SYMBOLON_TRY(pb::ResourceServerRecord server, Find(call, request.Identifier));
  server.set_name(request.Name);
  SYMBOLON_TRY_VOID(ApplyScopes(server, request.Scopes));
  call.tx().Put<ResourceServerKind>(KeyOf(call, request.Identifier), server);
  return UpdateResourceServerResponse{.ResourceServer = Describe(call, server)};
}

ApiResult<DeleteResourceServerResponse> DeleteResourceServer(Call& call, const DeleteResourceServerRequest& request) {
  SYMBOLON_TRY(const pb::ResourceServerRecord server, Find(call, request.Identifier));
  call.tx().Delete<ResourceServerKind>(KeyOf(call, server.identifier()));
  return DeleteResourceServerResponse{};
}

ApiResult<ListResourceServersResponse> ListResourceServers(Call& call, const ListResourceServersRequest& request) {
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, "ListResourceServers", request.NextToken));
  const std::size_t limit =
      request.MaxResults.value_or(0) == 0 ? kPageMax : static_cast<std::size_t>(*request.MaxResults);
  const auto page = call.tx().Scan<ResourceServerKind>("", after, limit);
  ListResourceServersResponse response;
  auto& servers = response.ResourceServers;
  for (const auto& row : page.rows) servers.push_back(Describe(call, row.record));
  if (page.next) response.NextToken = SealPageToken(call, "ListResourceServers", *page.next);
  return response;
}

}  // namespace symbolon::cognito::operations
