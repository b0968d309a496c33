// One attempt at a plan: typed, unsealed reads at one snapshot, and the changes that the plan wants made.
//
// A plan never waits and never touches the store: it reads here, buffers its changes here, and the pipeline commits
// them (or throws them away and plans again after a conflict). Everything read is in the commit's read set, so plans
// are serialisable.
//
// Reads show the plan's own changes. A read that fails (the store, a record that does not open) answers "absent" and is
// kept in failure(): whoever runs the plan must look there before using its answer or its changes. Plans themselves
// need not.
//
// Not thread-safe; lives as long as one attempt.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "directory/record_cache.h"
#include "directory/record_types.h"
#include "keys/pool_keys.h"
#include "storage/store.h"

namespace symbolon::directory {

struct TransactionFailure {
  enum class Cause { kStore, kSealed, kFormat };
  Cause cause;
  std::string detail;  // for the operator's log
};

template <class Kind>
struct Row {
  Bytes id;
  typename Kind::Message record;
};

template <class Kind>
struct Rows {
  std::vector<Row<Kind>> rows;
  // Pass as `after` to go on; nullopt: no more.
  std::optional<Bytes> next;
};

class Transaction {
 public:
  // `keys` may be null for a plan that touches clear records only. With `cache`, which outlives the transaction, what
  // is shared is looked up there first.
  Transaction(std::shared_ptr<const storage::Snapshot> snapshot, PoolId pool,
              std::shared_ptr<const keys::PoolKeys> keys, Random& random, RecordCache* cache = nullptr);

  // Sealed records can be read from now on.
  void SetKeys(std::shared_ptr<const keys::PoolKeys> keys) { keys_ = std::move(keys); }

  const PoolId& pool() const { return pool_; }
  // False: sealed records cannot be read, as those of a locked pool.
  bool has_keys() const { return keys_ != nullptr; }
  const keys::PoolKeys& keys() const { return *keys_; }
  Random& random() { return random_; }
  const storage::Snapshot& snapshot() const { return *snapshot_; }

  template <class Kind>
  std::optional<typename Kind::Message> Get(BytesView id) {
    return GetMessage<Kind>(KeyOf<Kind>(id));
  }

  // The same of another pool, which needs none of its keys.
  template <class Kind>
    requires(!Kind::kSealed)
  std::optional<typename Kind::Message> GetOf(const PoolId& pool, BytesView id) {
    storage::Key key = KeyOf<Kind>(id);
    key.pool = pool;
    return GetMessage<Kind>(key);
  }

  // The same as Get of a cached kind, shared with other plans. nullptr: absent.
  template <class Kind>
    requires(IsCached(Kind::kType))
  std::shared_ptr<const typename Kind::Message> Share(BytesView id) {
    using Message = typename Kind::Message;
    const storage::Key key = KeyOf<Kind>(id);
    if (auto known = Recall(key)) return std::static_pointer_cast<const Message>(std::move(known));
    auto message = GetMessage<Kind>(key);
    if (!message) return nullptr;
    return Remember(key, std::make_shared<const Message>(*std::move(message)));
  }

  // What `make` makes of all records of a cached kind (at most `limit`), kept until one of them changes: a shared
  // pointer to const, null to keep nothing. Always of the same type for one kind.
  template <class Kind, class Make>
    requires(IsCached(Kind::kType))
  std::invoke_result_t<Make, Rows<Kind>&&> ShareAll(std::size_t limit, Make&& make) {
    using T = typename std::invoke_result_t<Make, Rows<Kind>&&>::element_type;
    const storage::Key all = RecordCache::KeyOfAll(Kind::kSpace, pool_, Kind::kType);
    if (auto known = RecallAll(all)) return std::static_pointer_cast<T>(std::move(known));
    auto rows = Scan<Kind>("", std::nullopt, limit);
    if (failure_) return nullptr;
    auto made = make(std::move(rows));
    return made == nullptr ? nullptr : Remember(all, std::move(made));
  }

  template <class Kind>
  void Put(BytesView id, const typename Kind::Message& record) {
    PutPlain(KeyOf<Kind>(id), record.SerializeAsString(), Kind::kSealed);
  }

  template <class Kind>
  void Delete(BytesView id) {
    Erase(KeyOf<Kind>(id));
  }

  // Records whose id starts with `prefix`, ascending by id. The plan's own uncommitted changes are not shown: scan
  // first, then change.
  template <class Kind>
  Rows<Kind> Scan(BytesView prefix, const std::optional<Bytes>& after, std::size_t limit) {
    Rows<Kind> rows;
    storage::Page page = ScanPlain(RangeOf<Kind>(prefix), Kind::kSealed, after, limit);
    for (storage::Record& record : page.records) {
      Row<Kind> row{.id = std::move(record.id), .record = {}};
      Parse(row.record, record.value, Kind::kType);
      rows.rows.push_back(std::move(row));
    }
    rows.next = std::move(page.next);
    if (failure_) return {};
    return rows;
  }

