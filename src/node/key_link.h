// Multi-Region keys on their way between the local key providers of two Regions, over replication's control calls.
#pragma once

#include <functional>

#include "keys/local/local_key_provider.h"
#include "replication/machine.h"

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

 private:
  Ask ask_;
};

// The answering side: get_transport_key and import_replica_key. `from`: the Region that asks, which has to be the key's
// primary. Blocks (a key file is written).
replication::ControlResult<Bytes> AnswerKeyRequest(keys::local::LocalKeyProvider& provider, const Region& from,
                                                   const replication::pb::ControlRequest& request);

}  // namespace symbolon::node
