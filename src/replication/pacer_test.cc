#include "replication/pacer.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

using std::chrono::milliseconds;

TEST(PacerTest, NoPace_AlwaysOpen) {
  Pacer pacer(0);
  pacer.Take(1'000'000);
  EXPECT_TRUE(pacer.Open(milliseconds(0)));
}

TEST(PacerTest, OverALongTime_ThePaceIsKept) {
  Pacer pacer(1'000'000);
  std::uint64_t sent_bytes = 0;
  for (milliseconds now(0); now < milliseconds(10'000); now += milliseconds(50)) {
    while (pacer.Open(now)) {
      pacer.Take(30'000);
      sent_bytes += 30'000;
    }
  }
  EXPECT_NEAR(static_cast<double>(sent_bytes), 10'000'000, 200'000);
}

TEST(PacerTest, AfterIdleTime_TheBurstIsSmall) {
  Pacer pacer(1'000'000);
  ASSERT_TRUE(pacer.Open(std::chrono::hours(1)));
  pacer.Take(100'000);
  EXPECT_FALSE(pacer.Open(std::chrono::hours(1)));
  EXPECT_TRUE(pacer.Open(std::chrono::hours(1) + milliseconds(1)));
}

TEST(PacerTest, WhatIsLargerThanDue_PassesAndIsPaidFor) {
  Pacer pacer(1'000'000);
  ASSERT_TRUE(pacer.Open(milliseconds(1'000)));
  pacer.Take(1'100'000);
  EXPECT_FALSE(pacer.Open(milliseconds(1'999)));
  EXPECT_TRUE(pacer.Open(milliseconds(2'001)));
}

TEST(PacerTest, WhatWasRefused_MayGoAtTheTimeThatIsTold) {
  Pacer pacer(1'000'000);
  ASSERT_TRUE(pacer.Open(milliseconds(1'000)));
  EXPECT_EQ(pacer.opens_at(), std::nullopt);
  pacer.Take(150'000);
  ASSERT_FALSE(pacer.Open(milliseconds(1'001)));
  const auto at = pacer.opens_at();
  ASSERT_TRUE(at);
  EXPECT_GT(*at, milliseconds(1'050));
  EXPECT_LT(*at, milliseconds(1'051));
  EXPECT_FALSE(pacer.Open(*at - milliseconds(1)));
  EXPECT_TRUE(pacer.Open(*at));
  EXPECT_EQ(pacer.opens_at(), std::nullopt);
  pacer.Take(150'000);
  ASSERT_FALSE(pacer.Open(*at));
  pacer.ForgetRefusal();
  EXPECT_EQ(pacer.opens_at(), std::nullopt);
}

TEST(PacerTest, Portions_AreSmallAtASlowPaceAndWholeWithoutOne) {
  EXPECT_EQ(Pacer(0).portion_bytes(256 << 10), 256u << 10);
  EXPECT_EQ(Pacer(32 << 20).portion_bytes(256 << 10), (32u << 20) / 500);
  EXPECT_EQ(Pacer(1 << 20).portion_bytes(256 << 10), 16u << 10);
  EXPECT_EQ(Pacer(1 << 20).portion_bytes(400), 400u);
}

}  // namespace
}  // namespace symbolon::replication
