// Where a request about a pool is to be done, from the operation's facts and the roles alone. Pure functions.
#pragma once

#include "model/operations.h"
#include "replication/roles.h"

namespace symbolon::cognito {

enum class Placement {
  kHere,
  // It changes what only the pool's primary may change.
  kAtPrimary,
  // It serves end users, which a replica does when it is ACTIVE.
  kAtActiveReplica,
};

// `here`: what this Region is for the pool; not kNone.
Placement PlacementOf(const model::OperationFacts& operation, const replication::Role& here);

// Whether a secondary may pass requests for this operation on to the primary, and a primary takes them from one.
bool MayBePassedOn(const model::OperationFacts& operation);

// Whether this Region passes the request on instead of refusing it. `forward_writes`: the node's setting. The states of
// replicas are changed from every Region, whatever the setting; end users are served by ACTIVE replicas only.
bool PassesOn(const model::OperationFacts& operation, const replication::Role& here, bool forward_writes);

}  // namespace symbolon::cognito
