#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/fact_types.h"
#include "auth/first_seen.h"
#include "directory/devices.h"
#include "erasure/test_regions.h"

namespace symbolon::erasure {
namespace {

TEST_F(ErasuresTest, UserWhoWasDeletedBeforeIsErasedByTheSubAndAnotherOfTheNameStays) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  home_.test_store().Change(
      kPool, [&](Transaction& tx) { directory::DeleteUser(tx, pool_, *directory::FindUser(tx, pool_, "ann")); });
  AddUser(home_, "ann", "sub of another ann");
  Replicate();
  Erase(home_, "", SubOf("ann"));
  Replicate();
  RunToTheEnd(home_);
  for (Node* node : {&home_, &away_}) {
    EXPECT_FALSE(node->HoldsAny(bodies));
    EXPECT_TRUE(Exists(*node, "ann"));
    EXPECT_TRUE(Exists(*node, "sub of another ann"));
  }
  EXPECT_EQ(Certificate(home_).order.user_sub, SubOf("ann"));
}

TEST_F(ErasuresTest, LaterUserOfTheNameIsNotTouched) {
  Erase(home_, "ann");
  Replicate();
  RunToTheEnd(home_);
  AddUser(home_, "ann", "sub of another ann");
  const auto bodies = home_.Bodies(RecordType::kUser, KeyOf("ann"));
  ASSERT_EQ(bodies.size(), 1u);
  Replicate();
  home_.Restart();
  RunToTheEnd(home_);
  EXPECT_EQ(home_.Bodies(RecordType::kUser, KeyOf("ann")), bodies);
  EXPECT_TRUE(Exists(away_, "ann"));
}

TEST_F(ErasuresTest, LockedRegionIsWaitedFor) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  Erase(home_, "ann");
  Replicate();
  away_.keys().locked = true;
  for (int i = 0; i < 4; ++i) Turn(home_);
  Replicate();
  EXPECT_EQ(WaitsFor(kAway), kLocked);
  EXPECT_TRUE(away_.HoldsAny(bodies));
  EXPECT_FALSE(home_.HoldsAny(bodies));
  away_.keys().locked = false;
  RunToTheEnd(home_);
  EXPECT_FALSE(away_.HoldsAny(bodies));
  Certificate(home_);
}

TEST_F(ErasuresTest, RegionThatIsLockedWhileItErasesStopsAndIsWaitedFor) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  ASSERT_TRUE(away_.suffixes().Keep(away_.store(), kPool, 1));
  Erase(home_, "ann");
  Replicate();
  // Before it knows the records, and before it erases them.
  for (const int withdrawn_after : {1, 2}) {
    away_.keys().withdrawn_after = withdrawn_after;
    for (int i = 0; i < 4; ++i) Turn(home_);
    Replicate();
    EXPECT_EQ(WaitsFor(kAway), kLocked) << withdrawn_after;
    EXPECT_EQ(away_.store().LogErasedThrough(kPool), 0u) << withdrawn_after;
    away_.keys().locked = false;
  }
  RunToTheEnd(home_);
  EXPECT_FALSE(away_.HoldsAny(bodies));
  Certificate(home_);
}

TEST_F(ErasuresTest, RegionThatReceivesAStateOfBeforeIsWaitedFor) {
  const auto before = *home_.store().OpenCopy(kPool);
  Erase(home_, "ann");
  Replicate();
  ASSERT_TRUE(away_.store().BeginStaging(kPool, before->head(), before->history()));
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_EQ(WaitsFor(kAway), "It is receiving a copy of before.");
  ASSERT_TRUE(away_.store().DropStaging(kPool));
}

TEST_F(ErasuresTest, MemberThatHasNoCopyYetIsWaitedFor) {
  ASSERT_TRUE(away_.store().DropPool(kPool));
  Erase(home_, "ann");
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_EQ(WaitsFor(kAway), "It has no copy of the user pool yet.");
  EXPECT_EQ(*home_.store().LogErasedThrough(kPool), 0u);
  away_.test_store().CopyDirectory(home_.test_store(), kPool);
  RunToTheEnd(home_);
  Certificate(home_);
}

TEST_F(ErasuresTest, BodiesInSuffixesThatWereSetAsideGo) {
  const std::vector<Bytes> bodies = BodiesOf(away_, "ann");
  const std::vector<Bytes> bobs = BodiesOf(away_, "bob");
  ASSERT_TRUE(away_.suffixes().Keep(away_.store(), kPool, 1));
  Erase(home_, "ann");
  Replicate();
  RunToTheEnd(home_);
  EXPECT_FALSE(away_.HoldsAny(bodies));
  int of_bob = 0;
  ASSERT_TRUE(away_.suffixes().Read(away_.suffixes().List()->at(0).name, [&](const auto& item) {
    for (const auto& change : item.entry().changes()) of_bob += std::ranges::count(bobs, change.value());
  }));
  EXPECT_EQ(of_bob, static_cast<int>(bobs.size()));
  const auto verified = Certificate(home_);
  EXPECT_GE(Done(verified, kAway, "setAsideBodiesErased"), 8u);
  EXPECT_EQ(Done(verified, kHome, "setAsideBodiesErased"), 0u);
}

