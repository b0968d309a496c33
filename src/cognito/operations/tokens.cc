// Tokens: fresh ones, revoked ones, ones for clients themselves, and signing out everywhere.
#include <fmt/format.h>

#include <algorithm>

#include "auth/client_credentials.h"
#include "auth/external_users.h"
#include "auth/facts.h"
#include "auth/refresh.h"
#include "cognito/app_client.h"
#include "cognito/auth_errors.h"
#include "cognito/call.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

// A client that has secrets sends one in clear, one that has none sends none.
ApiResult<void> Authenticate(const pb::ClientRecord& client, const std::optional<std::string>& secret,
                             ErrorCode refusal) {
  if (auth::ProvesSecret(client, secret)) return {};
  return Fail(refusal, fmt::format("Unable to verify secret for client {}", client.client_id()));
}

}  // namespace

ApiResult<GetTokensFromRefreshTokenResponse> GetTokensFromRefreshToken(
    Call& call, const GetTokensFromRefreshTokenRequest& request) {
  SYMBOLON_TRY(const SharedClient client, FindClient(call, request.ClientId));
  SYMBOLON_TRY_VOID(Authenticate(*client, request.ClientSecret, ErrorCode::kNotAuthorizedException));
  auto tokens = auth::RefreshTokens(call.auth_context(), *client, request.RefreshToken, request.DeviceKey);
  if (!tokens) return Refuse(call, tokens.error());
  return GetTokensFromRefreshTokenResponse{.AuthenticationResult = AuthenticationResultType{
                                               .AccessToken = std::move(tokens->access_token),
                                               .ExpiresIn = static_cast<std::int32_t>(tokens->expires_in.count()),
                                               .TokenType = "Bearer",
                                               .RefreshToken = std::move(tokens->refresh_token),
                                               .IdToken = std::move(tokens->id_token),
                                           }};
}

ApiResult<RevokeTokenResponse> RevokeToken(Call& call, const RevokeTokenRequest& request) {
  if (request.RevokeAssociatedSessions == RevokeAssociatedSessionsType::kLinked) {
    return Fail(ErrorCode::kInvalidParameterException, "RevokeAssociatedSessions LINKED is not available yet.");
  }
  SYMBOLON_TRY(const SharedClient client, FindClient(call, request.ClientId));
  SYMBOLON_TRY_VOID(Authenticate(*client, request.ClientSecret, ErrorCode::kUnauthorizedException));
  const auto revoked = auth::RevokeRefreshToken(call.auth_context(), *client, request.Token);
  if (!revoked) return Refuse(call, revoked.error());
  return RevokeTokenResponse{};
}

ApiResult<GlobalSignOutResponse> GlobalSignOut(Call& call, const GlobalSignOutRequest&) {
  auth::SignOutUser(call.tx(), call.env().region().region, call.caller().user->user.key, call.now());
  return GlobalSignOutResponse{};
}

ApiResult<AdminUserGlobalSignOutResponse> AdminUserGlobalSignOut(Call& call,
                                                                 const AdminUserGlobalSignOutRequest& request) {
  const auto user = auth::FindKnownUser(call.tx(), call.pool(), request.Username);
  if (!user) return Fail(ErrorCode::kUserNotFoundException, "User does not exist.");
  auth::SignOutUser(call.tx(), call.env().region().region, user->key, call.now());
  return AdminUserGlobalSignOutResponse{};
}

ApiResult<GetClientTokenResponse> GetClientToken(Call& call, const GetClientTokenRequest& request) {
  SYMBOLON_TRY(const SharedClient client, FindClient(call, request.ClientId));
  SYMBOLON_TRY_VOID(Authenticate(*client, request.Secret, ErrorCode::kNotAuthorizedException));
  if (std::ranges::find(client->explicit_auth_flows(), "ALLOW_CLIENT_TOKEN_AUTH") ==
      client->explicit_auth_flows().end()) {
    return Fail(ErrorCode::kInvalidParameterException, "ALLOW_CLIENT_TOKEN_AUTH is not enabled for the client.");
  }
  auto token =
      auth::GrantClientToken(call.auth_context(), *client, request.Scopes.value_or(std::vector<std::string>()));
  if (!token) return Refuse(call, token.error());
  return GetClientTokenResponse{.ClientAuthenticationResult = ClientAuthenticationResultType{
                                    .AccessToken = std::move(token->access_token),
                                    .ExpiresIn = static_cast<std::int32_t>(token->expires_in.count()),
                                    .TokenType = "Bearer",
                                }};
}

}  // namespace symbolon::cognito::operations
