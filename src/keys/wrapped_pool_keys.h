// A pool's keys at rest: made once under the pool's CMK, stored as one record (records.proto), opened in every Region
// that has the CMK.
//
// Encryption context of every key: "aws:cognito-idp:userpool-arn" = the pool's ARN in the Region in which it was born,
// and "symbolon:key" = "index", "identity", "token" or "data:" and the generation in hexadecimal, so that no wrapped
// key can stand in for another.
//
// A change of CMK, or a new generation under the same one, is *offered* first: the record holds what is to follow it,
// which seals nothing yet, until every Region that serves the pool has opened it. Then what was offered becomes the
// record (docs/adr/0016-life-of-a-key.md).
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
// identity key. A key-check value is HKDF-SHA256(data key, info = "symbolon key check 1" ‖ generation (16) ‖ pool), of
// a long-lived key the same with its use ("index", "identity", "token") for the generation.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "keys/pool_keys.h"
#include "keys/provider.h"

namespace symbolon::keys {

// Every one is unwrapped when a pool is opened.
inline constexpr int kGenerationsMax = 64;
// The oldest one gives way.
inline constexpr int kFormerCmksMax = 64;

// Draws a pool's keys: the serialised record. `cmk_arn` and `user_pool_arn` as in the Region at hand. Blocks as the
// provider does; errors are the provider's.
KeyResult<Bytes> WrapNewPoolKeys(KeyProvider& provider, const std::string& cmk_arn, const std::string& user_pool_arn,
                                 Timestamp now, Random& random);

// What stands in the record, in clear.
struct WrappedPoolKeysContents {
  struct Generation {
    Bytes name;
    // nullopt: not noted.
    std::optional<Timestamp> created;
    // SHA-256 of the wrapped key's octets.
    Bytes wrapped_sha256;
  };
  std::string provider;
  std::string cmk_arn;
  std::string user_pool_arn;
  std::vector<Generation> generations;  // the oldest first
  Bytes sealing_generation;
  // Every key is under the CMK, also of what is offered; if not, Regions have them in records of their own
  // (regional_keys.h).
  bool complete = true;
  // nullopt: nothing is offered.
  std::optional<Timestamp> offered_at;
  std::string offered_cmk_arn;
  // CMKs under which the keys were before, in whichever Region, the latest last; none of them is `cmk_arn`.
  std::vector<std::string> former_cmk_arns = {};
};
// Errors: kInvalidCiphertext for what is no such record.
KeyResult<WrappedPoolKeysContents> ContentsOfPoolKeys(BytesView wrapped);

// The record, and what it offers, with this CMK as a former one: the latest. Pure.
KeyResult<Bytes> NoteFormerCmk(BytesView wrapped, const std::string& cmk_arn);

// Unwraps all of them, in Region `here`; of an offer its new generation too, if it opens. Blocks as the provider does.
// Errors: the provider's; kInvalidCiphertext also for a record that is none, or of another provider.
KeyResult<std::shared_ptr<const PoolKeys>> OpenPoolKeys(KeyProvider& provider, const Region& here, const PoolId& pool,
                                                        BytesView wrapped);

// One real Decrypt: whether the CMK may still be used. Errors as above.
KeyResult<void> ProbePoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped);

// The record with an offer: all its keys under `cmk_arn` (as in Region `here`), and a new data-key generation. With the
// CMK that wraps them already they stay as they are. An offer that is there gives way. There must be fewer than
// kGenerationsMax. Blocks as the provider does. Errors: as above. `as_opened`: the record as Region `here` opens it
// (KeysInRegion(); under the pool's CMK).
KeyResult<Bytes> OfferPoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped, BytesView as_opened,
                               const std::string& cmk_arn, Timestamp now, Random& random);
inline KeyResult<Bytes> OfferPoolKeys(KeyProvider& provider, const Region& here, BytesView wrapped,
                                      const std::string& cmk_arn, Timestamp now, Random& random) {
  return OfferPoolKeys(provider, here, wrapped, wrapped, cmk_arn, now, random);
}

// What is offered, opened under its own CMK as it will be used, and the key-check value of its new generation, which is
// equal in all Regions. Errors: as OpenPoolKeys; kInvalidCiphertext also when nothing is offered.
struct OpenedOffer {
  Bytes record;  // what TakeOffer answers
  std::shared_ptr<const PoolKeys> keys;
  Bytes check;
};
KeyResult<OpenedOffer> OpenOffer(KeyProvider& provider, const Region& here, const PoolId& pool, BytesView wrapped);

// The record that follows the offer, and the record without it; the latter as it is when nothing is offered. Pure.
KeyResult<Bytes> TakeOffer(BytesView wrapped);
KeyResult<Bytes> WithdrawOffer(BytesView wrapped);
// Without these generations, which must not be the sealing one. Nothing may be offered. Pure.
KeyResult<Bytes> DropGenerations(BytesView wrapped, const std::set<Bytes>& generations);

}  // namespace symbolon::keys
