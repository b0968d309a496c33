// The store contract: copies, staging, flips, the end of a pool.
#pragma once

#include "storage/contract/fixture.h"

namespace symbolon::storage {

// A primary at the other store with `count` records and a few entries.
inline void FillPrimary(Store& primary, int count) {
  std::vector<Change> changes;
  for (int i = 0; i < count; ++i)
    changes.push_back({DirectoryKey("user" + std::to_string(i)), "v" + std::to_string(i)});
  ASSERT_TRUE(SubmitAndWait(primary, FirstCommit(std::move(changes))));
  Commit other_type = DirectoryCommit({{{Space::kDirectory, kTestPool, 0xffff, Bytes(1000, '\xff')}, "last"}});
  ASSERT_TRUE(SubmitAndWait(primary, std::move(other_type)));
}

// Receives pieces of about `piece_bytes` from the staging's cursor on; at most `pieces_max`. True: the copy is
// complete.
inline bool ReceiveCopy(CopySource& source, Store& to, std::size_t piece_bytes, int pieces_max = 1'000'000) {
  for (int piece = 0; piece < pieces_max; ++piece) {
    const auto staging = to.FindStaging(kTestPool);
    EXPECT_TRUE(staging && *staging);
    if (!staging || !*staging) return false;
    const auto records = source.Next((*staging)->cursor, piece_bytes);
    EXPECT_TRUE(records);
    if (!records) return false;
    if (records->empty()) return true;
    const StoreResult<void> written = to.WriteStaging(kTestPool, *records);
    EXPECT_TRUE(written) << written.error().detail;
    if (!written) return false;
  }
  return false;
}

inline std::vector<std::pair<Bytes, Bytes>> WholeDirectory(const Snapshot& snapshot) {
  auto records = ReadAll(snapshot, {Space::kDirectory, kTestPool, 1, ""});
  for (auto& record : ReadAll(snapshot, {Space::kDirectory, kTestPool, 0xffff, ""}))
    records.push_back(std::move(record));
  return records;
}

TEST_P(StoreContract, ACopyShowsOnePositionWhileTheSourceGoesOn) {
  FillPrimary(store(), 300);
  const auto at_pin = store().MakeSnapshot();
  auto source = store().OpenCopy(kTestPool);
  ASSERT_TRUE(source);
  EXPECT_EQ((*source)->head().sequence(), 2u);
  EXPECT_EQ((*source)->history().epochs_size(), 1);
  EXPECT_EQ((*source)->record_count(), 301u);
  MustCommit(DirectoryCommit({{DirectoryKey("user5"), "changed"}, {DirectoryKey("user6"), std::nullopt}}));

  ASSERT_TRUE(other().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  ASSERT_TRUE(ReceiveCopy(**source, other(), 500));
  ASSERT_EQ(*other().MakeSnapshot()->Head(kTestPool), std::nullopt) << "nothing shows before the flip";
  ASSERT_TRUE(other().FlipStaging(kTestPool));
  EXPECT_EQ(WholeDirectory(*other().MakeSnapshot()), WholeDirectory(*at_pin));
  EXPECT_EQ((*other().FindStaging(kTestPool)), std::nullopt);

  // The stream goes on from the copy's position.
  EXPECT_EQ(*other().DigestAt(kTestPool, 2), *store().DigestAt(kTestPool, 2));
  Replicate(store(), other());
  EXPECT_EQ(WholeDirectory(*other().MakeSnapshot()), WholeDirectory(*store().MakeSnapshot()));
  EXPECT_EQ(ReadVerifiedLog(other(), kTestPool, 3).size(), 1u);
  EXPECT_EQ(CodeOf(other().ReadLog(kTestPool, 2, 1000)), StoreErrorCode::kGap);
}

TEST_P(StoreContract, AnInterruptedCopyResumesAtItsCursorAfterEveryPiece) {
  FillPrimary(other(), 50);
  auto source = other().OpenCopy(kTestPool);
  ASSERT_TRUE(source);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  while (!ReceiveCopy(**source, store(), 40, 1)) {
    const auto before = **store().FindStaging(kTestPool);
    Reopen();
    const auto after = **store().FindStaging(kTestPool);
    ASSERT_EQ(after.cursor, before.cursor);
    ASSERT_EQ(after.records, before.records);
    ASSERT_EQ(after.head.digest(), (*source)->head().digest());
    // The same head again changes nothing.
    ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
    ASSERT_EQ((*store().FindStaging(kTestPool))->cursor, before.cursor);
  }
  EXPECT_EQ((*store().FindStaging(kTestPool))->records, 51u);
  ASSERT_TRUE(store().FlipStaging(kTestPool));
  Reopen();
  EXPECT_EQ(WholeDirectory(*store().MakeSnapshot()), WholeDirectory(*other().MakeSnapshot()));
  EXPECT_EQ(HeadNow().digest(), (*source)->head().digest());
}

TEST_P(StoreContract, AFlipReplacesTheDirectoryAndNothingElse) {
  Commit old = FirstCommit({{DirectoryKey("old"), "old"}, {DirectoryKey("user1"), "old"}});
  old.regional = {{RegionalKey("r"), "kept"}};
  MustCommit(old);
  MustCommit(FactCommit("fact", Elements({"kept"})));
  FillPrimary(other(), 10);
  auto source = other().OpenCopy(kTestPool);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  ASSERT_TRUE(ReceiveCopy(**source, store(), 100));
  EXPECT_EQ(ReadNow(store(), DirectoryKey("user1")), "old") << "goes on serving what it has";

  const auto before = store().MakeSnapshot();
  Commit stale;
  stale.regional = {{RegionalKey("x"), "1"}};
  stale.snapshot_version = before->version();
  stale.reads = {DirectoryKey("user1")};
  std::vector<Notice> notices;
  const auto subscription = store().Subscribe([&](const Notice& notice) { notices.push_back(notice); });
  ASSERT_TRUE(store().FlipStaging(kTestPool));
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_TRUE(notices[0].everything);
  EXPECT_EQ(notices[0].pool, kTestPool);
  ASSERT_TRUE(notices[0].head);
  EXPECT_EQ(notices[0].head->digest(), (*source)->head().digest());
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), stale)), StoreErrorCode::kConflict);

  EXPECT_EQ(*before->Get(DirectoryKey("old")), "old") << "a snapshot does not move";
  EXPECT_EQ(ReadNow(store(), DirectoryKey("old")), std::nullopt);
  EXPECT_EQ(ReadNow(store(), DirectoryKey("user1")), "v1");
  EXPECT_EQ(ReadNow(store(), RegionalKey("r")), "kept");
  EXPECT_TRUE(ReadNow(store(), FactKey("fact")));
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), DirectoryCommit({{DirectoryKey("old"), "x"}}))), StoreErrorCode::kNotWriter);
}

