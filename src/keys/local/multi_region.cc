// Keys that several Regions have. The primary states what they share, with a sequence number that grows; a replica
// takes the latest statement. One of a new primary (UpdatePrimaryRegion) goes to that Region first: it is primary as
// soon as it has taken it, and the former one, which does nothing as primary from before it asked, follows.
#include <algorithm>

#include "base/log.h"
#include "crypto/hash.h"
#include "keys/arn.h"
#include "keys/local/provider_state.h"

namespace symbolon::keys::local {
namespace {

constexpr std::size_t kReplicaRegionsMax = 64;
constexpr std::size_t kMaterialsMax = 10'000;
// Later moments are none that a clock shows; what is added to them must not overflow.
constexpr Timestamp kLatest = FromSeconds(253'402'300'799);  // 9999-12-31

// What the sealed material of a replica is bound to.
Bytes ReplicaInfo(const ReplicaKey& replica, std::uint32_t version, const Region& target) {
  Bytes info;
  for (BytesView part : {BytesView("symbolon kms replica 1"), BytesView(replica.key_id),
                         BytesView(replica.primary.value()), BytesView(target.value())}) {
    AppendBigEndian32(info, static_cast<std::uint32_t>(part.size()));
    info += part;
  }
  AppendBigEndian32(info, version);
  return info;
}

void Insert(std::vector<Region>& regions, const Region& region) {
  if (!std::ranges::binary_search(regions, region)) {
    regions.insert(std::ranges::upper_bound(regions, region), region);
  }
}

bool Contains(const std::vector<Region>& regions, const Region& region) {
  return std::ranges::find(regions, region) != regions.end();
}

ReplicaKey StatementOf(const KeyFacts& facts) {
  return {.key_id = facts.id,
          .sender = {},
          .primary = facts.primary,
          .replicas = facts.replicas,
          .origin = facts.origin,
          .materials = {},
          .current_version = facts.current_version,
          .rotation = facts.rotation,
          .sequence = facts.sequence};
}

LocalKeyError Malformed(std::string detail) { return Error(LocalKeyErrorCode::kMalformed, std::move(detail)); }

// The bounds of what another Region says.
LocalKeyResult<void> CheckShape(const ReplicaKey& replica, const Region& here) {
  const bool hands_over = replica.hand_over && replica.primary == here;
  if (!IsMultiRegionKeyId(replica.key_id) || replica.primary.empty() ||
      (replica.primary == here) != replica.hand_over ||
      replica.description.size() > LocalKeyProvider::kDescriptionBytesMax ||
      replica.policy.size() > LocalKeyProvider::kPolicyBytesMax || replica.tags.size() > LocalKeyProvider::kTagsMax ||
      replica.replicas.size() > kReplicaRegionsMax || replica.materials.size() > kMaterialsMax ||
      !(hands_over || Contains(replica.replicas, here))) {
    return Err(Malformed("no replica for this Region"));
  }
  if (replica.rotation.since < Timestamp() || replica.rotation.since > kLatest || replica.rotation.period_days < 0) {
    return Err(Malformed("no schedule"));
  }
  std::uint32_t before = 0;
  for (const auto& material : replica.materials) {
    const auto id = HexDecode(material.facts.id);
    const bool well_formed = material.facts.version > before && (material.facts.id.empty() || (id && id->size() == 32));
    if (!well_formed) return Err(Malformed("materials out of order"));
    before = material.facts.version;
  }
  const bool has_current = std::ranges::any_of(
      replica.materials, [&](const auto& each) { return each.facts.version == replica.current_version; });
  if (replica.origin == KeyOrigin::kAwsKms ? !has_current : replica.current_version != 0 && !has_current) {
    return Err(Malformed("no current material"));
  }
  return {};
}

// Takes over the materials of a statement; those that are here already have to be the same.
LocalKeyResult<void> TakeMaterials(const ReplicaKey& replica, const crypto::HybridPrivateKey& transport_key,
                                   const Region& here, LocalKey& key) {
  for (const ReplicaKey::Material& material : replica.materials) {
    const std::uint32_t version = material.facts.version;
    const bool is_here = key.facts.material(version) != nullptr;
    if (replica.origin == KeyOrigin::kExternal) {
      // Which material it has to be; its owner brings it.
      if (material.facts.id.empty()) return Err(Malformed("imported material without an id"));
      if (!is_here) {
        key.facts.materials.push_back({.version = version, .id = material.facts.id, .present = false});
      }
    } else if (!is_here || replica.create) {
      auto octets = transport_key.Open(ReplicaInfo(replica, version, here), material.sealed);
      if (!octets || octets->size() != KeyProvider::kDataKeyBytes) {
        return Err(Malformed("the replica's material does not open"));
      }
      const std::string id = MaterialId(replica.key_id, octets->view());
      if (!material.facts.id.empty() && material.facts.id != id) return Err(Malformed("the material has another id"));
      if (!is_here) {
        key.AddMaterial(version, *std::move(octets));
      } else if (key.facts.material(version)->id != id) {
        return Err(Error(LocalKeyErrorCode::kAlreadyExists, "another key has the id " + replica.key_id));
      }
    }
    MaterialFacts& own = key.FactsOf(version);
    if (!material.facts.id.empty() && own.id != material.facts.id) {
      return Err(Error(LocalKeyErrorCode::kAlreadyExists, "another key has the id " + replica.key_id));
    }
    own.rotated = material.facts.rotated;
    own.on_demand = material.facts.on_demand;
  }
  return {};
}

// Whether a statement may change a key that is here.
LocalKeyResult<void> CheckStatement(const ReplicaKey& replica, const KeyFacts& present, const Region& here,
                                    Timestamp now) {
  using Code = LocalKeyErrorCode;
  if (present.service_owned || present.origin != replica.origin) {
    return Err(Error(Code::kAlreadyExists, "another key has the id " + replica.key_id));
  }
  if (replica.create) {
    if (replica.only_if_missing) return Err(Error(Code::kAlreadyExists, replica.key_id + " is here"));
    if (present.primary != replica.primary) return Err(Error(Code::kAlreadyExists, "another primary has that key"));
  }
  if (present.primary != replica.sender && !Contains(present.replicas, replica.sender)) {
    return Err(Malformed("Region " + replica.sender.value() + " has no such key"));
  }
  if (replica.sequence < present.sequence) return Err(Error(Code::kStale, "a later state is known here"));
  if (replica.hand_over && present.primary != here) {
    // The heir has to be able to act as primary.
    const KeyState state = StateAt(present, now);
    if (state == KeyState::kDisabled) return Err(Error(Code::kDisabled, present.arn + " is disabled"));
    if (state == KeyState::kPendingImport) return Err(Error(Code::kPendingImport, present.arn + " is pending import"));
    if (state != KeyState::kEnabled) return Err(Error(Code::kPendingDeletion, present.arn + " is pending deletion"));
  }
  return {};
}

}  // namespace

// ---- asking ----

LocalKeyResult<void> LocalKeyProvider::State::Send(const LocalKey& key, const Region& target, ReplicaKey message,
                                                   KeyReplicationTransport& transport) {
  message.sender = region;
  SYMBOLON_TRY(const Bytes recipient, transport.TransportPublicKey(target));
  SYMBOLON_TRY(const LocalKey::Materials materials, MaterialsOf(key));
  for (const MaterialFacts& material : key.facts.materials) {
    ReplicaKey::Material& out = message.materials.emplace_back();
    out.facts = material;
    const auto octets = materials.find(material.version);
    if (key.facts.origin == KeyOrigin::kExternal || octets == materials.end()) continue;
    auto sealed =
        crypto::SealTo(recipient, ReplicaInfo(message, material.version, target), octets->second->octets().view());
    if (!sealed) return Err(Malformed("the transport key of Region " + target.value() + " is none"));
    out.sealed = *std::move(sealed);
  }
  return transport.ImportReplica(target, message);
}

LocalKeyResult<KeyFactsPointer> LocalKeyProvider::ReplicateKey(std::string_view key, const Region& target,
                                                               const NewReplica& replica,
                                                               KeyReplicationTransport& transport) {
  SYMBOLON_CHECK(replica.description.size() <= kDescriptionBytesMax && replica.policy.size() <= kPolicyBytesMax &&
                 replica.tags.size() <= kTagsMax);
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  const KeyFacts& own = found->facts;
  if (!own.is_primary_in(state_->region)) {
    return Err(Error(LocalKeyErrorCode::kUnsupported, own.arn + " is not a multi-Region primary key"));
  }
  SYMBOLON_TRY_VOID(state_->CheckState(own, {}));
  const auto exists = [&] {
    return Err(Error(LocalKeyErrorCode::kAlreadyExists, own.id + " exists in Region " + target.value()));
  };
  if (target == own.primary) return exists();

  ReplicaKey message = StatementOf(own);
  message.create = true;
  // A Region that had it may have lost its disk.
  message.only_if_missing = Contains(own.replicas, target);
  Insert(message.replicas, target);
  message.description = replica.description;
  message.created = state_->now();
  message.policy = replica.policy;
  message.tags = replica.tags;
  const LocalKeyResult<void> imported = state_->Send(*found, target, message, transport);
  if (!imported) {
    if (message.only_if_missing && imported.error().code == LocalKeyErrorCode::kAlreadyExists) return exists();
    return Err(imported.error());
  }

  // A crash before this is written is mended by asking again: the target takes the same replica twice.
  SYMBOLON_TRY(const KeyPointer changed,
               state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& edited) -> LocalKeyResult<void> {
                 if (message.only_if_missing) return {};
                 Insert(edited.facts.replicas, target);
                 ++edited.facts.sequence;
                 return {};
               }));
  auto answer = std::make_shared<KeyFacts>(changed->facts);
  answer->arn = KeyArnInRegion(own.arn, target);
  answer->description = message.description;
  answer->created = message.created;
  answer->policy = state_->PolicyOf(message.policy);
  answer->policy_is_default = message.policy.empty();
  answer->tags = message.tags;
  answer->grants.clear();
  if (own.origin == KeyOrigin::kExternal) {
    for (MaterialFacts& material : answer->materials) material.present = false;
  }
  return answer;
}

