#include "directory/record_cache.h"

#include <algorithm>
#include <functional>
#include <string_view>

namespace symbolon::directory {
namespace {

// No id of a cached type is like this.
constexpr BytesView kAll = "*";

void RaiseTo(std::atomic<std::uint64_t>& counter, std::uint64_t value) {
  std::uint64_t before = counter.load();
  while (before < value && !counter.compare_exchange_weak(before, value)) {
  }
}

}  // namespace

std::size_t RecordCache::Hash::operator()(const storage::Key& key) const {
  const std::hash<std::string_view> hash;
  return (hash(key.pool.value()) * 31 + hash(key.id)) * 31 + key.type;
}

storage::Key RecordCache::KeyOfAll(storage::Space space, const PoolId& pool, RecordType type) {
  return {.space = space, .pool = pool, .type = static_cast<std::uint16_t>(type), .id = Bytes(kAll)};
}

void RecordCache::Follow(storage::Store& store) {
  subscription_ = store.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
  // Notices up to here came before the subscription, or there is nothing yet that they could concern.
  const std::uint64_t version = store.MakeSnapshot()->version();
  RaiseTo(arrived_, version);
  RaiseTo(noticed_, version);
}

std::shared_ptr<const void> RecordCache::Find(const storage::Key& key, std::uint64_t version) {
  // Before the entry: it has outlived all notices up to this one.
  if (version > noticed_) return nullptr;
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end() || found->second->version > version) return nullptr;
  shard.order.splice(shard.order.begin(), shard.order, found->second);
  return found->second->record;
}

void RecordCache::Put(const storage::Key& key, std::uint64_t version, const keys::PoolKeys* keys,
                      std::shared_ptr<const void> record) {
  Shard& shard = ShardOf(key);
  // Let go of after the lock: wiping takes time.
  std::shared_ptr<const void> replaced;
  const std::lock_guard lock(shard.mutex);
  // What a later notice says may concern this record. Both that notice and a retirement come back for entries that
  // were made before they were seen here.
  if (version < arrived_ || (keys != nullptr && keys->retired())) return;
  if (const auto found = shard.entries.find(key); found != shard.entries.end()) {
    found->second->version = version;
    replaced = std::exchange(found->second->record, std::move(record));
    return;
  }
  shard.order.push_front({.key = key, .version = version, .record = std::move(record)});
  shard.entries.emplace(key, shard.order.begin());
  if (shard.entries.size() > shard_entries_max_) {
    replaced = std::move(shard.order.back().record);
    shard.entries.erase(shard.order.back().key);
    shard.order.pop_back();
  }
}

void RecordCache::OnNotice(const storage::Notice& notice) {
  RaiseTo(arrived_, notice.version);
  if (notice.everything) {
    Forget(notice.pool);
  } else {
    for (const storage::Key& key : notice.keys) {
      if (key.space != storage::Space::kDirectory || !IsCached(static_cast<RecordType>(key.type))) continue;
      Erase(key);
      Erase(KeyOfAll(key.space, key.pool, static_cast<RecordType>(key.type)));
    }
  }
  RaiseTo(noticed_, notice.version);
}

void RecordCache::Erase(const storage::Key& key) {
  Shard& shard = ShardOf(key);
  const std::lock_guard lock(shard.mutex);
  const auto found = shard.entries.find(key);
  if (found == shard.entries.end()) return;
  const auto entry = found->second;
  shard.entries.erase(found);
  shard.order.erase(entry);
}

void RecordCache::Forget(const PoolId& pool) {
  for (Shard& shard : shards_) {
    const std::lock_guard lock(shard.mutex);
    for (auto entry = shard.order.begin(); entry != shard.order.end();) {
      if (entry->key.pool != pool) {
        ++entry;
        continue;
      }
      shard.entries.erase(entry->key);
      entry = shard.order.erase(entry);
    }
  }
}

}  // namespace symbolon::directory
