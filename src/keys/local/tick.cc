// What time brings: here first, in one write; then other Regions are told.
#include <algorithm>

#include "base/log.h"
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

using Now = Timestamp;

bool Expires(const MaterialFacts& material, Now now) {
  return material.present && material.valid_to && *material.valid_to <= now;
}

bool WaitsForNobody(const KeyFacts& facts) {
  return facts.deletion_window_days > 0 && !facts.deletion && facts.replicas.empty();
}

bool RotatesNow(const KeyFacts& facts, const Region& here, Now now) {
  return facts.rotation.enabled && !facts.rotation.started && facts.origin == KeyOrigin::kAwsKms &&
         !facts.is_replica_in(here) && facts.rotation.next() <= now && StateAt(facts, now) == KeyState::kEnabled;
}

bool IsDue(const LocalKey& key, const Region& here, Now now) {
  const KeyFacts& facts = key.facts;
  return (facts.deletion && *facts.deletion <= now) || WaitsForNobody(facts) || RotatesNow(facts, here, now) ||
         std::ranges::any_of(facts.materials, [&](const auto& material) { return Expires(material, now); }) ||
         std::ranges::any_of(key.import_keys, [&](const auto& wrapping) { return wrapping.expires <= now; });
}

}  // namespace

void LocalKeyProvider::State::DeleteKey(Contents& all, const std::string& key_id) const {
  const KeyPointer key = all.keys.at(key_id);
  if (key->facts.is_replica_in(region)) all.deleted_replicas.insert_or_assign(key_id, key->facts.primary);
  std::erase_if(all.aliases, [&](const auto& entry) { return entry.second.key_id == key_id; });
  all.keys.erase(key_id);
}

void LocalKeyProvider::State::ActOnTime() {
  const Timestamp time = now();
  const auto due = [&](const Contents& all) {
    std::vector<KeyPointer> keys;
    for (const auto& [id, key] : all.keys) {
      if (IsDue(*key, region, time)) keys.push_back(key);
    }
    return keys;
  };
  if (due(*Current()).empty() || !MayAct()) return;

  std::vector<std::string> arns;
  std::vector<OwnAct> acts;
  std::vector<std::pair<KeyPointer, std::uint32_t>> rotated;
  const auto changed = Change([&](Contents& all) -> LocalKeyResult<void> {
    for (const KeyPointer& key : due(all)) {
      const std::string& id = key->facts.id;
      arns.push_back(key->facts.arn);
      if (key->facts.deletion && *key->facts.deletion <= time) {
        DeleteKey(all, id);
        acts.push_back({.kind = OwnAct::Kind::kDeleted, .key_arn = key->facts.arn});
        log::Info("key {} is deleted, as it was scheduled", key->facts.arn);
        continue;
      }
      auto edited = std::make_shared<LocalKey>(*key);
      for (const MaterialFacts& material : key->facts.materials) {
        if (!Expires(material, time)) continue;
        edited->DropMaterial(material.version);
        acts.push_back({.kind = OwnAct::Kind::kMaterialExpired, .key_arn = key->facts.arn, .material_id = material.id});
      }
      std::erase_if(edited->import_keys, [&](const auto& wrapping) { return wrapping.expires <= time; });
      if (WaitsForNobody(edited->facts)) {
        edited->facts.deletion = time + std::chrono::days(edited->facts.deletion_window_days);
      }
      if (RotatesNow(edited->facts, region, time)) {
        BeginRotation(*edited, false);
        rotated.emplace_back(edited, key->facts.current_version);
      }
      all.keys.insert_or_assign(id, std::move(edited));
    }
    return {};
  });
  if (!changed) {
    log::Error("keys whose time has come cannot be changed: {}", changed.error().detail);
    return;
  }
  for (const std::string& arn : arns) Notify(arn);
  for (const OwnAct& act : acts) Report(act);
  for (const auto& [key, version_before] : rotated) TellRotation(key->facts, version_before);
}

void LocalKeyProvider::State::AnnounceDeletions(KeyReplicationTransport& transport, std::set<Region>& unreachable) {
  const auto all = Current();
  for (const auto& [id, primary] : all->deleted_replicas) {
    if (unreachable.contains(primary)) continue;
    const auto told = transport.AnnounceDeletion(primary, id);
    if (!told && told.error().code == LocalKeyErrorCode::kUnavailable) unreachable.insert(primary);
    if (!told) {
      NoteProblem(primary, told.error());
      continue;
    }
    const auto forgotten = Change([&](Contents& next) -> LocalKeyResult<void> {
      next.deleted_replicas.erase(id);
      return {};
    });
    if (!forgotten) log::Error("key file: {}", forgotten.error().detail);
  }
}

void LocalKeyProvider::Tick(KeyReplicationTransport& transport) {
  state_->ActOnTime();
  // A Region that does not answer is asked once, and then less and less often.
  const std::set<Region> resting = state_->backoff.Resting(state_->clock.SinceBoot());
  std::set<Region> unreachable = resting;
  state_->AnnounceDeletions(transport, unreachable);
  const auto all = state_->Current();
  for (const auto& [id, key] : all->keys) {
    const KeyFacts& facts = key->facts;
    if (!facts.is_primary_in(state_->region) || facts.sequence == 0) continue;
    if (!facts.handed_to.empty()) {
      if (unreachable.contains(facts.handed_to)) continue;
      const auto handed = state_->HandOver(id, transport);
      if (!handed) log::Warning("key {} keeps its primary Region: {}", facts.arn, handed.error().detail);
      const KeyPointer after = state_->Find(id);
      if (after != nullptr && !after->facts.handed_to.empty()) unreachable.insert(after->facts.handed_to);
    } else {
      state_->AdvanceRotation(id, transport, unreachable);
    }
  }
  state_->backoff.EndRound(resting, unreachable, state_->clock.SinceBoot());
}

}  // namespace symbolon::keys::local
