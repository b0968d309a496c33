#include "cli/promotion.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(PromotionTest, AnAnswerNamesThePositionAndWhatMayBeSetAside) {
  EXPECT_EQ(
      DescribePromotion(R"({"UserPoolId":"p","Primary":"us-east-1","Epoch":3,"FirstSequence":42,)"
                        R"("SilentRegions":[{"Region":"eu-central-1","LastHeardSequence":57},{"Region":"x"}]})"),
      "p: us-east-1 is primary, in epoch 3 from position 42 on\n"
      "  eu-central-1 did not answer (last heard at position 57): what it has from position 42 on will be set aside\n"
      "  x did not answer (nothing was heard of it since this node started): what it has from position 42 on will be "
      "set aside\n");
  EXPECT_EQ(DescribePromotion("no JSON"), "the answer is not understood\n");
}

TEST(PromotionTest, WritesThatNoReplicaIsLeftToConfirmAreTold) {
  const auto told = [](const std::string& durability, const std::string& members) {
    return DescribeHeldWrites(
        R"({"UserPoolId":"p","Primary":"us","Epoch":3,"FirstSequence":42,"SilentRegions":[{"Region":"eu"}]})",
        R"({"Durability":)" + durability + R"(,"Members":[)" + members + "]}");
  };
  const std::string lost = R"({"Region":"eu","Role":"SECONDARY","Status":"ACTIVE"})";
  const std::string other = R"({"Region":"ap","Role":"SECONDARY","Status":"ACTIVE"})";
  const std::string inactive = R"({"Region":"ap","Role":"SECONDARY","Status":"INACTIVE"})";
  const std::string sync = R"({"Mode":"SYNC","Fallback":"REFUSE"})";
  const std::string bounded = R"({"Mode":"BOUNDED","LagBoundSeconds":5})";
  EXPECT_THAT(told(sync, lost), AllOf(HasSubstr("no write goes on: its durability is sync (refuse)"),
                                      HasSubstr("symbolon replication durability p async\n")));
  EXPECT_THAT(told(bounded, lost), HasSubstr("bounded (5 s, then writes are refused)"));
  EXPECT_THAT(told(bounded, lost + "," + inactive), HasSubstr("no write goes on"));
  EXPECT_EQ(told(sync, lost + "," + inactive), "");
  EXPECT_EQ(told(bounded, lost + "," + other), "");
  EXPECT_EQ(told(R"({"Mode":"SYNC","Fallback":"FALL_BACK"})", lost), "");
  EXPECT_EQ(told(R"({"Mode":"ASYNC"})", lost), "");
  EXPECT_EQ(DescribeHeldWrites("no JSON", ""), "");
  EXPECT_EQ(DescribeHeldWrites("{}", "{}"), "");
}

TEST(PromotionTest, WhatARegionLeads_IsSaidByWhoeverKnowsTheHighestEpoch) {
  const auto report = [](const std::string& region, const std::string& role, int epoch, const std::string& primary) {
    return fmt::format(R"({{"Pools":[{{"UserPoolId":"p","Region":"{}","Role":"{}","Epoch":{},"Members":[)"
                       R"({{"Region":"{}","Role":"PRIMARY"}},{{"Region":"us","Role":"SECONDARY"}}]}}]}})",
                       region, role, epoch, primary);
  };
  const std::string former = report("eu", "PRIMARY", 1, "eu");
  const std::string primary = report("ap", "PRIMARY", 2, "ap");
  const std::string follower = report("us", "SECONDARY", 2, "ap");
  EXPECT_EQ(PoolsLedBy({former}, "eu", "us"), (LedPools{{"p", true}}));
  for (const auto& reports :
       {std::vector{former, primary}, std::vector{primary, former}, std::vector{former, follower}}) {
    EXPECT_EQ(PoolsLedBy(reports, "eu", "us"), LedPools());
    EXPECT_EQ(PoolsLedBy(reports, "ap", "us"), (LedPools{{"p", true}}));
  }
  EXPECT_EQ(PoolsLedBy({follower, primary}, "ap", "sa"), (LedPools{{"p", false}}));
  EXPECT_EQ(PoolsLedBy({"", "[]", R"({"Pools":[]})"}, "eu", "us"), LedPools());
  EXPECT_EQ(PoolsLedBy({"", "{}"}, "eu", "us"), std::nullopt);
}

TEST(PromotionTest, WhatIsLeftOpenIsNoRefusal) {
  const PromotionFlags flags{.pool = "p", .to = "us-east-1"};
  const Failure pending = DescribeNotPromoted(
      flags, "p", {.status = 400, .error = "PromotionPendingException", .message = "It is handed over."});
  EXPECT_EQ(pending.exit_status, 2);
  EXPECT_THAT(pending.message, AllOf(StartsWith("p: PromotionPendingException: It is handed over.\nRepeat the command"),
                                     HasSubstr("promote p --to ANOTHER-REGION --force")));
  const Failure silent = DescribeNotPromoted(flags, "p", {.message = "us-east-1 does not answer (refused)"});
  EXPECT_EQ(silent.exit_status, 2);
  EXPECT_THAT(silent.message, AllOf(StartsWith("p: us-east-1 does not answer"), HasSubstr("us-east-1 leads"),
                                    Not(HasSubstr("--force"))));
  const Failure unknown =
      DescribeNotPromoted(flags, "p", {.status = 503, .error = "ServiceUnavailableException", .message = "Not known."});
  EXPECT_EQ(unknown.exit_status, 2);
}

TEST(PromotionTest, ARefusalSaysHowToGoOnWithoutThePrimary) {
  PromotionFlags flags{.pool = "p", .to = "us-east-1"};
  const ApiAnswer refusal{.status = 400, .error = "OperationNotEnabledException", .message = "Not changed."};
  const Failure refused = DescribeNotPromoted(flags, "p", refusal);
  EXPECT_EQ(refused.exit_status, 1);
  EXPECT_EQ(refused.message,
            "p: OperationNotEnabledException: Not changed.\nIf its primary is lost, --force does without "
            "it (docs/promotion.md).");
  flags.force = true;
  EXPECT_EQ(DescribeNotPromoted(flags, "p", refusal).message, "p: OperationNotEnabledException: Not changed.");
  const Failure overtaken = DescribeNotPromoted(
      flags, "p", {.status = 400, .error = "ConcurrentModificationException", .message = "Another took it."});
  EXPECT_EQ(overtaken.exit_status, 1);
}

}  // namespace
}  // namespace symbolon::cli
