#include "keys/local/region_backoff.h"

#include <gtest/gtest.h>

namespace symbolon::keys::local {
namespace {

using namespace std::chrono_literals;

const Region kGone("us-east-1");
const Region kOther("ap-south-1");

TEST(RegionBackoff, RegionThatStaysAway_IsAskedEverLessOften) {
  RegionBackoff backoff;
  std::chrono::nanoseconds now = 1h;
  for (const auto pause : {1s, 2s, 4s, 8s, 16s, 32s, 60s, 60s}) {
    EXPECT_TRUE(backoff.Resting(now).empty());
    backoff.EndRound({}, {kGone}, now);
    EXPECT_EQ(backoff.Resting(now + pause - 1ns), std::set<Region>{kGone});
    backoff.EndRound({kGone}, {kGone}, now + pause - 1ns);
    now += pause;
  }
}

TEST(RegionBackoff, RegionThatAnswered_BeginsAnew) {
  RegionBackoff backoff;
  backoff.EndRound({}, {kGone, kOther}, 0s);
  backoff.EndRound({}, {kGone, kOther}, 1s);
  backoff.EndRound({}, {kOther}, 3s);
  backoff.EndRound({kOther}, {kGone, kOther}, 4s);
  EXPECT_EQ(backoff.Resting(4s), (std::set<Region>{kGone, kOther}));
  EXPECT_EQ(backoff.Resting(5s), std::set<Region>{kOther});
}

}  // namespace
}  // namespace symbolon::keys::local
