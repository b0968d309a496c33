// The beginning of an erasure: one commit at the pool's primary, which deletes the user and records the order.
#pragma once

#include <optional>
#include <string>

#include "base/clock.h"
#include "base/ids.h"
#include "directory/transaction.h"
#include "directory/users.h"
#include "replication/roles.h"

namespace symbolon::erasure {

inline constexpr std::size_t kErasureIdBytes = 16;

struct ErasureWish {
  // Of a user who is there yet; nullopt: the user of `sub` was deleted before.
  std::optional<directory::User> user;
  std::string sub;
  // The ARN of an IAM principal.
  std::string asked_by;
};

// In a plan's transaction: deletes the user, and puts the record. Answers its id.
Bytes BeginErasure(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                   const replication::pb::RoleRecord& role, const ErasureWish& wish, const Region& here, Timestamp now);

}  // namespace symbolon::erasure
