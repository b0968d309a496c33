// Stories of Regions whose stores fail for a while: what they cannot read they do not take to be absent, what they
// cannot write they do not forget, and what they began to write does not stay for ever.
#include <utility>

#include "story.h"

namespace symbolon::simulation {
namespace {

using replication::ControlErrorCode;
using replication::pb::RoleRecord;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr nanoseconds kForLong = std::chrono::hours(1);

bool IsNoList(const storage::Read& read) { return read.kind != storage::Read::Kind::kPools; }

class FailingStoreTest : public StageTest {
 protected:
  // It starts, and lists its pools and reads none of them for that time.
  static void StartUnread(Stage& stage, std::string_view region, nanoseconds duration) {
    stage.At(region).bad_reads().Begin(1, duration, 1, IsNoList);
    stage.At(region).Start();
  }
  static bool IsGateOpen(Stage& stage, std::string_view region) {
    return stage.At(region).machine().write_gate().IsOpen(stage.pool());
  }
  // As a copy that was cut off leaves it.
  static void BeginCopy(Stage& stage, std::string_view region) {
    storage::LocalStore& store = stage.At(region).store();
    const auto snapshot = store.MakeSnapshot();
    storage::pb::Head head = **snapshot->Head(stage.pool());
    head.set_sequence(head.sequence() + 10);
    head.set_digest(Bytes(head.digest().size(), 'x'));
    ASSERT_TRUE(store.BeginStaging(stage.pool(), head, *snapshot->History(stage.pool())));
  }
  static bool IsStaged(Stage& stage, std::string_view region) {
    return stage.At(region).store().FindStaging(stage.pool()).value().has_value();
  }
  // us-east-1 alone has "entry" beside the primary, which is lost. us-east-1 is down.
  static void LeaveEntryInAmerica(Stage& stage) {
    stage.MakePool(kEurope, {kAmerica, kAsia});
    ASSERT_TRUE(stage.ChangeRole(kEurope, [](RoleRecord role) {
      return replication::SetDurability(std::move(role), {.mode = replication::pb::SYNC});
    }));
    stage.For(seconds(1));
    stage.CutOff(kAsia);
    ASSERT_TRUE(stage.WriteDurably(kEurope, "entry"));
    ASSERT_TRUE(stage.Has(kAmerica, "entry"));
    stage.At(kEurope).Crash();
    stage.At(kAmerica).Crash();
    stage.network().HealAll();
  }
  static std::optional<replication::ControlResult<replication::Promoted>> TakeOverWithoutLoss(Stage& stage,
                                                                                              std::string_view name) {
    const auto answer = std::make_shared<std::optional<replication::ControlResult<replication::Promoted>>>();
    SimRegion& region = stage.At(name);
    region.Post(nanoseconds(0), [&stage, &region, answer] {
      region.machine().TakeOver(
          stage.pool(), /*accept_loss=*/false, [answer](auto result) { answer->emplace(std::move(result)); },
          region.Now());
    });
    stage.Until([&] { return answer->has_value(); });
    return *answer;
  }
};

TEST_F(FailingStoreTest, ARegionIsAskedForAPromiseBeforeItHasReadThePool_ItAnswersWhenItHas) {
  Stage stage({kEurope, kAmerica, kAsia});
  LeaveEntryInAmerica(stage);
  StartUnread(stage, kAmerica, milliseconds(2'300));
  stage.For(seconds(2));
  const auto promoted = TakeOverWithoutLoss(stage, kAsia);
  ASSERT_TRUE(promoted && promoted->has_value());
  EXPECT_EQ((*promoted)->silent.size(), 1u) << "eu-central-1";
  EXPECT_TRUE(stage.Has(kAsia, "entry"));
}

TEST_F(FailingStoreTest, ARegionIsAskedForAPromiseAndCannotReadThePool_ItCountsAsSilent) {
  Stage stage({kEurope, kAmerica, kAsia});
  LeaveEntryInAmerica(stage);
  StartUnread(stage, kAmerica, kForLong);
  stage.For(seconds(2));
  const auto refused = TakeOverWithoutLoss(stage, kAsia);
  ASSERT_TRUE(refused.has_value());
  ASSERT_FALSE(refused->has_value()) << "what was answered with SYNC may be in us-east-1 alone";
  EXPECT_EQ(refused->error().code, ControlErrorCode::kRefused);
  stage.At(kAmerica).bad_reads().End();
  stage.For(seconds(2));
  EXPECT_TRUE(TakeOverWithoutLoss(stage, kAsia)->has_value());
  EXPECT_TRUE(stage.Has(kAsia, "entry"));
}

TEST_F(FailingStoreTest, AFormerPrimaryStartsAndCannotReadThePool_ItAdmitsNothingAndThenFollows) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  StartUnread(stage, kEurope, seconds(10));
  stage.For(milliseconds(300));
  EXPECT_FALSE(IsGateOpen(stage, kEurope));
  EXPECT_FALSE(stage.WriteDurably(kEurope, "in a dead epoch"));
  EXPECT_FALSE(stage.Has(kEurope, "in a dead epoch"));
  EXPECT_NE(StatusAt(stage, kEurope)->problem, "");
  stage.For(seconds(3));
  EXPECT_FALSE(IsGateOpen(stage, kEurope)) << "nobody goes on alone with what cannot be read";
  ASSERT_TRUE(stage.Write(kAmerica, "in the next epoch"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "in the next epoch"); }));
  EXPECT_EQ(StatusAt(stage, kEurope)->problem, "");
}

TEST_F(FailingStoreTest, APrimaryStartsAndCannotReadThePool_ItHearsTheOthersWhenItHasReadIt) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.CutOff(kEurope);
  stage.At(kEurope).Crash();
  StartUnread(stage, kEurope, seconds(5));
  stage.For(seconds(5) + milliseconds(300));
  EXPECT_FALSE(stage.Admits(kEurope)) << "as after any start";
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope); }));
}

