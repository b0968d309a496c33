#include "node/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "base/clock.h"
#include "base/temporary_directory.h"
#include "crypto/random.h"
#include "http/test_client.h"
#include "http/test_signer.h"

namespace symbolon::node {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;

class NodeTest : public testing::Test {
 protected:
  Config MakeConfig(StorageConfig::Engine engine = StorageConfig::Engine::kRocksDb) {
    Config config;
    config.region = Region("eu-central-1");
    config.account = "000000000000";
    config.data_dir = folder_.path() / "data";
    config.neutral_url = "http://127.0.0.1:1";
    config.api = {.listen = {"127.0.0.1", 0}, .public_url = "http://127.0.0.1:2"};
    config.operations = {"127.0.0.1", 0};
    config.regions.push_back({.name = config.region, .public_url = config.api.public_url});
    config.keys.root_key_file = folder_.path() / "root.key";
    config.storage.engine = engine;
    config.http.threads = 1;
    return config;
  }
  std::unique_ptr<Node> Start(Config config) {
    auto node = Node::Start(std::move(config), SystemClock(), crypto::SystemRandom());
    EXPECT_TRUE(node) << node.error().message;
    return node ? *std::move(node) : nullptr;
  }
  static std::string Get(std::uint16_t port, const std::string& path) {
    const auto response = http::Fetch(port, "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return std::to_string(response.status) + " " + response.body;
  }

  // A call of the Cognito API, signed unless `secret` is empty: "status body".
  static std::string Call(const Node& node, std::string_view operation, std::string body,
                          std::string_view secret = "symbolon-lab-secret") {
    http::Request request{.method = "POST", .target = "/", .body = std::move(body)};
    request.headers.Add("Host", "127.0.0.1");
    request.headers.Add("Content-Type", "application/x-amz-json-1.1");
    request.headers.Add("X-Amz-Target", "AWSCognitoIdentityProviderService." + std::string(operation));
    const http::TestSigner signer{"SYMBOLONLAB", secret, "eu-central-1", "cognito-idp"};
    if (!secret.empty()) signer.Sign(request, SystemClock().Now());
    std::string text = "POST / HTTP/1.1\r\n";
    for (const auto& [name, value] : request.headers) text += name + ": " + value + "\r\n";
    text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
    const auto response = http::Fetch(node.api_port(), text);
    return std::to_string(response.status) + " " + response.body;
  }

  // In the audit trail.
  int Restores() {
    int count = 0;
    EXPECT_TRUE(audit::ForEachEvent(folder_.path() / "data" / "audit", {}, [&](std::string_view record) {
      count += record.find(R"("eventName":"RestoreStore")") != std::string_view::npos;
    }));
    return count;
  }

  TemporaryDirectory folder_;
};

TEST_F(NodeTest, Started_IsReadyAndMeasured) {
  const auto node = Start(MakeConfig());
  EXPECT_EQ(Get(node->operations_port(), "/health/live"), "200 {\"status\":\"live\"}\n");
  EXPECT_EQ(Get(node->operations_port(), "/health/ready"), "200 {\"status\":\"ready\"}\n");
  EXPECT_THAT(Get(node->operations_port(), "/metrics"), HasSubstr("symbolon_ready 1\n"));
  EXPECT_THAT(Get(node->api_port(), "/nothing/here"), HasSubstr("404"));
}

TEST_F(NodeTest, StoppedAndStartedAgain_OpensTheSameStore) {
  auto node = Start(MakeConfig());
  node->Stop();
  node.reset();
  node = Start(MakeConfig());
  EXPECT_EQ(Get(node->operations_port(), "/health/ready"), "200 {\"status\":\"ready\"}\n");
}

TEST_F(NodeTest, RestoredFromABackup_StartsAsAnotherStore) {
  const auto config = [this] { return MakeConfig(); };
  EXPECT_THAT(MarkRestored(config(), crypto::SystemRandom()).error().message, HasSubstr("no store"));
  Start(config())->Stop();
  ASSERT_TRUE(MarkRestored(config(), crypto::SystemRandom()));
  EXPECT_EQ(Restores(), 0);
  Start(config())->Stop();
  const auto node = Start(config());
  EXPECT_EQ(Get(node->operations_port(), "/health/ready"), "200 {\"status\":\"ready\"}\n");
  EXPECT_EQ(Restores(), 1) << "in the audit trail, once";
  EXPECT_FALSE(MarkRestored(config(), crypto::SystemRandom())) << "a node that runs has its store to itself";
  EXPECT_FALSE(MarkRestored(MakeConfig(StorageConfig::Engine::kMemory), crypto::SystemRandom()));
}

TEST_F(NodeTest, RestoredWithoutAKeyFile_SaysWhatIsMissingAndMakesNothingUp) {
  Start(MakeConfig())->Stop();
  const std::filesystem::path keys = folder_.path() / "data" / "keys", root_key = folder_.path() / "root.key";
  const std::filesystem::path aside = folder_.path() / "aside";
  const auto why_not = [&](const std::filesystem::path& missing) {
    std::filesystem::rename(missing, aside);
    const auto node = Node::Start(MakeConfig(), SystemClock(), crypto::SystemRandom());
    const bool made = std::filesystem::exists(missing);
    std::filesystem::rename(aside, missing);
    return (node ? "it starts" : node.error().message) + (made ? " (made)" : "");
  };
  EXPECT_THAT(why_not(root_key), EndsWith("its root key file " + root_key.string() + " is not"));
  EXPECT_THAT(why_not(keys / "audit.key"), EndsWith("audit.key is gone: there is an audit trail, which it signs"));
  EXPECT_THAT(why_not(keys / "keys"), HasSubstr("audit.key does not open"));
  Start(MakeConfig())->Stop();
  std::filesystem::remove_all(keys);
  std::filesystem::rename(folder_.path() / "data" / "audit", aside);
  const auto node = Start(MakeConfig());
  EXPECT_EQ(Get(node->operations_port(), "/health/ready"), "200 {\"status\":\"ready\"}\n") << "with keys of its own";
}

TEST_F(NodeTest, SignedCalls_AreServedAndCountedAndOthersRefused) {
  Config config = MakeConfig();
  config.access_keys.push_back({.id = "SYMBOLONLAB", .secret = Secret::CopyOf("symbolon-lab-secret")});
  const auto node = Start(std::move(config));
  const std::string created = Call(*node, "CreateUserPool", R"({"PoolName":"first"})");
  ASSERT_THAT(created, HasSubstr("200 {"));
  const auto at = created.find("eu-central-1_");
  ASSERT_NE(at, std::string::npos) << created;
  const std::string pool = created.substr(at, created.find('"', at) - at);
  EXPECT_THAT(Call(*node, "ListUserPools", R"({"MaxResults":10})"), HasSubstr(pool));
  EXPECT_THAT(Get(node->api_port(), "/" + pool + "/.well-known/jwks.json"), HasSubstr("\"kid\""));

  EXPECT_THAT(Call(*node, "ListUserPools", R"({"MaxResults":10})", ""), HasSubstr("MissingAuthenticationToken"));
  EXPECT_THAT(Call(*node, "ListUserPools", R"({"MaxResults":10})", "wrong"), HasSubstr("InvalidSignatureException"));

  const std::string about =
      "{\"UserPoolId\":\"" + pool + "\",\"PrimaryRegion\":\"eu-central-1\",\"Epoch\":1,\"Sequence\":";
  EXPECT_EQ(Get(node->operations_port(), "/domains"),
            "200 {\"Region\":\"eu-central-1\",\"Pools\":[" + about + "1}]}\n");
  ASSERT_THAT(Call(*node, "CreateUserPoolDomain", R"({"Domain":"login","UserPoolId":")" + pool + "\"}"),
              HasSubstr("200 {"));
  EXPECT_EQ(Get(node->operations_port(), "/domains"),
            "200 {\"Region\":\"eu-central-1\",\"Pools\":[" + about + "2,\"Domain\":\"login\"}]}\n");

