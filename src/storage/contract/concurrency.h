// The store contract: many threads, serialisability, notices.
#pragma once

#include <algorithm>
#include <atomic>
#include <future>
#include <mutex>
#include <thread>
#include <utility>

#include "storage/contract/fixture.h"
#include "storage/contract/random_transactions.h"

namespace symbolon::storage {

TEST_P(StoreContract, ConcurrentTransactionsAreSerialisable) {
  MustCommit(FirstCommit());
  std::mutex mutex;
  std::vector<RandomTransactions::Transaction> committed;
  std::atomic<int> conflicts = 0;
  std::vector<std::jthread> clients;
  for (unsigned seed = 1; seed <= 6; ++seed) {
    clients.emplace_back([&, seed] {
      RandomTransactions transactions(seed);
      for (int i = 0; i < 150; ++i) {
        auto [commit, transaction] = transactions.Plan(*store().MakeSnapshot());
        const StoreResult<Committed> result = SubmitAndWait(store(), std::move(commit));
        if (!result) {
          EXPECT_EQ(result.error().code, StoreErrorCode::kConflict);
          ++conflicts;
          continue;
        }
        transaction.version = result->version;
        std::lock_guard lock(mutex);
        committed.push_back(std::move(transaction));
      }
    });
  }
  clients.clear();
  EXPECT_EQ(committed.size() + static_cast<std::size_t>(conflicts), 900u);
  EXPECT_EQ(RandomTransactions::Replay(committed), DirectoryNow(store()));
  EXPECT_EQ(ReadVerifiedLog(store(), kTestPool).size(), committed.size() + 1);
}

TEST_P(StoreContract, EachSnapshotIsOneStateWhileWritesRun) {
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}, {DirectoryKey("b"), "1"}}));
  std::atomic<bool> done = false;
  std::vector<std::jthread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      std::uint64_t last_version = 0;
      while (!done) {
        const auto snapshot = store().MakeSnapshot();
        const std::string expected = std::to_string((*snapshot->Head(kTestPool))->sequence());
        EXPECT_EQ(*snapshot->Get(DirectoryKey("a")), expected);
        EXPECT_EQ(ReadAll(*snapshot, {Space::kDirectory, kTestPool, 1, "b"}).at(0).second, expected);
        EXPECT_GE(snapshot->version(), last_version);
        last_version = snapshot->version();
      }
    });
  }
  for (int i = 2; i <= 300; ++i) {
    MustCommit(DirectoryCommit({{DirectoryKey("a"), std::to_string(i)}, {DirectoryKey("b"), std::to_string(i)}}));
  }
  done = true;
}

TEST_P(StoreContract, NoticesComeInOrderBeforeTheAnswerAndNameWhatChanged) {
  MustCommit(FirstCommit());
  std::mutex mutex;
  std::vector<Notice> notices;
  const auto subscription = store().Subscribe([&](const Notice& notice) {
    std::lock_guard lock(mutex);
    notices.push_back(notice);
  });
  std::vector<std::jthread> clients;
  for (int client = 0; client < 4; ++client) {
    clients.emplace_back([&, client] {
      for (int i = 0; i < 50; ++i) {
        const Key key = DirectoryKey(std::to_string(client) + "/" + std::to_string(i));
        const Committed committed = MustCommit(DirectoryCommit({{key, "v"}}));
        std::lock_guard lock(mutex);
        const auto told = std::find_if(notices.begin(), notices.end(),
                                       [&](const Notice& notice) { return notice.version == committed.version; });
        ASSERT_NE(told, notices.end());
        EXPECT_EQ(told->keys, (std::vector<Key>{key}));
        EXPECT_EQ(told->pool, kTestPool);
        ASSERT_TRUE(told->head);
        EXPECT_EQ(told->head->sequence(), committed.position->sequence());
        EXPECT_FALSE(told->everything);
        EXPECT_FALSE(told->facts_grew);
      }
    });
  }
  clients.clear();
  ASSERT_EQ(notices.size(), 200u);
  for (std::size_t i = 1; i < notices.size(); ++i) {
    EXPECT_GT(notices[i].version, notices[i - 1].version);
    EXPECT_EQ(notices[i].head->sequence(), notices[i - 1].head->sequence() + 1);
  }
}

