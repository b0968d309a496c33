#include "auth/access_tokens.h"

#include <algorithm>
#include <boost/json/parse.hpp>

#include "auth/disabling.h"
#include "auth/external_users.h"
#include "auth/tokens.h"
#include "crypto/hash.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

namespace json = boost::json;

constexpr std::size_t kRegionsMax = 64;
// No token lives so long; keeps times from overflowing.
constexpr std::int64_t kSecondsMax = std::int64_t{1} << 40;

// A string claim; empty when there is none.
std::string Text(const json::object& claims, std::string_view name) {
  const json::value* value = claims.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

std::optional<Timestamp> Time(const json::object& claims, std::string_view name) {
  const json::value* value = claims.if_contains(name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  const std::int64_t seconds = value->get_int64();
  if (seconds < 0 || seconds > kSecondsMax) return std::nullopt;
  return FromSeconds(seconds);
}

std::optional<SignOuts> ReadSignOuts(const json::object& claims) {
  SignOuts counters;
  const json::value* value = claims.if_contains(kSignOutsClaim);
  if (value == nullptr) return counters;
  if (!value->is_object() || value->get_object().size() > kRegionsMax) return std::nullopt;
  for (const auto& [region, counter] : value->get_object()) {
    const std::int64_t* number = counter.if_int64();
    if (number == nullptr || *number < 0) return std::nullopt;
    counters.emplace(region, static_cast<std::uint64_t>(*number));
  }
  return counters;
}

std::optional<AccessTokenClaims> ReadClaims(const json::object& claims, const PoolId& pool) {
  const auto authenticated_at = Time(claims, "auth_time"), issued_at = Time(claims, "iat"),
             expires_at = Time(claims, "exp");
  auto sign_outs = ReadSignOuts(claims);
  if (!authenticated_at || !issued_at || !expires_at || !sign_outs) return std::nullopt;
  AccessTokenClaims read{.pool = pool,
                         .client = ClientId(Text(claims, "client_id")),
                         .sub = Text(claims, "sub"),
                         .username = Text(claims, "username"),
                         .scope = Text(claims, "scope"),
                         .origin_jti = Text(claims, "origin_jti"),
                         .jti = Text(claims, "jti"),
                         .device_key = Text(claims, "device_key"),
                         .authenticated_at = *authenticated_at,
                         .issued_at = *issued_at,
                         .expires_at = *expires_at,
                         .sign_outs = *std::move(sign_outs)};
  if (Text(claims, "token_use") != "access" || read.client.empty() || read.sub.empty()) return std::nullopt;
  return read;
}

bool IsIssuerOf(const std::string& issuer, const directory::RegionSettings& settings, const PoolId& pool) {
  return directory::IssuerOf(settings, pool, directory::pb::ISSUER_ORIGINAL) == issuer ||
         directory::IssuerOf(settings, pool, directory::pb::ISSUER_UPDATED) == issuer;
}

// A published JWK (RFC 7517), which we wrote ourselves.
struct PublishedKey {
  std::string kid;
  crypto::Jwk jwk;
};
std::optional<PublishedKey> ParseJwk(const std::string& jwk_json) {
  json::error_code error;
  const json::value value = json::parse(jwk_json, error);
  if (error || !value.is_object()) return std::nullopt;
  const json::object& members = value.get_object();
  return PublishedKey{.kid = Text(members, "kid"),
                      .jwk = {.kty = Text(members, "kty"),
                              .alg = Text(members, "alg"),
                              .n = Text(members, "n"),
                              .e = Text(members, "e"),
                              .crv = Text(members, "crv"),
                              .x = Text(members, "x"),
                              .y = Text(members, "y")}};
}

}  // namespace

bool AccessTokenClaims::HasScope(std::string_view name) const {
  std::string_view rest = scope;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(' '), rest.size());
    if (rest.substr(0, end) == name) return true;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return false;
}

AuthError ToAuthError(AccessTokenError error) {
  const auto message = [error]() -> std::string {
    switch (error) {
      case AccessTokenError::kInvalid:
        return "Invalid Access Token";
      case AccessTokenError::kExpired:
        return "Access Token has expired";
      case AccessTokenError::kRevoked:
        return "Access Token has been revoked";
      case AccessTokenError::kScopeMissing:
        return "Access Token does not have required scopes";
    }
    return {};
  };
  return {.code = AuthErrorCode::kNotAuthorized, .message = message()};
}

