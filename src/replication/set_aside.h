// Where entries go that a Region has beyond the history that survived (replication protocol §2, "setting aside").
#pragma once

#include <cstdint>
#include <optional>

#include "base/ids.h"
#include "storage/store.h"

namespace symbolon::replication {

class SuffixArchive {
 public:
  virtual ~SuffixArchive() = default;
  // Keeps the entries of the pool's log after `fork`, still sealed, and all that is needed to open them; durable when
  // it returns. Where the log does not reach back to `fork` any more, the whole directory is kept. Blocking; repeating
  // it is harmless. Answers the head of what was kept; nullopt: the pool has no log here.
  virtual storage::StoreResult<std::optional<storage::pb::Head>> Keep(storage::Store& store, const PoolId& pool,
                                                                      std::uint64_t fork) = 0;
};

}  // namespace symbolon::replication
