#include "storage/local_store.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "storage/contract/random_transactions.h"
#include "storage/keys.h"
#include "storage/memory/memory_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::storage {
namespace {

const Region kRegion{"eu-central-1"};

// A store on a memory disk that moves only when it is stepped.
class SteppedStore : public testing::Test {
 protected:
  SteppedStore() { Open(); }

  static LocalStore::Options MakeOptions() {
    static ManualClock clock;
    static SeededRandom random(1);
    LocalStore::Options options;
    options.region = kRegion;
    options.clock = &clock;
    options.random = &random;
    return options;
  }
  void Open(LocalStore::Options options = MakeOptions()) {
    store_.reset();
    auto store = LocalStore::Open(MakeMemoryEngine(disk_), options);
    ASSERT_TRUE(store) << store.error().detail;
    store_ = *std::move(store);
  }
  StoreResult<std::unique_ptr<LocalStore>> TryOpen(const LocalStore::Options& options) {
    return LocalStore::Open(MakeMemoryEngine(disk_), options);
  }

  // Puts the commit into the queue; its answer appears at the same index of answers_.
  void Submit(Commit commit) {
    const std::size_t index = answers_.size();
    answers_.emplace_back();
    store_->Submit(std::move(commit), [this, index](StoreResult<Committed> result) {
      EXPECT_FALSE(answers_[index]) << "answered twice";
      answers_[index] = std::move(result);
    });
  }
  std::optional<StoreErrorCode> StepAndCode(Commit commit) {
    Submit(std::move(commit));
    while (store_->Step()) {
    }
    return CodeOf(*answers_.back());
  }
  std::uint64_t Version() { return store_->MakeSnapshot()->version(); }