  // The octets as stored, for records whose format belongs to another module (role record, wrapped keys). In clear.
  std::optional<Bytes> GetClear(RecordType type, BytesView id);
  void PutClear(RecordType type, BytesView id, Bytes value);
  // The same of this Region's own records.
  std::optional<Bytes> GetClearRegional(RecordType type, BytesView id);
  void PutClearRegional(RecordType type, BytesView id, Bytes value);
  void DeleteClear(RecordType type, BytesView id);
  // As GetClear, parsed by `parse` (octets to optional message), and shared as by Share. nullptr: absent.
  template <class Parse>
  auto ShareClear(RecordType type, BytesView id, Parse&& parse) {
    using Message = typename std::invoke_result_t<Parse, BytesView>::value_type;
    SYMBOLON_CHECK(IsCached(type));
    const storage::Key key = ClearKey(type, id);
    if (auto known = Recall(key)) return std::static_pointer_cast<const Message>(std::move(known));
    const std::optional<Bytes> stored = GetPlain(key, false);
    if (!stored) return std::shared_ptr<const Message>();
    std::optional<Message> message = parse(BytesView(*stored));
    if (!message) {
      FailFormat(key.type);
      return std::shared_ptr<const Message>();
    }
    return Remember(key, std::make_shared<const Message>(*std::move(message)));
  }

  // The merged fact, its own joins included; absent: nothing was ever said, or it has expired and was forgotten.
  std::optional<storage::pb::FactValue> GetFact(std::uint16_t type, BytesView subject);
  // Says a fact: joined with what is there when the commit is made.
  void JoinFact(std::uint16_t type, BytesView subject, const storage::pb::FactValue& value);

  // Says a fact that nobody waits for: it is committed with the plan's changes, or by itself if there are none, and may
  // be lost. Reads do not show it.
  void NoteFact(std::uint16_t type, BytesView subject, const storage::pb::FactValue& value);

  // A new pool, or a new epoch: the commit opens it.
  void StartEpoch(std::uint64_t counter) { start_epoch_counter_ = counter; }

  bool has_changes() const { return !changes_.empty() || !facts_.empty(); }
  bool has_notes() const { return !notes_.empty(); }
  bool changes_directory() const;
  const std::optional<TransactionFailure>& failure() const { return failure_; }
  // What the plan wants, sealed. Ends the transaction.
  storage::Commit TakeCommit();

 private:
  struct Pending {
    std::optional<Bytes> plain;  // nullopt: delete
    bool sealed = false;
  };

  template <class Kind>
  storage::Key KeyOf(BytesView id) const {
    return {.space = Kind::kSpace,
            .pool = Kind::kOfNoPool ? PoolId() : pool_,
            .type = static_cast<std::uint16_t>(Kind::kType),
            .id = Bytes(id)};
  }
  template <class Kind>
  storage::KeyRange RangeOf(BytesView prefix) const {
    return {.space = Kind::kSpace,
            .pool = Kind::kOfNoPool ? PoolId() : pool_,
            .type = static_cast<std::uint16_t>(Kind::kType),
            .id_prefix = Bytes(prefix)};
  }

  template <class Kind>
  std::optional<typename Kind::Message> GetMessage(const storage::Key& key) {
    std::optional<typename Kind::Message> message;
    if (auto plain = GetPlain(key, Kind::kSealed)) Parse(message.emplace(), *plain, Kind::kType);
    if (failure_) message.reset();
    return message;
  }

  storage::Key ClearKey(RecordType type, BytesView id) const {
    return {
        .space = storage::Space::kDirectory, .pool = pool_, .type = static_cast<std::uint16_t>(type), .id = Bytes(id)};
  }

  // What the cache has of this version, noted as read; null if the plan itself changed it.
  std::shared_ptr<const void> Recall(const storage::Key& key);
  std::shared_ptr<const void> RecallAll(const storage::Key& all);
  template <class T>
  std::shared_ptr<T> Remember(const storage::Key& key, std::shared_ptr<T> made) {
    if (cache_ != nullptr && !changes_.contains(key)) cache_->Put(key, snapshot_->version(), keys_.get(), made);
    return made;
  }

  std::optional<Bytes> GetPlain(const storage::Key& key, bool sealed);
  void PutPlain(storage::Key key, Bytes plain, bool sealed);
  void Erase(storage::Key key);
  storage::Page ScanPlain(const storage::KeyRange& range, bool sealed, const std::optional<Bytes>& after,
                          std::size_t limit);
  std::optional<Bytes> Unseal(const storage::Key& key, BytesView value);
  void Parse(google::protobuf::MessageLite& message, BytesView plain, RecordType type);
  void Fail(TransactionFailure failure);
  void FailFormat(std::uint16_t type);

  std::shared_ptr<const storage::Snapshot> snapshot_;
  PoolId pool_;
  std::shared_ptr<const keys::PoolKeys> keys_;
  Random& random_;
  RecordCache* const cache_;

  std::map<storage::Key, Pending> changes_;
  std::map<storage::Key, storage::pb::FactValue> facts_, notes_;
  std::vector<storage::Key> reads_;
  std::vector<storage::KeyRange> range_reads_;
  std::optional<std::uint64_t> start_epoch_counter_;
  std::optional<TransactionFailure> failure_;
};

}  // namespace symbolon::directory
