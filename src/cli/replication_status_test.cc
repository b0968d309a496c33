#include "cli/replication_status.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

const Timestamp kNow = FromSeconds(1'800'000'000);
constexpr const char* kPrimary = R"({"Pools":[{"UserPoolId":"eu-central-1_AbC123xyz","Region":"eu-central-1",
  "Role":"PRIMARY","Epoch":1,"Sequence":42,"Members":[
    {"Region":"eu-central-1","Status":"ACTIVE","Role":"PRIMARY"},
    {"Region":"us-east-1","Status":"ACTIVE","Role":"SECONDARY","AppliedSequence":40,"LagEntries":2,
     "LagSeconds":0.25,"LastContact":1799999999.5,"Connected":true}]}]})";
constexpr const char* kSecondary = R"({"Pools":[{"UserPoolId":"eu-central-1_AbC123xyz","Region":"us-east-1",
  "Role":"SECONDARY","Epoch":1,"Sequence":41,"Members":[
    {"Region":"eu-central-1","Status":"ACTIVE","Role":"PRIMARY"},
    {"Region":"us-east-1","Status":"ACTIVE","Role":"SECONDARY"}]}]})";

TEST(ReplicationStatusTest, EachRegionTellsItsPositionAndThePrimaryTellsTheLag) {
  const std::string table = ReplicationTable({{{"127.0.0.1", 2}, kSecondary}, {{"127.0.0.1", 1}, kPrimary}}, kNow);
  EXPECT_EQ(table,
            "POOL\n"
            "  REGION       ROLE      STATUS EPOCH SEQUENCE  LAG                 CONTACT\n"
            "eu-central-1_AbC123xyz\n"
            "  eu-central-1 PRIMARY   ACTIVE 1     42\n"
            "  us-east-1    SECONDARY ACTIVE 1     41        2 entries, 0.250 s  0.5 s ago\n");
}

TEST(ReplicationStatusTest, LostPrimaryIsShownWithWhatIsStillKnown) {
  const std::string table = ReplicationTable(
      {{{"127.0.0.1", 1}, Fail("127.0.0.1:1/replication: Connection refused")}, {{"127.0.0.1", 2}, kSecondary}}, kNow);
  EXPECT_THAT(table, ContainsRegex("eu-central-1 +PRIMARY +ACTIVE +- +-"));
  EXPECT_THAT(table, ContainsRegex("us-east-1 +SECONDARY +ACTIVE +1 +41 +-"));
  EXPECT_THAT(table, HasSubstr("Connection refused"));
}

constexpr const char* kCopying = R"({"Pools":[{"UserPoolId":"eu-central-1_AbC123xyz","Region":"eu-central-1",
  "Role":"PRIMARY","Epoch":1,"Sequence":42,"Durability":{"Mode":"SYNC","Fallback":"FALL_BACK"},"Members":[
    {"Region":"us-east-1","Status":"CREATING","Role":"SECONDARY","LagEntries":42,"Connected":true,"LastContact":1799999990,
     "Copy":{"Records":250,"RecordCount":1000,"Bytes":1048576,"ByteCount":4194304,"BytesPerSecond":524288,
             "RemainingSeconds":6}}]}]})";

TEST(ReplicationStatusTest, CopyUnderWayIsShownWithItsPace) {
  const std::string table = ReplicationTable({{{"h", 1}, kCopying}}, kNow);
  EXPECT_THAT(table, HasSubstr("copy: 250 of 1000 records, 1.0 of 4.0 MiB, 0.5 MiB/s, 6 s left"));
  EXPECT_THAT(table, HasSubstr("\neu-central-1_AbC123xyz  sync, falls back\n"));
  EXPECT_THAT(table, ContainsRegex("42 entries +10.0 s ago\n"));
}

TEST(ReplicationStatusTest, SecondaryThatPassesChangesOnSaysSo) {
  const auto table = [](std::string_view role) {
    return ReplicationTable({{{"h", 1},
                              fmt::format(R"({{"Pools":[{{"UserPoolId":"p_1","Region":"us-east-1","Role":"{}",)"
                                          R"("Epoch":1,"Sequence":1,"ForwardsWrites":true,"Members":[]}}]}})",
                                          role)}},
                            kNow);
  };
  EXPECT_THAT(table("SECONDARY"), HasSubstr("\n    passes changes on to the primary\n"));
  EXPECT_THAT(table("PRIMARY"), ::testing::Not(HasSubstr("passes changes on")));
}

