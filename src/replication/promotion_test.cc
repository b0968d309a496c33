#include "replication/promotion.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

const Region kHome("eu-central-1");
const Region kAway("us-east-1");
const Region kThird("ap-south-1");

Instant At(double seconds) {
  const auto time = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::duration<double>(seconds));
  return {Timestamp(time), time};
}

storage::pb::Head HeadAt(std::uint64_t counter, std::uint64_t sequence) {
  storage::pb::Head head;
  *head.mutable_epoch() = MakeEpoch(counter, kHome, "i");
  head.set_sequence(sequence);
  return head;
}

pb::PromiseAnswer Granted(const Takeover& takeover, const storage::pb::Head& head) {
  pb::PromiseAnswer answer;
  *answer.mutable_epoch() = takeover.epoch();
  answer.set_granted(true);
  *answer.mutable_head() = head;
  return answer;
}

TEST(EpochsTest, OnlyAHigherCounterIsPromised) {
  pb::Standing standing;
  *standing.mutable_epoch() = MakeEpoch(3, kHome, "i");
  EXPECT_FALSE(MayPromise(MakeEpoch(3, kAway, "i"), standing));
  EXPECT_TRUE(MayPromise(MakeEpoch(4, kAway, "i"), standing));
  standing.mutable_next()->set_counter(4);
  EXPECT_FALSE(MayPromise(MakeEpoch(4, kAway, "i"), standing));
  *standing.mutable_promised() = MakeEpoch(6, kHome, "i");
  EXPECT_FALSE(MayPromise(MakeEpoch(5, kAway, "i"), standing));
  EXPECT_FALSE(MayPromise(MakeEpoch(6, kThird, "i"), standing));
  EXPECT_TRUE(MayPromise(MakeEpoch(6, kHome, "i"), standing));
  EXPECT_TRUE(MayPromise(MakeEpoch(6, kAway, "i"), standing));
  EXPECT_EQ(HighestCounter(standing), 6u);
}

