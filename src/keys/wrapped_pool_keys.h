// A pool's keys at rest: made once under the pool's CMK, stored as one record (records.proto), opened in every Region
// that has the CMK.
//
// Encryption context of every key: "aws:cognito-idp:userpool-arn" = the pool's ARN in the Region in which it was born,
// and "symbolon:key" = "index", "identity", "token" or "data:" and the generation in hexadecimal, so that no wrapped
// key can stand in for another.
//
// A sealed record is
//   format (1 octet: 1) ‖ generation (16) ‖ length of Region (1) ‖ Region that sealed it ‖ XAES-256-GCM sealed
//   plaintext
// with the additional data (numbers big-endian)
//   "symbolon record 1" ‖ all octets before the sealed plaintext ‖ space (1) ‖ length of pool (2) ‖ pool ‖ type (2)
//   ‖ length of id (2) ‖ id
// A sealed token is
//   format (1 octet: 1) ‖ XAES-256-GCM sealed plaintext
// under HKDF-SHA256(token key, info = "symbolon token key 1" ‖ purpose (1)), with the additional data
//   "symbolon token 1" ‖ format ‖ purpose (1) ‖ length of pool (2) ‖ pool ‖ length of audience (2) ‖ audience
// A blind index is HMAC-SHA256(index key, length of label (4) ‖ label ‖ value); a derived value the same under the
// identity key.
#pragma once

#include <memory>
#include <string>

#include "base/ids.h"
#include "keys/pool_keys.h"
#include "keys/provider.h"

namespace symbolon::keys {

// Draws a pool's keys: the serialised record. `cmk_arn` and `user_pool_arn` as in the Region at hand. Blocks as the
// provider does; errors are the provider's.
KeyResult<Bytes> WrapNewPoolKeys(KeyProvider& provider, const std::string& cmk_arn, const std::string& user_pool_arn,
                                 Random& random);

// What stands in the record, in clear.
struct WrappedPoolKeysOrigin {
  std::string provider;
  std::string cmk_arn;
  std::string user_pool_arn;
};
// Errors: kInvalidCiphertext for what is no such record.
KeyResult<WrappedPoolKeysOrigin> OriginOfPoolKeys(BytesView wrapped);

// Unwraps all of them, in Region `here`. Blocks as the provider does. Errors: the provider's; kInvalidCiphertext also
// for a record that is none, or of another provider.
KeyResult<std::shared_ptr<const PoolKeys>> OpenPoolKeys(KeyProvider& provider, const Region& here, const PoolId& pool,
                                                        BytesView wrapped);

// One real Decrypt: whether the CMK may still be used. Errors as above.
KeyResult<void> ProbePoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped);

}  // namespace symbolon::keys
