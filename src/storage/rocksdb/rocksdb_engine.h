// The embedded engine: RocksDB in one directory, its log synced at every write.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "storage/engine.h"

namespace symbolon::storage {

struct RocksDbOptions {
  // Made if it is missing, for this user alone. One process at a time has it open.
  std::string directory;
  // Block cache and write buffers together; indexes and filters count.
  std::size_t memory_bytes = 48 << 20;
  // Writes answer kFull while the file system has less room than this. What flushes and compactions may need at a time
  // must fit in, because RocksDB as Debian builds it aborts the process when it really meets a full disk.
  std::size_t headroom_bytes = 256 << 20;
  // Threads for flushes and compactions.
  int background_jobs = 2;
  // How long a purge waits for those who read a state of before.
  std::chrono::milliseconds purge_wait{5'000};
};

// After a crash all that Write answered is there; only a torn end of RocksDB's log is tolerated, any other damage is
// kCorrupt. kUnavailable: in use by another process, not writable, or another failure to open, with the reason. kFull:
// less than 16 MiB are free.
StoreResult<std::unique_ptr<Engine>> OpenRocksDb(const RocksDbOptions& options);

}  // namespace symbolon::storage
