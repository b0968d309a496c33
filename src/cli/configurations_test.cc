#include "cli/configurations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/certificates.h"
#include "cli/files.h"
#include "cli/test_folder.h"

namespace symbolon::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

LabSettings Settings(const std::filesystem::path& dir) {
  LabFlags flags;
  flags.dir = dir;
  return ResolveSettings(flags).value();
}

TEST(ConfigurationsTest, NodeKnowsItselfAndEveryRegion) {
  const std::string text = NodeConfiguration(Settings("/nowhere/\"lab\""), 1);
  EXPECT_THAT(text, HasSubstr("region = \"us-east-1\"\n"));
  EXPECT_THAT(text, HasSubstr("neutral_url = \"http://127.0.0.1:9400\"\n"));
  EXPECT_THAT(text, HasSubstr("[api]\nlisten = \"127.0.0.1:9420\"\npublic_url = \"http://127.0.0.1:9420\"\n"));
  EXPECT_THAT(text, HasSubstr("[[regions]]\nname = \"eu-central-1\"\n"));
  EXPECT_THAT(text, HasSubstr("[[regions]]\nname = \"us-east-1\"\n"));
  EXPECT_THAT(text, HasSubstr("data_dir = \"/nowhere/\\\"lab\\\"/regions/us-east-1/data\"\n"));
}

TEST(ConfigurationsTest, NodeElsewhereListensOnItsAddressAndShowsNoOutbox) {
  LabSettings settings = Settings("/nowhere/lab");
  EXPECT_THAT(NodeConfiguration(settings, 1), HasSubstr("outbox = true\n"));
  EXPECT_THAT(NodeConfiguration(settings, 1), Not(HasSubstr("loopback_providers")));
  settings.loopback_providers = true;
  EXPECT_THAT(NodeConfiguration(settings, 1), HasSubstr("[federation]\nloopback_providers = true\n"));
  settings.regions[1].address = "10.77.0.2";
  const std::string text = NodeConfiguration(settings, 1);
  EXPECT_THAT(text, HasSubstr("[api]\nlisten = \"10.77.0.2:9420\"\npublic_url = \"http://10.77.0.2:9420\"\n"));
  EXPECT_THAT(text, HasSubstr("[operations]\nlisten = \"10.77.0.2:9421\"\n"));
  EXPECT_THAT(text, Not(HasSubstr("outbox")));
  EXPECT_THAT(text, Not(HasSubstr("loopback_providers")));
  EXPECT_THAT(NodeConfiguration(settings, 0), HasSubstr("replication = \"10.77.0.2:9422\"\n"));
}

TEST(ConfigurationsTest, NodesPassChangesOnWhenTheLabIsToldSo) {
  LabSettings settings = Settings("/nowhere/lab");
  EXPECT_THAT(NodeConfiguration(settings, 1), Not(HasSubstr("forward_writes")));
  settings.forward_writes = true;
  EXPECT_THAT(NodeConfiguration(settings, 1), HasSubstr("forward_writes = true\n"));
}

TEST(ConfigurationsTest, NodesReadUsersIfThereAreAny) {
  TestFolder folder;
  const LabSettings settings = Settings(folder.path());
  const auto text = [&] {
    EXPECT_TRUE(WriteLab(settings));
    return ReadFile(NodeConfigurationFile(settings.dir, Region("us-east-1"))).value();
  };
  EXPECT_THAT(text(), Not(HasSubstr("[iam]")));
  ASSERT_TRUE(WriteFile(UsersFile(settings.dir), ""));
  EXPECT_THAT(text(), HasSubstr("[iam]\nusers_file = \"" + UsersFile(settings.dir).string() + "\"\n"));
}

TEST(ConfigurationsTest, EtcdAuthority_NodesAndMembersKnowEachOther) {
  LabFlags flags;
  flags.dir = "/nowhere/lab";
  flags.authority = "etcd";
  flags.automatic_promotion = true;
  const LabSettings settings = ResolveSettings(flags).value();
  const std::string text = NodeConfiguration(settings, 0);
  EXPECT_THAT(text, HasSubstr("authority = \"etcd\"\n"));
  EXPECT_THAT(text, HasSubstr("endpoints = [\"127.0.0.1:9401\", \"127.0.0.1:9404\", \"127.0.0.1:9407\"]\n"));
  EXPECT_THAT(text, HasSubstr("automatic_promotion = true\nautomatic_promotion_tenure_seconds = 15\n"));
  flags.automatic_promotion = false;
  EXPECT_THAT(NodeConfiguration(ResolveSettings(flags).value(), 0), Not(HasSubstr("tenure")));
  EXPECT_THAT(
      EtcdArguments(settings, 2),
      testing::IsSupersetOf({"--name=etcd-elsewhere", "--listen-client-urls=https://127.0.0.1:9407",
                             "--initial-cluster=etcd-eu-central-1=https://127.0.0.1:9402,etcd-us-east-1=https://"
                             "127.0.0.1:9405,etcd-elsewhere=https://127.0.0.1:9408",
                             "--client-cert-auth"}));
  EXPECT_THAT(NodeConfiguration(Settings("/nowhere/lab"), 0), Not(HasSubstr("etcd")));
}

TEST(ConfigurationsTest, RouterPrefersTheFirstRegion) {
  const std::string text = LabRouterConfiguration(Settings("/nowhere/lab"), {}).value();
  EXPECT_THAT(text, HasSubstr("bind 127.0.0.1:9400\n"));
  EXPECT_THAT(text, HasSubstr("default_backend eu-central-1\n"));
  EXPECT_THAT(text, HasSubstr("server us-east-1 127.0.0.1:9420 track us-east-1/us-east-1 weight 16\n"));
}

TEST(ConfigurationsTest, LabsDomainsFailOverByTheRegionsReadiness) {
  const RouterDomain domain{.name = "login",
                            .primary = Region("eu-central-1"),
                            .failover = RouterDomain::Failover{.secondary = Region("us-east-1"), .health_check = "x"}};
  EXPECT_THAT(LabRouterConfiguration(Settings("/nowhere/lab"), {domain}).value(),
              HasSubstr("backend eu-central-1_or_us-east-1\n"));
}

TEST(ConfigurationsTest, KeysAndCertificatesOutliveASecondStart) {
  const TestFolder folder;
  const LabSettings settings = Settings(folder.path());
  ASSERT_TRUE(WriteLab(settings));
  const Region region = settings.regions.front().name;
  const std::filesystem::path certificate = CertificateFilesOf(CertificateFolder(folder.path()), region).certificate;
  const std::string key = ReadFile(RootKeyFile(folder.path(), region)).value();
  const std::string pem = ReadFile(certificate).value();
  ASSERT_TRUE(WriteLab(settings));
  EXPECT_EQ(ReadFile(RootKeyFile(folder.path(), region)).value(), key);
  EXPECT_EQ(ReadFile(certificate).value(), pem);
  EXPECT_NE(ReadFile(RootKeyFile(folder.path(), settings.regions.back().name)).value(), key);
}

}  // namespace
}  // namespace symbolon::cli
