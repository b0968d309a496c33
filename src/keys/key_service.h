// The keys of the pools of one Region, as those who serve requests see them.
#pragma once

#include <memory>
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
  // The ARN names no key that could be used, or not one of this Region.
  kUnusableKey,
};

struct KeyServiceError {
  KeyServiceErrorCode code;
  // For the client to read.
  std::string message;
};

template <class T>
using KeyServiceResult = Result<T, KeyServiceError>;

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
};

}  // namespace symbolon::keys
