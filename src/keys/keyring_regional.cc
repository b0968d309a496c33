// What a Region's own CMK changes in how its pools' keys are found, offered and handed on (regional_keys.h).
#include "base/log.h"
#include "keys/arn.h"
#include "keys/keyring.h"
#include "keys/keyring_errors.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

using internal::ForCaller;
using internal::ForClient;
using storage::Space;

constexpr const char* kLacking =
    "The keys of the user pool have not been given to this Region yet, or its own KMS key cannot take them.";

KeyServiceError Unreadable(const PoolId& pool, const std::string& detail) {
  log::Error("wrapped keys of pool {} cannot be read: {}", pool.value(), detail);
  return {KeyServiceErrorCode::kUnavailable, "The keys of the user pool cannot be read."};
}

}  // namespace

bool ConcernsKeys(const storage::Key& key, const Region& here) {
  if (key.space == Space::kRegional) return key.type == kRegionalKeysRecordType;
  return key.space == Space::kDirectory &&
         (key.type == kWrappedKeysRecordType || (key.type == kRegionKeyRecordType && key.id == here.value()));
}

KeyServiceResult<RegionState> Keyring::StateIn(const storage::Snapshot& snapshot, const PoolId& pool) const {
  auto record = snapshot.Get({.pool = pool, .type = kWrappedKeysRecordType, .id = ""});
  if (!record) return Err(Unreadable(pool, record.error().detail));
  if (!*record) return Err(KeyServiceError{KeyServiceErrorCode::kNoKeys, "The user pool has no keys."});
  auto regional = snapshot.Get({.space = Space::kRegional, .pool = pool, .type = kRegionalKeysRecordType, .id = ""});
  if (!regional) return Err(Unreadable(pool, regional.error().detail));
  const auto own = snapshot.Get({.pool = pool, .type = kRegionKeyRecordType, .id = options_.region.value()});
  if (!own) return Err(Unreadable(pool, own.error().detail));
  RegionState state{.record = **std::move(record), .regional = *std::move(regional), .own_cmk_arn = {}};
  if (*own) {
    auto arn = ParseRegionKey(**own);
    if (!arn) return Err(Unreadable(pool, "the Region's key is not named"));
    state.own_cmk_arn = *std::move(arn);
  }
  return state;
}

KeyServiceResult<Bytes> Keyring::RecordOf(const storage::Snapshot& snapshot, const PoolId& pool) const {
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  auto keys = KeysInRegion(options_.region, state);
  if (!keys) return Err(ForClient(keys.error()));
  if (!keys->complete) return Err(KeyServiceError{KeyServiceErrorCode::kUnavailable, kLacking});
  return std::move(keys->wrapped);
}

void Keyring::FollowStore(const storage::Snapshot& snapshot, const PoolId& pool) {
  auto record = RecordOf(snapshot, pool);
  // Unreadable or lacking, it is read again when it is needed.
  Follow(pool, record ? std::optional<Bytes>(*std::move(record)) : std::nullopt);
}

std::optional<PoolKeyStatus> Keyring::StatusOfLacking(const storage::Snapshot& snapshot, const PoolId& pool) const {
  const auto state = StateIn(snapshot, pool);
  if (!state) return std::nullopt;
  const auto keys = KeysInRegion(options_.region, *state);
  const auto contents = keys ? ContentsOfPoolKeys(keys->wrapped) : KeyResult<WrappedPoolKeysContents>(Err(KeyError{}));
  if (!contents || keys->complete) return std::nullopt;
  return PoolKeyStatus{.state = PoolKeyStatus::State::kLocked,
                       .reason = kLacking,
                       .since = {},
                       .cmk_arn = KeyArnInRegion(contents->cmk_arn, options_.region)};
}

