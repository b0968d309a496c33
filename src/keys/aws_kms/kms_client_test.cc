#include "keys/aws_kms/kms_client.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>

#include "base/manual_clock.h"
#include "base/temporary_directory.h"
#include "crypto/random.h"
#include "http/server.h"
#include "http/sigv4.h"

namespace symbolon::keys::aws_kms {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

constexpr std::string_view kAnswer = R"({"Answer":"yes"})";

class OneAccessKey final : public http::AccessKeys {
 public:
  std::optional<http::AccessKey> Find(std::string_view id) const override {
    if (id != "KEYID") return std::nullopt;
    return http::AccessKey{.secret = Secret::CopyOf("its secret")};
  }
};

// A server that answers what it is told to, one answer after the other and the last one again and again, if the request
// is signed as it has to be.
class ScriptedKms {
 public:
  ScriptedKms(Clock& clock, std::optional<http::TlsOptions> tls)
      : verifier_({"eu-central-1"}, access_keys_, clock), server_({.thread_count = 1}, clock) {
    http::ListenerOptions options;
    options.tls = std::move(tls);
    options.handler = [this](http::Request request) -> boost::asio::awaitable<http::Response> {
      co_return Answer(request);
    };
    port = server_.Listen(std::move(options)).value();
    server_.Start();
  }
  ~ScriptedKms() { server_.Stop(0ms); }

  void Say(std::deque<std::pair<int, std::string>> answers) {
    std::lock_guard guard(mutex_);
    answers_ = std::move(answers);
  }
  std::vector<http::Request> requests() {
    std::lock_guard guard(mutex_);
    return requests_;
  }
  std::uint64_t connections() const { return server_.counters().connections_accepted; }

  std::uint16_t port = 0;

 private:
  http::Response Answer(const http::Request& request) {
    std::lock_guard guard(mutex_);
    requests_.push_back(request);
    const std::string_view services[] = {"kms"};
    if (const auto caller = verifier_.Verify(request, services); !caller) {
      return {.status = 403,
              .body = fmt::format(R"({{"__type":"UnsignedInTheTest","message":"{}"}})", caller.error().message)};
    }
    const auto [status, body] = answers_.front();
    if (answers_.size() > 1) answers_.pop_front();
    return {.status = status, .body = body};
  }

  const OneAccessKey access_keys_;
  const http::SigV4Verifier verifier_;
  std::mutex mutex_;
  std::deque<std::pair<int, std::string>> answers_ = {{200, std::string(kAnswer)}};
  std::vector<http::Request> requests_;
  http::Server server_;
};

class KmsClientTest : public testing::Test {
 protected:
  ScriptedKms& Serve(std::optional<http::TlsOptions> tls = std::nullopt) {
    return kms_.emplace(clock_, std::move(tls));
  }
  KmsClient::Options OptionsFor(std::string endpoint) {
    return {.endpoint = std::move(endpoint),
            .region = "eu-central-1",
            .access_key_id = "KEYID",
            .secret_access_key = Secret::CopyOf("its secret"),
            .timeout = 20s,
            .pause = [this](std::chrono::nanoseconds time) {
              pauses_.push_back(time);
              clock_.Advance(time);
            }};
  }
  KmsClient ClientOf(std::string endpoint) {
    return KmsClient(OptionsFor(std::move(endpoint)), clock_, crypto::SystemRandom());
  }
  std::string Url() const { return fmt::format("http://127.0.0.1:{}", kms_->port); }
  static KeyResult<void> Ask(KmsClient& client) {
    return client.Call("DescribeKey", Secret::CopyOf(R"({"KeyId":"x"})"),
                       [](const boost::json::object& answer) { return answer.contains("Answer"); });
  }

