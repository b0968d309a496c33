#include "node/gone_members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "directory/record_types.h"
#include "directory/test_store.h"
#include "replication/roles.h"

namespace symbolon::node {
namespace {

using directory::RecordType;
using replication::pb::RoleRecord;
using testing::ElementsAre;

const Region kHere("eu-central-1");
const Region kGone("us-east-1");
const Region kSlow("ap-south-1");
const PoolId kPool("eu-central-1_Members1");

class GoneMembersTest : public testing::Test {
 protected:
  GoneMembersTest() {
    RoleRecord role = replication::NewRoleRecord(kHere);
    for (const Region& region : {kGone, kSlow}) {
      role = *replication::MarkCopied(*replication::AddMember(role, region, clock_.Now()), region);
    }
    Store(role);
  }

  void Store(const RoleRecord& role) {
    store_.Change(kPool, [&](directory::Transaction& tx) {
      tx.PutClear(RecordType::kRole, "", replication::SerializeRole(role));
    });
  }
  RoleRecord Role() {
    return *store_.See(
        kPool, [](directory::Transaction& tx) { return replication::ParseRole(*tx.GetClear(RecordType::kRole, "")); });
  }
  std::vector<std::string> Members() {
    std::vector<std::string> regions;
    for (const auto& member : Role().members()) regions.push_back(member.region());
    return regions;
  }
  void DeleteReplica(const Region& region) { Store(*replication::BeginRemoval(Role(), region)); }

  ManualClock clock_;
  directory::TestStore store_{kHere.value(), clock_};
  replication::DurableCommits commits_{store_.store(), nullptr};
  GoneMembers members_{store_.store(), commits_, nullptr, kHere, {kGone, Region("sa-east-1")}};
};

TEST_F(GoneMembersTest, ReplicaThatIsDeletedAndGone_HasLeft) {
  DeleteReplica(kGone);
  DeleteReplica(kSlow);
  members_.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value())) << "which may come back, and is heard then";
}

TEST_F(GoneMembersTest, ReplicaThatIsNotDeleted_Stays) {
  members_.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value(), kGone.value()));
  DeleteReplica(kGone);
  members_.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value()));
}

TEST_F(GoneMembersTest, PoolIsDeleted_NobodyWaitsForTheOneThatIsGone) {
  Store(replication::MarkDeleted(Role()));
  members_.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value()));
  EXPECT_TRUE(Role().deleted());
}

TEST_F(GoneMembersTest, AnotherRegionIsThePrimary_NothingIsWritten) {
  RoleRecord role = *replication::BeginRemoval(Role(), kGone);
  role.set_primary(kSlow.value());
  Store(role);
  members_.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value(), kGone.value()));
}

TEST_F(GoneMembersTest, WritesWait_OrFail_ItIsTriedAgain) {
  replication::WriteGate gate(std::chrono::seconds(1));
  GoneMembers members(store_.store(), commits_, &gate, kHere, {kGone});
  DeleteReplica(kGone);
  members.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value(), kGone.value()));
  gate.Open();
  store_.disk().SetFull(true);
  members.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value(), kGone.value()));
  store_.disk().SetFull(false);
  members.Tick();
  EXPECT_THAT(Members(), ElementsAre(kSlow.value()));
}

}  // namespace
}  // namespace symbolon::node
