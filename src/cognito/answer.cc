#include "cognito/answer.h"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <string_view>

namespace symbolon::cognito {
namespace {

constexpr int kServiceUnavailable = 503;
constexpr const char* kJson = "application/x-amz-json-1.1";

// A header value may not break its line; messages echo what clients sent.
std::string OneLine(std::string_view text) {
  std::string line;
  for (const char c : text) line.push_back(c >= 0x20 && c < 0x7f ? c : ' ');
  return line;
}

}  // namespace

http::Response Success(std::string json, const std::string& request_id) {
  http::Response response{.status = 200,
                          .headers = {{"Content-Type", kJson}, {std::string(kRequestIdHeader), request_id}},
                          .body = std::move(json)};
  AllowAnyOrigin(response);
  return response;
}

http::Response Failure(const model::ApiError& error, const std::string& request_id) {
  const std::string name(model::ToString(error.code));
  boost::json::object body;
  body["__type"] = name;
  body["message"] = error.message;
  http::Response response{.status = model::HttpStatusOf(error.code),
                          .headers = {{"Content-Type", kJson},
                                      {std::string(kRequestIdHeader), request_id},
                                      {std::string(kErrorTypeHeader), name + ":"},
                                      {std::string(kErrorMessageHeader), OneLine(error.message)}},
                          .body = boost::json::serialize(body)};
  if (response.status == kServiceUnavailable) response.headers.Set("Retry-After", "1");
  AllowAnyOrigin(response);
  return response;
}

std::string_view OutcomeOf(const http::Response& response) {
  if (response.status == 200) return "ok";
  const std::string_view type = response.headers.Find(kErrorTypeHeader).value_or("");
  return type.substr(0, type.find(':'));
}

http::Response Preflight() {
  http::Response response{
      .status = 200,
      .headers =
          {{"Access-Control-Allow-Headers",
            "cache-control,content-type,x-amz-target,x-amz-user-agent,authorization,x-amz-date,x-amz-security-token,"
            "amz-sdk-request,amz-sdk-invocation-id,x-amz-content-sha256,x-symbolon-position"},
           {"Access-Control-Allow-Methods", "GET,POST,OPTIONS"},
           {"Access-Control-Max-Age", "172800"}},
      .body = {}};
  AllowAnyOrigin(response);
  return response;
}

void AllowAnyOrigin(http::Response& response) {
  response.headers.Set("Access-Control-Allow-Origin", "*");
  response.headers.Set("Access-Control-Expose-Headers",
                       "x-amzn-RequestId,x-amzn-ErrorType,x-amzn-ErrorMessage,Date,Retry-After,x-symbolon-position,x-"
                       "symbolon-durability");
}

}  // namespace symbolon::cognito
