// App clients: create, read, change, delete, list; their secrets.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "cognito/call.h"
#include "cognito/page_token.h"
#include "cognito/urls.h"
#include "directory/groups.h"
#include "directory/identity_providers.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::ClientKind;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr std::size_t kClientsMax = 1000;
constexpr std::size_t kSecretLength = 51;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }
auto NotAvailable(std::string_view setting) { return Invalid(fmt::format("{} is not available yet.", setting)); }

constexpr std::array<std::string_view, 5> kStandardScopes = {"openid", "email", "phone", "profile",
                                                             "aws.cognito.signin.user.admin"};

void SetSorted(google::protobuf::RepeatedPtrField<std::string>* stored, std::vector<std::string> values) {
  std::ranges::sort(values);
  const auto repeated = std::ranges::unique(values);
  values.erase(repeated.begin(), repeated.end());
  stored->Assign(values.begin(), values.end());
}

template <class Enum>
std::vector<std::string> Texts(const std::vector<Enum>& values) {
  std::vector<std::string> texts;
  for (const Enum value : values) texts.emplace_back(ToString(value));
  return texts;
}

bool Knows(const pb::PoolRecord& pool, const std::string& attribute) {
  return std::ranges::find(pool.schema(), attribute, &pb::AttributeSchema::name) != pool.schema().end();
}

std::chrono::seconds UnitOf(const std::optional<TimeUnitsType>& unit, TimeUnitsType fallback) {
  switch (unit.value_or(fallback)) {
    case TimeUnitsType::kSeconds:
      return std::chrono::seconds(1);
    case TimeUnitsType::kMinutes:
      return std::chrono::minutes(1);
    case TimeUnitsType::kHours:
      return std::chrono::hours(1);
    case TimeUnitsType::kDays:
      return std::chrono::hours(24);
  }
  return std::chrono::seconds(1);
}

// Access and ID tokens live 5 minutes to 1 day, refresh tokens 1 hour to 10 years (developer guide, "Using tokens").
template <class Request>
ApiResult<void> ApplyValidities(pb::ClientRecord& client, const Request& request) {
  const TokenValidityUnitsType units = request.TokenValidityUnits.value_or(TokenValidityUnitsType());
  const auto check = [](std::string_view member, const std::optional<std::int32_t>& value, std::chrono::seconds unit,
                        std::chrono::seconds least, std::chrono::seconds most) -> ApiResult<void> {
    if (!value || *value == 0) return {};
    const std::chrono::seconds validity = *value * unit;
    if (validity < least || validity > most)
      return Invalid(fmt::format("Invalid range for token validity: {}.", member));
    return {};
  };
  using std::chrono::hours;
  using std::chrono::minutes;
  SYMBOLON_TRY_VOID(check("AccessTokenValidity", request.AccessTokenValidity,
                          UnitOf(units.AccessToken, TimeUnitsType::kHours), minutes(5), hours(24)));
  SYMBOLON_TRY_VOID(check("IdTokenValidity", request.IdTokenValidity, UnitOf(units.IdToken, TimeUnitsType::kHours),
                          minutes(5), hours(24)));
  SYMBOLON_TRY_VOID(check("RefreshTokenValidity", request.RefreshTokenValidity,
                          UnitOf(units.RefreshToken, TimeUnitsType::kDays), hours(1), hours(24 * 3650)));
  const auto store = [](const std::optional<std::int32_t>& value, auto set, auto clear) {
    value ? set(*value) : clear();
  };
  store(
      request.AccessTokenValidity, [&](auto v) { client.set_access_token_validity(v); },
      [&] { client.clear_access_token_validity(); });
  store(
      request.IdTokenValidity, [&](auto v) { client.set_id_token_validity(v); },
      [&] { client.clear_id_token_validity(); });
  // 0 means the default, 30 days, which is shown in the client's unit.
  const auto days_30 = std::chrono::hours(30 * 24) / UnitOf(units.RefreshToken, TimeUnitsType::kDays);
  client.set_refresh_token_validity(request.RefreshTokenValidity.value_or(0) == 0 ? days_30
                                                                                  : *request.RefreshTokenValidity);
  client.clear_access_token_unit();
  client.clear_id_token_unit();
  client.clear_refresh_token_unit();
  if (units.AccessToken) client.set_access_token_unit(std::string(ToString(*units.AccessToken)));
  if (units.IdToken) client.set_id_token_unit(std::string(ToString(*units.IdToken)));
  if (units.RefreshToken) client.set_refresh_token_unit(std::string(ToString(*units.RefreshToken)));
  return {};
}

