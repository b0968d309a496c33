// HTTP/1.1 request framing (RFC 9112) over Beast's parser, without a socket: octets in, a Request or a refusal out.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "http/message.h"

namespace symbolon::http {

struct ParserLimits {
  // Request line and all fields together.
  std::size_t header_bytes = 16 * 1024;
  std::size_t header_count = 100;
};

// Parses one request; make a new one for the next. Not thread-safe. Refused is final: answer refusal_status() and
// close, because where the next request would begin is not known.
class RequestParser {
 public:
  enum class Progress { kNeedMore, kDone, kRefused };
  struct Step {
    Progress progress;
    // Octets of the input that are used up; the caller offers the rest again, with more behind it.
    std::size_t consumed;
  };

  explicit RequestParser(const ParserLimits& limits);
  ~RequestParser();
  RequestParser(RequestParser&&) noexcept;
  RequestParser& operator=(RequestParser&&) noexcept;

  // First phase, until kDone. Consumes nothing until the header is complete.
  Step ParseHeader(std::string_view input);
  // Second phase, after the first is done: refuses a body beyond the limit as soon as its length is known. kDone if the
  // request has no body.
  Progress BeginBody(std::size_t limit_bytes);
  // Third phase, until kDone.
  Step ParseBody(std::string_view input);

  // Complete but for the body after the first phase. Fields after a chunked body (trailers) are dropped.
  Request& request();
  // After a refusal: 400, 413, 414, 417, 431, 501 or 505.
  int refusal_status() const;
  // After the first phase.
  bool is_http_1_1() const;
  bool keep_alive() const;
  bool expects_continue() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace symbolon::http
