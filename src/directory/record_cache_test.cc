#include "directory/record_cache.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/test_store.h"

namespace symbolon::directory {
namespace {

const PoolId kPool("eu-central-1_Pool");
const PoolId kOther("eu-central-1_Other");

class RecordCacheTest : public testing::Test {
 protected:
  RecordCacheTest() { cache_.Follow(store_.store()); }

  Transaction Begin(const PoolId& pool = kPool) {
    return Transaction(store_.store().MakeSnapshot(), pool, store_.KeysOf(pool), store_.random(), &cache_);
  }
  void PutClient(const PoolId& pool, const std::string& id, const std::string& name) {
    store_.Change(pool, [&](Transaction& tx) {
      pb::ClientRecord client;
      client.set_name(name);
      tx.Put<ClientKind>(id, client);
    });
  }
  std::shared_ptr<const pb::ClientRecord> Share(const std::string& id, const PoolId& pool = kPool) {
    Transaction tx = Begin(pool);
    return tx.Share<ClientKind>(id);
  }
  static storage::Key KeyOf(const std::string& id) {
    return {.pool = kPool, .type = static_cast<std::uint16_t>(RecordType::kClient), .id = id};
  }

  ManualClock clock_;
  TestStore store_{"eu-central-1", clock_};
  RecordCache cache_;
};

TEST_F(RecordCacheTest, PlansShareOneRecord) {
  PutClient(kPool, "c", "shop");
  const auto first = Share("c");
  ASSERT_TRUE(first);
  EXPECT_EQ(first->name(), "shop");
  EXPECT_EQ(Share("c"), first);
}

TEST_F(RecordCacheTest, AbsenceIsNotKept) {
  EXPECT_FALSE(Share("c"));
  PutClient(kPool, "c", "shop");
  EXPECT_TRUE(Share("c"));
}

TEST_F(RecordCacheTest, AChangeIsSeenByWhoeverBeginsAfterIt) {
  PutClient(kPool, "c", "before");
  ASSERT_EQ(Share("c")->name(), "before");
  PutClient(kPool, "c", "after");
  EXPECT_EQ(Share("c")->name(), "after");
  store_.Change(kPool, [](Transaction& tx) { tx.Delete<ClientKind>("c"); });
  EXPECT_FALSE(Share("c"));
}

TEST_F(RecordCacheTest, AnOlderSnapshotSeesItsOwnTime) {
  PutClient(kPool, "c", "before");
  Transaction old = Begin();
  PutClient(kPool, "c", "after");
  ASSERT_EQ(Share("c")->name(), "after");
  EXPECT_EQ(old.Share<ClientKind>("c")->name(), "before");
  // And leaves it to itself.
  EXPECT_EQ(Share("c")->name(), "after");
}

TEST_F(RecordCacheTest, WhatWasReadBeforeAChangeIsNotKeptAfterIt) {
  PutClient(kPool, "c", "before");
  const std::uint64_t version = Begin().snapshot().version();
  PutClient(kPool, "c", "after");
  cache_.Put(KeyOf("c"), version, nullptr, std::make_shared<const pb::ClientRecord>());
  EXPECT_FALSE(cache_.Find(KeyOf("c"), Begin().snapshot().version()));
}

TEST_F(RecordCacheTest, AVersionWhoseNoticeHasNotComeIsNotServed) {
  const std::uint64_t version = Begin().snapshot().version();
  cache_.Put(KeyOf("c"), version, nullptr, std::make_shared<const pb::ClientRecord>());
  EXPECT_TRUE(cache_.Find(KeyOf("c"), version));
  EXPECT_FALSE(cache_.Find(KeyOf("c"), version + 1));
  EXPECT_FALSE(cache_.Find(KeyOf("c"), version - 1));
}

TEST_F(RecordCacheTest, ASharedRecordIsInTheReadSet) {
  PutClient(kPool, "c", "before");
  ASSERT_TRUE(Share("c"));
  Transaction tx = Begin();
  ASSERT_TRUE(tx.Share<ClientKind>("c"));
  tx.Put<GroupKind>("g", pb::GroupRecord());
  PutClient(kPool, "c", "after");
  const auto committed = store_.Commit(tx);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, storage::StoreErrorCode::kConflict);
}

TEST_F(RecordCacheTest, APlanSeesItsOwnChange) {
  PutClient(kPool, "c", "before");
  ASSERT_TRUE(Share("c"));
  Transaction tx = Begin();
  pb::ClientRecord mine;
  mine.set_name("mine");
  tx.Put<ClientKind>("c", mine);
  EXPECT_EQ(tx.Share<ClientKind>("c")->name(), "mine");
  EXPECT_EQ(Share("c")->name(), "before");
}

TEST_F(RecordCacheTest, WhatIsMadeOfAllGoesWhenOneChanges) {
  int made = 0;
  const auto names = [&] {
    Transaction tx = Begin();
    return *tx.ShareAll<ClientKind>(10, [&](Rows<ClientKind> rows) {
      ++made;
      std::string all;
      for (const auto& row : rows.rows) all += row.record.name() + " ";
      return std::make_shared<const std::string>(all);
    });
  };
  PutClient(kPool, "a", "one");
  EXPECT_EQ(names(), "one ");
  EXPECT_EQ(names(), "one ");
  EXPECT_EQ(made, 1);
  PutClient(kPool, "b", "two");
  EXPECT_EQ(names(), "one two ");
  EXPECT_EQ(made, 2);
}

TEST_F(RecordCacheTest, WhatIsMadeOfAllIsInTheReadSet) {
  const auto count = [](Rows<ClientKind> rows) { return std::make_shared<const std::size_t>(rows.rows.size()); };
  PutClient(kPool, "a", "one");
  ASSERT_EQ(*Begin().ShareAll<ClientKind>(10, count), 1u);
  Transaction tx = Begin();
  ASSERT_EQ(*tx.ShareAll<ClientKind>(10, count), 1u);
  tx.Put<GroupKind>("g", pb::GroupRecord());
  PutClient(kPool, "b", "two");
  EXPECT_FALSE(store_.Commit(tx));
}

TEST_F(RecordCacheTest, PoolsAreKeptApart) {
  PutClient(kPool, "c", "here");
  PutClient(kOther, "c", "there");
  EXPECT_EQ(Share("c", kPool)->name(), "here");
  EXPECT_EQ(Share("c", kOther)->name(), "there");
}

TEST_F(RecordCacheTest, ForgettingDropsOnePoolsRecords) {
  PutClient(kPool, "c", "here");
  PutClient(kOther, "c", "there");
  const auto here = Share("c", kPool);
  const auto there = Share("c", kOther);
  cache_.Forget(kPool);
  EXPECT_EQ(here.use_count(), 1);
  EXPECT_EQ(Share("c", kOther), there);
}

TEST_F(RecordCacheTest, NothingIsKeptThatRetiredKeysOpened) {
  PutClient(kPool, "c", "shop");
  Transaction under_way = Begin();
  under_way.keys().Retire();
  cache_.Forget(kPool);
  const auto last = under_way.Share<ClientKind>("c");
  ASSERT_TRUE(last);
  EXPECT_EQ(last.use_count(), 1);
}

TEST_F(RecordCacheTest, DroppingThePoolDropsItsRecords) {
  PutClient(kPool, "c", "shop");
  const auto kept = Share("c");
  ASSERT_TRUE(store_.store().DropPool(kPool));
  EXPECT_EQ(kept.use_count(), 1);
  EXPECT_FALSE(Share("c"));
}

TEST_F(RecordCacheTest, TheNumberOfEntriesIsBounded) {
  RecordCache small(16);
  small.Follow(store_.store());
  const std::uint64_t version = Begin().snapshot().version();
  std::vector<std::weak_ptr<const pb::ClientRecord>> all;
  for (int i = 0; i < 1'000; ++i) {
    const auto record = std::make_shared<const pb::ClientRecord>();
    all.push_back(record);
    small.Put(KeyOf(std::to_string(i)), version, nullptr, record);
  }
  const auto kept = std::ranges::count_if(all, [](const auto& record) { return !record.expired(); });
  EXPECT_GE(kept, 16);
  EXPECT_LE(kept, 32);
}

}  // namespace
}  // namespace symbolon::directory
