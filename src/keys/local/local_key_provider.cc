#include "keys/local/local_key_provider.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "crypto/hash.h"
#include "crypto/hybrid.h"
#include "keys/arn.h"
#include "keys/local/key_file.h"
#include "keys/local/key_store.pb.h"
#include "keys/local/material.h"

namespace symbolon::keys::local {
namespace {

constexpr std::uint32_t kFirstMaterialVersion = 1;
constexpr std::size_t kMultiRegionIdOctets = 16;
constexpr std::size_t kReplicaRegionsMax = 64;

// Immutable: a changed key is a new one with the same material.
struct LocalKey {
  KeyDescription description;
  std::shared_ptr<const KeyMaterial> material;
};

using KeyPointer = std::shared_ptr<const LocalKey>;
using KeyMap = std::map<std::string, KeyPointer, std::less<>>;

LocalKeyError Error(LocalKeyErrorCode code, std::string detail) { return {code, std::move(detail)}; }

LocalKeyError FromFile(const FileError& error) { return Error(LocalKeyErrorCode::kUnavailable, error.detail); }

// What the sealed material of a replica is bound to.
Bytes ReplicaInfo(const ReplicaKey& replica, const Region& target) {
  Bytes info;
  for (BytesView part : {BytesView("symbolon kms replica 1"), BytesView(replica.key_id),
                         BytesView(replica.primary.value()), BytesView(target.value())}) {
    AppendBigEndian32(info, static_cast<std::uint32_t>(part.size()));
    info += part;
  }
  AppendBigEndian32(info, replica.material_version);
  return info;
}

void Store(const LocalKey& key, pb::StoredKey& stored) {
  const KeyDescription& description = key.description;
  stored.set_id(description.id);
  stored.set_description(description.description);
  stored.set_created_micros(ToMicros(description.created));
  stored.set_disabled(description.state == KeyState::kDisabled);
  stored.set_service_owned(description.service_owned);
  stored.set_multi_region(description.multi_region);
  stored.set_primary_region(description.primary.value());
  for (const Region& region : description.replicas) stored.add_replica_regions(region.value());
  stored.mutable_material()->set_version(key.material->version());
  stored.mutable_material()->set_octets(Bytes(key.material->octets().view()));
}

// nullptr for a key without usable material.
KeyPointer Restore(const pb::StoredKey& stored, std::string arn) {
  if (stored.material().octets().size() != KeyProvider::kDataKeyBytes) return nullptr;
  auto key = std::make_shared<LocalKey>();
  key->description = {.arn = std::move(arn),
                      .id = stored.id(),
                      .description = stored.description(),
                      .state = stored.disabled() ? KeyState::kDisabled : KeyState::kEnabled,
                      .created = FromMicros(stored.created_micros()),
                      .service_owned = stored.service_owned(),
                      .multi_region = stored.multi_region(),
                      .primary = Region(stored.primary_region())};
  for (const std::string& region : stored.replica_regions()) key->description.replicas.emplace_back(region);
  key->material = std::make_shared<KeyMaterial>(stored.id(), stored.material().version(),
                                                Secret::CopyOf(stored.material().octets()));
  return key;
}

}  // namespace

struct LocalKeyProvider::State {
  // Constant after Open().
  Region region;
  std::string account;
  Clock& clock;
  Random& random;
  DirectoryLock lock;
  KeyFile file;
  crypto::HybridPrivateKey transport_key;
  std::function<void(const std::string&)> listener;

  std::mutex change_mutex;  // Held while the file is written; taken before keys_mutex.
  bool refuse_changes = false;

  mutable std::mutex keys_mutex;
  KeyMap keys;

  std::string ArnOf(std::string_view key_id) const {
    return KeyArn{.region = region, .account = account, .key_id = std::string(key_id)}.ToString();
  }

  // By id or ARN.
  KeyPointer Find(std::string_view key) const {
    std::string_view id = key;
    const auto arn = ParseKeyArn(key);
    if (arn) {
      if (arn->region != region || arn->account != account) return nullptr;
      id = arn->key_id;
    }
    std::lock_guard guard(keys_mutex);
    const auto found = keys.find(id);
    return found == keys.end() ? nullptr : found->second;
  }

  LocalKeyResult<KeyPointer> FindCustomerKey(std::string_view key) const {
    KeyPointer found = Find(key);
    if (found == nullptr || found->description.service_owned) {
      return Err(Error(LocalKeyErrorCode::kNotFound, "no such key in this Region"));
    }
    return found;
  }

