// Situations under an authority in which a Region may take a pool over by itself, each brought about step by step.
#include <gtest/gtest.h>

#include <utility>

#include "base/log.h"
#include "stage.h"

namespace symbolon::simulation {
namespace {

using replication::pb::RoleRecord;

constexpr std::string_view kEurope = "eu-central-1";
constexpr std::string_view kAmerica = "us-east-1";
constexpr std::string_view kAsia = "ap-south-1";
constexpr nanoseconds kAfter = std::chrono::milliseconds(300);

class AutomaticPromotionTest : public testing::Test {
 protected:
  AutomaticPromotionTest() { log::SetLevel(log::Level::kOff); }

  static Region Named(std::string_view name) { return Region(std::string(name)); }
  static std::uint64_t EpochAt(Stage& stage, std::string_view name) { return stage.RoleAt(name)->epoch_counter(); }
  static bool LeadsAt(Stage& stage, std::string_view name) { return stage.RoleAt(name)->primary() == name; }
  static replication::ReplicationStatus StatusAt(Stage& stage, std::string_view name) {
    return *stage.At(name).machine().Status(stage.pool(), stage.At(name).Now());
  }
  static std::uint64_t AttemptsOf(Stage& stage, std::string_view name) {
    return stage.At(name).machine().AuthorityStatusNow(stage.At(name).Now())->automatic_promotions;
  }
  static void LoseAuthority(Stage& stage, std::string_view name) { stage.registers().CutRequests(Named(name)); }
  static void FindAuthority(Stage& stage, std::string_view name) { stage.registers().Heal(Named(name)); }

  static void MakePool(Stage& stage, const std::vector<std::string_view>& members) {
    stage.MakePool(kEurope, members);
    ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  }
  // And what it has by then is in the replicas.
  static void MakeSync(Stage& stage, bool falls_back) {
    ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
      return replication::SetDurability(std::move(role), {.mode = replication::pb::SYNC, .falls_back = falls_back});
    }));
    stage.For(std::chrono::seconds(5));
    ASSERT_TRUE(stage.WriteDurably(kEurope, "in all"));
    stage.For(std::chrono::seconds(1));
    ASSERT_TRUE(stage.Has(kAmerica, "in all"));
  }
  // The Region starts, and follows whoever leads by now.
  static void ComeBack(Stage& stage, std::string_view name) {
    stage.At(name).Start();
    ASSERT_TRUE(stage.Until([&] { return StatusAt(stage, name).streaming && !LeadsAt(stage, name); }));
    stage.For(std::chrono::seconds(1));
  }
  // Whoever leads loses its way to the authority until somebody else leads or patience is over, again and again. How
  // often the pool changed hands.
  static std::uint64_t Flap(Stage& stage, nanoseconds duration) {
    const std::uint64_t before = EpochAt(stage, kEurope);
    for (nanoseconds passed{}; passed < duration; passed += std::chrono::seconds(5)) {
      const std::string_view leader = LeadsAt(stage, kEurope) ? kEurope : kAmerica;
      LoseAuthority(stage, leader);
      stage.For(std::chrono::seconds(4));
      FindAuthority(stage, leader);
      stage.For(std::chrono::seconds(1));
    }
    EXPECT_TRUE(stage.Until([&] {
      return (stage.Admits(kEurope) || stage.Admits(kAmerica)) && EpochAt(stage, kEurope) == EpochAt(stage, kAmerica);
    }));
    return EpochAt(stage, kEurope) - before;
  }
};

// America alone holds what was answered last, and loses its disk; Asia is in the in-sync set too, and lacks it.
TEST_F(AutomaticPromotionTest, AMemberOfTheInSyncSetComesOutOfABackup_ItsAnswerIsNoneAndNobodyTakesOver) {
  Stage stage({kEurope, kAmerica, kAsia}, /*automatic=*/true, Plant::kNone, kAfter);
  MakePool(stage, {kAmerica, kAsia});
  MakeSync(stage, /*falls_back=*/false);
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kAsia, "in all"); }));
  stage.At(kAmerica).TakeBackup();
  stage.CutOff(kAsia);
  ASSERT_TRUE(stage.WriteDurably(kEurope, "answered"));
  stage.At(kEurope).Crash();
  stage.At(kAmerica).LoseDiskAndRestore();
  stage.At(kAmerica).Start();
  stage.network().HealAll();
  stage.For(std::chrono::seconds(20));
  EXPECT_FALSE(stage.Admits(kAsia));
  EXPECT_FALSE(stage.Admits(kAmerica));
  EXPECT_EQ(AttemptsOf(stage, kAsia), 0u) << "what has to fail is not tried";
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope) && stage.Has(kAsia, "answered"); }));
}

// ---- tenure ----

