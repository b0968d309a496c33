#include "auth/activity.h"

#include <gtest/gtest.h>

#include "auth/sign_in.h"
#include "auth/test_user.h"

namespace symbolon::auth {
namespace {

class ActivityTest : public testing::Test {
 protected:
  ActivityTest() {
    MakeTestPool(one_);
    two_.CopyDirectoryOf(one_);
    two_.is_primary = false;
  }
  void SignIn(TestRegion& region, std::string_view password = kTestPassword) {
    const auto step = region.Run<SignInStep>([&](const Context& context) {
      return StartSignIn(context, TestClient(region), Flow::kUserPassword, Door::kPublic,
                         {{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", std::string(password)}});
    });
    EXPECT_EQ(step.has_value(), password == kTestPassword);
  }
  std::optional<Timestamp> LastSignIn(TestRegion& region) {
    return region.See([&](const Context& context) { return LastSignInOf(context.tx, TestUser(region).record); });
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion one_{"eu-central-1", pool_, clock_}, two_{"us-east-1", pool_, clock_};
};

TEST_F(ActivityTest, SignInsAreNotedOnceAnHourAndNobodyWaitsForIt) {
  EXPECT_EQ(LastSignIn(one_), std::nullopt);
  SignIn(one_, "wrong");
  EXPECT_EQ(LastSignIn(one_), std::nullopt);
  SignIn(one_);
  const Timestamp first = clock_.Now();
  EXPECT_EQ(LastSignIn(one_), first);
  clock_.Advance(kSignInResolution - std::chrono::microseconds(1));
  SignIn(one_);
  EXPECT_FALSE(one_.last_wrote());
  EXPECT_EQ(LastSignIn(one_), first);
  clock_.Advance(std::chrono::microseconds(1));
  SignIn(one_);
  EXPECT_FALSE(one_.last_wrote()) << "a note is nothing to wait for";
  EXPECT_EQ(LastSignIn(one_), clock_.Now());
}

TEST_F(ActivityTest, LatestOfAllRegionsCounts) {
  SignIn(one_);
  clock_.Advance(std::chrono::hours(2));
  SignIn(two_);
  const Timestamp last = clock_.Now();
  one_.MergeFactsOf(two_);
  two_.MergeFactsOf(one_);
  EXPECT_EQ(LastSignIn(one_), last);
  EXPECT_EQ(LastSignIn(two_), last);
}

}  // namespace
}  // namespace symbolon::auth
