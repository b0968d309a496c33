#include "auth/tokens.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <charconv>
#include <map>
#include <set>
#include <vector>

#include "auth/attribute_access.h"
#include "auth/external_users.h"
#include "auth/scopes.h"
#include "crypto/hash.h"
#include "directory/groups.h"

namespace symbolon::auth {
namespace {

namespace json = boost::json;
using directory::pb::ClientRecord;
using directory::pb::GroupRecord;
using directory::pb::UserRecord;

struct Bounds {
  std::chrono::seconds otherwise;
  std::chrono::seconds most;
};
constexpr Bounds kAccessToken{.otherwise = std::chrono::hours(1), .most = std::chrono::days(1)};
constexpr Bounds kRefreshToken{.otherwise = std::chrono::days(30), .most = std::chrono::days(3'650)};

std::chrono::seconds Validity(std::int64_t value, std::string_view unit, const Bounds& bounds) {
  if (value <= 0) return bounds.otherwise;
  value = std::min<std::int64_t>(value, bounds.most.count());
  std::chrono::seconds validity = std::chrono::days(value);
  if (unit == "seconds") validity = std::chrono::seconds(value);
  if (unit == "minutes") validity = std::chrono::minutes(value);
  if (unit == "hours") validity = std::chrono::hours(value);
  return std::min(validity, bounds.most);
}

// Whether tokens say which family they are of.
bool NamesFamily(const ClientRecord& client) {
  return client.enable_token_revocation() || client.refresh_token_rotation();
}

// The same in every attempt at the plan.
std::string UuidFor(const Context& context, const std::string& name) {
  return context.env.Once<std::string>("uuid:" + name, [&] { return NewUuid(context.env.random()); });
}

// Roles of the groups, the most important first; the preferred one, unless groups of the same precedence disagree.
void AddRoles(json::object& claims, const std::vector<GroupRecord>& groups) {
  json::array roles;
  std::set<std::string_view> seen;
  for (const GroupRecord& group : groups) {
    if (!group.role_arn().empty() && seen.insert(group.role_arn()).second) roles.emplace_back(group.role_arn());
  }
  if (roles.empty()) return;
  claims["cognito:roles"] = std::move(roles);

  const auto first = std::ranges::find_if(groups, [](const GroupRecord& group) { return !group.role_arn().empty(); });
  const bool agreed = std::ranges::all_of(groups, [&](const GroupRecord& group) {
    const bool as_important =
        group.has_precedence() == first->has_precedence() && group.precedence() == first->precedence();
    return !as_important || group.role_arn().empty() || group.role_arn() == first->role_arn();
  });
  if (agreed) claims["cognito:preferred_role"] = first->role_arn();
}

void AddGroups(json::object& claims, const std::vector<GroupRecord>& groups) {
  if (groups.empty()) return;
  json::array names;
  for (const GroupRecord& group : groups) names.emplace_back(group.name());
  claims["cognito:groups"] = std::move(names);
}

// Attributes are text in the directory; some are of another type in a token (OIDC Core §5.1).
json::value AttributeClaim(const std::string& name, const std::string& value) {
  if (name == "email_verified" || name == "phone_number_verified") return json::value(value == "true");
  if (name == "address") return json::object{{"formatted", value}};
  if (name == "updated_at") {
    std::int64_t number = 0;
    const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
    if (error == std::errc() && end == value.data() + value.size()) return json::value(number);
  }
  if (name == kIdentitiesAttribute) return IdentitiesClaim(value);
  return json::value(value);
}

// What all tokens say.
struct Common {
  std::string issuer;
  std::shared_ptr<const TokenSigner::Keys> keys;
};

// Error: the pool lacks a key, or this Region does not know in whose name its tokens are.
AuthResult<Common> CommonOf(const Context& context) {
  auto issuer = directory::IssuerOf(context.env.region(), context.tx.pool(), context.pool.issuer());
  if (!issuer) {
    return Fail(AuthErrorCode::kInternal, "The tokens of the user pool have no issuer here: its Region of birth, " +
                                              BirthRegion(context.tx.pool()).value() +
                                              ", is not in this Region's configuration.");
  }
  auto keys = TokenSigner::KeysOf(context.tx);
  if (!keys) return Fail(AuthErrorCode::kInternal, "The user pool has no signing key.");
  return Common{.issuer = *std::move(issuer), .keys = std::move(keys)};
}

json::object CommonClaims(const Common& common, std::string_view sub) {
  json::object claims;
  claims["sub"] = sub;
  claims["iss"] = common.issuer;
  return claims;
}

void AddTimes(json::object& claims, const Context& context, Timestamp authenticated_at,
              std::chrono::seconds valid_for) {
  const std::int64_t now = ToSeconds(context.now());
  claims["auth_time"] = ToSeconds(authenticated_at);
  claims["exp"] = now + valid_for.count();
  claims["iat"] = now;
}

std::string IdTokenClaims(const Context& context, const Common& common, const UserRecord& user,
                          const ClientRecord& client, const Grant& grant, const std::vector<GroupRecord>& groups,
                          std::string_view access_token) {
  json::object claims = CommonClaims(common, user.sub());
  if (!grant.scope.empty()) claims["at_hash"] = Base64UrlEncode(crypto::Sha256(access_token).substr(0, 16));
  if (!grant.nonce.empty()) claims["nonce"] = grant.nonce;
  // In order, because a second attempt at the plan must say the same octets; protobuf's maps have none.
  const std::map<std::string, std::string> attributes(user.attributes().begin(), user.attributes().end());
  for (const auto& [name, value] : attributes) {
    if (ClientMayRead(client, name) && ScopeShows(grant.scope, name)) claims[name] = AttributeClaim(name, value);
  }
  AddGroups(claims, groups);
  AddRoles(claims, groups);
  claims["cognito:username"] = user.username();
  if (NamesFamily(client)) claims["origin_jti"] = grant.family;
  claims["aud"] = client.client_id();
  claims["event_id"] = UuidFor(context, "event");
  claims["token_use"] = "id";
  AddTimes(claims, context, grant.authenticated_at, IdTokenValidity(client));
  claims["jti"] = UuidFor(context, "id token");
  return json::serialize(claims);
}

std::string AccessTokenClaims(const Context& context, const Common& common, const UserRecord& user,
                              const ClientRecord& client, const Grant& grant, const std::vector<GroupRecord>& groups) {
  json::object claims = CommonClaims(common, user.sub());
  AddGroups(claims, groups);
  claims["client_id"] = client.client_id();
  if (NamesFamily(client)) claims["origin_jti"] = grant.family;
  claims["event_id"] = UuidFor(context, "event");
  claims["token_use"] = "access";
  if (grant.scope.empty()) {
    claims["scope"] = kUserAdminScope;
  } else {
    claims["scope"] = grant.scope;
    claims["version"] = 2;
  }
  AddTimes(claims, context, grant.authenticated_at, AccessTokenValidity(client));
  claims["jti"] = UuidFor(context, "access token");
  claims["username"] = user.username();
  if (!grant.sign_outs.empty()) {
    json::object counters;
    for (const auto& [region, counter] : grant.sign_outs) counters[region] = counter;
    claims[kSignOutsClaim] = std::move(counters);
  }
  if (!grant.device_key.empty()) claims["device_key"] = grant.device_key;
  return json::serialize(claims);
}

}  // namespace

std::chrono::seconds AccessTokenValidity(const ClientRecord& client) {
  return Validity(client.access_token_validity(), client.has_access_token_unit() ? client.access_token_unit() : "hours",
                  kAccessToken);
}

std::chrono::seconds IdTokenValidity(const ClientRecord& client) {
  return Validity(client.id_token_validity(), client.has_id_token_unit() ? client.id_token_unit() : "hours",
                  kAccessToken);
}

std::chrono::seconds RefreshTokenValidity(const ClientRecord& client) {
  return Validity(client.refresh_token_validity(),
                  client.has_refresh_token_unit() ? client.refresh_token_unit() : "days", kRefreshToken);
}

Grant NewGrant(const Context& context, const directory::User& user, const ClientRecord& client, std::string family) {
  return {.family = std::move(family),
          .authenticated_at = context.now(),
          .ends_at = context.now() + RefreshTokenValidity(client),
          .token_generation = user.record.token_generation(),
          .sign_outs = SignOutsOf(context.tx, user.key),
          .device_key = {}};
}

AuthResult<Tokens> IssueTokens(const Context& context, const directory::User& user, const ClientRecord& client,
                               const Grant& grant, std::optional<std::uint32_t> refresh_generation) {
  SYMBOLON_TRY(const Common common, CommonOf(context));
  const std::vector<GroupRecord> groups = GroupsOfUser(context.tx, user);
  Tokens tokens{
      .id_token = {},
      .access_token = context.signer.Sign(context.env, common.keys->access_tokens,
                                          AccessTokenClaims(context, common, user.record, client, grant, groups)),
      .refresh_token = std::nullopt,
      .expires_in = AccessTokenValidity(client),
      .new_device = std::nullopt};
  if (grant.scope.empty() || HasScope(grant.scope, kOpenIdScope)) {
    tokens.id_token =
        context.signer.Sign(context.env, common.keys->id_tokens,
                            IdTokenClaims(context, common, user.record, client, grant, groups, tokens.access_token));
  }
  if (refresh_generation) {
    pb::RefreshToken refresh;
    refresh.set_user_key(user.key);
    refresh.set_sub(user.record.sub());
    refresh.set_family(grant.family);
    refresh.set_issued_micros(ToMicros(context.now()));
    refresh.set_authenticated_micros(ToMicros(grant.authenticated_at));
    refresh.set_ends_micros(ToMicros(grant.ends_at));
    refresh.set_token_generation(grant.token_generation);
    refresh.mutable_sign_outs()->insert(grant.sign_outs.begin(), grant.sign_outs.end());
    refresh.set_generation(*refresh_generation);
    refresh.set_scope(grant.scope);
    refresh.set_device_key(grant.device_key);
    tokens.refresh_token = SealRefreshToken(context, client.client_id(), refresh);
  }
  return tokens;
}

AuthResult<ClientToken> IssueClientToken(const Context& context, const ClientRecord& client,
                                         std::span<const std::string> scopes) {
  SYMBOLON_TRY(const Common common, CommonOf(context));
  json::object claims = CommonClaims(common, client.client_id());
  claims["token_use"] = "access";
  std::string scope;
  for (const std::string& name : scopes) scope += (scope.empty() ? "" : " ") + name;
  claims["scope"] = scope;
  AddTimes(claims, context, context.now(), AccessTokenValidity(client));
  claims["version"] = 2;
  claims["jti"] = UuidFor(context, "access token");
  claims["client_id"] = client.client_id();
  return ClientToken{
      .access_token = context.signer.Sign(context.env, common.keys->access_tokens, json::serialize(claims)),
      .expires_in = AccessTokenValidity(client)};
}

}  // namespace symbolon::auth
