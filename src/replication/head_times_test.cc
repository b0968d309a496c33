#include "replication/head_times.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

class HeadTimesTest : public testing::Test {
 protected:
  void Pass(nanoseconds time) {
    now_.since_boot += time;
    now_.wall += std::chrono::duration_cast<std::chrono::microseconds>(time);
  }
  void Note(std::uint64_t sequence) { times_.Note(sequence, now_); }

  Instant now_{.wall = FromSeconds(1'000'000), .since_boot = seconds(100)};
  HeadTimes times_;
};

TEST_F(HeadTimesTest, AnEntryIsAsOldAsWhenItCame_WhateverWallTimeDoes) {
  Note(5);
  Pass(seconds(1));
  Note(8);
  now_.wall -= hours(1);
  Pass(seconds(1));
  Note(9);
  EXPECT_EQ(times_.SeenAt(5), std::nullopt);
  EXPECT_EQ(times_.SeenAt(6), seconds(101));
  EXPECT_EQ(times_.SeenAt(8), seconds(101));
  EXPECT_EQ(times_.SeenAt(9), seconds(102));
  EXPECT_EQ(times_.SeenAt(10), std::nullopt);
}

TEST_F(HeadTimesTest, WhatWasThereBefore_IsAsOldAsItSaidThen) {
  const Timestamp made = now_.wall - seconds(30);
  const Timestamp made_by_a_fast_clock = now_.wall + hours(1);
  Note(5);
  Pass(seconds(1));
  now_.wall += hours(3);
  Note(8);
  EXPECT_EQ(times_.MadeAt(made), seconds(70));
  EXPECT_EQ(times_.MadeAt(made_by_a_fast_clock), seconds(100));
}

TEST_F(HeadTimesTest, WhatIsForgotten_IsBefore) {
  Note(5);
  Pass(seconds(1));
  Note(8);
  Pass(seconds(1));
  Note(9);
  times_.ForgetThrough(8);
  EXPECT_EQ(times_.SeenAt(8), std::nullopt);
  EXPECT_EQ(times_.SeenAt(9), seconds(102));
  EXPECT_EQ(times_.MadeAt(now_.wall - seconds(3)), seconds(99));
  times_.ForgetThrough(20);
  EXPECT_EQ(times_.SeenAt(9), std::nullopt);
}

TEST_F(HeadTimesTest, AnotherLog_BeginsAnew) {
  Note(5);
  Pass(seconds(1));
  Note(8);
  Pass(seconds(1));
  Note(6);
  EXPECT_EQ(times_.SeenAt(6), std::nullopt);
  Pass(seconds(1));
  Note(7);
  EXPECT_EQ(times_.SeenAt(7), seconds(103));
}

// Ten minutes with an entry each millisecond: never younger than it is, and not much older.
TEST_F(HeadTimesTest, LongOutage_TimesAreNeverLateAndAboutRight) {
  Note(0);
  const nanoseconds begin = now_.since_boot;
  constexpr int kEntries = 600'000;
  for (int sequence = 1; sequence <= kEntries; ++sequence) {
    Pass(milliseconds(1));
    Note(static_cast<std::uint64_t>(sequence));
  }
  for (int sequence = 1; sequence <= kEntries; sequence += 997) {
    const nanoseconds came = begin + milliseconds(sequence);
    const auto seen = times_.SeenAt(static_cast<std::uint64_t>(sequence));
    ASSERT_TRUE(seen);
    ASSERT_LE(*seen, came);
    ASSERT_LE(came - *seen, std::max<nanoseconds>(milliseconds(20), (now_.since_boot - came) / 16)) << sequence;
  }
}

}  // namespace
}  // namespace symbolon::replication
