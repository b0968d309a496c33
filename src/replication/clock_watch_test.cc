#include "replication/clock_watch.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

using std::chrono::seconds;

TEST(ClockWatchTest, AlarmBeginsAndEndsOnceWhicheverClockIsAhead) {
  for (const int sign : {1, -1}) {
    ClockWatch watch;
    EXPECT_FALSE(watch.difference());
    EXPECT_FALSE(watch.Note(sign * seconds(60)));
    EXPECT_FALSE(watch.alarmed());
    EXPECT_TRUE(watch.Note(sign * seconds(61)));
    EXPECT_TRUE(watch.alarmed());
    EXPECT_FALSE(watch.Note(sign * seconds(50))) << "it has begun, and goes on";
    EXPECT_TRUE(watch.alarmed());
    EXPECT_TRUE(watch.Note(sign * seconds(45)));
    EXPECT_FALSE(watch.alarmed());
    EXPECT_EQ(watch.difference(), sign * seconds(45));
  }
}

TEST(ClockWatchTest, SaysWhoIsAhead) {
  ClockWatch watch;
  watch.Note(seconds(-70));
  EXPECT_EQ(watch.Describe(Region("us-east-1")), "the clock of Region us-east-1 is 70 s behind this Region's");
  watch.Note(seconds(300));
  EXPECT_EQ(watch.Describe(Region("us-east-1")), "the clock of Region us-east-1 is 300 s ahead of this Region's");
}

}  // namespace
}  // namespace symbolon::replication
