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
  handover.OnCommitted(At(2));
  EXPECT_EQ(handover.Next({}, At(100)), Handover::Step::kWait);
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
