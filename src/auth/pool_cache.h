// A bounded memory of values that cost something to make, each belonging to one pool.
#pragma once

#include <array>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/ids.h"

namespace symbolon::auth {

// Forgets the least recently used. Thread-safe; Value is cheap to copy (a shared pointer, a handle). Names are unique
// over all pools (digests, random names).
template <class Value>
class PoolCache {
 public:
  struct Entry {
    PoolId pool;
    std::string name;
    Value value;
  };

  explicit PoolCache(std::size_t entries_max) : shard_entries_max_(entries_max / kShards + 1) {}

  std::optional<Entry> Find(std::string_view name) {
    Shard& shard = ShardOf(name);
    const std::lock_guard lock(shard.mutex);
    const auto found = shard.entries.find(name);
    if (found == shard.entries.end()) return std::nullopt;
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    return *found->second;
  }
  // The same, if it is of this pool.
  std::optional<Value> Find(const PoolId& pool, std::string_view name) {
    auto entry = Find(name);
    if (!entry || entry->pool != pool) return std::nullopt;
    return std::move(entry->value);
  }

  // In place of what had this name.
  void Put(const PoolId& pool, std::string_view name, Value value) {
    Shard& shard = ShardOf(name);
    const std::lock_guard lock(shard.mutex);
    if (const auto found = shard.entries.find(name); found != shard.entries.end()) {
      const auto old = found->second;
      shard.entries.erase(found);
      shard.order.erase(old);
    }
    shard.order.push_front({.pool = pool, .name = std::string(name), .value = std::move(value)});
    shard.entries.emplace(shard.order.front().name, shard.order.begin());
    if (shard.entries.size() > shard_entries_max_) {
      shard.entries.erase(shard.order.back().name);
      shard.order.pop_back();
    }
  }

  // Nothing of the pool is kept.
  void Forget(const PoolId& pool) {
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      for (auto entry = shard.order.begin(); entry != shard.order.end();) {
        if (entry->pool != pool) {
          ++entry;
          continue;
        }
        shard.entries.erase(entry->name);
        entry = shard.order.erase(entry);
      }
    }
  }

  std::size_t size() {
    std::size_t size = 0;
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      size += shard.entries.size();
    }
    return size;
  }

 private:
  using Order = std::list<Entry>;
  struct Shard {
    std::mutex mutex;
    Order order;  // most recently used first; guarded by mutex, as is what follows
    std::unordered_map<std::string_view, typename Order::iterator> entries;  // names are the entries' own
  };

  static constexpr std::size_t kShards = 8;

  Shard& ShardOf(std::string_view name) { return shards_[std::hash<std::string_view>()(name) % kShards]; }

  const std::size_t shard_entries_max_;
  std::array<Shard, kShards> shards_;
};

}  // namespace symbolon::auth
