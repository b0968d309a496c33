#include "directory/routes.h"

#include <gtest/gtest.h>

#include <thread>

#include "base/manual_clock.h"
#include "directory/test_store.h"

namespace symbolon::directory {
namespace {

const PoolId kPool("eu-central-1_Pool");
const PoolId kOther("eu-central-1_Quilt");
const PoolId kForeign("ap-south-1_Apool");

class RoutesTest : public testing::Test {
 protected:
  void PutClient(const PoolId& pool, const std::string& id) {
    store_.Change(pool, [&](Transaction& tx) { tx.Put<ClientKind>(id, pb::ClientRecord()); });
  }
  void PutDomain(const PoolId& pool, const std::string& domain) {
    store_.Change(pool, [&](Transaction& tx) { tx.Put<DomainKind>(domain, pb::DomainRecord()); });
  }
  void DeleteDomain(const PoolId& pool, const std::string& domain) {
    store_.Change(pool, [&](Transaction& tx) { tx.Delete<DomainKind>(domain); });
  }
  static std::unique_ptr<Routes> Open(TestStore& store) {
    auto routes = Routes::Open(store.store());
    EXPECT_TRUE(routes);
    return *std::move(routes);
  }

  ManualClock clock_;
  TestStore store_{"eu-central-1", clock_};
};

TEST_F(RoutesTest, EmptyStoreRoutesNothing) {
  const auto routes = Open(store_);
  EXPECT_EQ(routes->PoolOfClient("client"), std::nullopt);
  EXPECT_EQ(routes->PoolOfDomain("domain"), std::nullopt);
  EXPECT_EQ(routes->PoolOfDomain(""), std::nullopt);
}

TEST_F(RoutesTest, WhatIsInTheStoreIsThereAtTheStart) {
  PutClient(kPool, "client1");
  PutClient(kOther, "client2");
  PutDomain(kOther, "domain");
  const auto routes = Open(store_);
  EXPECT_EQ(routes->PoolOfClient("client1"), kPool);
  EXPECT_EQ(routes->PoolOfClient("client2"), kOther);
  EXPECT_EQ(routes->PoolOfClient("domain"), std::nullopt);
  EXPECT_EQ(routes->PoolOfDomain("domain"), kOther);
}

TEST_F(RoutesTest, ManyClientsOfOnePoolAreThereAtTheStart) {
  store_.Change(kPool, [](Transaction& tx) {
    for (int i = 0; i < 2'500; ++i) tx.Put<ClientKind>("client" + std::to_string(i), pb::ClientRecord());
  });
  const auto routes = Open(store_);
  for (const char* client : {"client0", "client999", "client1000", "client2499"}) {
    EXPECT_EQ(routes->PoolOfClient(client), kPool) << client;
  }
}

TEST_F(RoutesTest, ChangesAreFollowed) {
  const auto routes = Open(store_);
  PutClient(kPool, "client");
  PutDomain(kPool, "domain");
  EXPECT_EQ(routes->PoolOfClient("client"), kPool);
  EXPECT_EQ(routes->PoolOfDomain("domain"), kPool);
  PutClient(kPool, "client");  // changed
  EXPECT_EQ(routes->PoolOfClient("client"), kPool);
  store_.Change(kPool, [](Transaction& tx) { tx.Delete<ClientKind>("client"); });
  DeleteDomain(kPool, "domain");
  EXPECT_EQ(routes->PoolOfClient("client"), std::nullopt);
  EXPECT_EQ(routes->PoolOfDomain("domain"), std::nullopt);
  PutDomain(kOther, "domain");
  EXPECT_EQ(routes->PoolOfDomain("domain"), kOther);
}

TEST_F(RoutesTest, DomainsAreAskedForInAnyCase) {
  PutDomain(kPool, "auth.example.com");
  const auto routes = Open(store_);
  EXPECT_EQ(routes->PoolOfDomain("Auth.EXAMPLE.com"), kPool);
}

TEST_F(RoutesTest, CopyReplacesWhatThePoolHadHere) {
  TestStore primary("us-east-1", clock_);
  PutClient(kPool, "old");
  PutDomain(kPool, "old-domain");
  PutClient(kOther, "untouched");
  primary.Change(kPool, [](Transaction& tx) {
    tx.Put<ClientKind>("new", pb::ClientRecord());
    tx.Put<DomainKind>("new-domain", pb::DomainRecord());
  });
  const auto routes = Open(store_);
  store_.CopyDirectory(primary, kPool);
  EXPECT_EQ(routes->PoolOfClient("old"), std::nullopt);
  EXPECT_EQ(routes->PoolOfDomain("old-domain"), std::nullopt);
  EXPECT_EQ(routes->PoolOfClient("new"), kPool);
  EXPECT_EQ(routes->PoolOfDomain("new-domain"), kPool);
  EXPECT_EQ(routes->PoolOfClient("untouched"), kOther);
}

TEST_F(RoutesTest, DroppedPoolHasNoRoutes) {
  PutClient(kPool, "client");
  PutDomain(kPool, "domain");
  PutClient(kOther, "other");
  const auto routes = Open(store_);
  ASSERT_TRUE(store_.store().DropPool(kPool));
  EXPECT_EQ(routes->PoolOfClient("client"), std::nullopt);
  EXPECT_EQ(routes->PoolOfDomain("domain"), std::nullopt);
  EXPECT_EQ(routes->PoolOfClient("other"), kOther);
}

// Two Regions gave a domain away while they did not see each other; replication brings both here.
TEST_F(RoutesTest, DomainOfTwoPoolsBelongsToTheOneBornHere) {
  for (const bool foreign_first : {true, false}) {
    TestStore store("eu-central-1", clock_);
    const auto put = [&](const PoolId& pool) {
      store.Change(pool, [&](Transaction& tx) { tx.Put<DomainKind>("domain", pb::DomainRecord()); });
    };
    const auto routes = Open(store);
    put(foreign_first ? kForeign : kOther);
    put(foreign_first ? kOther : kForeign);
    EXPECT_EQ(routes->PoolOfDomain("domain"), kOther);
    EXPECT_EQ(Open(store)->PoolOfDomain("domain"), kOther);
    put(kPool);
    EXPECT_EQ(routes->PoolOfDomain("domain"), kPool);
    // Whoever remains has it.
    for (const PoolId* gone : {&kPool, &kOther}) {
      store.Change(*gone, [](Transaction& tx) { tx.Delete<DomainKind>("domain"); });
    }
    EXPECT_EQ(routes->PoolOfDomain("domain"), kForeign);
    ASSERT_TRUE(store.store().DropPool(kForeign));
    EXPECT_EQ(routes->PoolOfDomain("domain"), std::nullopt);
  }
}

TEST_F(RoutesTest, OpenedWhileRoutesChangeItEndsWithThemAll) {
  for (int round = 0; round < 20; ++round) {
    TestStore store("eu-central-1", clock_);
    for (int i = 0; i < 50; ++i) {
      store.Change(kPool, [&](Transaction& tx) { tx.Put<ClientKind>("old" + std::to_string(i), pb::ClientRecord()); });
    }
    std::thread writer([&] {
      for (int i = 0; i < 50; ++i) {
        store.Change(kPool, [&](Transaction& tx) {
          tx.Delete<ClientKind>("old" + std::to_string(i));
          tx.Put<ClientKind>("new" + std::to_string(i), pb::ClientRecord());
        });
      }
    });
    const auto routes = Open(store);
    writer.join();
    for (int i = 0; i < 50; ++i) {
      EXPECT_EQ(routes->PoolOfClient("old" + std::to_string(i)), std::nullopt);
      EXPECT_EQ(routes->PoolOfClient("new" + std::to_string(i)), kPool);
    }
  }
}

}  // namespace
}  // namespace symbolon::directory
