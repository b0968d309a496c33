#include "keys/keyring.h"

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "keys/arn.h"
#include "keys/keyring_errors.h"
#include "keys/keyring_state.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

using internal::ForCaller;
using internal::ForClient;

// Whether `keys` do all that the keys of this record would, under the same CMK.
bool Covers(const PoolKeys& keys, const WrappedPoolKeysContents& record) {
  return keys.sealing_generation() == record.sealing_generation &&
         std::ranges::all_of(record.generations, [&](const auto& generation) { return keys.Holds(generation.name); });
}

}  // namespace

Keyring::Keyring(KeyProvider& provider, Options options, Clock& clock, Random& random)
    : provider_(provider),
      options_(std::move(options)),
      probes_(options_.probes != nullptr ? *options_.probes : provider),
      clock_(clock),
      random_(random),
      unasked_max_(3 * options_.recheck_interval + options_.call_limit),
      state_(std::make_unique<State>()) {}

Keyring::~Keyring() {
  for (auto& [provider, lane] : state_->lanes) {
    lane.questions.Stop();
    lane.openings.Stop();
  }
}

bool Keyring::IsConfirmed(const Cmk& cmk) const {
  const std::int64_t now = clock_.SinceBoot().count();
  return now - cmk.asked_at <= unasked_max_.count() &&
         now - cmk.confirmed_at <= (options_.unreachable_grace + unasked_max_).count();
}

KeyServiceResult<std::shared_ptr<const PoolKeys>> Keyring::KeysOf(const storage::Snapshot& snapshot,
                                                                  const PoolId& pool) {
  std::optional<Bytes> awaited;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found != state_->pools.end()) {
      const Entry& entry = found->second;
      if (entry.locked) return Err(ForClient(*entry.locked));
      if (entry.opened != Entry::Opened::kAwaited) {
        if (!IsConfirmed(*entry.cmk)) return Err(ForClient({KeyErrorCode::kUnavailable, ""}));
        return entry.keys;
      }
      awaited = entry.wrapped;
    }
  }
  if (!awaited) {
    SYMBOLON_TRY(awaited, RecordOf(snapshot, pool));
  }
  return OpenRecord(pool, *std::move(awaited));
}

KeyServiceResult<std::shared_ptr<const PoolKeys>> Keyring::OpenRecord(const PoolId& pool, Bytes wrapped) {
  const auto contents = ContentsOfPoolKeys(wrapped);
  if (!contents) {
    log::Error("pool {}: {}", pool.value(), contents.error().detail);
    return Err(ForClient(contents.error()));
  }
  const std::shared_ptr<Cmk> cmk = CmkOf(KeyArnInRegion(contents->cmk_arn, options_.region));
  std::uint64_t withdrawals;
  {
    std::lock_guard guard(state_->mutex);
    withdrawals = cmk->withdrawals;
  }
  const std::int64_t asked_at = clock_.SinceBoot().count();
  auto opened = OpenPoolKeys(provider_, options_.region, pool, wrapped);

  std::lock_guard guard(state_->mutex);
  auto [place, first] = state_->pools.try_emplace(pool);
  Entry& entry = place->second;
  if (first) {
    entry.cmk = cmk;
    entry.wrapped = std::move(wrapped);
  } else if (entry.wrapped != wrapped) {
    // It changed meanwhile: these keys serve the caller, who reads what was before, and nobody else.
    if (!opened) return Err(ForClient(opened.error()));
    (*opened)->Retire();
    entry.former.push_back(*opened);
    return *std::move(opened);
  }
  if (entry.opened == Entry::Opened::kAwaited && !entry.locked) {
    if (!opened) {
      log::Error("keys of pool {} do not open: {}", pool.value(), opened.error().detail);
      entry.locked = opened.error();
    } else if (cmk->withdrawals != withdrawals) {
      entry.locked = KeyError{KeyErrorCode::kDisabled, "withdrawn while it was opened"};
    } else {
      entry.keys = *std::move(opened);
      entry.opened = Entry::Opened::kYes;
      cmk->Confirm(asked_at);
    }
    if (entry.locked) entry.locked_since = clock_.Now();
  }
  if (entry.locked) return Err(ForClient(*entry.locked));
  return entry.keys;
}

