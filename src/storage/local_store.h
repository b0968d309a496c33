// The Store contract over one engine in this process: the store of a Region that is one node.
#pragma once

#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/clock.h"
#include "storage/committer.h"
#include "storage/core.h"
#include "storage/engine.h"
#include "storage/store.h"

namespace symbolon::storage {

// Thread-safe. Snapshots and copy sources must not outlive it. Submit, Apply and MergeFacts wait in a queue until
// Step() is called: by a CommitterThread, or by a simulator. Everything else acts at once, on the caller's thread.
class LocalStore final : public Store {
 public:
  struct Options {
    Region region;
    // Both must outlive the store. `random` draws incarnations.
    Clock* clock = nullptr;
    Random* random = nullptr;
    // How many recent changes are remembered to find conflicts; a commit whose snapshot is older is in conflict.
    std::size_t window_keys = 100'000;
    Committer::Limits limits;
    // From this size on, records of a copy go into the engine in bulk.
    std::size_t ingest_bytes_min = 512 << 10;
  };

  // Makes the store if the engine is empty. kUnavailable with the reason when what is there is of another format or
  // Region; errors of the engine.
  static StoreResult<std::unique_ptr<LocalStore>> Open(std::unique_ptr<Engine> engine, const Options& options);
  ~LocalStore() override;

  // Does all that waits, up to a bound, with one durable write. False: nothing waited. Thread-safe.
  bool Step() { return committer_.Step(); }
  // Blocks until something waits for Step (true) or `stop` is requested (false).
  bool WaitForWork(std::stop_token stop) { return committer_.WaitForWork(std::move(stop)); }

  // False once a write's outcome was not known: from then on all writes are refused until the store is opened again.
  bool accepts_writes() const { return core_.CheckWritable().has_value(); }

  const Bytes& incarnation() const override { return core_.identity().incarnation; }
  const Region& region() const override { return core_.identity().region; }

  std::unique_ptr<Snapshot> MakeSnapshot() override;
  void Submit(Commit commit, CommitCallback done) override;
  [[nodiscard]] std::unique_ptr<Subscription> Subscribe(Listener listener, AfterNotices after = nullptr) override;

  StoreResult<std::vector<pb::LogEntry>> ReadLog(const PoolId& pool, std::uint64_t first_sequence,
                                                 std::size_t limit_bytes) override;
  StoreResult<std::vector<Bytes>> ReadLogAsStored(const PoolId& pool, std::uint64_t first_sequence,
                                                  std::size_t limit_bytes) override;
  StoreResult<std::optional<Bytes>> DigestAt(const PoolId& pool, std::uint64_t sequence) override;
  void Apply(AppliedEntries entries, ApplyCallback done) override;
  StoreResult<LogSize> MeasureLog(const PoolId& pool) override;
  StoreResult<void> TrimLog(const PoolId& pool, std::uint64_t first_kept_sequence) override;
  StoreResult<std::uint64_t> EraseLogBodies(const PoolId& pool, std::uint64_t last_sequence,
                                            const ErasesBody& which) override;
  StoreResult<std::uint64_t> LogErasedThrough(const PoolId& pool) override;

  StoreResult<std::vector<pb::FactEntry>> ReadFacts(const PoolId& pool, const Region& region, BytesView incarnation,
                                                    std::uint64_t first_number, std::size_t limit_bytes) override;
  void MergeFacts(PoolId pool, std::vector<pb::FactEntry> entries,
                  std::move_only_function<void(StoreResult<void>)> done) override;
  StoreResult<std::size_t> CompactFacts(const PoolId& pool, const pb::FactVector& held, std::size_t limit) override;
  StoreResult<std::size_t> ForgetExpiredFacts(Timestamp now, std::size_t limit) override;

  StoreResult<std::unique_ptr<CopySource>> OpenCopy(const PoolId& pool) override;
  StoreResult<std::optional<Staging>> FindStaging(const PoolId& pool) override;
  StoreResult<void> BeginStaging(const PoolId& pool, const pb::Head& head, const pb::History& history) override;
  StoreResult<void> WritePackedStaging(const PoolId& pool, const std::vector<PackedRecords>& pieces) override;
  StoreResult<void> FlipStaging(const PoolId& pool) override;
  StoreResult<void> DropStaging(const PoolId& pool) override;

  StoreResult<void> DropPool(const PoolId& pool, const pb::FactVector* facts_elsewhere = nullptr) override;
  StoreResult<Purged> Purge(const PoolId& pool, const PurgeScope& scope) override;

 private:
  // Under which incarnation this store numbers its facts of a pool is drawn anew when it drops it: others may know
  // facts of the former numbering, and no number may come twice.
  StoreResult<void> RenameFactLog(EngineBatch& batch, const PoolId& pool);

  LocalStore(std::unique_ptr<Engine> engine, Core::Identity identity, Generations generations, const Options& options);

  // `whole`: kGap where a body was erased.
  static StoreResult<std::vector<Bytes>> ReadEntries(const View& view, const PoolId& pool, std::uint64_t first_sequence,
                                                     std::size_t limit_bytes, bool whole);
  StoreResult<std::optional<pb::StagingState>> ReadStaging(const PoolId& pool);
  // Erases in these entries, if they are kept still, in one durable write.
  StoreResult<std::uint64_t> EraseIn(const PoolId& pool, std::uint64_t generation,
                                     const std::vector<std::uint64_t>& sequences, const ErasesBody& which);

  Random& random_;
  const std::size_t ingest_bytes_min_;
  Core core_;
  Committer committer_;
  // Guards the staging generations; taken before the core's write mutex.
  std::mutex staging_mutex_;
};

// Drives a store's Step() until it is destroyed, when it finishes the step under way.
class CommitterThread {
 public:
  // `store` must outlive it.
  explicit CommitterThread(LocalStore& store);

 private:
  std::jthread thread_;
};

}  // namespace symbolon::storage
