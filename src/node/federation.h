// Sign-ins at identity providers: what asks them, and the primary's part in first sign-ins that other Regions saw.
#pragma once

#include <memory>

#include "directory/env.h"
#include "directory/record_cache.h"
#include "federation/oidc_client.h"
#include "http/blocking.h"
#include "keys/key_service.h"
#include "node/config.h"
#include "node/metrics.h"
#include "replication/durable_commits.h"
#include "replication/status.h"
#include "replication/write_gate.h"
#include "storage/store.h"

namespace symbolon::node {

// Begins to work when it is made. Thread-safe.
class Federation {
 public:
  // But for the client, which is this object's own.
  struct Services {
    storage::Store& store;
    keys::KeyService& keys;
    directory::RecordCache& records;
    const directory::RegionSettings& region;
    replication::DurableCommits& commits;
    const replication::WriteGate* gate;
    Clock& clock;
    Random& random;
    // Empty where there are no other Regions.
    std::function<std::optional<replication::ReplicationStatus>(const PoolId& pool)> status;
  };

  Federation(const FederationConfig& config, Services services);
  ~Federation();

  federation::OidcClient& providers();
  // On which providers are asked for requests.
  http::BlockingPool& threads();
  void Read(Metrics::Readings& readings) const;

 private:
  class Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace symbolon::node
