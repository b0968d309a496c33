#include "cli/drill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/seeded_random.h"

namespace symbolon::cli {
namespace {

using Kind = DrillAttempt::Kind;
using Outcome = DrillAttempt::Outcome;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr DrillTime Ms(std::int64_t ms) { return std::chrono::milliseconds(ms); }

// ---- arithmetic ----

TEST(LongestGapTest, SuccessesAroundASpan_TheLongestTimeThatTouchesItCounts) {
  const std::vector<DrillTime> successes{Ms(10), Ms(30), Ms(130), Ms(150), Ms(400)};
  EXPECT_EQ(LongestGap(successes, Ms(0), Ms(420), Ms(50), Ms(60)), Ms(100));
  EXPECT_EQ(LongestGap(successes, Ms(0), Ms(420), Ms(131), Ms(149)), Ms(20));
  EXPECT_EQ(LongestGap(successes, Ms(0), Ms(420), Ms(100), Ms(200)), Ms(250));
  EXPECT_EQ(LongestGap(successes, Ms(0), Ms(420), Ms(0), Ms(420)), Ms(250));
}

TEST(LongestGapTest, NoSuccess_TheWholeTimeCounts) {
  EXPECT_EQ(LongestGap({}, Ms(0), Ms(500), Ms(100), Ms(200)), Ms(500));
  EXPECT_EQ(LongestGap({Ms(90)}, Ms(0), Ms(500), Ms(100), Ms(200)), Ms(410));
  EXPECT_EQ(LongestGap({Ms(300)}, Ms(0), Ms(500), Ms(100), Ms(200)), Ms(300));
}

// A request every 10 ms in both Regions for a second; from 400 to 460 ms no write is taken, from 400 to 420 ms the
// first Region signs nobody in; in the second one nothing is noticed.
Drill SomeDrill() {
  Drill drill{.id = "ab12",
              .pool = "p",
              .started = FromSeconds(1'800'000'000),
              .duration = Ms(1'000),
              .interval = Ms(10),
              .regions = {"eu-central-1", "us-east-1"}};
  drill.steps.push_back({.from = "eu-central-1",
                         .to = "us-east-1",
                         .begun = Ms(395),
                         .ended = Ms(465),
                         .epoch = 2,
                         .first_sequence = 77});
  for (std::int64_t at = 0; at < 1'000; at += 10) {
    for (const std::string& region : drill.regions) {
      const bool first = region == "eu-central-1";
      const bool signs_in = !first || at < 400 || at > 420;
      drill.attempts.push_back({.kind = Kind::kSignIn,
                                .region = region,
                                .begun = Ms(at),
                                .ended = Ms(at),
                                .outcome = signs_in ? Outcome::kDone : Outcome::kFailed});
      const bool leads = first == (at < 430);
      const bool takes = leads && (at < 400 || at >= 460);
      drill.attempts.push_back({.kind = Kind::kWrite,
                                .region = region,
                                .begun = Ms(at),
                                .ended = Ms(at),
                                .outcome = takes   ? Outcome::kDone
                                           : leads ? Outcome::kUnknown
                                                   : Outcome::kRefused,
                                .name = region + std::to_string(at)});
    }
  }
  for (const std::string& region : drill.regions) {
    drill.read_back.push_back({.region = region, .found = CountsOf(drill).writes_acknowledged});
  }
  return drill;
}

TEST(DrillReportTest, Gaps_AreThoseOfThePromotionBesideTheUsualOnes) {
  const Drill drill = SomeDrill();
  const DrillGaps gaps = GapsOf(drill, drill.steps[0]);
  EXPECT_EQ(gaps.writes, Ms(460 - 390));
  EXPECT_EQ(gaps.sign_ins, Ms(10));
  EXPECT_EQ(gaps.sign_ins_by_region[0], Ms(430 - 390));
  EXPECT_EQ(gaps.sign_ins_by_region[1], Ms(10));
  EXPECT_EQ(UsualGapsOf(drill).writes, Ms(10));
  EXPECT_EQ(UsualGapsOf(drill).sign_ins_by_region[0], Ms(10));
}

TEST(DrillReportTest, Attempts_AreCountedByWhatCameOfThem) {
  const DrillCounts counts = CountsOf(SomeDrill());
  EXPECT_EQ(counts.sign_ins, 200u);
  EXPECT_EQ(counts.sign_ins_failed, 3u);
  EXPECT_EQ(counts.writes_acknowledged, 40u + 54u);
  EXPECT_EQ(counts.writes_unknown, 6u);
  EXPECT_EQ(counts.writes_refused, 100u);
  EXPECT_EQ(counts.writes_failed, 0u);
}

TEST(DrillReportTest, NothingLost_Passed) {
  const Drill drill = SomeDrill();
  EXPECT_TRUE(Passed(drill));
  EXPECT_THAT(DrillText(drill),
              AllOf(HasSubstr("Drill ab12 of p, begun 2027-01-15 08:00:00 UTC, 1.0 s\n"),
                    HasSubstr("eu-central-1 -> us-east-1: done in 0.070 s; epoch 2 from position 77 on\n"),
                    HasSubstr("time without writes      0.070 s\n"),
                    HasSubstr("time without sign-in     0.010 s  (eu-central-1 0.040 s, us-east-1 0.010 s)\n"),
                    HasSubstr("us-east-1: 94 of 94 found\n"), HasSubstr("writes lost: 0\nPASSED\n")));
  const boost::json::value report = boost::json::parse(DrillJson(drill));
  EXPECT_TRUE(report.at("Passed").as_bool());
  EXPECT_DOUBLE_EQ(report.at("Promotions").at(0).at("SecondsWithoutWrites").as_double(), 0.07);
  EXPECT_EQ(report.at("Writes").at("Lost").to_number<int>(), 0);
}

TEST(DrillReportTest, AWriteThatOneRegionLacks_IsLostAndNamedOnce) {
  Drill drill = SomeDrill();
  for (DrillReadBack& read : drill.read_back) read.missing = {"eu-central-1390"};
  EXPECT_FALSE(Passed(drill));
  EXPECT_THAT(DrillText(drill), HasSubstr("writes lost: 1\n    eu-central-1390\nFAILED\n"));
}

TEST(DrillReportTest, WhateverIsNotWholeOrNotDone_IsNotPassed) {
  Drill drill = SomeDrill();
  drill.problem = "interrupted";
  EXPECT_FALSE(Passed(drill));
  drill = SomeDrill();
  drill.read_back[1].problem = "does not answer";
  EXPECT_FALSE(Passed(drill));
  drill = SomeDrill();
  drill.read_back.pop_back();
  EXPECT_FALSE(Passed(drill));
  drill = SomeDrill();
  drill.steps.push_back({.from = "us-east-1", .to = "eu-central-1", .problem = "OperationNotEnabledException: no"});
  EXPECT_FALSE(Passed(drill));
  EXPECT_THAT(DrillText(drill), HasSubstr("us-east-1 -> eu-central-1: NOT DONE: OperationNotEnabledException: no\n"));
  drill.steps.clear();
  EXPECT_FALSE(Passed(drill));
  drill = SomeDrill();
  drill.is_back = false;
  EXPECT_FALSE(Passed(drill));
  EXPECT_THAT(DrillText(drill), HasSubstr("the pool is not led by eu-central-1 again"));
}

// ---- is the pool fit? ----

DrillRegionState Primary() {
  return {.region = "eu-central-1",
          .primary = true,
          .members = {{.region = "us-east-1", .active = true, .connected = true, .lag_entries = 3, .lag_s = 0.1}}};
}
std::string Refusal(const std::vector<DrillRegionState>& states, const std::string& to = "") {
  const auto plan = PlanDrill(states, to);
  return plan ? "" : plan.error().message;
}

TEST(PlanDrillTest, FitPool_GoesToTheOnlySecondary) {
  const auto plan = PlanDrill({{.region = "us-east-1"}, Primary()}, "");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->from, "eu-central-1");
  EXPECT_EQ(plan->to, "us-east-1");
  EXPECT_EQ(plan->regions, (std::vector<std::string>{"eu-central-1", "us-east-1"}));
}

TEST(PlanDrillTest, ReplicaThatServesNobodyOrWasNotNamed_TakesNoPart) {
  DrillRegionState state = Primary();
  state.members.push_back({.region = "ap-south-1", .connected = true});
  state.members.push_back({.region = "sa-east-1", .active = true, .connected = true});
  const auto plan = PlanDrill({state, {.region = "us-east-1"}, {.region = "ap-south-1"}}, "us-east-1");
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->regions, (std::vector<std::string>{"eu-central-1", "us-east-1"}));
}

TEST(PlanDrillTest, UnfitPool_IsRefusedWithEveryReason) {
  const DrillRegionState away{.region = "us-east-1"};
  EXPECT_THAT(Refusal({away}), HasSubstr("no primary"));
  EXPECT_THAT(Refusal({Primary(), Primary()}), HasSubstr("two Regions"));
  DrillRegionState state = Primary();
  state.members.clear();
  EXPECT_THAT(Refusal({state, away}), HasSubstr("no replica to fail over to"));
  state = Primary();
  state.members.push_back(state.members[0]);
  state.members[1].region = "ap-south-1";
  EXPECT_THAT(Refusal({state, away}), HasSubstr("name one with --to"));
  EXPECT_THAT(Refusal({state, away}, "ap-south-1"), HasSubstr("ap-south-1 is not among the Regions"));
  state = Primary();
  state.members[0].lag_entries = 5'000;
  state.members[0].connected = false;
  state.out_of_reach = true;
  EXPECT_THAT(Refusal({state, away}), AllOf(HasSubstr("us-east-1 lags by 5000 entries"), HasSubstr("no connection"),
                                            HasSubstr("cannot confirm writes")));
  state = Primary();
  state.members[0].active = false;
  EXPECT_THAT(Refusal({state, away}), HasSubstr("us-east-1 is not ACTIVE"));
  EXPECT_THAT(Refusal({Primary(), away}, "eu-central-1"), HasSubstr("is the primary already"));
  EXPECT_THAT(Refusal({Primary(), away}, "mars-north-1"), HasSubstr("mars-north-1 has no replica"));
}

TEST(PlanDrillTest, DescribedReplication_IsUnderstoodOrRefused) {
  const auto state = ParseRegionState(
      R"({"Region":"eu-central-1","Role":"PRIMARY","Epoch":2,"Sequence":9,"Durability":{"Mode":"SYNC","OutOfReach":true},)"
      R"("Members":[{"Region":"us-east-1","Role":"SECONDARY","Status":"ACTIVE","Connected":true,"LagEntries":1,"LagSeconds":0.5}]})");
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->primary && state->out_of_reach);
  ASSERT_EQ(state->members.size(), 1u);
  EXPECT_TRUE(state->members[0].active && state->members[0].connected);
  EXPECT_EQ(state->members[0].lag_s, 0.5);
  EXPECT_FALSE(ParseRegionState("{}"));
  EXPECT_FALSE(ParseRegionState("no JSON"));
}

// ---- a user that the pool takes ----

std::string UsernameIn(const std::string& pool) {
  SeededRandom random(1);
  const auto user = MakeDrillUser(R"({"UserPool":)" + pool + "}", "p", "ab12", random);
  EXPECT_TRUE(user);
  return user ? user->username : "";
}

TEST(DrillUserTest, Pools_GetAUserOfTheirKind) {
  EXPECT_EQ(UsernameIn("{}"), "symbolon-drill-ab12");
  EXPECT_EQ(UsernameIn(R"({"UsernameAttributes":["phone_number","email"]})"), "symbolon-drill-ab12@drill.invalid");
  EXPECT_EQ(UsernameIn(R"({"UsernameAttributes":["phone_number"]})"), "+15555550100");
  SeededRandom random(1);
  const auto user = MakeDrillUser(
      R"({"UserPool":{"SchemaAttributes":[{"Name":"sub","Required":true},{"Name":"email","Required":true},)"
      R"({"Name":"name","Required":true},{"Name":"gender","Required":false}]}})",
      "p", "ab12", random);
  ASSERT_TRUE(user);
  EXPECT_THAT(user->create_json, AllOf(HasSubstr("ab12@drill.invalid"), HasSubstr(R"({"Name":"name","Value":"drill"})"),
                                       Not(HasSubstr("gender")), Not(HasSubstr("\"sub\""))));
  EXPECT_EQ(user->password.size(), 99u);
  EXPECT_FALSE(MakeDrillUser("no JSON", "p", "ab12", random));
}

}  // namespace
}  // namespace symbolon::cli
