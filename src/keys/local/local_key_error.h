// What the local key service refuses, and why.
#pragma once

#include <string>

#include "base/result.h"

namespace symbolon::keys::local {

enum class LocalKeyErrorCode {
  kNotFound,
  kAlreadyExists,  // The Region has this multi-Region key already; an alias has that name.
  kDisabled,
  kPendingDeletion,
  kNotPendingDeletion,
  kPendingImport,
  kUpdating,           // The key's primary Region is changing.
  kUnsupported,        // Not a multi-Region primary key.
  kWrongOrigin,        // Not for a key of this origin.
  kRotating,           // A rotation is under way.
  kNothingToRotateTo,  // No new material was imported.
  kUnknownRegion,      // No Region of that name, or none that has the key.
  kLimitExceeded,
  kStale,  // Another Region knows a later state of the key.
  kInvalidCiphertext,
  kIncorrectKey,  // The ciphertext is another key's.
  kNoSuchMaterial,
  kIncorrectMaterial,  // Not the material that the key had before.
  kInvalidImportToken,
  kExpiredImportToken,
  kInvalidExpiry,  // Not in the future, or too far in it.
  kNoSuchGrant,
  kMalformed,    // Material of a replica that does not open, or key ids that are none.
  kUnavailable,  // The disk, or the other Region; nothing has changed here.
};

// `detail` is for the operator's log.
struct LocalKeyError {
  LocalKeyErrorCode code;
  std::string detail;
};

template <class T>
using LocalKeyResult = Result<T, LocalKeyError>;

}  // namespace symbolon::keys::local
