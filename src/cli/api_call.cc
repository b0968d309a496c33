#include "cli/api_call.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "crypto/sigv4_signer.h"

namespace symbolon::cli {
namespace {

constexpr std::string_view kContentType = "application/x-amz-json-1.1";

// The signing name of the service that an operation belongs to.
std::string_view ServiceOf(std::string_view operation) {
  return operation.starts_with(kKmsPrefix) ? "kms" : "cognito-idp";
}

ApiAnswer AnswerOf(CliResult<HttpAnswer> answer) {
  if (!answer) return {.message = answer.error().message};
  ApiAnswer read{.status = answer->status, .body = std::move(answer->body)};
  if (read.ok()) return read;
  boost::system::error_code error;
  const boost::json::value parsed = boost::json::parse(read.body, error);
  const auto text = [&](const char* member) {
    const boost::json::value* value = error || !parsed.is_object() ? nullptr : parsed.get_object().if_contains(member);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  read.error = text("__type");
  read.message = text("message");
  return read;
}

}  // namespace

bool ApiAnswer::IsOpen() const {
  constexpr int kFirstServerError = 500;
  return status == 0 || status >= kFirstServerError || error == "WriteUnconfirmedException" ||
         error == kPromotionPending;
}

std::string ApiAnswer::Complaint() const {
  if (status == 0) return message;
  return error.empty() ? fmt::format("status {}", status) : error + ": " + message;
}

ApiConnection::ApiConnection(const ApiAccess& access, Clock& clock)
    : host_header_(HostHeader(access.server)),
      region_(access.region),
      access_key_id_(access.access_key_id),
      secret_access_key_(access.secret_access_key.Clone()),
      clock_(clock),
      connection_(access.server) {}

ApiAnswer ApiConnection::Call(std::string_view operation, std::string json, std::chrono::milliseconds timeout) {
  const std::string date_time = crypto::SigV4DateTime(clock_.Now());
  const crypto::SigV4Request request{
      .host = host_header_, .content_type = kContentType, .target = operation, .body = json};
  HttpHeaders headers{
      {"X-Amz-Date", date_time},
      {"Authorization", crypto::SigV4Authorization(request, {.region = region_, .service = ServiceOf(operation)},
                                                   access_key_id_, secret_access_key_, date_time)}};
  return Send(operation, std::move(headers), std::move(json), timeout);
}

ApiAnswer ApiConnection::CallUnsigned(std::string_view operation, std::string json, std::chrono::milliseconds timeout) {
  return Send(operation, {}, std::move(json), timeout);
}

ApiAnswer ApiConnection::Send(std::string_view operation, HttpHeaders headers, std::string json,
                              std::chrono::milliseconds timeout) {
  headers.emplace_back("Content-Type", kContentType);
  headers.emplace_back("X-Amz-Target", operation);
  return AnswerOf(connection_.Post("/", headers, std::move(json), timeout));
}

CliResult<std::string> CallApi(const ApiAccess& access, std::string_view operation, const std::string& json,
                               Clock& clock, std::chrono::milliseconds timeout, std::string_view prefix) {
  ApiAnswer answer = ApiConnection(access, clock).Call(std::string(prefix) + std::string(operation), json, timeout);
  if (answer.status == 0) return Fail(fmt::format("{} does not answer ({})", access.region, answer.message));
  if (!answer.ok()) return Fail(answer.Complaint());
  return std::move(answer.body);
}

}  // namespace symbolon::cli
