// What a pool must look like: its directory at every position, which writes and facts were acknowledged.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "storage/store.h"

namespace symbolon::simulation {

class PoolModel {
 public:
  PoolModel(PoolId id, Region primary) : id(std::move(id)), primary(std::move(primary)), states_(1) {}

  const PoolId id;
  const Region primary;
  // Acknowledged to the writer up to here.
  std::uint64_t acknowledged = 0;
  // (subject, element) of facts that some Region acknowledged, and that never expire.
  std::set<std::pair<Bytes, Bytes>> facts;
  bool deleted = false;

  // Takes what the primary's log has beyond what is known.
  void Learn(storage::Store& store);
  // Empty, or what is wrong with the pool in this store: its directory must be the primary's at the same position.
  std::string Check(storage::Store& store) const;
  std::uint64_t head() const { return states_.size() - 1; }

 private:
  struct State {
    Bytes log_digest;
    Bytes directory_digest;
  };

  // By sequence.
  std::vector<State> states_;
  std::map<Bytes, Bytes> directory_;
};

std::optional<storage::pb::Head> HeadOf(storage::Store& store, const PoolId& pool);

}  // namespace symbolon::simulation
