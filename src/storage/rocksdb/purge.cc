#include "storage/rocksdb/purge.h"

#include <fmt/format.h>
#include <rocksdb/db.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <thread>

namespace symbolon::storage {
namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kLookAgain{10};
constexpr const char* kOldestSnapshot = "rocksdb.oldest-snapshot-sequence";

StoreError Failed(const rocksdb::Status& status) {
  if (status.IsNoSpace()) return {StoreErrorCode::kFull, "no room to purge: " + status.ToString()};
  return {status.IsCorruption() ? StoreErrorCode::kCorrupt : StoreErrorCode::kUnavailable,
          "purging: " + status.ToString()};
}

StoreError ReadYet(std::string what) { return {StoreErrorCode::kConflict, std::move(what)}; }

// Asks at once, and then again until `limit` is over.
bool Await(std::chrono::milliseconds limit, const std::function<bool()>& done) {
  const auto until = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(kLookAgain);
  }
  return true;
}

// RocksDB's own, which hold what was written: tables and write-ahead logs.
StoreResult<std::set<std::string>> FilesIn(const std::string& directory) {
  std::set<std::string> names;
  std::error_code failure;
  for (fs::directory_iterator file(directory, failure), end; !failure && file != end; file.increment(failure)) {
    const fs::path& path = file->path();
    if (path.extension() == ".sst" || path.extension() == ".log") names.insert(path.filename());
  }
  if (failure) return Err(StoreError{StoreErrorCode::kUnavailable, "listing " + directory + ": " + failure.message()});
  return names;
}

bool Overlaps(const rocksdb::LiveFileMetaData& file, const KeySpan& span) {
  return file.smallestkey < span.end && file.largestkey >= span.begin;
}

// Files from before that may hold something of the spans yet. A log without octets is the one that the flush began.
std::vector<std::string> Left(rocksdb::DB& db, const std::string& directory, const std::set<std::string>& before,
                              const std::vector<KeySpan>& spans) {
  std::vector<rocksdb::LiveFileMetaData> live;
  db.GetLiveFilesMetaData(&live);
  std::set<std::string> beside;
  for (const auto& file : live) {
    const auto holds = [&](const KeySpan& span) { return Overlaps(file, span); };
    if (std::ranges::none_of(spans, holds)) beside.insert(fs::path(file.name).filename());
  }
  std::vector<std::string> left;
  for (const std::string& name : before) {
    std::error_code failure;
    const auto size_bytes = fs::file_size(fs::path(directory) / name, failure);
    if (failure == std::errc::no_such_file_or_directory || beside.contains(name)) continue;
    if (!failure && size_bytes == 0 && name.ends_with(".log")) continue;
    left.push_back(name);
  }
  return left;
}

rocksdb::Status Compact(rocksdb::DB& db, const std::string& first, const std::string& last) {
  rocksdb::CompactRangeOptions options;
  options.exclusive_manual_compaction = false;
  // Not kForceOptimized: it takes files for its own that another compaction wrote meanwhile.
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  const rocksdb::Slice begin(first), end(last);
  return db.CompactRange(options, &begin, &end);
}

rocksdb::Status Compact(rocksdb::DB& db, const std::set<std::string>& before, const std::vector<KeySpan>& spans) {
  for (const KeySpan& span : spans) {
    if (const rocksdb::Status status = Compact(db, span.begin, span.end); !status.ok()) return status;
  }
  // Files around a span without a key in it are passed over. They are written anew as well: what a table keeps of a key
  // beside its entries (filter, index) is not looked for one by one.
  std::vector<rocksdb::LiveFileMetaData> live;
  db.GetLiveFilesMetaData(&live);
  for (const auto& file : live) {
    const auto holds = [&](const KeySpan& span) { return Overlaps(file, span); };
    if (!before.contains(fs::path(file.name).filename()) || std::ranges::none_of(spans, holds)) continue;
    if (const rocksdb::Status status = Compact(db, file.smallestkey, file.largestkey); !status.ok()) return status;
  }
  return rocksdb::Status::OK();
}

}  // namespace

StoreResult<Purged> PurgeFiles(rocksdb::DB& db, const std::string& directory, const std::vector<KeySpan>& spans,
                               std::chrono::milliseconds wait) {
  const std::uint64_t now = db.GetLatestSequenceNumber();
  const auto nobody_reads_before = [&] {
    std::uint64_t oldest = 0;
    return db.GetIntProperty(kOldestSnapshot, &oldest) && (oldest == 0 || oldest >= now);
  };
  if (!Await(wait, nobody_reads_before)) return Err(ReadYet("a state from before is being read"));

  SYMBOLON_TRY(const std::set<std::string> before, FilesIn(directory));
  rocksdb::FlushOptions flush;
  flush.allow_write_stall = true;
  if (const rocksdb::Status status = db.Flush(flush); !status.ok()) return Err(Failed(status));
  if (const rocksdb::Status status = Compact(db, before, spans); !status.ok()) return Err(Failed(status));

  std::vector<std::string> left;
  rocksdb::Status status;
  const auto nothing_left = [&] {
    // Enabling removes at once what is not needed, rather than after the next job.
    status = db.DisableFileDeletions();
    if (status.ok()) status = db.EnableFileDeletions(/*force=*/false);
    left = Left(db, directory, before, spans);
    return !status.ok() || left.empty();
  };
  const bool gone = Await(wait, nothing_left);
  if (!status.ok()) return Err(Failed(status));
  if (!gone) return Err(ReadYet(fmt::format("{} is being read", left.front())));

  SYMBOLON_TRY(const std::set<std::string> after, FilesIn(directory));
  Purged purged;
  for (const std::string& name : before) purged.files += after.contains(name) ? 0 : 1;
  return purged;
}

}  // namespace symbolon::storage
