// Writes that are being prepared, seen by those that are prepared after them.
#pragma once

#include <optional>
#include <unordered_map>

#include "storage/engine.h"
#include "storage/parse.h"

namespace symbolon::storage {

// Later writes of a key replace earlier ones. Lies over an engine, or over another set: then nothing reaches that one
// before MergeIntoBase, so that a request that fails half-way leaves nothing behind. Not thread-safe; outlived by what
// it lies over.
class WriteSet {
 public:
  explicit WriteSet(Engine& engine) : engine_(&engine) {}
  explicit WriteSet(WriteSet& base) : base_(&base) {}

  StoreResult<std::optional<Bytes>> Get(const Bytes& key) const;
  template <class Message>
  StoreResult<std::optional<Message>> GetMessage(const Bytes& key) const {
    SYMBOLON_TRY(const std::optional<Bytes> octets, Get(key));
    return ParseStored<Message>(octets);
  }

  void Put(Bytes key, Bytes value) { writes_.insert_or_assign(std::move(key), std::move(value)); }
  void Delete(Bytes key) { writes_.insert_or_assign(std::move(key), std::nullopt); }
  bool empty() const { return writes_.empty(); }

  // Empties this set.
  void MergeIntoBase();
  EngineBatch TakeBatch();

 private:
  Engine* engine_ = nullptr;
  WriteSet* base_ = nullptr;
  std::unordered_map<Bytes, std::optional<Bytes>> writes_;
};

}  // namespace symbolon::storage
