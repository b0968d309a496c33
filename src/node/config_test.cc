#include "node/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

namespace symbolon::node {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// A folder that goes when the test does, with the files that a configuration names.
class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string name = testing::TempDir() + "symbolon-config-XXXXXX";
    folder_ = ::mkdtemp(name.data());
    for (const char* file : {"root.key", "ca.pem", "cert.pem", "key.pem"}) Write(file, "x\n");
    Write("secret.txt", "from-file\n");
  }
  ~ConfigTest() override { std::filesystem::remove_all(folder_); }

  void Write(const std::string& file, std::string_view content) { std::ofstream(folder_ / file) << content; }

  // What is wrong with the good configuration in which `from` was replaced by `to`.
  std::vector<std::string> ProblemsWith(std::string_view from, std::string_view to) {
    std::string text = kGood;
    const auto at = text.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    text.replace(at, from.size(), to);
    auto config = ParseConfig(text, folder_);
    std::vector<std::string> problems;
    if (config) return problems;
    for (const auto& [line, reason] : config.error()) problems.push_back(std::to_string(line) + ": " + reason);
    return problems;
  }

  std::vector<std::string> ProblemsWithEtcd(std::string_view settings) {
    return ProblemsWith("[replication.tls]", "authority = \"etcd\"\n[replication.etcd]\n" + std::string(settings) +
                                                 "\n[replication.etcd.tls]\nca = \"ca.pem\"\ncertificate = "
                                                 "\"cert.pem\"\nkey = \"key.pem\"\n[replication.tls]");
  }

  static constexpr const char* kGood = R"(region = "eu-central-1"
account = "000000000000"
data_dir = "data"
neutral_url = "https://id.example.com"

[api]
listen = "127.0.0.1:9410"
public_url = "http://127.0.0.1:9410"

[operations]
listen = "127.0.0.1:0"

[replication]
listen = "[::1]:9412"
[replication.tls]
ca = "ca.pem"
certificate = "cert.pem"
key = "key.pem"

[keys]
provider = "local"
root_key_file = "root.key"
recheck_interval_ms = 1000

[delivery]
outbox = true

[http]
threads = 3
drain_timeout_ms = 500

[log]
level = "warning"

[[access_keys]]
id = "SYMBOLONLAB"
secret = "in-line"

[[access_keys]]
id = "OTHER"
secret_file = "secret.txt"

[[regions]]
name = "eu-central-1"
public_url = "http://127.0.0.1:9410"
replication = "eu.example.com:9412"

[[regions]]
name = "us-east-1"
public_url = "http://127.0.0.1:9420"
replication = "127.0.0.1:9422"

[audit]
directory = "trail"
file_mib_max = 10
checkpoint_lines = 7
checkpoint_seconds = 8
probe_summary_seconds = 9
)";

  std::filesystem::path folder_;
};

