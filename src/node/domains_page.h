// The pools' domains and where their requests shall go, for whoever routes (docs/router.md).
#pragma once

#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "storage/store.h"

namespace symbolon::node {

// {"Region": …, "Pools": [{"UserPoolId", "PrimaryRegion", "Epoch", "Sequence", "Domain"?, "Failover"?:
// {"SecondaryRegion", "PrimaryRoute53HealthCheckId"}}]}: every pool of this Region, as of one moment each. Readable
// also while a pool is locked: nothing of it is sealed.
storage::StoreResult<std::string> DomainsJson(storage::Store& store, const Region& here);

}  // namespace symbolon::node