TEST(ReplicationStatusTest, ARegionThatHasFactsWhichAnotherHasNotAcknowledged_SaysSoInLinesOfTheirOwn) {
  const auto with_facts = [](std::string report, std::string_view facts) {
    return report.insert(report.find("\"Epoch\""), fmt::format(R"("UnacknowledgedFacts":[{}],)", facts));
  };
  const std::string table = ReplicationTable(
      {{{"h", 1}, with_facts(kPrimary, R"({"Region":"us-east-1","Entries":0})")},
       {{"h", 2},
        with_facts(kSecondary, R"({"Region":"ap-south-1","Entries":12},{"Region":"eu-central-1","Entries":1})")}},
      kNow);
  EXPECT_THAT(table, ContainsRegex("us-east-1 +SECONDARY [^\n]*\n"
                                   "    ap-south-1 has not acknowledged 12 entries of facts\n"
                                   "    eu-central-1 has not acknowledged 1 entry of facts\n"));
  EXPECT_THAT(table, ::testing::Not(HasSubstr("us-east-1 has not acknowledged")));
}

TEST(ReplicationStatusTest, TheLastComparisonIsShownWhicheverRegionMadeIt) {
  const auto compared = [](std::string report, const std::string& last) {
    return report.replace(report.find("\"Epoch\""), 0, "\"LastVerification\":" + last + ",");
  };
  const std::string equal = compared(
      kPrimary, R"({"Outcome":"EQUAL","EndedAt":1799999000,"Position":"40@1.eu-central-1.0f/x","DifferenceCount":0})");
  EXPECT_THAT(ReplicationTable({{{"h", 1}, equal}, {{"h", 2}, kSecondary}}, kNow),
              HasSubstr("\n  compared 1000 s ago: the copies were equal at position 40\n"));
  const std::string differing = compared(
      kSecondary,
      R"({"Outcome":"DIFFERING","EndedAt":1799999900,"Position":"41@1.eu-central-1.0f/x","DifferenceCount":2})");
  EXPECT_THAT(ReplicationTable({{{"h", 1}, equal}, {{"h", 2}, differing}}, kNow),
              HasSubstr("\n  compared 100 s ago: the copies DIFFER at position 41: 2 records\n"));
}

TEST(ReplicationStatusTest, ThePrimaryTellsItsLeaseAndWhetherAutomaticPromotionWaits) {
  const auto lease = [](std::string_view members) {
    std::string report = kPrimary;
    report.insert(report.find("\"Epoch\""), fmt::format(R"("Authority":{{"Kind":"ETCD",{}}},)", members));
    return ReplicationTable({{{"h", 1}, report}}, kNow);
  };
  EXPECT_THAT(lease(R"("LeaseRemainingSeconds":7.91)"), HasSubstr(" lease 7.9 s\n"));
  EXPECT_THAT(lease(R"("LeaseRemainingSeconds":7,"AutomaticPromotion":true)"), HasSubstr(" lease 7.0 s, automatic\n"));
  EXPECT_THAT(lease(R"("LeaseRemainingSeconds":7,"AutomaticPromotion":true,"AutomaticPromotionWaitSeconds":412.3,)"
                    R"("LastAutomaticPromotionSecondsAgo":187.7)"),
              HasSubstr(" lease 7.0 s, automatic promotion waits 412 s: last one was 188 s ago\n"));
}

TEST(ReplicationStatusTest, LinesHaveTheTimeAndASecondaryEach) {
  EXPECT_EQ(
      ReplicationLines({{{"h", 1}, kPrimary}, {{"h", 2}, kSecondary}}, kNow),
      "2027-01-15T08:00:00Z eu-central-1_AbC123xyz us-east-1 ACTIVE sequence 41, lag 2 entries, 0.250 s, contact 0.5 s "
      "ago\n");
}

TEST(ReplicationStatusTest, WhatIsNotUnderstoodIsSaid) {
  for (const char* answer : {"", "[]", "{}", "<html>"}) {
    EXPECT_THAT(ReplicationTable({{{"h", 1}, answer}}, kNow),
                HasSubstr("h:1/replication: the answer is not understood"));
  }
  EXPECT_EQ(ReplicationTable({{{"h", 1}, R"({"Pools":[]})"}}, kNow), "no pools\n");
}

TEST(ReplicationStatusTest, NobodyAnsweringIsAFailure) {
  EXPECT_THAT(ReplicationStatus({{"127.0.0.1", 1}}, kNow).error().message, HasSubstr("no node answered"));
}

}  // namespace
}  // namespace symbolon::cli
