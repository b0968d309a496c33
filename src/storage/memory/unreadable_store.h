// A store of which reads fail, for simulation and tests.
#pragma once

#include <functional>
#include <memory>

#include "storage/store.h"

namespace symbolon::storage {

struct Read {
  enum class Kind {
    // The list of pools.
    kPools,
    kRecord,
    // Of an entry of the directory log.
    kDigest,
    kOther,
  };
  Kind kind = Kind::kOther;
  // Of a record.
  Space space = Space::kDirectory;
};

enum class ReadFault {
  kNone,
  kFails,
  // It says that nothing is there, where that is an answer.
  kReadsAsAbsent,
};

// What becomes of the read that is about to be made.
using ReadFaults = std::function<ReadFault(const Read&)>;

// `store`, of which everything that reads, or writes what it has read, asks `faults` first, and does nothing if that
// fails. Commits, entries and facts do not: they are read for later. As thread-safe as `faults`; `store` outlives it.
std::unique_ptr<Store> MakeUnreadableStore(Store& store, ReadFaults faults);

}  // namespace symbolon::storage
