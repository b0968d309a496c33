// HTTP/1.1 requests: single ones, and several over one connection.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/failure.h"

namespace symbolon::cli {

struct HttpAnswer {
  int status = 0;
  std::string body;
};

inline constexpr std::size_t kHttpAnswerMaxBytes = 16 * 1024 * 1024;

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;

// A connection that stays open from request to request, opened when it is needed. Not thread-safe.
class HttpConnection {
 public:
  HttpConnection(std::string host, std::uint16_t port);
  ~HttpConnection();
  HttpConnection(const HttpConnection&) = delete;
  HttpConnection& operator=(const HttpConnection&) = delete;

  // Blocks until the answer is whole, at most `timeout`. Host and Content-Length are added. After a failure whether the
  // request was served is not known, and the next one opens a new connection.
  CliResult<HttpAnswer> Post(std::string_view path, const HttpHeaders& headers, std::string body,
                             std::chrono::milliseconds timeout);

 private:
  friend CliResult<HttpAnswer> HttpGet(const std::string&, std::uint16_t, std::string_view, std::chrono::milliseconds);
  class Impl;
  const std::unique_ptr<Impl> impl_;
};

// Blocks until the answer is whole, at most `timeout`. Thread-safe. Fails when nobody listens, when the answer is late,
// longer than kHttpAnswerMaxBytes or no HTTP.
CliResult<HttpAnswer> HttpGet(const std::string& host, std::uint16_t port, std::string_view path,
                              std::chrono::milliseconds timeout);
// The same with a body. Host and Content-Length are added.
CliResult<HttpAnswer> HttpPost(const std::string& host, std::uint16_t port, std::string_view path,
                               const HttpHeaders& headers, std::string body, std::chrono::milliseconds timeout);
// As both send it.
std::string HostHeader(const std::string& host, std::uint16_t port);

}  // namespace symbolon::cli
