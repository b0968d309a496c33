// What a pool must look like: every log that any Region ever wrote of it, as one tree, with the directory at each
// entry; and which writes and facts were acknowledged.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "facts_model.h"
#include "replication/roles.h"
#include "storage/store.h"

namespace symbolon::simulation {

class PoolModel {
 public:
  PoolModel(PoolId id, Region birth);

  const PoolId id;
  const Region birth;
  // A write that its client was told of.
  struct Write {
    Bytes digest;
    std::uint64_t sequence = 0;
    Region region;
    // Only a person can set it aside: answered with SYNC durability under an authority.
    bool safe = false;
    // It was on one disk only, and that is lost.
    bool lost_with_disk = false;
  };
  std::vector<Write> acknowledged;
  FactsModel facts;
  // What Regions held whose disks were lost: digests of heads.
  std::map<Region, std::vector<Bytes>> lost_heads;
  // Of what a Region had, and set aside when it went over to another history.
  std::map<Region, std::vector<Bytes>> left_heads;
  // Where a person asked in vain, since the last time that all had been asked.
  std::set<Region> refused;
  // The Region held the entry, and lost it with a disk.
  bool LostWithDisk(const Region& region, const Bytes& digest) const;
  // The Region held the entry, and set it aside.
  bool Left(const Region& region, const Bytes& digest) const;
  // Somebody tried to delete it; whether it happened is in the logs.
  bool deletion_tried = false;
  // A Region took over by force: what it did not have may be set aside.
  bool forced = false;
  // It was a person's doing.
  bool forced_by_person = false;
  // Its durability was to be less than SYNC again: nothing is safe then.
  bool left_sync = false;
  // Epochs of which whoever asked was told that the Region that was handed the pool begins them by itself.
  struct Pending {
    Region region;
    std::uint64_t counter = 0;
    std::uint64_t first_sequence = 0;
  };
  std::vector<Pending> pending;

  // Takes what the store's log has beyond what is known; only the Region that opened an epoch may have news of it.
  // Empty, or what is wrong.
  std::string Learn(storage::Store& store);
  // Empty, or what is wrong with the pool in this store: its directory must be that of its position.
  std::string Check(storage::Store& store) const;

  // At most one entry, of all that were ever written, may have this record. `key`: type ‖ id.
  void ExpectOnce(const Bytes& key) { entries_of_.emplace(key, 0); }
  // Now none may, any more: its client was told that nothing was done. Empty, or what is wrong.
  std::string ExpectNever(const Bytes& key);

  // `ancestor` lies in the log that ends with `digest` (or is it).
  bool Contains(const Bytes& digest, const Bytes& ancestor) const;
  // Entries that nothing follows.
  std::vector<Bytes> Ends() const;
  std::uint64_t SequenceOf(const Bytes& digest) const { return states_.at(digest).sequence; }
  // The Region that wrote it.
  Region WriterOf(const Bytes& digest) const { return Region(states_.at(digest).epoch.region()); }
  // The stored record at the entry; nullptr: none, or the entry is not known. `key`: type ‖ id.
  const Bytes* RecordAt(const Bytes& digest, const Bytes& key) const;
  // The entry lies before or at the beginning of an epoch that is not lower than this one.
  bool LeadsTo(const Bytes& digest, const storage::pb::Epoch& epoch) const;
  // The Region began the epoch with this counter, at this sequence or behind it.
  bool Began(const Region& region, std::uint64_t counter, std::uint64_t sequence) const;
  // The last hand-over that was learned and not looked at: to whom, and the entry before it. Answered once.
  struct HandOver {
    Region to;
    Bytes before;
  };
  std::optional<HandOver> TakeHandOver() { return std::exchange(hand_over_, std::nullopt); }

 private:
  bool AnyContains(const std::map<Region, std::vector<Bytes>>& heads, const Region& region, const Bytes& digest) const;

  using Directory = std::map<Bytes, Bytes>;
  struct State {
    std::uint64_t sequence = 0;
    storage::pb::Epoch epoch;
    bool starts_epoch = false;
    Bytes previous;
    std::shared_ptr<const Directory> directory;
    Bytes directory_digest;
  };

  std::string Add(const storage::pb::LogEntry& entry, const storage::Store& store);

  // By digest of the entry.
  std::map<Bytes, State> states_;
  // Digest of the entry at (epoch, sequence).
  std::map<std::pair<std::string, std::uint64_t>, Bytes> positions_;
  std::optional<HandOver> hand_over_;
  // How many entries have the records of which there may be one at the most, and of which there may be none.
  std::map<Bytes, int> entries_of_;
  std::set<Bytes> refused_;
};

// type ‖ id.
Bytes RoleRecordKey();
std::optional<storage::pb::Head> HeadOf(storage::Store& store, const PoolId& pool);

}  // namespace symbolon::simulation
