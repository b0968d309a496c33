// Stories of Regions that are not what the others take them for: somebody has their place in the network, or their
// store was set back or lost.
#include <limits>
#include <utility>

#include "storage/plausible_epochs.h"
#include "story.h"

namespace symbolon::simulation {
namespace {

TEST_F(StageTest, ASecondaryIsSetBackAndNobodySaysSo_WhatOthersSayReachesItAndItsStatusTells) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kAmerica, {kEurope, kAsia});
  ASSERT_TRUE(stage.SayFact(kEurope, "before"));
  stage.At(kEurope).TakeBackup();
  for (int i = 0; i < 30; ++i) ASSERT_TRUE(stage.SayFact(kEurope, "since " + std::to_string(i)));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kAmerica, "since 29") && stage.HasFact(kAsia, "since 29"); }));
  stage.At(kEurope).SetBack();
  stage.At(kEurope).Start();
  // Whatever they have that Europe refuses they send first, by the Region's name.
  ASSERT_TRUE(stage.SayFact(kAmerica, "revoked in America"));
  ASSERT_TRUE(stage.SayFact(kAsia, "revoked in Asia"));
  EXPECT_TRUE(stage.Until(
      [&] { return stage.HasFact(kEurope, "revoked in America") && stage.HasFact(kEurope, "revoked in Asia"); }));
  EXPECT_TRUE(StatusAt(stage, kEurope)->problem.contains("signed and does not have"))
      << StatusAt(stage, kEurope)->problem;
  stage.For(std::chrono::seconds(10));
  ASSERT_TRUE(stage.SayFact(kAmerica, "revoked later"));
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "revoked later"); }));

  // A person says so.
  stage.At(kEurope).Crash();
  stage.At(kEurope).MarkRestored();
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "since 29"); }));
  ASSERT_TRUE(stage.SayFact(kEurope, "said anew"));
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kAmerica, "said anew") && stage.HasFact(kAsia, "said anew"); }));
  EXPECT_EQ(StatusAt(stage, kEurope)->problem, "");
}

// It announces promises of the last epoch that there is.
TEST_F(StageTest, ARegionNamesAnEpochToWhichNobodyCanHaveCome_NobodyPromisesItAndThePoolIsTakenOver) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  stage.At(kAmerica).Hijack();
  stage.At(kAmerica).Start();
  stage.For(std::chrono::seconds(5));
  EXPECT_TRUE(stage.Admits(kEurope)) << "it does not step down for that";
  ASSERT_TRUE(stage.Write(kEurope, "written"));
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kAsia, "written"); }));
  // What it asks others to promise, too.
  stage.TakeOver(kAmerica);
  stage.At(kAmerica).EndHijack();
  for (const std::string_view name : {kEurope, kAsia}) {
    const auto promised = *stage.At(name).store().MakeSnapshot()->Promised(stage.pool());
    EXPECT_LT(promised ? promised->counter() : 0, 100u) << name;
  }
  ASSERT_TRUE(stage.TakeOver(kAsia));
  stage.At(kAmerica).Start();
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  stage.At(kEurope).Start();
  ASSERT_TRUE(stage.Write(kAmerica, "later"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "later") && stage.Has(kAsia, "later"); }));
}

TEST_F(StageTest, ARegionNamesAnEpochToWhichNobodyCanHaveCome_ThePrimaryIsLostAndAnotherTakesOver) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  stage.At(kAmerica).Hijack();
  stage.At(kAmerica).Start();
  stage.For(std::chrono::seconds(5));
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.TakeOver(kAsia));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAsia); }));
  EXPECT_LT(stage.RoleAt(kAsia)->epoch_counter(), 100u);
}

// As far as one is believed: others can still go above it.
TEST_F(StageTest, ARegionHasPromisedAnEpochAsHighAsIsBelieved_AnotherTakesOverAboveIt) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  storage::Commit commit;
  commit.pool = stage.pool();
  commit.promise =
      replication::MakeEpoch(1 + storage::kEpochLeapMax, Region(std::string(kAmerica)), Bytes("of an impostor"));
  std::optional<bool> promised;
  stage.At(kEurope).Commit(std::move(commit), [&](const auto& result) { promised = result.has_value(); });
  ASSERT_TRUE(stage.Until([&] { return promised.has_value(); }) && *promised);
  stage.At(kEurope).Crash();
  stage.At(kEurope).Start();
  stage.For(std::chrono::seconds(5));
  EXPECT_FALSE(stage.Admits(kEurope));
  ASSERT_TRUE(stage.TakeOver(kAsia));
  EXPECT_GT(stage.RoleAt(kAsia)->epoch_counter(), storage::kEpochLeapMax);
  ASSERT_TRUE(stage.Write(kAsia, "written"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "written") && stage.Has(kAmerica, "written"); }));
}

// America has what was answered, and is lost; Europe, which answered it, comes back from a backup of before.
TEST_F(StageTest, ASyncPoolsPrimaryComesOutOfABackup_ItsAnswerIsNoneToWhoeverTakesOver) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  ASSERT_TRUE(stage.ChangeRole(
      kEurope, [](auto role) { return replication::SetDurability(std::move(role), {.mode = replication::pb::SYNC}); }));
  stage.For(std::chrono::seconds(2));
  stage.At(kEurope).TakeBackup();
  stage.CutOff(kAsia);
  ASSERT_TRUE(stage.WriteDurably(kEurope, "answered"));
  ASSERT_TRUE(stage.Has(kAmerica, "answered"));
  stage.At(kAmerica).Crash();
  stage.At(kEurope).LoseDiskAndRestore();
  stage.At(kEurope).Start();
  stage.network().HealAll();
  stage.For(std::chrono::seconds(5));
  std::optional<replication::ControlResult<replication::Promoted>> taken;
  SimRegion& asia = stage.At(kAsia);
  asia.Post(nanoseconds(0), [&] {
    asia.machine().TakeOver(
        stage.pool(), /*accept_loss=*/false, [&](auto result) { taken.emplace(std::move(result)); }, asia.Now());
  });
  ASSERT_TRUE(stage.Until([&] { return taken.has_value(); }));
  EXPECT_FALSE(taken->has_value()) << "what was answered would be lost, and nobody was asked";
  // With America nothing is.
  stage.At(kAmerica).Start();
  stage.For(std::chrono::seconds(5));
  taken.reset();
  asia.Post(nanoseconds(0), [&] {
    asia.machine().TakeOver(
        stage.pool(), /*accept_loss=*/false, [&](auto result) { taken.emplace(std::move(result)); }, asia.Now());
  });
  ASSERT_TRUE(stage.Until([&] { return taken.has_value(); }));
  EXPECT_TRUE(taken->has_value());
  EXPECT_TRUE(stage.Has(kAsia, "answered"));
}

}  // namespace
}  // namespace symbolon::simulation
