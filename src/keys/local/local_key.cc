#include "keys/local/local_key.h"

#include <algorithm>

#include "crypto/hash.h"

namespace symbolon::keys::local {
namespace {

constexpr std::string_view kMaterialIdDomain = "symbolon kms material id 1";

std::optional<Timestamp> OptionalTime(std::int64_t micros) {
  if (micros == 0) return std::nullopt;
  return FromMicros(micros);
}

std::int64_t MicrosOf(const std::optional<Timestamp>& time) { return time ? ToMicros(*time) : 0; }

void StoreMaterial(const MaterialFacts& facts, const KeyMaterial* material, pb::StoredMaterial& stored) {
  stored.set_version(facts.version);
  if (material != nullptr) stored.set_octets(Bytes(material->octets().view()));
  stored.set_id(HexDecode(facts.id).value());
  stored.set_description(facts.description);
  stored.set_valid_to_micros(MicrosOf(facts.valid_to));
  stored.set_rotated_micros(MicrosOf(facts.rotated));
  stored.set_on_demand(facts.on_demand);
}

bool RestoreMaterial(const pb::StoredMaterial& stored, LocalKey& key) {
  const bool present = !stored.octets().empty();
  if (present && stored.octets().size() != KeyProvider::kDataKeyBytes) return false;
  if (!present && (stored.id().empty() || key.facts.origin != KeyOrigin::kExternal)) return false;
  if (present) {
    key.AddMaterial(stored.version(), Secret::CopyOf(stored.octets()));
  } else {
    key.facts.materials.push_back({.version = stored.version(), .id = HexEncode(stored.id()), .present = false});
  }
  MaterialFacts& facts = key.facts.materials.back();
  facts.description = stored.description();
  facts.valid_to = OptionalTime(stored.valid_to_micros());
  facts.rotated = OptionalTime(stored.rotated_micros());
  facts.on_demand = stored.on_demand();
  return true;
}

void StoreContext(const std::optional<EncryptionContext>& context,
                  google::protobuf::Map<std::string, std::string>& out) {
  if (context) out.insert(context->begin(), context->end());
}

EncryptionContext RestoreContext(const google::protobuf::Map<std::string, std::string>& stored) {
  return {stored.begin(), stored.end()};
}

void StoreGrant(const Grant& grant, pb::StoredGrant& stored) {
  stored.set_id(grant.id);
  stored.set_name(grant.name);
  stored.set_created_micros(ToMicros(grant.created));
  stored.set_grantee(grant.grantee);
  stored.set_retiring(grant.retiring);
  stored.set_grantee_is_service(grant.grantee_is_service);
  stored.set_retiring_is_service(grant.retiring_is_service);
  for (const std::string& operation : grant.operations) stored.add_operations(operation);
  StoreContext(grant.constraints.context_subset, *stored.mutable_context_subset());
  StoreContext(grant.constraints.context_equals, *stored.mutable_context_equals());
  stored.set_has_context_subset(grant.constraints.context_subset.has_value());
  stored.set_has_context_equals(grant.constraints.context_equals.has_value());
  stored.set_source_arn(grant.constraints.source_arn);
}

Grant RestoreGrant(const pb::StoredGrant& stored) {
  Grant grant{.id = stored.id(),
              .name = stored.name(),
              .created = FromMicros(stored.created_micros()),
              .grantee = stored.grantee(),
              .retiring = stored.retiring(),
              .grantee_is_service = stored.grantee_is_service(),
              .retiring_is_service = stored.retiring_is_service(),
              .operations = {stored.operations().begin(), stored.operations().end()},
              .constraints = {.context_subset = {}, .context_equals = {}, .source_arn = stored.source_arn()}};
  if (stored.has_context_subset()) grant.constraints.context_subset = RestoreContext(stored.context_subset());
  if (stored.has_context_equals()) grant.constraints.context_equals = RestoreContext(stored.context_equals());
  return grant;
}

void StoreRotation(const Rotation& rotation, pb::StoredRotation& stored) {
  stored.set_enabled(rotation.enabled);
  stored.set_period_days(static_cast<std::uint32_t>(rotation.period_days));
  stored.set_since_micros(ToMicros(rotation.since));
  stored.set_on_demand_count(static_cast<std::uint32_t>(rotation.on_demand_count));
  stored.set_started_micros(MicrosOf(rotation.started));
}

Rotation RestoreRotation(const pb::StoredRotation& stored) {
  return {
      .enabled = stored.enabled(),
      .period_days = stored.period_days() == 0 ? Rotation::kPeriodDaysDefault : static_cast<int>(stored.period_days()),
      .since = FromMicros(stored.since_micros()),
      .on_demand_count = static_cast<int>(stored.on_demand_count()),
      .started = OptionalTime(stored.started_micros())};
}

KeyFacts RestoreFacts(const pb::StoredKey& stored, std::string arn) {
  KeyFacts facts;
  facts.id = stored.id();
  facts.arn = std::move(arn);
  facts.description = stored.description();
  facts.created = FromMicros(stored.created_micros());
  facts.origin = stored.external() ? KeyOrigin::kExternal : KeyOrigin::kAwsKms;
  facts.service_owned = stored.service_owned();
  facts.multi_region = stored.multi_region();
  facts.primary = Region(stored.primary_region());
  for (const std::string& region : stored.replica_regions()) facts.replicas.emplace_back(region);
  facts.disabled = stored.disabled();
  facts.deletion = OptionalTime(stored.deletion_micros());
  facts.deletion_window_days = static_cast<int>(stored.deletion_window_days());
  facts.tags = {stored.tags().begin(), stored.tags().end()};
  for (const pb::StoredGrant& grant : stored.grants()) facts.grants.push_back(RestoreGrant(grant));
  facts.rotation = RestoreRotation(stored.rotation());
  facts.handed_to = Region(stored.handed_to());
  facts.sequence = stored.sequence();
  return facts;
}

}  // namespace

bool LocalKey::LacksOctets() const {
  return std::ranges::any_of(facts.materials, [&](const MaterialFacts& material) {
    return material.present && !materials.contains(material.version);
  });
}

const KeyMaterial* LocalKey::current() const {
  const auto found = materials.find(facts.current_version);
  return found == materials.end() ? nullptr : found->second.get();
}

const KeyMaterial* LocalKey::MaterialOf(BytesView ciphertext) const {
  const auto header = ParseCiphertextHeader(ciphertext);
  if (!header || header->key_id != facts.id) return nullptr;
  const auto found = materials.find(header->version);
  return found == materials.end() ? nullptr : found->second.get();
}

void LocalKey::AddMaterial(std::uint32_t version, Secret octets) {
  facts.materials.push_back({.version = version, .id = MaterialId(facts.id, octets.view())});
  materials.insert_or_assign(version, std::make_shared<KeyMaterial>(facts.id, version, std::move(octets)));
}

void LocalKey::DropMaterial(std::uint32_t version) {
  materials.erase(version);
  MaterialFacts& gone = FactsOf(version);
  gone.present = false;
  gone.valid_to.reset();
}

MaterialFacts& LocalKey::FactsOf(std::uint32_t version) {
  const auto found = std::ranges::find(facts.materials, version, &MaterialFacts::version);
  SYMBOLON_CHECK(found != facts.materials.end());
  return *found;
}

std::string MaterialId(std::string_view key_id, BytesView octets) {
  return HexEncode(crypto::HmacSha256(octets, {kMaterialIdDomain, key_id}));
}

void Store(const LocalKey& key, pb::StoredKey& stored) {
  const KeyFacts& facts = key.facts;
  stored.set_id(facts.id);
  stored.set_description(facts.description);
  stored.set_created_micros(ToMicros(facts.created));
  stored.set_disabled(facts.disabled);
  stored.set_service_owned(facts.service_owned);
  stored.set_multi_region(facts.multi_region);
  stored.set_primary_region(facts.primary.value());
  for (const Region& region : facts.replicas) stored.add_replica_regions(region.value());
  for (const MaterialFacts& material : facts.materials) {
    const auto octets = key.materials.find(material.version);
    StoreMaterial(material, octets == key.materials.end() ? nullptr : octets->second.get(), *stored.add_materials());
  }
  stored.set_current_version(facts.current_version);
  stored.set_external(facts.origin == KeyOrigin::kExternal);
  stored.set_deletion_micros(MicrosOf(facts.deletion));
  stored.set_deletion_window_days(static_cast<std::uint32_t>(facts.deletion_window_days));
  if (!facts.policy_is_default) stored.set_policy(*facts.policy);
  stored.mutable_tags()->insert(facts.tags.begin(), facts.tags.end());
  for (const Grant& grant : facts.grants) StoreGrant(grant, *stored.add_grants());
  StoreRotation(facts.rotation, *stored.mutable_rotation());
  for (const ImportKey& wrapping : key.import_keys) {
    pb::StoredImportKey& out = *stored.add_import_keys();
    out.set_token_id(wrapping.token_id);
    out.set_algorithm(static_cast<std::uint32_t>(wrapping.algorithm));
    out.set_expires_micros(ToMicros(wrapping.expires));
    out.set_private_key(Bytes(wrapping.private_key->view()));
  }
  stored.set_handed_to(facts.handed_to.value());
  stored.set_sequence(facts.sequence);
}

KeyPointer Restore(const pb::StoredKey& stored, std::string arn, std::shared_ptr<const std::string> default_policy) {
  auto key = std::make_shared<LocalKey>();
  key->facts = RestoreFacts(stored, std::move(arn));
  KeyFacts& facts = key->facts;
  facts.policy_is_default = stored.policy().empty();
  facts.policy =
      facts.policy_is_default ? std::move(default_policy) : std::make_shared<const std::string>(stored.policy());
  for (const pb::StoredMaterial& material : stored.materials()) {
    if (!RestoreMaterial(material, *key)) return nullptr;
  }
  facts.current_version = stored.current_version();
  if (facts.current_version == 0 && !facts.materials.empty()) facts.current_version = facts.materials.front().version;
  const bool external = facts.origin == KeyOrigin::kExternal;
  if (external ? facts.current_version != 0 && facts.current() == nullptr : key->current() == nullptr) return nullptr;
  for (const pb::StoredImportKey& wrapping : stored.import_keys()) {
    key->import_keys.push_back({.token_id = wrapping.token_id(),
                                .algorithm = static_cast<ImportAlgorithm>(wrapping.algorithm()),
                                .expires = FromMicros(wrapping.expires_micros()),
                                .private_key = std::make_shared<const Secret>(Secret::CopyOf(wrapping.private_key()))});
  }
  return key;
}

}  // namespace symbolon::keys::local
