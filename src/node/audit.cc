#include "node/audit.h"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "audit/reader.h"
#include "base/log.h"
#include "keys/audited_key_provider.h"
#include "node/audit_link.pb.h"
#include "node/folders.h"
#include "node/sealed_key.h"

namespace symbolon::node {
namespace {

using replication::ControlError;
using replication::ControlErrorCode;

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kChainBytesMax = 64;

constexpr std::string_view kUse = "audit";

// Keys and data may be of an earlier time than the lines before. Noted twice by a process that ends in between.
Result<void, NodeError> NoteRestored(const Config& config, audit::Trail& trail, Clock& clock) {
  constexpr const char* kWho = "symbolond --restored";
  const std::filesystem::path note = RestoredNoteOf(config);
  std::error_code error;
  if (!std::filesystem::exists(note, error)) return {};
  const auto recorded = trail.Record({.time = clock.Now(),
                                      .identity = {.invoked_by = kWho},
                                      .source = "symbolond",
                                      .name = "RestoreStore",
                                      .source_address = kWho,
                                      .user_agent = kWho});
  if (!recorded) return Err(NodeError{"audit trail: " + recorded.error().detail});
  if (!std::filesystem::remove(note, error)) {
    return Err(NodeError{fmt::format("{} cannot be removed: {}", note.string(), error.message())});
  }
  return {};
}

}  // namespace

Result<AuditTrail, NodeError> OpenAuditTrail(const Config& config, const AuditFolders& folders,
                                             keys::KeyProvider& provider, const std::string& service_owned_key_arn,
                                             Clock& clock, Random& random) {
  const auto unavailable = [](const std::string& detail) { return Err(NodeError{"audit trail: " + detail}); };
  std::error_code error;
  const bool has_folder = std::filesystem::exists(folders.trail, error);
  const auto files = has_folder ? audit::ListFiles(folders.trail)
                                : audit::AuditResult<std::vector<std::string>>(std::vector<std::string>());
  if (!files) return unavailable(files.error().detail);
  const std::string_view why_not = files->empty() ? "" : "there is an audit trail, which it signs";
  auto opened = OpenSealedKey(folders.keys / "audit.key", kUse, why_not, provider, service_owned_key_arn);
  if (!opened) return unavailable(opened.error());
  auto trail = audit::Trail::Open({.directory = folders.trail,
                                   .outside_file = folders.keys / audit::kOutsideFile,
                                   .may_be_earlier = std::filesystem::exists(RestoredNoteOf(config), error),
                                   .region = config.region,
                                   .account = config.account,
                                   .file_bytes_max = config.audit.file_mib_max << 20,
                                   .checkpoint_lines = config.audit.checkpoint_lines,
                                   .checkpoint_interval = config.audit.checkpoint_interval},
                                  opened->key, clock, random);
  if (!trail) return unavailable(trail.error().detail);
  const auto recorded = (*trail)->Record(
      keys::EventOfService(clock.Now(), opened->operation, service_owned_key_arn, SealedKeyContext(kUse)));
  if (!recorded) return unavailable(recorded.error().detail);
  SYMBOLON_TRY_VOID(NoteRestored(config, **trail, clock));
  log::Info("audit trail in {}, signed by the public key {}", folders.trail.string(),
            Base64Encode(opened->key.PublicKey()));
  return AuditTrail{.trail = *std::move(trail), .key = opened->key};
}

void AuditOwnActs(keys::local::LocalKeyProvider& provider, audit::Trail& trail, Clock& clock) {
  using Act = keys::local::LocalKeyProvider::OwnAct;
  const auto did = [&trail, &clock](const Act& act) {
    constexpr const char* kService = "kms.amazonaws.com";
    audit::Event event{.time = clock.Now(),
                       .identity = {.invoked_by = kService},
                       .source_address = kService,
                       .user_agent = kService,
                       .key_arns = {act.key_arn}};
    boost::json::object details{{"keyId", act.key_arn.substr(act.key_arn.rfind('/') + 1)}};
    switch (act.kind) {
      case Act::Kind::kRotated:
        event.name = "RotateKey";
        details["rotationType"] = act.on_demand ? "ON_DEMAND" : "AUTOMATIC";
        details["currentKeyMaterialId"] = act.material_id;
        break;
      case Act::Kind::kDeleted:
        event.name = "DeleteKey";
        break;
      case Act::Kind::kMaterialExpired:
        event.name = "DeleteExpiredKeyMaterial";
        details["keyMaterialId"] = act.material_id;
        break;
    }
    event.service_details = boost::json::serialize(details);
    static_cast<void>(trail.Record(event));  // The trail tells of its own failures, and keeps the event.
  };
  provider.SetOwnActs({.may = [&trail] { return !trail.counters().failing; }, .did = did});
}

void TellAuditHead(
    const audit::Trail& trail, const Region& peer,
    const std::function<replication::ControlResult<Bytes>(const Region&, const replication::pb::ControlRequest&)>&
        ask) {
  const audit::Head head = trail.head();
  pb::AuditHead message;
  message.set_chain(head.chain);
  message.set_sequence(head.end.sequence);
  message.set_hash(head.end.hash);
  message.set_public_key(head.public_key);
  replication::pb::ControlRequest request;
  request.set_audit_head(message.SerializeAsString());
  const auto told = ask(peer, request);
  if (!told) log::Debug("audit: Region {} was not told how far the trail is: {}", peer.value(), told.error().detail);
}

replication::ControlResult<Bytes> TakeAuditHead(audit::Trail& trail, const Region& from,
                                                const replication::pb::ControlRequest& request) {
  pb::AuditHead message;
  const bool good = message.ParseFromString(request.audit_head()) && message.hash().size() == kHashBytes &&
                    message.public_key().size() == crypto::kEd25519PublicKeyBytes &&
                    message.chain().size() <= kChainBytesMax;
  if (!good) return Err(ControlError{ControlErrorCode::kRefused, "no head of an audit trail"});
  const auto recorded = trail.RecordWitness(
      from,
      {.chain = message.chain(), .end = {message.sequence(), message.hash()}, .public_key = message.public_key()});
  if (!recorded) return Err(ControlError{ControlErrorCode::kUnavailable, recorded.error().detail});
  return Bytes();
}

}  // namespace symbolon::node
