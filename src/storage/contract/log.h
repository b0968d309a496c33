// The store contract: the directory log, epochs, entries of another Region.
#pragma once

#include "storage/contract/fixture.h"

namespace symbolon::storage {

TEST_P(StoreContract, OnlyTheStoreThatOpenedTheEpochExtendsTheLog) {
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), DirectoryCommit({{DirectoryKey("a"), "1"}}))), StoreErrorCode::kNotWriter);
  MustCommit(FirstCommit());
  Commit same_epoch = FirstCommit();
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), same_epoch)), StoreErrorCode::kNotWriter);
  Commit next_epoch = DirectoryCommit({{DirectoryKey("a"), "1"}});
  next_epoch.start_epoch_counter = 5;
  EXPECT_EQ(MustCommit(next_epoch).position->epoch().counter(), 5u);
  EXPECT_EQ(MustCommit(DirectoryCommit({})).position, std::nullopt);

  const StoreResult<pb::History> history = store().MakeSnapshot()->History(kTestPool);
  ASSERT_TRUE(history);
  ASSERT_EQ(history->epochs_size(), 2);
  EXPECT_EQ(history->epochs(0).first_sequence(), 1u);
  EXPECT_EQ(history->epochs(1).first_sequence(), 2u);
  EXPECT_EQ(history->epochs(1).epoch().counter(), 5u);
  EXPECT_EQ(history->epochs(1).digest(), HeadNow().digest());
}

TEST_P(StoreContract, APromisedEpochFencesTheLogForGood) {
  MustCommit(FirstCommit());
  const auto promise = [](std::uint64_t counter, const Region& region) {
    Commit commit;
    commit.pool = kTestPool;
    commit.promise.emplace();
    commit.promise->set_counter(counter);
    commit.promise->set_region(region.value());
    return commit;
  };
  EXPECT_EQ(*store().MakeSnapshot()->Promised(kTestPool), std::nullopt);
  // What was submitted before the promise is done, and what comes after it is not.
  store().Submit(DirectoryCommit({{DirectoryKey("a"), "before"}}), [](auto) {});
  MustCommit(promise(3, kOtherRegion));
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), DirectoryCommit({{DirectoryKey("a"), "after"}}))),
            StoreErrorCode::kNotWriter);
  MustCommit(promise(3, kOtherRegion));
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), promise(2, kOtherRegion))), StoreErrorCode::kConflict);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ((*store().MakeSnapshot()->Promised(kTestPool))->counter(), 3u);
    Commit lower = DirectoryCommit({{DirectoryKey("a"), "after"}});
    lower.start_epoch_counter = 2;
    EXPECT_EQ(CodeOf(SubmitAndWait(store(), lower)), StoreErrorCode::kNotWriter);
    EXPECT_EQ(ReadNow(store(), DirectoryKey("a")), "before");
    Reopen();
  }
  Commit higher = DirectoryCommit({{DirectoryKey("a"), "after"}});
  higher.start_epoch_counter = 4;
  MustCommit(higher);
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), promise(3, kOtherRegion))), StoreErrorCode::kConflict);
  ASSERT_TRUE(store().DropPool(kTestPool));
  EXPECT_EQ((*store().MakeSnapshot()->Promised(kTestPool))->counter(), 3u);
}

TEST_P(StoreContract, AnEpochToWhichNobodyCanHaveComeIsNotPromised) {
  MustCommit(FirstCommit());
  Commit commit;
  commit.pool = kTestPool;
  pb::Epoch& epoch = commit.promise.emplace();
  epoch.set_counter(~std::uint64_t{0});
  epoch.set_region(kOtherRegion.value());
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), commit)), StoreErrorCode::kCorrupt);
  commit.promise->set_counter(2);
  commit.promise->set_incarnation(Bytes(kNameBytesMax + 1, 'i'));
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), commit)), StoreErrorCode::kCorrupt);
  EXPECT_EQ(*store().MakeSnapshot()->Promised(kTestPool), std::nullopt);
}

TEST_P(StoreContract, ACommitAtAPositionIsInConflictWhenTheLogHasGrown) {
  MustCommit(FirstCommit());
  Commit second = DirectoryCommit({{DirectoryKey("a"), "1"}});
  second.at_sequence = 1;
  MustCommit(second);
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), second)), StoreErrorCode::kConflict);
  EXPECT_EQ(HeadNow().sequence(), 2u);
}

