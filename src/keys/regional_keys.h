// A Region that opens a pool with a CMK of its own, in another key service perhaps.
//
// The pool's record (wrapped_pool_keys.h) is the same in all Regions and has the keys under the pool's CMK. A Region
// whose own CMK is another one (RegionKey in records.proto says which), or which has to open a data key that the pool's
// record has under no CMK, gets the keys from the primary: sealed to it alone, on the way between two nodes that have
// authenticated each other. It knows each by the key-check value in the pool's record, wraps it under its own CMK, and
// keeps that in a record that never leaves it. What the Region opens is the pool's record with its own wrappings in it.
//
// Keys on the way: HPKE (crypto/hybrid.h) to the receiver's key, with
//   info = "symbolon pool keys 1" ‖ length of pool (2) ‖ pool ‖ length (2) ‖ sending Region ‖ length (2) ‖ receiving
//   Region ‖ SHA-256 of the pool's record (32)
//   plaintext = for each key: length of use (1) ‖ use, as in the encryption context ‖ key (32)
// so that they open for this Region, and beside this record, only.
//
// Thread-safe. Functions that take a provider block as it does, and answer its errors.
#pragma once

#include <optional>
#include <set>
#include <string>

#include "base/ids.h"
#include "crypto/hybrid.h"
#include "keys/provider.h"

namespace symbolon::keys {

// The records' types, in storage::Space::kDirectory by Region, and kRegional with an empty id.
inline constexpr std::uint16_t kRegionKeyRecordType = 30;
inline constexpr std::uint16_t kRegionalKeysRecordType = 110;

// What a Region has of one pool's keys.
struct RegionState {
  // The pool's.
  Bytes record;
  // The Region's own; nullopt: none.
  std::optional<Bytes> regional;
  // Empty: the pool's.
  std::string own_cmk_arn;
};

Bytes SerializeRegionKey(const std::string& cmk_arn);
// nullopt: no such record.
std::optional<std::string> ParseRegionKey(BytesView stored);

struct KeysInRegionResult {
  // For OpenPoolKeys and the like. The pool's record, octet for octet, where the Region needs nothing else.
  Bytes wrapped;
  // All keys are in `wrapped`; if not, it does not open.
  bool complete = true;
  // The same for what is offered; if not, `wrapped` offers nothing.
  bool offer_complete = true;
};
// Pure. Errors: kInvalidCiphertext.
KeyResult<KeysInRegionResult> KeysInRegion(const Region& here, const RegionState& state);

// The pool's record with the check of every key, and without an offer.
KeyResult<Bytes> NoteKeyChecks(KeyProvider& provider, const Region& here, const RegionState& state);

// An offer (OfferPoolKeys) by a Region whose own CMK is not the pool's: the new generation is under the Region's alone.
struct OfferBesides {
  Bytes record;
  Bytes regional;
};
KeyResult<OfferBesides> OfferUnderOwnKey(KeyProvider& provider, const Region& here, const RegionState& state,
                                         Timestamp now, Random& random);

// All keys of the pool, and what is offered, for one Region. `receiving_key`: crypto::HybridPrivateKey::PublicKey() of
// the receiver. Errors: also kInvalidCiphertext for what is no such key.
KeyResult<Bytes> SealKeysFor(KeyProvider& provider, const Region& here, const RegionState& state,
                             const Region& receiver, BytesView receiving_key);
// The Region's own record with the keys that it lacks. Errors: also kInvalidCiphertext when the keys are not for here,
// not beside this record, not all, or not those of the pool.
KeyResult<Bytes> TakeKeysFrom(KeyProvider& provider, const Region& here, const RegionState& state, const Region& sender,
                              const crypto::HybridPrivateKey& key, BytesView sealed);

// The Region's own record with all keys under another CMK of it as well.
KeyResult<Bytes> WrapUnderOwnKey(KeyProvider& provider, const Region& here, const RegionState& state,
                                 const std::string& cmk_arn, Timestamp now);

// Pure: the Region's own record without wrappings under other CMKs than its own (those of a change that may be under
// way stay), and without data keys that the pool has no more, but for those in `kept`. nullopt: it stays as it is.
std::optional<Bytes> WithoutFormerKeys(const Region& here, const RegionState& state, const std::set<Bytes>& kept,
                                       Timestamp now);
// The data keys that it would drop. Pure.
std::set<Bytes> FormerKeys(const RegionState& state);

}  // namespace symbolon::keys
