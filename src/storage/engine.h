// The ordered key-value engine under LocalStore: octet strings in, octet strings out, no meaning. One per directory (or
// memory), used by one store.
//
// Every method is thread-safe except where said. Library exceptions and statuses stop behind this interface.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "storage/store.h"

namespace symbolon::storage {

// Changes that become visible and durable together. They take effect in the order in which they were added.
class EngineBatch {
 public:
  enum class Kind : std::uint8_t { kPut, kDelete, kDeleteRange };
  struct Operation {
    Kind kind;
    Bytes key;
    // kPut: the value. kDeleteRange: the end of the range, itself not in it.
    Bytes argument;
  };

  void Put(Bytes key, Bytes value) { Add(Kind::kPut, std::move(key), std::move(value)); }
  void Delete(Bytes key) { Add(Kind::kDelete, std::move(key), Bytes()); }
  // Cheap however much the range holds.
  void DeleteRange(Bytes begin, Bytes end) { Add(Kind::kDeleteRange, std::move(begin), std::move(end)); }

  const std::vector<Operation>& operations() const { return operations_; }
  bool empty() const { return operations_.empty(); }
  std::size_t size_bytes() const { return size_bytes_; }

 private:
  void Add(Kind kind, Bytes key, Bytes argument) {
    size_bytes_ += key.size() + argument.size();
    operations_.push_back({kind, std::move(key), std::move(argument)});
  }

  std::vector<Operation> operations_;
  std::size_t size_bytes_ = 0;
};

// Walks a range upwards. Not thread-safe. Must not outlive the snapshot that made it.
class EngineIterator {
 public:
  virtual ~EngineIterator() = default;
  // To the first key >= `key` within the range.
  virtual void Seek(BytesView key) = 0;
  // False at the end, and after an error: see status().
  virtual bool Valid() const = 0;
  virtual void Next() = 0;
  // While Valid(), until the next call of Seek or Next.
  virtual BytesView key() const = 0;
  virtual BytesView value() const = 0;
  // kCorrupt or kUnavailable when the walk was cut short.
  virtual StoreResult<void> status() const = 0;
};

enum class Caching : std::uint8_t {
  kKeep,
  // For walks over much that is not needed again soon: leaves the cache to others.
  kPassBy,
};

// The state at one moment. Must not outlive the engine.
class EngineSnapshot {
 public:
  virtual ~EngineSnapshot() = default;
  virtual StoreResult<std::optional<Bytes>> Get(BytesView key) const = 0;
  // Positioned at the first key >= begin; ends before `end`.
  virtual std::unique_ptr<EngineIterator> Iterate(BytesView begin, BytesView end,
                                                  Caching caching = Caching::kKeep) const = 0;
};

// Keys from `begin` to before `end`.
struct KeySpan {
  Bytes begin;
  Bytes end;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::shared_ptr<const EngineSnapshot> MakeSnapshot() = 0;
  // The newest durable value.
  virtual StoreResult<std::optional<Bytes>> Get(BytesView key) = 0;
  // All of the batch or nothing; durable when it succeeds, and visible only then. kFull: nothing was done, and a later
  // write may succeed. kUnavailable: nothing was done, and nothing will be. kUnknownOutcome: cannot be told before the
  // engine is opened again.
  virtual StoreResult<void> Write(const EngineBatch& batch) = 0;
  // Puts many records with less effort than Write: `key_prefix` ‖ id is a record's key, and the ids ascend through all
  // pieces; at least one. Durable and visible when it succeeds; after a crash any part of it may be there. Errors as
  // for Write.
  virtual StoreResult<void> Ingest(BytesView key_prefix, const std::vector<PackedRecords>& pieces) = 0;
  // What lay from `begin` to before `end` has been deleted, and no snapshot of the caller's needs it: its room may be
  // given back soon, in the background, rather than at some time. Never blocks; forgotten at a restart.
  virtual void Reclaim(Bytes begin, Bytes end) = 0;
  // When it succeeds, no file of the engine holds a value that was deleted or written over in these spans before the
  // call; see Store::Purge.
  virtual StoreResult<Purged> Purge(const std::vector<KeySpan>& spans) = 0;
  // About how many octets the keys and values from `begin` to before `end` take.
  virtual std::uint64_t EstimateBytes(BytesView begin, BytesView end) = 0;
};

}  // namespace symbolon::storage
