#include "storage/write_set.h"

#include <algorithm>

namespace symbolon::storage {

StoreResult<std::optional<Bytes>> WriteSet::Get(const Bytes& key) const {
  if (const auto written = writes_.find(key); written != writes_.end()) return written->second;
  return engine_.Get(key);
}

void WriteSet::Set(Bytes key, std::optional<Bytes> value) {
  const auto [write, inserted] = writes_.try_emplace(std::move(key));
  undo_.push_back({&*write, std::nullopt});
  if (!inserted) undo_.back().before = std::move(write->second);
  write->second = std::move(value);
}

void WriteSet::TakeBackTo(std::size_t place) {
  for (; undo_.size() > place; undo_.pop_back()) {
    Undo& undo = undo_.back();
    if (undo.before) {
      undo.write->second = *std::move(undo.before);
    } else {
      writes_.erase(writes_.find(undo.write->first));
    }
  }
}

// Sorted, because engines insert neighbours faster.
EngineBatch WriteSet::TakeBatch() {
  undo_.clear();
  std::vector<Writes::node_type> sorted;
  sorted.reserve(writes_.size());
  while (!writes_.empty()) sorted.push_back(writes_.extract(writes_.begin()));
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.key() < b.key(); });
  EngineBatch batch;
  for (auto& write : sorted) {
    if (write.mapped()) {
      batch.Put(std::move(write.key()), *std::move(write.mapped()));
    } else {
      batch.Delete(std::move(write.key()));
    }
  }
  return batch;
}

}  // namespace symbolon::storage
