#include "node/deleted_pools.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/manual_clock.h"
#include "directory/record_types.h"
#include "directory/test_store.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

using directory::RecordType;
using testing::ElementsAre;
using testing::IsEmpty;

const Region kHere("eu-central-1");
const PoolId kPool("eu-central-1_Deleted1");
const PoolId kOther("eu-central-1_Other1");

constexpr std::uint16_t kFactType = 1;

class DeletedPoolsTest : public testing::Test {
 protected:
  DeletedPoolsTest() {
    for (const PoolId& pool : {kPool, kOther}) {
      store_.Change(pool, [](directory::Transaction& tx) {
        tx.PutClear(RecordType::kRole, "", replication::SerializeRole(replication::NewRoleRecord(kHere)));
        tx.PutClear(RecordType::kWrappedKeys, "", "wrapped keys");
        tx.PutClearRegional(RecordType::kRegionalKeys, "", "wrapped keys");
        storage::pb::FactValue value;
        value.set_maximum(1);
        tx.JoinFact(kFactType, "subject", value);
      });
    }
  }

  void ChangeRole(const std::function<replication::pb::RoleRecord(replication::pb::RoleRecord)>& change) {
    store_.Change(kPool, [&](directory::Transaction& tx) {
      const auto role = replication::ParseRole(*tx.GetClear(RecordType::kRole, ""));
      tx.PutClear(RecordType::kRole, "", replication::SerializeRole(change(*role)));
    });
  }
  void Delete() { ChangeRole(replication::MarkDeleted); }

  std::vector<PoolId> Pools() { return store_.store().MakeSnapshot()->Pools(std::nullopt, 10).value(); }
  bool HasFact(const PoolId& pool) {
    const storage::Key key{.space = storage::Space::kFact, .pool = pool, .type = kFactType, .id = "subject"};
    return store_.store().MakeSnapshot()->Get(key).value().has_value();
  }
  void ExpectDropped() {
    EXPECT_THAT(Pools(), ElementsAre(kOther));
    EXPECT_THAT(store_.Contents(kPool), IsEmpty());
    EXPECT_FALSE(HasFact(kPool));
    EXPECT_FALSE(store_.Contents(kOther).empty());
    EXPECT_TRUE(HasFact(kOther));
  }

  ManualClock clock_;
  directory::TestStore store_{kHere.value(), clock_};
};

TEST_F(DeletedPoolsTest, Deleted_NothingIsLeftOfThePoolAndOthersStay) {
  DeletedPools pools(store_.store(), kHere);
  pools.Tick();
  EXPECT_THAT(Pools(), ElementsAre(kPool, kOther));
  EXPECT_TRUE(HasFact(kPool));
  Delete();
  pools.Tick();
  ExpectDropped();
}

TEST_F(DeletedPoolsTest, DeletedBeforeTheStart_IsDropped) {
  Delete();
  DeletedPools(store_.store(), kHere).Tick();
  ExpectDropped();
}

TEST_F(DeletedPoolsTest, StoreFails_IsTriedAgain) {
  DeletedPools pools(store_.store(), kHere);
  pools.Tick();
  Delete();
  store_.disk().SetFull(true);
  pools.Tick();
  EXPECT_THAT(Pools(), ElementsAre(kPool, kOther));
  store_.disk().SetFull(false);
  pools.Tick();
  ExpectDropped();
}

TEST_F(DeletedPoolsTest, OfAPoolThatOthersHaveToDropFirst_OrThatIsBeingShredded_NothingIsTouched) {
  DeletedPools pools(store_.store(), kHere);
  ChangeRole([&](auto role) { return *replication::AddMember(std::move(role), Region("us-east-1"), clock_.Now()); });
  Delete();
  pools.Tick();
  EXPECT_THAT(Pools(), ElementsAre(kPool, kOther)) << "a replica has not heard of it";

  store_.Change(kOther, [](directory::Transaction& tx) {
    const auto role = replication::ParseRole(*tx.GetClear(RecordType::kRole, ""));
    tx.PutClear(RecordType::kRole, "", replication::SerializeRole(replication::MarkDeleted(*role)));
    tx.PutClear(RecordType::kShreddingOrder, "", "order");
  });
  pools.Tick();
  EXPECT_THAT(Pools(), ElementsAre(kPool, kOther)) << "its shredding drops it";
}

}  // namespace
}  // namespace symbolon::node
