#include "storage/rocksdb/rocksdb_engine.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <rocksdb/write_buffer_manager.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <stop_token>
#include <thread>

#include "base/log.h"
#include "storage/rocksdb/purge.h"

namespace symbolon::storage {
namespace {

constexpr std::uint64_t kRoomToOpenBytes = 16 << 20;
// Under the store's directory: files on their way in. What is there at the start is left over from a crash.
constexpr const char* kIngestFolder = "ingest";

rocksdb::Slice ToSlice(BytesView octets) { return {octets.data(), octets.size()}; }
BytesView ToView(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }

StoreError ReadError(const rocksdb::Status& status) {
  return {status.IsCorruption() ? StoreErrorCode::kCorrupt : StoreErrorCode::kUnavailable, status.ToString()};
}

// Without root's reserve. A file system that does not tell has room until a write fails.
std::uint64_t FreeBytes(const std::string& directory) {
  struct statvfs room = {};
  if (statvfs(directory.c_str(), &room) != 0) return UINT64_MAX;
  return static_cast<std::uint64_t>(room.f_bavail) * room.f_frsize;
}

// Learns what RocksDB's statuses do not tell: whether it was the sync of the log that failed. An append that finds no
// room leaves a torn record, which is never replayed; a record whose sync failed may be replayed or not.
class FailureListener final : public rocksdb::EventListener {
 public:
  bool log_sync_failed() const { return log_sync_failed_; }

  bool ShouldBeNotifiedOnFileIO() override { return true; }
  void OnIOError(const rocksdb::IOErrorInfo& error) override {
    const bool sync = error.operation == rocksdb::FileOperationType::kSync ||
                      error.operation == rocksdb::FileOperationType::kFsync ||
                      error.operation == rocksdb::FileOperationType::kRangeSync;
    if (sync && error.file_path.ends_with(".log")) log_sync_failed_ = true;
  }
  // Writes ask for it themselves, when there is room again.
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* auto_recovery) override {
    *auto_recovery = false;
  }

 private:
  std::atomic<bool> log_sync_failed_ = false;
};

class RocksDbIterator final : public EngineIterator {
 public:
  RocksDbIterator(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView begin, BytesView end, Caching caching)
      : begin_(begin), end_(end), begin_slice_(begin_), end_slice_(end_) {
    rocksdb::ReadOptions options;
    options.snapshot = snapshot;
    options.iterate_lower_bound = &begin_slice_;
    options.iterate_upper_bound = &end_slice_;
    if (caching == Caching::kPassBy) {
      options.fill_cache = false;
      options.readahead_size = 256 << 10;
    }
    iterator_.reset(db.NewIterator(options));
    iterator_->SeekToFirst();
  }

  void Seek(BytesView key) override { iterator_->Seek(ToSlice(key)); }
  bool Valid() const override { return iterator_->Valid(); }
  void Next() override { iterator_->Next(); }
  BytesView key() const override { return ToView(iterator_->key()); }
  BytesView value() const override { return ToView(iterator_->value()); }
  StoreResult<void> status() const override {
    if (const rocksdb::Status status = iterator_->status(); !status.ok()) return Err(ReadError(status));
    return {};
  }

