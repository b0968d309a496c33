// Records of a pool that are sealed under data-key generations which shall go.
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "keys/pool_keys.h"
#include "replication/suffix_file.h"
#include "storage/store.h"

namespace symbolon::key_life {

// The first record type that the pool's directory has after this one; nullopt: no more. Types that this version does
// not know are found as well.
storage::StoreResult<std::optional<std::uint16_t>> NextType(storage::CopySource& source,
                                                            std::optional<std::uint16_t> after);

// What a walk over a pool's directory has found of `generations`.
struct OlderFound {
  std::set<Bytes> generations;
  // Go on after this key (type ‖ id); empty: the walk is complete.
  Bytes cursor;
};
// Looks at up to about `limit_bytes` of the directory as it is now, after `cursor`. Blocks.
storage::StoreResult<OlderFound> LookForOlder(storage::Store& store, const PoolId& pool,
                                              const std::set<Bytes>& generations, Bytes cursor,
                                              std::size_t limit_bytes);

// Seals this Region's own records of the pool (Space::kRegional) anew that an older generation sealed; answers how many
// there were. Blocks.
storage::StoreResult<std::size_t> ResealRegional(storage::Store& store, const PoolId& pool, const keys::PoolKeys& keys,
                                                 Random& random);

// Those of `generations` that suffixes of the pool which were set aside here need. Blocks; whole files are read.
storage::StoreResult<std::set<Bytes>> OlderInSuffixes(const replication::SuffixFolder& suffixes, const PoolId& pool,
                                                      const std::set<Bytes>& generations);

}  // namespace symbolon::key_life