TEST_F(ConfigTest, EverySetting_IsRead) {
  const auto config = ParseConfig(kGood, folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  EXPECT_EQ(config->region, Region("eu-central-1"));
  EXPECT_EQ(config->account, "000000000000");
  EXPECT_EQ(config->data_dir, folder_ / "data");
  EXPECT_EQ(config->neutral_url, "https://id.example.com");
  EXPECT_EQ(config->api.listen, (Endpoint{"127.0.0.1", 9410}));
  EXPECT_EQ(config->api.public_url, "http://127.0.0.1:9410");
  EXPECT_FALSE(config->api.tls);
  EXPECT_EQ(config->operations, (Endpoint{"127.0.0.1", 0}));
  EXPECT_EQ(ToString(config->replication->listen), "[::1]:9412");
  EXPECT_EQ(config->replication->tls.ca, folder_ / "ca.pem");
  EXPECT_EQ(config->keys.root_key_file, folder_ / "root.key");
  EXPECT_EQ(config->keys.recheck_interval, std::chrono::seconds(1));
  EXPECT_EQ(config->audit.directory, folder_ / "trail");
  EXPECT_EQ(config->audit.file_mib_max, 10u);
  EXPECT_EQ(config->audit.checkpoint_lines, 7u);
  EXPECT_EQ(config->audit.checkpoint_interval, std::chrono::seconds(8));
  EXPECT_EQ(config->audit.probe_summary_interval, std::chrono::seconds(9));
  EXPECT_EQ(config->storage.engine, StorageConfig::Engine::kRocksDb);
  EXPECT_TRUE(config->outbox);
  EXPECT_EQ(config->http.threads, 3u);
  EXPECT_EQ(config->http.idle_timeout, std::chrono::seconds(75));
  EXPECT_EQ(config->http.drain_timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config->log_level, log::Level::kWarning);
  ASSERT_EQ(config->access_keys.size(), 2u);
  EXPECT_EQ(config->access_keys[0].id, "SYMBOLONLAB");
  EXPECT_EQ(config->access_keys[0].secret.view(), "in-line");
  EXPECT_EQ(config->access_keys[1].secret.view(), "from-file");
  ASSERT_EQ(config->regions.size(), 2u);
  EXPECT_EQ(config->regions[0].replication, (Endpoint{"eu.example.com", 9412}));
  EXPECT_EQ(config->regions[1].name, Region("us-east-1"));
}

TEST_F(ConfigTest, ComparisonsOfCopies_AreAsOftenAndAsFastAsSet) {
  std::string text = kGood;
  const std::string_view at = "[replication]\n";
  text.insert(text.find(at) + at.size(), "verify_interval_minutes = 90\nverify_records_per_second = 500\n");
  const auto config = ParseConfig(text, folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  EXPECT_EQ(config->replication->verify_interval, std::chrono::minutes(90));
  EXPECT_EQ(config->replication->verify_records_per_second, 500u);
  EXPECT_THAT(ProblemsWith(at, "[replication]\nverify_interval_minutes = -1\n"),
              ElementsAre("14: replication.verify_interval_minutes: must be a whole number from 0 to 527040"));
}

TEST_F(ConfigTest, ChangesArePassedOnWhenThatIsAskedForOnly) {
  const auto plain = ParseConfig(kGood, folder_);
  ASSERT_TRUE(plain);
  EXPECT_FALSE(plain->replication->forward_writes);
  EXPECT_EQ(plain->replication->forward_timeout, std::chrono::seconds(10));
  std::string text = kGood;
  text.insert(text.find("[replication.tls]"), "forward_writes = true\nforward_timeout_ms = 500\n");
  const auto config = ParseConfig(text, folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  EXPECT_TRUE(config->replication->forward_writes);
  EXPECT_EQ(config->replication->forward_timeout, std::chrono::milliseconds(500));
}

TEST_F(ConfigTest, LifeOfKeys) {
  auto config = ParseConfig(kGood, folder_);
  ASSERT_TRUE(config);
  EXPECT_EQ(config->keys.unreachable_grace, std::chrono::seconds(10));
  EXPECT_EQ(config->keys.rotate_data_keys, std::chrono::days(90));
  EXPECT_EQ(config->keys.reencrypt_records_per_second, 2'000u);
  std::string text = kGood;
  text.insert(text.find("recheck_interval_ms"),
              "unreachable_grace_s = 0\nrotate_data_keys_days = 30\nreencrypt_records_per_second = 500\n"
              "forgotten_regions = [\"ap-south-1\"]\n");
  config = ParseConfig(text, folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  EXPECT_EQ(config->keys.unreachable_grace, std::chrono::seconds(0));
  EXPECT_EQ(config->keys.rotate_data_keys, std::chrono::days(30));
  EXPECT_EQ(config->keys.reencrypt_records_per_second, 500u);
  EXPECT_EQ(config->keys.forgotten_regions, std::vector<Region>{Region("ap-south-1")});
  EXPECT_THAT(ProblemsWith("recheck_interval_ms", "forgotten_regions = [\"us-east-1\"]\nrecheck_interval_ms"),
              ElementsAre(HasSubstr("forgotten_regions: \"us-east-1\" has a replication address in regions")));
  EXPECT_THAT(ProblemsWith("recheck_interval_ms", "forgotten_regions = [\"eu-central-1\"]\nrecheck_interval_ms"),
              ElementsAre(HasSubstr("forgotten_regions: \"eu-central-1\" is this node's own Region")));
}

TEST_F(ConfigTest, RegionThatIsGoneKeepsItsPublicUrlAndHasNoLink) {
  std::string text = kGood;
  text.insert(text.find("recheck_interval_ms"), "forgotten_regions = [\"us-east-1\"]\n");
  const auto address = text.rfind("replication = ");
  text.erase(address, text.find('\n', address) - address);
  const auto config = ParseConfig(text, folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  ASSERT_EQ(config->regions.size(), 2u);
  EXPECT_EQ(config->regions[1].name, Region("us-east-1"));
  EXPECT_FALSE(config->regions[1].public_url.empty());
  EXPECT_FALSE(config->regions[1].replication);
}

TEST_F(ConfigTest, OneRegionInMemory_NeedsNoReplicationAndNoFolder) {
  const auto config = ParseConfig(R"(region = "eu-central-1"
account = "123456789012"
neutral_url = "http://localhost"
storage.engine = "memory"
api = { listen = "[::]:0", public_url = "http://localhost:1" }
operations.listen = "127.0.0.1:0"
keys = { provider = "local", root_key_file = "root.key" }
regions = [ { name = "eu-central-1", public_url = "http://localhost:1" } ]
)",
                                  folder_);
  ASSERT_TRUE(config) << config.error().front().line << config.error().front().reason;
  EXPECT_FALSE(config->replication);
  EXPECT_FALSE(config->outbox);
  EXPECT_EQ(config->api.listen.host, "::");
}

TEST_F(ConfigTest, EmptyFile_NamesAllThatIsMissing) {
  const auto config = ParseConfig("", folder_);
  ASSERT_FALSE(config);
  std::vector<std::string> reasons;
  for (const auto& problem : config.error()) reasons.push_back(problem.reason);
  EXPECT_THAT(reasons, ElementsAre("region: is missing", "account: is missing", "data_dir: is missing",
                                   "neutral_url: is missing", "api: is missing", "operations: is missing",
                                   "regions: is missing", "keys: is missing"));
}

TEST_F(ConfigTest, SeveralMistakes_AreReportedTogetherInTheOrderOfTheLines) {
  const auto config = ParseConfig(R"(region = 7
account = "12"
colour = "red"
data_dir = "d"
neutral_url = "id.example.com"
[api]
public_url = "http://h/path"
listen = "localhost:1"
[operations]
listen = "127.0.0.1:99999"
[keys]
provider = "pkcs11"
root_key_file = ""
pin = "1234"
[[regions]]
name = "Mars"
)",
                                  folder_);
  ASSERT_FALSE(config);
  std::vector<std::string> problems;
  for (const auto& [line, reason] : config.error()) problems.push_back(std::to_string(line) + ": " + reason);
  EXPECT_THAT(
      problems,
      ElementsAre(
          "1: region: must be a text that is not empty", "2: account: must be 12 digits", "3: colour: is not a setting",
          "5: neutral_url: must be a URL of scheme, host and perhaps port only, as in \"https://id.example.com\"",
          "7: api.public_url: must be a URL of scheme, host and perhaps port only, as in \"https://id.example.com\"",
          "8: api.listen: must be an IP address and a port, as in \"127.0.0.1:9410\" or \"[::]:9410\"",
          "10: operations.listen: must be an IP address and a port, as in \"127.0.0.1:9410\" or \"[::]:9410\"",
          "12: keys.provider: must be one of \"local\"", "13: keys.root_key_file: must be a text that is not empty",
          "14: keys.pin: is not a setting", "15: regions.public_url: is missing",
          "15: regions: \"\" (region) is not among them",
          "16: regions.name: must be 5 to 32 characters of a-z, 0-9 and -, as in \"eu-central-1\""));
}

TEST_F(ConfigTest, SyntaxError_SaysItsLine) {
  const auto config = ParseConfig("region = \"eu-central-1\"\naccount = = 1\n", folder_);
  ASSERT_FALSE(config);
  ASSERT_EQ(config.error().size(), 1u);
  EXPECT_EQ(config.error()[0].line, 2u);
}

TEST_F(ConfigTest, EachWrongSetting_IsRefusedByNameAndLine) {
  EXPECT_THAT(ProblemsWith("\"local\"", "\"local\""), ElementsAre());
  EXPECT_THAT(ProblemsWith("operations]\nlisten = \"127.0.0.1:0\"", "operations]\nlisten = \"0.0.0.0:0\""),
              ElementsAre(HasSubstr("26: delivery.outbox: shows everybody's codes")));
  EXPECT_THAT(ProblemsWith("outbox = true", "outbox = 1"), ElementsAre("26: delivery.outbox: must be true or false"));
  EXPECT_THAT(ProblemsWith("outbox = true", "sms = true"), ElementsAre("26: delivery.sms: is not a setting"));
  EXPECT_THAT(ProblemsWith("threads = 3", "threads = -1"),
              ElementsAre("29: http.threads: must be a whole number from 0 to 1024"));
  EXPECT_THAT(ProblemsWith("threads = 3", "threads = 3.5"),
              ElementsAre("29: http.threads: must be a whole number from 0 to 1024"));
  EXPECT_THAT(ProblemsWith("\"warning\"", "\"loud\""),
              ElementsAre("33: log.level: must be one of \"debug\", \"info\", \"warning\", \"error\""));
  EXPECT_THAT(ProblemsWith("secret = \"in-line\"", ""),
              ElementsAre("35: access_keys.secret: must be given, or secret_file or secret_env instead of it"));
  EXPECT_THAT(ProblemsWith("secret = \"in-line\"", "secret = \"a\"\nsecret_file = \"secret.txt\""),
              ElementsAre("37: access_keys.secret: must be given, or secret_file or secret_env instead of it"));
  EXPECT_THAT(ProblemsWith("\"OTHER\"", "\"SYMBOLONLAB\""),
              ElementsAre("40: access_keys.id: \"SYMBOLONLAB\" stands here twice"));
  EXPECT_THAT(ProblemsWith("\"us-east-1\"", "\"eu-central-1\""),
              ElementsAre("49: regions.name: \"eu-central-1\" stands here twice"));
  EXPECT_THAT(ProblemsWith("region = \"eu-central-1\"", "region = \"eu-west-1\""),
              ElementsAre(HasSubstr("regions: \"eu-west-1\" (region) is not among them")));
  EXPECT_THAT(ProblemsWith("replication = \"127.0.0.1:9422\"", ""),
              ElementsAre(HasSubstr("regions: \"us-east-1\" has no replication address")));
  EXPECT_THAT(ProblemsWith("replication = \"127.0.0.1:9422\"", "replication = \"127.0.0.1\""),
              ElementsAre("51: regions.replication: must be a host and a port, as in \"id.example.com:9412\""));
  const std::string listen = "\"[::1]:9412\"";
  EXPECT_THAT(ProblemsWith(listen, listen + "\nforward_writes = \"yes\""),
              ElementsAre("15: replication.forward_writes: must be true or false"));
  EXPECT_THAT(ProblemsWith(listen, listen + "\nforward_timeout_ms = 99"),
              ElementsAre("15: replication.forward_timeout_ms: must be a whole number from 100 to 60000"));
  EXPECT_THAT(ProblemsWith("\"cert.pem\"", "\"other.pem\""),
              ElementsAre("17: replication.tls.certificate: cannot read " + (folder_ / "other.pem").string()));
  EXPECT_THAT(ProblemsWith("certificate = \"cert.pem\"", ""),
              ElementsAre("15: replication.tls.certificate: is missing"));
  EXPECT_THAT(ProblemsWith("[api]", "api = 3\n[other]"),
              ElementsAre("6: api: must be a table: [api]", "7: other: is not a setting"));
}

TEST_F(ConfigTest, LoadConfig_PathsAreMeantFromTheFilesFolder) {
  Write("symbolond.toml", kGood);
  const auto config = LoadConfig(folder_ / "symbolond.toml");
  ASSERT_TRUE(config) << config.error().front().reason;
  EXPECT_EQ(config->data_dir, folder_ / "data");
  EXPECT_EQ(LoadConfig(folder_ / "other.toml").error(), (ConfigProblems{{1, "cannot be read"}}));
}

TEST_F(ConfigTest, Authority_IsWholeOrRefused) {
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:2379\", \"b:2379\"]"), ElementsAre());
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:2379\"]\nautomatic_promotion = true\n"
                               "lease_seconds = 5\nautomatic_promotion_after_seconds = 5"),
              ElementsAre());
  EXPECT_THAT(ProblemsWith("[replication.tls]", "authority = \"etcd\"\n[replication.tls]"),
              ElementsAre(HasSubstr("[replication.etcd] is missing")));
  EXPECT_THAT(ProblemsWith("[replication.tls]", "authority = \"raft\"\n[replication.tls]"),
              ElementsAre(HasSubstr("must be one of \"operator\", \"etcd\"")));
  EXPECT_THAT(ProblemsWith("[replication.tls]", "[replication.etcd]\nendpoints = [\"a:1\"]\n[replication.tls]"),
              testing::Contains(HasSubstr("of no use without authority")));
  EXPECT_THAT(ProblemsWithEtcd(""), ElementsAre(HasSubstr("endpoints: is missing")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = []"), ElementsAre(HasSubstr("must be a list of texts")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a\"]"), ElementsAre(HasSubstr("must be hosts and ports")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\", \"a:1\"]"), ElementsAre(HasSubstr("stands here twice")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\"]\nkey_prefix = \"a/\""), ElementsAre(HasSubstr("key_prefix")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\"]\nlease_seconds = 4\nlease_margin_ms = 2001"),
              ElementsAre(HasSubstr("from 100 to 2000")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\"]\nautomatic_promotion_after_seconds = 20"),
              ElementsAre(HasSubstr("without automatic_promotion")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\"]\nautomatic_promotion = true\n"
                               "automatic_promotion_after_seconds = 9"),
              ElementsAre(HasSubstr("from 10 to 3600")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\"]\nautomatic_promotion_tenure_seconds = 20"),
              ElementsAre(HasSubstr("without automatic_promotion")));
  EXPECT_THAT(ProblemsWithEtcd("endpoints = [\"a:1\"]\nautomatic_promotion = true\n"
                               "automatic_promotion_tenure_seconds = 86401"),
              ElementsAre(HasSubstr("from 0 to 86400")));
}