  std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<LocalStore> store_;
  std::vector<std::optional<StoreResult<Committed>>> answers_;
};

Commit Reading(Commit commit, std::uint64_t version, std::vector<Key> reads, std::vector<KeyRange> range_reads = {}) {
  commit.snapshot_version = version;
  commit.reads = std::move(reads);
  commit.range_reads = std::move(range_reads);
  return commit;
}

// ---- one step, many commits ----

TEST_F(SteppedStore, NothingHappensBeforeTheStepAndThenOneWriteServesAll) {
  EXPECT_FALSE(store_->Step());
  Submit(FirstCommit({{DirectoryKey("a"), "1"}}));
  Submit(DirectoryCommit({{DirectoryKey("b"), "2"}}));
  Submit(FactCommit("f", Elements({"x"})));
  EXPECT_EQ(ReadNow(*store_, DirectoryKey("a")), std::nullopt);
  EXPECT_FALSE(answers_[0]);
  const std::uint64_t writes = disk_->write_count();
  EXPECT_TRUE(store_->Step());
  EXPECT_EQ(disk_->write_count(), writes + 1);
  for (const auto& answer : answers_) ASSERT_TRUE(answer && *answer);
  EXPECT_EQ((*answers_[0])->position->sequence(), 1u);
  EXPECT_EQ((*answers_[1])->position->sequence(), 2u);
  EXPECT_LT((*answers_[0])->version, (*answers_[1])->version);
  EXPECT_EQ((*answers_[2])->version, Version());
  EXPECT_EQ(ReadVerifiedLog(*store_, kTestPool).size(), 2u);
  EXPECT_FALSE(store_->Step());
}

TEST_F(SteppedStore, EarlierCommitsOfTheSameStepCountForConflicts) {
  ASSERT_EQ(StepAndCode(FirstCommit()), std::nullopt);
  const std::uint64_t version = Version();
  const KeyRange users{Space::kDirectory, kTestPool, 1, "user/"};
  const auto code = [&](std::size_t index) { return CodeOf(*answers_[index]); };
  answers_.clear();
  Submit(Reading(DirectoryCommit({{DirectoryKey("user/1"), "1"}}), version, {DirectoryKey("user/1")}));
  Submit(Reading(DirectoryCommit({{DirectoryKey("user/1"), "2"}}), version, {DirectoryKey("user/1")}));
  Submit(Reading(DirectoryCommit({{DirectoryKey("count"), "0"}}), version, {}, {users}));
  Submit(Reading(FactCommit("code", Elements({"used"})), version, {FactKey("code")}));
  Submit(Reading(FactCommit("code", Elements({"used"})), version, {FactKey("code")}));
  Submit(DirectoryCommit({{DirectoryKey("user/1"), "blind"}}));
  EXPECT_TRUE(store_->Step());
  EXPECT_EQ(code(0), std::nullopt);
  EXPECT_EQ(code(1), StoreErrorCode::kConflict);
  EXPECT_EQ(code(2), StoreErrorCode::kConflict);
  EXPECT_EQ(code(3), std::nullopt);
  EXPECT_EQ(code(4), StoreErrorCode::kConflict);
  EXPECT_EQ(code(5), std::nullopt);
  EXPECT_EQ(ReadNow(*store_, DirectoryKey("user/1")), "blind");
  EXPECT_EQ(ReadNow(*store_, DirectoryKey("count")), std::nullopt);
  EXPECT_EQ(ReadVerifiedLog(*store_, kTestPool).size(), 3u);
}

TEST_F(SteppedStore, FactsOfOneStepAreJoinedAndNumberedInOrder) {
  for (const char* element : {"c", "a", "b"}) Submit(FactCommit("f", Elements({element}, 100)));
  store_->Step();
  pb::FactValue value;
  ASSERT_TRUE(value.ParseFromString(ReadNow(*store_, FactKey("f")).value()));
  EXPECT_EQ(value.elements_size(), 3);
  const auto entries = *store_->ReadFacts(kTestPool, kRegion, store_->incarnation(), 1, 1 << 20);
  ASSERT_EQ(entries.size(), 3u);
  EXPECT_EQ(entries[1].value().elements(0), "a");
}

TEST_F(SteppedStore, StepsWithRandomSnapshotsAreSerialisable) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    disk_ = std::make_shared<MemoryDisk>();
    answers_.clear();
    LocalStore::Options options = MakeOptions();
    // So small that commits of the same step push each other out of the window as well.
    if (seed % 2 == 0) options.window_keys = 12;
    Open(options);
    ASSERT_EQ(StepAndCode(FirstCommit()), std::nullopt);
    answers_.clear();
    std::mt19937 random(seed);
    RandomTransactions transactions(seed);
    std::vector<RandomTransactions::Transaction> planned;
    std::vector<std::unique_ptr<Snapshot>> snapshots;
    for (int i = 0; i < 300; ++i) {
      if (snapshots.empty() || random() % 2 == 0) snapshots.push_back(store_->MakeSnapshot());
      const std::size_t back = std::min<std::size_t>(random() % 4, snapshots.size() - 1);
      auto [commit, transaction] = transactions.Plan(*snapshots[snapshots.size() - 1 - back]);
      planned.push_back(std::move(transaction));
      Submit(std::move(commit));
      if (random() % 4 == 0) store_->Step();
    }
    store_->Step();
    snapshots.clear();
    std::vector<RandomTransactions::Transaction> committed;
    for (std::size_t i = 0; i < planned.size(); ++i) {
      ASSERT_TRUE(answers_[i]);
      if (!*answers_[i]) continue;
      planned[i].version = (*answers_[i])->version;
      committed.push_back(std::move(planned[i]));
    }
    EXPECT_GT(committed.size(), 50u);
    EXPECT_LT(committed.size(), 300u);
    EXPECT_EQ(RandomTransactions::Replay(std::move(committed)), DirectoryNow(*store_)) << "seed " << seed;
  }
}

