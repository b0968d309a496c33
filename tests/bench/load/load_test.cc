// The load generator's parts, and the signer against the server's verifier.
#include <gtest/gtest.h>

#include <array>

#include "base/manual_clock.h"
#include "http/sigv4.h"
#include "load/aws_signer.h"
#include "load/request_maker.h"
#include "load/response_reader.h"

namespace symbolon::bench {
namespace {

using Progress = ResponseReader::Progress;

class OneKey final : public http::AccessKeys {
 public:
  std::optional<http::AccessKey> Find(std::string_view access_key_id) const override {
    if (access_key_id != "KEY") return std::nullopt;
    return http::AccessKey{.secret = Secret("secret")};
  }
};

TEST(AwsSignerTest, TheServerAcceptsWhatItSigns) {
  ManualClock clock;
  const std::vector<HeaderField> headers{{"Host", "127.0.0.1:9410"},
                                         {"X-Amz-Target", "AWSCognitoIdentityProviderService.ListUserPools"}};
  AwsSigner signer({.access_key_id = "KEY", .secret_access_key = "secret", .region = "eu-1", .service = "cognito-idp"});
  const OneKey keys;
  const http::SigV4Verifier verifier({"eu-1"}, keys, clock);
  const std::array<std::string_view, 1> services{"cognito-idp"};
  for (int day = 0; day < 2; ++day) {
    http::Request request{.method = "POST", .target = "/", .headers = {}, .body = "{}"};
    for (const auto& [name, value] : headers) request.headers.Add(name, value);
    for (const auto& [name, value] : signer.Sign("POST", "/", headers, "{}", clock.Now())) {
      request.headers.Add(name, value);
    }
    const auto caller = verifier.Verify(request, services);
    EXPECT_TRUE(caller) << caller.error().message;
    clock.Advance(std::chrono::hours(24));
  }
}

TEST(RequestMakerTest, PlaceholdersAreFilledInAndTheLengthCountsThem) {
  ManualClock clock;
  RequestMaker maker({.path = "/p",
                      .headers = {{"Host", "h"}, {"X-Number", "{n}"}},
                      .body = "{\"a\":\"{line}{n}\"}",
                      .lines = {"x", "y"},
                      .sign_as = std::nullopt},
                     clock);
  EXPECT_EQ(maker.Make(12), "POST /p HTTP/1.1\r\nHost: h\r\nX-Number: 12\r\nContent-Length: 11\r\n\r\n{\"a\":\"x12\"}");
  EXPECT_EQ(maker.Make(3), "POST /p HTTP/1.1\r\nHost: h\r\nX-Number: 3\r\nContent-Length: 10\r\n\r\n{\"a\":\"y3\"}");
}

TEST(ResponseReaderTest, ResponsesThatArriveInPiecesAndTogether) {
  ResponseReader reader;
  EXPECT_EQ(reader.Take("HTTP/1.1 200 OK\r\nContent-"), Progress::kNeedMore);
  EXPECT_EQ(reader.Take("length: 3\r\n\r\nab"), Progress::kNeedMore);
  EXPECT_EQ(reader.Take("cHTTP/1.1 404 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), Progress::kDone);
  EXPECT_EQ(reader.status(), 200);
  EXPECT_EQ(reader.body(), "abc");
  EXPECT_TRUE(reader.keeps_alive());
  reader.Next();
  EXPECT_EQ(reader.Take(""), Progress::kDone);
  EXPECT_EQ(reader.status(), 404);
  EXPECT_EQ(reader.body(), "");
  EXPECT_FALSE(reader.keeps_alive());
}

TEST(ResponseReaderTest, WhatIsNoResponseIsRefused) {
  for (const char* octets : {"SMTP\r\n\r\n", "HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"}) {
    ResponseReader reader;
    EXPECT_EQ(reader.Take(octets), Progress::kMalformed) << octets;
  }
}

}  // namespace
}  // namespace symbolon::bench
