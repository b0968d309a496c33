#include "keys/keyring.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/log.h"
#include "keys/arn.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

KeyServiceError ForClient(const KeyError& error) {
  switch (error.code) {
    case KeyErrorCode::kDisabled:
      return {KeyServiceErrorCode::kWithdrawn, "The KMS key of the user pool is disabled."};
    case KeyErrorCode::kNotFound:
    case KeyErrorCode::kPendingDeletion:
      return {KeyServiceErrorCode::kWithdrawn, "The KMS key of the user pool is deleted."};
    case KeyErrorCode::kAccessDenied:
      return {KeyServiceErrorCode::kWithdrawn, "Access to the KMS key of the user pool is denied."};
    case KeyErrorCode::kUnavailable:
      return {KeyServiceErrorCode::kUnavailable, "The KMS key of the user pool cannot be reached."};
    case KeyErrorCode::kInvalidCiphertext:
      return {KeyServiceErrorCode::kUnavailable, "The keys of the user pool cannot be opened."};
  }
  return {KeyServiceErrorCode::kUnavailable, ""};
}

// Of a key that a caller named.
KeyServiceError ForCaller(const KeyError& error, const std::string& arn) {
  switch (error.code) {
    case KeyErrorCode::kUnavailable:
      return {KeyServiceErrorCode::kUnavailable, "The KMS key cannot be reached."};
    case KeyErrorCode::kDisabled:
      return {KeyServiceErrorCode::kUnusableKey, "The KMS key " + arn + " is disabled."};
    case KeyErrorCode::kPendingDeletion:
      return {KeyServiceErrorCode::kUnusableKey, "The KMS key " + arn + " is pending deletion."};
    case KeyErrorCode::kNotFound:
    case KeyErrorCode::kInvalidCiphertext:
      return {KeyServiceErrorCode::kUnusableKey, "The KMS key " + arn + " does not exist in this Region."};
    case KeyErrorCode::kAccessDenied:
      return {KeyServiceErrorCode::kUnusableKey, "Access to the KMS key " + arn + " is denied (kms:DescribeKey)."};
  }
  return {KeyServiceErrorCode::kUnusableKey, ""};
}

}  // namespace

struct Keyring::Cmk {
  explicit Cmk(std::string key_arn) : arn(std::move(key_arn)) {}

  const std::string arn;
  // SinceBoot() in nanoseconds, taken before the question was asked.
  std::atomic<std::int64_t> asked_at{0};
  std::atomic<std::int64_t> confirmed_at{0};
  // How often it was found withdrawn: an opening that began before does not count. Guarded by State::mutex.
  std::uint64_t withdrawals = 0;

  void Confirm(std::int64_t at) {
    std::int64_t before = confirmed_at.load(std::memory_order_relaxed);
    while (before < at && !confirmed_at.compare_exchange_weak(before, at)) {
    }
  }
};

// One pool: open (keys) or locked (why).
struct Keyring::Entry {
  std::shared_ptr<Cmk> cmk;
  Bytes wrapped;
  std::shared_ptr<const PoolKeys> keys;
  std::optional<KeyError> locked;
};

struct Keyring::State {
  // Held for moments only. No reader-writer lock: with those, readers that keep coming can hold up a withdrawal for
  // ever.
  mutable std::mutex mutex;
  std::unordered_map<PoolId, Entry> pools;
  std::map<std::string, std::shared_ptr<Cmk>> cmks;
};

Keyring::Keyring(KeyProvider& provider, Options options, Clock& clock, Random& random)
    : provider_(provider),
      options_(std::move(options)),
      clock_(clock),
      random_(random),
      confirmation_max_(options_.confirmation_max.count() != 0 ? options_.confirmation_max
                                                               : 3 * options_.recheck_interval),
      state_(std::make_unique<State>()) {}

Keyring::~Keyring() = default;

KeyServiceResult<std::shared_ptr<const PoolKeys>> Keyring::KeysOf(const storage::Snapshot& snapshot,
                                                                  const PoolId& pool) {
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found != state_->pools.end()) {
      const Entry& entry = found->second;
      if (entry.locked) return Err(ForClient(*entry.locked));
      if (clock_.SinceBoot().count() - entry.cmk->confirmed_at > confirmation_max_.count()) {
        return Err(ForClient({KeyErrorCode::kUnavailable, ""}));
      }
      return entry.keys;
    }
  }
  return OpenFirst(snapshot, pool);
}

