// Writes that are being prepared, seen by those that are prepared after them.
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "storage/engine.h"
#include "storage/parse.h"

namespace symbolon::storage {

// Lies over an engine; later writes of a key replace earlier ones. Not thread-safe; outlived by the engine.
class WriteSet {
 public:
  explicit WriteSet(Engine& engine) : engine_(engine) {}

  StoreResult<std::optional<Bytes>> Get(const Bytes& key) const;
  template <class Message>
  StoreResult<std::optional<Message>> GetMessage(const Bytes& key) const {
    SYMBOLON_TRY(const std::optional<Bytes> octets, Get(key));
    return ParseStored<Message>(octets);
  }

  void Put(Bytes key, Bytes value) { Set(std::move(key), std::move(value)); }
  void Delete(Bytes key) { Set(std::move(key), std::nullopt); }
  bool empty() const { return writes_.empty(); }

  // From here on writes can be taken back: what fails half-way leaves nothing behind.
  void Mark() { undo_.clear(); }
  void TakeBackToMark() { TakeBackTo(0); }
  // A place behind the mark, until the next one: back to it, and no further.
  std::size_t Place() const { return undo_.size(); }
  void TakeBackTo(std::size_t place);

  // In the order of the keys. Empties the set.
  EngineBatch TakeBatch();

 private:
  using Writes = std::unordered_map<Bytes, std::optional<Bytes>>;
  struct Undo {
    Writes::value_type* write;
    // What was written before; nullopt: nothing was.
    std::optional<std::optional<Bytes>> before;
  };

  void Set(Bytes key, std::optional<Bytes> value);

  Engine& engine_;
  Writes writes_;
  std::vector<Undo> undo_;
};

}  // namespace symbolon::storage