  ManualClock clock_;
  std::vector<std::chrono::nanoseconds> pauses_;
  std::optional<ScriptedKms> kms_;
};

TEST_F(KmsClientTest, CallsAreSigned_AndShareAConnection) {
  ScriptedKms& kms = Serve();
  KmsClient client = ClientOf(Url());
  for (int i = 0; i < 3; ++i) {
    const auto answer = Ask(client);
    ASSERT_TRUE(answer) << answer.error().detail;
  }
  const http::Request request = kms.requests().at(0);
  EXPECT_EQ(request.headers.Find("X-Amz-Target"), "TrentService.DescribeKey");
  EXPECT_EQ(request.headers.Find("Content-Type"), "application/x-amz-json-1.1");
  EXPECT_EQ(request.body, R"({"KeyId":"x"})");
  EXPECT_EQ(kms.connections(), 1u);
  EXPECT_TRUE(pauses_.empty());
}

TEST_F(KmsClientTest, TroubleThatPasses_IsRiddenOutWithGrowingPauses) {
  Serve().Say({{400, R"({"__type":"ThrottlingException"})"},
               {500, R"({"__type":"KMSInternalException"})"},
               {503, "<html>"},
               {200, std::string(kAnswer)}});
  KmsClient client = ClientOf(Url());
  EXPECT_TRUE(Ask(client));
  ASSERT_EQ(pauses_.size(), 3u);
  EXPECT_LT(pauses_[0], 50ms);
  EXPECT_LT(pauses_[1], 100ms);
  EXPECT_LT(pauses_[2], 200ms);
}

TEST_F(KmsClientTest, TroubleThatStays_IsUnavailableAndSparesTheService) {
  ScriptedKms& kms = Serve();
  kms.Say({{503, "<html>"}});
  KmsClient client = ClientOf(Url());
  const auto answer = Ask(client);
  EXPECT_EQ(answer.error().code, KeyErrorCode::kUnavailable);
  EXPECT_THAT(answer.error().detail, HasSubstr("503 no error name"));
  EXPECT_EQ(kms.requests().size(), 5u);

  EXPECT_THAT(Ask(client).error().detail, HasSubstr("a moment ago"));
  EXPECT_EQ(kms.requests().size(), 5u);
  kms.Say({{200, std::string(kAnswer)}});
  clock_.Advance(500ms);
  EXPECT_TRUE(Ask(client));
  EXPECT_TRUE(Ask(client));
}

TEST_F(KmsClientTest, TroubleWithOneKey_HoldsUpNobodyElse) {
  ScriptedKms& kms = Serve();
  KmsClient client = ClientOf(Url());
  kms.Say({{500, R"({"__type":"KeyUnavailableException","message":"why"})"}});
  EXPECT_THAT(Ask(client).error().detail, HasSubstr("500 KeyUnavailableException: why"));
  kms.Say({{400, R"({"__type":"ValidationException"})"}});
  EXPECT_EQ(Ask(client).error().code, KeyErrorCode::kUnavailable);
  kms.Say({{200, std::string(kAnswer)}});
  EXPECT_TRUE(Ask(client));
}

TEST_F(KmsClientTest, WordAboutTheKey_IsFinal) {
  ScriptedKms& kms = Serve();
  kms.Say({{400, R"({"__type":"DisabledException","message":"is disabled"})"}});
  KmsClient client = ClientOf(Url());
  EXPECT_EQ(Ask(client).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(Ask(client).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(kms.requests().size(), 2u);
}

TEST_F(KmsClientTest, AnswersThatCannotBeRead_AreUnavailable) {
  ScriptedKms& kms = Serve();
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"), std::string(100'000, ' ') + "{}",
        std::string(60'000, '['), R"({"Answer":[)" + std::string(20'000, '1') + "]}extra"}) {
    kms.Say({{200, body}});
    KmsClient client = ClientOf(Url());
    EXPECT_EQ(Ask(client).error().code, KeyErrorCode::kUnavailable) << body.substr(0, 20);
  }
}

TEST_F(KmsClientTest, WrongSecret_IsRefused) {
  Serve();
  KmsClient::Options options = OptionsFor(Url());
  options.secret_access_key = Secret::CopyOf("another");
  KmsClient client(std::move(options), clock_, crypto::SystemRandom());
  EXPECT_THAT(Ask(client).error().detail, HasSubstr("UnsignedInTheTest"));
}

TEST_F(KmsClientTest, NobodyListens_IsUnavailable) {
  Serve();
  const std::string url = Url();
  kms_.reset();
  KmsClient client = ClientOf(url);
  EXPECT_EQ(Ask(client).error().code, KeyErrorCode::kUnavailable);
}

TEST_F(KmsClientTest, ServiceThatNeverAnswers_IsUnavailable) {
  boost::asio::io_context io;
  // Connections wait in its backlog.
  const boost::asio::ip::tcp::acceptor deaf(io, {boost::asio::ip::make_address("127.0.0.1"), 0});
  KmsClient::Options options = OptionsFor(fmt::format("http://127.0.0.1:{}", deaf.local_endpoint().port()));
  options.timeout = 300ms;
  KmsClient client(std::move(options), clock_, crypto::SystemRandom());
  const auto answer = Ask(client);
  EXPECT_EQ(answer.error().code, KeyErrorCode::kUnavailable);
}

TEST_F(KmsClientTest, CertificatesAndNamesAreVerified) {
  const TemporaryDirectory folder;
  const std::string certificate = folder.path() / "certificate.pem", key = folder.path() / "key.pem";
  const std::string command = fmt::format(
      "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=localhost -addext "
      "subjectAltName=DNS:localhost -keyout {} -out {} 2> /dev/null",
      key, certificate);
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::uint16_t port = Serve(http::TlsOptions{.certificate_file = certificate, .key_file = key}).port;
  const auto ask = [&](std::string_view host, const std::string& ca_file) {
    KmsClient::Options options = OptionsFor(fmt::format("https://{}:{}", host, port));
    options.ca_file = ca_file;
    KmsClient client(std::move(options), clock_, crypto::SystemRandom());
    return Ask(client);
  };
  const auto answer = ask("localhost", certificate);
  EXPECT_TRUE(answer) << answer.error().detail;
  EXPECT_THAT(ask("127.0.0.1", certificate).error().detail, HasSubstr("127.0.0.1"));
  EXPECT_EQ(ask("127.0.0.1", certificate).error().code, KeyErrorCode::kUnavailable);
  EXPECT_THAT(ask("localhost", "").error().detail, HasSubstr("certificate"));
}

}  // namespace
}  // namespace symbolon::keys::aws_kms
