// A pool's token-signing keys: two at a time, one for ID tokens and one for access tokens, as Cognito has it. All that
// ever signed stay published, because tokens that they signed are about.
#pragma once

#include <span>
#include <string>

#include "base/clock.h"
#include "crypto/signing_key.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// Stores two new keys of one algorithm, the first for ID tokens, the second for access tokens, and appends their public
// halves to `published`, which the caller stores. A kid is 32 octets in Base64, so it ends in '='.
void PublishSigningKeys(directory::Transaction& tx, directory::pb::PublicRecord& published,
                        std::span<const crypto::SigningKey> keys, Timestamp now);

// The present keys sign nothing any more.
void RetireSigningKeys(directory::Transaction& tx);

// The pool's JWK Set (RFC 7517 §5) as compact JSON: what /.well-known/jwks.json serves.
std::string JwksJson(const directory::pb::PublicRecord& published);

}  // namespace symbolon::auth
