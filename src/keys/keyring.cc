#include "keys/keyring.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/log.h"
#include "keys/arn.h"
#include "keys/keyring_errors.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

using internal::ForCaller;
using internal::ForClient;

// CMKs that are asked side by side: one that does not answer must not hold up the others for long.
constexpr std::size_t kAskedAtOnce = 8;

void RaiseTo(std::atomic<std::int64_t>& value, std::int64_t to) {
  std::int64_t before = value.load(std::memory_order_relaxed);
  while (before < to && !value.compare_exchange_weak(before, to)) {
  }
}

// Whether `keys` do all that the keys of this record would, under the same CMK.
bool Covers(const PoolKeys& keys, const WrappedPoolKeysContents& record) {
  return keys.sealing_generation() == record.sealing_generation &&
         std::ranges::all_of(record.generations, [&](const auto& generation) { return keys.Holds(generation.name); });
}

}  // namespace

struct Keyring::Cmk {
  explicit Cmk(std::string key_arn) : arn(std::move(key_arn)) {}

  const std::string arn;
  // SinceBoot() in nanoseconds, taken before the question was asked.
  std::atomic<std::int64_t> asked_at{0};
  std::atomic<std::int64_t> confirmed_at{0};
  // Whose keys are asked for next. Guarded by State::mutex.
  std::size_t turn = 0;
  // How often it was found withdrawn: an opening that began before does not count. Guarded by State::mutex.
  std::uint64_t withdrawals = 0;

  void Confirm(std::int64_t at) {
    RaiseTo(asked_at, at);
    RaiseTo(confirmed_at, at);
  }
};

// One pool: open (keys), locked (why), or known by its record only.
struct Keyring::Entry {
  std::shared_ptr<Cmk> cmk;
  // The newest record.
  Bytes wrapped;
  enum class Opened {
    // `keys` are those of `wrapped`.
    kYes,
    // `keys` are of a former record, and cover this one.
    kCovered,
    // There are no `keys`: whoever needs them opens the record.
    kAwaited,
  };
  Opened opened = Opened::kAwaited;
  std::shared_ptr<const PoolKeys> keys;
  std::optional<KeyError> locked;
  Timestamp locked_since{};
  // What `wrapped` offers, opened and confirmed.
  struct Prepared {
    Bytes record;
    std::shared_ptr<const PoolKeys> keys;
    std::shared_ptr<Cmk> cmk;
  };
  std::optional<Prepared> prepared;
  // Keys that gave way, and may be held by requests that are under way.
  std::vector<std::weak_ptr<const PoolKeys>> former;
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
      probes_(options_.probes != nullptr ? *options_.probes : provider),
      clock_(clock),
      random_(random),
      unasked_max_(3 * options_.recheck_interval + options_.call_limit),
      state_(std::make_unique<State>()) {}

Keyring::~Keyring() = default;

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
  std::lock_guard guard(state_->mutex);
  auto& cmk = state_->cmks[arn];
  if (cmk == nullptr) cmk = std::make_shared<Cmk>(arn);
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
  std::atomic<std::size_t> next = 0;
  const auto ask = [&] {
    for (std::size_t i = next++; i < due.size(); i = next++) Ask(due[i], false);
  };
  {
    std::vector<std::jthread> others;
    for (std::size_t i = 1; i < std::min(due.size(), kAskedAtOnce); ++i) others.emplace_back(ask);
    ask();
  }
  OpenWaitingRecords();
}

void Keyring::Recheck(const std::string& key_arn) {
  std::shared_ptr<Cmk> cmk;
  {
    std::lock_guard guard(state_->mutex);
    const auto found = state_->cmks.find(key_arn);
    if (found == state_->cmks.end()) return;
    cmk = found->second;
  }
  Ask(cmk, true);
}

void Keyring::Ask(const std::shared_ptr<Cmk>& cmk, bool for_each_pool) {
  const std::int64_t asked_at = clock_.SinceBoot().count();
  Bytes wrapped;
  bool opened_before = false;
  std::vector<PoolRecord> open;
  {
    std::lock_guard guard(state_->mutex);
    for (const auto& [pool, entry] : state_->pools) {
      if (entry.cmk == cmk && entry.opened == Entry::Opened::kYes) {
        open.push_back({pool, entry.wrapped});
      } else if (entry.cmk == cmk && wrapped.empty()) {
        wrapped = entry.wrapped;
      } else if (entry.prepared && entry.prepared->cmk == cmk && wrapped.empty()) {
        wrapped = entry.prepared->record;
      }
    }
    if (!open.empty()) {
      // In turn, because a key policy may allow one pool and not another.
      wrapped = open[cmk->turn++ % open.size()].wrapped;
      opened_before = true;
    }
  }
  if (wrapped.empty()) return;  // Nobody uses it any more.
  RaiseTo(cmk->asked_at, asked_at);

  const auto answer = ProbePoolKeys(probes_, options_.region, wrapped);
  const bool denied = !answer && answer.error().code == KeyErrorCode::kAccessDenied;
  const bool invalid = !answer && answer.error().code == KeyErrorCode::kInvalidCiphertext;
  if (opened_before && (denied || (answer && for_each_pool && open.size() > 1))) {
    return AskForEach(cmk, open, asked_at);
  }
  if (denied) {
    Lock(*cmk, answer.error());
    return Reopen(cmk, asked_at);  // Another pool may be allowed.
  }
  // A record that never opened may be damaged, which says that the key itself may be used. One that did open tells that
  // another key has taken its key's place, as in an HSM it can.
  if (answer || (invalid && !opened_before)) {
    cmk->Confirm(asked_at);
    Reopen(cmk, asked_at);
  } else if (answer.error().code != KeyErrorCode::kUnavailable ||
             asked_at - cmk->confirmed_at > options_.unreachable_grace.count()) {
    Lock(*cmk, answer.error());
  }
}

