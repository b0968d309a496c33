#include "key_life/key_changes.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/log.h"
#include "crypto/hash.h"
#include "key_life/ask_member.h"
#include "key_life/commit.h"
#include "key_life/link.pb.h"
#include "keys/arn.h"
#include "keys/regional_keys.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::key_life {
namespace {

using directory::RecordType;
using replication::pb::Member;

constexpr std::size_t kPoolsAtOnce = 100;
// Offers that are older than any change takes belong to nobody: their node was killed, or lost its role.
constexpr std::chrono::minutes kOfferAgeMax{5};

ChangeError Unavailable(std::string message) { return {ChangeErrorCode::kUnavailable, std::move(message)}; }

ChangeError Translate(const keys::KeyServiceError& error) { return TranslateKeyError(error); }

ChangeError Translate(const CommitFailure& failure) {
  if (failure.code == CommitFailureCode::kUnavailable) {
    log::Error("a change of keys was not committed: {}", failure.detail);
    return Unavailable("The change cannot be committed at present.");
  }
  return {ChangeErrorCode::kNotPrimary, "This Region is not the user pool's primary."};
}

bool IsActive(const Member& member) { return member.state() == replication::pb::ACTIVE; }

}  // namespace

bool Take(directory::Transaction& tx, const replication::pb::RoleRecord& role, const PreparedChange& prepared) {
  if (tx.GetClear(RecordType::kWrappedKeys, "") != prepared.offering) return false;
  const bool all_confirmed = std::ranges::all_of(role.members(), [&](const Member& member) {
    return !IsActive(member) || prepared.confirmed.contains(Region(member.region()));
  });
  if (!all_confirmed) return false;
  tx.PutClear(RecordType::kWrappedKeys, "", prepared.next);
  return true;
}

bool Take(directory::Transaction& tx, const PreparedRegionKey& prepared) {
  if (tx.GetClear(RecordType::kWrappedKeys, "") != prepared.record) return false;
  const auto stored = tx.GetClear(RecordType::kRegionKey, prepared.region.value());
  const auto own = stored ? keys::ParseRegionKey(*stored) : std::nullopt;
  tx.PutClear(RecordType::kWrappedKeys, "", prepared.checked);
  if (own && *own != prepared.kms_key_arn && !DropRegionKey(tx, prepared.region)) return false;
  if (!prepared.kms_key_arn.empty()) {
    tx.PutClear(RecordType::kRegionKey, prepared.region.value(), keys::SerializeRegionKey(prepared.kms_key_arn));
  }
  return true;
}

bool DropRegionKey(directory::Transaction& tx, const Region& region) {
  const auto stored = tx.GetClear(RecordType::kRegionKey, region.value());
  const auto own = stored ? keys::ParseRegionKey(*stored) : std::nullopt;
  if (!own) return true;
  auto noted = keys::NoteFormerCmk(tx.GetClear(RecordType::kWrappedKeys, "").value_or(""), *own);
  if (!noted) return false;
  tx.PutClear(RecordType::kWrappedKeys, "", *std::move(noted));
  tx.DeleteClear(RecordType::kRegionKey, region.value());
  return true;
}

std::string KmsKeyOf(directory::Transaction& tx, const Region& region, const std::string& pools_arn) {
  const auto own = tx.GetClear(RecordType::kRegionKey, region.value());
  const auto arn = own ? keys::ParseRegionKey(*own) : std::nullopt;
  return arn ? *arn : keys::KeyArnInRegion(pools_arn, region);
}

// At most one change of a pool at a time in this process; of two processes' the commits decide.
class KeyChanges::UnderWay {
 public:
  UnderWay(KeyChanges& changes, const PoolId& pool) : changes_(changes), pool_(pool) {
    std::lock_guard lock(changes_.mutex_);
    entered_ = changes_.under_way_.insert(pool_).second;
  }
  ~UnderWay() {
    if (!entered_) return;
    std::lock_guard lock(changes_.mutex_);
    changes_.under_way_.erase(pool_);
  }
  UnderWay(const UnderWay&) = delete;
  UnderWay& operator=(const UnderWay&) = delete;

