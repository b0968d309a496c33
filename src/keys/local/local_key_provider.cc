#include "keys/local/local_key_provider.h"

#include <algorithm>

#include "keys/arn.h"
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

constexpr std::size_t kListedMax = 1'000;

LocalKeyError Unusable(const FileError& error) { return Error(LocalKeyErrorCode::kUnavailable, error.detail); }

LocalKeyResult<std::shared_ptr<Contents>> RestoreContents(const pb::StoredKeys& stored,
                                                          const LocalKeyProvider::Options& options,
                                                          const std::shared_ptr<const std::string>& default_policy) {
  auto contents = std::make_shared<Contents>();
  for (const auto& key : stored.keys()) {
    const KeyArn arn{.region = options.region, .account = options.account, .key_id = key.id()};
    KeyPointer restored = Restore(key, arn.ToString(), default_policy);
    if (restored == nullptr) {
      return Err(Error(LocalKeyErrorCode::kUnavailable, "key " + key.id() + " has no usable material"));
    }
    contents->keys.emplace(key.id(), std::move(restored));
  }
  for (const auto& alias : stored.aliases()) {
    contents->aliases.emplace(alias.name(), Alias{.name = alias.name(),
                                                  .key_id = alias.key_id(),
                                                  .created = FromMicros(alias.created_micros()),
                                                  .updated = FromMicros(alias.updated_micros())});
  }
  for (const auto& gone : stored.deleted_replicas()) {
    contents->deleted_replicas.emplace(gone.key_id(), Region(gone.primary_region()));
  }
  return contents;
}

}  // namespace

LocalKeyProvider::LocalKeyProvider(std::unique_ptr<State> state) : state_(std::move(state)) {}
LocalKeyProvider::~LocalKeyProvider() = default;

LocalKeyResult<std::unique_ptr<LocalKeyProvider>> LocalKeyProvider::Open(const Options& options, Clock& clock,
                                                                         Random& random) {
  std::error_code error;
  if (std::filesystem::create_directories(options.directory, error)) {
    std::filesystem::permissions(options.directory, std::filesystem::perms::owner_all, error);
  }
  if (error) {
    return Err(
        Error(LocalKeyErrorCode::kUnavailable, "cannot make " + options.directory.string() + ": " + error.message()));
  }
  auto lock = DirectoryLock::Take(options.LockFile());
  if (!lock) return Err(Unusable(lock.error()));
  auto file = KeyFile::Open(options.KeysFile(), options.RootKeyFile(), options.root_key_guard, random);
  if (!file) return Err(Unusable(file.error()));

  StoredKeys stored;
  const auto found = file->Read(stored.keys);
  if (!found) return Err(Unusable(found.error()));
  if (*found && (stored.keys.region() != options.region.value() || stored.keys.account() != options.account)) {
    return Err(Error(LocalKeyErrorCode::kUnavailable, options.KeysFile().string() + " holds the keys of Region " +
                                                          stored.keys.region() + ", account " + stored.keys.account()));
  }
  auto transport_key = *found ? crypto::HybridPrivateKey::FromPkcs8(stored.keys.transport_private_key())
                              : crypto::HybridPrivateKey::Generate();
  if (!transport_key) {
    return Err(Error(LocalKeyErrorCode::kUnavailable, "the key file's transport key cannot be read"));
  }
  const auto default_policy = std::make_shared<const std::string>(DefaultKeyPolicy(options.account));
  SYMBOLON_TRY(auto contents, RestoreContents(stored.keys, options, default_policy));
  State::DropWithheld(*contents);

  auto state = std::unique_ptr<State>(new State{.region = options.region,
                                                .account = options.account,
                                                .clock = clock,
                                                .random = random,
                                                .lock = *std::move(lock),
                                                .file = *std::move(file),
                                                .transport_key = *std::move(transport_key),
                                                .default_policy = default_policy,
                                                .listener = {},
                                                .change_mutex = {},
                                                .contents_mutex = {},
                                                .contents = std::move(contents),
                                                .confirmed_mutex = {},
                                                .confirmed = {},
                                                .problems = {}});
  // The transport key must not change between what another Region was told and what it sends.
  if (!*found) SYMBOLON_TRY_VOID(state->WriteFile(*state->Current()));
  return std::unique_ptr<LocalKeyProvider>(new LocalKeyProvider(std::move(state)));
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::CreateKey(const NewKey& settings) {
  SYMBOLON_CHECK(settings.description.size() <= kDescriptionBytesMax && settings.policy.size() <= kPolicyBytesMax &&
                 settings.tags.size() <= kTagsMax);
  KeyPointer key = state_->MakeKey(settings);
  SYMBOLON_TRY_VOID(state_->Change([&](Contents& all) { return state_->Add(all, key); }));
  return FactsOfKey(std::move(key));
}

LocalKeyResult<KeyDescription> LocalKeyProvider::CreateKey(bool multi_region, std::string_view description) {
  SYMBOLON_TRY(const auto key,
               CreateKey(NewKey{.multi_region = multi_region, .description = std::string(description)}));
  return DescriptionAt(*key, state_->now());
}

KeyResult<KeyDescription> LocalKeyProvider::DescribeKey(std::string_view key_arn) {
  const KeyPointer found = ParseKeyArn(key_arn) ? state_->Find(key_arn) : nullptr;
  if (found == nullptr) return Err(KeyError{KeyErrorCode::kNotFound, "no key " + std::string(key_arn)});
  return DescriptionAt(found->facts, state_->now());
}

LocalKeyResult<KeyDescription> LocalKeyProvider::Describe(std::string_view key) {
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  return DescriptionAt(found->facts, state_->now());
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::Facts(std::string_view key) {
  SYMBOLON_TRY(KeyPointer found, state_->FindCustomerKey(key));
  return FactsOfKey(std::move(found));
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::FactsOfAny(std::string_view key) {
  KeyPointer found = state_->Find(key);
  if (found == nullptr) return Err(Error(LocalKeyErrorCode::kNotFound, "no such key in this Region"));
  return FactsOfKey(std::move(found));
}

KeyState LocalKeyProvider::StateOf(const KeyFacts& key) const { return StateAt(key, state_->now()); }
Timestamp LocalKeyProvider::Now() const { return state_->now(); }

LocalKeyProvider::KeyPage LocalKeyProvider::ListKeys(std::size_t limit, const std::optional<std::string>& after) {
  SYMBOLON_CHECK(limit >= 1 && limit <= kListedMax);
  KeyPage page;
  const auto all = state_->Current();
  auto entry = after ? all->keys.upper_bound(*after) : all->keys.begin();
  for (; entry != all->keys.end(); ++entry) {
    if (entry->second->facts.service_owned) continue;
    if (page.keys.size() == limit) {
      page.next = page.keys.back().id;
      break;
    }
    page.keys.push_back(DescriptionAt(entry->second->facts, state_->now()));
  }
  return page;
}

LocalKeyResult<void> LocalKeyProvider::EnableKey(std::string_view key) { return state_->SetDisabled(key, false); }
LocalKeyResult<void> LocalKeyProvider::DisableKey(std::string_view key) { return state_->SetDisabled(key, true); }

LocalKeyResult<void> LocalKeyProvider::State::SetDisabled(std::string_view key, bool disabled) {
  // While the primary Region is changing, too: that can take as long as the new one is out of reach.
  constexpr Allows kAllows{.disabled = true, .updating = true};
  SYMBOLON_TRY(const KeyPointer before, FindCustomerKey(key));
  SYMBOLON_TRY_VOID(CheckState(before->facts, kAllows));
  if (before->facts.disabled == disabled) return {};
  SYMBOLON_TRY_VOID(ChangeKey(key, Tell::kListener, [&](LocalKey& changed) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(CheckState(changed.facts, kAllows));
    changed.facts.disabled = disabled;
    return {};
  }));
  return {};
}

LocalKeyResult<void> LocalKeyProvider::SetDescription(std::string_view key, std::string_view description) {
  SYMBOLON_CHECK(description.size() <= kDescriptionBytesMax);
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(state_->CheckState(changed.facts, {.disabled = true, .pending_import = true, .updating = true}));
    changed.facts.description = description;
    return {};
  }));
  return {};
}

