// What of a pool's records and log belongs to one user, told by keys and by references that are sealed.
#pragma once

#include <functional>
#include <memory>
#include <set>

#include "base/bytes.h"
#include "base/ids.h"
#include "keys/pool_keys.h"
#include "storage/store.h"

namespace symbolon::erasure {

// The user record, the user's names, attribute indexes, memberships and devices. Whoever had the same user name before
// has the same key, and belongs to it. Thread-safe but for what changes it.
class Subject {
 public:
  // `user_key` (directory/users.h): empty for a user who was deleted before, who is found by `name_key`, the id of the
  // index entry of the sub. `keys`: nullptr where the pool cannot be opened; names other than the sub are not known
  // then.
  Subject(PoolId pool, const Bytes& user_key, Bytes name_key, std::shared_ptr<const keys::PoolKeys> keys);

  // Keys are held for a short time (keys/pool_keys.h): nullptr gives them back, and others may be set later.
  void SetKeys(std::shared_ptr<const keys::PoolKeys> keys) { keys_ = std::move(keys); }

  // What is to be erased: Store::ErasesBody. `key`: type (2 octets, big-endian) ‖ id. `value`: sealed, or empty where
  // only the key is known.
  bool Owns(BytesView key, BytesView value) const;

  // Which user had the name, from an entry that gave it or took it. More than once in a log that is read from the
  // front.
  const std::set<Bytes, std::less<>>& user_keys() const { return user_keys_; }
  void Learn(const storage::pb::LogEntry& entry);
  void Learn(BytesView key, BytesView value);

 private:
  // The user key of a reference; nullopt: it does not open.
  std::optional<Bytes> ReferenceIn(BytesView id, BytesView value) const;

  const PoolId pool_;
  std::set<Bytes, std::less<>> user_keys_;
  const Bytes name_key_;
  std::shared_ptr<const keys::PoolKeys> keys_;
};

}  // namespace symbolon::erasure