ApiResult<void> ApplyAuthFlows(pb::ClientRecord& client, const std::vector<ExplicitAuthFlowsType>& flows,
                               bool rotation) {
  using Flow = ExplicitAuthFlowsType;
  const std::set<Flow> asked(flows.begin(), flows.end());
  const auto is_old = [](Flow flow) {
    return flow == Flow::kAdminNoSrpAuth || flow == Flow::kCustomAuthFlowOnly || flow == Flow::kUserPasswordAuth;
  };
  const auto old_count = std::ranges::count_if(asked, is_old);
  if (old_count != 0 && old_count != static_cast<std::ptrdiff_t>(asked.size())) {
    return Invalid("ExplicitAuthFlows with and without the ALLOW_ prefix cannot be mixed.");
  }
  for (const Flow unavailable :
       {Flow::kAllowUserAuth, Flow::kAllowTokenExchangeDelegation, Flow::kAllowTokenExchangeImpersonation}) {
    if (asked.contains(unavailable)) return NotAvailable(ToString(unavailable));
  }
  if (asked.contains(Flow::kCustomAuthFlowOnly)) return NotAvailable(ToString(Flow::kCustomAuthFlowOnly));
  if (asked.contains(Flow::kAllowClientTokenAuth) && asked.size() > 1) {
    return Invalid("ALLOW_CLIENT_TOKEN_AUTH cannot be combined with other ExplicitAuthFlows.");
  }
  if (asked.contains(Flow::kAllowClientTokenAuth) && client.secrets().empty()) {
    return Invalid("ALLOW_CLIENT_TOKEN_AUTH needs a client with a secret.");
  }
  if (rotation && asked.contains(Flow::kAllowRefreshTokenAuth)) {
    return Invalid("ALLOW_REFRESH_TOKEN_AUTH cannot be combined with refresh token rotation.");
  }
  SetSorted(client.mutable_explicit_auth_flows(), Texts(flows));
  return {};
}

// "server/scope" of a resource server of this pool.
bool ScopeExists(Call& call, const std::string& scope) {
  if (std::ranges::find(kStandardScopes, scope) != kStandardScopes.end()) return true;
  const std::size_t slash = scope.rfind('/');
  if (slash == std::string::npos) return false;
  const auto server =
      call.tx().Get<directory::ResourceServerKind>(directory::ResourceServerKeyOf(call.tx(), scope.substr(0, slash)));
  return server && std::ranges::find(server->scopes(), scope.substr(slash + 1),
                                     &pb::ResourceServerRecord::Scope::name) != server->scopes().end();
}

// Where browsers are sent: https, http on this machine, or an application's own scheme; never with a fragment
// (developer guide, "App client settings").
ApiResult<void> CheckUrls(std::string_view member, const std::optional<std::vector<std::string>>& urls) {
  for (const std::string& url : urls.value_or(std::vector<std::string>{})) {
    const std::size_t colon = url.find(':');
    const std::string scheme = url.substr(0, colon);
    const bool is_local = IsThisMachine(AuthorityOf(url));
    const bool is_scheme =
        colon != std::string::npos && colon > 0 && std::ranges::all_of(scheme, [](char c) {
          return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' || c == '.' || c == '-';
        });
    const bool is_script = scheme == "javascript" || scheme == "data" || scheme == "vbscript";
    const bool is_plain = std::ranges::all_of(url, [](char c) { return c > ' ' && c < 0x7f; });
    if (!is_scheme || !is_plain || is_script || (scheme == "http" && !is_local) || url.find('#') != std::string::npos)
      return Invalid(
          fmt::format("{} cannot use {}: https, a scheme of an application, or http://localhost.", member, url));
  }
  return {};
}