  bool entered() const { return entered_; }

 private:
  KeyChanges& changes_;
  const PoolId pool_;
  bool entered_ = false;
};

ChangeResult<PreparedChange> KeyChanges::Prepare(const PoolId& pool, const std::optional<std::string>& kms_key_arn) {
  const UnderWay under_way(*this, pool);
  if (!under_way.entered()) return Err(Unavailable("Another change of the user pool's key is under way."));
  const auto role = RoleAsPrimary(services_, *services_.store.MakeSnapshot(), pool);
  if (!role) return Err(Translate(role.error()));
  if (kms_key_arn) SYMBOLON_TRY_VOID(CheckRegions(pool, *role, *kms_key_arn));

  SYMBOLON_TRY(Bytes offering, Offer(pool, kms_key_arn));
  auto next = keys::TakeOffer(offering);
  SYMBOLON_CHECK(next.has_value());
  auto confirmed = Confirm(pool, offering);
  if (!confirmed) {
    log::Warning("the change of pool {}'s keys ends: {}", pool.value(), confirmed.error().message);
    WithdrawOffer(pool, offering);
    return Err(std::move(confirmed).error());
  }
  return PreparedChange{.offering = std::move(offering), .next = *std::move(next), .confirmed = *std::move(confirmed)};
}

ChangeResult<void> KeyChanges::CheckRegions(const PoolId& pool, const replication::pb::RoleRecord& role,
                                            const std::string& kms_key_arn) {
  if (role.members().empty()) return {};
  if (kms_key_arn.empty()) {
    return Err(ChangeError{
        ChangeErrorCode::kUnusableKey,
        "Using an AWS owned KMS key is not supported for a user pool with multi-region replication enabled."});
  }
  std::vector<Region> under_the_pools;
  const auto snapshot = services_.store.MakeSnapshot();
  for (const Member& member : role.members()) {
    const auto own = snapshot->Get(
        {.pool = pool, .type = static_cast<std::uint16_t>(RecordType::kRegionKey), .id = member.region()});
    if (!own) return Err(Unavailable("The user pool's keys cannot be read."));
    if (!*own) under_the_pools.emplace_back(member.region());
  }
  if (under_the_pools.empty()) return {};
  const auto regions = services_.keys.RegionsOfKey(kms_key_arn);
  if (!regions) return Err(Translate(regions.error()));
  for (const Region& region : under_the_pools) {
    if (std::ranges::find(*regions, region) != regions->end()) continue;
    return Err(ChangeError{ChangeErrorCode::kUnusableKey,
                           fmt::format("The KMS key {} is not in Region {}, where the user pool has a replica: a "
                                       "multi-Region key with a replica there is needed, or a key of its own there "
                                       "(KeyConfiguration of UpdateUserPoolReplica).",
                                       kms_key_arn, region.value())});
  }
  return {};
}

ChangeResult<Bytes> KeyChanges::Offer(const PoolId& pool, const std::optional<std::string>& kms_key_arn) {
  std::optional<keys::KeyServiceError> refused;
  Bytes offering;
  const auto committed = CommitPlan(services_, pool, [&](directory::Transaction& tx, const auto&) {
    tx.GetClear(RecordType::kWrappedKeys, "");
    tx.GetClear(RecordType::kRegionKey, services_.here.value());
    tx.GetClearRegional(RecordType::kRegionalKeys, "");
    auto offered = services_.keys.OfferKeys(tx.snapshot(), pool, kms_key_arn);
    if (!offered) {
      refused = std::move(offered).error();
      return false;
    }
    offering = std::move(offered->record);
    tx.PutClear(RecordType::kWrappedKeys, "", offering);
    if (offered->regional) tx.PutClearRegional(RecordType::kRegionalKeys, "", *std::move(offered->regional));
    return true;
  });
  if (refused) return Err(Translate(*refused));
  if (!committed) return Err(Translate(committed.error()));
  return offering;
}

