#include "storage/memory/unreadable_store.h"

#include <utility>

namespace symbolon::storage {
namespace {

auto Failed() { return Err(StoreError{StoreErrorCode::kUnavailable, "a read that is to fail"}); }

bool Fails(const ReadFaults& faults, const Read& read = {}) { return faults(read) != ReadFault::kNone; }

class UnreadableSnapshot final : public Snapshot {
 public:
  UnreadableSnapshot(std::unique_ptr<Snapshot> snapshot, const ReadFaults& faults)
      : snapshot_(std::move(snapshot)), faults_(faults) {}

  StoreResult<std::optional<Bytes>> Get(const Key& key) const override {
    return Absent<std::optional<Bytes>>([&] { return snapshot_->Get(key); }, Read{Read::Kind::kRecord, key.space});
  }
  StoreResult<std::optional<pb::Head>> Head(const PoolId& pool) const override {
    return Absent<std::optional<pb::Head>>([&] { return snapshot_->Head(pool); });
  }
  StoreResult<std::optional<pb::Epoch>> Promised(const PoolId& pool) const override {
    return Absent<std::optional<pb::Epoch>>([&] { return snapshot_->Promised(pool); });
  }
  StoreResult<std::vector<PoolId>> Pools(const std::optional<PoolId>& after, std::size_t limit) const override {
    return Absent<std::vector<PoolId>>([&] { return snapshot_->Pools(after, limit); }, Read{Read::Kind::kPools, {}});
  }
  StoreResult<Page> Scan(const KeyRange& range, const std::optional<Bytes>& after, std::size_t limit) const override {
    if (Fails(faults_)) return Failed();
    return snapshot_->Scan(range, after, limit);
  }
  StoreResult<pb::History> History(const PoolId& pool) const override {
    if (Fails(faults_)) return Failed();
    return snapshot_->History(pool);
  }
  StoreResult<pb::FactVector> Facts(const PoolId& pool) const override {
    if (Fails(faults_)) return Failed();
    return snapshot_->Facts(pool);
  }
  std::uint64_t version() const override { return snapshot_->version(); }

 private:
  // Of what may be absent.
  template <class T, class Do>
  StoreResult<T> Absent(Do read, const Read& what = {}) const {
    switch (faults_(what)) {
      case ReadFault::kNone:
        return read();
      case ReadFault::kFails:
        return Failed();
      case ReadFault::kReadsAsAbsent:
        return T();
    }
    std::unreachable();
  }

  const std::unique_ptr<Snapshot> snapshot_;
  const ReadFaults& faults_;
};

class UnreadableCopy final : public CopySource {
 public:
  UnreadableCopy(std::unique_ptr<CopySource> source, const ReadFaults& faults)
      : source_(std::move(source)), faults_(faults) {}

  const pb::Head& head() const override { return source_->head(); }
  const pb::History& history() const override { return source_->history(); }
  StoreResult<PackedRecords> NextPacked(BytesView cursor, std::size_t limit_bytes) override {
    if (Fails(faults_)) return Failed();
    return source_->NextPacked(cursor, limit_bytes);
  }
  std::uint64_t record_count() const override { return source_->record_count(); }
  std::uint64_t size_bytes() const override { return source_->size_bytes(); }

 private:
  const std::unique_ptr<CopySource> source_;
  const ReadFaults& faults_;
};

class UnreadableStore final : public Store {
 public:
  UnreadableStore(Store& store, ReadFaults faults) : store_(store), faults_(std::move(faults)) {}

  const Bytes& incarnation() const override { return store_.incarnation(); }
  const Region& region() const override { return store_.region(); }
  std::unique_ptr<Snapshot> MakeSnapshot() override {
    return std::make_unique<UnreadableSnapshot>(store_.MakeSnapshot(), faults_);
  }
  void Submit(Commit commit, CommitCallback done) override { store_.Submit(std::move(commit), std::move(done)); }
  std::unique_ptr<Subscription> Subscribe(Listener listener, AfterNotices after) override {
    return store_.Subscribe(std::move(listener), std::move(after));
  }