TEST_P(StoreContract, TheLogIsGaplessAndChainsInPiecesOfAnySize) {
  MustCommit(FirstCommit({{DirectoryKey("0"), Bytes(500, 'v')}}));
  for (int i = 1; i < 30; ++i) MustCommit(DirectoryCommit({{DirectoryKey(std::to_string(i)), Bytes(500, 'v')}}));
  for (std::size_t limit_bytes : {1, 700, 5000, 1 << 20}) {
    EXPECT_EQ(ReadVerifiedLog(store(), kTestPool, 1, limit_bytes).size(), 30u);
    EXPECT_EQ(ReadVerifiedLog(store(), kTestPool, 17, limit_bytes).size(), 14u);
    EXPECT_EQ(ReadVerifiedLog(store(), kTestPool, 28, limit_bytes).size(), 3u);
  }
  // The same pieces of few entries as of many.
  for (const std::uint64_t first : {1, 27}) {
    const std::size_t entry_bytes = store().ReadLogAsStored(kTestPool, first + 1, 1)->front().size();
    EXPECT_EQ(store().ReadLogAsStored(kTestPool, first, 1)->size(), 1u);
    EXPECT_EQ(store().ReadLogAsStored(kTestPool, first, entry_bytes * 5 / 2)->size(), 2u);
  }
  const auto parsed = *store().ReadLog(kTestPool, 5, 5000);
  const auto stored = *store().ReadLogAsStored(kTestPool, 5, 5000);
  ASSERT_EQ(stored.size(), parsed.size());
  for (std::size_t i = 0; i < stored.size(); ++i) EXPECT_EQ(stored[i], parsed[i].SerializeAsString());
  const StoreResult<std::vector<pb::LogEntry>> beyond = store().ReadLog(kTestPool, 31, 1000);
  ASSERT_TRUE(beyond);
  EXPECT_TRUE(beyond->empty());
  EXPECT_EQ(*store().DigestAt(kTestPool, 0), ZeroDigest());
  EXPECT_EQ(*store().DigestAt(kTestPool, 31), std::nullopt);
  EXPECT_EQ(CodeOf(store().ReadLog(PoolId("eu-central-1_Unknown01"), 1, 1000)), StoreErrorCode::kGap);
}

TEST_P(StoreContract, LogTimesNeverFall) {
  medium_->clock.SetNow(FromSeconds(1000));
  MustCommit(FirstCommit());
  medium_->clock.SetNow(FromSeconds(10));
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "1"}}));
  EXPECT_EQ(HeadNow().commit_time_micros(), ToMicros(FromSeconds(1000)));
}

TEST_P(StoreContract, ATrimmedLogKeepsTheDigestBeforeItsFirstEntry) {
  MustCommit(FirstCommit());
  for (int i = 0; i < 9; ++i) MustCommit(DirectoryCommit({{DirectoryKey("a"), std::to_string(i)}}));
  const Bytes digest4 = **store().DigestAt(kTestPool, 4);
  ASSERT_TRUE(store().TrimLog(kTestPool, 5));
  ASSERT_TRUE(store().TrimLog(kTestPool, 3));  // already gone
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(CodeOf(store().ReadLog(kTestPool, 4, 1000)), StoreErrorCode::kGap);
    EXPECT_EQ(*store().DigestAt(kTestPool, 4), digest4);
    EXPECT_EQ(*store().DigestAt(kTestPool, 3), std::nullopt);
    EXPECT_EQ(ReadVerifiedLog(store(), kTestPool, 5).size(), 6u);
    EXPECT_EQ(ReadNow(store(), DirectoryKey("a")), "8");
    Reopen();
  }
  ASSERT_TRUE(store().TrimLog(kTestPool, 1000));  // everything, and no more
  const Bytes head_digest = HeadNow().digest();
  EXPECT_EQ(*store().DigestAt(kTestPool, 10), head_digest);
  EXPECT_EQ(*store().DigestAt(kTestPool, 9), std::nullopt);
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "next"}}));
  EXPECT_EQ(*store().DigestAt(kTestPool, 10), head_digest);
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool, 11).size(), 1u);
}