  KeyResult<KeyPointer> FindUsable(std::string_view key_arn) const {
    KeyPointer found = ParseKeyArn(key_arn) ? Find(key_arn) : nullptr;
    if (found == nullptr) return Err(KeyError{KeyErrorCode::kNotFound, "no key " + std::string(key_arn)});
    if (found->description.state == KeyState::kDisabled) {
      return Err(KeyError{KeyErrorCode::kDisabled, std::string(key_arn) + " is disabled"});
    }
    return found;
  }

  // Adds or replaces one key, durably, then visibly. With change_mutex held.
  LocalKeyResult<void> Change(KeyPointer key) {
    if (refuse_changes) {
      return Err(Error(LocalKeyErrorCode::kUnavailable, "an earlier write of the key file is in doubt: restart"));
    }
    KeyMap next = Copy();
    next.insert_or_assign(key->description.id, key);
    SYMBOLON_TRY_VOID(WriteFile(next));
    std::lock_guard guard(keys_mutex);
    keys.swap(next);
    return {};
  }

  LocalKeyResult<void> Add(KeyPointer key) {
    if (Copy().size() >= kKeysMax) return Err(Error(LocalKeyErrorCode::kLimitExceeded, "too many keys"));
    return Change(std::move(key));
  }

  KeyMap Copy() const {
    std::lock_guard guard(keys_mutex);
    return keys;
  }

  LocalKeyResult<void> WriteFile(const KeyMap& all) {
    pb::StoredKeys stored;
    stored.set_region(region.value());
    stored.set_account(account);
    stored.set_transport_private_key(Bytes(transport_key.ToPkcs8().view()));
    for (const auto& [id, key] : all) Store(*key, *stored.add_keys());
    const auto written = file.Write(stored, random);
    WipeStoredKeys(stored);
    if (written) return {};
    refuse_changes = written.error().code == FileError::Code::kAmbiguous;
    return Err(FromFile(written.error()));
  }

  KeyPointer NewKey(std::string id, bool multi_region, std::string_view description) {
    auto key = std::make_shared<LocalKey>();
    key->description = {.arn = ArnOf(id),
                        .id = id,
                        .description = std::string(description),
                        .created = clock.Now(),
                        .multi_region = multi_region,
                        .primary = multi_region ? region : Region()};
    key->material =
        std::make_shared<KeyMaterial>(std::move(id), kFirstMaterialVersion, Secret(random.Octets(kDataKeyBytes)));
    return key;
  }
};

LocalKeyProvider::LocalKeyProvider(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalKeyProvider::~LocalKeyProvider() = default;

LocalKeyResult<std::unique_ptr<LocalKeyProvider>> LocalKeyProvider::Open(const Options& options, Clock& clock,
                                                                         Random& random) {
  const auto unavailable = [](const FileError& error) { return Err(FromFile(error)); };
  std::error_code error;
  if (std::filesystem::create_directories(options.directory, error)) {
    std::filesystem::permissions(options.directory, std::filesystem::perms::owner_all, error);
  }
  if (error) {
    return Err(
        Error(LocalKeyErrorCode::kUnavailable, "cannot make " + options.directory.string() + ": " + error.message()));
  }
  auto lock = DirectoryLock::Take(options.directory / "keys.lock");
  if (!lock) return unavailable(lock.error());
  const auto root_key_file = options.root_key_file.empty() ? options.directory / "root.key" : options.root_key_file;
  auto file = KeyFile::Open(options.directory / "keys", root_key_file, random);
  if (!file) return unavailable(file.error());

  pb::StoredKeys stored;
  const auto found = file->Read(stored);
  if (!found) return unavailable(found.error());
  if (*found && (stored.region() != options.region.value() || stored.account() != options.account)) {
    WipeStoredKeys(stored);
    return Err(Error(LocalKeyErrorCode::kUnavailable, (options.directory / "keys").string() +
                                                          " holds the keys of Region " + stored.region() +
                                                          ", account " + stored.account()));
  }
  auto transport_key = *found ? crypto::HybridPrivateKey::FromPkcs8(stored.transport_private_key())
                              : crypto::HybridPrivateKey::Generate();
  if (!transport_key) {
    return Err(Error(LocalKeyErrorCode::kUnavailable, "the key file's transport key cannot be read"));
  }

  auto state = std::unique_ptr<State>(new State{.region = options.region,
                                                .account = options.account,
                                                .clock = clock,
                                                .random = random,
                                                .lock = *std::move(lock),
                                                .file = *std::move(file),
                                                .transport_key = *std::move(transport_key),
                                                .listener = {},
                                                .change_mutex = {},
                                                .keys_mutex = {},
                                                .keys = {}});
  for (const auto& key : stored.keys()) {
    KeyPointer restored = Restore(key, state->ArnOf(key.id()));
    if (restored == nullptr) {
      return Err(Error(LocalKeyErrorCode::kUnavailable, "key " + key.id() + " has no usable material"));
    }
    state->keys.emplace(key.id(), std::move(restored));
  }
  WipeStoredKeys(stored);
  // The transport key must not change between what another Region was told and what it sends.
  if (!*found) SYMBOLON_TRY_VOID(state->WriteFile(state->keys));
  return std::unique_ptr<LocalKeyProvider>(new LocalKeyProvider(std::move(state)));
}

KeyResult<Bytes> LocalKeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                   const EncryptionContext& context) {
  const Secret data_key(state_->random.Octets(kDataKeyBytes));
  return Encrypt(key_arn, context, data_key.view());
}

KeyResult<Bytes> LocalKeyProvider::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                           BytesView plaintext) {
  SYMBOLON_CHECK(plaintext.size() <= kPlaintextBytesMax);
  SYMBOLON_TRY(const KeyPointer key, state_->FindUsable(key_arn));
  return key->material->Encrypt(state_->random, context, plaintext);
}

