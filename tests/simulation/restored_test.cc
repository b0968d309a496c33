// Stories of stores that come out of a backup, with or without anybody's saying so.
#include <utility>

#include "story.h"

namespace symbolon::simulation {
namespace {

using replication::pb::RoleRecord;

TEST_F(StageTest, AStoreIsRestoredFromBeforeItOpenedItsEpoch_ItDoesNotOpenItAgainByItself) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  SimRegion& america = stage.At(kAmerica);
  america.on_notice = [&](const storage::Notice&) {
    const auto role = stage.RoleAt(kAmerica);
    if (role && role->has_next()) america.TakeBackup();
  };
  ASSERT_TRUE(stage.HandOver(kEurope, kAmerica));
  ASSERT_TRUE(america.has_backup());
  america.on_notice = nullptr;
  ASSERT_TRUE(stage.Write(kAmerica, "acknowledged"));
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kEurope, "acknowledged"); }));
  america.LoseDiskAndRestore();
  america.Start();
  ASSERT_TRUE(stage.RoleAt(kAmerica)->has_next());
  stage.For(std::chrono::seconds(20));
  EXPECT_FALSE(stage.Admits(kAmerica));
  EXPECT_TRUE(stage.Has(kEurope, "acknowledged"));
  // A person says who goes on: from the longest log.
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  EXPECT_TRUE(stage.Has(kAmerica, "acknowledged"));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
}

TEST_F(StageTest, APrimaryIsRestoredFromBeforeAMemberWasAdded_ItFollowsTheMemberThatTakesOver) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {});
  SimRegion& europe = stage.At(kEurope);
  europe.TakeBackup();
  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), Region(std::string(kAmerica)), europe.Now().wall);
  }));
  ASSERT_TRUE(stage.Until([&] {
    const auto role = stage.RoleAt(kAmerica);
    return role && replication::RoleOf(*role, Region(std::string(kAmerica))).state == replication::pb::INACTIVE;
  }));
  ASSERT_TRUE(stage.Write(kEurope, "acknowledged"));
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "acknowledged"); }));
  europe.LoseDiskAndRestore();
  europe.Start();
  ASSERT_TRUE(stage.SayFact(kEurope, "said after the restore"));
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "acknowledged"); }));
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kAmerica, "said after the restore"); }));
  EXPECT_FALSE(stage.Admits(kEurope));
}

TEST_F(StageTest, APrimaryIsSetBackAndNobodySaysSo_ItWritesNothingAndNothingIsTakenBack) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  stage.At(kEurope).TakeBackup();
  ASSERT_TRUE(stage.Write(kEurope, "acknowledged"));
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "acknowledged") && IsSigned(stage, kAmerica); }));
  // What is kept of signatures outlives the one who keeps it.
  stage.For(std::chrono::seconds(2));
  stage.At(kAmerica).Crash();
  stage.At(kAsia).Crash();
  stage.At(kEurope).SetBack();
  stage.At(kEurope).Start();
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.At(kEurope).machine().Counters().rollbacks_found > 0; }));
  stage.For(std::chrono::seconds(5));
  EXPECT_FALSE(stage.Admits(kEurope));
  EXPECT_TRUE(StatusAt(stage, kEurope)->problem.contains("set back or altered"));
  EXPECT_FALSE(stage.Write(kEurope, "of the other branch") && stage.Has(kAmerica, "of the other branch"));
  EXPECT_TRUE(stage.Has(kAmerica, "acknowledged"));
  EXPECT_TRUE(stage.At(kAmerica).archive().kept.empty());

  // A person says so, and who goes on.
  stage.At(kEurope).Crash();
  stage.At(kEurope).MarkRestored();
  stage.At(kEurope).Start();
  stage.At(kAsia).Start();
  stage.For(std::chrono::seconds(2));
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "acknowledged") && stage.Has(kAsia, "acknowledged"); }));
}

TEST_F(StageTest, AMemberComesOutOfABackupOfBeforeItsRemoval_AddedAgainItBringsItsFactsAndCanBeRemoved) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kAmerica).TakeBackup();
  BeginRemoval(stage, kEurope, kAmerica);
  ASSERT_TRUE(stage.Until([&] { return !stage.Holds(kAmerica) && !IsMember(stage, kEurope, kAmerica); }));
  ASSERT_TRUE(stage.Write(kEurope, "later"));
  stage.At(kAmerica).LoseDiskAndRestore();
  stage.At(kAmerica).Start();
  ASSERT_TRUE(stage.SayFact(kAmerica, "accepted all the same"));
  stage.For(std::chrono::seconds(20));
  EXPECT_TRUE(stage.Holds(kAmerica));
  EXPECT_FALSE(stage.Has(kAmerica, "later"));
  EXPECT_FALSE(stage.HasFact(kEurope, "accepted all the same"));
  EXPECT_NE(StatusAt(stage, kAmerica)->problem, "");

  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), Region(std::string(kAmerica)), stage.At(kEurope).Now().wall);
  }));
  EXPECT_TRUE(
      stage.Until([&] { return stage.Has(kAmerica, "later") && stage.HasFact(kEurope, "accepted all the same"); }));
  BeginRemoval(stage, kEurope, kAmerica);
  EXPECT_TRUE(stage.Until([&] { return !stage.Holds(kAmerica) && !IsMember(stage, kEurope, kAmerica); }));
}

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

TEST_F(StageTest, AFormerMemberComesOutOfABackupAndIsPromotedByForce_ThePrimaryTellsThatItIsNotAlone) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kAmerica).TakeBackup();
  BeginRemoval(stage, kEurope, kAmerica);
  ASSERT_TRUE(stage.Until([&] { return !stage.Holds(kAmerica) && !IsMember(stage, kEurope, kAmerica); }));
  stage.At(kEurope).Crash();
  stage.At(kAmerica).LoseDiskAndRestore();
  stage.At(kAmerica).Start();
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  stage.At(kEurope).Start();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_TRUE(stage.Until([&] { return StatusAt(stage, kEurope)->problem.contains("takes itself for the primary"); }));
  EXPECT_TRUE(stage.Admits(kAmerica));
}

}  // namespace
}  // namespace symbolon::simulation