TEST_P(StoreContract, NoticesNameRegionalKeysFactsAndAppliedKeys) {
  std::vector<Notice> notices;
  const auto subscription = other().Subscribe([&](const Notice& notice) { notices.push_back(notice); });
  Commit commit = FactCommit("f", Elements({"x"}));
  commit.regional = {{RegionalKey("r"), "1"}};
  MustCommitAt(other(), commit);
  MustCommit(FirstCommit({{DirectoryKey("a"), "1"}}));
  MustCommit(FactCommit("g", Elements({"x"})));
  Replicate(store(), other());
  ASSERT_TRUE(MergeAndWait(other(), kTestPool, *store().ReadFacts(kTestPool, kRegion, store().incarnation(), 1, 1000)));
  ASSERT_EQ(notices.size(), 3u);
  EXPECT_EQ(notices[0].keys, (std::vector<Key>{RegionalKey("r"), FactKey("f")}));
  EXPECT_TRUE(notices[0].facts_grew);
  EXPECT_FALSE(notices[0].head);
  EXPECT_EQ(notices[1].keys, (std::vector<Key>{DirectoryKey("a")}));
  ASSERT_TRUE(notices[1].head);
  EXPECT_EQ(notices[1].head->sequence(), 1u);
  EXPECT_EQ(notices[2].keys, (std::vector<Key>{FactKey("g")}));
  EXPECT_TRUE(notices[2].facts_grew);
}

TEST_P(StoreContract, WorkAfterNoticesComesAfterTheAnswerAndMayUseTheStore) {
  MustCommit(FirstCommit());
  std::promise<std::vector<std::string>> told;
  std::vector<std::string> order;
  const auto subscription = store().Subscribe([&](const Notice&) { order.push_back("notice"); },
                                              [&](bool more_follows) {
                                                // That of the commit before may still come.
                                                if (order.empty()) return;
                                                EXPECT_FALSE(more_follows);
                                                order.push_back("after");
                                                // No lock of the store is held.
                                                EXPECT_TRUE(store().TrimLog(kTestPool, 1));
                                                told.set_value(order);
                                              });
  store().Submit(DirectoryCommit({{DirectoryKey("a"), "1"}}), [&](const auto& result) {
    EXPECT_TRUE(result);
    order.push_back("answer");
  });
  EXPECT_EQ(told.get_future().get(), (std::vector<std::string>{"notice", "answer", "after"}));
}

TEST_P(StoreContract, WorkAfterNotices_AnotherThreadTellsOfItsWrite_BothComeToTheirEnd) {
  MustCommit(FirstCommit());
  std::promise<void> working;
  std::promise<void> telling;
  std::atomic<bool> trimmed = false;
  // Is told first: the drop holds the store's lock then, and the other listener is still to be told.
  const auto first = store().Subscribe([&](const Notice& notice) {
    if (notice.everything) telling.set_value();
  });
  const auto second = store().Subscribe([](const Notice&) {},
                                        [&, once = false](bool) mutable {
                                          if (std::exchange(once, true)) return;
                                          working.set_value();
                                          telling.get_future().wait();
                                          trimmed = store().TrimLog(kTestPool, 1) && store().DropStaging(kTestPool);
                                        });
  store().Submit(DirectoryCommit({{DirectoryKey("a"), "1"}}), [](const auto&) {});
  working.get_future().wait();
  EXPECT_TRUE(store().DropPool(PoolId("eu-central-1_Other0001")));
  // The drop's own work after its notices has waited for that of the commit.
  EXPECT_TRUE(trimmed);
}

TEST_P(StoreContract, WorkAfterNoticesComesAfterACopyAndADropToo) {
  MustCommit(FirstCommit());
  int notices = 0;
  int after = 0;
  const auto subscription =
      other().Subscribe([&](const Notice&) { ++notices; }, [&](bool) { EXPECT_EQ(notices, ++after); });
  const auto source = store().OpenCopy(kTestPool);
  ASSERT_TRUE(source);
  ASSERT_TRUE(other().BeginStaging(kTestPool, (*source)->head(), (*source)->history()));
  ASSERT_TRUE(other().WriteStaging(kTestPool, *(*source)->Next("", 1 << 20)));
  ASSERT_TRUE(other().FlipStaging(kTestPool));
  EXPECT_EQ(after, 1);
  ASSERT_TRUE(other().DropPool(kTestPool));
  EXPECT_EQ(after, 2);
}

TEST_P(StoreContract, ASubscriptionThatEndedIsNotCalledAndMayEndItself) {
  int calls = 0;
  auto subscription = store().Subscribe([&](const Notice&) { ++calls; });
  std::unique_ptr<Subscription> self_ending;
  self_ending = store().Subscribe([&](const Notice&) {
    ++calls;
    self_ending.reset();
  });
  MustCommit(FirstCommit());
  EXPECT_EQ(calls, 2);
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "1"}}));
  EXPECT_EQ(calls, 3);
  subscription.reset();
  MustCommit(DirectoryCommit({{DirectoryKey("a"), "2"}}));
  EXPECT_EQ(calls, 3);
}

}  // namespace symbolon::storage