KeyResult<Secret> LocalKeyProvider::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                            BytesView ciphertext) {
  SYMBOLON_TRY(const KeyPointer key, state_->FindUsable(key_arn));
  return key->material->Decrypt(context, ciphertext);
}

KeyResult<KeyDescription> LocalKeyProvider::DescribeKey(std::string_view key_arn) {
  const KeyPointer found = ParseKeyArn(key_arn) ? state_->Find(key_arn) : nullptr;
  if (found == nullptr) return Err(KeyError{KeyErrorCode::kNotFound, "no key " + std::string(key_arn)});
  return found->description;
}

LocalKeyResult<KeyDescription> LocalKeyProvider::CreateKey(bool multi_region, std::string_view description) {
  SYMBOLON_CHECK(description.size() <= kDescriptionBytesMax);
  std::string id =
      multi_region ? "mrk-" + HexEncode(state_->random.Octets(kMultiRegionIdOctets)) : NewUuid(state_->random);
  const KeyPointer key = state_->NewKey(std::move(id), multi_region, description);
  std::lock_guard guard(state_->change_mutex);
  SYMBOLON_TRY_VOID(state_->Add(key));
  return key->description;
}

LocalKeyResult<KeyDescription> LocalKeyProvider::Describe(std::string_view key) {
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  return found->description;
}