LocalKeyResult<KeyDescription> LocalKeyProvider::ReplicateKey(std::string_view key, const Region& target,
                                                              std::string_view description,
                                                              KeyReplicationTransport& transport) {
  SYMBOLON_TRY(const KeyFactsPointer made,
               ReplicateKey(key, target, NewReplica{.description = std::string(description)}, transport));
  return DescriptionAt(*made, state_->now());
}

LocalKeyResult<void> LocalKeyProvider::UpdatePrimaryRegion(std::string_view key, const Region& primary,
                                                           KeyReplicationTransport& transport) {
  SYMBOLON_TRY(const KeyPointer found, state_->FindCustomerKey(key));
  // Whether the new primary can be reached shows before anything is changed.
  if (found->facts.is_primary_in(state_->region) && Contains(found->facts.replicas, primary)) {
    SYMBOLON_TRY_VOID(transport.TransportPublicKey(primary).map([](const Bytes&) {}));
  }
  SYMBOLON_TRY(const KeyPointer changed,
               state_->ChangeKey(key, State::Tell::kNobody, [&](LocalKey& edited) -> LocalKeyResult<void> {
                 KeyFacts& facts = edited.facts;
                 if (!facts.is_primary_in(state_->region)) {
                   return Err(Error(LocalKeyErrorCode::kUnsupported, facts.arn + " is not a multi-Region primary key"));
                 }
                 SYMBOLON_TRY_VOID(state_->CheckState(facts, {}));
                 if (facts.rotation.started)
                   return Err(Error(LocalKeyErrorCode::kRotating, facts.arn + " is being rotated"));
                 if (!Contains(facts.replicas, primary)) {
                   return Err(Error(LocalKeyErrorCode::kUnknownRegion, "no replica in Region " + primary.value()));
                 }
                 facts.handed_to = primary;
                 ++facts.sequence;
                 return {};
               }));
  return state_->HandOver(changed->facts.id, transport);
}