TEST_F(ConfigTest, Hsm_IsRead) {
  const std::string hsm =
      "[keys.pkcs11]\nmodule = \"ca.pem\"\ntoken_label = \"bank\"\npin_file = \"secret.txt\"\ntimeout_ms = 500\n"
      "sessions = 2\n";
  const auto config = ParseConfig(kGood + hsm, folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  EXPECT_EQ(config->keys.hsm->module, folder_ / "ca.pem");
  EXPECT_EQ(config->keys.hsm->token_label, "bank");
  EXPECT_EQ(config->keys.hsm->pin.file, folder_ / "secret.txt");
  EXPECT_EQ(config->keys.hsm->timeout, std::chrono::milliseconds(500));
  EXPECT_EQ(config->keys.hsm->sessions, 2u);
  EXPECT_FALSE(ParseConfig(kGood, folder_)->keys.hsm);
}

TEST_F(ConfigTest, HsmThatCannotBe_IsRefused) {
  const auto problems_with = [&](const std::string& settings) {
    return ProblemsWith("[delivery]", "[keys.pkcs11]\n" + settings + "\n[delivery]");
  };
  const std::string module = "module = \"ca.pem\"\n", label = "token_label = \"bank\"\n",
                    pin = "pin_file = \"secret.txt\"\n";
  EXPECT_TRUE(problems_with(module + "slot = 7\n" + pin).empty());
  EXPECT_TRUE(problems_with(module + label + "pin_env = \"PATH\"").empty());
  EXPECT_THAT(problems_with(label + pin), ElementsAre(HasSubstr("keys.pkcs11.module: is missing")));
  EXPECT_THAT(problems_with("module = \"no.so\"\n" + label + pin), ElementsAre(HasSubstr("cannot read")));
  EXPECT_THAT(problems_with(module + pin), ElementsAre(HasSubstr("token_label: must be given, or slot")));
  EXPECT_THAT(problems_with(module + label + "slot = 7\n" + pin), ElementsAre(HasSubstr("or slot instead of it")));
  EXPECT_THAT(problems_with(module + "slot = -1\n" + pin), ElementsAre(HasSubstr("slot: must be a whole number")));
  EXPECT_THAT(problems_with(module + label), ElementsAre(HasSubstr("pin_file: must be given, or pin_env")));
  EXPECT_THAT(problems_with(module + label + pin + "pin_env = \"PATH\""),
              ElementsAre(HasSubstr("pin_env instead of it")));
  EXPECT_THAT(problems_with(module + label + "pin_env = \"NO_SUCH_VARIABLE\""),
              ElementsAre(HasSubstr("there is no environment variable NO_SUCH_VARIABLE")));
  EXPECT_THAT(problems_with(module + label + pin + "pin = \"1234\""), ElementsAre(HasSubstr("is not a setting")));
}

TEST_F(ConfigTest, AwsKms_IsRead) {
  const auto config = ParseConfig(std::string(kGood) + R"([keys.aws_kms]
endpoint = "https://kms.eu-central-1.amazonaws.com"
accounts = ["111122223333", "444455556666"]
access_key_id = "AKID"
secret_access_key_file = "secret.txt"
ca_file = "ca.pem"
timeout_ms = 900
)",
                                  folder_);
  ASSERT_TRUE(config) << config.error().front().reason;
  const AwsKmsConfig& kms = *config->keys.aws_kms;
  EXPECT_EQ(kms.endpoint, "https://kms.eu-central-1.amazonaws.com");
  EXPECT_EQ(kms.region, Region("eu-central-1"));
  EXPECT_THAT(kms.accounts, ElementsAre("111122223333", "444455556666"));
  EXPECT_EQ(kms.access_key_id, "AKID");
  EXPECT_EQ(kms.secret_access_key.view(), "from-file");
  EXPECT_EQ(kms.ca_file, folder_ / "ca.pem");
  EXPECT_EQ(kms.timeout, std::chrono::milliseconds(900));
}