LocalKeyProvider::KeyPage LocalKeyProvider::ListKeys(std::size_t limit, const std::optional<std::string>& after) {
  SYMBOLON_CHECK(limit >= 1 && limit <= 1'000);
  KeyPage page;
  std::lock_guard guard(state_->keys_mutex);
  auto entry = after ? state_->keys.upper_bound(*after) : state_->keys.begin();
  for (; entry != state_->keys.end(); ++entry) {
    if (entry->second->description.service_owned) continue;
    if (page.keys.size() == limit) {
      page.next = page.keys.back().id;
      break;
    }
    page.keys.push_back(entry->second->description);
  }
  return page;
}

LocalKeyResult<void> LocalKeyProvider::EnableKey(std::string_view key) { return SetDisabled(key, false); }
LocalKeyResult<void> LocalKeyProvider::DisableKey(std::string_view key) { return SetDisabled(key, true); }

LocalKeyResult<void> LocalKeyProvider::SetDisabled(std::string_view key, bool disabled) {
  const KeyState wanted = disabled ? KeyState::kDisabled : KeyState::kEnabled;
  std::string arn;
  {
    std::lock_guard guard(state_->change_mutex);
    SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
    if (found->description.state == wanted) return {};
    auto changed = std::make_shared<LocalKey>(*found);
    changed->description.state = wanted;
    arn = changed->description.arn;
    SYMBOLON_TRY_VOID(state_->Change(std::move(changed)));
  }
  if (state_->listener) state_->listener(arn);
  return {};
}

LocalKeyResult<KeyDescription> LocalKeyProvider::ReplicateKey(std::string_view key, const Region& target,
                                                              std::string_view description,
                                                              KeyReplicationTransport& transport) {
  SYMBOLON_CHECK(description.size() <= kDescriptionBytesMax);
  SYMBOLON_TRY(KeyPointer found, state_->FindCustomerKey(key));
  const KeyDescription& own = found->description;
  if (!own.multi_region || own.primary != state_->region) {
    return Err(Error(LocalKeyErrorCode::kUnsupported, own.arn + " is not a multi-Region primary key"));
  }
  if (own.state == KeyState::kDisabled) return Err(Error(LocalKeyErrorCode::kDisabled, own.arn + " is disabled"));
  const auto exists = [&] {
    return Err(Error(LocalKeyErrorCode::kAlreadyExists, own.id + " exists in Region " + target.value()));
  };
  if (target == own.primary) return exists();
  // A Region that had it may have lost its disk.
  const bool again = std::ranges::binary_search(own.replicas, target);

  ReplicaKey replica{.key_id = own.id,
                     .description = std::string(description),
                     .created = state_->clock.Now(),
                     .primary = own.primary,
                     .replicas = own.replicas,
                     .material_version = found->material->version(),
                     .only_if_missing = again};
  if (!again) replica.replicas.insert(std::ranges::upper_bound(replica.replicas, target), target);
  SYMBOLON_TRY(const Bytes recipient, transport.TransportPublicKey(target));
  auto sealed = crypto::SealTo(recipient, ReplicaInfo(replica, target), found->material->octets().view());
  if (!sealed) {
    return Err(Error(LocalKeyErrorCode::kMalformed, "the transport key of Region " + target.value() + " is none"));
  }
  replica.sealed_material = *std::move(sealed);
  const LocalKeyResult<void> imported = transport.ImportReplica(target, replica);
  if (!imported) {
    if (again && imported.error().code == LocalKeyErrorCode::kAlreadyExists) return exists();
    return Err(imported.error());
  }

  // A crash before this is written is mended by asking again: the target takes the same replica twice.
  std::lock_guard guard(state_->change_mutex);
  SYMBOLON_TRY(found, state_->FindCustomerKey(key));
  auto changed = std::make_shared<LocalKey>(*found);
  auto& replicas = changed->description.replicas;
  if (!std::ranges::binary_search(replicas, target)) {
    replicas.insert(std::ranges::upper_bound(replicas, target), target);
  }
  SYMBOLON_TRY_VOID(state_->Change(changed));

  KeyDescription answer = changed->description;
  answer.arn = KeyArnInRegion(answer.arn, target);
  answer.description = replica.description;
  answer.created = replica.created;
  answer.state = KeyState::kEnabled;
  return answer;
}

LocalKeyResult<void> LocalKeyProvider::AcceptReplica(const ReplicaKey& replica) {
  const Region& here = state_->region;
  if (!IsMultiRegionKeyId(replica.key_id) || replica.primary == here || replica.primary.empty() ||
      replica.description.size() > kDescriptionBytesMax || replica.replicas.size() > kReplicaRegionsMax ||
      std::ranges::find(replica.replicas, here) == replica.replicas.end()) {
    return Err(Error(LocalKeyErrorCode::kMalformed, "no replica for this Region"));
  }
  auto octets = state_->transport_key.Open(ReplicaInfo(replica, here), replica.sealed_material);
  if (!octets || octets->size() != kDataKeyBytes) {
    return Err(Error(LocalKeyErrorCode::kMalformed, "the replica's material does not open"));
  }

  std::lock_guard guard(state_->change_mutex);
  auto key = std::make_shared<LocalKey>();
  const KeyPointer present = state_->Find(replica.key_id);
  if (present != nullptr) {
    if (replica.only_if_missing) {
      return Err(Error(LocalKeyErrorCode::kAlreadyExists, replica.key_id + " is here"));
    }
    if (present->description.primary != replica.primary || present->material->version() != replica.material_version ||
        !crypto::EqualSecrets(present->material->octets().view(), octets->view())) {
      return Err(Error(LocalKeyErrorCode::kAlreadyExists, "another key has the id " + replica.key_id));
    }
    *key = *present;
  } else {
    key->description = {.arn = state_->ArnOf(replica.key_id),
                        .id = replica.key_id,
                        .description = replica.description,
                        .created = replica.created,
                        .multi_region = true,
                        .primary = replica.primary};
    key->material = std::make_shared<KeyMaterial>(replica.key_id, replica.material_version, *std::move(octets));
  }
  key->description.replicas = replica.replicas;
  std::ranges::sort(key->description.replicas);
  return present != nullptr ? state_->Change(std::move(key)) : state_->Add(std::move(key));
}

Bytes LocalKeyProvider::TransportPublicKey() const { return state_->transport_key.PublicKey(); }

LocalKeyResult<std::string> LocalKeyProvider::EnsureServiceOwnedKey() {
  std::lock_guard guard(state_->change_mutex);
  for (const auto& [id, key] : state_->Copy()) {
    if (key->description.service_owned) return key->description.arn;
  }
  auto key = std::make_shared<LocalKey>(*state_->NewKey(NewUuid(state_->random), false, ""));
  key->description.service_owned = true;
  SYMBOLON_TRY_VOID(state_->Add(key));
  return key->description.arn;
}

void LocalKeyProvider::SetChangeListener(std::function<void(const std::string& key_arn)> listener) {
  state_->listener = std::move(listener);
}

}  // namespace symbolon::keys::local
