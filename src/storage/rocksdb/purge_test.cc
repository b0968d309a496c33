// What a purge leaves in the store's files: they are searched for the octets that were there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_directory.h"
#include "storage/rocksdb/rocksdb_engine.h"
#include "storage/store_test_support.h"

namespace symbolon::storage {
namespace {

namespace fs = std::filesystem;

const Region kRegion{"eu-central-1"};
const PoolId kPool{"eu-central-1_Purged001"};
const PoolId kOther{"eu-central-1_Purged002"};

class PurgeTest : public testing::Test, public LocalStoreMedium {
 protected:
  void SetUp() override {
    options_.directory = directory_.path() / "store";
    options_.headroom_bytes = 0;
    options_.purge_wait = std::chrono::milliseconds(0);
    // Small buffers, so that a test's records reach several files.
    options_.memory_bytes = 4 << 20;
    Open(kRegion);
  }
  void TearDown() override { Close(); }
  StoreResult<std::unique_ptr<Engine>> OpenEngine() override { return OpenRocksDb(options_); }

  // Random, so that it is in no file by chance, nor compressed away.
  Bytes NewMarker() { return HexEncode(markers_.Octets(24)); }

  static Key KeyOf(const PoolId& pool, Space space, const std::string& id) {
    return {.space = space, .pool = pool, .type = 7, .id = id};
  }
  // Into the directory (and so its log) and this Region's own records.
  void Put(const PoolId& pool, const std::string& id, const Bytes& value) { PutAll(pool, {id}, value); }
  void PutAll(const PoolId& pool, const std::vector<std::string>& ids, const Bytes& value) {
    Commit commit{.pool = pool};
    if (!*store().MakeSnapshot()->Head(pool)) commit.start_epoch_counter = 1;
    for (const std::string& id : ids) {
      commit.directory.push_back({KeyOf(pool, Space::kDirectory, id), value});
      commit.regional.push_back({KeyOf(pool, Space::kRegional, id), value});
    }
    const auto done = SubmitAndWait(store(), std::move(commit));
    ASSERT_TRUE(done) << done.error().detail;
  }
  // In how many files of the store the text is.
  std::size_t FilesWith(const Bytes& text) const {
    std::size_t count = 0;
    for (const auto& file : fs::recursive_directory_iterator(options_.directory)) {
      if (!file.is_regular_file()) continue;
      std::ifstream stream(file.path(), std::ios::binary);
      const Bytes content((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
      count += content.find(text) == Bytes::npos ? 0 : 1;
    }
    return count;
  }
  // A copy of the pool on its way in, with the marker in each record.
  void Stage(const Bytes& marker) {
    pb::Head head;
    head.mutable_epoch()->set_counter(1);
    head.set_sequence(9);
    head.set_digest(ValueDigest("theirs"));
    pb::History history;
    *history.add_epochs()->mutable_epoch() = head.epoch();
    ASSERT_TRUE(store().BeginStaging(kPool, head, history));
    std::vector<Record> records;
    for (int i = 0; i < 1'000; ++i)
      records.push_back({"\x01\x01" + std::to_string(1'000 + i), marker + Bytes(600, '.')});
    ASSERT_TRUE(store().WriteStaging(kPool, records));
    ASSERT_GT(FilesWith(marker), 0u);
  }
  void MustPurge(const PoolId& pool, const PurgeScope& scope) {
    const auto purged = store().Purge(pool, scope);
    ASSERT_TRUE(purged) << purged.error().detail;
  }

  TemporaryDirectory directory_;
  RocksDbOptions options_;
  SeededRandom markers_{4711};
};

TEST_F(PurgeTest, ADroppedPoolIsInNoFile_OthersAreThere) {
  const Bytes marker = NewMarker(), others = NewMarker();
  for (int i = 0; i < 20; ++i) {
    std::vector<std::string> ids;
    for (int j = 0; j < 25; ++j) ids.push_back(std::to_string(25 * i + j));
    PutAll(kPool, ids, marker + Bytes(4'000, '.'));
    PutAll(kOther, ids, others + Bytes(4'000, '.'));
  }
  ASSERT_GT(FilesWith(marker), 1u) << "the test is to search more than one file";
  ASSERT_TRUE(store().DropPool(kPool));
  MustPurge(kPool, {.everything = true});
  EXPECT_EQ(FilesWith(marker), 0u);

  Close();
  Open(kRegion);
  EXPECT_EQ(FilesWith(marker), 0u);
  for (int i = 0; i < 500; ++i) {
    const auto record = store().MakeSnapshot()->Get(KeyOf(kOther, Space::kDirectory, std::to_string(i)));
    ASSERT_TRUE(record && *record);
    EXPECT_TRUE((*record)->starts_with(others));
  }
}

TEST_F(PurgeTest, WhatLiesInTheLastLevelGoesAsWell) {
  const Bytes marker = NewMarker();
  Put(kPool, "a", marker);
  MustPurge(kPool, {.everything = true});
  Put(kPool, "b", NewMarker());
  MustPurge(kPool, {.everything = true});
  ASSERT_GT(FilesWith(marker), 0u) << "what is there stays";
  ASSERT_TRUE(store().DropPool(kPool));
  MustPurge(kPool, {.everything = true});
  EXPECT_EQ(FilesWith(marker), 0u);
}

TEST_F(PurgeTest, WhatIsNotThereAnyMore_IsPurgedAgain) {
  Put(kPool, "a", NewMarker());
  Put(kPool, "user", NewMarker());
  Put(kPool, "z", NewMarker());
  const auto key = KeyOf(kPool, Space::kDirectory, "user");
  // From the second time on a file lies around the key, and has nothing of it.
  for (int i = 0; i < 3; ++i) MustPurge(kPool, {.keys = {KeyOf(kPool, Space::kDirectory, "nobody"), key}});
  Put(kPool, "b", NewMarker());
  MustPurge(kPool, {.keys = {KeyOf(kPool, Space::kDirectory, "nobody")}});
}

TEST_F(PurgeTest, FormerValuesOfKeysGo_TheLogKeepsItsOwnUntilItIsPurged) {
  const Bytes before = NewMarker(), now = NewMarker();
  Put(kPool, "user", before);
  Put(kPool, "user", now);
  const auto key = KeyOf(kPool, Space::kDirectory, "user"), regional = KeyOf(kPool, Space::kRegional, "user");
  MustPurge(kPool, {.keys = {key, regional}});
  EXPECT_GT(FilesWith(before), 0u) << "the log has it yet";
  ASSERT_TRUE(store().TrimLog(kPool, 2));
  const auto purged = store().Purge(kPool, {.directory_log = true});
  ASSERT_TRUE(purged) << purged.error().detail;
  EXPECT_GT(purged->files, 0u);
  EXPECT_EQ(FilesWith(before), 0u);
  EXPECT_GT(FilesWith(now), 0u);
  EXPECT_EQ(store().MakeSnapshot()->Get(key), now);
}

TEST_F(PurgeTest, FactsGo) {
  const Bytes marker = NewMarker();
  Put(kPool, "user", "x");
  Commit commit{.pool = kPool};
  pb::FactValue value;
  value.add_elements(marker);
  commit.facts = {{KeyOf(kPool, Space::kFact, "user"), value}};
  ASSERT_TRUE(SubmitAndWait(store(), std::move(commit)));
  ASSERT_TRUE(store().DropPool(kPool));
  MustPurge(kPool, {.facts = true});
  EXPECT_EQ(FilesWith(marker), 0u);
}

TEST_F(PurgeTest, AStagedCopyGoes) {
  const Bytes marker = NewMarker();
  Stage(marker);
  ASSERT_TRUE(store().DropStaging(kPool));
  MustPurge(kPool, {.everything = true});
  EXPECT_EQ(FilesWith(marker), 0u);
}

// What a key was in copies that are not the live one.
TEST_F(PurgeTest, FormerValuesOfKeysInOtherCopiesGo) {
  const Bytes given_up = NewMarker(), flipped = NewMarker();
  Put(kPool, "user", "x");
  Stage(given_up);
  ASSERT_TRUE(store().DropStaging(kPool));
  MustPurge(kPool, {.keys = {KeyOf(kPool, Space::kDirectory, "user")}});
  EXPECT_EQ(FilesWith(given_up), 0u);
  Put(kPool, "user", flipped);
  Stage("of the new copy");
  ASSERT_TRUE(store().FlipStaging(kPool));
  MustPurge(kPool, {.keys = {KeyOf(kPool, Space::kDirectory, "user"), KeyOf(kPool, Space::kRegional, "user")},
                    .directory_log = true});
  EXPECT_EQ(FilesWith(flipped), 1u) << "this Region's own record stays";
}

TEST_F(PurgeTest, SomebodyReadsAnEarlierState_SaysSoAndSucceedsAfterwards) {
  const Bytes marker = NewMarker();
  Put(kPool, "user", marker);
  auto reader = store().MakeSnapshot();
  ASSERT_TRUE(store().DropPool(kPool));
  EXPECT_EQ(CodeOf(store().Purge(kPool, {.everything = true})), StoreErrorCode::kConflict);
  EXPECT_EQ((*reader->Get(KeyOf(kPool, Space::kDirectory, "user"))), marker);
  reader.reset();
  MustPurge(kPool, {.everything = true});
  EXPECT_EQ(FilesWith(marker), 0u);
}

TEST_F(PurgeTest, ACopyOfAnotherPoolIsUnderWay_SaysSo) {
  Put(kOther, "user", "x");
  Put(kPool, "user", "y");
  const auto copy = store().OpenCopy(kOther);
  ASSERT_TRUE(copy);
  ASSERT_TRUE(store().DropPool(kPool));
  EXPECT_EQ(CodeOf(store().Purge(kPool, {.everything = true})), StoreErrorCode::kConflict);
}

TEST_F(PurgeTest, APoolThatWasNeverThere_IsNoFailure) {
  Put(kOther, "user", "x");
  EXPECT_TRUE(store().Purge(kPool, {.everything = true}));
}

}  // namespace
}  // namespace symbolon::storage
