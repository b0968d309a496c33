// Up to which time a store has forgotten what was said of a pool (replication protocol §5).
#pragma once

#include "storage/store.h"

namespace symbolon::storage {

// No fact has this type: under it Snapshot::Get shows the horizon, as it is stored.
inline constexpr std::uint16_t kHorizonType = 0;

// Every fact of the pool that expires before it may have been forgotten, here or where this store's facts came from,
// and a new one that does is refused with kExpired. It never goes back, also when the clock does. The epoch: nothing
// has been forgotten.
StoreResult<Timestamp> ForgottenBefore(const Snapshot& snapshot, const PoolId& pool);

}  // namespace symbolon::storage
