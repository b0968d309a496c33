#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace symbolon::http {
namespace {

using Progress = RequestParser::Progress;

struct Parsed {
  // 0: complete; -1: wants more.
  int status = 0;
  Request request;
  bool keep_alive = false;
  // What is left for the next request.
  std::string rest;
};

// Feeds `text` in pieces of `piece` octets, as a socket might.
Parsed Parse(std::string text, std::size_t piece, const ParserLimits& limits = {}, std::size_t body_limit = 1000) {
  RequestParser parser(limits);
  std::string buffer;
  bool header_done = false;
  Progress progress = Progress::kNeedMore;
  while (progress == Progress::kNeedMore) {
    if (text.empty() && buffer.empty()) return {.status = -1};
    const std::size_t take = std::min(piece, text.size());
    buffer += text.substr(0, take);
    text.erase(0, take);
    RequestParser::Step step{};
    if (!header_done) {
      step = parser.ParseHeader(buffer);
      buffer.erase(0, step.consumed);
      progress = step.progress;
      if (progress == Progress::kDone) {
        header_done = true;
        progress = parser.BeginBody(body_limit);
      }
    }
    if (header_done && progress == Progress::kNeedMore) {
      step = parser.ParseBody(buffer);
      buffer.erase(0, step.consumed);
      progress = step.progress;
    }
    if (progress == Progress::kNeedMore && text.empty()) return {.status = -1};
  }
  if (progress == Progress::kRefused) return {.status = parser.refusal_status()};
  return {.status = 0, .request = parser.request(), .keep_alive = parser.keep_alive(), .rest = buffer + text};
}

int StatusOf(const std::string& text) {
  const int whole = Parse(text, text.size()).status;
  const int by_octet = Parse(text, 1).status;
  EXPECT_EQ(whole, by_octet) << text;
  return whole;
}

TEST(RequestParser, SimpleRequest_InPiecesOfAnySize_IsTheSame) {
  const std::string text =
      "POST /a%20b?c=d?e HTTP/1.1\r\nHost: h\r\nX-Amz-Target:  S.Op \r\nx-amz-target: second\r\nContent-Length: "
      "4\r\n\r\n"
      "bodyGET / HTTP/1.1";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Parsed parsed = Parse(text, piece);
    ASSERT_EQ(parsed.status, 0) << piece;
    EXPECT_EQ(parsed.request.method, "POST");
    EXPECT_EQ(parsed.request.target, "/a%20b?c=d?e");
    EXPECT_EQ(parsed.request.path(), "/a%20b");
    EXPECT_EQ(parsed.request.query(), "c=d?e");
    EXPECT_EQ(parsed.request.headers.Find("X-AMZ-TARGET"), "S.Op");
    EXPECT_EQ(parsed.request.headers.Count("x-amz-target"), 2u);
    EXPECT_EQ(parsed.request.headers.size(), 4u);
    EXPECT_EQ(parsed.request.body, "body");
    EXPECT_TRUE(parsed.keep_alive);
    EXPECT_EQ(parsed.rest, "GET / HTTP/1.1");
  }
}

TEST(RequestParser, ChunkedBody_InPiecesOfAnySize_IsJoinedAndTrailersAreDropped) {
  const std::string text =
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3\r\nabc\r\n8;ext=1\r\ndefghijk\r\n0\r\nX-Amz-Target: smuggled\r\n\r\nrest";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    const Parsed parsed = Parse(text, piece);
    ASSERT_EQ(parsed.status, 0) << piece;
    EXPECT_EQ(parsed.request.body, "abcdefghijk");
    EXPECT_FALSE(parsed.request.headers.Find("X-Amz-Target"));
    EXPECT_EQ(parsed.rest, "rest");
  }
}

TEST(RequestParser, KeepAlive_FollowsVersionAndConnection) {
  EXPECT_FALSE(Parse("GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 100).keep_alive);
  EXPECT_FALSE(Parse("GET / HTTP/1.0\r\n\r\n", 100).keep_alive);
  EXPECT_TRUE(Parse("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 100).keep_alive);
}

TEST(RequestParser, AbsoluteForm_ItsAuthorityReplacesHost) {
  const Parsed parsed = Parse("GET http://real.example:80?q HTTP/1.1\r\nHost: other\r\n\r\n", 100);
  ASSERT_EQ(parsed.status, 0);
  EXPECT_EQ(parsed.request.target, "/?q");
  EXPECT_EQ(parsed.request.headers.Find("host"), "real.example:80");
  EXPECT_EQ(parsed.request.headers.Count("host"), 1u);
}

TEST(RequestParser, Malformed_Is400) {
  for (const std::string text : {
           "\r\n\r\n",
           "GET\r\n\r\n",
           "GET /\r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
           "G\x01T / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET nowhere HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET http:// HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET / HTTP/1.1\r\nHost : h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nNo colon\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\n: empty\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1x\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
       }) {
    EXPECT_EQ(StatusOf(text), 400) << text;
  }
}

TEST(RequestParser, Unsupported_IsNamedByItsStatus) {
  EXPECT_EQ(StatusOf("PRI * HTTP/2.0\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("GET / HTTP/1.2\r\nHost: h\r\n\r\n"), 505);
  EXPECT_EQ(StatusOf("CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("POST / HTTP/1.0\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"), 501);
  EXPECT_EQ(StatusOf("POST / HTTP/1.1\r\nHost: h\r\nExpect: magic\r\n\r\n"), 417);
}

TEST(RequestParser, Limits_AreExact) {
  const ParserLimits limits{.header_bytes = 64, .header_count = 3};
  const std::string begin = "GET / HTTP/1.1\r\nHost: h\r\nA: ";
  const std::string fits = begin + std::string(64 - begin.size() - 4, 'a') + "\r\n\r\n";
  EXPECT_EQ(Parse(fits, 1, limits).status, 0);
  const std::string too_long = begin + std::string(64 - begin.size() - 3, 'a') + "\r\n\r\n";
  EXPECT_EQ(Parse(too_long, 1, limits).status, 431);
  EXPECT_EQ(Parse(too_long, 1000, limits).status, 431);
  EXPECT_EQ(Parse("GET /" + std::string(64, 'a'), 1, limits).status, 414);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\n\r\n", 1, limits).status, 0);
  EXPECT_EQ(Parse("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\nC:\r\n\r\n", 1, limits).status, 431);

  const std::string sized = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: ";
  EXPECT_EQ(Parse(sized + "10\r\n\r\n0123456789", 1, {}, 10).status, 0);
  EXPECT_EQ(Parse(sized + "11\r\n\r\n", 1, {}, 10).status, 413);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  EXPECT_EQ(Parse(chunked + "5\r\n01234\r\n5\r\n01234\r\n0\r\n\r\n", 1, {}, 10).status, 0);
  EXPECT_EQ(Parse(chunked + "5\r\n01234\r\n6\r\n", 1, {}, 10).status, 413);
  EXPECT_EQ(Parse(chunked + "5;" + std::string(10'000, 'x'), 1000, {}, 10).status, 400);
}

}  // namespace
}  // namespace symbolon::http