ChangeResult<std::set<Region>> KeyChanges::Confirm(const PoolId& pool, const Bytes& offering) {
  const auto snapshot = services_.store.MakeSnapshot();
  const auto check = services_.keys.ConfirmOffer(*snapshot, pool);
  if (!check) return Err(Translate(check.error()));
  const auto role = RoleAsPrimary(services_, *snapshot, pool);
  if (!role) return Err(Translate(role.error()));
  std::set<Region> confirmed;
  for (const Member& member : role->members()) {
    if (!IsActive(member)) continue;
    const Region region(member.region());
    SYMBOLON_TRY_VOID(AskFor(region, pool, offering, *check));
    confirmed.insert(region);
  }
  return confirmed;
}

ChangeResult<void> KeyChanges::AskFor(const Region& region, const PoolId& pool, BytesView offering, BytesView check) {
  pb::KeyRequest request;
  request.set_pool(pool.value());
  request.set_confirm_offer(crypto::Sha256(offering));
  auto answer = AskMember(services_, region, pool, request, {options_.confirm_limit, options_.ask_again});
  if (!answer) {
    if (answer.error().code == ChangeErrorCode::kUnavailable) {
      answer.error().message += " Nothing has changed; a replica that is INACTIVE is not waited for.";
    }
    return Err(std::move(answer).error());
  }
  if (crypto::EqualSecrets(answer->check(), check)) return {};
  return Err(ChangeError{ChangeErrorCode::kUnusableKey,
                         fmt::format("Region {} opens another key than this one.", region.value())});
}

ChangeResult<PreparedRegionKey> KeyChanges::PrepareRegionKey(const PoolId& pool, const Region& region,
                                                             const std::string& kms_key_arn, const std::string& owner,
                                                             bool is_new) {
  const UnderWay under_way(*this, pool);
  if (!under_way.entered()) return Err(Unavailable("Another change of the user pool's key is under way."));
  if (region == services_.here) {
    const auto wrapped = WrapOwnKeys(services_, pool, kms_key_arn);
    if (!wrapped) return Err(Translate(wrapped.error()));
  } else {
    pb::KeyRequest request;
    request.set_pool(pool.value());
    pb::CheckKey& check = is_new ? *request.mutable_check_key() : *request.mutable_prepare_key()->mutable_key();
    check.set_cmk_arn(kms_key_arn);
    check.set_owner(owner);
    SYMBOLON_TRY_VOID(AskMember(services_, region, pool, request, {options_.confirm_limit, options_.ask_again}));
  }
  const auto snapshot = services_.store.MakeSnapshot();
  const auto stored = snapshot->Get({.pool = pool, .type = static_cast<std::uint16_t>(RecordType::kWrappedKeys)});
  if (!stored || !*stored) return Err(Unavailable("The user pool's keys cannot be read."));
  auto checked = services_.keys.NoteChecks(*snapshot, pool);
  if (!checked) return Err(Translate(checked.error()));
  const auto contents = keys::ContentsOfPoolKeys(**stored);
  const bool is_pools = contents && keys::KeyArnInRegion(contents->cmk_arn, region) == kms_key_arn;
  return PreparedRegionKey{.region = region,
                           .kms_key_arn = is_pools ? std::string() : kms_key_arn,
                           .record = **stored,
                           .checked = *std::move(checked)};
}

