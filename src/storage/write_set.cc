#include "storage/write_set.h"

namespace symbolon::storage {

StoreResult<std::optional<Bytes>> WriteSet::Get(const Bytes& key) const {
  if (const auto written = writes_.find(key); written != writes_.end()) return written->second;
  return base_ ? base_->Get(key) : engine_->Get(key);
}

void WriteSet::MergeIntoBase() {
  while (!writes_.empty()) {
    auto inserted = base_->writes_.insert(writes_.extract(writes_.begin()));
    if (!inserted.inserted) inserted.position->second = std::move(inserted.node.mapped());
  }
}

EngineBatch WriteSet::TakeBatch() {
  EngineBatch batch;
  while (!writes_.empty()) {
    auto write = writes_.extract(writes_.begin());
    if (write.mapped()) {
      batch.Put(std::move(write.key()), *std::move(write.mapped()));
    } else {
      batch.Delete(std::move(write.key()));
    }
  }
  return batch;
}

}  // namespace symbolon::storage
