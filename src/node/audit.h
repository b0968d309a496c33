// The node's audit trail: with the key that signs it, and the other Regions' as witnesses of how far it is.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>

#include "audit/trail.h"
#include "base/clock.h"
#include "base/result.h"
#include "keys/local/local_key_provider.h"
#include "keys/provider.h"
#include "node/config.h"
#include "node/node.h"
#include "replication/control.h"
#include "replication/link.pb.h"

namespace symbolon::node {

struct AuditFolders {
  std::filesystem::path trail;
  // Holds the newest checkpoint, by which a trail that was put back is noticed, and "audit.key": an Ed25519 key, made
  // at the first start, sealed under the local provider's service-owned key, so that it is at rest wherever the root
  // key leaves it. One that is gone while there is a trail is not made anew: the trail would change its key.
  std::filesystem::path keys;
};

struct AuditTrail {
  std::unique_ptr<audit::Trail> trail;
  // Which signs it; what the Region says elsewhere is signed by it as well.
  crypto::Ed25519Key key;
};

// Opens the trail, or begins it. `provider` has the service-owned key; its use here is the first that is audited.
// Blocks; `clock` and `random` outlive the trail. The error says what the operator has to do.
Result<AuditTrail, NodeError> OpenAuditTrail(const Config& config, const AuditFolders& folders,
                                             keys::KeyProvider& provider, const std::string& service_owned_key_arn,
                                             Clock& clock, Random& random);

// Has `provider` write down what it does by itself: CloudTrail's RotateKey, DeleteKey and DeleteExpiredKeyMaterial.
// What is due waits while the trail takes no lines. All outlive the provider's use.
void AuditOwnActs(keys::local::LocalKeyProvider& provider, audit::Trail& trail, Clock& clock);

// Tells `peer` how far the trail is, for its own trail. Blocks as `ask` does; a peer that cannot be reached, or does
// not know the question, hears of it the next time.
void TellAuditHead(
    const audit::Trail& trail, const Region& peer,
    const std::function<replication::ControlResult<Bytes>(const Region&, const replication::pb::ControlRequest&)>& ask);
// The answering side: audit_head. Blocks.
replication::ControlResult<Bytes> TakeAuditHead(audit::Trail& trail, const Region& from,
                                                const replication::pb::ControlRequest& request);

}  // namespace symbolon::node
