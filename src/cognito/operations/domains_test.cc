#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/object.hpp>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

using boost::json::object;

constexpr const char* kTaken = "InvalidParameterException: Domain already associated with another user pool.";
constexpr const char* kCertificate = "arn:aws:acm:us-east-1:000000000000:certificate/abc";

class DomainsTest : public testing::Test {
 protected:
  std::string Create(const PoolId& pool, const char* domain) {
    return region_.Call("CreateUserPoolDomain", Request(pool, domain)).error();
  }
  std::string Delete(const PoolId& pool, const char* domain) {
    return region_.Call("DeleteUserPoolDomain", Request(pool, domain)).error();
  }
  // The pool that a domain is described with; "" for none.
  std::string OwnerOf(const char* domain) {
    return region_.Call("DescribeUserPoolDomain", {{"Domain", domain}}).text("/DomainDescription/UserPoolId");
  }
  static object Request(const PoolId& pool, const char* domain) {
    return {{"UserPoolId", pool.value()}, {"Domain", domain}};
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
  const PoolId first_ = region_.CreatePool(), second_ = region_.CreatePool();
};

TEST_F(DomainsTest, DomainIsMadeDescribedAndDeleted) {
  EXPECT_EQ(OwnerOf("login"), "");
  EXPECT_EQ(Create(first_, "login"), "");
  EXPECT_EQ(OwnerOf("login"), first_.value());
  const auto pool = region_.Call("DescribeUserPool", {{"UserPoolId", first_.value()}});
  EXPECT_EQ(pool.text("/UserPool/Domain"), "login");
  EXPECT_NE(region_.Call("DeleteUserPool", {{"UserPoolId", first_.value()}}).error(), "");
  EXPECT_NE(Delete(second_, "login"), "");
  EXPECT_EQ(Delete(first_, "login"), "");
  EXPECT_EQ(OwnerOf("login"), "");
  EXPECT_NE(Delete(first_, "login"), "");
  EXPECT_EQ(region_.Call("DeleteUserPool", {{"UserPoolId", first_.value()}}).error(), "");
}

TEST_F(DomainsTest, CustomDomainKeepsItsCertificate) {
  object request = Request(first_, "auth.example.com");
  EXPECT_NE(region_.Call("CreateUserPoolDomain", request).error(), "");
  request["CustomDomainConfig"] = {{"CertificateArn", kCertificate}};
  EXPECT_EQ(region_.Call("CreateUserPoolDomain", request).text("/CloudFrontDomain"), "auth.example.com");
  const auto shown = region_.Call("DescribeUserPoolDomain", {{"Domain", "auth.example.com"}});
  EXPECT_EQ(shown.text("/DomainDescription/CustomDomainConfig/CertificateArn"), kCertificate);
  EXPECT_EQ(region_.Call("DescribeUserPool", {{"UserPoolId", first_.value()}}).text("/UserPool/CustomDomain"),
            "auth.example.com");
  object prefix = Request(second_, "prefix");
  prefix["CustomDomainConfig"] = {{"CertificateArn", kCertificate}};
  EXPECT_NE(region_.Call("CreateUserPoolDomain", prefix).error(), "");
}

TEST_F(DomainsTest, NamesThatAreNoneAreRefused) {
  for (const char* name : {"", "-a", "a-", "A", "a_b", "a..b", ".a", "a.", "ä"})
    EXPECT_NE(Create(first_, name), "") << name;
}

TEST_F(DomainsTest, DomainBelongsToOnePoolAtATime) {
  EXPECT_EQ(Create(first_, "login"), "");
  EXPECT_EQ(Create(second_, "login"), kTaken);
  EXPECT_EQ(Create(first_, "other"), "InvalidParameterException: User pool already has a domain configured.");
  EXPECT_EQ(Delete(first_, "login"), "");
  EXPECT_EQ(Create(second_, "login"), "");
  EXPECT_EQ(OwnerOf("login"), second_.value());
}

TEST_F(DomainsTest, TwoPoolsThatWantOneDomainAtOnceDoNotBothGetIt) {
  const auto answers = region_.CallTogether(
      {{"CreateUserPoolDomain", Request(first_, "login")}, {"CreateUserPoolDomain", Request(second_, "login")}});
  std::vector<std::string> errors{answers[0].error(), answers[1].error()};
  EXPECT_THAT(errors, testing::UnorderedElementsAre("", kTaken));
  EXPECT_EQ(OwnerOf("login"), (answers[0].error().empty() ? first_ : second_).value());
}

TEST_F(DomainsTest, ClaimOfAPoolThatIsGoneDoesNotHold) {
  EXPECT_EQ(Create(first_, "login"), "");
  ASSERT_TRUE(region_.store().store().DropPool(first_));
  EXPECT_EQ(Create(second_, "login"), "");
  EXPECT_EQ(Delete(second_, "login"), "");
  EXPECT_TRUE(region_.store().Contents(PoolId()).empty());
}

TEST_F(DomainsTest, DomainThatCameWithAReplicaIsTaken) {
  ApiRegion other("us-east-1", clock_);
  const std::string key = other.CreateSharedKey(region_);
  const PoolId foreign =
      other.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}}}});
  ASSERT_EQ(
      other.Call("CreateUserPoolReplica", {{"UserPoolId", foreign.value()}, {"RegionName", "eu-central-1"}}).error(),
      "");
  ASSERT_EQ(other.Call("CreateUserPoolDomain", Request(foreign, "login")).error(), "");
  other.SetMemberState(foreign, "eu-central-1", replication::pb::ACTIVE);
  region_.CopyPool(other, foreign);
  EXPECT_EQ(OwnerOf("login"), foreign.value());
  EXPECT_EQ(Create(first_, "login"), kTaken);
}

}  // namespace
}  // namespace symbolon::cognito
