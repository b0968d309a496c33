#include "cli/http_client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "cli/certificates.h"
#include "http/server.h"

namespace symbolon::cli {
namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;

TEST(HttpServerTest, ServersAreHostAndPortOrUrls) {
  const HttpServer plain = ParseHttpServer("127.0.0.1:9411").value();
  EXPECT_EQ(plain.host, "127.0.0.1");
  EXPECT_EQ(plain.port, 9411);
  EXPECT_FALSE(plain.tls);
  EXPECT_EQ(ParseHttpServer("[::1]:9411")->host, "::1");
  EXPECT_EQ(ParseHttpServer("http://id.example.com")->port, 80);
  const HttpServer tls = ParseHttpServer("https://id.example.com/").value();
  EXPECT_EQ(tls.host, "id.example.com");
  EXPECT_EQ(tls.port, 443);
  EXPECT_TRUE(tls.tls);
  EXPECT_EQ(ParseHttpServer("https://[fd00::7]")->host, "fd00::7");
  EXPECT_EQ(ParseHttpServer("https://[fd00::7]:9410")->port, 9410);
  for (const char* text :
       {"", "host", ":1", "host:", "host:0", "host:70000", "host:1x", "https://", "https://:1", "https://h:0",
        "https://h/path", "https://h?q", "https://me@h", "ftp://h", "https://fd00::7", "https://h:1:2"}) {
    EXPECT_FALSE(ParseHttpServer(text)) << text;
  }
}

// A server with a certificate for 127.0.0.1 and localhost, by an authority that this machine does not know.
class HttpClientTest : public testing::Test {
 protected:
  void SetUp() override {
    unsetenv("AWS_CA_BUNDLE");
    const Region name("eu-central-1");
    for (const char* authority : {"its", "another"}) {
      ASSERT_TRUE(MakeCertificates(folder_.path() / authority, {name}));
    }
    const CertificateFiles files = CertificateFilesOf(folder_.path() / "its", name);
    ca_ = files.ca;
    other_ca_ = CertificateFilesOf(folder_.path() / "another", name).ca;
    http::ListenerOptions options;
    options.handler = [](http::Request request) -> boost::asio::awaitable<http::Response> {
      co_return http::Response{.body = request.method + " " + std::string(*request.headers.Find("Host")) + " " +
                                       request.body};
    };
    options.tls = http::TlsOptions{.certificate_file = files.certificate, .key_file = files.key};
    port_ = server_.Listen(options).value();
    // Not in the certificate.
    options.address = "127.0.0.2";
    other_port_ = server_.Listen(options).value();
    server_.Start();
  }
  void TearDown() override {
    server_.Stop(0ms);
    unsetenv("AWS_CA_BUNDLE");
  }

  static std::string Refusal(HttpServer server) {
    const auto answer = HttpGet(server, "/", 10s);
    return answer ? "answered: " + answer->body : answer.error().message;
  }

  TemporaryDirectory folder_;
  ManualClock clock_;
  http::Server server_{{.thread_count = 1}, clock_};
  std::filesystem::path ca_, other_ca_;
  std::uint16_t port_ = 0, other_port_ = 0;
};

TEST_F(HttpClientTest, CertificateVerifies_RequestsShareAConnection) {
  HttpConnection connection({.host = "127.0.0.1", .port = port_, .tls = true, .ca_file = ca_});
  for (int i = 0; i < 3; ++i) {
    const auto answer = connection.Post("/", {{"X-Amz-Target", "t"}}, "body", 10s);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->body, "POST 127.0.0.1:" + std::to_string(port_) + " body");
  }
  EXPECT_EQ(server_.counters().connections_accepted, 1u);
  EXPECT_EQ(HttpGet({.host = "localhost", .port = port_, .tls = true, .ca_file = ca_}, "/", 10s)->status, 200);
}

TEST_F(HttpClientTest, AuthorityIsThatOfTheEnvironment) {
  setenv("AWS_CA_BUNDLE", ca_.c_str(), 1);
  EXPECT_EQ(HttpGet({.host = "127.0.0.1", .port = port_, .tls = true}, "/", 10s)->status, 200);
  setenv("AWS_CA_BUNDLE", (folder_.path() / "nothing").c_str(), 1);
  EXPECT_THAT(Refusal({.host = "127.0.0.1", .port = port_, .tls = true}),
              HasSubstr("no certificates can be read from"));
}

TEST_F(HttpClientTest, UnknownAuthority_IsRefused) {
  for (const auto& ca : {std::filesystem::path(), other_ca_}) {
    EXPECT_THAT(Refusal({.host = "127.0.0.1", .port = port_, .tls = true, .ca_file = ca}),
                AllOf(HasSubstr("https://127.0.0.1:"), HasSubstr("its certificate is not accepted: ")));
  }
  EXPECT_EQ(server_.counters().requests, 0u);
}

TEST_F(HttpClientTest, CertificateOfAnotherHost_IsRefused) {
  EXPECT_THAT(Refusal({.host = "127.0.0.2", .port = other_port_, .tls = true, .ca_file = ca_}),
              HasSubstr("its certificate is not accepted: IP address mismatch"));
  // 127.0.0.1 in another spelling, which no certificate has.
  EXPECT_THAT(Refusal({.host = "127.1", .port = port_, .tls = true, .ca_file = ca_}),
              HasSubstr("its certificate is not accepted: hostname mismatch"));
  EXPECT_EQ(server_.counters().requests, 0u);
}

TEST_F(HttpClientTest, PlainRequestToATlsServer_Fails) {
  EXPECT_THAT(Refusal({.host = "127.0.0.1", .port = port_}), testing::Not(HasSubstr("answered")));
  EXPECT_EQ(server_.counters().requests, 0u);
}

TEST_F(HttpClientTest, NobodyListens_Fails) {
  EXPECT_THAT(Refusal({.host = "127.0.0.1", .port = 1, .tls = true, .ca_file = ca_}), HasSubstr("refused"));
}

}  // namespace
}  // namespace symbolon::cli
