// POST /oauth2/token (RFC 6749 §3.2).
#include <algorithm>

#include "auth/authorization_code.h"
#include "auth/client_credentials.h"
#include "auth/clients.h"
#include "auth/refresh.h"
#include "auth/scopes.h"
#include "oauth/answers.h"
#include "oauth/endpoints.h"
#include "oauth/form.h"
#include "oauth/plan.h"

namespace symbolon::oauth {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;
using auth::AuthErrorCode;
using directory::pb::ClientRecord;

constexpr std::size_t kScopesMax = 50;

using Form = std::map<std::string, std::string>;

std::optional<std::string> Field(const Form& form, const char* name) {
  const auto found = form.find(name);
  return found == form.end() ? std::nullopt : std::optional(found->second);
}

bool Contains(const google::protobuf::RepeatedPtrField<std::string>& list, std::string_view value) {
  return std::ranges::find(list, value) != list.end();
}

http::Response Refuse(const auth::AuthError& error) {
  switch (error.code) {
    case AuthErrorCode::kInvalidScope:
      return TokenError("invalid_scope");
    case AuthErrorCode::kUnauthorized:
      return TokenError("invalid_client");
    case AuthErrorCode::kUnsupportedOperation:
      return TokenError("unauthorized_client");
    case AuthErrorCode::kInvalidParameter:
      return TokenError("invalid_request");
    case AuthErrorCode::kUnsupportedTokenType:
      return TokenError("unsupported_grant_type");
    case AuthErrorCode::kInternal:
      return TokenUnavailable();
    case AuthErrorCode::kAliasExists:
    case AuthErrorCode::kCodeMismatch:
    case AuthErrorCode::kDeviceKeyExists:
    case AuthErrorCode::kEnableSoftwareTokenMfa:
    case AuthErrorCode::kExpiredCode:
    case AuthErrorCode::kInvalidPassword:
    case AuthErrorCode::kInvalidUserPoolConfiguration:
    case AuthErrorCode::kNotAuthorized:
    case AuthErrorCode::kPasswordResetRequired:
    case AuthErrorCode::kRefreshTokenReuse:
    case AuthErrorCode::kResourceNotFound:
    case AuthErrorCode::kSoftwareTokenMfaNotFound:
    case AuthErrorCode::kUserNotConfirmed:
    case AuthErrorCode::kUserNotFound:
      return TokenError("invalid_grant");
  }
  return TokenUnavailable();
}

// What is granted to a user or to a client itself.
auth::AuthResult<auth::Tokens> Grant(const auth::Context& context, const Form& form,
                                     const BasicCredentials& credentials, const std::string& grant_type) {
  // 1. The client and its secret.
  const auto client = context.tx.Share<directory::ClientKind>(credentials.client_id);
  const bool is_confidential = client && !client->secrets().empty();
  const bool proven = client && (is_confidential ? auth::ProvesSecret(*client, credentials.client_secret)
                                                 : credentials.client_secret.empty());
  // Only a client with a secret is one that can be told from others.
  if (!proven || (grant_type == "client_credentials" && !is_confidential))
    return auth::Fail(AuthErrorCode::kUnauthorized, "invalid_client");
  const bool is_known =
      grant_type == "client_credentials" || grant_type == "authorization_code" || grant_type == "refresh_token";
  if (!is_known) return auth::Fail(AuthErrorCode::kUnsupportedTokenType, "unsupported_grant_type");

  // 2. What it may ask for.
  if (grant_type == "client_credentials") {
    const bool by_flow = client->oauth_enabled() && Contains(client->allowed_oauth_flows(), grant_type);
    if (!by_flow && !Contains(client->explicit_auth_flows(), "ALLOW_CLIENT_TOKEN_AUTH"))
      return auth::Fail(AuthErrorCode::kUnsupportedOperation, "unauthorized_client");
    // For the scopes that were asked for, or all that the client has.
    const std::vector<std::string> scopes = auth::SplitScopes(Field(form, "scope").value_or(""));
    if (scopes.size() > kScopesMax) return auth::Fail(AuthErrorCode::kInvalidScope, "invalid_scope");
    SYMBOLON_TRY(auth::ClientToken token, auth::GrantClientToken(context, *client, scopes));
    return auth::Tokens{.id_token = {},
                        .access_token = std::move(token.access_token),
                        .refresh_token = std::nullopt,
                        .expires_in = token.expires_in};
  }
  if (!client->oauth_enabled() || !Contains(client->allowed_oauth_flows(), "code"))
    return auth::Fail(AuthErrorCode::kUnsupportedOperation, "unauthorized_client");
  if (grant_type == "refresh_token") {
    const auto token = Field(form, "refresh_token");
    if (!token) return auth::Fail(AuthErrorCode::kInvalidParameter, "invalid_request");
    return auth::RefreshTokens(context, *client, *token);
  }
  const auto code = Field(form, "code"), redirect_uri = Field(form, "redirect_uri");
  if (!code || !redirect_uri) return auth::Fail(AuthErrorCode::kInvalidParameter, "invalid_request");
  return auth::RedeemAuthorizationCode(context, *client, *code, *redirect_uri,
                                       Field(form, "code_verifier").value_or(""));
}

}  // namespace

// The token endpoint as numbered phases.
asio::awaitable<http::Response> Endpoints::Token(const http::Request& request, PoolId pool) {
  // 1. A form, posted.
  if (request.method != "POST") co_return TokenError("invalid_request");
  const std::string_view type = request.headers.Find("Content-Type").value_or("");
  if (!http::EqualIgnoringCase(type.substr(0, type.find(';')), "application/x-www-form-urlencoded"))
    co_return TokenError("invalid_request");
  const auto form = ParseForm(request.body);
  if (!form) co_return TokenError("invalid_request");

  // 2. Who asks: in the header or in the form, never both.
  std::optional<BasicCredentials> credentials;
  if (const auto authorization = request.headers.Find("Authorization")) {
    credentials = ParseBasic(*authorization);
    if (!credentials || Field(*form, "client_secret")) co_return TokenError("invalid_request");
    if (const auto id = Field(*form, "client_id"); id && *id != credentials->client_id)
      co_return TokenError("invalid_request");
  } else if (const auto id = Field(*form, "client_id")) {
    credentials = BasicCredentials{.client_id = *id, .client_secret = Field(*form, "client_secret").value_or("")};
  }

  // 3. For what.
  const auto grant_type = Field(*form, "grant_type");
  if (!credentials || !grant_type) co_return TokenError("invalid_request");

  // 4. The grant, in one plan. Whoever cannot prove who they are learns nothing else.
  const auto planned = co_await RunPlan<auth::Tokens>(
      services_, std::move(pool),
      [&](const auth::Context& context, bool) { return Grant(context, *form, *credentials, *grant_type); });
  if (!planned) co_return planned.error() == PlanError::kNotFound ? NotFound() : TokenUnavailable();
  const auth::AuthResult<auth::Tokens>& tokens = planned->answer;
  if (!tokens) co_return Refuse(tokens.error());

  // 5. The answer.
  json::object body;
  if (!tokens->id_token.empty()) body["id_token"] = tokens->id_token;
  body["access_token"] = tokens->access_token;
  if (tokens->refresh_token) body["refresh_token"] = *tokens->refresh_token;
  body["expires_in"] = tokens->expires_in.count();
  body["token_type"] = "Bearer";
  co_return TokenAnswer(200, body);
}

}  // namespace symbolon::oauth