  const std::string metrics = Get(node->operations_port(), "/metrics");
  EXPECT_THAT(metrics, HasSubstr("symbolon_requests_total{operation=\"CreateUserPool\",outcome=\"ok\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("symbolon_requests_total{operation=\"ListUserPools\",outcome=\"ok\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("outcome=\"InvalidSignatureException\"} 1\n"));
  EXPECT_THAT(metrics, HasSubstr("symbolon_log_sequence{pool=\"" + pool + "\"} 2\n"));
}

// With the intervals of a node as it is configured by itself, but for the grace.
TEST_F(NodeTest, AuditDiskIsFull_PoolsLockAndOpenAgainWhenThereIsRoom) {
  Config config = MakeConfig(StorageConfig::Engine::kMemory);
  config.access_keys.push_back({.id = "SYMBOLONLAB", .secret = Secret::CopyOf("symbolon-lab-secret")});
  config.keys.unreachable_grace = {};
  const auto node = Start(std::move(config));
  const std::string created = Call(*node, "CreateUserPool", R"({"PoolName":"first"})");
  const auto at = created.find("eu-central-1_");
  ASSERT_NE(at, std::string::npos) << created;
  const std::string pool = created.substr(at, created.find('"', at) - at);
  const auto describe = [&] { return Call(*node, "DescribeUserPool", R"({"UserPoolId":")" + pool + "\"}"); };
  const auto wait_for = [&](const std::string& status) {
    while (!describe().starts_with(status)) std::this_thread::yield();
  };
  EXPECT_THAT(describe(), HasSubstr("200 {"));
  {
    const audit::FullDisk full(1);
    wait_for("503 ");
    EXPECT_THAT(Get(node->operations_port(), "/health/ready"), HasSubstr("takes no lines"));
    EXPECT_THAT(Get(node->operations_port(), "/metrics"), HasSubstr("symbolon_audit_failing 1\n"));
    EXPECT_THAT(Call(*node, "CreateUserPool", R"({"PoolName":"second"})"), HasSubstr("503 "));
  }
  wait_for("200 ");
  EXPECT_EQ(Get(node->operations_port(), "/health/ready"), "200 {\"status\":\"ready\"}\n");
}

TEST_F(NodeTest, PoolDeletedWithoutReplication_LeavesTheStore) {
  Config config = MakeConfig();
  config.access_keys.push_back({.id = "SYMBOLONLAB", .secret = Secret::CopyOf("symbolon-lab-secret")});
  const auto node = Start(std::move(config));
  const std::string created = Call(*node, "CreateUserPool", R"({"PoolName":"first"})");
  const auto at = created.find("eu-central-1_");
  ASSERT_NE(at, std::string::npos) << created;
  const std::string pool = created.substr(at, created.find('"', at) - at);
  const std::string in_store = "symbolon_log_sequence{pool=\"" + pool + "\"}";
  ASSERT_THAT(Get(node->operations_port(), "/metrics"), HasSubstr(in_store));
  ASSERT_THAT(Call(*node, "DeleteUserPool", R"({"UserPoolId":")" + pool + "\"}"), HasSubstr("200 "));
  while (Get(node->operations_port(), "/metrics").contains(in_store)) std::this_thread::yield();
  EXPECT_THAT(Call(*node, "DescribeUserPool", R"({"UserPoolId":")" + pool + "\"}"),
              HasSubstr("ResourceNotFoundException"));
}

