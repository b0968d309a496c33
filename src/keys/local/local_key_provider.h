// The embedded key service of one Region: CMKs in a sealed file, with the semantics of AWS KMS where we have them.
// Reachable through the AWS KMS API (kms_api).
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "keys/provider.h"

namespace symbolon::keys::local {

enum class LocalKeyErrorCode {
  kNotFound,
  kAlreadyExists,  // The Region has this multi-Region key already.
  kDisabled,
  kUnsupported,    // Not a multi-Region primary key.
  kUnknownRegion,  // No Region of that name to replicate to.
  kLimitExceeded,
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

// A multi-Region key on its way to a Region that shall hold a replica.
struct ReplicaKey {
  std::string key_id;
  std::string description;
  Timestamp created{};
  Region primary;
  // All that there are, the new one included.
  std::vector<Region> replicas;
  std::uint32_t material_version = 0;
  // Sealed to the target's transport key (crypto/hybrid.h), bound to key id, version, primary and target.
  Bytes sealed_material;
  // The target is known to have had it: refused as kAlreadyExists if it still has.
  bool only_if_missing = false;
};

// The link to other Regions' local providers, which authenticates both ends. Thread-safe; both calls block.
class KeyReplicationTransport {
 public:
  virtual ~KeyReplicationTransport() = default;
  // LocalKeyProvider::TransportPublicKey() there. Errors: kUnknownRegion, kUnavailable.
  virtual LocalKeyResult<Bytes> TransportPublicKey(const Region& target) = 0;
  // LocalKeyProvider::AcceptReplica() there. Errors: as there, and kUnknownRegion, kUnavailable.
  virtual LocalKeyResult<void> ImportReplica(const Region& target, const ReplicaKey& key) = 0;
};

// Thread-safe. Cryptography works in memory and never blocks on changes; changes write one file and are durable when
// they succeed. After a write whose outcome is unknown every further change is refused (kUnavailable) until the next
// start.
class LocalKeyProvider final : public KeyProvider {
 public:
  struct Options {
    // Made if it is not there. Holds the key file, the lock file and, unless named elsewhere, the root key file.
    std::filesystem::path directory;
    std::filesystem::path root_key_file = {};
    Region region;
    std::string account;
  };

  static constexpr std::size_t kKeysMax = 10'000;
  static constexpr std::size_t kDescriptionBytesMax = 8192;

  // `clock` and `random` outlive the provider. The error's detail says what the operator has to do.
  static LocalKeyResult<std::unique_ptr<LocalKeyProvider>> Open(const Options& options, Clock& clock, Random& random);
  ~LocalKeyProvider() override;

  // ---- KeyProvider: ARNs of this Region and account ----
  std::string_view name() const override { return "local"; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override;

  // ---- administration: `key` is a key id or an ARN; the service's own key is not found ----
  LocalKeyResult<KeyDescription> CreateKey(bool multi_region, std::string_view description);
  LocalKeyResult<KeyDescription> Describe(std::string_view key);
  struct KeyPage {
    std::vector<KeyDescription> keys;  // ascending by id
    std::optional<std::string> next;   // pass as `after` to go on
  };
  // `limit`: 1 to 1,000.
  KeyPage ListKeys(std::size_t limit, const std::optional<std::string>& after);
  // Idempotent.
  LocalKeyResult<void> EnableKey(std::string_view key);
  LocalKeyResult<void> DisableKey(std::string_view key);
  // Gives `target` a replica, and answers its description. Blocks. May be repeated after a failure, and when the target
  // has lost its keys.
  LocalKeyResult<KeyDescription> ReplicateKey(std::string_view key, const Region& target, std::string_view description,
                                              KeyReplicationTransport& transport);

  // ---- for the link between Regions ----
  // Takes a replica; the same one again is accepted, unless it is for a Region that misses it, and changes the list of
  // replicas only.
  LocalKeyResult<void> AcceptReplica(const ReplicaKey& replica);
  // 65 octets, the same for the life of the key file.
  Bytes TransportPublicKey() const;

  // ---- for pools without a CMK ----
  // The ARN of the service's own key, which is made at the first call.
  LocalKeyResult<std::string> EnsureServiceOwnedKey();

  // Called after a key was enabled or disabled, with its ARN, on the thread that did it. Set before anybody else uses
  // this.
  void SetChangeListener(std::function<void(const std::string& key_arn)> listener);

 private:
  struct State;
  explicit LocalKeyProvider(std::unique_ptr<State> state);

  LocalKeyResult<void> SetDisabled(std::string_view key, bool disabled);

  std::unique_ptr<State> state_;
};

}  // namespace symbolon::keys::local
