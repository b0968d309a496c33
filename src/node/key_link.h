// Multi-Region keys on their way between the local key providers of two Regions, over replication's control calls.
#pragma once

#include <functional>

#include "audit/trail.h"
#include "base/clock.h"
#include "keys/local/local_key_provider.h"
#include "node/node.h"
#include "replication/control.h"
#include "replication/link.pb.h"

namespace symbolon::node {

// The asking side. Thread-safe.
class KeyLink final : public keys::local::KeyReplicationTransport {
 public:
  // Blocks until the Region's node has answered or a time-out has passed. kNotMember: no such Region.
  using Ask =
      std::function<replication::ControlResult<Bytes>(const Region& target, replication::pb::ControlRequest request)>;

  explicit KeyLink(Ask ask) : ask_(std::move(ask)) {}

  keys::local::LocalKeyResult<Bytes> TransportPublicKey(const Region& target) override;
  keys::local::LocalKeyResult<void> ImportReplica(const Region& target, const keys::local::ReplicaKey& key) override;
  keys::local::LocalKeyResult<void> AnnounceDeletion(const Region& primary, const std::string& key_id) override;

 private:
  Ask ask_;
};

// Where what other Regions do to keys here is audited.
struct KeyLinkAudit {
  audit::Trail& trail;
  Clock& clock;
};

// The answering side: get_transport_key and import_replica_key. `from`: the Region that asks, which speaks for itself.
// What changes a key here, and a refused new key, has its line in the trail before the answer, as AWS's trail has it:
// CreateKey for a replica (of ReplicateKey), SynchronizeMultiRegionKey for a change of what the Regions share. Blocks
// (a key file is written, and the trail).
replication::ControlResult<Bytes> AnswerKeyRequest(keys::local::LocalKeyProvider& provider, const KeyLinkAudit& audit,
                                                   const Region& from, const replication::pb::ControlRequest& request);

// These Regions are gone for good: no key has replicas there any more, and each key that had some has a line in the
// trail. Blocks. The error says what the operator has to do.
Result<void, NodeError> ForgetRegions(keys::local::LocalKeyProvider& provider, const KeyLinkAudit& audit,
                                      const std::vector<Region>& regions);

}  // namespace symbolon::node
