// The store contract: commits, what they leave, what they conflict with.
#pragma once

#include "storage/contract/fixture.h"

namespace symbolon::storage {

TEST_P(StoreContract, CommittedRecordsAreReadAndSurviveReopening) {
  Commit first = FirstCommit({{DirectoryKey("a"), "1"}, {DirectoryKey("b"), "2"}});
  first.regional = {{RegionalKey("r"), "regional"}, {RegionalKey("node", PoolId()), "of no pool"}};
  const Committed committed = MustCommit(std::move(first));
  ASSERT_TRUE(committed.position);
  EXPECT_EQ(committed.position->sequence(), 1u);
  EXPECT_EQ(committed.position->epoch().counter(), 1u);
  EXPECT_EQ(committed.position->epoch().region(), kRegion.value());
  EXPECT_EQ(committed.position->epoch().incarnation(), store().incarnation());
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "changed"}, {DirectoryKey("b"), std::nullopt}}));
  const Bytes incarnation = store().incarnation();
  const pb::Head head = HeadNow();
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(ReadNow(store(), DirectoryKey("a")), "changed");
    EXPECT_EQ(ReadNow(store(), DirectoryKey("b")), std::nullopt);
    EXPECT_EQ(ReadNow(store(), RegionalKey("r")), "regional");
    EXPECT_EQ(ReadNow(store(), RegionalKey("node", PoolId())), "of no pool");
    EXPECT_EQ(HeadNow().sequence(), 2u);
    EXPECT_EQ(HeadNow().digest(), head.digest());
    EXPECT_EQ(store().incarnation(), incarnation);
    Reopen();
  }
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool).size(), 2u);
}

TEST_P(StoreContract, AReadKeyThatChangedSinceTheSnapshotIsAConflict) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  const std::uint64_t before = store().MakeSnapshot()->version();
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "2"}}));

  Commit stale = DirectoryCommit({{DirectoryKey("b"), "x"}});
  stale.snapshot_version = before;
  stale.reads = {DirectoryKey("a")};
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), stale)), StoreErrorCode::kConflict);
  EXPECT_EQ(ReadNow(store(), DirectoryKey("b")), std::nullopt);
  EXPECT_EQ(HeadNow().sequence(), 2u);

  stale.reads = {DirectoryKey("c")};
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), stale)), std::nullopt);
}

TEST_P(StoreContract, ARecordThatAppearsInAReadRangeIsAConflict) {
  MustCommit(FirstCommit());
  const std::uint64_t before = store().MakeSnapshot()->version();
  MustCommit(DirectoryCommit({{DirectoryKey("user/7"), "new"}}));

  Commit stale = DirectoryCommit({{DirectoryKey("count"), "0"}});
  stale.snapshot_version = before;
  stale.range_reads = {{Space::kDirectory, kTestPool, 1, "user/"}};
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), stale)), StoreErrorCode::kConflict);
  stale.range_reads = {{Space::kDirectory, kTestPool, 1, "group/"}};
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), stale)), std::nullopt);
}

TEST_P(StoreContract, AFactThatGrewSinceTheSnapshotIsAConflict) {
  const std::uint64_t before = store().MakeSnapshot()->version();
  MustCommit(FactCommit("code", Elements({"used"})));
  Commit again = FactCommit("code", Elements({"used"}));
  again.snapshot_version = before;
  again.reads = {FactKey("code")};
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), again)), StoreErrorCode::kConflict);
}

TEST_P(StoreContract, SnapshotsDoNotMove) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  const std::unique_ptr<Snapshot> before = store().MakeSnapshot();
  MustCommit(DirectoryCommit({{DirectoryKey("a"), std::nullopt}, {DirectoryKey("b"), "2"}}));
  EXPECT_EQ(*before->Get(DirectoryKey("a")), "1");
  EXPECT_EQ(*before->Get(DirectoryKey("b")), std::nullopt);
  EXPECT_EQ((*before->Head(kTestPool))->sequence(), 1u);
  EXPECT_LT(before->version(), store().MakeSnapshot()->version());
}

TEST_P(StoreContract, ScansAreOrderedPagedAndStayInTheirRange) {
  std::vector<Change> changes;
  for (const char* id : {"b/2", "a/1", "b/1", "b/3", "c"}) changes.push_back({DirectoryKey(id), Bytes("v") + id});
  changes.push_back({{Space::kDirectory, kTestPool, 0, "b/1"}, "another type"});
  changes.push_back({{Space::kDirectory, kTestPool, 2, "b/1"}, "another type"});
  MustCommit(FirstCommit(std::move(changes)));
  const auto snapshot = store().MakeSnapshot();
  using Pairs = std::vector<std::pair<Bytes, Bytes>>;
  for (std::size_t limit : {1, 2, 3, 4}) {
    EXPECT_EQ(ReadAll(*snapshot, {Space::kDirectory, kTestPool, 1, "b/"}, limit),
              (Pairs{{"b/1", "vb/1"}, {"b/2", "vb/2"}, {"b/3", "vb/3"}}));
  }
  EXPECT_EQ(ReadAll(*snapshot, {Space::kDirectory, kTestPool, 1, ""}).size(), 5u);
  EXPECT_TRUE(ReadAll(*snapshot, {Space::kDirectory, kTestPool, 1, "d"}).empty());
  EXPECT_TRUE(ReadAll(*snapshot, {Space::kRegional, kTestPool, 1, ""}).empty());
}

}  // namespace symbolon::storage
