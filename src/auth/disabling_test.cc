#include "auth/disabling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <set>

#include "auth/facts.h"
#include "auth/test_user.h"
#include "base/seeded_random.h"

namespace symbolon::auth {
namespace {

class DisablingTest : public testing::Test {
 protected:
  DisablingTest() {
    user_.set_sub(std::string(kTestSub));
    user_.set_enabled(true);
  }
  void Disable(TestRegion& region) {
    clock_.Advance(std::chrono::seconds(1));
    region.Change(
        [&](const Context& context) { DisableUser(context.tx, context.region(), "user key", user_, context.now()); });
  }
  void Enable(TestRegion& region) {
    clock_.Advance(std::chrono::seconds(1));
    region.Change([&](const Context& context) { EnableUser(context.tx, user_, context.now()); });
  }
  bool Enabled(TestRegion& region) {
    return region.See([&](const Context& context) { return IsEnabled(context.tx, user_); });
  }
  void Meet(TestRegion& a, TestRegion& b) {
    a.MergeFactsOf(b);
    b.MergeFactsOf(a);
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion one_{"eu-central-1", pool_, clock_};
  TestRegion two_{"us-east-1", pool_, clock_};
  TestRegion three_{"ap-south-1", pool_, clock_};
  directory::pb::UserRecord user_;
};

TEST_F(DisablingTest, EveryRegionMaySayBoth) {
  EXPECT_TRUE(Enabled(one_));
  Enable(one_);
  EXPECT_FALSE(one_.last_wrote()) << "nothing to lift";
  Disable(two_);
  EXPECT_FALSE(Enabled(two_));
  EXPECT_TRUE(Enabled(one_)) << "not told yet";
  Meet(one_, two_);
  EXPECT_FALSE(Enabled(one_));
  Enable(one_);
  EXPECT_TRUE(Enabled(one_));
  Meet(one_, two_);
  EXPECT_TRUE(Enabled(two_));
  Disable(two_);
  Meet(one_, two_);
  EXPECT_FALSE(Enabled(one_)) << "the old enable does not lift the new disable";
}

TEST_F(DisablingTest, EnableLiftsNoDisableThatItDidNotKnow) {
  Disable(one_);
  Meet(one_, two_);
  Disable(two_);  // in force already, and said again
  Enable(one_);   // knows the first only
  EXPECT_TRUE(Enabled(one_));
  three_.MergeFactsOf(one_);
  EXPECT_TRUE(Enabled(three_));
  three_.MergeFactsOf(two_);
  EXPECT_FALSE(Enabled(three_));
  Enable(three_);
  Meet(three_, one_);
  Meet(three_, two_);
  EXPECT_TRUE(Enabled(one_) && Enabled(two_) && Enabled(three_));
}

TEST_F(DisablingTest, ClockThatWentBackMakesNoDisableWeaker) {
  Disable(one_);
  Enable(one_);
  ManualClock behind(clock_.Now() - std::chrono::hours(1));
  TestRegion again("eu-central-1", pool_, behind);
  again.MergeFactsOf(one_);
  again.Change(
      [&](const Context& context) { DisableUser(context.tx, context.region(), "user key", user_, context.now()); });
  EXPECT_FALSE(Enabled(again));
}

TEST_F(DisablingTest, RecordThatSaysDisabledItselfCanBeEnabledInEveryRegion) {
  user_.set_enabled(false);
  EXPECT_FALSE(Enabled(one_));
  Enable(two_);
  EXPECT_TRUE(Enabled(two_));
  Meet(one_, two_);
  EXPECT_TRUE(Enabled(one_));
  Disable(one_);
  EXPECT_FALSE(Enabled(one_));
  Enable(one_);
  EXPECT_TRUE(Enabled(one_));
}

TEST_F(DisablingTest, IsToldWithTheTimeOfTheLastChange) {
  const auto changed_at = [&](TestRegion& region) {
    return region.See([&](const Context& context) { return SwitchOf(context.tx, user_).changed_at; });
  };
  EXPECT_EQ(changed_at(one_), Timestamp());
  Disable(one_);
  EXPECT_EQ(changed_at(one_), clock_.Now());
  Meet(one_, two_);
  Enable(two_);
  Meet(one_, two_);
  EXPECT_EQ(changed_at(one_), clock_.Now());
}

TEST_F(DisablingTest, SignsOutAndNeverExpires) {
  Disable(one_);
  one_.See([&](const Context& context) {
    EXPECT_TRUE(SignedOutSince(SignOutsOf(context.tx, "user key"), {}));
    const auto fact = context.tx.GetFact(static_cast<std::uint16_t>(FactType::kDisabled),
                                         FactSubject(context.tx, FactType::kDisabled, kTestSub));
    EXPECT_EQ(fact->expires_at_micros(), 0);
    return 0;
  });
}

TEST_F(DisablingTest, SomebodyElseIsNotDisabled) {
  Disable(one_);
  user_.set_sub("another");
  EXPECT_TRUE(Enabled(one_));
}

// What each Region knows, told in sets: the definition, beside which the maxima have to hold.
struct Knowledge {
  std::set<int> disables, lifted;
  bool enabled() const {
    return std::ranges::all_of(disables, [&](int disable) { return lifted.contains(disable); });
  }
  void Learn(const Knowledge& other) {
    disables.insert(other.disables.begin(), other.disables.end());
    lifted.insert(other.lifted.begin(), other.lifted.end());
  }
};

TEST_F(DisablingTest, AnyHistoryMeansTheSameAsSetsOfNamedDisables) {
  const std::array<TestRegion*, 3> regions{&one_, &two_, &three_};
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    user_.set_sub("user " + std::to_string(seed));
    SeededRandom random(seed);
    const auto pick = [&](std::size_t count) { return static_cast<unsigned char>(random.Octets(1)[0]) % count; };
    std::array<Knowledge, 3> known;
    int disables = 0;
    for (int step = 0; step < 40; ++step) {
      const std::size_t at = pick(3), from = pick(3);
      switch (pick(4)) {
        case 0:
          Disable(*regions[at]);
          known[at].disables.insert(disables++);
          break;
        case 1:
          Enable(*regions[at]);
          known[at].lifted = known[at].disables;
          break;
        default:
          if (at == from) break;
          regions[at]->MergeFactsOf(*regions[from]);
          known[at].Learn(known[from]);
      }
      for (std::size_t i = 0; i < 3; ++i) {
        ASSERT_EQ(Enabled(*regions[i]), known[i].enabled()) << "seed " << seed << ", step " << step << ", Region " << i;
      }
    }
  }
}

}  // namespace
}  // namespace symbolon::auth
