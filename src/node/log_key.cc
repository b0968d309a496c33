#include "node/log_key.h"

#include "base/log.h"
#include "keys/audited_key_provider.h"
#include "node/folders.h"
#include "node/sealed_key.h"

namespace symbolon::node {

Result<std::unique_ptr<replication::LogSigner>, NodeError> OpenLogSigner(const Config& config,
                                                                         keys::KeyProvider& provider,
                                                                         const std::string& service_owned_key_arn,
                                                                         audit::Trail& trail, Clock& clock) {
  constexpr std::string_view kUse = "log";
  auto opened = OpenSealedKey(FolderOf(config, "keys") / "log.key", kUse, "", provider, service_owned_key_arn);
  if (!opened) return Err(NodeError{"log key: " + opened.error()});
  const auto recorded =
      trail.Record(keys::EventOfService(clock.Now(), opened->operation, service_owned_key_arn, SealedKeyContext(kUse)));
  if (!recorded) return Err(NodeError{"audit trail: " + recorded.error().detail});
  log::Info("replication signed by the public key {}", Base64Encode(opened->key.PublicKey()));
  return std::make_unique<replication::Ed25519LogSigner>(std::move(opened->key));
}

}  // namespace symbolon::node
