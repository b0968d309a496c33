// Growing a pool's directory log: entries of this store's own, and entries that came from another Region.
#pragma once

#include "storage/core.h"
#include "storage/write_set.h"

namespace symbolon::storage {

// Prepares entries of one pool in `writes`: the entry, the records it changes, the history. Finish() writes the pool's
// state. `changed` collects the keys of kDirectory that changed.
class LogWriter {
 public:
  static StoreResult<LogWriter> Open(WriteSet& writes, const PoolId& pool);

  // False: the pool has no log here yet.
  bool exists() const { return exists_; }
  const pb::Head& head() const { return state_.head(); }

  // See Commit::promise. Written at once.
  StoreResult<void> Promise(const pb::Epoch& epoch);
  // kNotWriter when the store may not: see Commit::start_epoch_counter and promise. Consumes the changes' values.
  StoreResult<void> AppendOwn(const Core::Identity& self, std::optional<std::uint64_t> start_epoch_counter,
                              std::vector<Change>& changes, Timestamp now);
  // Verifies the entry against the head: kGap, kCorrupt. `octets`: the entry as it came, and as it is stored. Consumes
  // the changes' values.
  StoreResult<void> AppendForeign(const Core::Identity& self, pb::LogEntry& entry, Bytes octets,
                                  std::vector<Key>& changed);
  // The digest of the entry with this sequence; nullopt when it cannot be told any more.
  StoreResult<std::optional<Bytes>> DigestAt(std::uint64_t sequence) const;

  void Finish();

 private:
  LogWriter(WriteSet& writes, const PoolId& pool) : writes_(&writes), pool_(&pool) {}

  // Writes the entry, its records and the new head. The entry has been verified or made here.
  StoreResult<void> Append(pb::LogEntry& entry, Bytes octets);
  StoreResult<void> ExtendHistory(const pb::LogEntry& entry, const Bytes& digest);

  WriteSet* writes_;
  const PoolId* pool_;
  bool exists_ = false;
  pb::PoolState state_;
};

}  // namespace symbolon::storage