  StoreResult<std::vector<pb::LogEntry>> ReadLog(const PoolId& pool, std::uint64_t first_sequence,
                                                 std::size_t limit_bytes) override {
    if (Fails(faults_)) return Failed();
    return store_.ReadLog(pool, first_sequence, limit_bytes);
  }
  StoreResult<std::vector<Bytes>> ReadLogAsStored(const PoolId& pool, std::uint64_t first_sequence,
                                                  std::size_t limit_bytes) override {
    if (Fails(faults_)) return Failed();
    return store_.ReadLogAsStored(pool, first_sequence, limit_bytes);
  }
  StoreResult<std::optional<Bytes>> DigestAt(const PoolId& pool, std::uint64_t sequence) override {
    if (Fails(faults_, Read{Read::Kind::kDigest, {}})) return Failed();
    return store_.DigestAt(pool, sequence);
  }
  void Apply(AppliedEntries entries, ApplyCallback done) override { store_.Apply(std::move(entries), std::move(done)); }
  StoreResult<LogSize> MeasureLog(const PoolId& pool) override {
    if (Fails(faults_)) return Failed();
    return store_.MeasureLog(pool);
  }
  StoreResult<void> TrimLog(const PoolId& pool, std::uint64_t first_kept_sequence) override {
    if (Fails(faults_)) return Failed();
    return store_.TrimLog(pool, first_kept_sequence);
  }
  StoreResult<std::uint64_t> EraseLogBodies(const PoolId& pool, std::uint64_t last_sequence,
                                            const ErasesBody& which) override {
    if (Fails(faults_)) return Failed();
    return store_.EraseLogBodies(pool, last_sequence, which);
  }
  StoreResult<std::uint64_t> LogErasedThrough(const PoolId& pool) override {
    if (Fails(faults_)) return Failed();
    return store_.LogErasedThrough(pool);
  }

  StoreResult<std::vector<pb::FactEntry>> ReadFacts(const PoolId& pool, const Region& region, BytesView incarnation,
                                                    std::uint64_t first_number, std::size_t limit_bytes) override {
    if (Fails(faults_)) return Failed();
    return store_.ReadFacts(pool, region, incarnation, first_number, limit_bytes);
  }
  void MergeFacts(PoolId pool, std::vector<pb::FactEntry> entries,
                  std::move_only_function<void(StoreResult<void>)> done) override {
    store_.MergeFacts(std::move(pool), std::move(entries), std::move(done));
  }
  StoreResult<std::size_t> CompactFacts(const PoolId& pool, const pb::FactVector& held, std::size_t limit) override {
    if (Fails(faults_)) return Failed();
    return store_.CompactFacts(pool, held, limit);
  }
  StoreResult<std::size_t> ForgetExpiredFacts(Timestamp now, std::size_t limit) override {
    if (Fails(faults_)) return Failed();
    return store_.ForgetExpiredFacts(now, limit);
  }

  StoreResult<std::unique_ptr<CopySource>> OpenCopy(const PoolId& pool) override {
    if (Fails(faults_)) return Failed();
    SYMBOLON_TRY(std::unique_ptr<CopySource> source, store_.OpenCopy(pool));
    return std::make_unique<UnreadableCopy>(std::move(source), faults_);
  }
  StoreResult<std::optional<Staging>> FindStaging(const PoolId& pool) override {
    if (Fails(faults_)) return Failed();
    return store_.FindStaging(pool);
  }
  StoreResult<void> BeginStaging(const PoolId& pool, const pb::Head& head, const pb::History& history) override {
    if (Fails(faults_)) return Failed();
    return store_.BeginStaging(pool, head, history);
  }
  StoreResult<void> WritePackedStaging(const PoolId& pool, const std::vector<PackedRecords>& pieces) override {
    if (Fails(faults_)) return Failed();
    return store_.WritePackedStaging(pool, pieces);
  }
  StoreResult<void> FlipStaging(const PoolId& pool) override {
    if (Fails(faults_)) return Failed();
    return store_.FlipStaging(pool);
  }
  StoreResult<void> DropStaging(const PoolId& pool) override {
    if (Fails(faults_)) return Failed();
    return store_.DropStaging(pool);
  }
  StoreResult<void> DropPool(const PoolId& pool, const pb::FactVector* facts_elsewhere) override {
    if (Fails(faults_)) return Failed();
    return store_.DropPool(pool, facts_elsewhere);
  }
  StoreResult<Purged> Purge(const PoolId& pool, const PurgeScope& scope) override {
    if (Fails(faults_)) return Failed();
    return store_.Purge(pool, scope);
  }

 private:
  Store& store_;
  const ReadFaults faults_;
};

}  // namespace

std::unique_ptr<Store> MakeUnreadableStore(Store& store, ReadFaults faults) {
  return std::make_unique<UnreadableStore>(store, std::move(faults));
}

}  // namespace symbolon::storage