TEST_F(FailingStoreTest, ARegionCannotListItsPools_ItAdmitsNothingAndSaysNothingUntilItCan) {
  Stage stage({kEurope, kAmerica, kAsia});
  LeaveEntryInAmerica(stage);
  stage.At(kAmerica).bad_reads().Begin(1, kForLong);
  stage.At(kAmerica).Start();
  stage.At(kEurope).bad_reads().Begin(1, kForLong);
  stage.At(kEurope).Start();
  stage.For(seconds(2));
  EXPECT_FALSE(IsGateOpen(stage, kEurope));
  EXPECT_FALSE(stage.WriteDurably(kEurope, "not known to be primary"));
  EXPECT_FALSE(TakeOverWithoutLoss(stage, kAsia)->has_value());
  stage.At(kAmerica).bad_reads().End();
  stage.At(kEurope).bad_reads().End();
  EXPECT_TRUE(stage.Until([&] { return stage.Admits(kEurope) || stage.Admits(kAsia); }) ||
              TakeOverWithoutLoss(stage, kAsia)->has_value());
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAsia, "entry"); }));
}

TEST_F(FailingStoreTest, AMemberThatHasToGoCannotReadThePool_WhatItAloneAcceptedIsHandedOverFirst) {
  Stage stage({kEurope, kAmerica, kAsia});
  stage.MakePool(kEurope, {kAmerica});
  stage.CutOff(kAmerica);
  ASSERT_TRUE(stage.SayFact(kAmerica, "said in us-east-1"));
  stage.At(kAmerica).Crash();
  BeginRemoval(stage, kEurope, kAmerica);
  stage.network().HealAll();
  StartUnread(stage, kAmerica, seconds(3));
  stage.For(seconds(2));
  EXPECT_TRUE(stage.Holds(kAmerica));
  EXPECT_TRUE(stage.Until([&] { return !stage.Holds(kAmerica) && !IsMember(stage, kEurope, kAmerica); }));
  EXPECT_TRUE(stage.HasFact(kEurope, "said in us-east-1"));
}

