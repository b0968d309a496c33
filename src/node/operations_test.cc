#include "node/operations.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

namespace symbolon::node {
namespace {

class OperationsTest : public testing::Test {
 protected:
  http::Response Fetch(std::string method, std::string target, bool is_loopback = true) {
    boost::asio::io_context io;
    http::Response answer;
    http::Request request{.method = std::move(method), .target = std::move(target), .is_loopback = is_loopback};
    boost::asio::co_spawn(io, pages_.Handle(std::move(request)),
                          [&](std::exception_ptr, http::Response response) { answer = std::move(response); });
    io.run();
    return answer;
  }

  Health health_;
  Metrics metrics_{Region("eu-central-1")};
  OperationsPages pages_{health_, metrics_};
};

TEST_F(OperationsTest, Live_IsAlways200) {
  health_.AddCheck("store", [] { return "broken"; });
  EXPECT_EQ(Fetch("GET", "/health/live").status, 200);
  EXPECT_EQ(Fetch("GET", "/health/live").body, "{\"status\":\"live\"}\n");
}

TEST_F(OperationsTest, Ready_NamesWhatIsNot) {
  std::optional<std::string> store, keys;
  health_.AddCheck("store", [&] { return store; });
  health_.AddCheck("keys", [&] { return keys; });
  EXPECT_EQ(Fetch("GET", "/health/ready").status, 200);
  EXPECT_EQ(Fetch("GET", "/health/ready").body, "{\"status\":\"ready\"}\n");
  store = "the disk is \"full\"";
  const http::Response response = Fetch("HEAD", "/health/ready?x");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.body,
            "{\"status\":\"not ready\",\"reasons\":[{\"part\":\"store\",\"reason\":\"the disk is \\\"full\\\"\"}]}\n");
}

TEST_F(OperationsTest, Metrics_AreText) {
  const http::Response response = Fetch("GET", "/metrics");
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.headers.Find("content-type"), "text/plain; version=0.0.4; charset=utf-8");
  EXPECT_NE(response.body.find("symbolon_build_info"), std::string::npos);
}

TEST_F(OperationsTest, OtherPathsAndMethods_AreRefused) {
  EXPECT_EQ(Fetch("GET", "/").status, 404);
  EXPECT_EQ(Fetch("GET", "/health/ready/").status, 404);
  EXPECT_EQ(Fetch("POST", "/health/ready").status, 405);
  EXPECT_EQ(Fetch("POST", "/health/ready").headers.Find("Allow"), "GET, HEAD");
}

TEST_F(OperationsTest, LoopbackPage_IsForbiddenToOthers) {
  pages_.AddForLoopback("/outbox", [](const http::Request&) { return JsonPage("[]"); });
  EXPECT_EQ(Fetch("GET", "/outbox").body, "[]\n");
  EXPECT_EQ(Fetch("GET", "/outbox", false).status, 403);
}

}  // namespace
}  // namespace symbolon::node
