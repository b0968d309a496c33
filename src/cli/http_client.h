// One HTTP/1.1 request.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
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

// Blocks until the answer is whole, at most `timeout`. Thread-safe. Fails when nobody listens, when the answer is late,
// longer than kHttpAnswerMaxBytes or no HTTP.
CliResult<HttpAnswer> HttpGet(const std::string& host, std::uint16_t port, std::string_view path,
                              std::chrono::milliseconds timeout);

using HttpHeaders = std::vector<std::pair<std::string, std::string>>;
// The same with a body. Host and Content-Length are added.
CliResult<HttpAnswer> HttpPost(const std::string& host, std::uint16_t port, std::string_view path,
                               const HttpHeaders& headers, std::string body, std::chrono::milliseconds timeout);
// As both send it.
std::string HostHeader(const std::string& host, std::uint16_t port);

}  // namespace symbolon::cli
