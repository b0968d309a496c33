// What the configuration says about other Regions, as the replicator takes it.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "node/config.h"
#include "node/node.h"
#include "replication/grpc/grpc_transport.h"
#include "replication/options.h"
#include "replication/replicator.h"

namespace symbolon::node {

// Of the topology, without this one.
std::vector<Region> OtherRegions(const Config& config);

// These read [replication], which must be there, and the files that it names.
Result<replication::grpc_link::TransportOptions, NodeError> ReadTransportOptions(const Config& config);
replication::Options ReplicationOptionsOf(const Config& config);
// nullopt: the operator alone decides who is primary. `may_lead`: AuthoritySetup::may_lead.
Result<std::optional<replication::ReplicatorAuthority>, NodeError> OpenAuthority(
    const Config& config, std::function<bool(const PoolId&)> may_lead);

}  // namespace symbolon::node
