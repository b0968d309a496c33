// What the parts of LocalStore share: the engine, the published view, and the one door through which changes become
// visible.
#pragma once

#include <atomic>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "storage/engine.h"
#include "storage/notifier.h"
#include "storage/recent_writes.h"
#include "storage/snapshot.h"

namespace symbolon::storage {

class Core {
 public:
  struct Identity {
    Region region;
    Bytes incarnation;
  };

  Core(std::unique_ptr<Engine> engine, Identity identity, Clock& clock, Generations generations,
       std::size_t window_keys);

  Engine& engine() { return *engine_; }
  Clock& clock() { return clock_; }
  const Identity& identity() const { return identity_; }
  Notifier& notifier() { return notifier_; }

  // Thread-safe. What was published last.
  View view() const;

  // Thread-safe. Durable when it succeeds. After an ambiguous failure this write answers kUnknownOutcome and all later
  // ones kUnavailable: what the engine shows may not be what is on the disk.
  StoreResult<void> Write(const EngineBatch& batch);
  // Engine::Ingest; the same holds for it.
  StoreResult<void> Ingest(BytesView key_prefix, const std::vector<PackedRecords>& pieces);
  // kUnavailable once Write refuses.
  StoreResult<void> CheckWritable() const;

  // One writer at a time from reading the newest state to Publish; all below is guarded by it.
  std::mutex& write_mutex() { return write_mutex_; }
  RecentWrites& recent_writes() { return recent_writes_; }
  std::uint64_t NextVersion() { return ++last_version_; }
  // nullopt: the pool has no log here.
  StoreResult<std::optional<pb::PoolState>> PoolState(const PoolId& pool);
  void SetGeneration(const PoolId& pool, std::uint64_t generation);
  // Shows what was written, then tells the listeners.
  void Publish(const std::vector<Notice>& notices);
  // The same, after writes that readers do not see, so that the view holds on to nothing that was deleted. The caller
  // does not hold the write mutex.
  void PublishAsIs();
  // After a failed write: versions that were given out for it count as passed, so that whoever plans again is not in
  // conflict with what did not happen.
  void PublishVersionOnly();

 private:
  StoreResult<void> RefuseAfterDoubt(StoreResult<void> written);

  const std::unique_ptr<Engine> engine_;
  const Identity identity_;
  Clock& clock_;
  Notifier notifier_;

  std::atomic<bool> refusing_ = false;
  mutable std::mutex refusal_mutex_;
  std::string refusal_;

  std::mutex write_mutex_;
  std::uint64_t last_version_ = 1;
  RecentWrites recent_writes_;
  std::shared_ptr<const Generations> generations_;

  mutable std::mutex view_mutex_;
  View view_;
};

}  // namespace symbolon::storage
