// Situations that the simulator once found by chance, each brought about by itself.
#include <utility>

#include "story.h"

namespace symbolon::simulation {
namespace {

using replication::ControlErrorCode;
using replication::pb::RoleRecord;

// eu-central-1 and us-east-1 both take epoch 2; the latter's is the higher one.
TEST_F(StageTest, ARegionPromisesAndDropsThePool_ItTakesNothingOfALowerEpochWhenItIsMadeAReplicaAgain) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  stage.CutOff(kEurope);
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  BeginRemoval(stage, kAmerica, kAsia);
  ASSERT_TRUE(stage.Until([&] { return !stage.Holds(kAsia) && !IsMember(stage, kAmerica, kAsia); }));
  stage.At(kAmerica).Crash();
  stage.At(kEurope).Crash();
  stage.network().HealAll();
  stage.At(kEurope).Start();
  // Whose role record still names ap-south-1.
  stage.TakeOver(kEurope);
  stage.For(std::chrono::seconds(20));
  EXPECT_FALSE(stage.Holds(kAsia));
  EXPECT_FALSE(stage.Admits(kEurope)) << "it has heard that a higher epoch is promised";
  // A person repeats it.
  ASSERT_TRUE(stage.TakeOver(kEurope));
  EXPECT_TRUE(stage.Until([&] { return stage.Holds(kAsia) && stage.Admits(kEurope); }));
}

// us-east-1 has promised itself epoch 2, which is higher than ap-south-1's epoch 2, and comes back while that fetches
// the longest log.
TEST_F(StageTest, ARegionHearsOfAHigherEpochBeforeItsOwnBegins_ItDoesNotLeadUntilAPersonRepeatsIt) {
  Stage stage({kEurope, kAmerica, kAsia, kBrazil});
  stage.MakePool(kEurope, {kAmerica, kAsia, kBrazil});
  stage.CutOff(kAsia);
  for (int entry = 0; entry < 60; ++entry) {
    ASSERT_TRUE(stage.Write(kEurope, std::to_string(entry), Bytes(1'000, 'x')));
  }
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "59") && stage.Has(kBrazil, "59"); }));
  stage.CutOff(kAmerica);
  const auto take_over = [&](std::string_view region, std::optional<bool>& done) {
    SimRegion& at = stage.At(region);
    at.Post(nanoseconds(0), [&] {
      at.machine().TakeOver(
          stage.pool(), /*accept_loss=*/true, [&](const auto& result) { done = result.has_value(); }, at.Now());
    });
  };
  std::optional<bool> of_america;
  take_over(kAmerica, of_america);
  SimRegion& america = stage.At(kAmerica);
  ASSERT_TRUE(stage.Until([&] { return america.store().MakeSnapshot()->Promised(stage.pool())->has_value(); }));
  america.Crash();
  stage.At(kEurope).Crash();
  stage.network().HealAll();
  stage.For(std::chrono::seconds(3));
  std::optional<bool> of_asia;
  take_over(kAsia, of_asia);
  ASSERT_TRUE(stage.Until([&] { return stage.At(kAsia).store().FindStaging(stage.pool())->has_value(); }));
  america.Start();
  ASSERT_TRUE(stage.Until([&] { return of_asia.has_value(); }));
  EXPECT_TRUE(*of_asia);
  stage.For(std::chrono::seconds(5));
  EXPECT_FALSE(stage.Admits(kAsia));

  ASSERT_TRUE(stage.TakeOver(kAsia));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAsia) && stage.RoleAt(kAmerica)->primary() == kAsia; }));
  EXPECT_TRUE(stage.Has(kAsia, "59"));
}

// How many entries of facts `of` has not acknowledged, as `at` tells; nullopt: it needs none.
std::optional<std::uint64_t> FactLagAt(Stage& stage, std::string_view at, std::string_view of) {
  for (const replication::FactLag& lag : StatusAt(stage, at)->fact_lags) {
    if (lag.region.value() == of) return lag.entries;
  }
  return std::nullopt;
}