LocalKeyResult<void> LocalKeyProvider::SetPolicy(std::string_view key, std::string_view policy) {
  SYMBOLON_CHECK(!policy.empty() && policy.size() <= kPolicyBytesMax);
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& changed) -> LocalKeyResult<void> {
    changed.facts.policy = std::make_shared<const std::string>(policy);
    changed.facts.policy_is_default = false;
    return {};
  }));
  return {};
}

LocalKeyResult<void> LocalKeyProvider::AddTags(std::string_view key, const Tags& tags) {
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& changed) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(state_->CheckState(changed.facts, {.disabled = true, .pending_import = true, .updating = true}));
    for (const auto& [name, value] : tags) changed.facts.tags.insert_or_assign(name, value);
    if (changed.facts.tags.size() <= kTagsMax) return {};
    return Err(Error(LocalKeyErrorCode::kLimitExceeded, "too many tags"));
  }));
  return {};
}

LocalKeyResult<void> LocalKeyProvider::RemoveTags(std::string_view key, const std::vector<std::string>& names) {
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kListener, [&](LocalKey& changed) -> LocalKeyResult<void> {
    SYMBOLON_TRY_VOID(state_->CheckState(changed.facts, {.disabled = true, .pending_import = true, .updating = true}));
    for (const std::string& name : names) changed.facts.tags.erase(name);
    return {};
  }));
  return {};
}

Bytes LocalKeyProvider::TransportPublicKey() const { return state_->transport_key.PublicKey(); }

LocalKeyResult<std::string> LocalKeyProvider::EnsureServiceOwnedKey() {
  const auto all = state_->Current();
  for (const auto& [id, key] : all->keys) {
    if (key->facts.service_owned) return key->facts.arn;
  }
  return state_->Change([&](Contents& next) -> LocalKeyResult<std::string> {
    for (const auto& [id, key] : next.keys) {
      if (key->facts.service_owned) return key->facts.arn;
    }
    const auto key = state_->MakeKey({});
    key->facts.service_owned = true;
    SYMBOLON_TRY_VOID(state_->Add(next, key));
    return key->facts.arn;
  });
}

void LocalKeyProvider::SetOwnActs(OwnActs own_acts) { state_->own_acts = std::move(own_acts); }

void LocalKeyProvider::SetChangeListener(std::function<void(const std::string& key_arn)> listener) {
  state_->listener = std::move(listener);
}

}  // namespace symbolon::keys::local
