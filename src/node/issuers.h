// Issuers of pools outlive the Region in which the pools were made.
#pragma once

#include "base/result.h"
#include "directory/env.h"
#include "node/node.h"
#include "storage/store.h"

namespace symbolon::node {

// Refuses when a pool of the store was made in a Region whose public URL, with which the issuer of its tokens begins,
// is not known here: they would be refused by all who have taken the pool's tokens before.
Result<void, NodeError> CheckIssuers(storage::Store& store, const directory::RegionSettings& settings);

}  // namespace symbolon::node
