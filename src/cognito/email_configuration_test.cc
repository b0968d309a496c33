#include "cognito/email_configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "base/manual_clock.h"
#include "cognito/test_operations.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using json::object;
using model::cognito::EmailConfigurationType;
using model::cognito::EmailSendingAccountType;
using model::cognito::ForgotPasswordRequest;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kHome = "eu-central-1";
constexpr const char* kAway = "us-east-1";
constexpr const char* kDomain = "arn:aws:ses:us-east-1:123456789012:identity/example.com";
constexpr const char* kAddress = "arn:aws:ses:us-east-1:123456789012:identity/No-Reply@example.com";

object Developer(const char* source_arn, const char* from = nullptr) {
  object configuration{{"EmailSendingAccount", "DEVELOPER"}, {"SourceArn", source_arn}};
  if (from != nullptr) configuration["From"] = from;
  return configuration;
}

class EmailConfigurationTest : public testing::Test {
 protected:
  static json::value Of(ApiRegion& region, const PoolId& pool) {
    return region.Call("DescribeUserPool", {{"UserPoolId", pool.value()}}).at("/UserPool/EmailConfiguration");
  }
  static std::string Update(ApiRegion& region, const PoolId& pool, object settings) {
    settings["UserPoolId"] = pool.value();
    return region.Call("UpdateUserPool", settings).error();
  }
  std::string Set(object configuration) {
    return Update(home_, pool_, {{"EmailConfiguration", std::move(configuration)}});
  }

  ManualClock clock_;
  ApiRegion home_{kHome, clock_}, away_{kAway, clock_};
  const PoolId pool_ = home_.CreatePool();
};

TEST_F(EmailConfigurationTest, IsSetWithThePoolChangedAsAWholeAndKeptWhereItIsLeftOut) {
  object first = Developer(kDomain, "Example <no-reply@example.com>");
  first["ReplyToEmailAddress"] = "help@example.com";
  const PoolId pool = home_.CreatePool({{"EmailConfiguration", first}});
  EXPECT_EQ(Of(home_, pool), json::value(first));
  EXPECT_EQ(Update(home_, pool, {{"UserPoolTags", {{"team", "identity"}}}}), "");
  EXPECT_EQ(Of(home_, pool), json::value(first));
  const object second{{"EmailSendingAccount", "COGNITO_DEFAULT"}, {"ReplyToEmailAddress", "other@example.com"}};
  EXPECT_EQ(Update(home_, pool, {{"EmailConfiguration", second}}), "");
  EXPECT_EQ(Of(home_, pool), json::value(second));
  EXPECT_EQ(Update(home_, pool, {{"EmailConfiguration", object()}}), "");
  EXPECT_EQ(Of(home_, pool), json::value({{"EmailSendingAccount", "COGNITO_DEFAULT"}}));
}

TEST_F(EmailConfigurationTest, SenderIsOfTheIdentity) {
  for (const char* from : {"no-reply@example.com", "No Reply <no-reply@EXAMPLE.com>", "\"A, B\" <a@eu.example.com>"}) {
    EXPECT_EQ(Set(Developer(kDomain, from)), "") << from;
  }
  EXPECT_EQ(Set(Developer(kAddress)), "");
  EXPECT_EQ(Set(Developer(kAddress, "Example <no-reply@example.com>")), "");
  EXPECT_EQ(Set({{"SourceArn", kAddress}}), "") << "of COGNITO_DEFAULT";

  for (const char* from : {"no-reply@example.org", "no-reply@notexample.com", "a@example.com.evil.org"}) {
    EXPECT_THAT(Set(Developer(kDomain, from)), HasSubstr("not of the identity")) << from;
  }
  EXPECT_THAT(Set(Developer(kAddress, "help@example.com")), HasSubstr("not of the identity"));
}

