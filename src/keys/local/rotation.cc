// New material for a key. With replicas: first every replica has it, then the primary uses it, then the replicas do.
#include <algorithm>

#include "base/log.h"
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

constexpr int kPeriodDaysMin = 90;
constexpr int kPeriodDaysMax = 2560;

LocalKeyResult<void> CheckRotatesHere(const KeyFacts& facts, const Region& here) {
  if (!facts.is_replica_in(here)) return {};
  return Err(Error(LocalKeyErrorCode::kUnsupported, facts.arn + " is rotated by its primary"));
}

LocalKeyResult<void> CheckMaterialIsOurs(const KeyFacts& facts) {
  if (facts.origin == KeyOrigin::kAwsKms) return {};
  return Err(Error(LocalKeyErrorCode::kWrongOrigin, facts.arn + " has imported material"));
}

}  // namespace

LocalKeyResult<void> LocalKeyProvider::EnableRotation(std::string_view key, std::optional<int> period_days) {
  SYMBOLON_CHECK(!period_days || (*period_days >= kPeriodDaysMin && *period_days <= kPeriodDaysMax));
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    KeyFacts& facts = changed.facts;
    SYMBOLON_TRY_VOID(CheckMaterialIsOurs(facts));
    SYMBOLON_TRY_VOID(CheckRotatesHere(facts, state_->region));
    SYMBOLON_TRY_VOID(state_->CheckState(facts, {}));
    if (!facts.rotation.enabled) facts.rotation.since = state_->now();
    if (period_days) facts.rotation.period_days = *period_days;
    if (!facts.rotation.enabled && !period_days) facts.rotation.period_days = Rotation::kPeriodDaysDefault;
    facts.rotation.enabled = true;
    ++facts.sequence;
    return {};
  }));
  return {};
}

LocalKeyResult<void> LocalKeyProvider::DisableRotation(std::string_view key) {
  SYMBOLON_TRY_VOID(state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    KeyFacts& facts = changed.facts;
    SYMBOLON_TRY_VOID(CheckMaterialIsOurs(facts));
    SYMBOLON_TRY_VOID(CheckRotatesHere(facts, state_->region));
    SYMBOLON_TRY_VOID(state_->CheckState(facts, {}));
    facts.rotation.enabled = false;
    ++facts.sequence;
    return {};
  }));
  return {};
}

void LocalKeyProvider::State::BeginRotation(LocalKey& key, bool on_demand) {
  KeyFacts& facts = key.facts;
  if (facts.origin == KeyOrigin::kAwsKms) {
    key.AddMaterial(facts.materials.back().version + 1, Secret(random.Octets(kDataKeyBytes)));
  }
  facts.materials.back().on_demand = on_demand;
  facts.rotation.started = now();
  ++facts.sequence;
  if (facts.replicas.empty()) FinishRotation(key);
}

void LocalKeyProvider::State::FinishRotation(LocalKey& key) {
  KeyFacts& facts = key.facts;
  MaterialFacts& next = facts.materials.back();
  next.rotated = now();
  facts.current_version = next.version;
  facts.rotation.started.reset();
  if (next.on_demand) {
    ++facts.rotation.on_demand_count;
  } else {
    facts.rotation.since = *next.rotated;
  }
  ++facts.sequence;
}

void LocalKeyProvider::State::TellRotation(const KeyFacts& key, std::uint32_t version_before) const {
  if (key.current_version == version_before) return;
  const MaterialFacts& material = *key.current();
  Report({.kind = OwnAct::Kind::kRotated,
          .key_arn = key.arn,
          .material_id = material.id,
          .on_demand = material.on_demand});
}

LocalKeyResult<void> LocalKeyProvider::RotateOnDemand(std::string_view key, KeyReplicationTransport& transport) {
  std::uint32_t version_before = 0;
  SYMBOLON_TRY(const KeyPointer changed,
               state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& edited) -> LocalKeyResult<void> {
                 KeyFacts& facts = edited.facts;
                 SYMBOLON_TRY_VOID(CheckRotatesHere(facts, state_->region));
                 SYMBOLON_TRY_VOID(state_->CheckState(facts, {}));
                 if (facts.rotation.started)
                   return Err(Error(LocalKeyErrorCode::kRotating, facts.arn + " is being rotated"));
                 if (facts.rotation.on_demand_count >= kOnDemandRotationsMax) {
                   return Err(Error(LocalKeyErrorCode::kLimitExceeded, facts.arn + " was rotated on demand too often"));
                 }
                 if (facts.origin == KeyOrigin::kExternal) {
                   const MaterialFacts& newest = facts.materials.back();
                   const bool ready = newest.version > facts.current_version && newest.present &&
                                      (!newest.valid_to || state_->now() < *newest.valid_to);
                   if (!ready)
                     return Err(Error(LocalKeyErrorCode::kNothingToRotateTo, facts.arn + " has no new material"));
                 }
                 version_before = facts.current_version;
                 state_->BeginRotation(edited, true);
                 return {};
               }));
  state_->TellRotation(changed->facts, version_before);
  std::set<Region> unreachable;
  state_->AdvanceRotation(changed->facts.id, transport, unreachable);
  return {};
}

void LocalKeyProvider::State::AdvanceRotation(const std::string& key_id, KeyReplicationTransport& transport,
                                              std::set<Region>& unreachable) {
  if (!TellReplicas(key_id, transport, unreachable)) return;
  const KeyPointer before = Find(key_id);
  if (before == nullptr || !before->facts.rotation.started || !MayAct()) return;
  const auto finished = ChangeKey(key_id, Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    // What they all confirmed has to be this very state.
    if (changed.facts.sequence != before->facts.sequence || !changed.facts.rotation.started) {
      return Err(Error(LocalKeyErrorCode::kStale, "changed meanwhile"));
    }
    FinishRotation(changed);
    return {};
  });
  if (finished) {
    TellRotation((*finished)->facts, before->facts.current_version);
    TellReplicas(key_id, transport, unreachable);
  } else if (finished.error().code != LocalKeyErrorCode::kStale) {
    log::Error("the rotation of key {} cannot be finished yet: {}", key_id, finished.error().detail);
  }
}

}  // namespace symbolon::keys::local
