#include "storage/incarnation.h"

#include <gtest/gtest.h>

#include "storage/memory/memory_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::storage {
namespace {

const Region kHere{"eu-central-1"};
const PoolId kPool{"eu-central-1_Pool1"};

class RestoredStoreTest : public testing::Test {
 protected:
  void Open(const std::shared_ptr<MemoryDisk>& disk) {
    thread_.reset();
    store_.reset();
    auto opened = LocalStore::Open(MakeMemoryEngine(disk), {.region = kHere, .clock = &clock_, .random = &random_});
    ASSERT_TRUE(opened) << opened.error().detail;
    store_ = *std::move(opened);
    thread_ = std::make_unique<CommitterThread>(*store_);
  }
  static Commit WriteOf(std::optional<std::uint64_t> start_epoch_counter) {
    Commit commit;
    commit.pool = kPool;
    commit.start_epoch_counter = start_epoch_counter;
    commit.directory.push_back({{Space::kDirectory, kPool, 50, "id"}, "value"});
    return commit;
  }
  static Commit FactOf(const Bytes& subject) {
    Commit commit;
    commit.pool = kPool;
    commit.facts.push_back({{Space::kFact, kPool, 50, subject}, {}});
    commit.facts.back().value.set_maximum(1);
    return commit;
  }
  std::vector<pb::FactProgress> OwnFactLogs() {
    const auto vector = store_->MakeSnapshot()->Facts(kPool).value();
    return {vector.progress().begin(), vector.progress().end()};
  }

  ManualClock clock_;
  SeededRandom random_{1};
  const std::shared_ptr<MemoryDisk> disk_ = std::make_shared<MemoryDisk>();
  std::unique_ptr<LocalStore> store_;
  std::unique_ptr<CommitterThread> thread_;
};

TEST_F(RestoredStoreTest, WritesInNoEpochOfTheStoreThatWasBackedUp) {
  Open(disk_);
  ASSERT_TRUE(SubmitAndWait(*store_, WriteOf(1)));
  const std::shared_ptr<MemoryDisk> backup = disk_->Copy();
  ASSERT_TRUE(SubmitAndWait(*store_, WriteOf(std::nullopt)));
  const Bytes former = store_->incarnation();

  ASSERT_TRUE(RenewIncarnation(*MakeMemoryEngine(backup), random_));
  Open(backup);
  EXPECT_NE(store_->incarnation(), former);
  EXPECT_EQ(store_->MakeSnapshot()->Head(kPool).value()->sequence(), 1);
  EXPECT_EQ(SubmitAndWait(*store_, WriteOf(std::nullopt)).error().code, StoreErrorCode::kNotWriter);
  ASSERT_TRUE(SubmitAndWait(*store_, WriteOf(2)));
  EXPECT_EQ(store_->MakeSnapshot()->Head(kPool).value()->epoch().incarnation(), store_->incarnation());
}

TEST_F(RestoredStoreTest, NumbersItsFactsAnewAlsoThoseOfPoolsThatCameBack) {
  Open(disk_);
  ASSERT_TRUE(SubmitAndWait(*store_, FactOf("a")));
  ASSERT_TRUE(store_->DropPool(kPool));
  ASSERT_TRUE(SubmitAndWait(*store_, FactOf("b")));
  ASSERT_EQ(OwnFactLogs().size(), 1);
  const Bytes former = OwnFactLogs()[0].incarnation();
  const std::shared_ptr<MemoryDisk> backup = disk_->Copy();
  ASSERT_TRUE(SubmitAndWait(*store_, FactOf("c")));

  ASSERT_TRUE(RenewIncarnation(*MakeMemoryEngine(backup), random_));
  Open(backup);
  ASSERT_TRUE(SubmitAndWait(*store_, FactOf("d")));
  for (const pb::FactProgress& progress : OwnFactLogs()) {
    EXPECT_EQ(progress.number(), 1);
    EXPECT_TRUE(progress.incarnation() == former || progress.incarnation() == store_->incarnation());
  }
  EXPECT_EQ(OwnFactLogs().size(), 2);
}

TEST_F(RestoredStoreTest, WhatIsNoStoreStaysAsItIs) {
  const auto engine = MakeMemoryEngine(disk_);
  EXPECT_EQ(RenewIncarnation(*engine, random_).error().code, StoreErrorCode::kUnavailable);
  EXPECT_FALSE(engine->MakeSnapshot()->Iterate(BytesView("\0", 1), "\xff")->Valid());
}

TEST(MemoryDiskTest, ADiskThatLiesTakesItsLastWritesBack) {
  const auto disk = std::make_shared<MemoryDisk>();
  const auto engine = MakeMemoryEngine(disk);
  const auto write = [&](const Bytes& key, const Bytes& value) {
    EngineBatch batch;
    batch.Put(key, value);
    ASSERT_TRUE(engine->Write(batch));
  };
  write("a", "1");
  write("b", "1");
  disk->LoseUnsynced();
  EXPECT_EQ(engine->Get("b").value(), "1") << "a disk does not lie unless it is told to";

  disk->SetUnsynced(2);
  write("a", "2");
  write("a", "3");
  EngineBatch batch;
  batch.DeleteRange("a", "c");
  batch.Put("b", "4");
  ASSERT_TRUE(engine->Write(batch));
  disk->LoseUnsynced();
  EXPECT_EQ(engine->Get("a").value(), "2") << "two writes are taken back";
  EXPECT_EQ(engine->Get("b").value(), "1");
}

}  // namespace
}  // namespace symbolon::storage