TEST_F(ErasuresTest, MessagesToTheUserGoFromEachRegionsOutbox) {
  for (const char* name : {"ann", "bob", "ann"}) home_.Send(name);
  away_.Send("ann");
  Erase(home_, "ann");
  Replicate();
  // Another user of this name.
  clock_.Advance(std::chrono::minutes(5));
  home_.Send("ann");
  RunToTheEnd(home_);
  EXPECT_THAT(home_.Receivers(), testing::UnorderedElementsAre("bob", "ann"));
  EXPECT_THAT(away_.Receivers(), testing::IsEmpty());
  const auto verified = Certificate(home_);
  EXPECT_EQ(Done(verified, kHome, "messagesDeleted"), 2u);
  EXPECT_EQ(Done(verified, kAway, "messagesDeleted"), 1u);
}

TEST_F(ErasuresTest, DevicesGoWithTheUser) {
  Bytes id;
  home_.test_store().Change(kPool, [&](Transaction& tx) {
    directory::pb::DeviceRecord device;
    device.set_device_key("eu-central-1_device");
    id = directory::DeviceIdOf(tx, KeyOf("ann"), device.device_key());
    directory::PutDevice(tx, KeyOf("ann"), device);
  });
  Replicate();
  const std::vector<Bytes> bodies = home_.Bodies(RecordType::kDevice, id);
  ASSERT_EQ(bodies.size(), 1u);
  Erase(home_, "ann");
  Replicate();
  RunToTheEnd(home_);
  EXPECT_FALSE(home_.HoldsAny(bodies) || away_.HoldsAny(bodies));
}

TEST_F(ErasuresTest, OfAUserOfAnIdentityProviderTheCountOfDeletionsRemainsAndIsNamed) {
  Bytes subject;
  home_.test_store().Change(kPool, [&](Transaction& tx) {
    directory::User user = *directory::FindUser(tx, pool_, "bob");
    const directory::pb::UserRecord before = user.record;
    user.record.mutable_external()->set_provider("Partner");
    user.record.mutable_external()->set_subject("bob at the partner's");
    EXPECT_TRUE(directory::UpdateUser(tx, pool_, before, user, directory::OnAliasConflict::kRefuse));
    storage::pb::FactValue seen;
    seen.add_elements("what a Region saw");
    subject = auth::FirstSeenSubject(tx, user.key, 0);
    tx.JoinFact(static_cast<std::uint16_t>(auth::FactType::kFirstSeen), subject, seen);
  });
  Replicate();
  Erase(home_, "bob");
  Replicate();
  RunToTheEnd(home_);
  const auto verified = Certificate(home_);
  for (const auto& one : verified.statements) {
    const std::string remains = testing::PrintToString(one.statement.remains);
    EXPECT_THAT(remains, HasSubstr("How often a user of this identity"));
    // The fact was said at home, and has not come to the other Region in this test.
    EXPECT_EQ(remains.contains("first sign-in through an identity provider"), one.statement.region == kHome);
  }
  Erase(home_, "ann");
  Replicate();
  RunToTheEnd(home_);
  for (const auto& one : Certificate(home_).statements) {
    EXPECT_FALSE(testing::PrintToString(one.statement.remains).contains("identity provider"));
  }
}

TEST_F(ErasuresTest, TrimmedLogsAndSeveralUsersAtOnce) {
  AddUser(home_, "eve");
  ASSERT_TRUE(home_.store().TrimLog(kPool, 4));
  Replicate();
  std::vector<Bytes> bodies = home_.Bodies(RecordType::kUser, KeyOf("eve"));
  ASSERT_EQ(bodies.size(), 1u);
  Erase(home_, "eve");
  const Bytes first = id_;
  Erase(home_, "bob");
  Replicate();
  RunToTheEnd(home_);
  EXPECT_EQ(Certificate(home_).order.user_sub, SubOf("bob"));
  id_ = first;
  EXPECT_EQ(Certificate(home_).order.user_sub, SubOf("eve"));
  EXPECT_FALSE(home_.HoldsAny(bodies) || away_.HoldsAny(bodies));
}

}  // namespace
}  // namespace symbolon::erasure
