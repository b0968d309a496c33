// ID tokens of identity providers (OpenID Connect Core §3.1.3.7). Pure and thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "federation/jwks.h"

namespace symbolon::federation {

enum class IdTokenError {
  // Not a JWS, or claims of other types than they should be.
  kMalformed,
  // "none", HMAC, or another algorithm than its key's.
  kAlgorithm,
  // Signed by a key of another name, or not by this one.
  kKey,
  kSignature,
  kIssuer,
  kAudience,
  kNonce,
  kSubject,
  kExpired,
  // Issued later than now.
  kNotYet,
};
std::string_view Name(IdTokenError error);

// Of clocks that differ.
inline constexpr std::chrono::minutes kClockLeeway{2};
// OpenID Connect Core §2: a subject has at most 255 ASCII characters. With the provider's name before it, it has to be
// a user name.
inline constexpr std::size_t kSubjectBytesMax = 255;

struct Expected {
  std::string issuer;
  // Our client id at the provider.
  std::string audience;
  std::string nonce;
  Timestamp now;
};

struct IdToken {
  std::string subject;
  boost::json::object claims;
};

// The "kid" of a token that may be one; nothing of it is believed. Errors: kMalformed, kAlgorithm.
Result<std::string, IdTokenError> KeyIdOf(std::string_view token);

Result<IdToken, IdTokenError> VerifyIdToken(std::string_view token, const ProviderKey& key, const Expected& expected);

}  // namespace symbolon::federation