TEST_F(StageTest, ARegionIsCutOff_ItAndTheOthersTellWhichFactsHaveNotArrivedUntilTheyMeet) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  const auto arrived = [&] {
    return FactLagAt(stage, kEurope, kAmerica) == 0 && FactLagAt(stage, kEurope, kAsia) == 0 &&
           FactLagAt(stage, kAsia, kAmerica) == 0 && FactLagAt(stage, kAsia, kEurope) == 0 &&
           FactLagAt(stage, kAmerica, kEurope) == 0 && FactLagAt(stage, kAmerica, kAsia) == 0;
  };
  for (const char* fact : {"one", "two", "three"}) ASSERT_TRUE(stage.SayFact(kEurope, fact));
  ASSERT_TRUE(stage.Until(arrived));
  stage.CutOff(kAmerica);
  ASSERT_TRUE(stage.SayFact(kEurope, "four"));
  ASSERT_TRUE(stage.SayFact(kAmerica, "five"));
  ASSERT_TRUE(stage.SayFact(kAmerica, "six"));
  // Long after the connections are known to be gone.
  stage.For(std::chrono::seconds(30));
  EXPECT_EQ(FactLagAt(stage, kEurope, kAsia), 0u);
  EXPECT_EQ(FactLagAt(stage, kEurope, kAmerica), 1u);
  EXPECT_EQ(FactLagAt(stage, kAsia, kAmerica), 1u) << "it has heard of it, and could tell";
  EXPECT_EQ(FactLagAt(stage, kAmerica, kEurope), 2u);
  EXPECT_EQ(FactLagAt(stage, kAmerica, kAsia), 2u);
  // What was heard is forgotten.
  stage.At(kEurope).Crash();
  stage.At(kEurope).Start();
  EXPECT_EQ(FactLagAt(stage, kEurope, kAmerica), 4u);
  stage.network().HealAll();
  EXPECT_TRUE(stage.Until(arrived));
}

TEST_F(StageTest, AMemberIsRemovedWhileItIsCutOff_NobodyWaitsForItAndItTellsWhatItHasToHandOver) {
  Stage stage({kEurope, kAsia});
  stage.MakePool(kEurope, {kAsia});
  stage.CutOff(kAsia);
  ASSERT_TRUE(stage.SayFact(kEurope, "said in eu-central-1"));
  ASSERT_TRUE(stage.SayFact(kAsia, "said in ap-south-1"));
  EXPECT_EQ(FactLagAt(stage, kEurope, kAsia), 1u);
  EXPECT_EQ(FactLagAt(stage, kAsia, kEurope), 1u);
  BeginRemoval(stage, kEurope, kAsia);
  stage.For(std::chrono::seconds(30));
  EXPECT_EQ(FactLagAt(stage, kEurope, kAsia), std::nullopt);
  EXPECT_EQ(FactLagAt(stage, kAsia, kEurope), 1u);
  stage.network().HealAll();
  EXPECT_TRUE(stage.Until([&] { return !stage.Holds(kAsia) && !IsMember(stage, kEurope, kAsia); }));
  EXPECT_TRUE(stage.HasFact(kEurope, "said in ap-south-1"));
}

TEST_F(StageTest, AMemberIsRemovedWhileItIsAwayWithAFact_ThePrimaryThatItLearnsOfLaterGetsTheFact) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAsia});
  stage.CutOff(kAsia);
  ASSERT_TRUE(stage.SayFact(kAsia, "said in ap-south-1"));
  stage.At(kAsia).Crash();
  stage.network().HealAll();
  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), Region(std::string(kAmerica)), stage.At(kEurope).Now().wall);
  }));
  ASSERT_TRUE(stage.Until([&] {
    return replication::RoleOf(*stage.RoleAt(kEurope), Region(std::string(kAmerica))).state ==
           replication::pb::INACTIVE;
  }));
  BeginRemoval(stage, kEurope, kAsia);
  ASSERT_TRUE(stage.Until([&] {
    return stage.Holds(kAmerica) &&
           stage.RoleAt(kAmerica)->SerializeAsString() == stage.RoleAt(kEurope)->SerializeAsString();
  }));
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  // It knows of no us-east-1, until eu-central-1 vouches for it.
  stage.At(kAsia).Start();
  stage.For(std::chrono::seconds(5));
  EXPECT_TRUE(stage.Holds(kAsia));
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return !stage.Holds(kAsia) && !IsMember(stage, kAmerica, kAsia); }));
  EXPECT_TRUE(stage.HasFact(kAmerica, "said in ap-south-1"));
}

