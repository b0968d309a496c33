#include "federation/curl_fetcher.h"

#include <gtest/gtest.h>

namespace symbolon::federation {
namespace {

FetchError::Code CodeOf(bool allow_loopback, const std::string& url) {
  CurlFetcher fetcher({.allow_loopback = allow_loopback});
  const auto answer = fetcher.Fetch({.url = url});
  EXPECT_FALSE(answer) << url;
  return answer ? FetchError::Code::kFailed : answer.error().code;
}

TEST(CurlFetcherTest, WhatIsClosedToPoolsIsNeverConnectedTo) {
  for (const char* url : {"https://127.0.0.1:1/", "https://127.8.9.1:1/", "https://0.0.0.0:1/", "https://[::1]:1/",
                          "https://[::ffff:127.0.0.1]:1/", "https://localhost:1/", "http://127.0.0.1:1/",
                          "http://idp.example/", "file:///etc/passwd", "gopher://127.0.0.1:1/"}) {
    EXPECT_EQ(CodeOf(false, url), FetchError::Code::kRefused) << url;
  }
  for (const char* url : {"https://169.254.169.254/", "https://[fe80::1]:1/", "https://[::ffff:169.254.169.254]/",
                          "file:///etc/passwd"}) {
    EXPECT_EQ(CodeOf(true, url), FetchError::Code::kRefused) << url;
  }
}

TEST(CurlFetcherTest, ThisMachineIsAskedWhereThatIsAllowed) {
  // Port 1: nobody listens.
  EXPECT_EQ(CodeOf(true, "http://127.0.0.1:1/"), FetchError::Code::kFailed);
  EXPECT_EQ(CodeOf(true, "http://127.0.0.1:1/" + std::string(CurlFetcher::kUrlBytesMax, 'x')),
            FetchError::Code::kRefused);
}

}  // namespace
}  // namespace symbolon::federation
