#include "storage/recent_writes.h"

#include "storage/keys.h"

namespace symbolon::storage {

void RecentWrites::Add(Bytes window_key, std::uint64_t version) {
  auto [entry, inserted] = newest_.try_emplace(std::move(window_key), version);
  if (!inserted) {
    if (entry->second == version) return;
    entry->second = version;
  }
  order_.emplace_back(version, &*entry);
  while (order_.size() > keys_max_) {
    const auto [oldest_version, oldest] = order_.front();
    order_.pop_front();
    if (oldest->second != oldest_version) continue;
    floor_ = oldest_version;
    newest_.erase(newest_.find(oldest->first));
  }
}

void RecentWrites::AddEverything(std::uint64_t version) {
  floor_ = version;
  newest_.clear();
  order_.clear();
}

bool RecentWrites::Conflicts(const Commit& commit) const {
  if (commit.reads.empty() && commit.range_reads.empty()) return false;
  if (commit.snapshot_version < floor_) return true;
  for (const Key& key : commit.reads) {
    const auto entry = newest_.find(keys::Window(key));
    if (entry != newest_.end() && entry->second > commit.snapshot_version) return true;
  }
  for (const KeyRange& range : commit.range_reads) {
    if (RangeChangedSince(keys::Window(range), commit.snapshot_version)) return true;
  }
  return false;
}

bool RecentWrites::RangeChangedSince(const Bytes& prefix, std::uint64_t version) const {
  for (auto change = order_.rbegin(); change != order_.rend() && change->first > version; ++change) {
    if (change->second->first.starts_with(prefix)) return true;
  }
  return false;
}

}  // namespace symbolon::storage
