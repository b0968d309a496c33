#include "cli/settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "cli/files.h"
#include "cli/ports.h"
#include "cli/test_folder.h"

namespace symbolon::cli {
namespace {

using ::testing::HasSubstr;

LabFlags FlagsFor(const TestFolder& folder) {
  LabFlags flags;
  flags.dir = folder.path();
  return flags;
}

std::string Refusal(const LabFlags& flags) {
  const CliResult<LabSettings> settings = ResolveSettings(flags);
  return settings ? "" : settings.error().message;
}

TEST(SettingsTest, NoFlagsGiveTheDocumentedLab) {
  const TestFolder folder;
  const LabSettings settings = ResolveSettings(FlagsFor(folder)).value();
  ASSERT_EQ(settings.regions.size(), 2u);
  EXPECT_EQ(settings.regions[0].name, Region("eu-central-1"));
  EXPECT_EQ(settings.regions[0].api_port, 9410);
  EXPECT_EQ(settings.regions[0].replication_port, 9412);
  EXPECT_EQ(settings.regions[1].name, Region("us-east-1"));
  EXPECT_EQ(settings.regions[1].operations_port, 9421);
  EXPECT_EQ(settings.router_port, 9400);
  EXPECT_EQ(settings.account, "000000000000");
  EXPECT_EQ(settings.access_key_id, "SYMBOLONLAB");
  EXPECT_EQ(settings.secret_access_key.view(), "symbolon-lab-secret");
  EXPECT_FALSE(settings.forward_writes);
}

TEST(SettingsTest, RegionsElsewhereHaveAnAddressEachAndTheSecondStartFindsThem) {
  const TestFolder folder;
  LabFlags flags = FlagsFor(folder);
  flags.addresses = {"10.77.0.1", "10.77.0.2"};
  const LabSettings settings = ResolveSettings(flags).value();
  EXPECT_EQ(Url(settings.regions[1], settings.regions[1].api_port), "http://10.77.0.2:9420");
  EXPECT_FALSE(IsOnLoopback(settings.regions[1]));
  ASSERT_TRUE(WriteSettings(settings));
  EXPECT_EQ(ReadSettings(folder.path()).value().regions[1].address, "10.77.0.2");

  flags.addresses = {"10.77.0.1"};
  EXPECT_THAT(Refusal(flags), HasSubstr("one for each of the 2 Regions"));
  flags.addresses = {"10.77.0.1", "elsewhere"};
  EXPECT_THAT(Refusal(flags), HasSubstr("\"elsewhere\" is no IPv4 address"));
}

TEST(SettingsTest, SecondStartFindsWhatTheFirstWasTold) {
  const TestFolder folder;
  LabFlags flags = FlagsFor(folder);
  flags.regions = {"north-1", "south-1"};
  flags.api_ports = {1001, 1002};
  flags.router_port = 1000;
  flags.account = "123456789012";
  flags.secret_access_key = "with \"quotes\", \\ and \n";
  flags.forward_writes = true;
  flags.loopback_providers = true;
  ASSERT_TRUE(WriteSettings(ResolveSettings(flags).value()));

  const LabSettings again = ResolveSettings(FlagsFor(folder)).value();
  ASSERT_EQ(again.regions.size(), 2u);
  EXPECT_EQ(again.regions[0].name, Region("north-1"));
  EXPECT_EQ(again.regions[1].api_port, 1002);
  EXPECT_EQ(again.regions[1].operations_port, 9421);
  EXPECT_EQ(again.router_port, 1000);
  EXPECT_EQ(again.account, "123456789012");
  EXPECT_EQ(again.secret_access_key.view(), "with \"quotes\", \\ and \n");
  EXPECT_TRUE(again.forward_writes);
  EXPECT_TRUE(again.loopback_providers);
  LabFlags off = FlagsFor(folder);
  off.forward_writes = false;
  EXPECT_FALSE(ResolveSettings(off).value().forward_writes);
}

TEST(SettingsTest, SecondStartTakesOtherPortsButNoOtherRegionsOrAccount) {
  const TestFolder folder;
  ASSERT_TRUE(WriteSettings(ResolveSettings(FlagsFor(folder)).value()));
  LabFlags ports = FlagsFor(folder);
  ports.operations_ports = {1, 2};
  EXPECT_EQ(ResolveSettings(ports).value().regions[0].operations_port, 1);

  LabFlags regions = FlagsFor(folder);
  regions.regions = {"eu-central-1", "us-west-1"};
  EXPECT_THAT(Refusal(regions), HasSubstr("other Regions"));
  LabFlags account = FlagsFor(folder);
  account.account = "123456789012";
  EXPECT_THAT(Refusal(account), HasSubstr("belongs to account 000000000000"));
}

TEST(SettingsTest, FolderThatHoldsSomethingElseIsRefused) {
  const TestFolder folder;
  ASSERT_TRUE(WriteFile(folder.path() / "lab.lock", ""));
  EXPECT_EQ(Refusal(FlagsFor(folder)), "");
  ASSERT_TRUE(WriteFile(folder.path() / "thesis.txt", "years of work"));
  EXPECT_THAT(Refusal(FlagsFor(folder)), HasSubstr("holds no lab"));
}

TEST(SettingsTest, LabOfAnotherLayoutIsRefusedAndNamed) {
  const TestFolder folder;
  ASSERT_TRUE(WriteFile(SettingsFile(folder.path()), "layout = 7\nversion = \"9.9\"\n"));
  EXPECT_THAT(Refusal(FlagsFor(folder)), HasSubstr("was made by symbolon 9.9 (layout 7)"));
  ASSERT_TRUE(WriteFile(SettingsFile(folder.path()), "layout = = 1"));
  EXPECT_THAT(Refusal(FlagsFor(folder)), HasSubstr("lab.toml:1:"));
  ASSERT_TRUE(WriteFile(SettingsFile(folder.path()), "layout = 1\n"));
  EXPECT_THAT(Refusal(FlagsFor(folder)), HasSubstr("damaged"));
}

TEST(SettingsTest, WrongFlagsAreRefused) {
  const TestFolder folder;
  const auto refusal = [&](auto change) {
    LabFlags flags = FlagsFor(folder);
    change(flags);
    return Refusal(flags);
  };
  EXPECT_THAT(refusal([](LabFlags& f) { f.regions = {"eu-central-1"}; }), HasSubstr("--regions"));
  EXPECT_THAT(refusal([](LabFlags& f) { f.regions = {"EU", "us-east-1"}; }), HasSubstr("\"EU\""));
  EXPECT_THAT(refusal([](LabFlags& f) { f.regions = {"router", "us-east-1"}; }), HasSubstr("\"router\""));
  EXPECT_THAT(refusal([](LabFlags& f) { f.api_ports = {1}; }), HasSubstr("--api-ports"));
  EXPECT_THAT(refusal([](LabFlags& f) { f.router_port = 9410; }), HasSubstr("port 9410 is given twice"));
  EXPECT_THAT(refusal([](LabFlags& f) { f.router_port = 0; }), HasSubstr("a port must be"));
  EXPECT_THAT(refusal([](LabFlags& f) { f.account = "12"; }), HasSubstr("--account"));
  EXPECT_THAT(refusal([](LabFlags& f) { f.secret_access_key = ""; }), HasSubstr("must not be empty"));
}

TEST(SettingsTest, FreePortsAreAllDifferentAndBelowTheKernelsOwn) {
  const TestFolder folder;
  LabFlags flags = FlagsFor(folder);
  flags.free_ports = true;
  const LabSettings settings = ResolveSettings(flags).value();
  std::set<std::uint16_t> ports = {settings.router_port};
  for (const LabRegion& region : settings.regions) {
    ports.insert({region.api_port, region.operations_port, region.replication_port});
  }
  EXPECT_EQ(ports.size(), 7u);
  EXPECT_LT(*ports.rbegin(), 32768);
}

// Ports are drawn for the Regions and then for etcd. Two draws that know nothing of each other meet in one lab of 350.
TEST(SettingsTest, FreePortsOfRegionsAndEtcd_AreNeverTheSame) {
  const TestFolder folder;
  LabFlags flags = FlagsFor(folder);
  flags.free_ports = true;
  flags.authority = "etcd";
  for (int lab = 0; lab < 3000; ++lab) ASSERT_EQ(Refusal(flags), "");
}

TEST(SettingsTest, FreePorts_AreNoneOfThoseThatAreTaken) {
  std::set<std::uint16_t> taken;
  for (std::uint16_t port = 1; port < 65535; port += 2) taken.insert(port);
  const std::vector<std::uint16_t> ports = FreePorts(100, taken).value();
  EXPECT_EQ((std::set<std::uint16_t>(ports.begin(), ports.end()).size()), 100u);
  for (const std::uint16_t port : ports) EXPECT_EQ(port % 2, 0) << port;
}

TEST(SettingsTest, EtcdAuthority_IsKeptForTheNextStart) {
  const TestFolder folder;
  LabFlags flags;
  flags.dir = folder.path();
  flags.authority = "etcd";
  flags.automatic_promotion = true;
  flags.free_ports = true;
  const LabSettings made = ResolveSettings(flags).value();
  ASSERT_EQ(made.etcd.size(), 3);
  EXPECT_EQ(made.etcd[0].name, "etcd-eu-central-1");
  EXPECT_EQ(made.etcd[2].name, "etcd-elsewhere");
  ASSERT_TRUE(WriteSettings(made));
  LabFlags again;
  again.dir = folder.path();
  const LabSettings kept = ResolveSettings(again).value();
  EXPECT_TRUE(kept.automatic_promotion);
  ASSERT_EQ(kept.etcd.size(), 3);
  EXPECT_EQ(kept.etcd[2].client_port, made.etcd[2].client_port);
  EXPECT_EQ(kept.etcd[2].health_port, made.etcd[2].health_port);
  again.authority = "operator";
  EXPECT_FALSE(ResolveSettings(again));
}

TEST(SettingsTest, WithoutEtcd_WhatBelongsToItIsRefused) {
  const TestFolder folder;
  LabFlags flags;
  flags.dir = folder.path();
  flags.automatic_promotion = true;
  EXPECT_FALSE(ResolveSettings(flags));
  flags.authority = "etcd";
  EXPECT_TRUE(ResolveSettings(flags));
  flags.etcd_ports = {1, 2, 3};
  EXPECT_FALSE(ResolveSettings(flags));
  flags.etcd_ports.clear();
  flags.regions = {"etcd-1", "us-east-1"};
  EXPECT_FALSE(ResolveSettings(flags));
}

}  // namespace
}  // namespace symbolon::cli
