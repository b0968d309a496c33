// One HTTP/1.1 GET.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

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

}  // namespace symbolon::cli
