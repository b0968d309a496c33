#include "storage/horizon.h"

namespace symbolon::storage {

StoreResult<Timestamp> ForgottenBefore(const Snapshot& snapshot, const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<Bytes> octets,
               snapshot.Get({.space = Space::kFact, .pool = pool, .type = kHorizonType, .id = {}}));
  if (!octets) return Timestamp();
  if (octets->size() != 8) return Err(StoreError{StoreErrorCode::kCorrupt, "a stored number does not parse"});
  return FromMicros(static_cast<std::int64_t>(ReadBigEndian64(*octets)));
}

}  // namespace symbolon::storage