TEST_F(StageTest, AFormerMemberIsMadeAgainWhenItHasSaidAFactAlone_ItsCopyIsCompleteWithoutAnotherFact) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  const Region america{std::string(kAmerica)};
  // Removed, without its drop, and added again: it keeps its directory.
  stage.CutOff(kAmerica);
  BeginRemoval(stage, kEurope, kAmerica);
  ASSERT_TRUE(
      stage.ChangeRole(kEurope, [&](RoleRecord role) { return replication::RemoveMember(std::move(role), america); }));
  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), america, stage.At(kEurope).Now().wall);
  }));
  stage.network().HealAll();
  ASSERT_TRUE(stage.SayFact(kAmerica, "said in us-east-1"));
  EXPECT_TRUE(stage.Until(
      [&] { return replication::RoleOf(*stage.RoleAt(kEurope), america).state == replication::pb::INACTIVE; }));
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "said in us-east-1"); }));
}

TEST_F(StageTest, AMemberIsRemovedAndMadeAgain_ItsCopyIsCompleteWhenItHasTheFactsAgain) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(stage.SayFact(i % 2 == 0 ? kEurope : kAmerica, std::to_string(i)));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kAmerica, "18") && stage.HasFact(kEurope, "19"); }));
  stage.For(std::chrono::seconds(1));
  const Region america{std::string(kAmerica)};
  BeginRemoval(stage, kEurope, kAmerica);
  ASSERT_TRUE(stage.Until([&] { return !stage.Holds(kAmerica) && !IsMember(stage, kEurope, kAmerica); }));
  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), america, stage.At(kEurope).Now().wall);
  }));
  ASSERT_TRUE(stage.Until(
      [&] { return replication::RoleOf(*stage.RoleAt(kEurope), america).state == replication::pb::INACTIVE; }));
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(stage.HasFact(kAmerica, std::to_string(i))) << i;
}

// The answer to a renewal is read long after it was sent. By the planted bug the lease is counted from then, and both
// Regions may write.
TEST_F(StageTest, APrimaryStandsStillBetweenARenewalAndItsAnswer_ItsLeaseEndsBeforeAnotherMayWrite) {
  for (const Plant plant : {Plant::kNone, Plant::kLeaseFromAnswer}) {
    SCOPED_TRACE(static_cast<int>(plant));
    Stage stage({kEurope, kAmerica}, /*automatic=*/true, plant);
    stage.MakePool(kEurope, {kAmerica});
    ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
    bool stopped = false;
    stage.registers().on_renewed = [&](const Region& region) {
      if (region.value() != kEurope || std::exchange(stopped, true)) return;
      stage.At(kEurope).Pause(std::chrono::milliseconds(1'800));
      stage.registers().CutRequests(region);
      stage.CutOff(kEurope);
    };
    ASSERT_TRUE(stage.Until([&] { return stopped && *stage.At(kAmerica).MayWrite(stage.pool()); }));
    EXPECT_EQ(*stage.At(kEurope).MayWrite(stage.pool()), plant == Plant::kLeaseFromAnswer);
  }
}

// The lease is of two seconds; the primary loses it again and again, and has it back before the others' time is up.
TEST_F(StageTest, APrimaryLosesItsLeaseForAMomentAgainAndAgain_NobodyTakesOver) {
  Stage stage({kEurope, kAmerica}, /*automatic=*/true, Plant::kNone, std::chrono::seconds(4));
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  const std::uint64_t epoch = stage.RoleAt(kEurope)->epoch_counter();
  for (int round = 0; round < 5; ++round) {
    stage.registers().CutRequests(Region(std::string(kEurope)));
    ASSERT_TRUE(stage.Until([&] { return !stage.Admits(kEurope); }));
    stage.For(std::chrono::seconds(3));
    stage.registers().Heal(Region(std::string(kEurope)));
    ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
    stage.For(std::chrono::seconds(2));
  }
  EXPECT_EQ(stage.RoleAt(kEurope)->epoch_counter(), epoch);
  // One that does not have it back is replaced.
  stage.registers().CutRequests(Region(std::string(kEurope)));
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kAmerica); }));
}

