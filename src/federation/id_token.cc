#include "federation/id_token.h"

#include <algorithm>
#include <cmath>

#include "crypto/hash.h"
#include "crypto/jws.h"

namespace symbolon::federation {
namespace {

namespace json = boost::json;

// No token lives so long; keeps times from overflowing.
constexpr double kSecondsMax = double{1ULL << 40};

std::string Text(const json::object& claims, std::string_view name) {
  const json::value* value = claims.if_contains(name);
  const json::string* text = value == nullptr ? nullptr : value->if_string();
  return text == nullptr ? std::string() : std::string(*text);
}

// NumericDate (RFC 7519 §2): seconds, perhaps with a fraction.
std::optional<Timestamp> Time(const json::object& claims, std::string_view name) {
  const json::value* value = claims.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  const double seconds = value->to_number<double>();
  if (!(seconds >= 0) || seconds > kSecondsMax) return std::nullopt;
  return FromSeconds(static_cast<std::int64_t>(std::floor(seconds)));
}

// `aud` is one text or several; of several, `azp` has to say that we are the one whom the token is for.
bool IsFor(const json::object& claims, const std::string& audience) {
  const json::value* value = claims.if_contains("aud");
  if (value == nullptr) return false;
  if (claims.contains("azp") && Text(claims, "azp") != audience) return false;
  if (const json::string* one = value->if_string()) return *one == audience;
  const json::array* several = value->if_array();
  if (several == nullptr) return false;
  const bool named = std::ranges::any_of(
      *several, [&](const json::value& entry) { return entry.is_string() && entry.get_string() == audience; });
  return named && (several->size() == 1 || claims.contains("azp"));
}

bool IsSubject(std::string_view text) {
  return !text.empty() && text.size() <= kSubjectBytesMax &&
         std::ranges::all_of(text, [](char c) { return c > ' ' && c < 0x7f; });
}

IdTokenError Translate(crypto::JwsError error) {
  switch (error) {
    case crypto::JwsError::kTooLarge:
    case crypto::JwsError::kMalformed:
      return IdTokenError::kMalformed;
    case crypto::JwsError::kAlgorithmRefused:
      return IdTokenError::kAlgorithm;
    case crypto::JwsError::kWrongKey:
      return IdTokenError::kKey;
    case crypto::JwsError::kBadSignature:
      return IdTokenError::kSignature;
  }
  return IdTokenError::kMalformed;
}

}  // namespace

std::string_view Name(IdTokenError error) {
  switch (error) {
    case IdTokenError::kMalformed:
      return "malformed";
    case IdTokenError::kAlgorithm:
      return "an algorithm that is not taken";
    case IdTokenError::kKey:
      return "signed by a key that the issuer does not have";
    case IdTokenError::kSignature:
      return "a wrong signature";
    case IdTokenError::kIssuer:
      return "another issuer";
    case IdTokenError::kAudience:
      return "another audience";
    case IdTokenError::kNonce:
      return "another nonce";
    case IdTokenError::kSubject:
      return "no proper subject";
    case IdTokenError::kExpired:
      return "expired";
    case IdTokenError::kNotYet:
      return "issued in the future";
  }
  return "";
}

Result<std::string, IdTokenError> KeyIdOf(std::string_view token) {
  const auto jws = crypto::ParseJws(token);
  if (!jws) return Err(Translate(jws.error()));
  return jws->key_id();
}

Result<IdToken, IdTokenError> VerifyIdToken(std::string_view token, const ProviderKey& key, const Expected& expected) {
  auto jws = crypto::ParseJws(token);
  if (!jws) return Err(Translate(jws.error()));
  auto claims = std::move(*jws).Verify(key.kid, key.key);
  if (!claims) return Err(Translate(claims.error()));

  if (expected.issuer.empty() || Text(*claims, "iss") != expected.issuer) return Err(IdTokenError::kIssuer);
  if (expected.audience.empty() || !IsFor(*claims, expected.audience)) return Err(IdTokenError::kAudience);
  if (expected.nonce.empty() || !crypto::EqualSecrets(Text(*claims, "nonce"), expected.nonce))
    return Err(IdTokenError::kNonce);
  const auto expires_at = Time(*claims, "exp"), issued_at = Time(*claims, "iat");
  if (!expires_at || !issued_at) return Err(IdTokenError::kMalformed);
  if (*expires_at + kClockLeeway <= expected.now) return Err(IdTokenError::kExpired);
  if (*issued_at > expected.now + kClockLeeway) return Err(IdTokenError::kNotYet);
  if (claims->contains("nbf")) {
    const auto not_before = Time(*claims, "nbf");
    if (!not_before) return Err(IdTokenError::kMalformed);
    if (*not_before > expected.now + kClockLeeway) return Err(IdTokenError::kNotYet);
  }
  IdToken verified{.subject = Text(*claims, "sub"), .claims = *std::move(claims)};
  if (!IsSubject(verified.subject)) return Err(IdTokenError::kSubject);
  return verified;
}

}  // namespace symbolon::federation
