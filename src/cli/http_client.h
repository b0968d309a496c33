// HTTP/1.1 requests, over TLS or not: single ones, and several over one connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/failure.h"

namespace symbolon::cli {

// Whom to ask.
struct HttpServer {
  // A name or an address, IPv6 without brackets.
  std::string host;
  std::uint16_t port = 0;
  // TLS 1.2 or newer. The server's certificate has to be for `host`, and signed by somebody in `ca_file` (PEM); empty:
  // the file that AWS_CA_BUNDLE of the environment names, or else the system's authorities.
  bool tls = false;
  std::filesystem::path ca_file = {};
};

// "HOST:PORT" and "http://HOST[:PORT]" without TLS, "https://HOST[:PORT]" with it; IPv6 in brackets.
CliResult<HttpServer> ParseHttpServer(std::string_view text);

struct HttpAnswer {
  int status = 0;
  std::string body;
};

inline constexpr std::size_t kHttpAnswerMaxBytes = 16 * 1024 * 1024;

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// A connection that stays open from request to request, opened when it is needed. Not thread-safe.
class HttpConnection {
 public:
  explicit HttpConnection(HttpServer server);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Blocks until the answer is whole, at most `timeout`. Host and Content-Length are added. After a failure whether the
  // request was served is not known, and the next one opens a new connection.
  CliResult<HttpAnswer> Post(std::string_view path, const HttpHeaders& headers, std::string body,
                             std::chrono::milliseconds timeout);

 private:
  friend CliResult<HttpAnswer> HttpGet(const HttpServer&, std::string_view, std::chrono::milliseconds);
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

// Blocks until the answer is whole, at most `timeout`. Thread-safe. Fails when nobody listens, when the server's
// certificate does not verify, when the answer is late, longer than kHttpAnswerMaxBytes or no HTTP.
CliResult<HttpAnswer> HttpGet(const HttpServer& server, std::string_view path, std::chrono::milliseconds timeout);
// The header Host as requests to the server have it.
std::string HostHeader(const HttpServer& server);

}  // namespace symbolon::cli