TEST_P(StoreContract, ALargeTrimLeavesTheRest) {
  MustCommit(FirstCommit());
  for (int i = 0; i < 1500; ++i) store().Submit(DirectoryCommit({{DirectoryKey("a"), "v"}}), [](auto) {});
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "last"}}));
  ASSERT_EQ(HeadNow().sequence(), 1502u);
  EXPECT_EQ(store().MeasureLog(kTestPool)->entries, 1502u);
  const std::uint64_t whole_bytes = store().MeasureLog(kTestPool)->bytes;
  EXPECT_GT(whole_bytes, 1502u * 50);
  ASSERT_TRUE(store().TrimLog(kTestPool, 1500));
  EXPECT_EQ(store().MeasureLog(kTestPool)->entries, 3u);
  EXPECT_LT(store().MeasureLog(kTestPool)->bytes, whole_bytes / 10);
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool, 1500).size(), 3u);
  EXPECT_EQ(CodeOf(store().ReadLog(kTestPool, 1499, 1000)), StoreErrorCode::kGap);
}

// ---- entries of another Region ----

TEST_P(StoreContract, AppliedEntriesMakeAnEqualDirectory) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}, {DirectoryKey("b"), "2"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("a"), std::nullopt}, {DirectoryKey("c"), "3"}}));
  Commit next_epoch = DirectoryCommit({});
  next_epoch.start_epoch_counter = 2;
  MustCommit(next_epoch);
  Replicate(store(), other());
  const auto here = store().MakeSnapshot();
  const auto there = other().MakeSnapshot();
  EXPECT_EQ((*there->Head(kTestPool))->SerializeAsString(), (*here->Head(kTestPool))->SerializeAsString());
  EXPECT_EQ(there->History(kTestPool)->SerializeAsString(), here->History(kTestPool)->SerializeAsString());
  const KeyRange all{Space::kDirectory, kTestPool, 1, ""};
  EXPECT_EQ(ReadAll(*there, all), ReadAll(*here, all));
  EXPECT_EQ(ReadVerifiedLog(other(), kTestPool).size(), 3u);
  EXPECT_EQ(CodeOf(SubmitAndWait(other(), DirectoryCommit({{DirectoryKey("a"), "x"}}))), StoreErrorCode::kNotWriter);
}

TEST_P(StoreContract, AppliedEntriesAreKeptAsTheyCameAndWhatIsNoneChangesNothing) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("b"), "2"}}));
  std::vector<Bytes> entries = *store().ReadLogAsStored(kTestPool, 1, 1 << 20);
  ASSERT_EQ(entries.size(), 2u);
  // A field that only a later version knows, of number 1000.
  entries[0].append("\xc0\x3e\x07", 3);
  const auto apply = [&](std::vector<Bytes> given) {
    std::promise<StoreResult<pb::Head>> answered;
    other().Apply({kTestPool, std::move(given)}, [&](StoreResult<pb::Head> result) { answered.set_value(result); });
    return answered.get_future().get();
  };
  EXPECT_EQ(CodeOf(apply({entries[0], "no entry"})), StoreErrorCode::kCorrupt);
  EXPECT_EQ(*other().MakeSnapshot()->Head(kTestPool), std::nullopt);
  ASSERT_TRUE(apply(entries));
  EXPECT_EQ(*other().ReadLogAsStored(kTestPool, 1, 1 << 20), entries);
  EXPECT_EQ(ReadNow(other(), DirectoryKey("b")), "2");
}

TEST_P(StoreContract, AppliedEntriesMayComeAgainAndOverlap) {
  MustCommit(FirstCommit());
  for (int i = 0; i < 9; ++i) MustCommit(DirectoryCommit({{DirectoryKey("a"), std::to_string(i)}}));
  const std::vector<pb::LogEntry> log = ReadVerifiedLog(store(), kTestPool);
  const auto part = [&](std::size_t first, std::size_t end) {
    return std::vector<pb::LogEntry>(log.begin() + static_cast<std::ptrdiff_t>(first),
                                     log.begin() + static_cast<std::ptrdiff_t>(end));
  };
  ASSERT_TRUE(ApplyAndWait(other(), kTestPool, part(0, 4)));
  EXPECT_EQ(ApplyAndWait(other(), kTestPool, part(0, 4))->sequence(), 4u);
  EXPECT_EQ(ApplyAndWait(other(), kTestPool, part(1, 3))->sequence(), 4u);
  EXPECT_EQ(ApplyAndWait(other(), kTestPool, {})->sequence(), 4u);
  EXPECT_EQ(ApplyAndWait(other(), kTestPool, part(2, 10))->sequence(), 10u);
  EXPECT_EQ(ReadVerifiedLog(other(), kTestPool).size(), 10u);
  EXPECT_EQ(ReadNow(other(), DirectoryKey("a")), "8");
}

