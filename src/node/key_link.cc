#include "node/key_link.h"

#include "node/key_link.pb.h"

namespace symbolon::node {
namespace {

using keys::local::LocalKeyError;
using keys::local::LocalKeyErrorCode;
using keys::local::ReplicaKey;
using replication::ControlError;
using replication::ControlErrorCode;

LocalKeyError Translate(const ControlError& error) {
  const bool unknown = error.code == ControlErrorCode::kNotMember;
  return {unknown ? LocalKeyErrorCode::kUnknownRegion : LocalKeyErrorCode::kUnavailable, error.detail};
}

pb::KeyRefusal RefusalOf(LocalKeyErrorCode code) {
  switch (code) {
    case LocalKeyErrorCode::kAlreadyExists:
      return pb::KEY_REFUSAL_ALREADY_EXISTS;
    case LocalKeyErrorCode::kLimitExceeded:
      return pb::KEY_REFUSAL_LIMIT_EXCEEDED;
    case LocalKeyErrorCode::kMalformed:
      return pb::KEY_REFUSAL_MALFORMED;
    case LocalKeyErrorCode::kNotFound:
    case LocalKeyErrorCode::kDisabled:
    case LocalKeyErrorCode::kUnsupported:
    case LocalKeyErrorCode::kUnknownRegion:
    case LocalKeyErrorCode::kUnavailable:
      return pb::KEY_REFUSAL_UNAVAILABLE;
  }
  return pb::KEY_REFUSAL_UNAVAILABLE;
}

LocalKeyErrorCode CodeOf(pb::KeyRefusal refusal) {
  if (refusal == pb::KEY_REFUSAL_ALREADY_EXISTS) return LocalKeyErrorCode::kAlreadyExists;
  if (refusal == pb::KEY_REFUSAL_LIMIT_EXCEEDED) return LocalKeyErrorCode::kLimitExceeded;
  if (refusal == pb::KEY_REFUSAL_MALFORMED) return LocalKeyErrorCode::kMalformed;
  return LocalKeyErrorCode::kUnavailable;
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
  pb::ReplicaKey message;
  message.set_key_id(key.key_id);
  message.set_description(key.description);
  message.set_created_micros(ToMicros(key.created));
  message.set_primary(key.primary.value());
  for (const Region& replica : key.replicas) message.add_replicas(replica.value());
  message.set_material_version(key.material_version);
  message.set_sealed_material(key.sealed_material);
  message.set_only_if_missing(key.only_if_missing);
  replication::pb::ControlRequest request;
  request.set_import_replica_key(message.SerializeAsString());
  const auto answer = ask_(target, std::move(request));
  if (!answer) return Err(Translate(answer.error()));
  pb::ImportAnswer outcome;
  if (!outcome.ParseFromString(*answer))
    return Err(LocalKeyError{LocalKeyErrorCode::kUnavailable, "the answer is none"});
  if (outcome.refusal() == pb::KEY_REFUSAL_NONE) return {};
  return Err(LocalKeyError{CodeOf(outcome.refusal()), "refused by Region " + target.value()});
}

replication::ControlResult<Bytes> AnswerKeyRequest(keys::local::LocalKeyProvider& provider, const Region& from,
                                                   const replication::pb::ControlRequest& request) {
  if (request.has_get_transport_key()) return provider.TransportPublicKey();
  pb::ReplicaKey message;
  if (!request.has_import_replica_key() || !message.ParseFromString(request.import_replica_key())) {
    return Err(ControlError{ControlErrorCode::kRefused, "not a request about keys"});
  }
  if (message.primary() != from.value())
    return Err(ControlError{ControlErrorCode::kRefused, "a key of another Region"});
  ReplicaKey key{.key_id = message.key_id(),
                 .description = message.description(),
                 .created = FromMicros(message.created_micros()),
                 .primary = Region(message.primary()),
                 .replicas = {},
                 .material_version = message.material_version(),
                 .sealed_material = message.sealed_material(),
                 .only_if_missing = message.only_if_missing()};
  for (const std::string& replica : message.replicas()) key.replicas.emplace_back(replica);
  const auto accepted = provider.AcceptReplica(key);
  pb::ImportAnswer answer;
  if (!accepted) answer.set_refusal(RefusalOf(accepted.error().code));
  return answer.SerializeAsString();
}

}  // namespace symbolon::node
