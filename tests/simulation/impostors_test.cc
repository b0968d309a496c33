// Stories of somebody who has a Region's place in the network, or its store without its log key.
#include <utility>

#include "storage/plausible_epochs.h"
#include "story.h"

namespace symbolon::simulation {
namespace {

using replication::pb::RoleRecord;

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

TEST_F(StageTest, AMemberShowsAnotherKey_ItIsTakenFromAnotherStoreOnly) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  const auto pinned = [&](std::string_view region) {
    return replication::LogKeyOf(*stage.RoleAt(kEurope), Region(std::string(region)))->public_key();
  };
  const Bytes before = pinned(kAmerica);
  stage.At(kAmerica).TakeBackup();
  stage.At(kAmerica).Crash();
  stage.At(kAmerica).DrawLogKey();
  stage.At(kAmerica).Start();
  stage.For(std::chrono::seconds(5));
  EXPECT_EQ(pinned(kAmerica), before);
  EXPECT_FALSE(stage.HandOver(kEurope, kAmerica));
  EXPECT_FALSE(stage.TakeOver(kAmerica));
  EXPECT_TRUE(stage.Admits(kEurope));

  stage.At(kAmerica).LoseDiskAndRestore();
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return pinned(kAmerica) != before; }));
  EXPECT_EQ(stage.At(kEurope).machine().Counters().log_keys_replaced, 1u);
  ASSERT_TRUE(stage.Until([&] {
    return stage.RoleAt(kAmerica)->SerializeAsString() == stage.RoleAt(kEurope)->SerializeAsString() &&
           IsSigned(stage, kAmerica);
  }));
  // By then each has noticed that what it has of a connection ended with the other's process.
  stage.For(std::chrono::seconds(10));
  EXPECT_TRUE(stage.HandOver(kEurope, kAmerica));
  ASSERT_TRUE(stage.Write(kAmerica, "by the new key"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "by the new key") && IsSigned(stage, kEurope); }));
}

// The primary's own key is another one, as if somebody else answered for it.
TEST_F(StageTest, APrimaryDoesNotSignWithTheKeyThatIsKnown_NothingIsTakenFromIt) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kEurope).Crash();
  stage.At(kEurope).DrawLogKey();
  stage.At(kEurope).Start();
  ASSERT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
  ASSERT_TRUE(stage.Write(kEurope, "unproven"));
  stage.For(std::chrono::seconds(10));
  EXPECT_FALSE(stage.Has(kAmerica, "unproven"));
  EXPECT_GT(stage.At(kAmerica).machine().Counters().signatures_refused, 0u);
  EXPECT_TRUE(StatusAt(stage, kAmerica)->problem.contains("log key"));
  EXPECT_TRUE(StatusAt(stage, kEurope)->problem.contains("log key"));
}

TEST_F(StageTest, ARegionForgesWhatAnotherSaid_ItIsRefusedAndComesAsItWasSaidLater) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica, kAsia});
  stage.CutOff(kAsia);
  ASSERT_TRUE(stage.SayFact(kAmerica, "said"));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "said"); }));
  stage.At(kEurope).Hijack();
  stage.At(kEurope).Start();
  stage.network().HealAll();
  stage.network().Cut(Region(std::string(kAmerica)), Region(std::string(kAsia)));
  stage.network().Cut(Region(std::string(kAsia)), Region(std::string(kAmerica)));
  stage.For(std::chrono::seconds(15));
  EXPECT_FALSE(stage.HasFact(kAsia, "said"));
  EXPECT_GT(stage.At(kAsia).machine().Counters().signatures_refused, 0u);
  stage.At(kEurope).EndHijack();
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kAsia, "said"); }));
}

TEST_F(StageTest, ARegionForgesWhatANewMemberSaid_ItIsNotBelievedByWhoHasNotHeardOfThatMember) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAsia});
  // It forgets the key that us-east-1 has shown.
  stage.At(kAsia).Crash();
  const Region america{std::string(kAmerica)};
  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), america, stage.At(kEurope).Now().wall);
  }));
  ASSERT_TRUE(stage.Until([&] {
    const RoleRecord role = *stage.RoleAt(kEurope);
    return replication::RoleOf(role, america).state == replication::pb::INACTIVE &&
           replication::LogKeyOf(role, america) != nullptr;
  }));
  ASSERT_TRUE(stage.SayFact(kAmerica, "said"));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "said"); }));
  stage.At(kEurope).Hijack();
  stage.At(kEurope).Start();
  stage.network().Cut(america, Region(std::string(kAsia)));
  stage.network().Cut(Region(std::string(kAsia)), america);
  stage.At(kAsia).Start();
  stage.For(std::chrono::seconds(15));
  ASSERT_FALSE(IsMember(stage, kAsia, kAmerica));
  EXPECT_FALSE(stage.HasFact(kAsia, "said"));
  stage.At(kEurope).EndHijack();
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kAsia, "said"); }));
}

TEST_F(StageTest, AMemberLosesItsDiskAndItsKeyAndIsAway_WhatItSaidBeforeAndAfterIsProvedToANewMember) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kAmerica).TakeBackup();
  ASSERT_TRUE(stage.SayFact(kAmerica, "before"));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "before"); }));
  stage.At(kAmerica).LoseDiskAndRestore();
  stage.At(kAmerica).DrawLogKey();
  stage.At(kAmerica).Start();
  ASSERT_TRUE(stage.Until([&] { return stage.At(kEurope).machine().Counters().log_keys_replaced == 1; }));
  ASSERT_TRUE(stage.SayFact(kAmerica, "after"));
  ASSERT_TRUE(stage.Until([&] { return stage.HasFact(kEurope, "after") && stage.HasFact(kAmerica, "before"); }));
  stage.CutOff(kAmerica);
  ASSERT_TRUE(stage.ChangeRole(kEurope, [&](RoleRecord role) {
    return replication::AddMember(std::move(role), Region(std::string(kAsia)), stage.At(kEurope).Now().wall);
  }));
  EXPECT_TRUE(stage.Until([&] { return stage.HasFact(kAsia, "before") && stage.HasFact(kAsia, "after"); }));
  for (const std::string_view region : {kEurope, kAmerica, kAsia}) {
    EXPECT_EQ(stage.At(region).machine().Counters().signatures_refused, 0u) << region;
  }
}

}  // namespace
}  // namespace symbolon::simulation