// What a key policy says depends on the pool, what becomes of the key itself does not.
void Keyring::AskForEach(const std::shared_ptr<Cmk>& cmk, const std::vector<PoolRecord>& open, std::int64_t asked_at) {
  std::set<PoolId> denied;
  std::optional<KeyError> reason;
  bool allowed = false;
  for (const auto& [pool, wrapped] : open) {
    const auto answer = ProbePoolKeys(probes_, options_.region, wrapped);
    if (answer) {
      allowed = true;
      continue;
    }
    switch (answer.error().code) {
      case KeyErrorCode::kAccessDenied:
        denied.insert(pool);
        reason = answer.error();
        break;
      case KeyErrorCode::kUnavailable:
        break;  // The next question tells.
      case KeyErrorCode::kNotFound:
      case KeyErrorCode::kDisabled:
      case KeyErrorCode::kPendingDeletion:
      case KeyErrorCode::kRemoved:
      case KeyErrorCode::kInvalidCiphertext:
        return Lock(*cmk, answer.error());
    }
  }
  if (reason) Lock(*cmk, *reason, &denied);
  if (allowed) cmk->Confirm(asked_at);
  Reopen(cmk, asked_at);
}

void Keyring::Lock(Cmk& cmk, const KeyError& reason, const std::set<PoolId>* only) {
  std::vector<PoolId> locked;
  std::vector<std::shared_ptr<const PoolKeys>> wiped;  // Outside the lock: wiping takes time.
  {
    std::lock_guard guard(state_->mutex);
    ++cmk.withdrawals;
    for (auto& [pool, entry] : state_->pools) {
      if (only != nullptr && !only->contains(pool)) continue;
      const bool is_its = entry.cmk.get() == &cmk;
      if (entry.prepared && (is_its || entry.prepared->cmk.get() == &cmk)) {
        wiped.push_back(entry.prepared->keys);
        entry.prepared.reset();
      }
      if (!is_its) continue;
      if (!entry.locked) {
        locked.push_back(pool);
        entry.locked_since = clock_.Now();
      }
      if (entry.keys) entry.keys->Retire();
      wiped.push_back(std::exchange(entry.keys, nullptr));
      entry.opened = Entry::Opened::kAwaited;
      entry.locked = reason;
    }
  }
  if (!locked.empty()) log::Warning("{} pools are locked: {}", locked.size(), reason.detail);
  Tell(locked, true);
}

void Keyring::Reopen(const std::shared_ptr<Cmk>& cmk, std::int64_t asked_at) {
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
    Entry& entry = found->second;
    if (!opened) {
      entry.locked = opened.error();
      continue;
    }
    cmk->Confirm(asked_at);
    entry.keys = *std::move(opened);
    entry.opened = Entry::Opened::kYes;
    entry.locked.reset();
    reopened.push_back(pool);
  }
  if (!reopened.empty()) log::Info("{} pools are open again under {}", reopened.size(), cmk->arn);
  Tell(reopened, false);
}

// Records that came while other keys cover them. One that does not open now is tried again at the next tick.
void Keyring::OpenWaitingRecords() {
  std::vector<std::pair<PoolId, Bytes>> waiting;
  {
    std::lock_guard guard(state_->mutex);
    for (const auto& [pool, entry] : state_->pools) {
      if (!entry.locked && entry.opened == Entry::Opened::kCovered) waiting.emplace_back(pool, entry.wrapped);
    }
  }
  for (const auto& [pool, wrapped] : waiting) {
    auto opened = OpenPoolKeys(provider_, options_.region, pool, wrapped);
    if (!opened) continue;
    std::lock_guard guard(state_->mutex);
    const auto found = state_->pools.find(pool);
    if (found == state_->pools.end() || found->second.wrapped != wrapped ||
        found->second.opened != Entry::Opened::kCovered) {
      continue;
    }
    Replace(found->second, *std::move(opened));
    found->second.opened = Entry::Opened::kYes;
  }
}

void Keyring::Tell(const std::vector<PoolId>& pools, bool locked) const {
  if (!options_.on_change) return;
  for (const PoolId& pool : pools) options_.on_change(pool, locked);
}

}  // namespace symbolon::keys
