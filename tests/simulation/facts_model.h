// Every fact that any Region ever accepted of one pool, in that Region's own numbering: what each store's facts must be
// the join of.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "storage/store.h"

namespace symbolon::simulation {

class FactsModel {
 public:
  explicit FactsModel(PoolId id) : id_(std::move(id)) {}

  // Takes what this store accepted beyond what is known, and how far its own and others' facts are durable in it.
  // Empty, or what is wrong.
  std::string Learn(storage::Store& store);
  // Empty, or what is wrong with the pool's facts in this store. Those that expire before its horizon may be forgotten.
  std::string Check(storage::Store& store) const;

  // Called with each fact that is new here, by the Region that accepted it.
  std::function<void(const Region&, const storage::pb::FactEntry&)> on_said;

  // Somebody was told that the fact is accepted: from now on no Region may lack it for ever.
  void OnAcknowledged(const Region& accepted_in, BytesView key, const storage::pb::FactValue& value);
  // The Region's disk is lost; what is nowhere else may be lost as well.
  void OnDiskLost(const Region& region);
  void OnDropped(const Region& region) { durable_.erase(region); }

  // The join of what the vector covers. nullopt: nothing was said under this key (type ‖ subject).
  std::optional<storage::pb::FactValue> Joined(const storage::pb::FactVector& vector, BytesView key) const;
  // An acknowledged fact that a member's vector does not cover; empty: there is none. A Region that is no member any
  // more keeps what it accepted itself, and what it alone has.
  std::string Missing(const storage::pb::FactVector& vector, const std::function<bool(const Region&)>& is_member) const;

 private:
  // Region and incarnation.
  using Origin = std::pair<std::string, Bytes>;
  struct Log {
    // Number 1 first.
    std::vector<storage::pb::FactEntry> entries;
    // The number of the last that was acknowledged and is not lost.
    std::uint64_t acknowledged = 0;
  };
  struct Place {
    Origin origin;
    std::uint64_t number = 0;
  };

  const PoolId id_;
  std::map<Origin, Log> logs_;
  // By key.
  std::map<Bytes, std::vector<Place>> places_;
  std::map<Region, storage::pb::FactVector> durable_;
};

}  // namespace symbolon::simulation
