// Stored protobuf messages.
#pragma once

#include <optional>

#include "storage/store.h"

namespace symbolon::storage {

// nullopt for nullopt; kCorrupt when the octets do not parse.
template <class Message>
StoreResult<std::optional<Message>> ParseStored(const std::optional<Bytes>& octets) {
  std::optional<Message> message;
  if (octets && !message.emplace().ParseFromString(*octets)) {
    return Err(StoreError{StoreErrorCode::kCorrupt, "a stored " + message->GetTypeName() + " does not parse"});
  }
  return message;
}

}  // namespace symbolon::storage