ChangeResult<Bytes> KeyChanges::CheckOpens(const PoolId& pool, const Region& region) {
  const auto stored =
      services_.store.MakeSnapshot()->Get({.pool = pool, .type = static_cast<std::uint16_t>(RecordType::kWrappedKeys)});
  if (!stored || !*stored) return Err(Unavailable("The user pool's keys cannot be read."));
  pb::KeyRequest request;
  request.set_pool(pool.value());
  request.set_hold_keys(crypto::Sha256(**stored));
  auto answer = AskMember(services_, region, pool, request, {options_.confirm_limit, options_.ask_again});
  if (answer) return **stored;
  // A Region of an earlier version opens what the pool's record has, under the pool's key.
  const auto contents = keys::ContentsOfPoolKeys(**stored);
  const auto own = services_.store.MakeSnapshot()->Get(
      {.pool = pool, .type = static_cast<std::uint16_t>(RecordType::kRegionKey), .id = region.value()});
  const bool needs_nothing_new = contents && contents->complete && own && !*own;
  if (answer.error().code == ChangeErrorCode::kNotUnderstood && needs_nothing_new) return **stored;
  return Err(std::move(answer).error());
}

void KeyChanges::Withdraw(const PoolId& pool, const PreparedChange& prepared) {
  WithdrawOffer(pool, prepared.offering);
}

void KeyChanges::WithdrawOffer(const PoolId& pool, const Bytes& offering) {
  const auto withdrawn = CommitPlan(services_, pool, [&](directory::Transaction& tx, const auto&) {
    const auto stored = tx.GetClear(RecordType::kWrappedKeys, "");
    if (stored != offering) return false;
    auto without = keys::WithdrawOffer(*stored);
    if (without) tx.PutClear(RecordType::kWrappedKeys, "", *std::move(without));
    return without.has_value();
  });
  // It seals nothing, and Tend tries again.
  if (!withdrawn) log::Warning("pool {}: an offer of keys stays: {}", pool.value(), withdrawn.error().detail);
}

ChangeResult<void> KeyChanges::Rotate(const PoolId& pool) {
  SYMBOLON_TRY(const PreparedChange prepared, Prepare(pool, std::nullopt));
  const auto taken = CommitPlan(services_, pool,
                                [&](directory::Transaction& tx, const auto& role) { return Take(tx, role, prepared); });
  if (taken && *taken) return {};
  Withdraw(pool, prepared);
  if (!taken) return Err(Translate(taken.error()));
  return Err(Unavailable("The user pool's keys or replicas have changed meanwhile."));
}

void KeyChanges::Tend(std::chrono::nanoseconds rotate_after) {
  std::optional<PoolId> after;
  while (true) {
    const auto pools = services_.store.MakeSnapshot()->Pools(after, kPoolsAtOnce);
    if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
    if (!pools || pools->empty()) return;
    for (const PoolId& pool : *pools) TendPool(pool, rotate_after);
    after = pools->back();
  }
}

void KeyChanges::TendPool(const PoolId& pool, std::chrono::nanoseconds rotate_after) {
  const auto snapshot = services_.store.MakeSnapshot();
  if (!RoleAsPrimary(services_, *snapshot, pool)) return;
  const auto stored = snapshot->Get({.pool = pool, .type = static_cast<std::uint16_t>(RecordType::kWrappedKeys)});
  if (!stored || !*stored) return;
  const auto contents = keys::ContentsOfPoolKeys(**stored);
  if (!contents) return;
  const Timestamp now = services_.clock.Now();
  if (contents->offered_at && now - *contents->offered_at > kOfferAgeMax) WithdrawOffer(pool, **stored);
  if (rotate_after.count() == 0 || contents->offered_at) return;
  const auto sealing = std::ranges::find(contents->generations, contents->sealing_generation,
                                         &keys::WrappedPoolKeysContents::Generation::name);
  // One whose age was not noted is as old as it can be.
  if (sealing == contents->generations.end() || (sealing->created && now - *sealing->created < rotate_after)) return;
  const auto rotated = Rotate(pool);
  if (rotated) {
    log::Info("pool {} has a new data key", pool.value());
  } else {
    log::Warning("pool {} keeps its data key: {}", pool.value(), rotated.error().message);
  }
}

}  // namespace symbolon::key_life