TEST_F(AutomaticPromotionTest, BothRegionsLoseTheAuthorityAgainAndAgain_ThePoolChangesHandsOnceInATenure) {
  for (const auto tenure : {std::chrono::seconds(0), std::chrono::seconds(600)}) {
    SCOPED_TRACE(tenure.count());
    Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, kAfter, tenure);
    MakePool(stage, {kAmerica});
    const std::uint64_t changes = Flap(stage, std::chrono::seconds(100));
    if (tenure.count() == 0) {
      EXPECT_GT(changes, 10u);
    } else {
      EXPECT_EQ(changes, 1u);
      EXPECT_TRUE(stage.Admits(kAmerica)) << "whoever took over goes on when it has its lease back";
    }
  }
}

TEST_F(AutomaticPromotionTest, WhoeverTookOverIsLost_TheNextWaitsForTheEndOfItsTenureAndSaysSo) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, kAfter, std::chrono::seconds(40));
  MakePool(stage, {kAmerica});
  EXPECT_FALSE(StatusAt(stage, kAmerica).tenure);
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  EXPECT_TRUE(StatusAt(stage, kAmerica).tenure);
  ComeBack(stage, kEurope);
  stage.At(kAmerica).Crash();
  stage.For(std::chrono::seconds(10));
  const auto status = StatusAt(stage, kEurope);
  ASSERT_TRUE(status.tenure);
  EXPECT_GT(status.tenure->since, std::chrono::seconds(10));
  EXPECT_LT(status.tenure->left, std::chrono::seconds(30));
  EXPECT_TRUE(status.problem.contains("us-east-1, whose lease is gone, took the pool over by itself 1"))
      << status.problem;
  stage.For(status.tenure->left - std::chrono::seconds(1));
  EXPECT_FALSE(LeadsAt(stage, kEurope));
  stage.For(std::chrono::seconds(3));
  EXPECT_TRUE(stage.Admits(kEurope));
}

TEST_F(AutomaticPromotionTest, ARegionStartsAgainWithinATenure_ItHasNotForgotten) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, kAfter, std::chrono::seconds(40));
  MakePool(stage, {kAmerica});
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  ComeBack(stage, kEurope);
  stage.At(kAmerica).Crash();
  stage.At(kEurope).Crash();
  stage.At(kEurope).Start();
  stage.For(std::chrono::seconds(30));
  EXPECT_FALSE(LeadsAt(stage, kEurope));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
}

TEST_F(AutomaticPromotionTest, ATenureIsOver_WhoeverStartsLaterDoesNotCountItAnew) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, kAfter, std::chrono::seconds(40));
  MakePool(stage, {kAmerica});
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  stage.For(std::chrono::seconds(45));
  ComeBack(stage, kEurope);
  EXPECT_FALSE(StatusAt(stage, kEurope).tenure);
  stage.At(kAmerica).Crash();
  stage.For(std::chrono::seconds(10));
  EXPECT_TRUE(stage.Admits(kEurope));
}

TEST_F(AutomaticPromotionTest, APersonPromotesWithinATenure_ItIsDoneAtOnceAndBeginsNone) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, kAfter, std::chrono::seconds(600));
  MakePool(stage, {kAmerica});
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  ComeBack(stage, kEurope);
  ASSERT_TRUE(stage.HandOver(kAmerica, kEurope));
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_FALSE(StatusAt(stage, kEurope).tenure);
  // And the next loss is met by itself again.
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  ComeBack(stage, kEurope);
  stage.At(kAmerica).Crash();
  stage.For(std::chrono::seconds(10));
  EXPECT_FALSE(stage.Admits(kEurope));
  ASSERT_TRUE(stage.TakeOver(kEurope));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_FALSE(StatusAt(stage, kEurope).tenure);
}

TEST_F(AutomaticPromotionTest, APersonHandsOverWithinATenureAndTheNextPrimaryDies_WhoeverHandedOverTakesThePoolBack) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, kAfter, std::chrono::seconds(600));
  MakePool(stage, {kAmerica});
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  ComeBack(stage, kEurope);
  stage.At(kAmerica).on_notice = [&](const storage::Notice&) {
    if (stage.RoleAt(kAmerica)->has_next() && stage.At(kEurope).up()) stage.At(kEurope).Crash();
  };
  ASSERT_FALSE(stage.HandOver(kAmerica, kEurope));
  stage.At(kAmerica).on_notice = nullptr;
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
}

// ---- what a take-over is decided on ----

// It is asked first whether it opens the pool's keys, and its process stands still then.
TEST_F(AutomaticPromotionTest, ThePrimaryReturnsFallsBackAndIsLostAgainMeanwhile_WhoeverWasToTakeOverDoesNot) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true);
  MakePool(stage, {kAmerica});
  MakeSync(stage, /*falls_back=*/true);
  bool asked = false;
  stage.At(kAmerica).on_asked_to_lead = [&](const PoolId&) {
    if (!std::exchange(asked, true)) stage.At(kAmerica).Pause(std::chrono::seconds(30));
  };
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return asked; }));
  stage.CutOff(kAmerica);
  stage.At(kEurope).Start();
  ASSERT_TRUE(stage.Until([&] { return stage.WriteDurably(kEurope, "in one"); }));
  stage.At(kEurope).Crash();
  stage.For(std::chrono::minutes(1));
  EXPECT_FALSE(stage.Has(kAmerica, "in one"));
  EXPECT_FALSE(LeadsAt(stage, kAmerica));
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_TRUE(stage.Has(kEurope, "in one"));
}

