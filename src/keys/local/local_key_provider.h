// The embedded key service of one Region: CMKs in a sealed file, with the semantics of AWS KMS. Reachable through the
// AWS KMS API (kms_api).
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "keys/local/import_algorithm.h"
#include "keys/local/key_facts.h"
#include "keys/local/local_key_error.h"
#include "keys/local/replica_key.h"
#include "keys/local/root_key.h"
#include "keys/provider.h"

namespace symbolon::keys::local {

// Thread-safe. Cryptography works in memory and never blocks on changes; changes write one file and are durable when
// they succeed. After a write whose outcome is unknown every further change is refused (kUnavailable) until the next
// start.
//
// The material of a key that is disabled or pending deletion is not in memory: it is read from the file when the key is
// enabled, and for as long as a change, or telling another Region, takes.
//
// `key` is a key id or a key ARN; an alias is resolved by TargetOf(). The service's own key is not found. What a key's
// state does not allow is refused with kDisabled, kPendingDeletion, kPendingImport or kUpdating, as the table of key
// states in the AWS KMS guide has it, but that a key may be disabled and enabled while it is updating.
class LocalKeyProvider final : public KeyProvider {
 public:
  struct Options {
    // Made if it is not there. Holds the key file, the lock file and, unless named elsewhere, the root key file.
    std::filesystem::path directory;
    std::filesystem::path root_key_file = {};
    Region region;
    std::string account;
    RootKeyGuard root_key_guard = {};

    std::filesystem::path KeysFile() const { return directory / "keys"; }
    std::filesystem::path LockFile() const { return directory / "keys.lock"; }
    std::filesystem::path RootKeyFile() const { return root_key_file.empty() ? directory / "root.key" : root_key_file; }
  };

  static constexpr std::size_t kKeysMax = 10'000;
  // 8,192 UTF-16 units, as the API counts.
  static constexpr std::size_t kDescriptionBytesMax = 3 * 8192;
  static constexpr std::size_t kPolicyBytesMax = 32 * 1024;
  static constexpr std::size_t kTagsMax = 50;  // of a key
  static constexpr std::size_t kAliasesPerKeyMax = 50;
  static constexpr std::size_t kGrantsPerKeyMax = 1'000;
  static constexpr int kOnDemandRotationsMax = 25;  // of a key, ever
  static constexpr int kDeletionWindowDaysMin = 7;
  static constexpr int kDeletionWindowDaysMax = 30;
  static constexpr std::chrono::hours kImportParametersLife{24};
  static constexpr std::chrono::days kImportedMaterialLifeMax{365};

  // `clock` and `random` outlive the provider. The error's detail says what the operator has to do.
  static LocalKeyResult<std::unique_ptr<LocalKeyProvider>> Open(const Options& options, Clock& clock, Random& random);
  ~LocalKeyProvider() override;

