// HTTP answers of the AWS JSON 1.1 protocol.
#pragma once

#include <string>
#include <string_view>

#include "http/message.h"
#include "model/api_error.h"

namespace symbolon::cognito {

inline constexpr std::string_view kRequestIdHeader = "x-amzn-RequestId";
inline constexpr std::string_view kErrorTypeHeader = "x-amzn-ErrorType";
inline constexpr std::string_view kErrorMessageHeader = "x-amzn-ErrorMessage";
// "fell-back": the write was answered before a replica confirmed it, although the pool asks for that.
inline constexpr std::string_view kDurabilityHeader = "x-symbolon-durability";

http::Response Success(std::string json, const std::string& request_id);
http::Response Failure(const model::ApiError& error, const std::string& request_id);
// "ok", or the error's name; valid as long as the response.
std::string_view OutcomeOf(const http::Response& response);

// What a browser asks before it calls from another origin (Fetch standard, CORS-preflight).
http::Response Preflight();
// Lets scripts of any origin read the answer.
void AllowAnyOrigin(http::Response& response);

}  // namespace symbolon::cognito
