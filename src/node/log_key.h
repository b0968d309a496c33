// The key with which this Region signs what it tells other Regions (docs/adr/0024-signatures.md).
#pragma once

#include <memory>
#include <string>

#include "audit/trail.h"
#include "base/clock.h"
#include "base/result.h"
#include "keys/provider.h"
#include "node/config.h"
#include "node/node.h"
#include "replication/log_signatures.h"

namespace symbolon::node {

// Opens "log.key" in the folder of the keys, or makes it. One that is gone is made anew: the other Regions, which know
// this store by the former one, refuse it until the store is marked as another one (symbolond --restored). Its use is
// audited. Blocks.
Result<std::unique_ptr<replication::LogSigner>, NodeError> OpenLogSigner(const Config& config,
                                                                         keys::KeyProvider& provider,
                                                                         const std::string& service_owned_key_arn,
                                                                         audit::Trail& trail, Clock& clock);

}  // namespace symbolon::node