// With SYNC durability all other Regions but one have to answer it.
TEST_F(AutomaticPromotionTest, AReplicaThatHearsNobodyCouldNotTakeASyncPoolOver_ThePrimaryThatReturnsGoesOn) {
  Stage stage({kEurope, kAmerica, kAsia}, /*automatic=*/true);
  MakePool(stage, {kAmerica, kAsia});
  MakeSync(stage, /*falls_back=*/false);
  const std::uint64_t epoch = EpochAt(stage, kEurope);
  stage.CutOff(kAmerica);
  LoseAuthority(stage, kEurope);
  LoseAuthority(stage, kAsia);
  stage.For(std::chrono::seconds(20));
  EXPECT_FALSE(stage.Admits(kEurope));
  FindAuthority(stage, kEurope);
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_EQ(EpochAt(stage, kEurope), epoch);
}

TEST_F(AutomaticPromotionTest, ATakeOverFailsWhenTheRegisterIsTaken_ItIsTriedAgain) {
  Stage stage({kEurope, kAmerica, kAsia}, /*automatic=*/true);
  MakePool(stage, {kAmerica, kAsia});
  MakeSync(stage, /*falls_back=*/false);
  LoseAuthority(stage, kAsia);
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.Until([&] { return AttemptsOf(stage, kAmerica) == 1; }));
  stage.CutOff(kAsia);
  stage.For(std::chrono::seconds(20));
  EXPECT_FALSE(LeadsAt(stage, kAmerica));
  stage.network().HealAll();
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
  EXPECT_TRUE(stage.Has(kAmerica, "in all"));
}

// ---- an authority that is set back ----

// Whoever hands over has not noticed; and the register comes to the revision at which it knew it before.
TEST_F(AutomaticPromotionTest, TheAuthorityIsRestoredAndAtOnceAPoolIsHandedOver_WhatIsRegisteredIsNotUndone) {
  constexpr std::uint64_t kRevisionsTried = 6;
  for (std::uint64_t before = 1; before <= kRevisionsTried; ++before) {
    SCOPED_TRACE(before);
    Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, std::chrono::seconds(4));
    MakePool(stage, {kAmerica});
    stage.registers().TakeBackup();
    ASSERT_TRUE(stage.HandOver(kEurope, kAmerica));
    ASSERT_TRUE(stage.Until([&] { return stage.Admits(kAmerica) && StatusAt(stage, kEurope).streaming; }));
    stage.For(std::chrono::seconds(1));
    const replication::Revision known = stage.registers().Of(stage.pool()).revision;
    // It hears nothing from there, and what it asks comes late.
    stage.registers().CutAnswers(Named(kAmerica));
    stage.registers().Delay(Named(kAmerica), std::chrono::milliseconds(100));
    stage.registers().Restore();
    stage.registers().ComeTo(known - before);
    const replication::Revision restored = stage.registers().Of(stage.pool()).revision;
    // The former primary gives back what the backup says it has.
    ASSERT_TRUE(stage.Until([&] { return stage.registers().Of(stage.pool()).revision > restored; }));
    std::uint64_t newest = 0;
    stage.registers().on_change = [&](const replication::RegisterNews::Entry& entry) {
      const std::uint64_t counter = entry.value.epoch().counter();
      EXPECT_GE(counter, std::exchange(newest, counter)) << entry.value.ShortDebugString();
    };
    ASSERT_TRUE(stage.HandOver(kAmerica, kEurope));
    EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
    stage.For(std::chrono::seconds(1));
    EXPECT_TRUE(stage.Admits(kEurope));
    stage.registers().on_change = nullptr;
  }
}

// By what its backup says the replica has everything.
TEST_F(AutomaticPromotionTest,
       TheAuthorityIsRestoredFromBeforeAPrimaryFellBack_TheReplicaThatLacksAWriteDoesNotTakeOver) {
  // As configuration has it, so that whoever lives has its lease anew before it is taken to be lost.
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, std::chrono::seconds(4));
  MakePool(stage, {kAmerica});
  MakeSync(stage, /*falls_back=*/true);
  stage.registers().TakeBackup();
  stage.CutOff(kAmerica);
  ASSERT_TRUE(stage.Until([&] { return stage.WriteDurably(kEurope, "in one"); }));
  stage.registers().Restore();
  stage.For(std::chrono::seconds(5));
  stage.At(kEurope).Crash();
  stage.For(std::chrono::minutes(1));
  EXPECT_FALSE(stage.Admits(kAmerica));
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_TRUE(stage.Has(kEurope, "in one"));
  stage.network().HealAll();
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "in one"); }));
}

}  // namespace
}  // namespace symbolon::simulation
