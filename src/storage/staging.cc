// LocalStore's copies: sending one, and receiving one beside what is live.
#include <algorithm>

#include "storage/keys.h"
#include "storage/local_store.h"
#include "storage/log.h"

namespace symbolon::storage {
namespace {

// Ranges up to so many records are counted, larger ones estimated from the size of the first.
constexpr std::uint64_t kCountedRecordsMax = 2'000;
constexpr std::size_t kWalkBytesMax = 32 << 20;

auto NoStaging() { return Err(StoreError{StoreErrorCode::kGap, "no copy of the pool is being received"}); }

class LocalCopySource final : public CopySource {
 public:
  static StoreResult<std::unique_ptr<CopySource>> Open(View view, const PoolId& pool, Engine& engine) {
    auto source = std::unique_ptr<LocalCopySource>(new LocalCopySource(std::move(view), pool));
    SYMBOLON_TRY(std::optional<pb::PoolState> state, source->view_.PoolState(pool));
    if (!state) return Err(StoreError{StoreErrorCode::kGap, "the pool has no log here"});
    SYMBOLON_TRY(std::optional<pb::History> history, source->view_.GetMessage<pb::History>(keys::History(pool)));
    source->head_ = std::move(*state->mutable_head());
    source->history_ = std::move(history).value_or(pb::History());
    source->records_ = keys::Records(pool, state->generation());
    SYMBOLON_TRY_VOID(source->Count(engine));
    return source;
  }

  const pb::Head& head() const override { return head_; }
  const pb::History& history() const override { return history_; }
  std::uint64_t record_count() const override { return record_count_; }
  std::uint64_t size_bytes() const override { return size_bytes_; }

  StoreResult<PackedRecords> NextPacked(BytesView cursor, std::size_t limit_bytes) override {
    if (!stored_ || cursor != reached_ || walked_bytes_ > kWalkBytesMax) {
      stored_ = view_.engine->Iterate(records_, keys::PrefixEnd(records_), Caching::kPassBy);
      if (!cursor.empty()) stored_->Seek(Bytes(records_).append(cursor).append(1, '\0'));
      walked_bytes_ = 0;
    }
    PackedRecords packed;
    packed.Reserve(limit_bytes + limit_bytes / 4);
    for (; stored_->Valid() && (packed.empty() || packed.size_bytes() < limit_bytes); stored_->Next()) {
      packed.Add(stored_->key().substr(records_.size()), stored_->value());
    }
    SYMBOLON_TRY_VOID(stored_->status());
    reached_ = packed.empty() ? cursor : packed.last_id();
    walked_bytes_ += packed.size_bytes();
    return packed;
  }

 private:
  LocalCopySource(View view, const PoolId& pool) : view_(std::move(view)), pool_(pool) {}

  StoreResult<void> Count(Engine& engine) {
    const auto stored = view_.engine->Iterate(records_, keys::PrefixEnd(records_));
    std::uint64_t stored_bytes = 0;
    for (; stored->Valid() && record_count_ < kCountedRecordsMax; stored->Next()) {
      stored_bytes += stored->key().size() + stored->value().size();
      ++record_count_;
    }
    SYMBOLON_TRY_VOID(stored->status());
    size_bytes_ = stored_bytes - record_count_ * records_.size();
    if (stored->Valid()) {
      const std::uint64_t total_bytes = engine.EstimateBytes(records_, keys::PrefixEnd(records_));
      const std::uint64_t counted = record_count_;
      record_count_ = std::max(counted, total_bytes / (stored_bytes / counted));
      size_bytes_ = record_count_ * (size_bytes_ / counted);
    }
    return {};
  }