TEST_F(ConfigTest, AwsKmsThatCannotBe_IsRefused) {
  const auto problems_with = [&](const std::string& endpoint, const std::string& accounts, const std::string& secret) {
    return ProblemsWith("[delivery]", "[keys.aws_kms]\nendpoint = \"" + endpoint + "\"\naccounts = [" + accounts +
                                          "]\naccess_key_id = \"A\"\n" + secret + "\n[delivery]");
  };
  const std::string endpoint = "https://kms.example.com", account = "\"111122223333\"",
                    secret = "secret_access_key = \"x\"";
  EXPECT_TRUE(problems_with(endpoint, account, secret).empty());
  EXPECT_TRUE(problems_with("http://127.0.0.1:9410", account, "secret_access_key_env = \"PATH\"").empty());
  EXPECT_TRUE(problems_with("http://localhost:9410", account, secret).empty());
  EXPECT_TRUE(problems_with("http://[::1]:9410", account, secret).empty());
  EXPECT_TRUE(problems_with(endpoint, "\"000000000000\"", "region = \"us-east-1\"\n" + secret).empty());
  EXPECT_THAT(problems_with("http://kms.example.com", account, secret), ElementsAre(HasSubstr("must be https")));
  EXPECT_THAT(problems_with("http://localhost.example.com", account, secret), ElementsAre(HasSubstr("must be https")));
  EXPECT_THAT(problems_with("https://kms.example.com/path", account, secret), ElementsAre(HasSubstr("endpoint")));
  EXPECT_THAT(problems_with(endpoint, "", secret), ElementsAre(HasSubstr("accounts")));
  EXPECT_THAT(problems_with(endpoint, "\"1\"", secret), ElementsAre(HasSubstr("12 digits")));
  EXPECT_THAT(problems_with(endpoint, "\"000000000000\"", secret), ElementsAre(HasSubstr("this node's own account")));
  EXPECT_THAT(problems_with(endpoint, account, ""), ElementsAre(HasSubstr("secret_access_key: must be given")));
  EXPECT_THAT(problems_with(endpoint, account, "secret_access_key_env = \"NO_SUCH_VARIABLE\""),
              ElementsAre(HasSubstr("there is no environment variable NO_SUCH_VARIABLE")));
}