KeyServiceResult<KeyService::Offer> Keyring::OfferKeys(const storage::Snapshot& snapshot, const PoolId& pool,
                                                       const std::optional<std::string>& kms_key_arn) {
  // An open pool: what fails from here on is the new key's fault.
  SYMBOLON_TRY(const auto open, KeysOf(snapshot, pool));
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  const auto contents = ContentsOfPoolKeys(state.record);
  if (!contents) return Err(ForClient(contents.error()));
  if (contents->generations.size() >= kGenerationsMax) {
    return Err(KeyServiceError{KeyServiceErrorCode::kUnusableKey,
                               "The user pool's data is encrypted under as many data keys as are allowed: re-encrypt "
                               "it first (ReencryptUserPool)."});
  }
  std::string arn = KeyArnInRegion(contents->cmk_arn, options_.region);
  if (!state.own_cmk_arn.empty() && state.own_cmk_arn != arn) {
    // The pool's CMK is another Region's.
    SYMBOLON_CHECK(!kms_key_arn);
    auto offered = OfferUnderOwnKey(provider_, options_.region, state, clock_.Now(), random_);
    if (!offered) return Err(ForCaller(offered.error(), state.own_cmk_arn));
    return Offer{.record = std::move(offered->record), .regional = std::move(offered->regional)};
  }
  if (kms_key_arn) {
    SYMBOLON_TRY(arn, UsableKey(*kms_key_arn));
  }
  SYMBOLON_TRY(const Bytes opened, RecordOf(snapshot, pool));
  auto offered = OfferPoolKeys(provider_, options_.region, state.record, opened, arn, clock_.Now(), random_);
  if (!offered) return Err(ForCaller(offered.error(), arn));
  return Offer{.record = *std::move(offered), .regional = {}};
}

KeyServiceResult<bool> Keyring::LacksKeys(const storage::Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  const auto keys = KeysInRegion(options_.region, state);
  if (!keys) return Err(ForClient(keys.error()));
  return !keys->complete || !keys->offer_complete;
}

KeyServiceResult<Bytes> Keyring::SealKeysFor(const storage::Snapshot& snapshot, const PoolId& pool,
                                             const Region& receiver, BytesView receiving_key) {
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  auto sealed = keys::SealKeysFor(provider_, options_.region, state, receiver, receiving_key);
  if (!sealed) return Err(ForClient(sealed.error()));
  return *std::move(sealed);
}

KeyServiceResult<Bytes> Keyring::TakeKeys(const storage::Snapshot& snapshot, const PoolId& pool, const Region& sender,
                                          BytesView sealed) {
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  auto taken = TakeKeysFrom(provider_, options_.region, state, sender, receiving_key_, sealed);
  if (taken) return *std::move(taken);
  log::Warning("keys of pool {} that Region {} sent are not taken: {}", pool.value(), sender.value(),
               taken.error().detail);
  return Err(ForClient(taken.error()));
}

KeyServiceResult<Bytes> Keyring::WrapUnder(const storage::Snapshot& snapshot, const PoolId& pool,
                                           const std::string& kms_key_arn) {
  SYMBOLON_TRY_VOID(KeysOf(snapshot, pool));
  SYMBOLON_TRY_VOID(CheckKey(kms_key_arn));
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  auto wrapped = WrapUnderOwnKey(provider_, options_.region, state, kms_key_arn, clock_.Now());
  if (!wrapped) return Err(ForCaller(wrapped.error(), kms_key_arn));
  return *std::move(wrapped);
}

KeyServiceResult<void> Keyring::CheckKey(const std::string& kms_key_arn) {
  SYMBOLON_TRY_VOID(UsableKey(kms_key_arn));
  return {};
}

KeyServiceResult<Bytes> Keyring::NoteChecks(const storage::Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY_VOID(KeysOf(snapshot, pool));
  SYMBOLON_TRY(const RegionState state, StateIn(snapshot, pool));
  auto noted = NoteKeyChecks(provider_, options_.region, state);
  if (!noted) return Err(ForClient(noted.error()));
  return *std::move(noted);
}

}  // namespace symbolon::keys
