// Which epochs a Region knows of a pool, and what follows for those to come (replication protocol §2, §4).
//
// Pure functions, thread-safe.
#pragma once

#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "replication/link.pb.h"
#include "storage/log.h"

namespace symbolon::replication {

storage::pb::Epoch MakeEpoch(std::uint64_t counter, const Region& region, const Bytes& incarnation);

// The higher of what is in the log and what is promised; an empty epoch, below all others, when there is neither.
const storage::pb::Epoch& Highest(const pb::Standing& standing);
// An epoch above all that the standing names has a counter above this one.
std::uint64_t HighestCounter(const pb::Standing& standing);

// Whether a Region may promise `epoch`: it is above its log's last epoch and the one that a hand-over names, and not
// below what was promised before. Promising twice is allowed.
bool MayPromise(const storage::pb::Epoch& epoch, const pb::Standing& standing);

}  // namespace symbolon::replication
