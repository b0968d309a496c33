// Judges access tokens that callers present: first what the token itself says and proves, which needs no pool key and
// is remembered, then what has happened to its user and family since.
#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/error.h"
#include "auth/facts.h"
#include "auth/pool_cache.h"
#include "base/ids.h"
#include "crypto/signing_key.h"
#include "directory/env.h"
#include "directory/users.h"

namespace symbolon::auth {

struct AccessTokenClaims {
  PoolId pool;
  ClientId client;
  std::string sub;
  // Empty in a client's own token.
  std::string username;
  // Space-separated.
  std::string scope;
  // Empty when the client neither revokes nor rotates.
  std::string origin_jti;
  std::string jti;
  // Empty when the token is bound to no device.
  std::string device_key;
  Timestamp authenticated_at, issued_at, expires_at;
  SignOuts sign_outs;

  bool HasScope(std::string_view name) const;
};

enum class AccessTokenError {
  kInvalid,
  kExpired,
  kRevoked,
  kScopeMissing,
};

// In Cognito's words.
AuthError ToAuthError(AccessTokenError error);

template <class T>
using AccessTokenResult = Result<T, AccessTokenError>;

// One for the process. Thread-safe. Remembers verified tokens and opened public keys, within bounds.
class AccessTokenVerifier {
 public:
  explicit AccessTokenVerifier(std::size_t tokens_max = 20'000, std::size_t keys_max = 1'024)
      : verified_(tokens_max), keys_(keys_max) {}

  class Presented;

  // Where to take the token: the pool that its `iss` names. Refers to `text`. Errors: kInvalid.
  AccessTokenResult<Presented> Present(std::string_view text);

  // What the token says, if a key in `published` (that of token.pool()) signed it, it is an access token of the pool
  // and has not expired. Either type of issuer is fine: the pool may have changed its type. Errors: kInvalid, kExpired.
  AccessTokenResult<std::shared_ptr<const AccessTokenClaims>> Verify(const Presented& token,
                                                                     const directory::pb::PublicRecord& published,
                                                                     const directory::RegionSettings& settings,
                                                                     Timestamp now);

  // Drops what is remembered of the pool: it was locked or deleted.
  void Forget(const PoolId& pool);

 private:
  struct Verified {
    std::shared_ptr<const AccessTokenClaims> claims;
    // The key's JWK as published: the token is good while it is.
    std::shared_ptr<const std::string> jwk;
  };

  PoolCache<Verified> verified_;          // by the token's SHA-256
  PoolCache<crypto::VerifyingKey> keys_;  // by the JWK's text
};

// A token that was not verified now: its pool may be known by its own word only.
class AccessTokenVerifier::Presented {
 public:
  const PoolId& pool() const { return pool_; }

 private:
  friend class AccessTokenVerifier;
  std::string_view text_;
  Bytes digest_;
  PoolId pool_;
  std::optional<Verified> known_;
};

// The user of a verified token, who exists, is enabled, and has not been signed out, nor has the token's family been
// revoked. The scope is the caller's to check. Errors: kUserNotFound, kNotAuthorized.
AuthResult<directory::SharedUser> CheckSignedIn(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                                const AccessTokenClaims& claims);

}  // namespace symbolon::auth