TEST_F(ConfigTest, RootKeyProtection_IsReadOrRefused) {
  const auto with = [&](const std::string& settings) {
    std::string text = kGood;
    text.replace(text.find("recheck_interval_ms"), 0, settings + "\n");
    return ParseConfig(text, folder_);
  };
  const auto problems_with = [&](const std::string& settings) {
    return ProblemsWith("recheck_interval_ms", settings + "\nrecheck_interval_ms");
  };
  EXPECT_FALSE(ParseConfig(kGood, folder_)->keys.root_passphrase.given());
  EXPECT_EQ(with("root_passphrase_file = \"secret.txt\"")->keys.root_passphrase.file, folder_ / "secret.txt");
  EXPECT_EQ(with("root_passphrase_env = \"PATH\"")->keys.root_passphrase.variable, "PATH");
  EXPECT_EQ(with("root_passphrase_fd = 3")->keys.root_passphrase.descriptor, 3);
  EXPECT_THAT(problems_with("root_passphrase_file = \"secret.txt\"\nroot_passphrase_env = \"PATH\""),
              ElementsAre(HasSubstr("root_passphrase_env instead of it")));
  EXPECT_THAT(problems_with("root_passphrase_file = \"secret.txt\"\nroot_passphrase_fd = 3"),
              ElementsAre(HasSubstr("one place too many")));
  EXPECT_THAT(problems_with("root_passphrase_file = \"none\""), ElementsAre(HasSubstr("cannot read")));

  const std::string hsm = "[keys.pkcs11]\nmodule = \"ca.pem\"\ntoken_label = \"bank\"\npin_file = \"secret.txt\"\n";
  const std::string arn = "arn:aws:kms:eu-central-1:000000000000:key/hsm-root";
  std::string text = kGood + hsm;
  text.replace(text.find("recheck_interval_ms"), 0, "root_key_cmk = \"" + arn + "\"\n");
  EXPECT_EQ(ParseConfig(text, folder_)->keys.root_key_cmk, arn);
  EXPECT_THAT(problems_with("root_key_cmk = \"" + arn + "\""), ElementsAre(HasSubstr("[keys.pkcs11] or")));
  EXPECT_THAT(problems_with("root_key_cmk = \"hsm-root\""), ElementsAre(HasSubstr("must be the ARN")));
}

}  // namespace
}  // namespace symbolon::node
