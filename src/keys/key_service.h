// The keys of the pools of one Region, as those who serve requests see them.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "keys/pool_keys.h"
#include "storage/store.h"

namespace symbolon::keys {

enum class KeyServiceErrorCode {
  // The pool has no keys in this Region's store.
  kNoKeys,
  // The customer's key is disabled, deleted or denied: the pool is locked here until it is given back.
  kWithdrawn,
  // The key provider does not answer.
  kUnavailable,
  // The ARN names no key that could be used, or not one of this Region; or the pool has as many generations as it may.
  kUnusableKey,
};

struct KeyServiceError {
  KeyServiceErrorCode code;
  // For the client to read.
  std::string message;
};

template <class T>
using KeyServiceResult = Result<T, KeyServiceError>;

// Of a pool's keys in this Region, for people.
struct PoolKeyStatus {
  enum class State {
    kOpen,
    // Somebody withdrew the CMK, or its provider cannot be reached: until that ends.
    kLocked,
    // The key service says that there is no such CMK: deleted for good, or missing until somebody brings it back.
    kLost,
  };
  State state = State::kOpen;
  // Of a pool that is not open: as clients are told.
  std::string reason;
  // Since when it is locked or lost, as seen here; nullopt: open.
  std::optional<Timestamp> since;
  // As in this Region.
  std::string cmk_arn;
};

// Thread-safe.
class KeyService {
 public:
  struct NewKeys {
    Bytes wrapped;  // keys/records.proto, to be stored in clear under directory::RecordType::kWrappedKeys
    std::shared_ptr<const PoolKeys> opened;
  };

  virtual ~KeyService() = default;
  // The pool's opened keys. Quick, unless they are opened for the first time. Holders let go after one request.
  virtual KeyServiceResult<std::shared_ptr<const PoolKeys>> KeysOf(const storage::Snapshot& snapshot,
                                                                   const PoolId& pool) = 0;
  // Keys for a new pool, under a customer's key or (empty ARN) the service's own. Blocks.
  virtual KeyServiceResult<NewKeys> MakeKeys(const PoolId& pool, const std::string& kms_key_arn) = 0;
  // The Regions in which a multi-Region key exists; empty for a single-Region one. Blocks.
  virtual KeyServiceResult<std::vector<Region>> RegionsOfKey(const std::string& kms_key_arn) = 0;

  // ---- the life of a pool's key (docs/keys.md) ----
  // Opens the pool's keys if they were not. Errors: kNoKeys, kUnavailable (the record cannot be read).
  virtual KeyServiceResult<PoolKeyStatus> StatusOf(const storage::Snapshot& snapshot, const PoolId& pool) = 0;
  // The pool's record of wrapped keys with an offer: a new data-key generation, under the CMK that wraps its keys now
  // (nullopt), under another, or under the service's own (empty). Blocks.
  struct Offer {
    Bytes record;
    // What becomes this Region's own record of keys in the same commit.
    std::optional<Bytes> regional;
  };
  virtual KeyServiceResult<Offer> OfferKeys(const storage::Snapshot& snapshot, const PoolId& pool,
                                            const std::optional<std::string>& kms_key_arn) = 0;
  // Opens what the pool's record offers, so that it serves from the moment at which it becomes the record, and answers
  // its key-check value (wrapped_pool_keys.h). Blocks.
  virtual KeyServiceResult<Bytes> ConfirmOffer(const storage::Snapshot& snapshot, const PoolId& pool) = 0;
  // Somebody may be sealing yet with keys of a record that was replaced.
  virtual bool FormerKeysInUse(const PoolId& pool) = 0;

  // ---- Regions with a CMK of their own (regional_keys.h); all but the first two block ----
  // Another Region has to send keys first; also of an offer. Errors: kNoKeys, kUnavailable.
  virtual KeyServiceResult<bool> LacksKeys(const storage::Snapshot& snapshot, const PoolId& pool) = 0;
  // To what keys for this Region are sealed: of this process.
  virtual Bytes ReceivingKey() = 0;
  // All keys of the pool, for the holder of that key in another Region.
  virtual KeyServiceResult<Bytes> SealKeysFor(const storage::Snapshot& snapshot, const PoolId& pool,
                                              const Region& receiver, BytesView receiving_key) = 0;
  // What becomes this Region's own record of the pool's keys (storage::Space::kRegional, kRegionalKeysRecordType): with
  // those that another Region has sealed for here, or with all under another CMK of this Region.
  virtual KeyServiceResult<Bytes> TakeKeys(const storage::Snapshot& snapshot, const PoolId& pool, const Region& sender,
                                           BytesView sealed) = 0;
  virtual KeyServiceResult<Bytes> WrapUnder(const storage::Snapshot& snapshot, const PoolId& pool,
                                            const std::string& kms_key_arn) = 0;
  // Whether a key is one that pools of this Region may have.
  virtual KeyServiceResult<void> CheckKey(const std::string& kms_key_arn) = 0;
  // The pool's record, with the checks by which other Regions know the keys that they are sent.
  virtual KeyServiceResult<Bytes> NoteChecks(const storage::Snapshot& snapshot, const PoolId& pool) = 0;
};

}  // namespace symbolon::keys
