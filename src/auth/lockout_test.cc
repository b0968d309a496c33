#include "auth/lockout.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <utility>
#include <vector>

#include "auth/test_user.h"
#include "base/seeded_random.h"

namespace symbolon::auth {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

class LockoutTest : public testing::Test {
 protected:
  void Fail(TestRegion& region, int times = 1) {
    for (int i = 0; i < times; ++i) {
      region.Change(
          [](const Context& context) { CountFailedAttempt(context.tx, context.region(), "somebody", context.now()); });
    }
  }
  void Succeed(TestRegion& region) {
    region.Change(
        [](const Context& context) { ForgetFailedAttempts(context.tx, context.region(), "somebody", context.now()); });
  }
  bool Locked(TestRegion& region) {
    return region.See([](const Context& context) { return IsLockedOut(context.tx, "somebody", context.now()); });
  }
  // The lock that the next failure brings, to the second.
  seconds LockAfterFailure(TestRegion& region) {
    Fail(region);
    seconds length{0};
    for (; Locked(region); ++length) clock_.Advance(seconds(1));
    return length;
  }
  void Meet() {
    one_.MergeFactsOf(two_);
    two_.MergeFactsOf(one_);
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion one_{"eu-central-1", pool_, clock_};
  TestRegion two_{"us-east-1", pool_, clock_};
};

TEST_F(LockoutTest, FourFailuresAreFree) {
  EXPECT_FALSE(Locked(one_));
  Fail(one_, 4);
  EXPECT_FALSE(Locked(one_));
  Fail(one_);
  EXPECT_TRUE(Locked(one_));
}

TEST_F(LockoutTest, FailuresCountAfterTheClockWasAhead) {
  Fail(one_);
  const auto ahead = std::chrono::hours(10);
  clock_.Advance(ahead);
  one_.ForgetExpiredFacts();
  clock_.Advance(-ahead);
  Fail(one_, 5);
  EXPECT_TRUE(Locked(one_));
}

TEST_F(LockoutTest, LockDoublesUpToFifteenMinutes) {
  Fail(one_, 4);
  for (const int expected : {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900}) {
    EXPECT_EQ(LockAfterFailure(one_), seconds(expected));
  }
}

TEST_F(LockoutTest, SuccessStartsAnewAndSaysNothingWithoutFailures) {
  Succeed(one_);
  EXPECT_FALSE(one_.last_wrote());
  Fail(one_, 5);
  clock_.Advance(seconds(1));
  Succeed(one_);
  EXPECT_TRUE(one_.last_wrote());
  Succeed(one_);
  EXPECT_FALSE(one_.last_wrote());
  Fail(one_, 4);
  EXPECT_FALSE(Locked(one_));
  EXPECT_EQ(LockAfterFailure(one_), seconds(1));
}

TEST_F(LockoutTest, FifteenIdleMinutesAfterTheLockForget) {
  Fail(one_, 5);
  clock_.Advance(seconds(1) + minutes(15) - seconds(1));
  EXPECT_EQ(LockAfterFailure(one_), seconds(2)) << "a second too early";
  clock_.Advance(minutes(15));
  Fail(one_, 4);
  EXPECT_FALSE(Locked(one_));
  clock_.Advance(minutes(15));
  Succeed(one_);
  EXPECT_FALSE(one_.last_wrote()) << "time has forgotten them already";
}

TEST_F(LockoutTest, RegionsShareOneBudget) {
  Fail(one_, 3);
  Fail(two_, 2);
  EXPECT_FALSE(Locked(one_) || Locked(two_));
  Meet();
  EXPECT_TRUE(Locked(one_) && Locked(two_));
  clock_.Advance(seconds(1));
  EXPECT_FALSE(Locked(one_) || Locked(two_));
  Fail(two_);
  Meet();
  clock_.Advance(seconds(1));
  EXPECT_TRUE(Locked(one_)) << "the sixth locks for two seconds";
}

TEST_F(LockoutTest, SuccessInOneRegionEndsTheSeriesInAll) {
  Fail(one_, 3);
  Meet();
  Succeed(two_);
  Fail(one_);  // in the old series: one_ has not heard yet
  Meet();
  Fail(two_, 4);
  EXPECT_FALSE(Locked(two_));
  Fail(two_);
  EXPECT_TRUE(Locked(two_));
}

TEST_F(LockoutTest, FactsMergeInAnyOrderAnyNumberOfTimes) {
  Fail(one_, 4);
  TestRegion third("ap-south-1", pool_, clock_);
  third.MergeFactsOf(one_);
  Fail(two_, 4);
  two_.MergeFactsOf(third);
  third.MergeFactsOf(two_);
  third.MergeFactsOf(one_);
  third.MergeFactsOf(two_);
  one_.MergeFactsOf(third);
  EXPECT_EQ(LockAfterFailure(one_), seconds(16)) << "failure nine";
}

TEST_F(LockoutTest, RegionsThatHeardTheSameInAnyOrderJudgeAlike) {
  TestRegion three("ap-south-1", pool_, clock_);
  const std::array<TestRegion*, 3> regions{&one_, &two_, &three};
  // Four that hear what these said, each in another order, some of it twice.
  std::vector<std::unique_ptr<TestRegion>> listeners;
  for (const char* name : {"eu-west-1", "eu-west-2", "eu-west-3", "eu-north-1"}) {
    listeners.push_back(std::make_unique<TestRegion>(name, pool_, clock_));
  }
  const std::vector<std::vector<std::size_t>> orders{{0, 1, 2}, {2, 1, 0}, {1, 1, 0, 2, 1}, {0, 2, 0, 1, 0}};
  const auto judged = [&](TestRegion& region) {
    return region.See([&](const Context& context) {
      const FailedAttempts attempts = FailedAttemptsOf(context.tx, "somebody", context.now());
      return std::pair(attempts.count, attempts.locked_until);
    });
  };

  SeededRandom random(1);
  const auto pick = [&](std::size_t count) { return static_cast<unsigned char>(random.Octets(1)[0]) % count; };
  int locked = 0;
  for (int step = 0; step < 300; ++step) {
    TestRegion& at = *regions[pick(3)];
    switch (pick(8)) {
      case 0:
        Succeed(at);
        break;
      case 1:
        at.MergeFactsOf(*regions[pick(3)]);
        break;
      case 2:
        clock_.Advance(seconds(1 + pick(40)));
        break;
      default:
        if (!Locked(at)) Fail(at);
    }
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      for (const std::size_t from : orders[i]) listeners[i]->MergeFactsOf(*regions[from]);
      ASSERT_EQ(judged(*listeners[i]), judged(*listeners[0])) << "step " << step << ", order " << i;
    }
    locked += Locked(*listeners[0]) ? 1 : 0;
  }
  EXPECT_GT(locked, 30);
  EXPECT_LT(locked, 270);
}

TEST_F(LockoutTest, OneRegionsShareIsCapped) {
  Fail(one_, 200);
  Meet();
  seconds length{0};
  for (; Locked(two_); ++length) clock_.Advance(seconds(1));
  EXPECT_EQ(length, minutes(15));
}

TEST_F(LockoutTest, SkewedClockLosesNoFailures) {
  ManualClock ahead(clock_.Now() + minutes(4));
  TestRegion other("us-east-1", pool_, ahead);
  Fail(other, 4);
  one_.MergeFactsOf(other);
  Fail(one_);
  EXPECT_TRUE(Locked(one_));
  Fail(one_);
  other.MergeFactsOf(one_);
  EXPECT_TRUE(Locked(other));
}

}  // namespace
}  // namespace symbolon::auth