template <class Request>
ApiResult<void> ApplyOAuth(Call& call, pb::ClientRecord& client, const Request& request) {
  std::vector<std::string> flows;
  for (const OAuthFlowType flow : request.AllowedOAuthFlows.value_or(std::vector<OAuthFlowType>{})) {
    if (flow == OAuthFlowType::kImplicit) return NotAvailable(fmt::format("The OAuth flow {}", ToString(flow)));
    flows.emplace_back(ToString(flow));
    if (flow != OAuthFlowType::kClientCredentials) continue;
    if (client.secrets().empty()) {
      return Fail(ErrorCode::kInvalidOAuthFlowException,
                  "client_credentials flow can not be selected if client does not have a client secret.");
    }
    if (request.AllowedOAuthFlows->size() > 1) {
      return Fail(ErrorCode::kInvalidOAuthFlowException,
                  "client_credentials flow can not be selected along with code flow or implicit flow.");
    }
  }
  const bool takes_client_tokens =
      std::ranges::find(flows, "client_credentials") != flows.end() ||
      std::ranges::find(client.explicit_auth_flows(), "ALLOW_CLIENT_TOKEN_AUTH") != client.explicit_auth_flows().end();
  const bool enabled = request.AllowedOAuthFlowsUserPoolClient.value_or(false);
  const auto scopes = request.AllowedOAuthScopes.value_or(std::vector<std::string>{});
  if (enabled && (flows.empty() || scopes.empty())) {
    return Invalid(
        "AllowedOAuthFlows and AllowedOAuthScopes are required if user pool client is allowed to use OAuth flows.");
  }
  for (const std::string& scope : scopes) {
    if (!ScopeExists(call, scope))
      return Fail(ErrorCode::kScopeDoesNotExistException, fmt::format("Scope does not exist: {}", scope));
    if (takes_client_tokens && std::ranges::find(kStandardScopes, scope) != kStandardScopes.end()) {
      return Fail(ErrorCode::kInvalidOAuthFlowException,
                  fmt::format("{} is not supported with client_credentials flow.", scope));
    }
  }
  client.set_oauth_enabled(enabled);
  SetSorted(client.mutable_allowed_oauth_flows(), std::move(flows));
  SetSorted(client.mutable_allowed_oauth_scopes(), scopes);
  SYMBOLON_TRY_VOID(CheckUrls("CallbackURLs", request.CallbackURLs));
  SYMBOLON_TRY_VOID(CheckUrls("LogoutURLs", request.LogoutURLs));
  SetSorted(client.mutable_callback_urls(), request.CallbackURLs.value_or(std::vector<std::string>{}));
  SetSorted(client.mutable_logout_urls(), request.LogoutURLs.value_or(std::vector<std::string>{}));
  client.set_default_redirect_uri(request.DefaultRedirectURI.value_or(""));
  if (request.DefaultRedirectURI &&
      std::ranges::find(client.callback_urls(), *request.DefaultRedirectURI) == client.callback_urls().end()) {
    return Invalid("DefaultRedirectURI must be one of CallbackURLs.");
  }
  const auto providers = request.SupportedIdentityProviders.value_or(std::vector<std::string>{});
  for (const std::string& provider : providers) {
    if (provider != "COGNITO" && !directory::GetIdentityProvider(call.tx(), provider))
      return Invalid(fmt::format("The provider {} does not exist for User Pool {}.", provider, call.pool_id().value()));
  }
  SetSorted(client.mutable_identity_providers(), providers);
  return {};
}

ApiResult<void> ApplyAttributeLists(Call& call, pb::ClientRecord& client,
                                    const std::optional<std::vector<std::string>>& read,
                                    const std::optional<std::vector<std::string>>& write) {
  for (const auto* list : {&read, &write}) {
    for (const std::string& attribute : list->value_or(std::vector<std::string>{})) {
      if (!Knows(call.pool(), attribute)) {
        return Invalid(
            fmt::format("Invalid {} attributes specified while creating a client", list == &read ? "read" : "write"));
      }
      const bool fixed = attribute == "sub" || attribute == "identities" || attribute == "email_verified" ||
                         attribute == "phone_number_verified";
      if (list == &write && fixed) return Invalid("Invalid write attributes specified while creating a client");
    }
  }
  if (write) {
    for (const pb::AttributeSchema& attribute : call.pool().schema()) {
      if (attribute.required() && attribute.name() != "sub" &&
          std::ranges::find(*write, attribute.name()) == write->end()) {
        return Invalid(
            "Invalid write attributes specified while creating a client: required attributes must be writable");
      }
    }
  }
  client.set_has_read_attributes(read.has_value());
  client.set_has_write_attributes(write.has_value());
  SetSorted(client.mutable_read_attributes(), read.value_or(std::vector<std::string>{}));
  SetSorted(client.mutable_write_attributes(), write.value_or(std::vector<std::string>{}));
  return {};
}

