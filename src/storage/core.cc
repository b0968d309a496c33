#include "storage/core.h"

#include "storage/keys.h"

namespace symbolon::storage {

Core::Core(std::unique_ptr<Engine> engine, Identity identity, Clock& clock, Generations generations,
           std::size_t window_keys)
    : engine_(std::move(engine)),
      identity_(std::move(identity)),
      clock_(clock),
      recent_writes_(window_keys, last_version_),
      generations_(std::make_shared<const Generations>(std::move(generations))),
      view_{engine_->MakeSnapshot(), last_version_, generations_} {}

View Core::view() const {
  std::lock_guard lock(view_mutex_);
  return view_;
}

StoreResult<void> Core::Write(const EngineBatch& batch) {
  SYMBOLON_TRY_VOID(CheckWritable());
  return RefuseAfterDoubt(engine_->Write(batch));
}

StoreResult<void> Core::Ingest(BytesView key_prefix, const std::vector<PackedRecords>& pieces) {
  SYMBOLON_TRY_VOID(CheckWritable());
  return RefuseAfterDoubt(engine_->Ingest(key_prefix, pieces));
}

StoreResult<void> Core::RefuseAfterDoubt(StoreResult<void> written) {
  if (!written && written.error().code == StoreErrorCode::kUnknownOutcome) {
    std::lock_guard lock(refusal_mutex_);
    if (!refusing_) refusal_ = "writes are refused until the store is opened again, after: " + written.error().detail;
    refusing_ = true;
  }
  return written;
}

StoreResult<void> Core::CheckWritable() const {
  if (!refusing_) return {};
  std::lock_guard lock(refusal_mutex_);
  return Err(StoreError{StoreErrorCode::kUnavailable, refusal_});
}

StoreResult<std::optional<pb::PoolState>> Core::PoolState(const PoolId& pool) {
  SYMBOLON_TRY(const std::optional<Bytes> octets, engine_->Get(keys::PoolState(pool)));
  return ParseStored<pb::PoolState>(octets);
}

void Core::SetGeneration(const PoolId& pool, std::uint64_t generation) {
  auto generations = std::make_shared<Generations>(*generations_);
  if (generation == keys::kFirstGeneration) {
    generations->erase(pool);
  } else {
    (*generations)[pool] = generation;
  }
  generations_ = std::move(generations);
}

void Core::Publish(const std::vector<Notice>& notices) {
  View view{engine_->MakeSnapshot(), last_version_, generations_};
  {
    std::lock_guard lock(view_mutex_);
    std::swap(view_, view);
  }
  for (const Notice& notice : notices) notifier_.Notify(notice);
}

void Core::PublishAsIs() {
  std::lock_guard lock(write_mutex_);
  Publish({});
}

void Core::PublishVersionOnly() {
  std::lock_guard lock(view_mutex_);
  view_.version = last_version_;
}

}  // namespace symbolon::storage