TEST(HandoverTest, WritesWaitOnlyForTheLastEntries) {
  const Options options;
  Handover handover(kAway, options, At(0));
  EXPECT_EQ(handover.Next({.following = true, .head = 1'000, .acknowledged = 10}, At(1)), Handover::Step::kWait);
  EXPECT_FALSE(handover.shuts_gate());
  EXPECT_EQ(handover.Next({.following = true, .head = 1'000, .acknowledged = 900}, At(2)), Handover::Step::kShutGate);
  EXPECT_TRUE(handover.shuts_gate());
  EXPECT_EQ(handover.Next({.following = true, .head = 1'000, .acknowledged = 999}, At(2)), Handover::Step::kWait);
  EXPECT_EQ(handover.Next({.following = true, .head = 1'000, .acknowledged = 1'000}, At(2)), Handover::Step::kCommit);
  // Something was written in between.
  handover.OnConflict();
  EXPECT_EQ(handover.Next({.following = true, .head = 1'001, .acknowledged = 1'000}, At(2)), Handover::Step::kWait);
  EXPECT_EQ(handover.Next({.following = true, .head = 1'001, .acknowledged = 1'001}, At(2)), Handover::Step::kCommit);
  handover.OnCommitted();
  EXPECT_EQ(handover.Next({}, At(100)), Handover::Step::kWait);
}

// 2,000 a second over a round trip of 250 ms.
TEST(HandoverTest, EntriesThatAreAlwaysUnderWayDoNotHoldItUp) {
  using std::chrono::milliseconds;
  const Options options;
  Handover handover(kAway, options, At(0));
  EXPECT_EQ(
      handover.Next({.following = true, .head = 5'000, .acknowledged = 3'000, .lag_time = milliseconds(900)}, At(1)),
      Handover::Step::kWait);
  EXPECT_EQ(
      handover.Next({.following = true, .head = 9'000, .acknowledged = 8'400, .lag_time = milliseconds(300)}, At(2)),
      Handover::Step::kShutGate);
  EXPECT_EQ(handover.Next({.following = true, .head = 9'010, .acknowledged = 9'010}, At(2)), Handover::Step::kCommit);
}

TEST(HandoverTest, AnythingThatFailsBeforeTheCommitAborts) {
  const Options options;
  Handover lost(kAway, options, At(0));
  EXPECT_EQ(lost.Next({.following = false, .head = 5, .acknowledged = 5}, At(0)), Handover::Step::kAbort);
  EXPECT_NE(lost.why().find("does not follow"), std::string::npos);
  Handover slow(kAway, options, At(0));
  EXPECT_EQ(slow.Next({.following = true, .head = 5, .acknowledged = 4}, At(0)), Handover::Step::kShutGate);
  EXPECT_EQ(slow.Next({.following = true, .head = 5, .acknowledged = 4}, At(60)), Handover::Step::kAbort);
}

pb::NextEpoch NextOf(std::uint64_t counter, const Region& region) {
  pb::NextEpoch next;
  next.set_counter(counter);
  next.set_region(region.value());
  next.set_incarnation("i");
  return next;
}

// In `epoch`, with a promise of `promised` if that has a counter.
pb::Standing StandingIn(const storage::pb::Epoch& epoch, const storage::pb::Epoch& promised = {}) {
  pb::Standing standing;
  *standing.mutable_epoch() = epoch;
  if (promised.counter() > 0) *standing.mutable_promised() = promised;
  return standing;
}

TEST(HandedOverTest, TheNextPrimaryHasBegun_SaidByItOrByWhoeverFollowsIt) {
  const Options options;
  HandedOver handed_over(NextOf(5, kAway), 43, options, At(0));
  const pb::Standing here = StandingIn(MakeEpoch(4, kHome, "i"));
  EXPECT_EQ(handed_over.Judge({here, here}, At(1)), HandedOver::Outcome::kOpen);
  EXPECT_EQ(handed_over.Judge({here, StandingIn(MakeEpoch(5, kAway, "i"))}, At(1)), HandedOver::Outcome::kBegun);
  EXPECT_EQ(handed_over.promoted().epoch_counter, 5u);
  EXPECT_EQ(handed_over.promoted().first_sequence, 43u);
  // A record of an earlier version names no store.
  pb::NextEpoch unnamed = NextOf(5, kAway);
  unnamed.clear_incarnation();
  HandedOver earlier(unnamed, 43, options, At(0));
  EXPECT_EQ(earlier.Judge({StandingIn(MakeEpoch(5, kAway, "i"))}, At(1)), HandedOver::Outcome::kBegun);
}

TEST(HandedOverTest, NothingIsHeard_ThatIsSaidInTime) {
  const Options options;
  HandedOver handed_over(NextOf(5, kAway), 43, options, At(10));
  // A lower promise is in nobody's way.
  const pb::Standing here = StandingIn(MakeEpoch(4, kHome, "i"), MakeEpoch(4, kThird, "i"));
  EXPECT_EQ(handed_over.Judge({here}, At(12.9)), HandedOver::Outcome::kOpen);
  EXPECT_EQ(handed_over.Judge({here}, At(13)), HandedOver::Outcome::kUnheard);
}

TEST(HandedOverTest, AHigherEpochIsBegunOrPromised_ItIsOvertaken) {
  const Options options;
  const pb::Standing here = StandingIn(MakeEpoch(4, kHome, "i"));
  HandedOver handed_over(NextOf(5, kAway), 43, options, At(0));
  EXPECT_EQ(handed_over.Judge({here, StandingIn(MakeEpoch(4, kHome, "i"), MakeEpoch(6, kThird, "i"))}, At(1)),
            HandedOver::Outcome::kOvertaken);
  EXPECT_EQ(handed_over.overtaken_by().region(), kThird.value());
  EXPECT_EQ(handed_over.overtaken_by().counter(), 6u);
  // It had begun, and does not lead any more.
  HandedOver begun(NextOf(5, kAway), 43, options, At(0));
  EXPECT_EQ(begun.Judge({StandingIn(MakeEpoch(5, kAway, "i")), StandingIn(MakeEpoch(6, kHome, "i"))}, At(1)),
            HandedOver::Outcome::kOvertaken);
  // In the order of epochs the Region counts, too: us-east-1 is above eu-central-1.
  HandedOver lower(NextOf(5, kHome), 43, options, At(0));
  EXPECT_EQ(lower.Judge({StandingIn(MakeEpoch(4, kHome, "i"), MakeEpoch(5, kAway, "i"))}, At(1)),
            HandedOver::Outcome::kOvertaken);
}

TEST(TakeoverTest, TheLongestLogOfThoseThatPromisedIsFetchedFirst) {
  const Options options;
  Takeover takeover(MakeEpoch(5, kAway, "i"), {kHome, kThird}, options, At(0));
  EXPECT_FALSE(takeover.TakeTurnToAsk(kHome, 1));
  takeover.OnOwnPromise();
  EXPECT_TRUE(takeover.TakeTurnToAsk(kHome, 1));
  EXPECT_FALSE(takeover.TakeTurnToAsk(kHome, 1));
  EXPECT_TRUE(takeover.TakeTurnToAsk(kHome, 3));  // a new connection
  takeover.Proceed(HeadAt(4, 10), {kHome, kThird}, At(0.1));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kAsking);
  EXPECT_TRUE(takeover.OnAnswer(kHome, Granted(takeover, HeadAt(3, 99))));
  EXPECT_TRUE(takeover.OnAnswer(kThird, Granted(takeover, HeadAt(4, 12))));
  takeover.Proceed(HeadAt(4, 10), {kHome, kThird}, At(0.2));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kFetching);
  EXPECT_EQ(takeover.source(), kThird);
  takeover.Proceed(HeadAt(4, 12), {kHome, kThird}, At(0.3));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kStarting);
  EXPECT_TRUE(takeover.silent().empty());
}

TEST(TakeoverTest, WhoCannotBeReachedIsNotWaitedForAndIsNamed) {
  const Options options;
  Takeover takeover(MakeEpoch(5, kAway, "i"), {kHome, kThird}, options, At(0));
  takeover.OnOwnPromise();
  EXPECT_TRUE(takeover.OnAnswer(kThird, Granted(takeover, HeadAt(4, 12))));
  takeover.Proceed(HeadAt(4, 12), {kThird}, At(0.1));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kAsking);  // it may be about to connect
  takeover.Proceed(HeadAt(4, 12), {kThird}, At(0.5));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kStarting);
  EXPECT_EQ(takeover.silent(), std::vector<Region>{kHome});
}

TEST(TakeoverTest, ASourceThatIsLostIsGivenUp) {
  const Options options;
  Takeover takeover(MakeEpoch(5, kAway, "i"), {kHome}, options, At(0));
  takeover.OnOwnPromise();
  EXPECT_TRUE(takeover.OnAnswer(kHome, Granted(takeover, HeadAt(4, 12))));
  takeover.Proceed(HeadAt(4, 10), {kHome}, At(1));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kFetching);
  takeover.Proceed(HeadAt(4, 11), {kHome}, At(5));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kFetching);
  EXPECT_TRUE(takeover.silent().empty());
  takeover.Proceed(HeadAt(4, 11), {}, At(6));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kStarting);
  EXPECT_EQ(takeover.silent(), std::vector<Region>{kHome}) << "entry 12 is not had by anybody in reach";
}

TEST(TakeoverTest, ASourceThatIsLostTakesNothingAlongThatAnotherHas) {
  const Options options;
  Takeover takeover(MakeEpoch(5, kAway, "i"), {kHome, kThird}, options, At(0));
  takeover.OnOwnPromise();
  EXPECT_TRUE(takeover.OnAnswer(kHome, Granted(takeover, HeadAt(4, 12))));
  EXPECT_TRUE(takeover.OnAnswer(kThird, Granted(takeover, HeadAt(4, 12))));
  takeover.Proceed(HeadAt(4, 10), {kHome, kThird}, At(1));
  ASSERT_EQ(takeover.phase(), Takeover::Phase::kFetching);
  const Region first = takeover.source(), second = first == kHome ? kThird : kHome;
  takeover.Proceed(HeadAt(4, 10), {second}, At(2));
  ASSERT_EQ(takeover.phase(), Takeover::Phase::kFetching);
  EXPECT_EQ(takeover.source(), second);
  takeover.Proceed(HeadAt(4, 12), {second}, At(3));
  EXPECT_EQ(takeover.phase(), Takeover::Phase::kStarting);
  EXPECT_TRUE(takeover.silent().empty());
}

TEST(TakeoverTest, AnAnswerFromAnotherStoreThanTheOneThatHeldItsPart_CountsAsSilence) {
  const Options options;
  Takeover takeover(MakeEpoch(5, kAway, "i"), {kHome, kThird}, options, At(0));
  takeover.OnOwnPromise();
  EXPECT_TRUE(takeover.OnAnswer(kThird, Granted(takeover, HeadAt(4, 8)), /*lacks_its_part=*/true));
  takeover.Proceed(HeadAt(4, 10), {}, At(10));
  ASSERT_EQ(takeover.phase(), Takeover::Phase::kStarting);
  EXPECT_EQ(takeover.silent(), std::vector{kHome});
  EXPECT_EQ(takeover.CountWithoutPart(), 2u);
}

TEST(TakeoverTest, AHigherEpochInTheWayIsNamed) {
  const Options options;
  Takeover takeover(MakeEpoch(5, kAway, "i"), {kHome}, options, At(0));
  takeover.OnOwnPromise();
  pb::PromiseAnswer refusal;
  *refusal.mutable_epoch() = takeover.epoch();
  *refusal.mutable_standing()->mutable_promised() = MakeEpoch(8, kThird, "i");
  EXPECT_FALSE(takeover.OnAnswer(kHome, refusal));
  EXPECT_EQ(takeover.refused_by(), 8u);
}

}  // namespace
}  // namespace symbolon::replication