// The settings that Create and Update share; documented as reset when left out.
template <class Request>
ApiResult<void> ApplySettings(Call& call, pb::ClientRecord& client, const Request& request) {
  if (request.AnalyticsConfiguration) return NotAvailable("AnalyticsConfiguration");
  if (request.EnablePropagateAdditionalUserContextData.value_or(false))
    return NotAvailable("EnablePropagateAdditionalUserContextData");
  SYMBOLON_TRY_VOID(ApplyValidities(client, request));
  SYMBOLON_TRY_VOID(ApplyAttributeLists(call, client, request.ReadAttributes, request.WriteAttributes));
  client.clear_refresh_token_rotation();
  client.clear_rotation_grace_seconds();
  if (request.RefreshTokenRotation) {
    client.set_refresh_token_rotation(request.RefreshTokenRotation->Feature == FeatureType::kEnabled);
    client.set_rotation_grace_seconds(
        static_cast<std::uint32_t>(request.RefreshTokenRotation->RetryGracePeriodSeconds.value_or(0)));
  }
  using Flow = ExplicitAuthFlowsType;
  std::vector<Flow> flows = request.ExplicitAuthFlows.value_or(std::vector<Flow>{});
  if (flows.empty()) {
    flows = {Flow::kAllowUserSrpAuth, Flow::kAllowCustomAuth};
    if (!client.refresh_token_rotation()) flows.push_back(Flow::kAllowRefreshTokenAuth);
  }
  SYMBOLON_TRY_VOID(ApplyAuthFlows(client, flows, client.refresh_token_rotation()));
  SYMBOLON_TRY_VOID(ApplyOAuth(call, client, request));
  client.set_prevent_user_existence_errors(request.PreventUserExistenceErrors ==
                                           PreventUserExistenceErrorTypes::kEnabled);
  client.set_enable_token_revocation(request.EnableTokenRevocation.value_or(true));
  client.set_auth_session_validity_minutes(static_cast<std::uint32_t>(request.AuthSessionValidity.value_or(3)));
  return {};
}

std::optional<std::vector<std::string>> List(const google::protobuf::RepeatedPtrField<std::string>& stored) {
  if (stored.empty()) return std::nullopt;
  return std::vector<std::string>(stored.begin(), stored.end());
}

std::optional<TimeUnitsType> Unit(bool has, const std::string& text) {
  return has ? ParseTimeUnitsType(text) : std::nullopt;
}

UserPoolClientType Describe(Call& call, const pb::ClientRecord& client) {
  UserPoolClientType shown;
  shown.UserPoolId = call.pool_id().value();
  shown.ClientName = client.name();
  shown.ClientId = client.client_id();
  if (!client.secrets().empty()) shown.ClientSecret = client.secrets(0);
  shown.LastModifiedDate = FromMicros(client.modified_micros());
  shown.CreationDate = FromMicros(client.created_micros());
  shown.RefreshTokenValidity = static_cast<std::int32_t>(client.refresh_token_validity());
  if (client.has_access_token_validity())
    shown.AccessTokenValidity = static_cast<std::int32_t>(client.access_token_validity());
  if (client.has_id_token_validity()) shown.IdTokenValidity = static_cast<std::int32_t>(client.id_token_validity());
  const TokenValidityUnitsType units{
      .AccessToken = Unit(client.has_access_token_unit(), client.access_token_unit()),
      .IdToken = Unit(client.has_id_token_unit(), client.id_token_unit()),
      .RefreshToken = Unit(client.has_refresh_token_unit(), client.refresh_token_unit())};
  if (units.AccessToken || units.IdToken || units.RefreshToken) shown.TokenValidityUnits = units;
  // Empty lists too: they are not the default.
  if (client.has_read_attributes())
    shown.ReadAttributes.emplace(client.read_attributes().begin(), client.read_attributes().end());
  if (client.has_write_attributes())
    shown.WriteAttributes.emplace(client.write_attributes().begin(), client.write_attributes().end());
  auto& flows = shown.ExplicitAuthFlows.emplace();
  for (const std::string& text : client.explicit_auth_flows()) {
    if (const auto flow = ParseExplicitAuthFlowsType(text)) flows.push_back(*flow);
  }
  shown.SupportedIdentityProviders = List(client.identity_providers());
  shown.CallbackURLs = List(client.callback_urls());
  shown.LogoutURLs = List(client.logout_urls());
  if (!client.default_redirect_uri().empty()) shown.DefaultRedirectURI = client.default_redirect_uri();
  for (const std::string& text : client.allowed_oauth_flows()) {
    if (!shown.AllowedOAuthFlows) shown.AllowedOAuthFlows.emplace();
    if (const auto flow = ParseOAuthFlowType(text)) shown.AllowedOAuthFlows->push_back(*flow);
  }
  shown.AllowedOAuthScopes = List(client.allowed_oauth_scopes());
  shown.AllowedOAuthFlowsUserPoolClient = client.oauth_enabled();
  shown.PreventUserExistenceErrors = client.prevent_user_existence_errors() ? PreventUserExistenceErrorTypes::kEnabled
                                                                            : PreventUserExistenceErrorTypes::kLegacy;
  shown.EnableTokenRevocation = client.enable_token_revocation();
  shown.EnablePropagateAdditionalUserContextData = false;
  shown.AuthSessionValidity = static_cast<std::int32_t>(client.auth_session_validity_minutes());
  if (client.has_refresh_token_rotation()) {
    shown.RefreshTokenRotation = RefreshTokenRotationType{
        .Feature = client.refresh_token_rotation() ? FeatureType::kEnabled : FeatureType::kDisabled,
        .RetryGracePeriodSeconds = static_cast<std::int32_t>(client.rotation_grace_seconds())};
  }
  return shown;
}

