#include "cli/router_domains.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace symbolon::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const Region kHome("eu-central-1"), kAway("us-east-1");

DomainReport Said(const Region& region, std::string_view pools) {
  return {region, fmt::format(R"({{"Region":"{}","Pools":[{}]}})", region.value(), pools)};
}
DomainReport Silent(const Region& region) { return {region, Fail("nobody listens")}; }

constexpr const char* kWithFailover =
    R"({"UserPoolId":"p_1","PrimaryRegion":"eu-central-1","Epoch":1,"Sequence":9,"Domain":"login",
        "Failover":{"SecondaryRegion":"us-east-1","PrimaryRoute53HealthCheckId":"abc"}})";
constexpr const char* kNewerWithout =
    R"({"UserPoolId":"p_1","PrimaryRegion":"eu-central-1","Epoch":1,"Sequence":10,"Domain":"login"})";
constexpr const char* kNewerDeleted = R"({"UserPoolId":"p_1","PrimaryRegion":"us-east-1","Epoch":2,"Sequence":9})";

const RouterDomain kLogin{
    .name = "login", .primary = kHome, .failover = RouterDomain::Failover{.secondary = kAway, .health_check = "abc"}};

TEST(RouterDomainsTest, RegionThatKnowsMoreOfAPoolIsBelieved) {
  EXPECT_THAT(DomainsOf({Said(kHome, kWithFailover)}, {}, false).value(), ElementsAre(kLogin));
  const RouterDomain without{.name = "login", .primary = kHome, .failover = {}};
  EXPECT_THAT(DomainsOf({Said(kHome, kNewerWithout), Said(kAway, kWithFailover)}, {}, false).value(),
              ElementsAre(without));
  EXPECT_THAT(DomainsOf({Said(kAway, kWithFailover), Said(kHome, kNewerWithout)}, {}, false).value(),
              ElementsAre(without));
  EXPECT_THAT(DomainsOf({Said(kHome, kNewerWithout), Said(kAway, kNewerDeleted)}, {}, false).value(), ElementsAre());
}

TEST(RouterDomainsTest, SilentRegionIsAFailureUnlessPartIsEnough) {
  const std::vector<DomainReport> reports{Said(kHome, kWithFailover), Silent(kAway)};
  EXPECT_THAT(DomainsOf(reports, {}, false).error().message, HasSubstr("us-east-1 are not known: nobody listens"));
  EXPECT_THAT(DomainsOf(reports, {}, true).value(), ElementsAre(kLogin));
}

TEST(RouterDomainsTest, WhatIsGivenByHandGoesBefore) {
  const RouterDomain by_hand{.name = "login", .primary = kAway, .failover = {}};
  EXPECT_THAT(DomainsOf({Said(kHome, kWithFailover)}, {by_hand}, false).value(), ElementsAre(by_hand));
}

TEST(RouterDomainsTest, DomainOfTwoPoolsHasToBeDecided) {
  const std::vector<DomainReport> reports{
      Said(kHome, kWithFailover),
      Said(kAway, R"({"UserPoolId":"p_2","PrimaryRegion":"us-east-1","Epoch":1,"Sequence":1,"Domain":"login"})")};
  EXPECT_THAT(DomainsOf(reports, {}, false).error().message, HasSubstr("two pools have the domain login"));
  EXPECT_THAT(DomainsOf(reports, {kLogin}, false).value(), ElementsAre(kLogin));
}

TEST(RouterDomainsTest, AnswerThatIsNotUnderstoodIsAFailure) {
  for (const char* text : {"", "[]", "{}", R"({"Pools":[1]})", R"({"Pools":[{}]})"}) {
    EXPECT_FALSE(DomainsOf({{kHome, std::string(text)}}, {}, true)) << text;
  }
}

TEST(RouterDomainsTest, DomainsByHandAreParsed) {
  EXPECT_EQ(ParseRouterDomain("a.example.com=eu-central-1").value(),
            (RouterDomain{.name = "a.example.com", .primary = kHome, .failover = {}}));
  EXPECT_EQ(ParseRouterDomain("login=eu-central-1,us-east-1,abc").value(), kLogin);
  EXPECT_EQ(ParseRouterDomain("login=eu-central-1,us-east-1")->failover->health_check, kPrimaryReady);
  for (const char* text : {"", "=", "login", "login=", "=eu-central-1", "login=a,", "login=a,b,", "login=a,b,c,d"}) {
    EXPECT_FALSE(ParseRouterDomain(text)) << text;
  }
}

TEST(RouterDomainsTest, HealthChecksAreParsed) {
  EXPECT_EQ(ParseRouterHealthCheck("abc=[::1]:80/ok?a=b").value(),
            (RouterHealthCheck{.id = "abc", .host = "[::1]", .port = 80, .path = "/ok?a=b"}));
  for (const char* text : {"", "abc", "abc=", "abc=host", "abc=host/", "abc=host:80", "=host:80/", "abc=:80/",
                           "abc=host:0/", "abc=host:70000/", "abc=host:8x/"}) {
    EXPECT_FALSE(ParseRouterHealthCheck(text)) << text;
  }
}

TEST(RouterDomainsTest, NobodyListeningIsToldOfTheRegion) {
  const auto reports = AskForDomains({{kHome, "127.0.0.1", 1}, {kHome, "127.0.0.1", 1}});
  ASSERT_EQ(reports.size(), 1u);
  EXPECT_EQ(reports.front().region, kHome);
  EXPECT_FALSE(reports.front().json);
}

}  // namespace
}  // namespace symbolon::cli
