// Takes what was deleted out of RocksDB's files. Private to the engine.
//
//   wait until nobody reads a state of before → flush, which ends the write-ahead log → compact the spans down to the
//   last level, files that lie there included → remove files that nobody needs → look whether one from before is left
//
// Compactions of others go on beside it, and it takes turns with them: one compaction writes up to
// max_compaction_bytes.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "storage/engine.h"

namespace rocksdb {
class DB;
}

namespace symbolon::storage {

// See Engine::Purge. Blocks. `wait`: for readers, before and after, each.
StoreResult<Purged> PurgeFiles(rocksdb::DB& db, const std::string& directory, const std::vector<KeySpan>& spans,
                               std::chrono::milliseconds wait);

}  // namespace symbolon::storage
