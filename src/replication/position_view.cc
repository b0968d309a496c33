#include "replication/position_view.h"

#include <algorithm>
#include <utility>

#include "storage/log.h"

namespace symbolon::replication {
namespace {

using storage::StoreErrorCode;
using storage::StoreResult;

constexpr std::size_t kPageBytes = 256 << 10;
constexpr std::size_t kChangesAtOnce = 4'096;
constexpr std::size_t kLogPageBytes = 1 << 20;

}  // namespace

StoreResult<std::unique_ptr<PositionView>> PositionView::Pin(storage::Store& store, const PoolId& pool) {
  auto view = std::unique_ptr<PositionView>(new PositionView(store, pool));
  SYMBOLON_TRY(view->source_, store.OpenCopy(pool));
  return view;
}

StoreResult<PositionView::Roll> PositionView::RollForward(const storage::pb::Head& position) {
  if (pinned().sequence() > position.sequence()) {
    // With equal histories whoever compares would have taken this one.
    return Roll::kOtherHistory;
  }
  SYMBOLON_TRY(const std::optional<storage::pb::Head> head, store_.MakeSnapshot()->Head(pool_));
  if (!head) return Roll::kPinAnew;
  if (head->sequence() < position.sequence()) return Roll::kBehind;
  SYMBOLON_TRY(const std::optional<Bytes> digest, store_.DigestAt(pool_, position.sequence()));
  // Equal digests at a sequence mean equal logs up to there.
  if (digest && *digest != position.digest()) return Roll::kOtherHistory;
  if (pinned().sequence() == position.sequence()) {
    return pinned().digest() == position.digest() ? Roll::kDone : Roll::kPinAnew;
  }
  if (!digest) return Roll::kPinAnew;
  auto rolled = TakeEntries(position);
  if (!rolled || *rolled != Roll::kDone) changed_.clear();
  return rolled;
}

StoreResult<PositionView::Roll> PositionView::TakeEntries(const storage::pb::Head& position) {
  Bytes chain = pinned().digest();
  std::uint64_t sequence = pinned().sequence();
  while (sequence < position.sequence()) {
    const auto entries = store_.ReadLog(pool_, sequence + 1, kLogPageBytes);
    if (!entries && entries.error().code == StoreErrorCode::kGap) return Roll::kPinAnew;
    if (!entries) return Err(entries.error());
    if (entries->empty()) return Roll::kPinAnew;
    for (const storage::pb::LogEntry& entry : *entries) {
      // A copy has replaced the log meanwhile.
      if (entry.previous_digest() != chain) return Roll::kPinAnew;
      if (entry.sequence() > position.sequence()) break;
      for (const storage::pb::LogChange& change : entry.changes()) {
        // A body that was erased since was the record all the same.
        changed_[change.key()] = change.deleted() ? std::nullopt : std::optional<Bytes>(change.value_digest());
      }
      if (changed_.size() > kChangesMax) {
        return Err(storage::StoreError{StoreErrorCode::kFull, "too much has changed since the directory was pinned"});
      }
      chain = storage::EntryDigest(entry);
      sequence = entry.sequence();
    }
  }
  return chain == position.digest() ? Roll::kDone : Roll::kOtherHistory;
}

StoreResult<PositionView::Page> PositionView::Next(BytesView after) {
  SYMBOLON_TRY(const std::vector<storage::Record> stored, source_->Next(after, kPageBytes));
  Page page;
  auto change = changed_.upper_bound(after);
  const auto take_change = [&] {
    if (change->second) page.records.push_back({change->first, *change->second});
    ++change;
  };
  for (const storage::Record& record : stored) {
    while (change != changed_.end() && change->first < record.id) take_change();
    if (change != changed_.end() && change->first == record.id) {
      take_change();
    } else {
      page.records.push_back({record.id, storage::ValueDigest(record.value)});
    }
  }
  if (!stored.empty()) {
    page.next = stored.back().id;
    return page;
  }
  for (std::size_t taken = 0; change != changed_.end(); ++taken) {
    if (taken == kChangesAtOnce) {
      page.next = std::prev(change)->first;
      return page;
    }
    take_change();
  }
  return page;
}

}  // namespace symbolon::replication