KeyServiceResult<std::shared_ptr<const PoolKeys>> Keyring::OpenFirst(const storage::Snapshot& snapshot,
                                                                     const PoolId& pool) {
  auto stored = snapshot.Get({.pool = pool, .type = kWrappedKeysRecordType, .id = ""});
  if (!stored) {
    log::Error("wrapped keys of pool {} cannot be read: {}", pool.value(), stored.error().detail);
    return Err(KeyServiceError{KeyServiceErrorCode::kUnavailable, "The keys of the user pool cannot be read."});
  }
  if (!*stored) return Err(KeyServiceError{KeyServiceErrorCode::kNoKeys, "The user pool has no keys."});
  const auto origin = OriginOfPoolKeys(**stored);
  if (!origin) {
    log::Error("pool {}: {}", pool.value(), origin.error().detail);
    return Err(ForClient(origin.error()));
  }

  const std::shared_ptr<Cmk> cmk = CmkOf(KeyArnInRegion(origin->cmk_arn, options_.region));
  std::uint64_t withdrawals;
  {
    std::lock_guard guard(state_->mutex);
    withdrawals = cmk->withdrawals;
  }
  const std::int64_t asked_at = clock_.SinceBoot().count();
  auto opened = OpenPoolKeys(provider_, options_.region, pool, **stored);

  std::lock_guard guard(state_->mutex);
  auto [place, first] = state_->pools.try_emplace(pool);
  Entry& entry = place->second;
  if (first) {
    entry.cmk = cmk;
    entry.wrapped = **std::move(stored);
    if (!opened) {
      log::Error("keys of pool {} do not open: {}", pool.value(), opened.error().detail);
      entry.locked = opened.error();
    } else if (cmk->withdrawals != withdrawals) {
      entry.locked = KeyError{KeyErrorCode::kDisabled, "withdrawn while it was opened"};
    } else {
      entry.keys = *std::move(opened);
      cmk->Confirm(asked_at);
    }
  }
  if (entry.locked) return Err(ForClient(*entry.locked));
  return entry.keys;
}

KeyServiceResult<KeyService::NewKeys> Keyring::MakeKeys(const PoolId& pool, const std::string& kms_key_arn) {
  const std::string& arn = kms_key_arn.empty() ? options_.service_owned_key_arn : kms_key_arn;
  const auto refuse = [&](const KeyError& error) { return Err(ForCaller(error, arn)); };
  if (!kms_key_arn.empty()) {
    const auto key = provider_.DescribeKey(kms_key_arn);
    if (!key) return refuse(key.error());
    if (key->service_owned) return refuse({KeyErrorCode::kNotFound, ""});
  }
  const std::string user_pool_arn =
      "arn:aws:cognito-idp:" + options_.region.value() + ":" + options_.account + ":userpool/" + pool.value();
  auto wrapped = WrapNewPoolKeys(provider_, arn, user_pool_arn, random_);
  if (!wrapped) return refuse(wrapped.error());
  auto opened = OpenPoolKeys(provider_, options_.region, pool, *wrapped);
  if (!opened) return refuse(opened.error());
  return NewKeys{*std::move(wrapped), *std::move(opened)};
}

KeyServiceResult<std::vector<Region>> Keyring::RegionsOfKey(const std::string& kms_key_arn) {
  const std::string arn = KeyArnInRegion(kms_key_arn, options_.region);
  auto key = provider_.DescribeKey(arn);
  if (!key) return Err(ForCaller(key.error(), arn));
  std::vector<Region> regions;
  if (key->multi_region) {
    regions = std::move(key->replicas);
    regions.insert(regions.begin(), key->primary);
  }
  return regions;
}

std::shared_ptr<Keyring::Cmk> Keyring::CmkOf(const std::string& arn) {
  std::lock_guard guard(state_->mutex);
  auto& cmk = state_->cmks[arn];
  if (cmk == nullptr) cmk = std::make_shared<Cmk>(arn);
  return cmk;
}

