// Regions from which the key of a pool is withdrawn, each situation brought about by itself.
#include <utility>

#include "story.h"

namespace symbolon::simulation {
namespace {

using replication::ControlErrorCode;

using WithdrawnKeysTest = StageTest;

TEST_F(WithdrawnKeysTest, TheKeyOfAReplicaIsWithdrawn_ItFollowsAndServesNobodyAndIsNotPromotedUntilItIsBack) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.Serves(kAmerica));
  stage.At(kAmerica).WithdrawKey(stage.pool());
  EXPECT_FALSE(stage.Serves(kAmerica));
  EXPECT_TRUE(stage.Serves(kEurope));
  ASSERT_TRUE(stage.WriteDurably(kEurope, "while it is locked"));
  ASSERT_TRUE(stage.SayFact(kEurope, "said meanwhile"));
  EXPECT_TRUE(stage.Until(
      [&] { return stage.Has(kAmerica, "while it is locked") && stage.HasFact(kAmerica, "said meanwhile"); }));
  EXPECT_TRUE(stage.Until([&] { return StatusAt(stage, kEurope)->members.front().lag_entries == 0; }));

  const auto refused = stage.Promote(kEurope, kAmerica);
  ASSERT_TRUE(refused && !*refused);
  EXPECT_EQ(refused->error().code, ControlErrorCode::kRefused);
  EXPECT_TRUE(refused->error().detail.contains("cannot open")) << refused->error().detail;
  EXPECT_TRUE(stage.Admits(kEurope));
  EXPECT_FALSE(IsHandedOver(stage, kEurope));
  ASSERT_TRUE(stage.WriteDurably(kEurope, "afterwards"));

  stage.At(kAmerica).RestoreKey(stage.pool());
  EXPECT_TRUE(stage.Serves(kAmerica));
  const auto done = stage.Promote(kEurope, kAmerica);
  ASSERT_TRUE(done && *done) << done->error().detail;
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  EXPECT_TRUE(stage.Has(kAmerica, "afterwards"));
}

TEST_F(WithdrawnKeysTest, TheKeyOfThePrimaryIsWithdrawn_ItHandsOverWhatWasAcknowledged) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.WriteDurably(kEurope, "acknowledged"));
  stage.At(kEurope).WithdrawKey(stage.pool());
  const auto done = stage.Promote(kEurope, kAmerica);
  ASSERT_TRUE(done && *done) << done->error().detail;
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  EXPECT_TRUE(stage.Has(kAmerica, "acknowledged"));
  ASSERT_TRUE(stage.WriteDurably(kAmerica, "after"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "after"); })) << "as a locked replica";
  const auto back = stage.Promote(kAmerica, kEurope);
  ASSERT_TRUE(back && !*back);
  EXPECT_TRUE(stage.Admits(kAmerica));
}

// By the planted bug it does take over, and serves nobody.
TEST_F(WithdrawnKeysTest,
       ThePrimaryIsLostWithAutomaticPromotionAndTheKeyOfTheReplicaIsWithdrawn_ItTakesOverWhenItIsBack) {
  for (const Plant plant : {Plant::kNone, Plant::kLeadLocked}) {
    SCOPED_TRACE(static_cast<int>(plant));
    Stage stage({kEurope, kAmerica}, /*automatic=*/true, plant);
    stage.MakePool(kEurope, {kAmerica});
    ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
    ASSERT_TRUE(stage.WriteDurably(kEurope, "before"));
    ASSERT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "before"); }));
    stage.At(kAmerica).WithdrawKey(stage.pool());
    stage.At(kEurope).Crash();
    stage.For(std::chrono::seconds(20));
    EXPECT_EQ(stage.Admits(kAmerica), plant == Plant::kLeadLocked);
    EXPECT_FALSE(stage.Serves(kAmerica));
    stage.At(kAmerica).RestoreKey(stage.pool());
    EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
    EXPECT_TRUE(stage.Serves(kAmerica));
    EXPECT_TRUE(stage.Has(kAmerica, "before"));
  }
}

}  // namespace
}  // namespace symbolon::simulation