  const View view_;
  const PoolId pool_;
  Bytes records_;
  pb::Head head_;
  pb::History history_;
  std::uint64_t record_count_ = 0;
  std::uint64_t size_bytes_ = 0;
  // Stands behind `reached_`, where the last piece ended. Made anew now and then, because it holds on to files and
  // buffers that the engine has done with.
  std::unique_ptr<EngineIterator> stored_;
  Bytes reached_;
  std::size_t walked_bytes_ = 0;
};

void DeleteGeneration(EngineBatch& batch, const PoolId& pool, std::uint64_t generation) {
  for (const Bytes& prefix : {keys::Records(pool, generation), keys::LogEntries(pool, generation)}) {
    batch.DeleteRange(prefix, keys::PrefixEnd(prefix));
  }
}

// After the deletion was published.
void ReclaimGeneration(Engine& engine, const PoolId& pool, std::uint64_t generation) {
  for (const Bytes& prefix : {keys::Records(pool, generation), keys::LogEntries(pool, generation)}) {
    engine.Reclaim(prefix, keys::PrefixEnd(prefix));
  }
}

bool SameHead(const pb::Head& a, const pb::Head& b) {
  return SameEpoch(a.epoch(), b.epoch()) && a.sequence() == b.sequence() && a.digest() == b.digest();
}

}  // namespace

StoreResult<std::unique_ptr<CopySource>> LocalStore::OpenCopy(const PoolId& pool) {
  return LocalCopySource::Open(core_.view(), pool, core_.engine());
}

StoreResult<std::optional<pb::StagingState>> LocalStore::ReadStaging(const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<Bytes> octets, core_.engine().Get(keys::Staging(pool)));
  return ParseStored<pb::StagingState>(octets);
}

StoreResult<std::optional<Store::Staging>> LocalStore::FindStaging(const PoolId& pool) {
  SYMBOLON_TRY(std::optional<pb::StagingState> state, ReadStaging(pool));
  if (!state) return std::nullopt;
  return Staging{std::move(*state->mutable_head()), std::move(*state->mutable_history()),
                 std::move(*state->mutable_cursor()), state->records(), state->size_bytes()};
}

StoreResult<void> LocalStore::BeginStaging(const PoolId& pool, const pb::Head& head, const pb::History& history) {
  SYMBOLON_CHECK(!pool.empty() && keys::WellFormedName(pool.value()));
  if (head.sequence() == 0 || head.digest().size() != kDigestBytes || history.epochs().empty() ||
      !SameEpoch(history.epochs().rbegin()->epoch(), head.epoch())) {
    return Err(StoreError{StoreErrorCode::kCorrupt, "the head and the history of a copy do not fit"});
  }
  std::lock_guard staging(staging_mutex_);
  SYMBOLON_TRY(const std::optional<pb::StagingState> before, ReadStaging(pool));
  if (before && SameHead(before->head(), head)) return {};
  SYMBOLON_TRY(const std::optional<pb::PoolState> live, core_.PoolState(pool));
  // Never keys::kFirstGeneration: a log that starts here meanwhile has that.
  const std::uint64_t generation =
      std::max({keys::kFirstGeneration, live ? live->generation() : 0, before ? before->generation() : 0}) + 1;
  pb::StagingState state;
  *state.mutable_head() = head;
  *state.mutable_history() = history;
  state.set_generation(generation);
  state.set_replaces(live ? live->head().digest() : Bytes());
  EngineBatch batch;
  if (before) DeleteGeneration(batch, pool, before->generation());
  batch.Put(keys::Staging(pool), state.SerializeAsString());
  SYMBOLON_TRY_VOID(core_.Write(batch));
  if (before) {
    core_.PublishAsIs();
    ReclaimGeneration(core_.engine(), pool, before->generation());
  }
  return {};
}

