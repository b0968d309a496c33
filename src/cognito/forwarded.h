// Requests and answers on the way between a secondary and its pool's primary, as octets.
#pragma once

#include <optional>

#include "base/bytes.h"
#include "base/clock.h"
#include "http/message.h"

namespace symbolon::cognito {

// `arrived`: when the client's request came.
Bytes EncodeForwarded(const http::Request& request, Timestamp arrived);
// Its `received` is the time of its arrival. nullopt: not a request.
std::optional<http::Request> ParseForwardedRequest(const Bytes& octets);

Bytes EncodeForwarded(const http::Response& response);
// nullopt: not a response.
std::optional<http::Response> ParseForwardedResponse(const Bytes& octets);

}  // namespace symbolon::cognito