TEST_P(StoreContract, EntriesThatDoNotContinueTheLogChangeNothing) {
  MustCommit(FirstCommit());
  for (int i = 0; i < 5; ++i) MustCommit(DirectoryCommit({{DirectoryKey("a"), std::to_string(i)}}));
  const std::vector<pb::LogEntry> log = ReadVerifiedLog(store(), kTestPool);
  ASSERT_EQ(log.size(), 6u);

  EXPECT_EQ(CodeOf(ApplyAndWait(other(), kTestPool, {log[1]})), StoreErrorCode::kGap) << "a pool starts with 1";
  ASSERT_TRUE(ApplyAndWait(other(), kTestPool, {log[0], log[1]}));
  const auto expect_refused = [&](std::vector<pb::LogEntry> entries, StoreErrorCode code, const char* what) {
    EXPECT_EQ(CodeOf(ApplyAndWait(other(), kTestPool, std::move(entries))), code) << what;
    EXPECT_EQ((*other().MakeSnapshot()->Head(kTestPool))->sequence(), 2u) << what;
    EXPECT_EQ(ReadNow(other(), DirectoryKey("a")), "0") << what;
  };
  expect_refused({log[3]}, StoreErrorCode::kGap, "one is missing");
  expect_refused({log[2], log[4]}, StoreErrorCode::kGap, "one is missing between");
  pb::LogEntry edited = log[2];
  edited.set_previous_digest(log[1].previous_digest());
  expect_refused({edited}, StoreErrorCode::kGap, "does not chain");
  edited = log[1];
  edited.set_commit_time_micros(edited.commit_time_micros() + 1);
  expect_refused({edited}, StoreErrorCode::kGap, "differs from what is here");
  expect_refused({edited, log[2]}, StoreErrorCode::kGap, "differs from what is here, and goes on");
  edited = log[2];
  edited.mutable_epoch()->set_counter(2);
  expect_refused({edited}, StoreErrorCode::kGap, "an epoch without a start");
  edited = log[2];
  edited.set_starts_epoch(true);
  expect_refused({edited}, StoreErrorCode::kGap, "a start without a new epoch");
  edited.mutable_epoch()->set_counter(2);
  edited.mutable_epoch()->set_region(kOtherRegion.value());
  edited.mutable_epoch()->set_incarnation(other().incarnation());
  expect_refused({edited}, StoreErrorCode::kGap, "in the store's own name");
  edited = log[2];
  edited.mutable_changes(0)->set_value("forged");
  expect_refused({edited}, StoreErrorCode::kCorrupt, "a value that its digest does not name");
  edited = log[2];
  edited.mutable_changes(0)->set_key("x");
  expect_refused({edited}, StoreErrorCode::kCorrupt, "a key without a type");
  edited = log[2];
  *edited.add_changes() = edited.changes(0);
  expect_refused({edited}, StoreErrorCode::kCorrupt, "a key twice");
  ASSERT_TRUE(ApplyAndWait(other(), kTestPool, {log[2]}));
}

TEST_P(StoreContract, AnEarlierReadOfAnAppliedKeyIsAConflict) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  Commit regional;
  regional.regional = {{RegionalKey("x"), "1"}};
  regional.snapshot_version = other().MakeSnapshot()->version();
  regional.reads = {DirectoryKey("a")};
  Replicate(store(), other());
  EXPECT_EQ(CodeOf(SubmitAndWait(other(), regional)), StoreErrorCode::kConflict);
}

TEST_P(StoreContract, ASecondaryThatOpensAnEpochBecomesTheWriterAndTheFormerOneFollows) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  Replicate(store(), other());
  Commit take_over = DirectoryCommit({{DirectoryKey("a"), "2"}});
  take_over.start_epoch_counter = 2;
  MustCommitAt(other(), take_over);
  MustCommitAt(other(), DirectoryCommit({{DirectoryKey("a"), "3"}}));
  Replicate(other(), store());
  EXPECT_EQ(ReadNow(store(), DirectoryKey("a")), "3");
  EXPECT_EQ(CodeOf(SubmitAndWait(store(), DirectoryCommit({{DirectoryKey("a"), "4"}}))), StoreErrorCode::kNotWriter);
  EXPECT_EQ(store().MakeSnapshot()->History(kTestPool)->epochs_size(), 2);
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool).size(), 3u);
}

}  // namespace symbolon::storage
