// A key management service, as far as we need one: it wraps and unwraps small keys under customer managed keys (CMKs)
// that never leave it. Modelled on AWS KMS, whose terms are used.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/secret.h"

namespace symbolon::keys {

enum class KeyErrorCode {
  kNotFound,  // No such key, or not of this Region or account.
  kDisabled,  // Or without its imported material: until somebody gives it back.
  kPendingDeletion,
  kAccessDenied,
  kUnavailable,        // The service does not answer; nothing is known about the key.
  kRemoved,            // The device that holds the key is not there: the word of what would reach it, not its silence.
  kInvalidCiphertext,  // Altered, made under another key, or with another encryption context.
};

// `detail` is for the operator's log.
struct KeyError {
  KeyErrorCode code;
  std::string detail;
};

template <class T>
using KeyResult = Result<T, KeyError>;

// What a ciphertext is bound to, and what the key service's audit shows. Not secret.
using EncryptionContext = std::map<std::string, std::string>;

enum class KeyState {
  kEnabled,
  kDisabled,
  kPendingImport,  // Imported material is missing.
  kPendingDeletion,
  kPendingReplicaDeletion,  // A multi-Region primary, whose replicas go first.
  kUpdating,                // The primary Region is changing; the key may be used.
};

struct KeyDescription {
  std::string arn;
  std::string id;
  std::string description;
  KeyState state = KeyState::kEnabled;
  Timestamp created{};
  // Owned by the service itself: made by it, not shown to customers.
  bool service_owned = false;
  // A multi-Region key has the same id and material in its primary's Region and in those of its replicas.
  bool multi_region = false;
  Region primary;                // empty unless multi_region
  std::vector<Region> replicas;  // ascending
};

// Thread-safe. Every call may block (a network service; bounded by a time-out of the provider's own, after which it
// answers kUnavailable). A key is named by its ARN.
class KeyProvider {
 public:
  virtual ~KeyProvider() = default;

  // As it stands in wrapped keys: "local", "pkcs11", …
  virtual std::string_view name() const = 0;
  // Who serves this key; another than this one where several are behind it (key_providers.h).
  virtual KeyProvider& Serving(std::string_view key_arn);

  // It decides by policies of its own, which may allow one pool and not another, and tells nobody when they change.
  virtual bool HasUntoldPolicies() const { return false; }

  // A new random 256-bit key, wrapped; the key itself is shown by Decrypt only.
  virtual KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                           const EncryptionContext& context) = 0;
  // `plaintext`: 1 to kPlaintextBytesMax octets, as AWS KMS has it. The ciphertext of a multi-Region key opens in every
  // Region that has the key.
  virtual KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) = 0;
  virtual KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                    BytesView ciphertext) = 0;
  // Errors: kNotFound, kAccessDenied, kUnavailable; a disabled key is described.
  virtual KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) = 0;

  static constexpr std::size_t kDataKeyBytes = 32;
  static constexpr std::size_t kPlaintextBytesMax = 4096;
};

inline KeyProvider& KeyProvider::Serving(std::string_view) { return *this; }

}  // namespace symbolon::keys