// A write that was answered without the replica is not lost by the replica's taking over; it is by the planted bug.
TEST_F(StageTest, APrimaryThatFellBackIsLostWithAutomaticPromotion_TheReplicaThatLacksAWriteDoesNotTakeOver) {
  for (const Plant plant : {Plant::kNone, Plant::kFallBackUnregistered}) {
    SCOPED_TRACE(static_cast<int>(plant));
    Stage stage({kEurope, kAmerica}, /*automatic=*/true, plant);
    stage.MakePool(kEurope, {kAmerica});
    ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
    ASSERT_TRUE(stage.ChangeRole(kEurope, [](RoleRecord role) {
      return replication::SetDurability(std::move(role), {.mode = replication::pb::SYNC, .falls_back = true});
    }));
    stage.For(std::chrono::seconds(5));
    ASSERT_TRUE(stage.WriteDurably(kEurope, "in both"));
    ASSERT_TRUE(stage.Has(kAmerica, "in both"));
    stage.CutOff(kAmerica);
    ASSERT_TRUE(stage.Until([&] { return stage.WriteDurably(kEurope, "in one"); }));
    stage.At(kEurope).Crash();
    stage.For(std::chrono::minutes(1));
    EXPECT_FALSE(stage.Has(kAmerica, "in one"));
    EXPECT_EQ(stage.Admits(kAmerica), plant == Plant::kFallBackUnregistered);
    if (plant != Plant::kNone) continue;
    stage.At(kEurope).Start();
    EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
    EXPECT_TRUE(stage.Has(kEurope, "in one"));
  }
}

TEST_F(StageTest, TheReplicaIsLostBeforeTheHandOver_ThePrimaryStaysInCharge) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.CutOff(kAmerica);
  ASSERT_TRUE(stage.Write(kEurope, "while it is away"));
  const auto answer = stage.AskForHandOver(kEurope, kAmerica);
  ASSERT_TRUE(answer && !*answer);
  EXPECT_EQ(answer->error().code, ControlErrorCode::kRefused);
  EXPECT_TRUE(stage.Admits(kEurope));
  EXPECT_TRUE(stage.Write(kEurope, "afterwards"));
}

// As a virtual machine that is moved: another Region is made primary meanwhile, by a person. Then the process goes on,
// with a request that waited in its sockets.
TEST_F(StageTest, ThePrimaryStandsStillWhileAnotherIsPromoted_ItAnswersNoWriteWhenItGoesOn) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.WriteDurably(kEurope, "before"));
  stage.At(kEurope).Pause(std::chrono::seconds(5));
  const auto waiting = stage.AskToWriteDurably(kEurope, "waiting");
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  EXPECT_FALSE(waiting->has_value());
  ASSERT_TRUE(stage.Until([&] { return waiting->has_value(); }));
  EXPECT_FALSE(**waiting);
  EXPECT_TRUE(stage.Until([&] { return stage.RoleAt(kEurope)->primary() == kAmerica; }));
  EXPECT_FALSE(stage.Has(kEurope, "waiting"));
  EXPECT_TRUE(stage.WriteDurably(kAmerica, "after"));
}

TEST_F(StageTest, ThePrimaryStoodStillAndNobodyWasPromoted_ItGoesOnWhenItHasHeardTheOthers) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kEurope).Pause(std::chrono::seconds(1));
  const auto waiting = stage.AskToWriteDurably(kEurope, "waiting");
  ASSERT_TRUE(stage.Until([&] { return waiting->has_value(); }));
  EXPECT_FALSE(**waiting);
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  EXPECT_TRUE(stage.WriteDurably(kEurope, "after"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "after"); }));
}

// So short that whoever was promoted would have waited for this one's promise.
TEST_F(StageTest, ThePrimaryStandsStillForAMoment_NobodyNotices) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kEurope).Pause(std::chrono::milliseconds(400));
  EXPECT_TRUE(stage.WriteDurably(kEurope, "waiting"));
}

