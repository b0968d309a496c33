// The store contract: bodies of the directory log that are erased.
#pragma once

#include "storage/contract/fixture.h"

namespace symbolon::storage {

inline Store::ErasesBody OfId(const Bytes& id) {
  return [id](BytesView key, BytesView) { return key.substr(2) == id; };
}

TEST_P(StoreContract, ErasedBodiesAreGoneAndTheLogChainsAsBefore) {
  MustCommit(FirstCommit({{DirectoryKey("user"), "body 1"}, {DirectoryKey("other"), "kept 1"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("user"), "body 2"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("user"), std::nullopt}, {DirectoryKey("other"), "kept 2"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("user"), "body of another of this name"}}));
  const pb::Head head = HeadNow();
  const Bytes digest2 = **store().DigestAt(kTestPool, 2);
  EXPECT_EQ(*store().LogErasedThrough(kTestPool), 0u);

  EXPECT_EQ(*store().EraseLogBodies(kTestPool, 3, OfId("user")), 2u);
  EXPECT_EQ(*store().EraseLogBodies(kTestPool, 3, OfId("user")), 0u) << "again, after a crash";
  for (int round = 0; round < 2; ++round) {
    const std::vector<pb::LogEntry> log = ReadVerifiedLog(store(), kTestPool);
    ASSERT_EQ(log.size(), 4u);
    EXPECT_FALSE(log[0].changes(0).has_value());
    EXPECT_FALSE(log[0].changes(0).deleted());
    EXPECT_EQ(log[0].changes(0).value_digest(), ValueDigest("body 1"));
    EXPECT_EQ(log[0].changes(1).value(), "kept 1");
    EXPECT_FALSE(log[1].changes(0).has_value());
    EXPECT_TRUE(log[2].changes(0).deleted());
    EXPECT_EQ(log[3].changes(0).value(), "body of another of this name");
    EXPECT_EQ(HeadNow().digest(), head.digest());
    EXPECT_EQ(*store().DigestAt(kTestPool, 2), digest2);
    EXPECT_EQ(*store().LogErasedThrough(kTestPool), 2u);
    EXPECT_EQ(ReadNow(store(), DirectoryKey("user")), "body of another of this name") << "records are not touched";
    EXPECT_EQ(ReadNow(store(), DirectoryKey("other")), "kept 2");
    Reopen();
  }
  MustCommit(DirectoryCommit({{DirectoryKey("user"), "goes on"}}));
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool).size(), 5u);
}

TEST_P(StoreContract, EntriesThatHaveLostABodyAreNotGivenToOthersToApply) {
  MustCommit(FirstCommit());
  for (int i = 0; i < 5; ++i) MustCommit(DirectoryCommit({{DirectoryKey(std::to_string(i)), "v"}}));
  ASSERT_EQ(*store().EraseLogBodies(kTestPool, 6, OfId("2")), 1u);
  for (std::uint64_t first = 1; first <= 4; ++first) {
    EXPECT_EQ(CodeOf(store().ReadLogAsStored(kTestPool, first, 1 << 20)), StoreErrorCode::kGap) << first;
  }
  EXPECT_EQ(store().ReadLogAsStored(kTestPool, 5, 1 << 20)->size(), 2u);
  // Past what was trimmed, nothing was lost.
  ASSERT_TRUE(store().TrimLog(kTestPool, 5));
  EXPECT_EQ(store().ReadLogAsStored(kTestPool, 5, 1 << 20)->size(), 2u);
  EXPECT_EQ(*store().EraseLogBodies(kTestPool, 4, OfId("1")), 0u) << "not kept any more";
  EXPECT_EQ(*store().EraseLogBodies(kTestPool, ~std::uint64_t{0}, OfId("nobody")), 0u);
  EXPECT_EQ(CodeOf(store().EraseLogBodies(PoolId("eu-central-1_Unknown01"), 1, OfId("a"))), StoreErrorCode::kGap);
}

// As nobody of this version sends it; a replica that gets it all the same ends up equal once it has the deletion.
TEST_P(StoreContract, AnAppliedEntryWithoutItsBodyDeletesItsKey) {
  MustCommit(FirstCommit({{DirectoryKey("user"), "body"}, {DirectoryKey("other"), "kept"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("user"), std::nullopt}}));
  ASSERT_EQ(*store().EraseLogBodies(kTestPool, 2, OfId("user")), 1u);
  const std::vector<pb::LogEntry> log = ReadVerifiedLog(store(), kTestPool);
  ASSERT_TRUE(ApplyAndWait(other(), kTestPool, {log[0]}));
  EXPECT_EQ(ReadNow(other(), DirectoryKey("user")), std::nullopt);
  EXPECT_EQ(ReadNow(other(), DirectoryKey("other")), "kept");
  ASSERT_TRUE(ApplyAndWait(other(), kTestPool, {log[1]}));
  EXPECT_EQ((*other().MakeSnapshot()->Head(kTestPool))->digest(), HeadNow().digest());
}

TEST_P(StoreContract, ACopyStartsALogInWhichNothingWasErased) {
  MustCommit(FirstCommit({{DirectoryKey("user"), "body"}}));
  MustCommit(DirectoryCommit({{DirectoryKey("user"), std::nullopt}}));
  ASSERT_EQ(*store().EraseLogBodies(kTestPool, 2, OfId("user")), 1u);
  const auto source = *store().OpenCopy(kTestPool);
  ASSERT_TRUE(other().BeginStaging(kTestPool, source->head(), source->history()));
  ASSERT_TRUE(other().FlipStaging(kTestPool));
  EXPECT_EQ(*other().LogErasedThrough(kTestPool), 0u);
}

TEST_P(StoreContract, ManyBodiesAreErasedInPiecesWhileWritesGoOn) {
  MustCommit(FirstCommit());
  const Bytes large(300 << 10, 'v');
  for (int i = 0; i < 12; ++i) {
    MustCommit(DirectoryCommit({{DirectoryKey("user"), large}, {DirectoryKey("n" + std::to_string(i)), "v"}}));
  }
  int written = 0;
  const auto which = [&](BytesView key, BytesView) {
    // Others write while the log is read.
    if (written < 3) {
      store().Submit(DirectoryCommit({{DirectoryKey("w" + std::to_string(written)), "w"}}), [](auto) {});
      ++written;
    }
    return key.substr(2) == "user";
  };
  EXPECT_EQ(*store().EraseLogBodies(kTestPool, 100, which), 12u);
  MustCommit(DirectoryCommit({{DirectoryKey("last"), "v"}}));
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool).size(), 17u);
  EXPECT_EQ(ReadNow(store(), DirectoryKey("user")), large);
}

}  // namespace symbolon::storage
