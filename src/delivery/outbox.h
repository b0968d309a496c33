// A Region's outbox: messages in the order in which they were written, sealed like every record of their pool. Where
// nothing picks them up (the lab) people read them; the newest so many are kept.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/ids.h"
#include "keys/pool_keys.h"
#include "storage/store.h"

namespace symbolon::delivery {

inline constexpr std::size_t kOutboxRecordsMax = 10'000;
inline constexpr std::size_t kOutboxPageRecords = 100;
// Message ids: creation time, big-endian, ‖ 8 random octets. They sort as the messages were written.
inline constexpr std::size_t kOutboxIdBytes = 16;

Bytes NewOutboxId(Timestamp now, Random& random);

struct OutboxFilter {
  // Absent: every pool whose keys are at hand.
  std::optional<PoolId> pool;
  // The user's name or the message's destination, exactly.
  std::optional<std::string> username;
  // An `id` or `next` of an earlier answer: what came after it, from there on. Absent: the newest.
  std::optional<std::string> after;
};

// The opened keys of a pool; nullptr while the pool is locked.
using FindKeys = std::function<std::shared_ptr<const keys::PoolKeys>(const PoolId&)>;

enum class OutboxErrorCode {
  kBadCursor,  // `after` is no id
  kStore,
  kUnreadable,  // a message does not open, or is not of its format
};

struct OutboxError {
  OutboxErrorCode code;
  std::string detail;  // for the operator
};

// JSON: {"messages": [{"id", "pool", "username", "medium": "EMAIL" | "SMS", "destination", "from"?, "replyTo"?,
// "subject", "text", "code", "reason", "created": seconds}], "next"?: cursor}, at most kOutboxPageRecords, the newest
// last. "next" is there when more came after the last one shown.
Result<std::string, OutboxError> ReadOutbox(const storage::Snapshot& snapshot, const FindKeys& find_keys,
                                            const OutboxFilter& filter);

// A commit that deletes the oldest messages beyond `records_max`, a bounded number at a time; nullopt when there are
// none. For Store::Submit, from time to time.
storage::StoreResult<std::optional<storage::Commit>> PlanOutboxSweep(const storage::Snapshot& snapshot,
                                                                     std::size_t records_max = kOutboxRecordsMax);

}  // namespace symbolon::delivery
