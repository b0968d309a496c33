// HTTP answers of the AWS JSON 1.1 protocol.
#pragma once

#include <string>

#include "http/message.h"
#include "model/api_error.h"

namespace symbolon::cognito {

http::Response Success(std::string json, const std::string& request_id);
http::Response Failure(const model::ApiError& error, const std::string& request_id);

// What a browser asks before it calls from another origin (Fetch standard, CORS-preflight).
http::Response Preflight();
// Lets scripts of any origin read the answer.
void AllowAnyOrigin(http::Response& response);

}  // namespace symbolon::cognito
