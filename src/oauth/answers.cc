#include "oauth/answers.h"

#include <boost/json/serialize.hpp>

namespace symbolon::oauth {
namespace {

namespace json = boost::json;

constexpr const char* kNotCached = "no-cache, no-store, max-age=0, must-revalidate";

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace

void AllowAnyOrigin(http::Response& response) {
  response.headers.Set("Access-Control-Allow-Origin", "*");
  response.headers.Set("Access-Control-Expose-Headers", "Date,Retry-After");
}

http::Response NotFound() {
  return {.status = 404, .headers = {{"Content-Type", "application/json"}}, .body = R"({"message":"Not found."})"};
}

http::Response Unavailable() {
  return {.status = 503,
          .headers = {{"Content-Type", "application/json"}},
          .body = R"({"message":"Not available at present."})"};
}

http::Response TokenAnswer(int status, const json::object& body) {
  http::Response response{.status = status,
                          .headers = {{"Content-Type", "application/json;charset=UTF-8"},
                                      {"Cache-Control", kNotCached},
                                      {"Pragma", "no-cache"},
                                      {"X-Content-Type-Options", "nosniff"},
                                      {"X-Frame-Options", "DENY"}},
                          .body = json::serialize(body)};
  AllowAnyOrigin(response);
  return response;
}

http::Response TokenError(std::string_view code, std::string_view description) {
  json::object body;
  body["error"] = code;
  if (!description.empty()) body["error_description"] = description;
  return TokenAnswer(400, body);
}

http::Response TokenUnavailable(std::string_view description) {
  http::Response response = TokenError("temporarily_unavailable", description);
  response.status = 503;
  response.headers.Set("Retry-After", "1");
  return response;
}

http::Response ErrorPage(int status, std::string_view message) {
  return {.status = status,
          .headers = {{"Content-Type", "text/html;charset=UTF-8"},
                      {"Cache-Control", kNotCached},
                      {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"X-Frame-Options", "DENY"}},
          .body = "<!doctype html>\n<html lang=\"en\"><head><title>Error</title></head><body><h1>Error</h1><p>" +
                  EscapeHtml(message) + "</p></body></html>\n"};
}

http::Response RedirectTo(std::string location) {
  return {.status = 302,
          .headers = {{"Location", std::move(location)},
                      {"Cache-Control", kNotCached},
                      {"Referrer-Policy", "no-referrer"},
                      {"X-Content-Type-Options", "nosniff"},
                      {"X-Frame-Options", "DENY"}},
          .body = {}};
}

}  // namespace symbolon::oauth