LocalKeyResult<void> LocalKeyProvider::State::HandOver(const std::string& key_id, KeyReplicationTransport& transport) {
  const KeyPointer before = Find(key_id);
  if (before == nullptr || before->facts.handed_to.empty()) return {};
  const Region heir = before->facts.handed_to;
  ReplicaKey message = StatementOf(before->facts);
  message.hand_over = true;
  message.primary = heir;
  std::erase(message.replicas, heir);
  Insert(message.replicas, region);
  message.sequence = before->facts.sequence + 1;
  const LocalKeyResult<void> taken = Send(*before, heir, message, transport);
  using Code = LocalKeyErrorCode;
  const bool unknown = !taken && (taken.error().code == Code::kUnavailable || taken.error().code == Code::kStale);
  if (unknown) {
    NoteProblem(heir, taken.error());
    return {};
  }
  SYMBOLON_TRY_VOID(ChangeKey(key_id, Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    KeyFacts& facts = changed.facts;
    if (facts.handed_to != heir || facts.sequence != before->facts.sequence) return {};
    facts.handed_to = Region();
    if (!taken) return {};
    facts.primary = heir;
    facts.replicas = message.replicas;
    facts.sequence = message.sequence;
    return {};
  }));
  return taken;
}

void LocalKeyProvider::State::Confirm(const std::string& key_id, const Region& replica, std::uint64_t sequence) {
  std::lock_guard guard(confirmed_mutex);
  std::uint64_t& known = confirmed[key_id][replica];
  known = std::max(known, sequence);
}

