// LocalStore's erasing of bodies in a pool's directory log.
#include <algorithm>

#include "storage/keys.h"
#include "storage/local_store.h"

namespace symbolon::storage {
namespace {

// What one durable write may rewrite, so that commits do not wait long for the write mutex.
constexpr std::size_t kRewrittenAtOnceBytes = 1 << 20;

StoreResult<pb::LogEntry> ParseEntry(BytesView stored) {
  pb::LogEntry entry;
  if (entry.ParseFromArray(stored.data(), static_cast<int>(stored.size()))) return entry;
  return Err(StoreError{StoreErrorCode::kCorrupt, "a log entry does not parse"});
}

// Answers how many.
std::uint64_t EraseBodies(pb::LogEntry& entry, const Store::ErasesBody& which) {
  std::uint64_t count = 0;
  for (pb::LogChange& change : *entry.mutable_changes()) {
    if (!change.has_value() || !which(change.key(), change.value())) continue;
    change.clear_value();
    ++count;
  }
  return count;
}

bool HasBodyToErase(const pb::LogEntry& entry, const Store::ErasesBody& which) {
  return std::ranges::any_of(entry.changes(), [&](const pb::LogChange& change) {
    return change.has_value() && which(change.key(), change.value());
  });
}

}  // namespace

StoreResult<std::uint64_t> LocalStore::LogErasedThrough(const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<pb::PoolState> state, core_.view().PoolState(pool));
  return state ? state->erased_through() : 0;
}

// Entries are found in a snapshot, and rewritten under the write mutex as they are by then: they may have been trimmed,
// or have lost another body, and a copy may have replaced the log.
StoreResult<std::uint64_t> LocalStore::EraseLogBodies(const PoolId& pool, std::uint64_t last_sequence,
                                                      const ErasesBody& which) {
  const View view = core_.view();
  SYMBOLON_TRY(const std::optional<pb::PoolState> state, view.PoolState(pool));
  if (!state) return Err(StoreError{StoreErrorCode::kGap, "the pool has no log here"});
  const std::uint64_t end = std::min(last_sequence, state->head().sequence()) + 1;
  if (end <= state->first_kept_sequence()) return 0;
  const auto stored = view.engine->Iterate(keys::LogEntry(pool, state->generation(), state->first_kept_sequence()),
                                           keys::LogEntry(pool, state->generation(), end), Caching::kPassBy);
  std::uint64_t erased = 0;
  std::vector<std::uint64_t> found;
  std::size_t found_bytes = 0;
  const auto rewrite = [&]() -> StoreResult<void> {
    SYMBOLON_TRY(const std::uint64_t count, EraseIn(pool, state->generation(), found, which));
    erased += count;
    found.clear();
    found_bytes = 0;
    return {};
  };
  for (; stored->Valid(); stored->Next()) {
    SYMBOLON_TRY(const pb::LogEntry entry, ParseEntry(stored->value()));
    if (!HasBodyToErase(entry, which)) continue;
    found.push_back(entry.sequence());
    found_bytes += stored->value().size();
    if (found_bytes >= kRewrittenAtOnceBytes) SYMBOLON_TRY_VOID(rewrite());
  }
  SYMBOLON_TRY_VOID(stored->status());
  if (!found.empty()) SYMBOLON_TRY_VOID(rewrite());
  return erased;
}

StoreResult<std::uint64_t> LocalStore::EraseIn(const PoolId& pool, std::uint64_t generation,
                                               const std::vector<std::uint64_t>& sequences, const ErasesBody& which) {
  std::lock_guard lock(core_.write_mutex());
  SYMBOLON_TRY(std::optional<pb::PoolState> state, core_.PoolState(pool));
  if (!state || state->generation() != generation) {
    return Err(StoreError{StoreErrorCode::kConflict, "the log was replaced meanwhile"});
  }
  std::uint64_t erased = 0;
  EngineBatch batch;
  for (const std::uint64_t sequence : sequences) {
    if (sequence < state->first_kept_sequence()) continue;
    Bytes key = keys::LogEntry(pool, generation, sequence);
    SYMBOLON_TRY(const std::optional<Bytes> stored, core_.engine().Get(key));
    if (!stored) return Err(StoreError{StoreErrorCode::kCorrupt, "a kept log entry is missing"});
    SYMBOLON_TRY(pb::LogEntry entry, ParseEntry(*stored));
    const std::uint64_t count = EraseBodies(entry, which);
    if (count == 0) continue;
    erased += count;
    state->set_erased_through(std::max(state->erased_through(), sequence));
    batch.Put(std::move(key), entry.SerializeAsString());
  }
  if (batch.empty()) return erased;
  // Whoever would read the entries to pass them on finds in the same write that they are not whole.
  batch.Put(keys::PoolState(pool), state->SerializeAsString());
  SYMBOLON_TRY_VOID(core_.Write(batch));
  core_.Publish({});
  return erased;
}

}  // namespace symbolon::storage