TEST_F(SteppedStore, ASnapshotOlderThanTheWindowIsAConflict) {
  LocalStore::Options options = MakeOptions();
  options.window_keys = 4;
  Open(options);
  ASSERT_EQ(StepAndCode(FirstCommit()), std::nullopt);
  const std::uint64_t version = Version();
  for (int i = 0; i < 4; ++i)
    ASSERT_EQ(StepAndCode(DirectoryCommit({{DirectoryKey(std::to_string(i)), "v"}})), std::nullopt);
  const Commit reader = Reading(DirectoryCommit({}), version, {DirectoryKey("x")});
  EXPECT_EQ(StepAndCode(reader), std::nullopt);
  ASSERT_EQ(StepAndCode(DirectoryCommit({{DirectoryKey("4"), "v"}})), std::nullopt);
  EXPECT_EQ(StepAndCode(reader), StoreErrorCode::kConflict);
  EXPECT_EQ(StepAndCode(Reading(DirectoryCommit({}), version, {})), std::nullopt) << "it read nothing";
}

TEST_F(SteppedStore, AStepTakesNoMoreThanItsBound) {
  LocalStore::Options options = MakeOptions();
  options.limits.step_requests_max = 3;
  Open(options);
  Submit(FirstCommit());
  for (int i = 0; i < 6; ++i) Submit(DirectoryCommit({{DirectoryKey("a"), "v"}}));
  const auto answered = [&] {
    return std::count_if(answers_.begin(), answers_.end(), [](auto& a) { return a.has_value(); });
  };
  EXPECT_TRUE(store_->Step());
  EXPECT_EQ(answered(), 3);
  EXPECT_TRUE(store_->Step());
  EXPECT_TRUE(store_->Step());
  EXPECT_FALSE(store_->Step());
  EXPECT_EQ(answered(), 7);
}

