#include <gmock/gmock.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "erasure/test_regions.h"

namespace symbolon::erasure {
namespace {

TEST_F(ErasuresTest, UserIsInNoCopyAndTheCertificateSaysSo) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  EXPECT_EQ(bodies.size(), 6u) << "the user three times, and three names";
  const std::vector<Bytes> bobs = BodiesOf(home_, "bob");
  EXPECT_TRUE(away_.HoldsAny(bodies));
  Erase(home_, "ann");
  Replicate();
  EXPECT_FALSE(Exists(home_, "ann"));
  EXPECT_TRUE(home_.HoldsAny(bodies));
  RunToTheEnd(home_);

  for (Node* node : {&home_, &away_}) {
    EXPECT_FALSE(node->HoldsAny(bodies));
    EXPECT_TRUE(node->HoldsAny(bobs));
    EXPECT_EQ(node->Bodies(RecordType::kUser, KeyOf("bob")), bobs);
    EXPECT_GT(*node->store().LogErasedThrough(kPool), 0u);
  }
  const auto verified = Certificate(home_);
  EXPECT_EQ(verified.order.kind, certificate::Kind::kUserErased);
  EXPECT_EQ(verified.order.user_sub, SubOf("ann"));
  EXPECT_EQ(verified.order.pool, kPool);
  for (const Region& region : {kHome, kAway}) EXPECT_GE(Done(verified, region, "logBodiesErased"), 8u);
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(Record(away_), Record(home_)));
  EXPECT_TRUE(Record(home_).user_key().empty() && Record(home_).name_key().empty());

  std::string altered = Record(home_).certificate();
  altered.replace(altered.find(SubOf("ann")), 3, "SUB");
  const auto of_altered = certificate::Verify(altered, {home_.public_key(), away_.public_key()});
  EXPECT_TRUE(!of_altered || !of_altered->good());
  const auto of_strangers = certificate::Verify(Record(home_).certificate(), {Bytes(32, 'k')});
  EXPECT_TRUE(!of_strangers || !of_strangers->good());
}

TEST_F(ErasuresTest, NothingIsErasedBeforeEveryMemberHasComePastTheDeletion) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  Erase(home_, "ann");
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_EQ(WaitsFor(kAway), "Its directory lags.");
  EXPECT_TRUE(home_.HoldsAny(bodies));
  cut_ = true;
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_EQ(WaitsFor(kAway), "It is not in reach.");
  EXPECT_EQ(*home_.store().LogErasedThrough(kPool), 0u);
  cut_ = false;
  // The log of before is sent whole.
  Replicate();
  RunToTheEnd(home_);
  EXPECT_FALSE(home_.HoldsAny(bodies) || away_.HoldsAny(bodies));
  Certificate(home_);
}

TEST_F(ErasuresTest, PoolsCannotBeListedAtTheStart_WhatWasUnderWayGoesOnWhenTheyCan) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  Erase(home_, "ann");
  Replicate();
  home_.lists_pools = false;
  home_.Restart();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Turn(home_)) << "it is tried again";
  EXPECT_TRUE(home_.HoldsAny(bodies));
  home_.lists_pools = true;
  RunToTheEnd(home_);
  EXPECT_FALSE(home_.HoldsAny(bodies));
  Certificate(home_);
}

TEST_F(ErasuresTest, RegionThatCannotBeReachedIsPendingUntilItCan) {
  Erase(home_, "ann");
  Replicate();
  // It has come past, and is away before it is asked to erase.
  asked_ = 0;
  for (int i = 0; i < 4; ++i) {
    cut_ = asked_ > 0;
    Turn(home_);
  }
  auto state = StateOf(Record(home_));
  EXPECT_FALSE(state->ended);
  EXPECT_TRUE(state->certificate.empty());
  EXPECT_EQ(WaitsFor(kAway), "It is not in reach.");
  cut_ = false;
  RunToTheEnd(home_);
  state = StateOf(Record(home_));
  ASSERT_EQ(state->regions.size(), 2u);
  EXPECT_TRUE(state->regions[0].erased_at && state->regions[1].erased_at);
  Certificate(home_);
}

