// How a node's configuration has the root key of its local keys protected.
#pragma once

#include "base/clock.h"
#include "keys/local/local_key_provider.h"
#include "node/config.h"
#include "node/further_keys.h"
#include "node/node.h"
#include "node/secret_source.h"

namespace symbolon::node {

// `further` serves the CMK, if the configuration names one, and outlives what is made of this.
keys::local::LocalKeyProvider::Options LocalKeyOptions(const Config& config, const FurtherKeys& further);

}  // namespace symbolon::node