TEST_P(StoreContract, AFlipReplacesNothingThatCameAfterTheCopyWasBegun) {
  MustCommit(FirstCommit({{DirectoryKey("old"), "old"}}));
  FillPrimary(other(), 10);
  auto source = other().OpenCopy(kTestPool);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  ASSERT_TRUE(ReceiveCopy(**source, store(), 100));
  MustCommit(DirectoryCommit({{DirectoryKey("later"), "later"}}));
  EXPECT_EQ(CodeOf(store().FlipStaging(kTestPool)), StoreErrorCode::kConflict);
  EXPECT_EQ(ReadNow(store(), DirectoryKey("later")), "later");

  ASSERT_TRUE(store().DropStaging(kTestPool));
  source = other().OpenCopy(kTestPool);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  ASSERT_TRUE(ReceiveCopy(**source, store(), 100));
  ASSERT_TRUE(store().FlipStaging(kTestPool));
  EXPECT_EQ(ReadNow(store(), DirectoryKey("later")), std::nullopt);
}

TEST_P(StoreContract, AStagingOfAnotherHeadReplacesTheFormerOne) {
  FillPrimary(other(), 20);
  auto first = other().OpenCopy(kTestPool);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*first)->head(), (*first)->history()));
  ASSERT_FALSE(ReceiveCopy(**first, store(), 100, 2));
  ASSERT_TRUE(SubmitAndWait(other(), DirectoryCommit({{DirectoryKey("user0"), std::nullopt}})));
  auto second = other().OpenCopy(kTestPool);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*second)->head(), (*second)->history()));
  EXPECT_EQ((*store().FindStaging(kTestPool))->cursor, "");
  EXPECT_EQ((*store().FindStaging(kTestPool))->records, 0u);
  ASSERT_TRUE(ReceiveCopy(**second, store(), 100));
  ASSERT_TRUE(store().FlipStaging(kTestPool));
  EXPECT_EQ(WholeDirectory(*store().MakeSnapshot()), WholeDirectory(*other().MakeSnapshot()));
}

TEST_P(StoreContract, StagingRefusesWhatDoesNotFit) {
  FillPrimary(other(), 3);
  auto source = other().OpenCopy(kTestPool);
  const std::vector<Record> records = *(*source)->Next("", 1 << 20);
  EXPECT_EQ(CodeOf(store().WriteStaging(kTestPool, records)), StoreErrorCode::kGap);
  EXPECT_EQ(CodeOf(store().FlipStaging(kTestPool)), StoreErrorCode::kGap);
  EXPECT_TRUE(store().DropStaging(kTestPool));
  EXPECT_EQ(CodeOf(store().BeginStaging(kTestPool, (*source)->head(), pb::History())), StoreErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf(store().OpenCopy(kTestPool)), StoreErrorCode::kGap);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  EXPECT_EQ(CodeOf(store().WriteStaging(kTestPool, {{"x", ""}})), StoreErrorCode::kCorrupt);
  EXPECT_EQ(CodeOf(store().WriteStaging(kTestPool, {records[1], records[0]})), StoreErrorCode::kGap);
  ASSERT_TRUE(store().WriteStaging(kTestPool, {records[0], records[1]}));
  EXPECT_EQ(CodeOf(store().WriteStaging(kTestPool, {records[1]})), StoreErrorCode::kGap);
  EXPECT_EQ((*store().FindStaging(kTestPool))->records, 2u);
  ASSERT_TRUE(store().DropStaging(kTestPool));
  EXPECT_EQ(*store().FindStaging(kTestPool), std::nullopt);
}