TEST_F(ErasuresTest, RegionOfAnEarlierVersionIsNamed) {
  Erase(home_, "ann");
  Replicate();
  old_version_ = true;
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_THAT(WaitsFor(kAway), HasSubstr("earlier release"));
  EXPECT_FALSE(StateOf(Record(home_))->ended);
  old_version_ = false;
  RunToTheEnd(home_);
  Certificate(home_);
}

TEST_F(ErasuresTest, GoesOnAfterACrashAtEachStep) {
  std::vector<std::vector<Bytes>> bodies;
  for (int steps = 0; steps < 6; ++steps) {
    SCOPED_TRACE(steps);
    const std::string name = "user" + std::to_string(steps);
    AddUser(home_, name);
    Replicate();
    bodies.push_back(home_.Bodies(RecordType::kUser, KeyOf(name)));
    Erase(home_, name);
    Replicate();
    for (int i = 0; i < steps; ++i) {
      home_.erasures().RunDue();
      // Half of them die with the work taken on and not done.
      if (i + 1 < steps || steps % 2 == 0) {
        while (home_.here().Step()) {
        }
        while (away_.here().Step()) {
        }
      }
      clock_.Advance(std::chrono::seconds(3));
    }
    home_.Restart();
    away_.Restart();
    RunToTheEnd(home_);
    EXPECT_FALSE(home_.HoldsAny(bodies.back()) || away_.HoldsAny(bodies.back()));
    EXPECT_EQ(Certificate(home_).order.user_sub, SubOf(name));
  }
}

TEST_F(ErasuresTest, NewPrimaryGoesOn) {
  const std::vector<Bytes> bodies = BodiesOf(home_, "ann");
  Erase(home_, "ann");
  Replicate();
  home_.erasures().RunDue();
  // Home hands over; it stays as a secondary.
  away_.ChangeRole(*replication::TakeOver(away_.Role(), kAway, 2, clock_.Now()));
  Replicate(away_, home_);
  clock_.Advance(std::chrono::seconds(3));
  EXPECT_FALSE(Turn(home_)) << "not the primary any more";
  for (int i = 0; i < 20 && Turn(away_); ++i) Replicate(away_, home_);
  EXPECT_FALSE(home_.HoldsAny(bodies) || away_.HoldsAny(bodies));
  EXPECT_EQ(Certificate(away_).issued_by, kAway);
}

TEST_F(ErasuresTest, RegionThatHasLeftStatesThatNothingIsThere) {
  Erase(home_, "ann");
  Replicate();
  ASSERT_TRUE(away_.store().DropPool(kPool));
  RoleRecord role = home_.Role();
  role.clear_members();
  home_.ChangeRole(role);
  for (int i = 0; i < 20 && Turn(home_); ++i) {
  }
  const auto verified = Certificate(home_);
  for (const auto& one : verified.statements) {
    EXPECT_EQ(one.statement.position.empty(), one.statement.region == kAway) << one.statement.region.value();
  }
}

TEST_F(ErasuresTest, RegionThatIsGoneForGood_IsNotWaitedForOnceItHasLeft_AndNeverSaidToHaveErased) {
  cut_ = true;
  Erase(home_, "ann");
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_THAT(WaitsFor(kAway), HasSubstr("not in reach"));
  home_.gone = {kAway};
  home_.Restart();
  const int asked = asked_;
  for (int i = 0; i < 3; ++i) Turn(home_);
  EXPECT_THAT(WaitsFor(kAway), HasSubstr("delete its replica"));
  EXPECT_FALSE(StateOf(Record(home_))->ended);

  RoleRecord role = home_.Role();
  role.clear_members();
  home_.ChangeRole(role);
  for (int i = 0; i < 20 && Turn(home_); ++i) {
  }
  EXPECT_EQ(asked_, asked);
  const auto verified = Certificate(home_);
  EXPECT_EQ(verified.statements.size(), 1u);
  ASSERT_EQ(verified.removed.size(), 1u);
  EXPECT_EQ(verified.removed[0].region, kAway);
  EXPECT_THAT(verified.removed[0].reason, HasSubstr("It has not confirmed anything"));
  const auto state = StateOf(Record(home_));
  ASSERT_EQ(state->regions.size(), 2u);
  EXPECT_FALSE(state->regions[0].removed);
  EXPECT_TRUE(state->regions[0].erased_at);
  EXPECT_TRUE(state->regions[1].removed);
  EXPECT_FALSE(state->regions[1].erased_at);
  EXPECT_EQ(state->regions[1].waits_for, verified.removed[0].reason);
}