ApiResult<pb::ClientRecord> Find(Call& call, const std::string& client_id) {
  auto client = call.tx().Get<ClientKind>(client_id);
  if (!client)
    return Fail(ErrorCode::kResourceNotFoundException, fmt::format("User pool client {} does not exist.", client_id));
  return *std::move(client);
}

}  // namespace

ApiResult<CreateUserPoolClientResponse> CreateUserPoolClient(Call& call, const CreateUserPoolClientRequest& request) {
  if (call.tx().Scan<ClientKind>("", std::nullopt, kClientsMax).rows.size() >= kClientsMax) {
    return Fail(ErrorCode::kLimitExceededException, "A user pool has at most 1000 clients.");
  }
  pb::ClientRecord client;
  client.set_client_id(NewClientId(call.tx().random()).value());
  client.set_name(request.ClientName);
  client.set_created_micros(ToMicros(call.now()));
  client.set_modified_micros(ToMicros(call.now()));
  if (request.ClientSecret && request.GenerateSecret.value_or(false)) {
    return Invalid("ClientSecret and GenerateSecret cannot both be given.");
  }
  if (request.ClientSecret) client.add_secrets(*request.ClientSecret);
  if (request.GenerateSecret.value_or(false)) {
    client.add_secrets(RandomText(call.tx().random(), kSecretLength, kLowerAlphanumeric));
  }
  SYMBOLON_TRY_VOID(ApplySettings(call, client, request));
  call.tx().Put<ClientKind>(client.client_id(), client);
  return CreateUserPoolClientResponse{.UserPoolClient = Describe(call, client)};
}

ApiResult<DescribeUserPoolClientResponse> DescribeUserPoolClient(Call& call,
                                                                 const DescribeUserPoolClientRequest& request) {
  SYMBOLON_TRY(const pb::ClientRecord client, Find(call, request.ClientId));
  return DescribeUserPoolClientResponse{.UserPoolClient = Describe(call, client)};
}

ApiResult<UpdateUserPoolClientResponse> UpdateUserPoolClient(Call& call, const UpdateUserPoolClientRequest& request) {
  SYMBOLON_TRY(pb::ClientRecord client, Find(call, request.ClientId));
  if (request.ClientName) client.set_name(*request.ClientName);
  SYMBOLON_TRY_VOID(ApplySettings(call, client, request));
  client.set_modified_micros(ToMicros(call.now()));
  call.tx().Put<ClientKind>(client.client_id(), client);
  return UpdateUserPoolClientResponse{.UserPoolClient = Describe(call, client)};
}

ApiResult<DeleteUserPoolClientResponse> DeleteUserPoolClient(Call& call, const DeleteUserPoolClientRequest& request) {
  SYMBOLON_TRY(const pb::ClientRecord client, Find(call, request.ClientId));
  call.tx().Delete<ClientKind>(client.client_id());
  return DeleteUserPoolClientResponse{};
}

ApiResult<ListUserPoolClientsResponse> ListUserPoolClients(Call& call, const ListUserPoolClientsRequest& request) {
  SYMBOLON_TRY(const std::optional<Bytes> after, OpenPageToken(call, "ListUserPoolClients", request.NextToken));
  const std::size_t limit = static_cast<std::size_t>(request.MaxResults.value_or(60));
  ListUserPoolClientsResponse response;
  auto& clients = response.UserPoolClients.emplace();
  const bool only_dynamic = request.ClientType == ClientTypeType::kDcr;  // of which this version makes none
  auto page = call.tx().Scan<ClientKind>("", after, std::max<std::size_t>(limit, 1));
  for (const auto& row : page.rows) {
    if (only_dynamic) break;
    clients.push_back(
        {.ClientId = row.record.client_id(), .UserPoolId = call.pool_id().value(), .ClientName = row.record.name()});
  }
  if (page.next && !only_dynamic) response.NextToken = SealPageToken(call, "ListUserPoolClients", *page.next);
  return response;
}

}  // namespace symbolon::cognito::operations
