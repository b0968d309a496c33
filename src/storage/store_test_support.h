// What tests of stores share: a medium that stores are opened on, and calls that wait for their answer.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/manual_clock.h"
#include "base/seeded_random.h"
#include "storage/local_store.h"
#include "storage/log.h"
#include "storage/store.h"

namespace symbolon::storage {

// Where stores live: a directory, a memory disk, a database. One store is open at a time, and drives itself.
class TestMedium {
 public:
  virtual ~TestMedium() = default;
  // Opens what is there, or makes it.
  virtual void Open(const Region& region) = 0;
  virtual void Close() = 0;
  virtual Store& store() = 0;

  // The clock of every store that is opened on it.
  ManualClock clock;
};

class LocalStoreMedium : public TestMedium {
 public:
  explicit LocalStoreMedium(std::size_t ingest_bytes_min = LocalStore::Options().ingest_bytes_min)
      : ingest_bytes_min_(ingest_bytes_min) {}

  void Open(const Region& region) override {
    Close();
    StoreResult<std::unique_ptr<Engine>> engine = OpenEngine();
    ASSERT_TRUE(engine) << engine.error().detail;
    LocalStore::Options options;
    options.region = region;
    options.clock = &clock;
    random_ = std::make_unique<SeededRandom>(std::hash<Region>()(region));
    options.random = random_.get();
    options.ingest_bytes_min = ingest_bytes_min_;
    StoreResult<std::unique_ptr<LocalStore>> store = LocalStore::Open(*std::move(engine), options);
    ASSERT_TRUE(store) << store.error().detail;
    store_ = *std::move(store);
    thread_ = std::make_unique<CommitterThread>(*store_);
  }
  void Close() override {
    thread_.reset();
    store_.reset();
  }
  Store& store() override { return *store_; }

 protected:
  virtual StoreResult<std::unique_ptr<Engine>> OpenEngine() = 0;

 private:
  const std::size_t ingest_bytes_min_;
  std::unique_ptr<SeededRandom> random_;
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<CommitterThread> thread_;
};

// Each waits for the answer; the store must be driven by another thread.
inline StoreResult<Committed> SubmitAndWait(Store& store, Commit commit) {
  std::promise<StoreResult<Committed>> answered;
  store.Submit(std::move(commit), [&](StoreResult<Committed> result) { answered.set_value(std::move(result)); });
  return answered.get_future().get();
}
inline StoreResult<pb::Head> ApplyAndWait(Store& store, const PoolId& pool, const std::vector<pb::LogEntry>& entries) {
  std::promise<StoreResult<pb::Head>> answered;
  AppliedEntries applied{.pool = pool, .entries = {}};
  for (const pb::LogEntry& entry : entries) applied.entries.push_back(entry.SerializeAsString());
  store.Apply(std::move(applied), [&](StoreResult<pb::Head> result) { answered.set_value(std::move(result)); });
  return answered.get_future().get();
}
inline StoreResult<void> MergeAndWait(Store& store, const PoolId& pool, std::vector<pb::FactEntry> entries) {
  std::promise<StoreResult<void>> answered;
  store.MergeFacts(pool, std::move(entries), [&](StoreResult<void> result) { answered.set_value(std::move(result)); });
  return answered.get_future().get();
}

// The code of a failure, for comparison; nullopt for success.
template <class T>
std::optional<StoreErrorCode> CodeOf(const StoreResult<T>& result) {
  if (result) return std::nullopt;
  return result.error().code;
}

inline const PoolId kTestPool{"eu-central-1_Test00001"};

inline Key DirectoryKey(Bytes id, PoolId pool = kTestPool) {
  return {Space::kDirectory, std::move(pool), 1, std::move(id)};
}
inline Key RegionalKey(Bytes id, PoolId pool = kTestPool) {
  return {Space::kRegional, std::move(pool), 2, std::move(id)};
}
inline Key FactKey(Bytes id, PoolId pool = kTestPool) { return {Space::kFact, std::move(pool), 3, std::move(id)}; }

inline Commit DirectoryCommit(std::vector<Change> changes, const PoolId& pool = kTestPool) {
  Commit commit;
  commit.pool = pool;
  commit.directory = std::move(changes);
  return commit;
}
inline Commit FirstCommit(std::vector<Change> changes = {}, const PoolId& pool = kTestPool) {
  Commit commit = DirectoryCommit(std::move(changes), pool);
  commit.start_epoch_counter = 1;
  return commit;
}
inline pb::FactValue Elements(const std::vector<Bytes>& elements, std::int64_t expires_at_micros = 0) {
  pb::FactValue value;
  for (const Bytes& element : elements) value.add_elements(element);
  value.set_expires_at_micros(expires_at_micros);
  return value;
}
inline Commit FactCommit(Bytes id, pb::FactValue value, const PoolId& pool = kTestPool) {
  Commit commit;
  commit.pool = pool;
  commit.facts.push_back({FactKey(std::move(id), pool), std::move(value)});
  return commit;
}

inline std::optional<Bytes> ReadNow(Store& store, const Key& key) {
  const StoreResult<std::optional<Bytes>> value = store.MakeSnapshot()->Get(key);
  EXPECT_TRUE(value) << value.error().detail;
  return value ? *value : std::nullopt;
}

// All records of a range, page by page.
inline std::vector<std::pair<Bytes, Bytes>> ReadAll(const Snapshot& snapshot, const KeyRange& range,
                                                    std::size_t limit = 100) {
  std::vector<std::pair<Bytes, Bytes>> records;
  std::optional<Bytes> after;
  do {
    StoreResult<Page> page = snapshot.Scan(range, after, limit);
    EXPECT_TRUE(page) << page.error().detail;
    if (!page) return records;
    EXPECT_LE(page->records.size(), limit);
    for (Record& record : page->records) records.emplace_back(std::move(record.id), std::move(record.value));
    after = page->next;
  } while (after);
  return records;
}

// The log must be gapless from `first_sequence` and chain up to the head. Answers its entries.
inline std::vector<pb::LogEntry> ReadVerifiedLog(Store& store, const PoolId& pool, std::uint64_t first_sequence = 1,
                                                 std::size_t limit_bytes = 1 << 20) {
  std::vector<pb::LogEntry> log;
  const StoreResult<std::optional<pb::Head>> head = store.MakeSnapshot()->Head(pool);
  EXPECT_TRUE(head && *head);
  if (!head || !*head) return log;
  StoreResult<std::optional<Bytes>> digest = store.DigestAt(pool, first_sequence - 1);
  EXPECT_TRUE(digest && *digest);
  if (!digest || !*digest) return log;
  while (first_sequence + log.size() <= (*head)->sequence()) {
    StoreResult<std::vector<pb::LogEntry>> entries = store.ReadLog(pool, first_sequence + log.size(), limit_bytes);
    EXPECT_TRUE(entries) << entries.error().detail;
    if (!entries || entries->empty()) return log;
    for (pb::LogEntry& entry : *entries) {
      EXPECT_EQ(entry.sequence(), first_sequence + log.size());
      EXPECT_EQ(entry.previous_digest(), **digest);
      *digest = EntryDigest(entry);
      const StoreResult<std::optional<Bytes>> stored = store.DigestAt(pool, entry.sequence());
      EXPECT_TRUE(stored && *stored == *digest) << entry.sequence();
      log.push_back(std::move(entry));
      if (log.back().sequence() == (*head)->sequence()) EXPECT_EQ(**digest, (*head)->digest());
    }
  }
  return log;
}

}  // namespace symbolon::storage
