// A pool's token-signing keys: two at a time, one for ID tokens and one for access tokens, as Cognito has it.
#pragma once

#include <vector>

#include "base/clock.h"
#include "crypto/signing_key.h"
#include "directory/transaction.h"

namespace symbolon::cognito {

// Stores two new keys of one algorithm, the first for ID tokens, the second for access tokens, and appends their public
// halves to `published`. Kids are 32 random octets in Base64, so they end in '='.
void PublishSigningKeys(directory::Transaction& tx, directory::pb::PublicRecord& published,
                        const std::vector<crypto::SigningKey>& keys, Timestamp now);

// The present keys sign nothing any more. They stay published, because tokens that they signed are about.
void RetireSigningKeys(directory::Transaction& tx);

}  // namespace symbolon::cognito
