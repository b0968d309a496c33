#include "directory/test_store.h"

#include <gtest/gtest.h>

#include <functional>
#include <future>

namespace symbolon::directory {
namespace {

constexpr std::size_t kPage = 1'000;
constexpr std::size_t kPieceBytes = 1 << 20;
// Above every record type.
constexpr std::uint16_t kTypesEnd = 256;

template <class T>
T Expected(storage::StoreResult<T> result) {
  SYMBOLON_CHECK(result);
  return *std::move(result);
}

void Expect(const storage::StoreResult<void>& result) { SYMBOLON_CHECK(result); }

}  // namespace

TestStore::TestStore(std::string_view region, Clock& clock, std::uint64_t seed)
    : random_(std::hash<std::string_view>()(region) ^ seed) {
  storage::LocalStore::Options options;
  options.region = Region(std::string(region));
  options.clock = &clock;
  options.random = &random_;
  store_ = Expected(storage::LocalStore::Open(
      Expected(storage::StoreResult<std::unique_ptr<storage::Engine>>(storage::MakeMemoryEngine(disk_))), options));
  thread_ = std::make_unique<storage::CommitterThread>(*store_);
}

std::unique_ptr<Transaction> TestStore::Begin(const PoolId& pool) {
  return std::make_unique<Transaction>(std::shared_ptr<const storage::Snapshot>(store_->MakeSnapshot()), pool,
                                       pool.empty() ? nullptr : KeysOf(pool), random_);
}

std::shared_ptr<const keys::PoolKeys> TestStore::KeysOf(const PoolId& pool) {
  auto& keys = keys_[pool];
  if (!keys) keys = TestKeysOf(store_->region(), pool);
  return keys;
}

storage::StoreResult<storage::Committed> TestStore::Commit(Transaction& tx) {
  storage::Commit commit = tx.TakeCommit();
  if (!commit.directory.empty() && !commit.start_epoch_counter) {
    const auto head = Expected(store_->MakeSnapshot()->Head(commit.pool));
    if (!head) commit.start_epoch_counter = 1;
    if (head && head->epoch().region() != store_->region().value()) {
      commit.start_epoch_counter = head->epoch().counter() + 1;
    }
  }
  std::promise<storage::StoreResult<storage::Committed>> answered;
  store_->Submit(std::move(commit), [&](auto result) { answered.set_value(std::move(result)); });
  return answered.get_future().get();
}

void TestStore::ExpectCommitted(Transaction& tx) {
  ExpectReadable(tx);
  if (tx.failure() || !tx.has_changes()) return;
  const auto committed = Commit(tx);
  EXPECT_TRUE(committed) << committed.error().detail;
}

void TestStore::ExpectReadable(const Transaction& tx) { EXPECT_FALSE(tx.failure()) << tx.failure()->detail; }

std::map<storage::Key, Bytes> TestStore::Contents(const PoolId& pool) {
  std::map<storage::Key, Bytes> contents;
  const auto snapshot = store_->MakeSnapshot();
  for (const storage::Space space : {storage::Space::kDirectory, storage::Space::kRegional}) {
    if (pool.empty() && space == storage::Space::kDirectory) continue;
    for (std::uint16_t type = 0; type < kTypesEnd; ++type) {
      const storage::KeyRange range{.space = space, .pool = pool, .type = type, .id_prefix = {}};
      std::optional<Bytes> after;
      do {
        storage::Page page = Expected(snapshot->Scan(range, after, kPage));
        for (storage::Record& record : page.records) {
          contents.emplace(storage::Key{.space = space, .pool = pool, .type = type, .id = std::move(record.id)},
                           std::move(record.value));
        }
        after = std::move(page.next);
      } while (after);
    }
  }
  return contents;
}

void TestStore::CopyDirectory(TestStore& other, const PoolId& pool) {
  const auto source = Expected(other.store_->OpenCopy(pool));
  Expect(store_->DropStaging(pool));
  Expect(store_->BeginStaging(pool, source->head(), source->history()));
  Bytes cursor;
  while (true) {
    const std::vector<storage::Record> records = Expected(source->Next(cursor, kPieceBytes));
    if (records.empty()) break;
    cursor = records.back().id;
    Expect(store_->WriteStaging(pool, records));
  }
  Expect(store_->FlipStaging(pool));
}

void TestStore::MergeFacts(TestStore& other, const PoolId& pool) {
  const storage::pb::FactVector theirs = Expected(other.store_->MakeSnapshot()->Facts(pool));
  for (const storage::pb::FactProgress& progress : theirs.progress()) {
    if (progress.region() == store_->region().value() && progress.incarnation() == store_->incarnation()) continue;
    std::uint64_t next = 1;
    while (next <= progress.number()) {
      auto entries =
          Expected(other.store_->ReadFacts(pool, Region(progress.region()), progress.incarnation(), next, kPieceBytes));
      SYMBOLON_CHECK(!entries.empty());
      next = entries.back().number() + 1;
      std::promise<storage::StoreResult<void>> merged;
      store_->MergeFacts(pool, std::move(entries), [&](auto result) { merged.set_value(std::move(result)); });
      Expect(merged.get_future().get());
    }
  }
}

}  // namespace symbolon::directory