TEST_P(StoreContract, ADroppedPoolLeavesNothingAndCanBeginAgain) {
  const PoolId neighbour{kTestPool.value() + "x"};
  Commit first = FirstCommit({{DirectoryKey("a"), "1"}});
  first.regional = {{RegionalKey("r"), "1"}};
  MustCommit(first);
  MustCommit(FactCommit("f", Elements({"x"}, 100)));
  MustCommit(FirstCommit({{DirectoryKey("a", neighbour), "kept"}}, neighbour));
  FillPrimary(other(), 10);
  auto source = other().OpenCopy(kTestPool);
  for (int generation = 0; generation < 2; ++generation) {
    ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
    ASSERT_TRUE(ReceiveCopy(**source, store(), 100));
    if (generation == 0) ASSERT_TRUE(store().FlipStaging(kTestPool));
  }
  std::vector<Notice> notices;
  {
    const auto subscription = store().Subscribe([&](const Notice& notice) { notices.push_back(notice); });
    ASSERT_TRUE(store().DropPool(kTestPool));
  }
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_TRUE(notices[0].everything);
  EXPECT_FALSE(notices[0].head);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(*store().MakeSnapshot()->Head(kTestPool), std::nullopt);
    EXPECT_EQ(store().MakeSnapshot()->History(kTestPool)->epochs_size(), 0);
    EXPECT_EQ(store().MakeSnapshot()->Facts(kTestPool)->progress_size(), 0);
    EXPECT_EQ(*store().FindStaging(kTestPool), std::nullopt);
    EXPECT_TRUE(WholeDirectory(*store().MakeSnapshot()).empty());
    EXPECT_EQ(ReadNow(store(), RegionalKey("r")), std::nullopt);
    EXPECT_EQ(ReadNow(store(), FactKey("f")), std::nullopt);
    EXPECT_EQ(ReadNow(store(), DirectoryKey("a", neighbour)), "kept");
    EXPECT_EQ(*store().MakeSnapshot()->Pools(std::nullopt, 10), (std::vector<PoolId>{neighbour}));
    EXPECT_EQ(*store().ForgetExpiredFacts(FromMicros(1000), 10), 0u);
    Reopen();
  }
  MustCommit(FirstCommit({{DirectoryKey("b"), "again"}}));
  EXPECT_EQ(WholeDirectory(*store().MakeSnapshot()).size(), 1u);
  EXPECT_EQ(*store().MakeSnapshot()->Pools(std::nullopt, 10), (std::vector<PoolId>{kTestPool, neighbour}));
  EXPECT_EQ(*store().MakeSnapshot()->Pools(kTestPool, 10), (std::vector<PoolId>{neighbour}));
  EXPECT_EQ(*store().MakeSnapshot()->Pools(std::nullopt, 1), (std::vector<PoolId>{kTestPool}));
}

TEST_P(StoreContract, FactsOfADroppedPoolAreNumberedAnewUnderAnotherName) {
  MustCommit(FactCommit("f", Elements({"x"})));
  MustCommit(FactCommit("g", Elements({"x"})));
  const auto former = *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1000);
  ASSERT_TRUE(store().DropPool(kTestPool));
  for (int round = 1; round <= 2; ++round) {
    MustCommit(FactCommit("again", Elements({std::to_string(round)})));
    const pb::FactVector vector = *store().MakeSnapshot()->Facts(kTestPool);
    ASSERT_EQ(vector.progress_size(), 1);
    EXPECT_EQ(vector.progress(0).region(), kRegion.value());
    EXPECT_NE(vector.progress(0).incarnation(), store().incarnation());
    EXPECT_EQ(vector.progress(0).number(), static_cast<std::uint64_t>(round));
    Reopen();
  }
  // What others still know of the former numbering is merged like any Region's.
  ASSERT_TRUE(MergeAndWait(store(), kTestPool, former));
  EXPECT_TRUE(ReadNow(store(), FactKey("g")));
}

TEST_P(StoreContract, APoolThatBeginsAgainAfterACopyWasDroppedIsReadAtOnce) {
  FillPrimary(other(), 3);
  auto source = other().OpenCopy(kTestPool);
  ASSERT_TRUE(store().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  ASSERT_TRUE(ReceiveCopy(**source, store(), 100));
  ASSERT_TRUE(store().FlipStaging(kTestPool));
  ASSERT_TRUE(store().DropPool(kTestPool));
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  EXPECT_EQ(ReadNow(store(), DirectoryKey("a")), "1");
  EXPECT_EQ(WholeDirectory(*store().MakeSnapshot()).size(), 1u);
}

}  // namespace symbolon::storage
