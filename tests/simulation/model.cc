#include "model.h"

#include <fmt/format.h>

#include "crypto/hash.h"
#include "storage/log.h"

namespace symbolon::simulation {
namespace {

void Update(crypto::Sha256Stream& digest, BytesView part) {
  Bytes size;
  AppendBigEndian32(size, static_cast<std::uint32_t>(part.size()));
  digest.Update(size);
  digest.Update(part);
}

}  // namespace

std::optional<storage::pb::Head> HeadOf(storage::Store& store, const PoolId& pool) {
  auto head = store.MakeSnapshot()->Head(pool);
  SYMBOLON_CHECK(head);
  return *std::move(head);
}

void PoolModel::Learn(storage::Store& store) {
  for (;;) {
    const auto entries = store.ReadLog(id, states_.size(), 64 << 10);
    if (!entries || entries->empty()) return;
    for (const storage::pb::LogEntry& entry : *entries) {
      for (const storage::pb::LogChange& change : entry.changes()) {
        if (change.deleted()) {
          directory_.erase(change.key());
        } else {
          directory_[change.key()] = change.value();
        }
      }
      crypto::Sha256Stream digest;
      for (const auto& [key, value] : directory_) {
        Update(digest, key);
        Update(digest, value);
      }
      states_.push_back({storage::EntryDigest(entry), digest.Finish()});
    }
  }
}

std::string PoolModel::Check(storage::Store& store) const {
  auto source = store.OpenCopy(id);
  if (!source) return "";
  const std::uint64_t sequence = (*source)->head().sequence();
  if (sequence >= states_.size()) return fmt::format("position {} was never written", sequence);
  if ((*source)->head().digest() != states_[sequence].log_digest)
    return fmt::format("another log at position {}", sequence);
  crypto::Sha256Stream digest;
  Bytes cursor;
  for (;;) {
    const auto records = (*source)->Next(cursor, 64 << 10);
    SYMBOLON_CHECK(records);
    if (records->empty()) break;
    for (const storage::Record& record : *records) {
      Update(digest, record.id);
      Update(digest, record.value);
    }
    cursor = records->back().id;
  }
  if (digest.Finish() != states_[sequence].directory_digest)
    return fmt::format("not the directory of position {}", sequence);
  return "";
}

}  // namespace symbolon::simulation