AccessTokenResult<AccessTokenVerifier::Presented> AccessTokenVerifier::Present(std::string_view text) {
  if (text.size() > crypto::kJwsBytesMax) return Err(AccessTokenError::kInvalid);
  Presented presented;
  presented.text_ = text;
  presented.digest_ = crypto::Sha256(text);
  if (auto entry = verified_.Find(presented.digest_)) {
    presented.pool_ = std::move(entry->pool);
    presented.known_ = std::move(entry->value);
    return presented;
  }
  const auto jws = crypto::ParseJws(text);
  if (!jws) return Err(AccessTokenError::kInvalid);
  const std::string issuer = Text(jws->unverified_claims(), "iss");
  const std::string_view pool = std::string_view(issuer).substr(issuer.rfind('/') + 1);
  if (!IsPoolId(pool)) return Err(AccessTokenError::kInvalid);
  presented.pool_ = PoolId(std::string(pool));
  return presented;
}

AccessTokenResult<std::shared_ptr<const AccessTokenClaims>> AccessTokenVerifier::Verify(
    const Presented& token, const directory::pb::PublicRecord& published, const directory::RegionSettings& settings,
    Timestamp now) {
  if (const auto& known = token.known_) {
    if (std::ranges::find(published.jwks(), *known->jwk) == published.jwks().end()) {
      return Err(AccessTokenError::kInvalid);
    }
    if (known->claims->expires_at <= now) return Err(AccessTokenError::kExpired);
    return known->claims;
  }

  auto jws = crypto::ParseJws(token.text_);
  if (!jws) return Err(AccessTokenError::kInvalid);
  for (const std::string& jwk_json : published.jwks()) {
    const auto jwk = ParseJwk(jwk_json);
    if (!jwk || jwk->kid != jws->key_id()) continue;
    auto key = keys_.Find(token.pool_, jwk_json);
    if (!key) {
      auto opened = crypto::VerifyingKey::FromJwk(jwk->jwk);
      if (!opened) continue;
      key = *std::move(opened);
      keys_.Put(token.pool_, jwk_json, *key);
    }
    const auto verified = std::move(*jws).Verify(jwk->kid, *key);
    if (!verified || !IsIssuerOf(Text(*verified, "iss"), settings, token.pool_)) break;
    auto claims = ReadClaims(*verified, token.pool_);
    if (!claims) break;
    if (claims->expires_at <= now) return Err(AccessTokenError::kExpired);
    auto shared = std::make_shared<const AccessTokenClaims>(*std::move(claims));
    verified_.Put(token.pool_, token.digest_, {.claims = shared, .jwk = std::make_shared<const std::string>(jwk_json)});
    return shared;
  }
  return Err(AccessTokenError::kInvalid);
}

void AccessTokenVerifier::Forget(const PoolId& pool) {
  verified_.Forget(pool);
  keys_.Forget(pool);
}

AuthResult<directory::SharedUser> CheckSignedIn(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                                const AccessTokenClaims& claims) {
  if (claims.username.empty()) return Err(ToAuthError(AccessTokenError::kInvalid));
  if (MayBeForgotten(tx, claims.expires_at)) return Err(ToAuthError(AccessTokenError::kExpired));
  auto user = ShareKnownUser(tx, directory::UserKeyOf(tx, pool, claims.username));
  // Somebody else of the same name is not the token's user.
  if (!user || user->record->sub() != claims.sub) return Fail(AuthErrorCode::kUserNotFound, "User does not exist.");
  if (!IsEnabled(tx, *user->record)) return Fail(AuthErrorCode::kNotAuthorized, "User is disabled.");
  if (SignedOutSince(SignOutsOf(tx, user->key), claims.sign_outs) ||
      (!claims.origin_jti.empty() && IsFamilyRevoked(tx, claims.origin_jti))) {
    return Err(ToAuthError(AccessTokenError::kRevoked));
  }
  return *std::move(user);
}

}  // namespace symbolon::auth