// us-east-1 kept what eu-central-1 signed, and is the only one to know that it was set back.
TEST_F(FailingStoreTest, WhatOtherRegionsSignedCannotBeReadAtFirst_ItIsNotWrittenOver) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.At(kEurope).TakeBackup();
  ASSERT_TRUE(stage.Write(kEurope, "signed"));
  ASSERT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "signed"); }));
  // It is signed, and that is kept.
  stage.For(seconds(2));
  stage.At(kAmerica).Crash();
  stage.At(kEurope).SetBack();
  stage.At(kAmerica).bad_reads().Begin(1, seconds(2), 1, [](const storage::Read& read) {
    return read.kind == storage::Read::Kind::kRecord && read.space == storage::Space::kRegional;
  });
  stage.At(kAmerica).Start();
  stage.For(seconds(3));
  stage.At(kEurope).Start();
  EXPECT_TRUE(stage.Until([&] { return stage.At(kEurope).machine().Counters().rollbacks_found > 0; }));
}

TEST_F(FailingStoreTest, APrimaryHearsOfAHigherEpochAndItsDiskIsFull_ItAdmitsNothingUntilThePromiseIsDurable) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.CutOff(kEurope);
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  ASSERT_TRUE(stage.Admits(kEurope)) << "it has not heard of it";
  stage.At(kEurope).disk().SetFull(true);
  stage.network().HealAll();
  ASSERT_TRUE(stage.Until([&] { return !stage.Admits(kEurope); }));
  for (int i = 0; i < 100; ++i) {
    stage.For(milliseconds(50));
    ASSERT_FALSE(stage.Admits(kEurope)) << "after " << i;
    ASSERT_FALSE(IsGateOpen(stage, kEurope));
  }
  stage.At(kEurope).disk().SetFull(false);
  ASSERT_TRUE(stage.Write(kAmerica, "in the next epoch"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kEurope, "in the next epoch"); }));
}

TEST_F(FailingStoreTest, ASecondaryFollowsWithoutTheCopyThatItBegan_TheCopyGoes) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  BeginCopy(stage, kAmerica);
  stage.At(kAmerica).Crash();
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return !IsStaged(stage, kAmerica); }));
  ASSERT_TRUE(stage.Write(kEurope, "later"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "later"); }));
}

TEST_F(FailingStoreTest, ARegionLeadsThatBeganToTakeACopy_TheCopyGoes) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  BeginCopy(stage, kAmerica);
  stage.At(kEurope).Crash();
  ASSERT_TRUE(stage.TakeOver(kAmerica));
  // Before anything is tidied up.
  stage.At(kAmerica).Crash();
  stage.At(kAmerica).Start();
  EXPECT_TRUE(stage.Until([&] { return !IsStaged(stage, kAmerica); }));
}

TEST_F(FailingStoreTest, ACopyThatIsOfNoUseCannotBeDroppedAtFirst_ItGoesLater) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  BeginCopy(stage, kEurope);
  stage.At(kEurope).Crash();
  stage.At(kEurope).Start();
  stage.At(kEurope).disk().SetFull(true);
  stage.For(seconds(5));
  EXPECT_TRUE(stage.Admits(kEurope));
  EXPECT_TRUE(IsStaged(stage, kEurope));
  stage.At(kEurope).disk().SetFull(false);
  EXPECT_TRUE(stage.Until([&] { return !IsStaged(stage, kEurope); }));
}

TEST_F(FailingStoreTest, APrimaryCannotReadWhatAReplicaHas_TheReplicaTakesNoCopyForThat) {
  Stage stage({kEurope, kAmerica});
  stage.MakePool(kEurope, {kAmerica});
  stage.CutOff(kAmerica);
  // Until they have noticed.
  stage.For(seconds(4));
  ASSERT_TRUE(stage.Write(kEurope, "meanwhile"));
  // It reads the pool, and no digest.
  stage.At(kEurope).bad_reads().Begin(
      1, seconds(3), 1, [](const storage::Read& read) { return read.kind == storage::Read::Kind::kDigest; });
  stage.network().HealAll();
  stage.For(seconds(3));
  EXPECT_FALSE(stage.Has(kAmerica, "meanwhile"));
  EXPECT_TRUE(stage.Until([&] { return stage.Has(kAmerica, "meanwhile"); }));
  EXPECT_EQ(stage.At(kEurope).machine().Counters().copies_begun, 1u) << "its first";
}

}  // namespace
}  // namespace symbolon::simulation
