#include "cli/router.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "base/temporary_directory.h"

namespace symbolon::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

RouterSettings ThreeNodes() {
  RouterSettings settings;
  for (const char* text : {"eu-central-1=10.0.0.4:9410/9411", "us-east-1=[fd00::7]:9410/9411",
                           "eu-central-1=node2.example.com:443/9411"}) {
    settings.servers.push_back(ParseRouterServer(text).value());
  }
  return settings;
}

TEST(RouterTest, ServersAreParsed) {
  const RouterServer server = ParseRouterServer("us-east-1=[fd00::7]:9410/9411").value();
  EXPECT_EQ(server, (RouterServer{Region("us-east-1"), "[fd00::7]", 9410, 9411}));
  EXPECT_EQ(ParseRouterServer("a=b.example.com:1/65535")->operations_port, 65'535);
}

TEST(RouterTest, WhatIsNoServerIsRefused) {
  for (const char* text :
       {"",          "=",         "/",         "a=b",       "a=b:1",       "a=b:1/",       "a=b/2",
        "=b:1/2",    "a=:1/2",    "a=b:0/2",   "a=b:1/0",   "a=b:65536/2", "a=b:1/2x",     "a=b c:1/2",
        "a\n=b:1/2", "a=b\n:1/2", "a=b:1/2/3", "a b=c:1/2", "a=[b:1/2",    "a=fd00::7:1/2"}) {
    EXPECT_FALSE(ParseRouterServer(text)) << text;
  }
  EXPECT_FALSE(ParseRouterServer("a=" + std::string(300, 'b') + ":1/2"));
}

TEST(RouterTest, AllNodesOfTheFirstLivingRegionServeAndTheOthersStandBy) {
  const std::string text = RouterConfiguration(ThreeNodes(), "test").value();
  EXPECT_THAT(text, HasSubstr("    use_backend eu-central-1 if { srv_is_up(eu-central-1/eu-central-1-1) }\n"
                              "    use_backend eu-central-1 if { srv_is_up(eu-central-1/eu-central-1-2) }\n"
                              "    use_backend us-east-1 if { srv_is_up(us-east-1/us-east-1) }\n"
                              "    default_backend eu-central-1\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("server eu-central-1-1 10.0.0.4:9410 check port 9411"),
                          HasSubstr("server eu-central-1-2 node2.example.com:443 check port 9411"),
                          HasSubstr("server us-east-1 [fd00::7]:9410 check port 9411"),
                          HasSubstr("server us-east-1 [fd00::7]:9410 track us-east-1/us-east-1 weight 16\n"),
                          HasSubstr("    use-server eu-central-1-1 if { rand(2) eq 0 }\n    use-server eu-central-1-2 "
                                    "if TRUE\n    use-server eu-central-1-1 if TRUE\n"),
                          HasSubstr("    use-server us-east-1 if TRUE\n"), HasSubstr("inter 1500ms"),
                          HasSubstr("fall 3 rise 10"), Not(HasSubstr("ssl"))));
}

TEST(RouterTest, TlsIsSpokenOnBothSidesWhenAskedFor) {
  RouterSettings settings = ThreeNodes();
  settings.certificate = "/etc/router.pem";
  settings.server_ca = "/etc/ca.pem";
  EXPECT_THAT(RouterConfiguration(settings, "test").value(),
              AllOf(HasSubstr("bind :9400 ssl crt /etc/router.pem\n"),
                    HasSubstr("on-error mark-down weight 256 ssl verify required ca-file /etc/ca.pem no-check-ssl\n"),
                    HasSubstr("weight 16 ssl verify required ca-file /etc/ca.pem no-check-ssl\n")));
}

TEST(RouterTest, RequestsThatAreSentAgainGoToTheNextRegionBeforeOthers) {
  RouterSettings settings = ThreeNodes();
  settings.servers.push_back(ParseRouterServer("ap-south-1=10.0.0.9:9410/9411").value());
  EXPECT_THAT(RouterConfiguration(settings, "test").value(),
              AllOf(HasSubstr("track us-east-1/us-east-1 weight 16\n"
                              "    server ap-south-1 10.0.0.9:9410 track ap-south-1/ap-south-1 weight 1\n"),
                    Not(HasSubstr("backup"))));
}

TEST(RouterTest, WhatCannotBeARouterIsRefused) {
  EXPECT_FALSE(RouterConfiguration(RouterSettings(), "test"));
  RouterSettings settings = ThreeNodes();
  settings.servers.push_back(settings.servers.front());
  EXPECT_FALSE(RouterConfiguration(settings, "test"));
  settings = ThreeNodes();
  settings.bind = ":1\n    evil";
  EXPECT_FALSE(RouterConfiguration(settings, "test"));
  settings = ThreeNodes();
  settings.certificate = "/etc/two words.pem";
  EXPECT_FALSE(RouterConfiguration(settings, "test"));
  settings = ThreeNodes();
  while (settings.servers.size() <= kRouterServersMax) {
    RouterServer another = settings.servers.front();
    another.api_port = static_cast<std::uint16_t>(1'000 + settings.servers.size());
    settings.servers.push_back(another);
  }
  EXPECT_FALSE(RouterConfiguration(settings, "test"));
}

RouterDomain Domain(const char* text) { return ParseRouterDomain(text).value(); }

TEST(RouterTest, DomainsGoToTheirPrimaryOrByTheirFailover) {
  RouterSettings settings = ThreeNodes();
  settings.domains = {Domain("login=eu-central-1,us-east-1,abc"), Domain("auth.example.com=eu-central-1,us-east-1,abc"),
                      Domain("alone.example.com=us-east-1")};
  settings.health_checks = {{.id = "abc", .host = "10.0.0.9", .port = 80, .path = "/ok"}};
  const std::string text = RouterConfiguration(settings, "test").value();
  EXPECT_THAT(text, HasSubstr("    acl domain_1 var(txn.domain) -m str auth.example.com\n"
                              "    use_backend eu-central-1_or_us-east-1 if domain_1 { "
                              "srv_is_up(eu-central-1_or_us-east-1/eu-central-1-1) } { srv_is_up(check_1/check) }\n"
                              "    use_backend eu-central-1_or_us-east-1 if domain_1 { "
                              "srv_is_up(eu-central-1_or_us-east-1/eu-central-1-2) } { srv_is_up(check_1/check) }\n"
                              "    use_backend only_us-east-1 if domain_1 { srv_is_up(us-east-1/us-east-1) }\n"
                              "    use_backend eu-central-1_or_us-east-1 if domain_1\n"));
  EXPECT_THAT(text, AllOf(HasSubstr("-m str alone.example.com\n    use_backend only_us-east-1 if domain_2\n"),
                          HasSubstr(" var(txn.domain),field(1,.) -m str login\n"),
                          HasSubstr("    # abc\n    server check 10.0.0.9:80 check\n"),
                          HasSubstr("http-check send meth GET uri /ok ver HTTP/1.1 hdr Host 10.0.0.9 ")));
}

TEST(RouterTest, DomainThatFailsOverToItsOwnPrimaryGoesThereOnly) {
  RouterSettings settings = ThreeNodes();
  settings.domains = {Domain("login=us-east-1,us-east-1")};
  EXPECT_THAT(RouterConfiguration(settings, "test").value(),
              AllOf(HasSubstr("use_backend only_us-east-1 if domain_"), Not(HasSubstr("_or_"))));
}

TEST(RouterTest, WhatCannotBeObeyedIsRefused) {
  const auto refusal = [](auto change) {
    RouterSettings settings = ThreeNodes();
    change(settings);
    const auto text = RouterConfiguration(settings, "test");
    return text ? "" : text.error().message;
  };
  EXPECT_THAT(refusal([](RouterSettings& s) { s.domains = {Domain("login=eu-central-1,us-east-1,abc")}; }),
              HasSubstr("the domain login fails over by the health check \"abc\""));
  EXPECT_THAT(refusal([](RouterSettings& s) { s.domains = {Domain("login=ap-south-1")}; }), HasSubstr("ap-south-1"));
  EXPECT_THAT(refusal([](RouterSettings& s) { s.domains = {Domain("login=eu-central-1,ap-south-1")}; }),
              HasSubstr("ap-south-1"));
  EXPECT_THAT(refusal([](RouterSettings& s) { s.domains = {Domain("a=us-east-1"), Domain("a=eu-central-1")}; }),
              HasSubstr("twice"));
  EXPECT_THAT(refusal([](RouterSettings& s) { s.domains = {Domain("a b=us-east-1")}; }), HasSubstr("no domain"));
  const RouterHealthCheck check{.id = "abc", .host = "h", .port = 1, .path = "/"};
  EXPECT_THAT(refusal([&](RouterSettings& s) { s.health_checks = {check, check}; }), HasSubstr("twice"));
  EXPECT_THAT(refusal([&](RouterSettings& s) {
                s.health_checks = {check};
                s.health_checks[0].id = kPrimaryReady;
              }),
              HasSubstr("twice"));
  EXPECT_THAT(refusal([&](RouterSettings& s) {
                s.health_checks = {check};
                s.health_checks[0].path = "/\n    evil";
              }),
              HasSubstr("none that HAProxy can make"));
}

TEST(RouterTest, HaproxyTakesIt) {
  if (std::system("/usr/sbin/haproxy -v >/dev/null 2>&1") != 0) GTEST_SKIP() << "haproxy is not installed";
  const TemporaryDirectory folder;
  const std::filesystem::path file = folder.path() / "haproxy.cfg";
  RouterSettings settings = ThreeNodes();
  // Names are looked up when it is read.
  settings.servers.back().host = "localhost";
  // More than a line of HAProxy holds.
  for (int i = 0; i < 100; ++i) settings.domains.push_back(Domain(fmt::format("d{}=us-east-1", i).c_str()));
  settings.domains.push_back(Domain("auth.example.com=eu-central-1,us-east-1,abc"));
  settings.domains.push_back(Domain("login=eu-central-1,us-east-1"));
  settings.health_checks = {{.id = "abc", .host = "localhost", .port = 80, .path = "/ok?a=b"}};
  std::ofstream(file) << RouterConfiguration(settings, "test").value();
  EXPECT_EQ(std::system(("/usr/sbin/haproxy -c -q -f " + file.string()).c_str()), 0);
}

}  // namespace
}  // namespace symbolon::cli