TEST_F(EmailConfigurationTest, WhatMakesNoSenderIsRefusedAndChangesNothing) {
  const object before = Developer(kDomain, "no-reply@example.com");
  ASSERT_EQ(Set(before), "");
  const std::string long_name(1000, 'n');
  const std::pair<object, const char*> refused[] = {
      {{{"EmailSendingAccount", "DEVELOPER"}}, "SourceArn is required"},
      {{{"From", "me@example.com"}}, "From needs a SourceArn"},
      {Developer(kDomain), "From is required"},
      {Developer("arn:aws:ses:us-east-1:123456789012:configuration-set/example.com"), "must name an identity"},
      {Developer("arn:aws:sns:us-east-1:123456789012:identity/example.com"), "must name an identity"},
      {Developer("arn:aws:ses:us-east-1:123456789012:identity/nowhere"), "must name an identity"},
      {Developer(kDomain, "Example"), "From must be"},
      {Developer(kDomain, "Example <no-reply@example.com"), "From must be"},
      {Developer(kDomain, "ceo@bank.org, Example <no-reply@example.com>"), "From must be"},
      {Developer(kDomain, "\"A\" ceo@bank.org, \"B\" <no-reply@example.com>"), "From must be"},
      {Developer(kDomain, "<ceo@bank.org> <no-reply@example.com>"), "From must be"},
      {Developer(kDomain, "no-reply@example.com\r\nBcc: all@example.com"), "From must be"},
      {Developer(kDomain, (long_name + " <no-reply@example.com>").c_str()), "From must be"},
      {{{"ReplyToEmailAddress", "a@nowhere"}}, "ReplyToEmailAddress must be"},
      {{{"ConfigurationSet", "mine"}}, "ConfigurationSet is not available yet"},
  };
  for (const auto& [configuration, why] : refused) {
    const std::string error = Set(configuration);
    EXPECT_THAT(error, StartsWith("InvalidParameterException: EmailConfiguration: ")) << why;
    EXPECT_THAT(error, HasSubstr(why));
  }
  EXPECT_EQ(Of(home_, pool_), json::value(before));
}

TEST_F(EmailConfigurationTest, IsARegionsOwn) {
  const object here = Developer(kDomain, "eu@example.com");
  const PoolId pool = home_.CreatePool(
      {{"EmailConfiguration", here},
       {"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", home_.CreateSharedKey(away_)}}}});
  ASSERT_EQ(home_.Call("CreateUserPoolReplica", {{"UserPoolId", pool.value()}, {"RegionName", kAway}}).error(), "");
  home_.SetMemberState(pool, kAway, replication::pb::INACTIVE);
  away_.CopyPool(home_, pool);
  EXPECT_EQ(Of(away_, pool), json::value({{"EmailSendingAccount", "COGNITO_DEFAULT"}}));

  const object there = Developer(kDomain, "us@example.com");
  EXPECT_EQ(Update(away_, pool, {{"EmailConfiguration", there}, {"UserPoolTags", {{"where", "away"}}}}), "");
  EXPECT_EQ(Of(away_, pool), json::value(there));
  EXPECT_EQ(Of(home_, pool), json::value(here));
  EXPECT_THAT(Update(away_, pool, {{"EmailConfiguration", Developer(kDomain)}}), HasSubstr("From is required"));
  EXPECT_EQ(Of(away_, pool), json::value(there));
}

class SenderTest : public OperationsTest {
 protected:
  void Set(const EmailConfigurationType& configuration) {
    ASSERT_EQ(ErrorOf(operations::UpdateUserPool,
                      model::cognito::UpdateUserPoolRequest{.UserPoolId = pool_id_.value(),
                                                            .EmailConfiguration = configuration}),
              "");
  }
  directory::pb::OutboxRecord Message(const std::string& name) {
    // So many codes are sent in an hour.
    clock_.Advance(std::chrono::hours(1));
    EXPECT_EQ(ErrorOf(operations::ForgotPassword, ForgotPasswordRequest{.ClientId = kTestClient, .Username = name}), "");
    return Outbox().back();
  }
};

TEST_F(SenderTest, EmailsNameIt_TextMessagesDoNot) {
  MakeUser("alice", Attributes({{"email", "alice@example.com"}, {"email_verified", "true"}}));
  MakeUser("bob", Attributes({{"phone_number", "+12065551234"}, {"phone_number_verified", "true"}}));
  EXPECT_EQ(Message("alice").from(), "");
  EXPECT_EQ(Message("alice").reply_to(), "");

  Set({.SourceArn = kDomain,
       .ReplyToEmailAddress = "help@example.com",
       .EmailSendingAccount = EmailSendingAccountType::kDeveloper,
       .From = "Example <no-reply@example.com>"});
  EXPECT_EQ(Message("alice").from(), "Example <no-reply@example.com>");
  EXPECT_EQ(Message("alice").reply_to(), "help@example.com");
  EXPECT_EQ(Message("bob").medium(), "phone_number");
  EXPECT_EQ(Message("bob").from(), "");
  EXPECT_EQ(Message("bob").reply_to(), "");

  Set({.SourceArn = kAddress});
  EXPECT_EQ(Message("alice").from(), "No-Reply@example.com");
  EXPECT_EQ(Message("alice").reply_to(), "");
}

}  // namespace
}  // namespace symbolon::cognito
