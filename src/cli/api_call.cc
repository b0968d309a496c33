#include "cli/api_call.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "base/bytes.h"
#include "crypto/hash.h"

namespace symbolon::cli {
namespace {

constexpr std::string_view kService = "cognito-idp";
constexpr std::string_view kContentType = "application/x-amz-json-1.1";
constexpr std::string_view kSignedHeaders = "content-type;host;x-amz-date;x-amz-target";

struct Signer {
  const std::string& host_header;
  const std::string& region;
  const std::string& access_key_id;
  const Secret& secret;

  // docs.aws.amazon.com, Signature Version 4, "Create a signed request".
  std::string Authorization(std::string_view target, const std::string& body, const std::string& date_time) const {
    const std::string canonical =
        fmt::format("POST\n/\n\ncontent-type:{}\nhost:{}\nx-amz-date:{}\nx-amz-target:{}\n\n{}\n{}", kContentType,
                    host_header, date_time, target, kSignedHeaders, HexEncode(crypto::Sha256(body)));
    const std::string date = date_time.substr(0, 8);
    const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, region, kService);
    const std::string to_sign =
        fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date_time, scope, HexEncode(crypto::Sha256(canonical)));
    Bytes key = "AWS4" + std::string(secret.view());
    for (const std::string_view part : {std::string_view(date), std::string_view(region), kService,
                                        std::string_view("aws4_request"), std::string_view(to_sign)}) {
      Bytes next = crypto::HmacSha256(key, part);
      Wipe(key.data(), key.size());
      key = std::move(next);
    }
    return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", access_key_id, scope,
                       kSignedHeaders, HexEncode(key));
  }
};

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

std::string ApiAnswer::Complaint() const {
  if (status == 0) return message;
  return error.empty() ? fmt::format("status {}", status) : error + ": " + message;
}

ApiConnection::ApiConnection(const ApiAccess& access, Clock& clock)
    : host_(access.host),
      port_(access.port),
      region_(access.region),
      access_key_id_(access.access_key_id),
      secret_access_key_(access.secret_access_key.Clone()),
      clock_(clock),
      connection_(access.host, access.port) {}

ApiAnswer ApiConnection::Call(std::string_view operation, std::string json, std::chrono::milliseconds timeout) {
  const std::string date_time =
      fmt::format("{:%Y%m%dT%H%M%SZ}", std::chrono::floor<std::chrono::seconds>(clock_.Now()));
  const std::string host_header = HostHeader(host_, port_);
  const Signer signer{host_header, region_, access_key_id_, secret_access_key_};
  HttpHeaders headers{{"X-Amz-Date", date_time}, {"Authorization", signer.Authorization(operation, json, date_time)}};
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
                               Clock& clock, std::chrono::milliseconds timeout) {
  ApiAnswer answer = ApiConnection(access, clock).Call(std::string(kOwnPrefix) + std::string(operation), json, timeout);
  if (answer.status == 0) return Fail(fmt::format("{} does not answer ({})", access.region, answer.message));
  if (!answer.ok()) return Fail(answer.Complaint());
  return std::move(answer.body);
}

}  // namespace symbolon::cli
