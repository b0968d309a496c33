// The head of a response as it goes over the wire (RFC 9112 §4, §6).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "http/message.h"

namespace symbolon::http {

struct ResponseFraming {
  // "HTTP/1.1" or "HTTP/1.0" is what the client speaks; the answer says 1.1 to both, as RFC 9110 §6.2 asks.
  bool is_http_1_1 = true;
  bool keep_alive = true;
};

// Status line, the server's own fields (Date, Content-Length, Connection where needed) and the response's, and the
// empty line. nullopt if a field holds octets that do not belong into one (RFC 9110 §5.5): they would split the
// response.
std::optional<std::string> ResponseHead(const Response& response, const ResponseFraming& framing,
                                        std::string_view date);

// Whether a response of this status to this method has content on the wire (RFC 9110 §6.4.1).
bool HasContent(int status, std::string_view method);

// IMF-fixdate (RFC 9110 §5.6.7): "Sun, 06 Nov 1994 08:49:37 GMT".
std::string HttpDate(Timestamp time);

// "Not Found"; empty for a status that has no name.
std::string_view ReasonPhrase(int status);

}  // namespace symbolon::http
