// Compact JSON Web Signatures (RFC 7515), the form in which every token travels. The algorithm is the key's: what a
// token says about it is only compared. Thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/signing_key.h"

namespace symbolon::crypto {

enum class JwsError {
  kTooLarge,
  kMalformed,         // Not three parts, not base64url, not JSON objects, no "kid", "crit" present.
  kAlgorithmRefused,  // Neither RS256 nor ES256 ("none", "HS256", …), or not the algorithm of the key.
  kWrongKey,          // "kid" names another key.
  kBadSignature,
};

template <class T>
using JwsResult = Result<T, JwsError>;

inline constexpr std::size_t kJwsBytesMax = 16 * 1024;

// header {"kid":…,"alg":…} and the payload, a JSON text, as it is.
std::string SignJws(const SigningKey& key, std::string_view key_id, std::string_view payload_json);

// What stands in a token, before anything of it may be believed: enough to find the key. Not thread-safe.
class UnverifiedJws {
 public:
  const std::string& key_id() const { return key_id_; }
  SignatureAlgorithm algorithm() const { return algorithm_; }
  const boost::json::object& unverified_claims() const { return claims_; }

  // The claims, if `key`, named `key_id`, signed them. Leaves this object without claims.
  // Errors: kWrongKey, kAlgorithmRefused, kBadSignature.
  JwsResult<boost::json::object> Verify(std::string_view key_id, const VerifyingKey& key) &&;

 private:
  friend JwsResult<UnverifiedJws> ParseJws(std::string_view token);

  std::string key_id_;
  SignatureAlgorithm algorithm_{};
  boost::json::object claims_;
  std::string signing_input_;
  Bytes signature_;
};

// Errors: kTooLarge, kMalformed, kAlgorithmRefused. JSON nests at most 16 deep.
JwsResult<UnverifiedJws> ParseJws(std::string_view token);

}  // namespace symbolon::crypto