 private:
  const Bytes begin_;
  const Bytes end_;
  // What RocksDB points to.
  const rocksdb::Slice begin_slice_;
  const rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

StoreResult<std::optional<Bytes>> Read(rocksdb::DB& db, const rocksdb::Snapshot* snapshot, BytesView key) {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot;
  rocksdb::PinnableSlice value;
  const rocksdb::Status status = db.Get(options, db.DefaultColumnFamily(), ToSlice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return Err(ReadError(status));
  return std::optional<Bytes>(std::in_place, value.data(), value.size());
}

class RocksDbSnapshot final : public EngineSnapshot {
 public:
  explicit RocksDbSnapshot(rocksdb::DB& db) : db_(db), snapshot_(db.GetSnapshot()) {}
  ~RocksDbSnapshot() override { db_.ReleaseSnapshot(snapshot_); }

  StoreResult<std::optional<Bytes>> Get(BytesView key) const override { return Read(db_, snapshot_, key); }
  std::unique_ptr<EngineIterator> Iterate(BytesView begin, BytesView end, Caching caching) const override {
    return std::make_unique<RocksDbIterator>(db_, snapshot_, begin, end, caching);
  }

 private:
  rocksdb::DB& db_;
  const rocksdb::Snapshot* const snapshot_;
};

// Compacts ranges that were deleted, one after the other, on a thread of its own. Without it the room would come back
// only when RocksDB happens to compact there.
class Sweeper {
 public:
  explicit Sweeper(rocksdb::DB& db) : db_(db), thread_([this](std::stop_token stop) { Run(stop); }) {}
  ~Sweeper() {
    thread_.request_stop();
    db_.DisableManualCompaction();
  }

  void Sweep(Bytes begin, Bytes end) {
    std::lock_guard lock(mutex_);
    if (ranges_.size() == kRangesMax) return;
    ranges_.emplace_back(std::move(begin), std::move(end));
    added_.notify_one();
  }

 private:
  static constexpr std::size_t kRangesMax = 1'000;

  void Run(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (added_.wait(lock, stop, [this] { return !ranges_.empty(); }) && !stop.stop_requested()) {
      const auto [begin, end] = std::move(ranges_.front());
      ranges_.pop_front();
      lock.unlock();
      rocksdb::CompactRangeOptions options;
      options.exclusive_manual_compaction = false;
      const rocksdb::Slice from = ToSlice(begin), to = ToSlice(end);
      if (const rocksdb::Status status = db_.CompactRange(options, &from, &to);
          !status.ok() && !stop.stop_requested()) {
        log::Warning("giving back the room of deleted records: {}", status.ToString());
      }
      lock.lock();
    }
  }

  rocksdb::DB& db_;
  std::mutex mutex_;
  std::condition_variable_any added_;
  std::deque<std::pair<Bytes, Bytes>> ranges_;
  std::jthread thread_;
};

class RocksDbEngine final : public Engine {
 public:
  RocksDbEngine(std::unique_ptr<rocksdb::DB> db, std::shared_ptr<FailureListener> listener,
                const RocksDbOptions& options)
      : options_(options), listener_(std::move(listener)), db_(std::move(db)) {}
  ~RocksDbEngine() override {
    sweeper_.reset();
    // Every answered write is in the synced log, so nothing that this could still report matters.
    if (const rocksdb::Status status = db_->Close(); !status.ok()) {
      log::Warning("closing {}: {}", options_.directory, status.ToString());
    }
  }

  std::shared_ptr<const EngineSnapshot> MakeSnapshot() override { return std::make_shared<RocksDbSnapshot>(*db_); }
  StoreResult<std::optional<Bytes>> Get(BytesView key) override { return Read(*db_, nullptr, key); }

  StoreResult<void> Write(const EngineBatch& batch) override {
    SYMBOLON_TRY_VOID(CheckRoom(batch.size_bytes()));
    rocksdb::WriteBatch writes(batch.size_bytes() + 16 * batch.operations().size());
    rocksdb::Status status;
    for (const EngineBatch::Operation& operation : batch.operations()) {
      const rocksdb::Slice key = ToSlice(operation.key);
      switch (operation.kind) {
        case EngineBatch::Kind::kPut:
          status = writes.Put(key, ToSlice(operation.argument));
          break;
        case EngineBatch::Kind::kDelete:
          status = writes.Delete(key);
          break;
        case EngineBatch::Kind::kDeleteRange:
          status = writes.DeleteRange(key, ToSlice(operation.argument));
          break;
      }
      if (!status.ok()) return Err(StoreError{StoreErrorCode::kUnavailable, status.ToString()});
    }
    // Twice, because a flush in the background may have met a full disk that has room again.
    StoreResult<void> written = WriteOnce(writes);
    if (!written && written.error().code == StoreErrorCode::kFull) {
      SYMBOLON_TRY_VOID(Resume());
      written = WriteOnce(writes);
    }
    return written;
  }

  // One file in RocksDB's own format, linked into the store: no log, no write buffer, no compaction.
  StoreResult<void> Ingest(BytesView key_prefix, const std::vector<PackedRecords>& pieces) override {
    std::size_t count = 0;
    std::size_t size_bytes = 0;
    for (const PackedRecords& piece : pieces) {
      count += piece.count();
      size_bytes += piece.size_bytes() + piece.count() * key_prefix.size();
    }
    SYMBOLON_CHECK(count > 0);
    SYMBOLON_TRY_VOID(CheckRoom(size_bytes));
    const std::string file = fmt::format("{}/{}/{}.sst", options_.directory, kIngestFolder, next_ingested_++);
    if (const rocksdb::Status status = WriteFile(file, key_prefix, pieces); !status.ok()) {
      Remove(file);
      if (status.IsNoSpace()) return Err(Full(status.ToString()));
      return Err(StoreError{StoreErrorCode::kUnavailable, status.ToString()});
    }
    rocksdb::IngestExternalFileOptions options;
    options.move_files = true;
    options.write_global_seqno = false;
    if (const rocksdb::Status status = db_->IngestExternalFile({file}, options); !status.ok()) {
      Remove(file);
      // RocksDB begins a new list of its files after it could not write to the old one.
      if (status.IsNoSpace()) return Err(Full(status.ToString()));
      return Err(StoreError{StoreErrorCode::kUnknownOutcome, status.ToString()});
    }
    return {};
  }

  void Reclaim(Bytes begin, Bytes end) override {
    std::lock_guard lock(sweeper_mutex_);
    if (!sweeper_) sweeper_ = std::make_unique<Sweeper>(*db_);
    sweeper_->Sweep(std::move(begin), std::move(end));
  }

  StoreResult<Purged> Purge(const std::vector<KeySpan>& spans) override {
    std::uint64_t size_bytes = 0;
    for (const KeySpan& span : spans) size_bytes += EstimateBytes(span.begin, span.end);
    SYMBOLON_TRY_VOID(CheckRoom(size_bytes));
    std::lock_guard lock(purge_mutex_);
    return PurgeFiles(*db_, options_.directory, spans, options_.purge_wait);
  }

  std::uint64_t EstimateBytes(BytesView begin, BytesView end) override {
    const rocksdb::Range range(ToSlice(begin), ToSlice(end));
    rocksdb::SizeApproximationOptions options;
    options.include_memtables = true;
    options.include_files = true;
    std::uint64_t size_bytes = 0;
    const rocksdb::Status status =
        db_->GetApproximateSizes(options, db_->DefaultColumnFamily(), &range, 1, &size_bytes);
    return status.ok() ? size_bytes : 0;
  }

 private:
  StoreError Full(std::string why) const {
    return {StoreErrorCode::kFull, "no room for writes in " + options_.directory + ": " + std::move(why)};
  }

  StoreResult<void> CheckRoom(std::size_t batch_bytes) const {
    const std::uint64_t free_bytes = FreeBytes(options_.directory);
    if (options_.headroom_bytes == 0 || free_bytes >= options_.headroom_bytes + batch_bytes) return {};
    return Err(Full(std::to_string(free_bytes >> 20) + " MiB free, " + std::to_string(options_.headroom_bytes >> 20) +
                    " MiB are kept"));
  }

  static void Remove(const std::string& file) {
    std::error_code failure;
    std::filesystem::remove(file, failure);  // it may never have been there
  }

  rocksdb::Status WriteFile(const std::string& file, BytesView key_prefix,
                            const std::vector<PackedRecords>& pieces) const {
    rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db_->GetOptions());
    rocksdb::Status status = writer.Open(file);
    Bytes key(key_prefix);
    for (const PackedRecords& piece : pieces) {
      for (auto record = piece.begin(); status.ok() && record != piece.end(); ++record) {
        key.replace(key_prefix.size(), Bytes::npos, record->id);
        status = writer.Put(ToSlice(key), ToSlice(record->value));
      }
    }
    return status.ok() ? writer.Finish() : status;
  }

  StoreResult<void> WriteOnce(rocksdb::WriteBatch& writes) {
    rocksdb::WriteOptions options;
    options.sync = true;
    const rocksdb::Status status = db_->Write(options, &writes);
    if (status.ok()) return {};
    if (status.IsNoSpace() && !listener_->log_sync_failed()) return Err(Full(status.ToString()));
    return Err(StoreError{StoreErrorCode::kUnknownOutcome, status.ToString()});
  }

  // RocksDB refuses all writes after it met ENOSPC. It takes them again when its buffers could be flushed, which also
  // leaves the log with the torn record behind.
  StoreResult<void> Resume() {
    std::lock_guard lock(resume_mutex_);
    const rocksdb::Status status = db_->Resume();
    if (status.IsNoSpace()) return Err(Full(status.ToString()));
    if (!status.ok()) return Err(StoreError{StoreErrorCode::kUnavailable, status.ToString()});
    return {};
  }

  const RocksDbOptions options_;
  const std::shared_ptr<FailureListener> listener_;
  const std::unique_ptr<rocksdb::DB> db_;
  std::atomic<std::uint64_t> next_ingested_ = 0;
  std::mutex resume_mutex_;
  // One purge at a time: what they write does not add up.
  std::mutex purge_mutex_;
  std::mutex sweeper_mutex_;
  // Made when there is something to sweep.
  std::unique_ptr<Sweeper> sweeper_;
};

rocksdb::Options DatabaseOptions(const RocksDbOptions& from, const std::shared_ptr<FailureListener>& listener) {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.listeners = {listener};
  options.max_background_jobs = from.background_jobs;

  // Durability. Only the end of the log may be torn: a hole before it is damage, and said so.
  options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
  options.track_and_verify_wals_in_manifest = true;
  options.paranoid_checks = true;

  // Memory. Write buffers are charged to the cache, so that its size bounds both.
  const std::shared_ptr<rocksdb::Cache> cache = rocksdb::NewLRUCache(from.memory_bytes, /*num_shard_bits=*/4);
  const std::size_t buffers_bytes = from.memory_bytes / 2;
  options.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(buffers_bytes, cache);
  options.write_buffer_size = buffers_bytes / 2;
  options.max_write_buffer_number = 3;
  // Most facts that are asked for were never said: what is in no buffer costs a bit test, not a search.
  options.memtable_whole_key_filtering = true;
  options.memtable_prefix_bloom_size_ratio = 0.02;
  options.max_open_files = 512;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.block_size = 8 << 10;
  table.format_version = 5;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  // Values are sealed: nothing to compress.
  options.compression = rocksdb::kNoCompression;
  options.level_compaction_dynamic_level_bytes = true;
  // Compactions stay small, so that they fit into the headroom.
  options.target_file_size_base = 16 << 20;
  options.max_bytes_for_level_base = 64 << 20;
  options.max_compaction_bytes = 128 << 20;
  // One committer writes; locks between inserters would only cost.
  options.allow_concurrent_memtable_write = false;
  options.enable_write_thread_adaptive_yield = false;

  // Opening takes no longer for what is in the files.
  options.skip_stats_update_on_db_open = true;
  options.skip_checking_sst_file_sizes_on_db_open = true;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  options.max_log_file_size = 1 << 20;
  options.keep_log_file_num = 3;
  return options;
}

StoreError OpenError(const std::string& directory, const rocksdb::Status& status) {
  const std::string text = status.ToString();
  if (status.IsNoSpace()) return {StoreErrorCode::kFull, "no room to open the store in " + directory + ": " + text};
  if (status.IsCorruption()) return {StoreErrorCode::kCorrupt, "the store in " + directory + " is damaged: " + text};
  if (status.IsIOError() && text.find("lock ") != std::string::npos) {
    return {StoreErrorCode::kUnavailable, "the store in " + directory + " is in use by another process: " + text};
  }
  return {StoreErrorCode::kUnavailable, "the store in " + directory + " cannot be opened: " + text};
}

StoreResult<void> MakeDirectory(const std::string& directory) {
  std::error_code failure;
  const bool created = std::filesystem::create_directories(directory, failure);
  if (created && !failure) std::filesystem::permissions(directory, std::filesystem::perms::owner_all, failure);
  if (!failure) return {};
  return Err(StoreError{failure == std::errc::no_space_on_device ? StoreErrorCode::kFull : StoreErrorCode::kUnavailable,
                        "the directory " + directory + " cannot be made: " + failure.message()});
}

StoreResult<void> EmptyIngestFolder(const std::string& directory) {
  const std::filesystem::path folder = std::filesystem::path(directory) / kIngestFolder;
  std::error_code failure;
  std::filesystem::remove_all(folder, failure);
  return MakeDirectory(folder.string());
}

// RocksDB takes files without the one that names the live ones for nothing, and would start anew over them.
StoreResult<void> CheckNotBeheaded(const std::string& directory) {
  std::error_code failure;
  if (std::filesystem::exists(std::filesystem::path(directory) / "CURRENT", failure)) return {};
  for (std::filesystem::directory_iterator file(directory, failure), end; !failure && file != end;
       file.increment(failure)) {
    if (file->path().extension() == ".sst" || file->path().extension() == ".log") {
      return Err(StoreError{StoreErrorCode::kCorrupt, "the store in " + directory + " has lost its file CURRENT"});
    }
  }
  return {};
}

}  // namespace

StoreResult<std::unique_ptr<Engine>> OpenRocksDb(const RocksDbOptions& options) {
  SYMBOLON_TRY_VOID(MakeDirectory(options.directory));
  SYMBOLON_TRY_VOID(CheckNotBeheaded(options.directory));
  // RocksDB aborts the process when it finds no room while it opens.
  if (const std::uint64_t free_bytes = FreeBytes(options.directory); free_bytes < kRoomToOpenBytes) {
    return Err(StoreError{StoreErrorCode::kFull, "no room to open the store in " + options.directory + ": " +
                                                     std::to_string(free_bytes >> 20) + " MiB free, " +
                                                     std::to_string(kRoomToOpenBytes >> 20) + " MiB are needed"});
  }
  auto listener = std::make_shared<FailureListener>();
  rocksdb::DB* opened = nullptr;
  const rocksdb::Status status = rocksdb::DB::Open(DatabaseOptions(options, listener), options.directory, &opened);
  if (!status.ok()) return Err(OpenError(options.directory, status));
  std::unique_ptr<rocksdb::DB> db(opened);
  // Only whoever holds the store's lock may touch it.
  SYMBOLON_TRY_VOID(EmptyIngestFolder(options.directory));
  return std::make_unique<RocksDbEngine>(std::move(db), std::move(listener), options);
}

}  // namespace symbolon::storage
