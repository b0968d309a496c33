// The fact tables of LocalStore: merged facts, fact logs, the vector, and what expires when.
//
// An entry of a fact log says all that was said of its fact there before, unless the fact was forgotten meanwhile. Then
// earlier ones go when every member has the later one (Store::CompactFacts), so that a log is bounded by the facts that
// live, however often they are said.
#pragma once

#include "storage/core.h"
#include "storage/write_set.h"

namespace symbolon::storage {

// Prepares writes to the fact tables of one pool. Both functions change nothing outside `writes`. `changed` collects
// type ‖ id of the facts that were joined.
class FactWriter {
 public:
  FactWriter(WriteSet& writes, const PoolId& pool) : writes_(writes), pool_(pool) {}

  // Joins a fact that this store accepts, and appends it to the store's own fact log. kExpired: see store.h.
  StoreResult<void> Accept(const Core::Identity& self, BytesView type_and_id, const pb::FactValue& value);
  // Takes over an entry of another Region's fact log. Answers whether the vector advanced.
  StoreResult<bool> Merge(const Core::Identity& self, pb::FactEntry entry, std::vector<Bytes>& changed);

 private:
  enum class Joined {
    kRefused,  // what results would expire before the horizon: nothing was joined
    kNew,      // nothing was known of the fact
    kMore,
  };
  StoreResult<Joined> Join(BytesView type_and_id, const pb::FactValue& value);
  StoreResult<std::int64_t> Horizon() const;
  // Under which name this store numbers the facts that it accepts.
  StoreResult<Bytes> OwnIncarnation(const Core::Identity& self) const;
  StoreResult<std::uint64_t> KnownNumber(BytesView region, BytesView incarnation) const;
  StoreResult<void> Append(pb::FactEntry entry, Joined joined);

  WriteSet& writes_;
  const PoolId& pool_;
};

// Store::ReadFacts on a view.
StoreResult<std::vector<pb::FactEntry>> ReadFactEntries(const View& view, const PoolId& pool, BytesView region,
                                                        BytesView incarnation, std::uint64_t first_number,
                                                        std::size_t limit_bytes);

// Store::CompactFacts. The caller does not hold the write mutex.
StoreResult<std::size_t> CompactFactLogs(Core& core, const PoolId& pool, const pb::FactVector& held, std::size_t limit);

// Store::ForgetExpiredFacts. The caller does not hold the write mutex.
StoreResult<std::size_t> ForgetExpired(Core& core, Timestamp now, std::size_t limit);

}  // namespace symbolon::storage
