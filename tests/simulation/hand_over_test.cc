// Hand-overs of which nobody hears: what whoever asked is told, and what becomes of the pool.
#include <utility>

#include "story.h"

namespace symbolon::simulation {
namespace {

using replication::ControlErrorCode;

using HandOverTest = StageTest;

// us-east-1 dies when the pool is handed over to it, and has not heard of that. What whoever asked is told.
replication::ControlError HandOverToTheDead(Stage& stage) {
  SimRegion& america = stage.At(kAmerica);
  stage.At(kEurope).on_notice = [&](const storage::Notice&) {
    if (IsHandedOver(stage, kEurope) && america.up()) america.Crash();
  };
  const auto answer = stage.AskForHandOver(kEurope, kAmerica);
  stage.At(kEurope).on_notice = nullptr;
  SYMBOLON_CHECK(answer && !*answer && !america.up());
  return answer->error();
}

TEST_F(HandOverTest, TheNextPrimaryDiesAsItIsHandedThePool_WhoeverAsksIsToldSoAndItLeadsWhenItReturns) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.Write(kEurope, "before"));
  const replication::ControlError told = HandOverToTheDead(stage);
  EXPECT_EQ(told.code, ControlErrorCode::kHandedOver);
  EXPECT_TRUE(told.detail.contains("handed over to Region us-east-1, which leads it from epoch 2 on")) << told.detail;
  EXPECT_FALSE(stage.Admits(kEurope));
  EXPECT_EQ(StatusAt(stage, kEurope)->handed_over_to, Region(std::string(kAmerica)));
  EXPECT_TRUE(StatusAt(stage, kEurope)->problem.starts_with("handed over to us-east-1"))
      << StatusAt(stage, kEurope)->problem;
  // Asking again waits again, for as long as before.
  const auto again = stage.AskForHandOver(kEurope, kAmerica);
  ASSERT_TRUE(again && !*again);
  EXPECT_EQ(again->error().code, ControlErrorCode::kHandedOver) << again->error().detail;

  stage.At(kAmerica).Start();
  const auto in_the_end = stage.AskForHandOver(kEurope, kAmerica);
  ASSERT_TRUE(in_the_end && *in_the_end) << in_the_end->error().detail;
  EXPECT_EQ((*in_the_end)->epoch_counter, 2u);
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  EXPECT_TRUE(stage.Has(kAmerica, "before"));
  stage.For(std::chrono::seconds(2));
  EXPECT_EQ(StatusAt(stage, kEurope)->handed_over_to, std::nullopt);
  EXPECT_EQ(StatusAt(stage, kEurope)->problem, "");
}

TEST_F(HandOverTest, TheNextPrimaryIsCutOffOnceItLeads_NobodySaysThatItDoesNot) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kAmerica).on_notice = [&](const storage::Notice&) {
    const auto role = stage.RoleAt(kAmerica);
    if (role && role->primary() == kAmerica) stage.CutOff(kAmerica);
  };
  const auto answer = stage.AskForHandOver(kEurope, kAmerica);
  stage.At(kAmerica).on_notice = nullptr;
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, ControlErrorCode::kHandedOver);
  EXPECT_TRUE(answer->error().detail.contains("has not heard that it has begun")) << answer->error().detail;
  EXPECT_TRUE(answer->error().detail.contains("set aside")) << "what a promotion by force costs";
  ASSERT_TRUE(stage.Write(kAmerica, "acknowledged"));
  stage.network().HealAll();
  const auto again = stage.AskForHandOver(kEurope, kAmerica);
  ASSERT_TRUE(again && *again) << again->error().detail;
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "acknowledged"); }));
}

TEST_F(HandOverTest, TheNextPrimaryIsGivenUp_ThePoolGoesOnByForceAndWhoeverWaitsIsToldSo) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.Write(kEurope, "before"));
  ASSERT_EQ(HandOverToTheDead(stage).code, ControlErrorCode::kHandedOver);
  std::optional<replication::ControlResult<replication::Promoted>> waiting;
  SimRegion& europe = stage.At(kEurope);
  europe.Post(nanoseconds(0), [&] {
    europe.machine().HandOver(
        europe.name(), stage.pool(), Region(std::string(kAmerica)),
        [&](auto result) { waiting.emplace(std::move(result)); }, europe.Now());
  });
  ASSERT_TRUE(stage.TakeOver(kEurope));
  ASSERT_TRUE(stage.Until([&] { return waiting.has_value() && stage.Admits(kEurope); }));
  ASSERT_FALSE(*waiting);
  EXPECT_EQ(waiting->error().code, ControlErrorCode::kOvertaken);
  EXPECT_TRUE(waiting->error().detail.contains("Region eu-central-1 takes the user pool in epoch 3"))
      << waiting->error().detail;
  EXPECT_TRUE(stage.Has(kEurope, "before"));
  ASSERT_TRUE(stage.Write(kEurope, "after"));
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "after"); }));
  EXPECT_TRUE(stage.Admits(kEurope));
  EXPECT_FALSE(stage.Admits(kAmerica));
}

TEST_F(HandOverTest, TheNextPrimaryReturnsOutOfABackup_WhoeverAsksIsToldThatItNeedsForce) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_EQ(HandOverToTheDead(stage).code, ControlErrorCode::kHandedOver);
  stage.At(kAmerica).MarkRestored();
  stage.At(kAmerica).Start();
  ASSERT_TRUE(stage.Until([&] { return IsHandedOver(stage, kAmerica); }));
  const auto answer = stage.AskForHandOver(kEurope, kAmerica);
  ASSERT_TRUE(answer);
  ASSERT_FALSE(*answer) << (*answer)->epoch_counter << " from " << (*answer)->first_sequence;
  EXPECT_EQ(answer->error().code, ControlErrorCode::kHandedOver);
  EXPECT_TRUE(answer->error().detail.contains("does not begin by itself")) << answer->error().detail;
  // And so says it itself.
  const auto there = stage.AskForHandOver(kAmerica, kAmerica);
  ASSERT_TRUE(there && !*there);
  EXPECT_TRUE(there->error().detail.contains("out of a backup")) << there->error().detail;
  EXPECT_TRUE(StatusAt(stage, kAmerica)->problem.contains("out of a backup")) << StatusAt(stage, kAmerica)->problem;
  EXPECT_FALSE(stage.Admits(kAmerica));
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
}

TEST_F(HandOverTest, TheNextPrimaryDiesAsItIsHandedThePoolWithAutomaticPromotion_WhoeverHandedOverTakesItBack) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true);
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  ASSERT_TRUE(stage.Write(kEurope, "before"));
  // It is not waited for as long as whoever asked waits.
  EXPECT_EQ(HandOverToTheDead(stage).code, ControlErrorCode::kOvertaken);
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_GT(stage.RoleAt(kEurope)->epoch_counter(), 2u);
  ASSERT_TRUE(stage.Write(kEurope, "after"));
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "before") && stage.Has(kAmerica, "after"); }));
  EXPECT_TRUE(stage.Admits(kEurope));
  EXPECT_FALSE(stage.Admits(kAmerica));
}

}  // namespace
}  // namespace symbolon::simulation