  // ---- KeyProvider: ARNs of this Region and account ----
  std::string_view name() const override { return "local"; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override;

  // ---- cryptography for customers (cryptography.cc) ----
  struct Encrypted {
    Bytes ciphertext;
    std::string key_arn;
    std::string material_id;
  };
  struct Decrypted {
    Secret plaintext;
    std::string key_arn;
    std::string material_id;
  };
  // `plaintext`: at most kPlaintextBytesMax.
  LocalKeyResult<Encrypted> EncryptUnder(std::string_view key, const EncryptionContext& context, BytesView plaintext);
  // nullopt: the key that the ciphertext names. Errors: kInvalidCiphertext, kIncorrectKey.
  LocalKeyResult<Decrypted> DecryptUnder(const std::optional<std::string>& key, const EncryptionContext& context,
                                         BytesView ciphertext);
  // Whether its state allows cryptography.
  LocalKeyResult<KeyFactsPointer> CheckUsable(std::string_view key);
  // Whose ciphertext this says that it is; nothing of it is proven. Errors: kInvalidCiphertext.
  LocalKeyResult<KeyFactsPointer> KeyOfCiphertext(BytesView ciphertext);
  // `count`: 1 to 1,024.
  Secret GenerateRandom(std::size_t count);

  // ---- keys ----
  struct NewKey {
    bool multi_region = false;
    KeyOrigin origin = KeyOrigin::kAwsKms;
    std::string description = {};
    std::string policy = {};  // empty: the default
    Tags tags = {};
  };
  LocalKeyResult<KeyFactsPointer> CreateKey(const NewKey& key);
  LocalKeyResult<KeyDescription> CreateKey(bool multi_region, std::string_view description);
  LocalKeyResult<KeyDescription> Describe(std::string_view key);
  // Everything beside the material.
  LocalKeyResult<KeyFactsPointer> Facts(std::string_view key);
  // The same, of the service's own key as well.
  LocalKeyResult<KeyFactsPointer> FactsOfAny(std::string_view key);
  KeyState StateOf(const KeyFacts& key) const;
  Timestamp Now() const;
  struct KeyPage {
    std::vector<KeyDescription> keys;  // ascending by id
    std::optional<std::string> next;   // pass as `after` to go on
  };
  // `limit`: 1 to 1,000.
  KeyPage ListKeys(std::size_t limit, const std::optional<std::string>& after);
  // Idempotent.
  LocalKeyResult<void> EnableKey(std::string_view key);
  LocalKeyResult<void> DisableKey(std::string_view key);
  LocalKeyResult<void> SetDescription(std::string_view key, std::string_view description);
  // `policy`: at most kPolicyBytesMax; its language is the caller's to check.
  LocalKeyResult<void> SetPolicy(std::string_view key, std::string_view policy);
  // Adds, or gives another value. Errors: kLimitExceeded.
  LocalKeyResult<void> AddTags(std::string_view key, const Tags& tags);
  // Names that the key has not are passed over.
  LocalKeyResult<void> RemoveTags(std::string_view key, const std::vector<std::string>& names);

  // ---- aliases (aliases.cc): `name` is "alias/…" ----
  LocalKeyResult<void> CreateAlias(std::string_view name, std::string_view key);
  LocalKeyResult<void> UpdateAlias(std::string_view name, std::string_view key);
  LocalKeyResult<void> DeleteAlias(std::string_view name);
  // The id of the key that an alias stands for.
  LocalKeyResult<std::string> TargetOf(std::string_view name);
  // Ascending by name.
  std::vector<Alias> Aliases();

  // ---- grants (grants.cc) ----
  // `grant`'s id and creation date are set here. One with a name that equals an earlier one with that name is that one.
  LocalKeyResult<Grant> CreateGrant(std::string_view key, Grant grant);
  LocalKeyResult<void> RemoveGrant(std::string_view key, std::string_view grant_id);
  struct GrantOnKey {
    std::string key_arn;
    Grant grant;
  };
  // Ascending by key id and grant id.
  std::vector<GrantOnKey> GrantsRetirableBy(std::string_view principal);

  // ---- deletion (deletion.cc) ----
  // The days are in the bounds above. The date is unset while a multi-Region primary waits for its replicas.
  LocalKeyResult<KeyFactsPointer> ScheduleDeletion(std::string_view key, int window_days);
  // The key is disabled then.
  LocalKeyResult<KeyFactsPointer> CancelDeletion(std::string_view key);

  // ---- rotation (rotation.cc) ----
  LocalKeyResult<void> EnableRotation(std::string_view key, std::optional<int> period_days);
  LocalKeyResult<void> DisableRotation(std::string_view key);
  // Old material stays, for what was made under it. With replicas, the new material is used when all of them have it,
  // which Tick() goes on with if one cannot be reached now.
  LocalKeyResult<void> RotateOnDemand(std::string_view key, KeyReplicationTransport& transport);

  // ---- imported material (import.cc) ----
  struct ImportParameters {
    Bytes token;
    Bytes public_key;  // SubjectPublicKeyInfo, DER
    Timestamp valid_to;
  };
  // `bits` of the RSA key, which is made: takes up to seconds.
  LocalKeyResult<ImportParameters> ParametersForImport(std::string_view key, ImportAlgorithm algorithm, int bits);
  struct ImportedMaterial {
    Bytes token;
    Bytes wrapped;
    std::optional<Timestamp> valid_to;  // unset: does not expire
    bool is_new = false;                // material that the key had not before
    std::optional<std::string> material_id;
    std::optional<std::string> description;
  };
  // Errors: kInvalidCiphertext (not what the public key wrapped, or not 32 octets), kIncorrectMaterial, …
  LocalKeyResult<MaterialFacts> ImportMaterial(std::string_view key, const ImportedMaterial& imported);
  // nullopt: the current one. Answers the material's id. No effect on what is missing already.
  LocalKeyResult<std::string> DeleteImportedMaterial(std::string_view key,
                                                     const std::optional<std::string>& material_id);

  // ---- several Regions (multi_region.cc) ----
  struct NewReplica {
    std::string description = {};
    std::string policy = {};  // empty: the default
    Tags tags = {};
  };
  // Gives `target` a replica, and answers what it is there. Blocks. May be repeated after a failure, and when the
  // target has lost its keys.
  LocalKeyResult<KeyFactsPointer> ReplicateKey(std::string_view key, const Region& target, const NewReplica& replica,
                                               KeyReplicationTransport& transport);
  LocalKeyResult<KeyDescription> ReplicateKey(std::string_view key, const Region& target, std::string_view description,
                                              KeyReplicationTransport& transport);
  // To be asked in the primary's Region. Blocks. If the new primary's answer is lost, both keys are "updating" until
  // Tick() has found out.
  LocalKeyResult<void> UpdatePrimaryRegion(std::string_view key, const Region& primary,
                                           KeyReplicationTransport& transport);

  // ---- what time brings (tick.cc) ----
  // Deletes keys and material whose time has come, rotates, and tells other Regions what they do not know yet. Blocks
  // as the transport does. A Region that does not answer is asked again after a second, then ever less often, once a
  // minute at the least. Not from two threads.
  void Tick(KeyReplicationTransport& transport);
  // How many multi-Region keys, of those whose primary is here, each Region has not confirmed as they are.
  std::map<Region, std::size_t> KeysUntold() const;

  // ---- for the link between Regions (multi_region.cc) ----
  // Takes what the primary says of a key. The same again is accepted, an earlier state is refused as kStale.
  LocalKeyResult<void> AcceptReplica(const ReplicaKey& replica);
  // `region` has no replica of it any more.
  LocalKeyResult<void> ForgetReplica(const std::string& key_id, const Region& region);
  // These Regions are gone for good: they have no replicas any more. Answers the ARNs of the primary keys that had
  // some.
  LocalKeyResult<std::vector<std::string>> ForgetRegions(const std::set<Region>& regions);
  // 65 octets, the same for the life of the key file.
  Bytes TransportPublicKey() const;

  // ---- for pools without a CMK ----
  // The ARN of the service's own key, which is made at the first call.
  LocalKeyResult<std::string> EnsureServiceOwnedKey();

  // Called with a key's ARN, on the thread that did it, after a change of what it may be used for: state, material,
  // policy, grants. Set before anybody else uses this.
  void SetChangeListener(std::function<void(const std::string& key_arn)> listener);

  // What the service does by itself, for whoever audits it.
  struct OwnAct {
    enum class Kind { kRotated, kDeleted, kMaterialExpired };
    Kind kind;
    std::string key_arn;
    // Of the material that took over or expired.
    std::string material_id = {};
    // The rotation was asked for; otherwise it was due.
    bool on_demand = false;
  };
  struct OwnActs {
    // Whether they may be done now; if not, what is due waits. Quick.
    std::function<bool()> may;
    // Called on the thread that did it, when it is durable.
    std::function<void(const OwnAct& act)> did;
  };
  // Set before anybody else uses this.
  void SetOwnActs(OwnActs own_acts);

 private:
  struct State;
  explicit LocalKeyProvider(std::unique_ptr<State> state);

  std::unique_ptr<State> state_;
};

}  // namespace symbolon::keys::local