TEST_F(SteppedStore, AFullQueueAnswersAtOnce) {
  LocalStore::Options options = MakeOptions();
  options.limits.queue_requests_max = 2;
  Open(options);
  Submit(FirstCommit());
  Submit(DirectoryCommit({}));
  Submit(DirectoryCommit({}));
  EXPECT_FALSE(answers_[0]);
  ASSERT_TRUE(answers_[2]);
  EXPECT_EQ(CodeOf(*answers_[2]), StoreErrorCode::kUnavailable);
  std::optional<StoreResult<void>> merged;
  store_->MergeFacts(kTestPool, {}, [&](StoreResult<void> result) { merged = std::move(result); });
  ASSERT_TRUE(merged);
  EXPECT_EQ(CodeOf(*merged), StoreErrorCode::kUnavailable);

  options.limits.queue_requests_max = 100;
  options.limits.queue_bytes_max = 10'000;
  store_.reset();
  EXPECT_EQ(CodeOf(*answers_[0]), StoreErrorCode::kUnavailable) << "what waits is answered when the store is closed";
  Open(options);
  Submit(FirstCommit({{DirectoryKey("large"), Bytes(100'000, 'x')}}));
  Submit(DirectoryCommit({}));
  EXPECT_FALSE(answers_[3]) << "one is always taken";
  EXPECT_EQ(CodeOf(*answers_[4]), StoreErrorCode::kUnavailable);
  store_->Step();
  EXPECT_TRUE(*answers_[3]);
}

TEST_F(SteppedStore, AnAnswerMaySubmitTheNext) {
  int answered = 0;
  store_->Submit(FirstCommit(), [&](StoreResult<Committed>) {
    ++answered;
    store_->Submit(DirectoryCommit({{DirectoryKey("a"), "1"}}), [&](StoreResult<Committed> result) {
      EXPECT_TRUE(result);
      ++answered;
    });
  });
  while (store_->Step()) {
  }
  EXPECT_EQ(answered, 2);
}

// ---- what fails ----

TEST_F(SteppedStore, AFullDiskRefusesWithoutATraceAndWritesResume) {
  ASSERT_EQ(StepAndCode(FirstCommit({{DirectoryKey("a"), "1"}})), std::nullopt);
  disk_->SetFull(true);
  answers_.clear();
  Submit(DirectoryCommit({{DirectoryKey("a"), "2"}}));
  Submit(FactCommit("f", Elements({"x"})));
  store_->Step();
  for (const auto& answer : answers_) EXPECT_EQ(CodeOf(*answer), StoreErrorCode::kFull);
  EXPECT_EQ(CodeOf(store_->DropPool(kTestPool)), StoreErrorCode::kFull);
  EXPECT_EQ(ReadNow(*store_, DirectoryKey("a")), "1");
  EXPECT_EQ(ReadNow(*store_, FactKey("f")), std::nullopt);

  disk_->SetFull(false);
  const Commit planned_again = Reading(DirectoryCommit({{DirectoryKey("a"), "3"}}), Version(), {DirectoryKey("a")});
  EXPECT_EQ(StepAndCode(planned_again), std::nullopt) << "what did not happen is no conflict";
  EXPECT_EQ(StepAndCode(FactCommit("f", Elements({"x"}))), std::nullopt);
  EXPECT_EQ(ReadVerifiedLog(*store_, kTestPool).size(), 2u);
  EXPECT_EQ(store_->ReadFacts(kTestPool, kRegion, store_->incarnation(), 1, 1000)->front().number(), 1u);
}

TEST_F(SteppedStore, AfterAFailedSyncWritesAreRefusedAndTheRestartTellsTheOutcome) {
  for (const WriteFault fault : {WriteFault::kSyncFailsLost, WriteFault::kSyncFailsKept}) {
    disk_ = std::make_shared<MemoryDisk>();
    Open();
    ASSERT_EQ(StepAndCode(FirstCommit({{DirectoryKey("a"), "1"}})), std::nullopt);
    disk_->PlanFault(fault);
    EXPECT_EQ(StepAndCode(DirectoryCommit({{DirectoryKey("a"), "2"}})), StoreErrorCode::kUnknownOutcome);
    EXPECT_EQ(StepAndCode(DirectoryCommit({{DirectoryKey("a"), "3"}})), StoreErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(store_->TrimLog(kTestPool, 2)), StoreErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(store_->DropPool(kTestPool)), StoreErrorCode::kUnavailable);
    EXPECT_EQ(CodeOf(store_->ForgetExpiredFacts(FromMicros(1), 1)), StoreErrorCode::kUnavailable);
    EXPECT_FALSE(store_->accepts_writes());
    EXPECT_EQ(ReadNow(*store_, DirectoryKey("a")), "1") << "what may not be durable is not shown";
    Open();
    EXPECT_EQ(ReadNow(*store_, DirectoryKey("a")), fault == WriteFault::kSyncFailsKept ? "2" : "1");
    EXPECT_EQ(StepAndCode(DirectoryCommit({{DirectoryKey("a"), "4"}})), std::nullopt);
    ReadVerifiedLog(*store_, kTestPool);
  }
}

TEST_F(SteppedStore, ADamagedRecordFailsItsRequestAlone) {
  const PoolId damaged{"eu-central-1_Damaged01"};
  store_.reset();
  EngineBatch damage;
  damage.Put(keys::Fact(damaged, Bytes("\0\3f", 3)), "\xff\xff not a fact");
  ASSERT_TRUE(MakeMemoryEngine(disk_)->Write(damage));
  Open();
  Submit(FirstCommit({{DirectoryKey("a", damaged), "1"}}, damaged));
  Commit half = DirectoryCommit({{DirectoryKey("b", damaged), "1"}}, damaged);
  half.facts.push_back({FactKey("f", damaged), Elements({"x"})});
  Submit(half);
  Submit(DirectoryCommit({{DirectoryKey("c", damaged), "1"}}, damaged));
  store_->Step();
  EXPECT_EQ(CodeOf(*answers_[0]), std::nullopt);
  EXPECT_EQ(CodeOf(*answers_[1]), StoreErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf(*answers_[2]), std::nullopt);
  EXPECT_EQ(ReadNow(*store_, DirectoryKey("b", damaged)), std::nullopt);
  EXPECT_EQ(ReadVerifiedLog(*store_, damaged).size(), 2u);
}

// However many are asked for.
TEST_F(SteppedStore, LogEntriesThatAreMissing_AreDamageAndNotTheEndOfTheLog) {
  Open();
  ASSERT_EQ(StepAndCode(FirstCommit({{DirectoryKey("a"), "1"}})), std::nullopt);
  for (int i = 2; i <= 10; ++i) {
    ASSERT_EQ(StepAndCode(DirectoryCommit({{DirectoryKey("a"), std::to_string(i)}})), std::nullopt);
  }
  store_.reset();
  EngineBatch damage;
  for (std::uint64_t sequence = 3; sequence <= 10; ++sequence) {
    damage.Delete(keys::LogEntry(kTestPool, keys::kFirstGeneration, sequence));
  }
  ASSERT_TRUE(MakeMemoryEngine(disk_)->Write(damage));
  Open();
  EXPECT_EQ(store_->ReadLogAsStored(kTestPool, 1, 1 << 20)->size(), 2u);
  EXPECT_EQ(CodeOf(store_->ReadLogAsStored(kTestPool, 3, 1 << 20)), StoreErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf(store_->ReadLogAsStored(kTestPool, 9, 1 << 20)), StoreErrorCode::kCorrupt);
}

// ---- opening ----

TEST_F(SteppedStore, WhatIsNoStoreOfThisRegionAndFormatIsNotOpened) {
  store_.reset();
  LocalStore::Options options = MakeOptions();
  options.region = Region("us-east-1");
  const auto other_region = TryOpen(options);
  ASSERT_EQ(CodeOf(other_region), StoreErrorCode::kUnavailable);
  EXPECT_NE(other_region.error().detail.find("eu-central-1"), std::string::npos);

  EngineBatch newer;
  newer.Put(keys::Meta("format"), "symbolon store 2");
  ASSERT_TRUE(MakeMemoryEngine(disk_)->Write(newer));
  const auto other_format = TryOpen(MakeOptions());
  ASSERT_EQ(CodeOf(other_format), StoreErrorCode::kUnavailable);
  EXPECT_NE(other_format.error().detail.find("symbolon store 2"), std::string::npos);

  disk_ = std::make_shared<MemoryDisk>();
  EngineBatch foreign;
  foreign.Put("somebody else's", "data");
  ASSERT_TRUE(MakeMemoryEngine(disk_)->Write(foreign));
  EXPECT_EQ(CodeOf(TryOpen(MakeOptions())), StoreErrorCode::kUnavailable);

  disk_ = std::make_shared<MemoryDisk>();
  disk_->SetFull(true);
  EXPECT_EQ(CodeOf(TryOpen(MakeOptions())), StoreErrorCode::kFull);
}

using StoreDeathTest = SteppedStore;

TEST_F(StoreDeathTest, KeysOutOfBoundsAreBugsOfTheCaller) {
  EXPECT_DEATH(Submit(FirstCommit({{DirectoryKey(Bytes(kKeyIdBytesMax + 1, 'x')), "v"}})), "check failed");
  EXPECT_DEATH(Submit(FirstCommit({{RegionalKey("a"), "v"}})), "check failed");
  EXPECT_DEATH(Submit(FirstCommit({{DirectoryKey("a"), "v"}, {DirectoryKey("a"), "w"}})), "check failed");
  EXPECT_DEATH(Submit(FirstCommit({{DirectoryKey("a", PoolId("another")), "v"}})), "check failed");
  Submit(FirstCommit({{DirectoryKey(Bytes(kKeyIdBytesMax, '\xff')), "v"}}));
  store_->Step();
  EXPECT_TRUE(*answers_.back());
}

}  // namespace
}  // namespace symbolon::storage
