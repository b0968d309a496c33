// Opened and parsed records that are read far more often than they change: roles, pools, app clients, public and
// signing keys, signed-in users.
//
// What is found here is exactly what the store shows at the asker's snapshot: an entry serves snapshots from the one
// that it was read at up to the last notice of the store that did not concern it. Whatever was decrypted goes with the
// pool's keys: nothing is kept that was opened with retired ones.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "directory/record_types.h"
#include "keys/pool_keys.h"
#include "storage/store.h"

namespace symbolon::directory {

// The types that are kept.
constexpr bool IsCached(RecordType type) {
  return type == RecordType::kRole || type == RecordType::kPool || type == RecordType::kPublic ||
         type == RecordType::kSigningKey || type == RecordType::kClient || type == RecordType::kUser;
}

// Forgets the least recently used. Thread-safe.
class RecordCache {
 public:
  explicit RecordCache(std::size_t entries_max = 8'192) : shard_entries_max_(entries_max / kShards + 1) {}

  // Begins to follow the store; until then nothing is kept. The store outlives the cache.
  void Follow(storage::Store& store);

  // nullptr: not kept, or not of this version. The caller knows the type by the key.
  std::shared_ptr<const void> Find(const storage::Key& key, std::uint64_t version);
  // What was read at this version; `keys`: what opened it, null if it is stored in clear.
  void Put(const storage::Key& key, std::uint64_t version, const keys::PoolKeys* keys,
           std::shared_ptr<const void> record);
  // Drops all of the pool, after its keys were retired.
  void Forget(const PoolId& pool);

  // What is made of all records of a type has this key; it goes when one of them changes.
  static storage::Key KeyOfAll(storage::Space space, const PoolId& pool, RecordType type);

 private:
  struct Hash {
    std::size_t operator()(const storage::Key& key) const;
  };
  struct Entry {
    storage::Key key;
    std::uint64_t version;
    std::shared_ptr<const void> record;
  };
  using Order = std::list<Entry>;
  struct Shard {
    std::mutex mutex;
    Order order;  // most recently used first; guarded by mutex, as is what follows
    std::unordered_map<storage::Key, Order::iterator, Hash> entries;
  };

  static constexpr std::size_t kShards = 16;

  void OnNotice(const storage::Notice& notice);
  void Erase(const storage::Key& key);
  Shard& ShardOf(const storage::Key& key) { return shards_[Hash()(key) / 7 % kShards]; }

  const std::size_t shard_entries_max_;
  std::array<Shard, kShards> shards_;
  // The version of the last notice that arrived, and of the last one whose entries are gone.
  std::atomic<std::uint64_t> arrived_ = 0, noticed_ = 0;
  // Last, so that no notice comes while the rest goes.
  std::unique_ptr<storage::Subscription> subscription_;
};

}  // namespace symbolon::directory
