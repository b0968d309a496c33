#include "keys/local/provider_state.h"

#include <algorithm>

#include "keys/arn.h"

namespace symbolon::keys::local {
namespace {

constexpr std::uint32_t kFirstMaterialVersion = 1;
constexpr std::size_t kMultiRegionIdOctets = 16;

LocalKeyError FromFile(const FileError& error) { return Error(LocalKeyErrorCode::kUnavailable, error.detail); }

}  // namespace

LocalKeyError Error(LocalKeyErrorCode code, std::string detail) { return {code, std::move(detail)}; }

KeyFactsPointer FactsOfKey(KeyPointer key) {
  const KeyFacts* facts = &key->facts;
  return KeyFactsPointer(std::move(key), facts);
}

std::string LocalKeyProvider::State::ArnOf(std::string_view key_id) const {
  return KeyArn{.region = region, .account = account, .key_id = std::string(key_id)}.ToString();
}

std::shared_ptr<const Contents> LocalKeyProvider::State::Current() const {
  std::lock_guard guard(contents_mutex);
  return contents;
}

KeyPointer LocalKeyProvider::State::FindIn(const Contents& all, const State& state, std::string_view key) {
  std::string_view id = key;
  const auto arn = ParseKeyArn(key);
  if (arn) {
    if (*arn != KeyArn{.region = state.region, .account = state.account, .key_id = arn->key_id}) return nullptr;
    id = arn->key_id;
  }
  const auto found = all.keys.find(id);
  return found == all.keys.end() ? nullptr : found->second;
}

KeyPointer LocalKeyProvider::State::Find(std::string_view key) const { return FindIn(*Current(), *this, key); }

LocalKeyResult<KeyPointer> LocalKeyProvider::State::FindCustomerKey(std::string_view key) const {
  KeyPointer found = Find(key);
  if (found == nullptr || found->facts.service_owned) {
    return Err(Error(LocalKeyErrorCode::kNotFound, "no such key in this Region"));
  }
  return found;
}

KeyResult<KeyPointer> LocalKeyProvider::State::FindUsable(std::string_view key_arn) const {
  KeyPointer found = ParseKeyArn(key_arn) ? Find(key_arn) : nullptr;
  if (found == nullptr) return Err(KeyError{KeyErrorCode::kNotFound, "no key " + std::string(key_arn)});
  switch (StateAt(found->facts, now())) {
    case KeyState::kEnabled:
    case KeyState::kUpdating:
      return found;
    case KeyState::kDisabled:
      return Err(KeyError{KeyErrorCode::kDisabled, std::string(key_arn) + " is disabled"});
    case KeyState::kPendingImport:
      return Err(KeyError{KeyErrorCode::kDisabled, std::string(key_arn) + " is pending import"});
    case KeyState::kPendingDeletion:
    case KeyState::kPendingReplicaDeletion:
      return Err(KeyError{KeyErrorCode::kPendingDeletion, std::string(key_arn) + " is pending deletion"});
  }
  return Err(KeyError{KeyErrorCode::kNotFound, ""});
}

LocalKeyResult<void> LocalKeyProvider::State::CheckState(const KeyFacts& key, Allows allows) const {
  using Code = LocalKeyErrorCode;
  switch (StateAt(key, now())) {
    case KeyState::kEnabled:
      return {};
    case KeyState::kDisabled:
      if (!allows.disabled) return Err(Error(Code::kDisabled, key.arn + " is disabled"));
      break;
    case KeyState::kPendingImport:
      if (!allows.pending_import) return Err(Error(Code::kPendingImport, key.arn + " is pending import"));
      break;
    case KeyState::kUpdating:
      break;
    case KeyState::kPendingDeletion:
    case KeyState::kPendingReplicaDeletion:
      return Err(Error(Code::kPendingDeletion, key.arn + " is pending deletion"));
  }
  // Also beneath another state.
  if (key.handed_to.empty() || allows.updating) return {};
  return Err(Error(Code::kUpdating, key.arn + " is updating"));
}

LocalKeyResult<KeyPointer> LocalKeyProvider::State::ChangeKey(
    std::string_view key, Tell tell, const std::function<LocalKeyResult<void>(LocalKey& key)>& edit) {
  auto changed = Change([&](Contents& all) -> LocalKeyResult<KeyPointer> {
    const KeyPointer found = FindIn(all, *this, key);
    if (found == nullptr || found->facts.service_owned) {
      return Err(Error(LocalKeyErrorCode::kNotFound, "no such key in this Region"));
    }
    auto copy = std::make_shared<LocalKey>(*found);
    SYMBOLON_TRY_VOID(edit(*copy));
    KeyPointer after = std::move(copy);
    all.keys.insert_or_assign(after->facts.id, after);
    return after;
  });
  if (changed && tell == Tell::kListener) Notify((*changed)->facts.arn);
  return changed;
}

LocalKeyResult<void> LocalKeyProvider::State::Commit(std::shared_ptr<Contents> next) {
  if (refuse_changes) {
    return Err(Error(LocalKeyErrorCode::kUnavailable, "an earlier write of the key file is in doubt: restart"));
  }
  SYMBOLON_TRY_VOID(WriteFile(*next));
  DropWithheld(*next);
  std::shared_ptr<const Contents> former = std::move(next);  // Destroyed outside the lock.
  std::lock_guard guard(contents_mutex);
  contents.swap(former);
  return {};
}

LocalKeyResult<void> LocalKeyProvider::State::ReadWithheld(Contents& all) const {
  const auto lacks = [](const auto& entry) { return entry.second->LacksOctets(); };
  if (std::ranges::none_of(all.keys, lacks)) return {};
  StoredKeys stored;
  const auto found = file.Read(stored.keys);
  if (!found) return Err(FromFile(found.error()));
  for (const pb::StoredKey& key : stored.keys.keys()) {
    const auto entry = all.keys.find(key.id());
    if (entry == all.keys.end() || !lacks(*entry)) continue;
    auto whole = std::make_shared<LocalKey>(*entry->second);
    for (const pb::StoredMaterial& material : key.materials()) {
      if (material.octets().empty() || whole->facts.material(material.version()) == nullptr) continue;
      whole->materials.try_emplace(
          material.version(),
          std::make_shared<KeyMaterial>(key.id(), material.version(), Secret::CopyOf(material.octets())));
    }
    entry->second = std::move(whole);
  }
  const auto lacking = std::ranges::find_if(all.keys, lacks);
  if (lacking == all.keys.end()) return {};
  return Err(Error(LocalKeyErrorCode::kUnavailable, "the key file has no material of key " + lacking->first));
}

void LocalKeyProvider::State::DropWithheld(Contents& all) {
  for (auto& [id, key] : all.keys) {
    if (!key->IsWithheld() || key->materials.empty()) continue;
    auto stripped = std::make_shared<LocalKey>(*key);
    stripped->materials.clear();
    key = std::move(stripped);
  }
}

LocalKeyResult<LocalKey::Materials> LocalKeyProvider::State::MaterialsOf(const LocalKey& key) {
  if (!key.LacksOctets()) return key.materials;
  std::lock_guard guard(change_mutex);
  Contents only;
  only.keys.emplace(key.facts.id, std::make_shared<LocalKey>(key));
  SYMBOLON_TRY_VOID(ReadWithheld(only));
  return only.keys.begin()->second->materials;
}

LocalKeyResult<void> LocalKeyProvider::State::WriteFile(const Contents& all) {
  pb::StoredKeys stored;
  stored.set_region(region.value());
  stored.set_account(account);
  stored.set_transport_private_key(Bytes(transport_key.ToPkcs8().view()));
  for (const auto& [id, key] : all.keys) Store(*key, *stored.add_keys());
  for (const auto& [name, alias] : all.aliases) {
    pb::StoredAlias& out = *stored.add_aliases();
    out.set_name(alias.name);
    out.set_key_id(alias.key_id);
    out.set_created_micros(ToMicros(alias.created));
    out.set_updated_micros(ToMicros(alias.updated));
  }
  for (const auto& [id, primary] : all.deleted_replicas) {
    pb::StoredDeletedReplica& out = *stored.add_deleted_replicas();
    out.set_key_id(id);
    out.set_primary_region(primary.value());
  }
  const auto written = file.Write(stored, random);
  WipeStoredKeys(stored);
  if (written) return {};
  refuse_changes = written.error().code == FileError::Code::kAmbiguous;
  return Err(FromFile(written.error()));
}

std::shared_ptr<const std::string> LocalKeyProvider::State::PolicyOf(const std::string& text) const {
  return text.empty() ? default_policy : std::make_shared<const std::string>(text);
}

std::shared_ptr<LocalKey> LocalKeyProvider::State::MakeKey(const NewKey& settings) {
  auto key = std::make_shared<LocalKey>();
  KeyFacts& facts = key->facts;
  facts.id = settings.multi_region ? "mrk-" + HexEncode(random.Octets(kMultiRegionIdOctets)) : NewUuid(random);
  facts.arn = ArnOf(facts.id);
  facts.description = settings.description;
  facts.created = now();
  facts.origin = settings.origin;
  facts.multi_region = settings.multi_region;
  if (settings.multi_region) facts.primary = region;
  facts.policy = PolicyOf(settings.policy);
  facts.policy_is_default = settings.policy.empty();
  facts.tags = settings.tags;
  if (settings.origin == KeyOrigin::kAwsKms) {
    key->AddMaterial(kFirstMaterialVersion, Secret(random.Octets(kDataKeyBytes)));
    facts.current_version = kFirstMaterialVersion;
  }
  return key;
}

LocalKeyResult<void> LocalKeyProvider::State::Add(Contents& all, KeyPointer key) const {
  if (all.keys.size() >= kKeysMax) return Err(Error(LocalKeyErrorCode::kLimitExceeded, "too many keys"));
  const std::string id = key->facts.id;
  const bool added = all.keys.try_emplace(id, std::move(key)).second;
  SYMBOLON_CHECK(added);
  return {};
}

}  // namespace symbolon::keys::local