void LocalKeyProvider::State::NoteProblem(const Region& target, const LocalKeyError& problem) {
  {
    std::lock_guard guard(confirmed_mutex);
    if (!problems.insert_or_assign(target, problem.detail).second) return;
  }
  log::Warning("Region {} cannot be told of changes of multi-Region keys: {}", target.value(), problem.detail);
}

bool LocalKeyProvider::State::TellReplicas(const std::string& key_id, KeyReplicationTransport& transport,
                                           std::set<Region>& unreachable) {
  const KeyPointer key = Find(key_id);
  if (key == nullptr || !key->facts.is_primary_in(region)) return false;
  const KeyFacts& facts = key->facts;
  bool all_know = true;
  for (const Region& replica : facts.replicas) {
    {
      std::lock_guard guard(confirmed_mutex);
      if (confirmed[key_id][replica] >= facts.sequence) continue;
    }
    if (unreachable.contains(replica)) {
      all_know = false;
      continue;
    }
    const auto told = Send(*key, replica, StatementOf(facts), transport);
    // A Region that lost it has no copy that could be out of date; ReplicateKey gives it all there is.
    if (told || told.error().code == LocalKeyErrorCode::kNotFound) {
      Confirm(key_id, replica, facts.sequence);
      std::lock_guard guard(confirmed_mutex);
      problems.erase(replica);
      continue;
    }
    all_know = false;
    if (told.error().code == LocalKeyErrorCode::kUnavailable) unreachable.insert(replica);
    NoteProblem(replica, told.error());
  }
  return all_know;
}

// ---- answering ----

LocalKeyResult<void> LocalKeyProvider::AcceptReplica(const ReplicaKey& replica) {
  const Region& here = state_->region;
  SYMBOLON_TRY_VOID(CheckShape(replica, here));
  const KeyPointer before = state_->Find(replica.key_id);
  if (before != nullptr && !replica.create && replica.sequence == before->facts.sequence &&
      replica.primary == before->facts.primary) {
    return {};  // Known; nothing to write.
  }
  if (before == nullptr && !replica.create) return state_->KeepDeleted(replica);
  std::string changed_arn;
  const auto accepted = state_->Change([&](Contents& all) -> LocalKeyResult<void> {
    const KeyPointer present = State::FindIn(all, *state_, replica.key_id);
    auto key = std::make_shared<LocalKey>();
    if (present == nullptr) {
      if (!replica.create) return Err(Error(LocalKeyErrorCode::kNotFound, replica.key_id + " is not here"));
      key->facts.id = replica.key_id;
      key->facts.arn = state_->ArnOf(replica.key_id);
      key->facts.description = replica.description;
      key->facts.created = replica.created;
      key->facts.origin = replica.origin;
      key->facts.multi_region = true;
      key->facts.policy = state_->PolicyOf(replica.policy);
      key->facts.policy_is_default = replica.policy.empty();
      key->facts.tags = replica.tags;
    } else {
      SYMBOLON_TRY_VOID(CheckStatement(replica, present->facts, here, state_->now()));
      *key = *present;
    }
    SYMBOLON_TRY_VOID(TakeMaterials(replica, state_->transport_key, here, *key));
    KeyFacts& facts = key->facts;
    facts.primary = replica.primary;
    facts.replicas = replica.replicas;
    std::ranges::sort(facts.replicas);
    facts.current_version = replica.current_version;
    facts.rotation = replica.rotation;
    facts.sequence = replica.sequence;
    facts.handed_to = Region();
    // A former primary does not wait for replicas any more.
    if (facts.deletion_window_days > 0 && !facts.deletion && facts.is_replica_in(here)) {
      facts.deletion = state_->now() + std::chrono::days(facts.deletion_window_days);
    }
    changed_arn = facts.arn;
    all.deleted_replicas.erase(replica.key_id);
    if (present == nullptr) return state_->Add(all, std::move(key));
    all.keys.insert_or_assign(replica.key_id, std::move(key));
    return {};
  });
  if (accepted) state_->Notify(changed_arn);
  return accepted;
}

