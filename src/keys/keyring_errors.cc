#include "keys/keyring_errors.h"

namespace symbolon::keys::internal {

KeyServiceError ForClient(const KeyError& error) {
  switch (error.code) {
    case KeyErrorCode::kDisabled:
      return {KeyServiceErrorCode::kWithdrawn, "The KMS key of the user pool is disabled."};
    case KeyErrorCode::kPendingDeletion:
      return {KeyServiceErrorCode::kWithdrawn, "The KMS key of the user pool is pending deletion."};
    case KeyErrorCode::kNotFound:
      return {KeyServiceErrorCode::kWithdrawn, "The KMS key of the user pool is deleted, or not found in this Region."};
    case KeyErrorCode::kAccessDenied:
      return {KeyServiceErrorCode::kWithdrawn, "Access to the KMS key of the user pool is denied."};
    case KeyErrorCode::kUnavailable:
      return {KeyServiceErrorCode::kUnavailable, "The KMS key of the user pool cannot be reached."};
    case KeyErrorCode::kRemoved:
      return {KeyServiceErrorCode::kWithdrawn, "The HSM token with the KMS key of the user pool is removed."};
    case KeyErrorCode::kInvalidCiphertext:
      return {KeyServiceErrorCode::kUnavailable, "The keys of the user pool cannot be opened."};
  }
  return {KeyServiceErrorCode::kUnavailable, ""};
}

KeyServiceError ForCaller(const KeyError& error, const std::string& arn) {
  switch (error.code) {
    case KeyErrorCode::kUnavailable:
      return {KeyServiceErrorCode::kUnavailable, "The KMS key cannot be reached."};
    case KeyErrorCode::kDisabled:
      return {KeyServiceErrorCode::kUnusableKey, "The KMS key " + arn + " is disabled."};
    case KeyErrorCode::kPendingDeletion:
      return {KeyServiceErrorCode::kUnusableKey, "The KMS key " + arn + " is pending deletion."};
    case KeyErrorCode::kRemoved:
      return {KeyServiceErrorCode::kUnusableKey, "The HSM token with the KMS key " + arn + " is removed."};
    case KeyErrorCode::kNotFound:
    case KeyErrorCode::kInvalidCiphertext:
      return {KeyServiceErrorCode::kUnusableKey, "The KMS key " + arn + " does not exist in this Region."};
    case KeyErrorCode::kAccessDenied:
      return {KeyServiceErrorCode::kUnusableKey, "Access to the KMS key " + arn + " is denied (kms:DescribeKey)."};
  }
  return {KeyServiceErrorCode::kUnusableKey, ""};
}

}  // namespace symbolon::keys::internal
