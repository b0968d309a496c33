// A pool's directory exactly as it is at a position at or after a pinned one: the pinned records, and over them what
// the log changed since. So Regions that pin at different positions compare at one, while writes go on.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/ids.h"
#include "storage/store.h"

namespace symbolon::replication {

struct DigestedRecord {
  // type (2 octets, big-endian) ‖ id
  Bytes key;
  // SHA-256 of the stored value: the digest that the log has of it.
  Bytes digest;
  bool operator==(const DigestedRecord&) const = default;
};

// Reads digests only, a page at a time. Not thread-safe.
class PositionView {
 public:
  // Pins the directory as it is now. kGap: the pool has no directory here.
  static storage::StoreResult<std::unique_ptr<PositionView>> Pin(storage::Store& store, const PoolId& pool);

  const storage::pb::Head& pinned() const { return source_->head(); }
  // About.
  std::uint64_t record_count() const { return source_->record_count(); }

  enum class Roll {
    kDone,
    // The log does not reach the position yet.
    kBehind,
    // The log has no longer, or never had, what lies between: pin again.
    kPinAnew,
    // The position belongs to another history.
    kOtherHistory,
  };
  // Sees the directory as it is at `position` from now on. Once kDone; before that it may be tried again. What changed
  // in between is kept in memory: kFull when that is more than kChangesMax records.
  static constexpr std::size_t kChangesMax = 200'000;
  storage::StoreResult<Roll> RollForward(const storage::pb::Head& position);

  struct Page {
    std::vector<DigestedRecord> records;
    // Go on after this key; nullopt: that was all.
    std::optional<Bytes> next;
  };
  // Records with key > after (empty: from the start), ascending; may be empty before the end.
  storage::StoreResult<Page> Next(BytesView after);

 private:
  PositionView(storage::Store& store, const PoolId& pool) : store_(store), pool_(pool) {}

  // Takes in the entries after the pinned one, up to `position`.
  storage::StoreResult<Roll> TakeEntries(const storage::pb::Head& position);

  storage::Store& store_;
  const PoolId pool_;
  std::unique_ptr<storage::CopySource> source_;
  // What changed since it was pinned; nullopt: deleted.
  std::map<Bytes, std::optional<Bytes>, std::less<>> changed_;
};

}  // namespace symbolon::replication