// Fewer than are kept in any case, and larger than the log may be.
TEST_F(StageTest, AFewLargeEntries_TheLogKeepsItsBoundInOctets) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  const auto size = [&] { return stage.At(kEurope).store().MeasureLog(stage.pool())->bytes; };
  const auto options = SmallOptions();
  for (std::uint64_t entry = 1; entry < options.kept_entries_min; ++entry) {
    ASSERT_TRUE(stage.Write(kEurope, "large", Bytes(options.kept_bytes_max * 2 / 3, 'x')));
  }
  ASSERT_GT(size(), options.kept_bytes_max);
  EXPECT_TRUE(stage.Until([&] { return size() <= options.kept_bytes_max; })) << size();
}

// The bound counts time that passes, not what a clock shows.
TEST_F(StageTest, BoundedLagAndTheClockIsSetBack_WritesStopAtTheBoundAllTheSame) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  ASSERT_TRUE(stage.ChangeRole(kEurope, [](RoleRecord role) {
    return replication::SetDurability(std::move(role), {.mode = replication::pb::BOUNDED, .lag_bound_seconds = 3});
  }));
  ASSERT_TRUE(stage.WriteDurably(kEurope, "before"));
  stage.For(std::chrono::seconds(1));
  stage.At(kAmerica).Crash();
  stage.At(kEurope).SetClockOffset(std::chrono::minutes(-5));
  ASSERT_TRUE(stage.WriteDurably(kEurope, "within the bound"));
  stage.For(std::chrono::seconds(4));
  EXPECT_FALSE(stage.WriteDurably(kEurope, "past the bound"));
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "within the bound"); }));
  EXPECT_TRUE(stage.WriteDurably(kEurope, "after"));
}

// ---- facts that are forgotten by a clock that was ahead ----

TEST_F(StageTest, AFactIsForgottenByAClockThatWasAhead_WhoeverIsAddedThenKnowsThatItMayLackIt) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica});
  SimRegion& europe = stage.At(kEurope);
  const Timestamp end = europe.Now().wall + std::chrono::hours(1);
  ASSERT_TRUE(stage.SayFact(kEurope, "revoked", end));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kAmerica, "revoked"); }));
  europe.SetClockOffset(std::chrono::hours(2));
  ASSERT_EQ(*europe.store().ForgetExpiredFacts(europe.Now().wall, 100), 1u);
  europe.SetClockOffset({});

  // From eu-central-1 alone.
  const auto add = [&](std::string_view primary, std::string_view member) {
    const Region name{std::string(member)};
    ASSERT_TRUE(stage.ChangeRole(primary, [&](RoleRecord role) {
      return replication::AddMember(std::move(role), name, stage.At(primary).Now().wall);
    }));
    ASSERT_TRUE(stage.Until(
        [&] { return replication::RoleOf(*stage.RoleAt(primary), name).state == replication::pb::INACTIVE; }));
  };
  stage.network().Cut(Region(std::string(kAmerica)), Region(std::string(kAsia)));
  stage.network().Cut(Region(std::string(kAsia)), Region(std::string(kAmerica)));
  add(kEurope, kAsia);
  EXPECT_FALSE(stage.HasFact(kAsia, "revoked"));
  EXPECT_GT(stage.Horizon(kAsia), end);
  EXPECT_EQ(stage.Horizon(kAmerica), Timestamp()) << "it lacks nothing";

  // Added anew while us-east-1 leads, both have it.
  stage.network().HealAll();
  stage.For(std::chrono::seconds(5));
  ASSERT_TRUE(stage.HandOver(kEurope, kAmerica));
  for (const std::string_view region : {kAsia, kEurope}) {
    BeginRemoval(stage, kAmerica, region);
    ASSERT_TRUE(stage.Until([&] { return !stage.Holds(region) && !IsMember(stage, kAmerica, region); }));
  }
  for (const std::string_view region : {kEurope, kAsia}) {
    add(kAmerica, region);
    EXPECT_TRUE(stage.HasFact(region, "revoked")) << region;
    EXPECT_EQ(stage.Horizon(region), Timestamp()) << region;
  }
}

}  // namespace
}  // namespace symbolon::simulation