TEST_F(NodeTest, StoreInUse_IsAnErrorThatSaysSo) {
  const auto first = Start(MakeConfig());
  const auto second = Node::Start(MakeConfig(), SystemClock(), crypto::SystemRandom());
  ASSERT_FALSE(second);
  EXPECT_THAT(second.error().message, HasSubstr("cannot open the store in " + (folder_.path() / "data").string()));
}

TEST_F(NodeTest, StoreOfAnotherRegion_IsRefused) {
  Start(MakeConfig());
  Config config = MakeConfig();
  config.region = Region("us-east-1");
  const auto node = Node::Start(std::move(config), SystemClock(), crypto::SystemRandom());
  ASSERT_FALSE(node);
  EXPECT_THAT(node.error().message, HasSubstr("eu-central-1"));
}

TEST_F(NodeTest, PortInUse_IsAnErrorThatSaysSo) {
  const auto first = Start(MakeConfig());
  Config config = MakeConfig(StorageConfig::Engine::kMemory);
  config.operations.port = first->operations_port();
  const auto second = Node::Start(std::move(config), SystemClock(), crypto::SystemRandom());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().message, "[operations]: cannot listen on 127.0.0.1 port " +
                                        std::to_string(first->operations_port()) + ": Address already in use");
}

}  // namespace
}  // namespace symbolon::node
