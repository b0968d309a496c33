#include "delivery/outbox.h"

#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <deque>
#include <iterator>
#include <queue>
#include <utility>
#include <vector>

#include "directory/record_types.h"

namespace symbolon::delivery {
namespace {

namespace json = boost::json;
using directory::OutboxKind;
using directory::pb::OutboxRecord;

constexpr std::size_t kPoolsPerScan = 100;
constexpr std::size_t kRecordsPerScan = 1'000;
constexpr std::size_t kDeletionsPerSweep = 20'000;

storage::Key KeyOf(const PoolId& pool, Bytes id) {
  return {.space = OutboxKind::kSpace,
          .pool = pool,
          .type = static_cast<std::uint16_t>(OutboxKind::kType),
          .id = std::move(id)};
}

storage::KeyRange AllOf(const PoolId& pool) {
  return {.space = OutboxKind::kSpace,
          .pool = pool,
          .type = static_cast<std::uint16_t>(OutboxKind::kType),
          .id_prefix = {}};
}

// Calls `visit(pool)` for every pool of the Region until it answers an error.
template <class Visit>
storage::StoreResult<void> ForEachPool(const storage::Snapshot& snapshot, Visit visit) {
  std::optional<PoolId> after;
  for (;;) {
    SYMBOLON_TRY(const std::vector<PoolId> pools, snapshot.Pools(after, kPoolsPerScan));
    for (const PoolId& pool : pools) SYMBOLON_TRY_VOID(visit(pool));
    if (pools.size() < kPoolsPerScan) return {};
    after = pools.back();
  }
}

struct Found {
  Bytes id;
  PoolId pool;
  OutboxRecord record;
};

bool IsWanted(const OutboxFilter& filter, const OutboxRecord& record) {
  return !filter.username || record.username() == *filter.username || record.destination() == *filter.username;
}

OutboxError StoreFailure(const storage::StoreError& error) { return {OutboxErrorCode::kStore, error.detail}; }

// The pool's wanted messages: with `after` the first ones past it, at most one more than a page holds, so that the
// reader knows whether there is more; else the last ones, at most a page.
Result<void, OutboxError> CollectFrom(const storage::Snapshot& snapshot, const PoolId& pool, const FindKeys& find_keys,
                                      const OutboxFilter& filter, std::optional<Bytes> after,
                                      std::vector<Found>& found) {
  const auto keys = find_keys(pool);
  if (keys == nullptr) return {};
  const bool newest = !after;
  std::deque<Found> wanted;
  do {
    auto page = snapshot.Scan(AllOf(pool), after, kRecordsPerScan);
    if (!page) return Err(StoreFailure(page.error()));
    for (storage::Record& row : page->records) {
      auto plain = keys->Open(KeyOf(pool, row.id), row.value);
      if (!plain) return Err(OutboxError{OutboxErrorCode::kUnreadable, std::move(plain).error().detail});
      Found message{.id = std::move(row.id), .pool = pool, .record = {}};
      if (!message.record.ParseFromString(*plain))
        return Err(OutboxError{OutboxErrorCode::kUnreadable, "an outbox record is not of its format"});
      if (!IsWanted(filter, message.record)) continue;
      wanted.push_back(std::move(message));
      if (newest && wanted.size() > kOutboxPageRecords) wanted.pop_front();
    }
    after = std::move(page->next);
  } while (after && (newest || wanted.size() <= kOutboxPageRecords));
  std::ranges::move(wanted, std::back_inserter(found));
  return {};
}

json::object ToJson(const Found& message) {
  const OutboxRecord& record = message.record;
  json::object shown{{"id", HexEncode(message.id)},
                     {"pool", message.pool.value()},
                     {"username", record.username()},
                     {"medium", record.medium() == "email" ? "EMAIL" : "SMS"},
                     {"destination", record.destination()},
                     {"subject", record.subject()},
                     {"text", record.text()},
                     {"code", record.code()},
                     {"reason", record.reason()},
                     {"created", static_cast<double>(record.created_micros()) / 1e6}};
  if (!record.from().empty()) shown["from"] = record.from();
  if (!record.reply_to().empty()) shown["replyTo"] = record.reply_to();
  return shown;
}

}  // namespace

Bytes NewOutboxId(Timestamp now, Random& random) {
  Bytes id;
  AppendBigEndian64(id, static_cast<std::uint64_t>(ToMicros(now)));
  return id + random.Octets(kOutboxIdBytes - id.size());
}

Result<std::string, OutboxError> ReadOutbox(const storage::Snapshot& snapshot, const FindKeys& find_keys,
                                            const OutboxFilter& filter) {
  std::optional<Bytes> after;
  if (filter.after) {
    after = HexDecode(*filter.after);
    if (!after || after->size() != kOutboxIdBytes)
      return Err(OutboxError{OutboxErrorCode::kBadCursor, "`after` is not the id of a message"});
  }

  std::vector<Found> found;
  // Each pool gave its own; those of all pools go on the page.
  const auto keep_one_page = [&] {
    std::ranges::sort(found, {}, &Found::id);
    const std::size_t excess = found.size() - std::min(found.size(), kOutboxPageRecords);
    const auto first = after ? found.end() - static_cast<std::ptrdiff_t>(excess) : found.begin();
    found.erase(first, first + static_cast<std::ptrdiff_t>(excess));
    return excess != 0;
  };
  bool more = false;
  if (filter.pool) {
    SYMBOLON_TRY_VOID(CollectFrom(snapshot, *filter.pool, find_keys, filter, after, found));
    more = keep_one_page();
  } else {
    Result<void, OutboxError> outcome;
    const auto visited = ForEachPool(snapshot, [&](const PoolId& pool) -> storage::StoreResult<void> {
      if (!outcome) return {};
      outcome = CollectFrom(snapshot, pool, find_keys, filter, after, found);
      more |= keep_one_page();
      return {};
    });
    if (!visited) return Err(StoreFailure(visited.error()));
    SYMBOLON_TRY_VOID(std::move(outcome));
  }

  json::object answer;
  json::array& messages = answer["messages"].emplace_array();
  for (const Found& message : found) messages.push_back(ToJson(message));
  if (after && more) answer["next"] = HexEncode(found.back().id);
  return json::serialize(answer);
}

storage::StoreResult<std::optional<storage::Commit>> PlanOutboxSweep(const storage::Snapshot& snapshot,
                                                                     std::size_t records_max) {
  // The oldest of all pools, the newest of them on top.
  std::priority_queue<std::pair<Bytes, PoolId>> oldest;
  std::size_t records = 0;
  SYMBOLON_TRY_VOID(ForEachPool(snapshot, [&](const PoolId& pool) -> storage::StoreResult<void> {
    std::optional<Bytes> after;
    do {
      SYMBOLON_TRY(storage::Page page, snapshot.Scan(AllOf(pool), after, kRecordsPerScan));
      records += page.records.size();
      for (storage::Record& record : page.records) {
        oldest.emplace(std::move(record.id), pool);
        if (oldest.size() > kDeletionsPerSweep) oldest.pop();
      }
      after = std::move(page.next);
    } while (after);
    return {};
  }));
  if (records <= records_max) return std::nullopt;
  const std::size_t deletions = std::min(records - records_max, kDeletionsPerSweep);
  while (oldest.size() > deletions) oldest.pop();
  storage::Commit commit;
  commit.snapshot_version = snapshot.version();
  for (; !oldest.empty(); oldest.pop()) {
    const auto& [id, pool] = oldest.top();
    commit.regional.push_back({.key = KeyOf(pool, id), .value = std::nullopt});
  }
  return commit;
}

}  // namespace symbolon::delivery