TEST_F(ErasuresTest, RegionThatStatedBeforeItWasGone_HasErased) {
  home_.keys().locked = true;
  Erase(home_, "ann");
  Replicate();
  for (int i = 0; i < 5; ++i) Turn(home_);
  ASSERT_TRUE(StateOf(Record(home_))->regions[1].erased_at);
  RoleRecord role = home_.Role();
  role.clear_members();
  home_.ChangeRole(role);
  home_.gone = {kAway};
  home_.Restart();
  home_.keys().locked = false;
  for (int i = 0; i < 20 && Turn(home_); ++i) {
  }
  const auto verified = Certificate(home_);
  EXPECT_EQ(verified.statements.size(), 2u);
  EXPECT_TRUE(verified.removed.empty());
}

TEST_F(ErasuresTest, CertificateHasItsLineInTheAuditTrail_OrIsNotIssued) {
  audit::TestTrail trails;
  const auto trail = trails.Open();
  home_.trail = trail.get();
  home_.Restart();
  Erase(home_, "ann");
  Replicate();
  {
    const audit::FullDisk full(0);
    for (int i = 0; i < 10; ++i) Turn(home_);
    EXPECT_FALSE(StateOf(Record(home_))->ended);
    EXPECT_TRUE(StateOf(Record(home_))->regions[1].erased_at);
    EXPECT_THAT(WaitsFor(kHome), HasSubstr("not issued yet"));
  }
  trail->Tick();
  RunToTheEnd(home_);
  const auto verified = Certificate(home_);
  std::vector<std::string> lines;
  ASSERT_TRUE(audit::ForEachEvent(trails.directory, {}, [&](std::string_view line) {
    if (line.contains(R"("eventName":"IssueCertificate")")) lines.emplace_back(line);
  }));
  ASSERT_FALSE(lines.empty());
  for (const std::string& part : {verified.order.id, kPool.value(), verified.order.asked_by}) {
    EXPECT_THAT(lines.back(), HasSubstr(part));
  }
  EXPECT_THAT(lines.back(), testing::Not(HasSubstr("removedRegions")));
}

// What a person reads while it is tried again.
TEST_F(ErasuresTest, WhatItWaitsForIsToldUntilItIsTriedAgain) {
  Work work{.pool = kPool, .id = "id", .sequence = 1'000, .user_key = {}, .name_key = KeyOf("ann"), .order = "none"};
  EXPECT_EQ(home_.here().Ask(work).waits_for, "It has begun.");
  EXPECT_EQ(home_.here().Ask(work).waits_for, "It is being done.");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(home_.here().Step());
    for (int j = 0; j < 3; ++j) EXPECT_EQ(home_.here().Ask(work).waits_for, "Its directory lags.");
  }
}

TEST_F(ErasuresTest, OnlyThePrimaryIsAnswered) {
  pb::ErasureRequest request;
  request.set_pool(kPool.value());
  request.mutable_reached()->set_sequence(1);
  EXPECT_TRUE(away_.here().Answer(kHome, request.SerializeAsString()));
  EXPECT_EQ(home_.here().Answer(kAway, request.SerializeAsString()).error().code, ControlErrorCode::kNotPrimary);
  EXPECT_EQ(away_.here().Answer(Region("ap-south-1"), request.SerializeAsString()).error().code,
            ControlErrorCode::kNotPrimary);
  pb::Erase& erase = *request.mutable_erase();
  erase.set_id("id");
  erase.set_name_key("name");
  erase.set_order("no order");
  EXPECT_EQ(away_.here().Answer(kHome, request.SerializeAsString()).error().code, ControlErrorCode::kRefused);
  EXPECT_EQ(away_.here().Answer(kHome, "\xff").error().code, ControlErrorCode::kRefused);
  EXPECT_EQ(away_.here().Answer(kHome, "").error().code, ControlErrorCode::kRefused);
}

}  // namespace
}  // namespace symbolon::erasure
