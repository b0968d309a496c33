// Answers that several OAuth endpoints share, with the headers that Cognito's have. Pure and thread-safe.
#pragma once

#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace symbolon::oauth {

void AllowAnyOrigin(http::Response& response);

http::Response NotFound();
http::Response Unavailable();

// RFC 6749 §5.1, §5.2.
http::Response TokenAnswer(int status, const boost::json::object& body);
http::Response TokenError(std::string_view code, std::string_view description = {});
// 503 with an error of that form, which §5.2 does not have: to be asked again.
http::Response TokenUnavailable(std::string_view description = {});

// A page for a person, who cannot be sent anywhere: `message` is text.
http::Response ErrorPage(int status, std::string_view message);
// 302.
http::Response RedirectTo(std::string location);

}  // namespace symbolon::oauth