// Records in bulk become durable before the cursor that covers them: a crash between leaves records past the cursor,
// which come again, octet for octet, because the cursor goes with the head of the copy.
StoreResult<void> LocalStore::WritePackedStaging(const PoolId& pool, const std::vector<PackedRecords>& pieces) {
  std::lock_guard staging(staging_mutex_);
  SYMBOLON_TRY(std::optional<pb::StagingState> state, ReadStaging(pool));
  if (!state) return NoStaging();
  BytesView cursor = state->cursor();
  std::uint64_t size_bytes = 0;
  std::uint64_t count = 0;
  for (const PackedRecords& piece : pieces) {
    for (const RecordView& record : piece) {
      if (record.id.size() < 2 || record.id.size() > 2 + kKeyIdBytesMax) {
        return Err(StoreError{StoreErrorCode::kCorrupt, "a copied record has no proper key"});
      }
      if (record.id <= cursor) {
        return Err(StoreError{StoreErrorCode::kGap, "copied records do not ascend from the cursor"});
      }
      cursor = record.id;
    }
    count += piece.count();
    size_bytes += piece.size_bytes();
  }
  if (count == 0) return {};
  EngineBatch batch;
  if (size_bytes >= ingest_bytes_min_) {
    SYMBOLON_TRY_VOID(core_.Ingest(keys::Records(pool, state->generation()), pieces));
  } else {
    for (const PackedRecords& piece : pieces) {
      for (const RecordView& record : piece) {
        batch.Put(keys::Record(pool, state->generation(), record.id), Bytes(record.value));
      }
    }
  }
  state->set_cursor(Bytes(cursor));
  state->set_size_bytes(state->size_bytes() + size_bytes);
  state->set_records(state->records() + count);
  batch.Put(keys::Staging(pool), state->SerializeAsString());
  return core_.Write(batch);
}

StoreResult<void> LocalStore::FlipStaging(const PoolId& pool) {
  std::unique_lock staging(staging_mutex_);
  SYMBOLON_TRY(std::optional<pb::StagingState> staged, ReadStaging(pool));
  if (!staged) return NoStaging();
  std::unique_lock lock(core_.write_mutex());
  SYMBOLON_TRY(const std::optional<pb::PoolState> before, core_.PoolState(pool));
  // Whoever began to take the copy has seen to what was here then, and knows of nothing later.
  if (staged->has_replaces() && staged->replaces() != (before ? before->head().digest() : Bytes())) {
    return Err(StoreError{StoreErrorCode::kConflict, "the log has grown since the copy was begun"});
  }
  pb::PoolState state;
  *state.mutable_head() = staged->head();
  state.set_generation(staged->generation());
  state.set_first_kept_sequence(staged->head().sequence() + 1);
  state.set_digest_before_first_kept(staged->head().digest());
  EngineBatch batch;
  if (before) DeleteGeneration(batch, pool, before->generation());
  batch.Delete(keys::Staging(pool));
  batch.Put(keys::PoolState(pool), state.SerializeAsString());
  batch.Put(keys::History(pool), staged->history().SerializeAsString());
  SYMBOLON_TRY_VOID(core_.Write(batch));
  Notice notice;
  notice.version = core_.NextVersion();
  notice.pool = pool;
  notice.head = staged->head();
  notice.everything = true;
  core_.recent_writes().AddEverything(notice.version);
  core_.SetGeneration(pool, staged->generation());
  core_.Publish({notice});
  lock.unlock();
  staging.unlock();
  core_.notifier().NotifyAfter(/*more_follows=*/false);
  if (before) ReclaimGeneration(core_.engine(), pool, before->generation());
  return {};
}

StoreResult<void> LocalStore::DropStaging(const PoolId& pool) {
  std::lock_guard staging(staging_mutex_);
  SYMBOLON_TRY(const std::optional<pb::StagingState> state, ReadStaging(pool));
  if (!state) return {};
  EngineBatch batch;
  DeleteGeneration(batch, pool, state->generation());
  batch.Delete(keys::Staging(pool));
  SYMBOLON_TRY_VOID(core_.Write(batch));
  core_.PublishAsIs();
  ReclaimGeneration(core_.engine(), pool, state->generation());
  return {};
}

}  // namespace symbolon::storage
