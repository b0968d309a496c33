#include "node/key_link.h"

#include <algorithm>
#include <boost/json.hpp>
#include <iterator>
#include <set>

#include "base/log.h"
#include "node/key_link.pb.h"

namespace symbolon::node {
namespace {

using keys::local::LocalKeyError;
using keys::local::LocalKeyErrorCode;
using keys::local::ReplicaKey;
using keys::local::Rotation;
using replication::ControlError;
using replication::ControlErrorCode;

LocalKeyError Translate(const ControlError& error) {
  const bool unknown = error.code == ControlErrorCode::kNotMember;
  return {unknown ? LocalKeyErrorCode::kUnknownRegion : LocalKeyErrorCode::kUnavailable, error.detail};
}

struct RefusalName {
  LocalKeyErrorCode code;
  pb::KeyRefusal refusal;
};
constexpr RefusalName kRefusals[] = {
    {LocalKeyErrorCode::kAlreadyExists, pb::KEY_REFUSAL_ALREADY_EXISTS},
    {LocalKeyErrorCode::kLimitExceeded, pb::KEY_REFUSAL_LIMIT_EXCEEDED},
    {LocalKeyErrorCode::kMalformed, pb::KEY_REFUSAL_MALFORMED},
    {LocalKeyErrorCode::kNotFound, pb::KEY_REFUSAL_NOT_FOUND},
    {LocalKeyErrorCode::kStale, pb::KEY_REFUSAL_STALE},
    {LocalKeyErrorCode::kDisabled, pb::KEY_REFUSAL_DISABLED},
    {LocalKeyErrorCode::kPendingImport, pb::KEY_REFUSAL_PENDING_IMPORT},
    {LocalKeyErrorCode::kPendingDeletion, pb::KEY_REFUSAL_PENDING_DELETION},
    {LocalKeyErrorCode::kUnsupported, pb::KEY_REFUSAL_NOT_PRIMARY},
};

// Whatever has no name on the wire is asked again later.
pb::KeyRefusal RefusalOf(LocalKeyErrorCode code) {
  const auto found = std::ranges::find(kRefusals, code, &RefusalName::code);
  return found == std::end(kRefusals) ? pb::KEY_REFUSAL_UNAVAILABLE : found->refusal;
}

LocalKeyErrorCode CodeOf(pb::KeyRefusal refusal) {
  const auto found = std::ranges::find(kRefusals, refusal, &RefusalName::refusal);
  return found == std::end(kRefusals) ? LocalKeyErrorCode::kUnavailable : found->code;
}

void Write(const Rotation& rotation, pb::ReplicaKey::Rotation& message) {
  message.set_enabled(rotation.enabled);
  message.set_period_days(static_cast<std::uint32_t>(rotation.period_days));
  message.set_since_micros(ToMicros(rotation.since));
  message.set_on_demand_count(static_cast<std::uint32_t>(rotation.on_demand_count));
  if (rotation.started) message.set_started_micros(ToMicros(*rotation.started));
}

Rotation Read(const pb::ReplicaKey::Rotation& message) {
  Rotation rotation{.enabled = message.enabled(),
                    .period_days = static_cast<int>(std::clamp<std::uint32_t>(message.period_days(), 1, 100'000)),
                    .since = FromMicros(message.since_micros()),
                    .on_demand_count = static_cast<int>(std::min<std::uint32_t>(message.on_demand_count(), 1'000'000))};
  if (message.started_micros() != 0) rotation.started = FromMicros(message.started_micros());
  return rotation;
}

pb::ReplicaKey Write(const ReplicaKey& key) {
  pb::ReplicaKey message;
  message.set_key_id(key.key_id);
  message.set_description(key.description);
  message.set_created_micros(ToMicros(key.created));
  message.set_primary(key.primary.value());
  for (const Region& replica : key.replicas) message.add_replicas(replica.value());
  for (const ReplicaKey::Material& material : key.materials) {
    pb::ReplicaKey::Material& out = *message.add_materials();
    out.set_version(material.facts.version);
    out.set_id(HexDecode(material.facts.id).value_or(""));
    out.set_sealed(material.sealed);
    if (material.facts.rotated) out.set_rotated_micros(ToMicros(*material.facts.rotated));
    out.set_on_demand(material.facts.on_demand);
  }
  if (key.create && key.materials.size() == 1) {
    message.set_material_version(key.materials.front().facts.version);
    message.set_sealed_material(key.materials.front().sealed);
  }
  message.set_only_if_missing(key.only_if_missing);
  message.set_current_version(key.current_version);
  Write(key.rotation, *message.mutable_rotation());
  message.set_sequence(key.sequence);
  message.set_external(key.origin == keys::local::KeyOrigin::kExternal);
  message.set_is_change(!key.create);
  message.set_hand_over(key.hand_over);
  message.set_policy(key.policy);
  for (const auto& [name, value] : key.tags) {
    pb::ReplicaKey::Tag& tag = *message.add_tags();
    tag.set_name(name);
    tag.set_value(value);
  }
  return message;
}

ReplicaKey Read(const pb::ReplicaKey& message, const Region& from) {
  ReplicaKey key{.key_id = message.key_id(),
                 .sender = from,
                 .primary = Region(message.primary()),
                 .replicas = {},
                 .origin = message.external() ? keys::local::KeyOrigin::kExternal : keys::local::KeyOrigin::kAwsKms,
                 .materials = {},
                 .current_version = message.current_version(),
                 .rotation = Read(message.rotation()),
                 .sequence = message.sequence(),
                 .create = !message.is_change(),
                 .only_if_missing = message.only_if_missing(),
                 .hand_over = message.hand_over(),
                 .description = message.description(),
                 .created = FromMicros(message.created_micros()),
                 .policy = message.policy(),
                 .tags = {}};
  for (const std::string& replica : message.replicas()) key.replicas.emplace_back(replica);
  for (const auto& material : message.materials()) {
    ReplicaKey::Material& out = key.materials.emplace_back();
    out.facts.version = material.version();
    out.facts.id = HexEncode(material.id());
    if (material.rotated_micros() != 0) out.facts.rotated = FromMicros(material.rotated_micros());
    out.facts.on_demand = material.on_demand();
    out.sealed = material.sealed();
  }
  if (message.materials().empty() && message.material_version() != 0) {
    ReplicaKey::Material& only = key.materials.emplace_back();
    only.facts.version = key.current_version = message.material_version();
    only.sealed = message.sealed_material();
    key.rotation = {};
  }
  for (const auto& tag : message.tags()) key.tags.emplace(tag.name(), tag.value());
  return key;
}

keys::local::LocalKeyResult<void> Outcome(const replication::ControlResult<Bytes>& answer, const Region& target) {
  if (!answer) return Err(Translate(answer.error()));
  pb::ImportAnswer outcome;
  if (!outcome.ParseFromString(*answer)) {
    return Err(LocalKeyError{LocalKeyErrorCode::kUnavailable, "the answer is none"});
  }
  if (outcome.refusal() == pb::KEY_REFUSAL_NONE) return {};
  return Err(LocalKeyError{CodeOf(outcome.refusal()), "refused by Region " + target.value()});
}

ControlError AuditFails(const audit::AuditError& error) {
  return {ControlErrorCode::kUnavailable, "the audit trail takes no lines: " + error.detail};
}

audit::Event EventOf(const pb::ReplicaKey& message, const Region& from, const std::string& key, bool is_new) {
  constexpr const char* kService = "kms.amazonaws.com";
  boost::json::array replicas(message.replicas().begin(), message.replicas().end());
  const boost::json::object parameters{{"keyId", message.key_id()},
                                       {"primaryRegion", message.primary()},
                                       {"replicaRegions", std::move(replicas)},
                                       {"requestingRegion", from.value()}};
  return {.identity = {.invoked_by = kService},
          .name = is_new ? "CreateKey" : "SynchronizeMultiRegionKey",
          .source_address = kService,
          .user_agent = kService,
          .request_parameters = boost::json::serialize(parameters),
          .key_arns = {key}};
}

}  // namespace

keys::local::LocalKeyResult<Bytes> KeyLink::TransportPublicKey(const Region& target) {
  replication::pb::ControlRequest request;
  request.set_get_transport_key("");
  auto answer = ask_(target, std::move(request));
  if (!answer) return Err(Translate(answer.error()));
  return *std::move(answer);
}

keys::local::LocalKeyResult<void> KeyLink::ImportReplica(const Region& target, const ReplicaKey& key) {
  replication::pb::ControlRequest request;
  request.set_import_replica_key(Write(key).SerializeAsString());
  return Outcome(ask_(target, std::move(request)), target);
}

keys::local::LocalKeyResult<void> KeyLink::AnnounceDeletion(const Region& primary, const std::string& key_id) {
  pb::ReplicaKey message;
  message.set_key_id(key_id);
  message.set_is_deleted(true);
  replication::pb::ControlRequest request;
  request.set_import_replica_key(message.SerializeAsString());
  return Outcome(ask_(primary, std::move(request)), primary);
}

Result<void, NodeError> ForgetRegions(keys::local::LocalKeyProvider& provider, const KeyLinkAudit& audit,
                                      const std::vector<Region>& regions) {
  if (regions.empty()) return {};
  constexpr const char* kWho = "symbolond keys.forgotten_regions";
  const auto forgotten = provider.ForgetRegions(std::set<Region>(regions.begin(), regions.end()));
  if (!forgotten) return Err(NodeError{"replicas cannot be forgotten: " + forgotten.error().detail});
  boost::json::array names;
  for (const Region& region : regions) names.emplace_back(region.value());
  for (const std::string& arn : *forgotten) {
    log::Warning("key {} has no replicas any more in Regions that keys.forgotten_regions names", arn);
    const auto recorded = audit.trail.Record(
        {.time = audit.clock.Now(),
         .identity = {.invoked_by = kWho},
         .name = "ForgetReplicaRegions",
         .source_address = kWho,
         .user_agent = kWho,
         .request_parameters = boost::json::serialize(boost::json::object{{"keyId", arn}, {"replicaRegions", names}}),
         .key_arns = {arn}});
    if (!recorded) return Err(NodeError{"audit trail: " + recorded.error().detail});
  }
  return {};
}

replication::ControlResult<Bytes> AnswerKeyRequest(keys::local::LocalKeyProvider& provider, const KeyLinkAudit& audit,
                                                   const Region& from, const replication::pb::ControlRequest& request) {
  if (request.has_get_transport_key()) return provider.TransportPublicKey();
  pb::ReplicaKey message;
  if (!request.has_import_replica_key() || !message.ParseFromString(request.import_replica_key())) {
    return Err(ControlError{ControlErrorCode::kRefused, "not a request about keys"});
  }
  const bool speaks_for_itself = message.is_deleted() || message.hand_over() || message.primary() == from.value();
  if (!speaks_for_itself) return Err(ControlError{ControlErrorCode::kRefused, "a key of another Region"});
  if (const auto ready = audit.trail.Ready(); !ready) return Err(AuditFails(ready.error()));
  const auto before = provider.Facts(message.key_id());
  const auto accepted = message.is_deleted() ? provider.ForgetReplica(message.key_id(), from)
                                             : provider.AcceptReplica(Read(message, from));
  const auto after = provider.Facts(message.key_id());
  const bool changed =
      after && (!before || (*before)->sequence != (*after)->sequence || (*before)->primary != (*after)->primary);
  if (changed || (!accepted && !message.is_change() && !message.is_deleted())) {
    audit::Event event = EventOf(message, from, after ? (*after)->arn : message.key_id(), !before);
    event.time = audit.clock.Now();
    if (!accepted) {
      event.error_code = pb::KeyRefusal_Name(RefusalOf(accepted.error().code));
      event.error_message = accepted.error().detail;
    }
    if (const auto recorded = audit.trail.Record(event); !recorded) return Err(AuditFails(recorded.error()));
  }
  pb::ImportAnswer answer;
  if (!accepted) answer.set_refusal(RefusalOf(accepted.error().code));
  return answer.SerializeAsString();
}

}  // namespace symbolon::node