LocalKeyResult<void> LocalKeyProvider::State::KeepDeleted(const ReplicaKey& replica) {
  const auto missing = Error(LocalKeyErrorCode::kNotFound, replica.key_id + " is not here");
  const auto all = Current();
  const auto deleted = all->deleted_replicas.find(replica.key_id);
  if (deleted == all->deleted_replicas.end() || deleted->second == replica.primary) return Err(missing);
  SYMBOLON_TRY_VOID(Change([&](Contents& next) -> LocalKeyResult<void> {
    next.deleted_replicas.insert_or_assign(replica.key_id, replica.primary);
    return {};
  }));
  return Err(missing);
}

LocalKeyResult<void> LocalKeyProvider::ForgetReplica(const std::string& key_id, const Region& region) {
  const KeyPointer found = state_->Find(key_id);
  // Nothing to forget; a later primary is not our business.
  if (found == nullptr || !Contains(found->facts.replicas, region)) return {};
  if (!found->facts.is_primary_in(state_->region)) {
    return Err(Error(LocalKeyErrorCode::kUnsupported, "the primary is Region " + found->facts.primary.value()));
  }
  SYMBOLON_TRY_VOID(state_->ChangeKey(key_id, State::Tell::kNobody, [&](LocalKey& changed) -> LocalKeyResult<void> {
    if (std::erase(changed.facts.replicas, region) > 0) ++changed.facts.sequence;
    return {};
  }));
  return {};
}

LocalKeyResult<std::vector<std::string>> LocalKeyProvider::ForgetRegions(const std::set<Region>& regions) {
  const auto has_some = [&](const KeyFacts& facts) {
    return facts.is_primary_in(state_->region) &&
           (regions.contains(facts.handed_to) ||
            std::ranges::any_of(facts.replicas, [&](const Region& region) { return regions.contains(region); }));
  };
  const auto all = state_->Current();
  std::vector<std::string> arns;
  for (const auto& [id, key] : all->keys) {
    if (has_some(key->facts)) arns.push_back(key->facts.arn);
  }
  const bool announces =
      std::ranges::any_of(all->deleted_replicas, [&](const auto& deleted) { return regions.contains(deleted.second); });
  if (arns.empty() && !announces) return arns;
  SYMBOLON_TRY_VOID(state_->Change([&](Contents& next) -> LocalKeyResult<void> {
    std::erase_if(next.deleted_replicas, [&](const auto& deleted) { return regions.contains(deleted.second); });
    for (auto& [id, key] : next.keys) {
      if (!has_some(key->facts)) continue;
      auto edited = std::make_shared<LocalKey>(*key);
      std::erase_if(edited->facts.replicas, [&](const Region& region) { return regions.contains(region); });
      // It never took the key over, or is gone with it: this Region stays primary.
      if (regions.contains(edited->facts.handed_to)) edited->facts.handed_to = Region();
      edited->facts.sequence += 2;  // Beyond what a Region that was to be primary may have been told.
      key = std::move(edited);
    }
    return {};
  }));
  return arns;
}

std::map<Region, std::size_t> LocalKeyProvider::KeysUntold() const {
  std::map<Region, std::size_t> untold;
  const auto all = state_->Current();
  std::lock_guard guard(state_->confirmed_mutex);
  for (const auto& [id, key] : all->keys) {
    if (!key->facts.is_primary_in(state_->region)) continue;
    const auto confirmed = state_->confirmed.find(id);
    for (const Region& replica : key->facts.replicas) {
      std::size_t& count = untold[replica];
      const bool knows = confirmed != state_->confirmed.end() && confirmed->second.contains(replica) &&
                         confirmed->second.at(replica) >= key->facts.sequence;
      if (!knows) ++count;
    }
  }
  return untold;
}

}  // namespace symbolon::keys::local
