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

// A pool with a replica, and with this domain.
class DomainRoutingTest : public DomainsTest {
 protected:
  DomainRoutingTest() {
    const std::string key = region_.CreateSharedKey(other_);
    pool_ = region_.CreatePool({{"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}}}});
    EXPECT_EQ(region_.Call("CreateUserPoolReplica", {{"UserPoolId", pool_.value()}, {"RegionName", kOther}}).error(),
              "");
    region_.SetMemberState(pool_, kOther, replication::pb::ACTIVE);
  }
  static boost::json::value To(const char* region, const char* check) {
    return {{"Failover", {{"SecondaryRegion", region}, {"PrimaryRoute53HealthCheckId", check}}}};
  }
  ApiRegion::Answer Change(const char* operation, const std::optional<boost::json::value>& routing) {
    object request = Request(pool_, "login");
    if (routing) request["Routing"] = *routing;
    return region_.Call(operation, request);
  }
  boost::json::value Described(ApiRegion& region) {
    return region.Call("DescribeUserPoolDomain", {{"Domain", "login"}}).at("/DomainDescription/Routing");
  }

  static constexpr const char* kOther = "us-east-1";
  ApiRegion other_{kOther, clock_};
  PoolId pool_;
};

TEST_F(DomainRoutingTest, FailoverIsKeptShownEverywhereAndClearedWhenLeftOut) {
  const auto failover = To(kOther, "abcdef11-2222-3333-4444-555555fedcba");
  EXPECT_EQ(Change("CreateUserPoolDomain", failover).at("/Routing"), failover);
  EXPECT_EQ(Described(region_), failover);
  other_.CopyPool(region_, pool_);
  EXPECT_EQ(Described(other_), failover);
  const auto other_check = To(kOther, "primary-ready");
  EXPECT_EQ(Change("UpdateUserPoolDomain", other_check).at("/Routing"), other_check);
  EXPECT_EQ(Described(region_), other_check);
  EXPECT_TRUE(Change("UpdateUserPoolDomain", std::nullopt).at("/Routing").is_null());
  EXPECT_TRUE(Described(region_).is_null());
  EXPECT_EQ(Change("UpdateUserPoolDomain", other_check).error(), "");
  EXPECT_EQ(Change("UpdateUserPoolDomain", object()).error(), "");
  EXPECT_TRUE(Described(region_).is_null());
}

TEST_F(DomainRoutingTest, FailoverThatCannotBeIsRefused) {
  const auto refused = [&](const char* operation, const boost::json::value& routing) {
    EXPECT_THAT(Change(operation, routing).error(), testing::StartsWith("InvalidParameterException: ")) << routing;
  };
  for (const char* operation : {"CreateUserPoolDomain", "UpdateUserPoolDomain"}) {
    refused(operation, To("ap-south-1", "primary-ready"));
    refused(operation, To("eu-central-1", "primary-ready"));
    refused(operation, To(kOther, ""));
    refused(operation, To(kOther, "two words"));
    refused(operation, To(kOther, std::string(65, 'a').c_str()));
    refused(operation, {{"Failover", {{"SecondaryRegion", kOther}}}});
    refused(operation, {{"Failover", {{"PrimaryRoute53HealthCheckId", "primary-ready"}}}});
    EXPECT_EQ(Change("CreateUserPoolDomain", std::nullopt).error().empty(),
              operation == std::string("CreateUserPoolDomain"));
  }
}

TEST_F(DomainRoutingTest, ReplicaToWhichADomainFailsOverIsNotRemoved) {
  ASSERT_EQ(Change("CreateUserPoolDomain", To(kOther, "primary-ready")).error(), "");
  region_.SetMemberState(pool_, kOther, replication::pb::INACTIVE);
  const object replica{{"UserPoolId", pool_.value()}, {"RegionName", kOther}};
  EXPECT_THAT(region_.Call("DeleteUserPoolReplica", replica).error(), testing::HasSubstr("login"));
  ASSERT_EQ(Change("UpdateUserPoolDomain", std::nullopt).error(), "");
  EXPECT_EQ(region_.Call("DeleteUserPoolReplica", replica).error(), "");
}

TEST_F(DomainsTest, OnlyADomainOfThePoolIsUpdated) {
  ASSERT_EQ(Create(first_, "login"), "");
  EXPECT_NE(region_.Call("UpdateUserPoolDomain", Request(second_, "login")).error(), "");
  EXPECT_NE(region_.Call("UpdateUserPoolDomain", Request(first_, "other")).error(), "");
  object request = Request(first_, "login");
  EXPECT_EQ(region_.Call("UpdateUserPoolDomain", request).error(), "");
  request["CustomDomainConfig"] = {{"CertificateArn", kCertificate}};
  EXPECT_NE(region_.Call("UpdateUserPoolDomain", request).error(), "");
  object custom = Request(second_, "auth.example.com");
  custom["CustomDomainConfig"] = {{"CertificateArn", kCertificate}};
  ASSERT_EQ(region_.Call("CreateUserPoolDomain", custom).error(), "");
  const std::string renewed = std::string(kCertificate) + "2";
  custom["CustomDomainConfig"] = {{"CertificateArn", renewed}};
  EXPECT_EQ(region_.Call("UpdateUserPoolDomain", custom).text("/CloudFrontDomain"), "auth.example.com");
  EXPECT_EQ(region_.Call("DescribeUserPoolDomain", {{"Domain", "auth.example.com"}})
                .text("/DomainDescription/CustomDomainConfig/CertificateArn"),
            renewed);
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
