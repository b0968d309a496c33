#include "cognito/authorisation.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

class AuthorisationTest : public testing::Test {
 protected:
  static std::string Policy(std::string_view effect, std::string_view action, std::string_view resource,
                            std::string_view condition = "{}") {
    return fmt::format(
        R"({{"Version":"2012-10-17","Statement":{{"Effect":"{}","Action":"{}","Resource":"{}","Condition":{}}}}})",
        effect, action, resource, condition);
  }
  std::string Describe(const std::vector<std::string>& policies) {
    return region_.CallAs("ann", policies, "DescribeUserPool", {{"UserPoolId", pool_.value()}}).error();
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
  const PoolId pool_ = region_.CreatePool();
  const std::string arn_ = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/" + pool_.value();
};

TEST_F(AuthorisationTest, UserMayWhatAPolicyAllows) {
  EXPECT_EQ(Describe({Policy("Allow", "cognito-idp:DescribeUserPool", arn_)}), "");
  EXPECT_EQ(Describe({Policy("Allow", "cognito-idp:Describe*", "arn:aws:cognito-idp:*:000000000000:userpool/*")}), "");
  EXPECT_EQ(Describe({}),
            "AccessDeniedException: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: "
            "cognito-idp:DescribeUserPool on resource: " +
                arn_ + " because no identity-based policy allows the cognito-idp:DescribeUserPool action");
  EXPECT_EQ(Describe({Policy("Allow", "*", "*"), Policy("Deny", "cognito-idp:DescribeUserPool", arn_)}),
            "AccessDeniedException: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: "
            "cognito-idp:DescribeUserPool on resource: " +
                arn_ + " with an explicit deny in an identity-based policy");
  EXPECT_NE(Describe({Policy("Allow", "*", arn_ + "x")}), "");
  EXPECT_EQ(region_.outcomes["DescribeUserPool"], "AccessDeniedException");
}

// Nobody learns from a refusal whether there is such a pool.
TEST_F(AuthorisationTest, RefusalComesBeforeThePoolIsLookedFor) {
  EXPECT_TRUE(region_.CallAs("ann", {}, "DescribeUserPool", {{"UserPoolId", "eu-central-1_Nowhere00"}})
                  .error()
                  .starts_with("AccessDeniedException: "));
}

TEST_F(AuthorisationTest, WhatNamesNoPoolNeedsEveryResource) {
  const auto list = [&](std::string_view resource) {
    return region_.CallAs("ann", {Policy("Allow", "cognito-idp:*", resource)}, "ListUserPools", {{"MaxResults", 1}})
        .error();
  };
  EXPECT_EQ(list("*"), "");
  EXPECT_EQ(list("arn:aws:cognito-idp:*:*:userpool/*"),
            "AccessDeniedException: User: arn:aws:iam::000000000000:user/ann is not authorized to perform: "
            "cognito-idp:ListUserPools on resource: * because no identity-based policy allows the "
            "cognito-idp:ListUserPools action");
  EXPECT_EQ(
      region_.CallAs("ann", {Policy("Allow", "cognito-idp:CreateUserPool", "*")}, "CreateUserPool", {{"PoolName", "p"}})
          .error(),
      "");
  // By ARN instead of an id.
  EXPECT_EQ(region_.CallAs("ann", {Policy("Allow", "*", arn_)}, "ListTagsForResource", {{"ResourceArn", arn_}}).error(),
            "");
}

TEST_F(AuthorisationTest, OwnOperationsHaveAPrefixOfTheirOwn) {
  const auto describe = [&](std::string_view action) {
    return region_
        .CallAs("ann", {Policy("Allow", action, "*")}, "SymbolonService.DescribeUserActivity",
                {{"UserPoolId", pool_.value()}, {"Username", "nobody"}})
        .error();
  };
  EXPECT_TRUE(describe("symbolon:DescribeUserActivity").starts_with("UserNotFoundException"));
  EXPECT_TRUE(describe("cognito-idp:*").starts_with("AccessDeniedException: "));
}

TEST_F(AuthorisationTest, ConditionsSeeTheRequest) {
  const auto with = [&](std::string_view condition) {
    return Describe({Policy("Allow", "*", "*", condition)}).empty();
  };
  EXPECT_TRUE(with(R"({"StringEquals":{"aws:username":"ann","aws:RequestedRegion":"eu-central-1"}})"));
  EXPECT_TRUE(with(R"({"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::000000000000:user/a*"}})"));
  EXPECT_FALSE(with(R"({"StringEquals":{"aws:RequestedRegion":"us-east-1"}})"));
  EXPECT_FALSE(with(R"({"Bool":{"aws:SecureTransport":"true"}})"));
  EXPECT_TRUE(with(R"({"Bool":{"aws:SecureTransport":"false"},"Null":{"aws:SourceArn":"true"}})"));
  EXPECT_FALSE(with(R"({"DateGreaterThan":{"aws:CurrentTime":"2999-01-01T00:00:00Z"}})"));
}

TEST_F(AuthorisationTest, KeyThatThePoolMayNotHaveIsRefused) {
  const std::string arn = "arn:aws:kms:eu-central-1:000000000000:key/1";
  region_.key_refusal = model::Fail(model::ErrorCode::kInvalidParameterException, "not kms:DescribeKey");
  EXPECT_EQ(
      region_
          .Call("CreateUserPool",
                {{"PoolName", "p"}, {"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", arn}}}})
          .error(),
      "InvalidParameterException: not kms:DescribeKey");
  // The service's own needs nobody's consent.
  EXPECT_EQ(region_.Call("CreateUserPool", {{"PoolName", "p"}}).error(), "");
}

TEST_F(AuthorisationTest, WhatIsNotSignedAsksNoPolicy) {
  const auto client = region_.CreateClient(pool_);
  EXPECT_EQ(region_.CallUnsigned("SignUp", {{"ClientId", client}, {"Username", "bob"}, {"Password", "Correct-horse-7"}})
                .error(),
            "");
}

}  // namespace
}  // namespace symbolon::cognito