void Keyring::Tick() {
  const std::int64_t now = clock_.SinceBoot().count();
  std::vector<std::shared_ptr<Cmk>> due;
  {
    std::lock_guard guard(state_->mutex);
    for (const auto& [arn, cmk] : state_->cmks) {
      const std::int64_t last = std::max(cmk->asked_at.load(), cmk->confirmed_at.load());
      if (now - last >= options_.recheck_interval.count()) due.push_back(cmk);
    }
  }
  for (const auto& cmk : due) Ask(cmk);
}

void Keyring::Recheck(const std::string& key_arn) {
  std::shared_ptr<Cmk> cmk;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->cmks.find(key_arn);
    if (found == state_->cmks.end()) return;
    cmk = found->second;
  }
  Ask(cmk);
}

void Keyring::Ask(const std::shared_ptr<Cmk>& cmk) {
  const std::int64_t asked_at = clock_.SinceBoot().count();
  cmk->asked_at = asked_at;
  Bytes wrapped;
  {
    std::lock_guard guard(state_->mutex);
    for (const auto& [pool, entry] : state_->pools) {
      if (entry.cmk != cmk) continue;
      wrapped = entry.wrapped;
      break;
    }
  }
  if (wrapped.empty()) return;  // Nobody uses it any more.

  const auto answer = ProbePoolKeys(provider_, options_.region, wrapped);
  // A damaged record says that the key itself may be used.
  if (answer || answer.error().code == KeyErrorCode::kInvalidCiphertext) {
    cmk->Confirm(asked_at);
    Reopen(cmk);
  } else if (answer.error().code != KeyErrorCode::kUnavailable ||
             asked_at - cmk->confirmed_at > confirmation_max_.count()) {
    Lock(*cmk, answer.error());
  }
}

void Keyring::Lock(const Cmk& cmk, const KeyError& reason) {
  std::vector<PoolId> locked;
  std::vector<std::shared_ptr<const PoolKeys>> wiped;  // Outside the lock: wiping takes time.
  {
    std::lock_guard guard(state_->mutex);
    ++state_->cmks.at(cmk.arn)->withdrawals;
    for (auto& [pool, entry] : state_->pools) {
      if (entry.cmk.get() != &cmk) continue;
      if (!entry.locked) locked.push_back(pool);
      if (entry.keys) entry.keys->Retire();
      wiped.push_back(std::exchange(entry.keys, nullptr));
      entry.locked = reason;
    }
  }
  if (!locked.empty()) log::Warning("{} pools are locked: {}", locked.size(), reason.detail);
  Tell(locked, true);
}

void Keyring::Reopen(const std::shared_ptr<Cmk>& cmk) {
  std::vector<std::pair<PoolId, Bytes>> locked;
  std::uint64_t withdrawals;
  {
    std::lock_guard guard(state_->mutex);
    withdrawals = cmk->withdrawals;
    for (const auto& [pool, entry] : state_->pools) {
      if (entry.cmk == cmk && entry.locked) locked.emplace_back(pool, entry.wrapped);
    }
  }
  std::vector<PoolId> reopened;
  for (const auto& [pool, wrapped] : locked) {
    auto opened = OpenPoolKeys(provider_, options_.region, pool, wrapped);
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found == state_->pools.end() || !found->second.locked || found->second.wrapped != wrapped) continue;
    if (cmk->withdrawals != withdrawals) break;
    if (!opened) {
      found->second.locked = opened.error();
      continue;
    }
    found->second.keys = *std::move(opened);
    found->second.locked.reset();
    reopened.push_back(pool);
  }
  if (!reopened.empty()) log::Info("{} pools are open again under {}", reopened.size(), cmk->arn);
  Tell(reopened, false);
}

void Keyring::Invalidate(const PoolId& pool) {
  std::lock_guard guard(state_->mutex);
  const auto found = state_->pools.find(pool);
  if (found == state_->pools.end()) return;
  if (found->second.keys) found->second.keys->Retire();
  state_->pools.erase(found);
}

void Keyring::Tell(const std::vector<PoolId>& pools, bool locked) const {
  if (!options_.on_change) return;
  for (const PoolId& pool : pools) options_.on_change(pool, locked);
}

}  // namespace symbolon::keys
