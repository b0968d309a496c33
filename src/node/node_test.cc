#include "node/node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/clock.h"
#include "base/temporary_directory.h"
#include "crypto/random.h"
#include "http/test_client.h"

namespace symbolon::node {
namespace {

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
