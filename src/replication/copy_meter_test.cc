#include "replication/copy_meter.h"

#include <gtest/gtest.h>

namespace symbolon::replication {
namespace {

using std::chrono::seconds;

TEST(CopyMeterTest, NothingCame_NothingIsForetold) {
  CopyMeter meter;
  meter.Begin(10, 1'000, 100, 10'000, seconds(5));
  const CopyProgress progress = meter.Progress(seconds(9));
  EXPECT_EQ(progress.records, 10);
  EXPECT_EQ(progress.byte_count, 10'000);
  EXPECT_EQ(progress.bytes_per_second, 0);
  EXPECT_FALSE(progress.remaining);
}

TEST(CopyMeterTest, ResumedCopy_PaceIsOfWhatCameSince) {
  CopyMeter meter;
  meter.Begin(10, 1'000, 100, 10'000, seconds(5));
  meter.Add(40, 4'000);
  const CopyProgress progress = meter.Progress(seconds(7));
  EXPECT_EQ(progress.records, 50);
  EXPECT_EQ(progress.bytes, 5'000);
  EXPECT_EQ(progress.bytes_per_second, 2'000);
  EXPECT_EQ(progress.remaining, std::chrono::milliseconds(2'500));
}

TEST(CopyMeterTest, EstimateWasTooLow_CountsFollow) {
  CopyMeter meter;
  meter.Begin(0, 0, 5, 100, seconds(0));
  meter.Add(7, 150);
  const CopyProgress progress = meter.Progress(seconds(1));
  EXPECT_EQ(progress.record_count, 7);
  EXPECT_EQ(progress.byte_count, 150);
  EXPECT_EQ(progress.remaining, std::chrono::milliseconds(0));
}

}  // namespace
}  // namespace symbolon::replication
