#include "replication/epochs.h"

#include <algorithm>

namespace symbolon::replication {

storage::pb::Epoch MakeEpoch(std::uint64_t counter, const Region& region, const Bytes& incarnation) {
  storage::pb::Epoch epoch;
  epoch.set_counter(counter);
  epoch.set_region(region.value());
  epoch.set_incarnation(incarnation);
  return epoch;
}

const storage::pb::Epoch& Highest(const pb::Standing& standing) {
  return storage::CompareEpochs(standing.promised(), standing.epoch()) > 0 ? standing.promised() : standing.epoch();
}

std::uint64_t HighestCounter(const pb::Standing& standing) {
  return std::max({standing.epoch().counter(), standing.promised().counter(), standing.next().counter()});
}

bool MayPromise(const storage::pb::Epoch& epoch, const pb::Standing& standing) {
  return epoch.counter() > standing.epoch().counter() && epoch.counter() > standing.next().counter() &&
         storage::CompareEpochs(epoch, standing.promised()) >= 0;
}

}  // namespace symbolon::replication