KeyServiceResult<KeyService::NewKeys> Keyring::MakeKeys(const PoolId& pool, const std::string& kms_key_arn) {
  SYMBOLON_TRY(const std::string arn, UsableKey(kms_key_arn));
  const std::string user_pool_arn =
      "arn:aws:cognito-idp:" + options_.region.value() + ":" + options_.account + ":userpool/" + pool.value();
  auto wrapped = WrapNewPoolKeys(provider_, arn, user_pool_arn, clock_.Now(), random_);
  if (!wrapped) return Err(ForCaller(wrapped.error(), arn));
  auto opened = OpenPoolKeys(provider_, options_.region, pool, *wrapped);
  if (!opened) return Err(ForCaller(opened.error(), arn));
  return NewKeys{*std::move(wrapped), *std::move(opened)};
}

KeyServiceResult<std::string> Keyring::UsableKey(const std::string& kms_key_arn) {
  if (kms_key_arn.empty()) return options_.service_owned_key_arn;
  const auto key = provider_.DescribeKey(kms_key_arn);
  if (!key) return Err(ForCaller(key.error(), kms_key_arn));
  if (key->service_owned) return Err(ForCaller({KeyErrorCode::kNotFound, ""}, kms_key_arn));
  return kms_key_arn;
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

KeyServiceResult<PoolKeyStatus> Keyring::StatusOf(const storage::Snapshot& snapshot, const PoolId& pool) {
  const auto opened = KeysOf(snapshot, pool);
  if (!opened) {
    if (auto lacking = StatusOfLacking(snapshot, pool)) return *std::move(lacking);
  }
  std::lock_guard guard(state_->mutex);
  const auto found = state_->pools.find(pool);
  if (found == state_->pools.end()) {
    if (!opened) return Err(opened.error());
    return Err(KeyServiceError{KeyServiceErrorCode::kNoKeys, "The user pool has no keys."});
  }
  const Entry& entry = found->second;
  PoolKeyStatus status{.cmk_arn = entry.cmk->arn};
  if (entry.locked) {
    const bool lost = entry.locked->code == KeyErrorCode::kNotFound;
    status.state = lost ? PoolKeyStatus::State::kLost : PoolKeyStatus::State::kLocked;
    status.reason = ForClient(*entry.locked).message;
    status.since = entry.locked_since;
  } else if (!opened) {
    status.state = PoolKeyStatus::State::kLocked;
    status.reason = opened.error().message;
  }
  return status;
}

KeyServiceResult<Bytes> Keyring::ConfirmOffer(const storage::Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY(const auto open, KeysOf(snapshot, pool));
  SYMBOLON_TRY(const Bytes wrapped, RecordOf(snapshot, pool));
  const std::int64_t asked_at = clock_.SinceBoot().count();
  auto offer = OpenOffer(provider_, options_.region, pool, wrapped);
  if (!offer) return Err(ForClient(offer.error()));
  auto opened = OpenPoolKeys(provider_, options_.region, pool, wrapped);
  if (!opened) return Err(ForClient(opened.error()));
  const auto next = ContentsOfPoolKeys(offer->record);
  if (!next) return Err(ForClient(next.error()));
  const std::shared_ptr<Cmk> cmk = CmkOf(KeyArnInRegion(next->cmk_arn, options_.region));

  std::lock_guard guard(state_->mutex);
  const auto found = state_->pools.find(pool);
  if (found == state_->pools.end() || found->second.wrapped != wrapped) {
    return Err(KeyServiceError{KeyServiceErrorCode::kUnavailable, "The keys of the user pool are changing."});
  }
  Entry& entry = found->second;
  if (entry.locked) return Err(ForClient(*entry.locked));
  Replace(entry, *std::move(opened));
  entry.opened = Entry::Opened::kYes;
  entry.prepared = Entry::Prepared{.record = std::move(offer->record), .keys = std::move(offer->keys), .cmk = cmk};
  cmk->Confirm(asked_at);
  return std::move(offer->check);
}

bool Keyring::FormerKeysInUse(const PoolId& pool) {
  std::lock_guard guard(state_->mutex);
  const auto found = state_->pools.find(pool);
  if (found == state_->pools.end()) return false;
  Entry& entry = found->second;
  std::erase_if(entry.former, [](const auto& keys) { return keys.expired(); });
  return !entry.former.empty() || entry.opened == Entry::Opened::kCovered;
}

// The state's mutex is held.
void Keyring::Replace(Entry& entry, std::shared_ptr<const PoolKeys> keys) const {
  if (entry.keys) {
    entry.keys->Retire();
    std::erase_if(entry.former, [](const auto& former) { return former.expired(); });
    entry.former.push_back(entry.keys);
  }
  entry.keys = std::move(keys);
}

std::shared_ptr<Keyring::Cmk> Keyring::CmkOf(const std::string& arn) {
  KeyProvider* const serving = &provider_.Serving(arn);
  std::lock_guard guard(state_->mutex);
  auto& cmk = state_->cmks[arn];
  if (cmk == nullptr) {
    cmk = std::make_shared<Cmk>(arn, state_->lanes[serving], serving->HasUntoldPolicies() ? kPoolsAskedMax : 1,
                                clock_.SinceBoot().count());
  }
  return cmk;
}

void Keyring::Follow(const PoolId& pool, std::optional<Bytes> wrapped) {
  const auto contents = wrapped ? ContentsOfPoolKeys(*wrapped) : KeyResult<WrappedPoolKeysContents>(Err(KeyError{}));
  if (wrapped && !contents) log::Error("pool {}: {}", pool.value(), contents.error().detail);
  const auto cmk = contents ? CmkOf(KeyArnInRegion(contents->cmk_arn, options_.region)) : nullptr;
  bool replaced = false;
  std::shared_ptr<const PoolKeys> wiped;  // Outside the lock: wiping takes time.
  {
    std::lock_guard guard(state_->mutex);
    if (!contents) {
      const auto found = state_->pools.find(pool);
      if (found == state_->pools.end()) return;
      wiped = std::exchange(found->second.keys, nullptr);
      if (wiped) wiped->Retire();
      state_->pools.erase(found);
      return;
    }
    Entry& entry = state_->pools[pool];
    if (entry.wrapped == *wrapped) return;
    const bool same_cmk = entry.cmk == cmk;
    entry.wrapped = *std::move(wrapped);
    entry.cmk = cmk;
    entry.asked_at = 0;
    const std::optional<Entry::Prepared> prepared = std::exchange(entry.prepared, std::nullopt);
    if (entry.locked) return;  // Asking its CMK opens it.
    wiped = entry.keys;
    if (prepared && prepared->record == entry.wrapped) {
      Replace(entry, prepared->keys);
      entry.opened = Entry::Opened::kYes;
      replaced = true;
    } else if (entry.keys && same_cmk && Covers(*entry.keys, *contents)) {
      entry.opened = Entry::Opened::kCovered;
    } else {
      replaced = entry.keys != nullptr;
      Replace(entry, nullptr);
      entry.opened = Entry::Opened::kAwaited;
    }
  }
  if (replaced && options_.on_replaced) options_.on_replaced(pool);
}

std::map<KeyErrorCode, std::size_t> Keyring::LockedPools() const {
  std::map<KeyErrorCode, std::size_t> counts;
  std::lock_guard guard(state_->mutex);
  for (const auto& [pool, entry] : state_->pools) {
    if (entry.locked) ++counts[entry.locked->code];
  }
  return counts;
}

}  // namespace symbolon::keys
