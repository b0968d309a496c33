#include "cli/api_call.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/bytes.h"
#include "cli/http_client.h"
#include "crypto/hash.h"

namespace symbolon::cli {
namespace {

constexpr std::string_view kService = "cognito-idp";
constexpr std::string_view kContentType = "application/x-amz-json-1.1";
constexpr std::string_view kSignedHeaders = "content-type;host;x-amz-date;x-amz-target";
constexpr int kHttpOk = 200;

// docs.aws.amazon.com, Signature Version 4, "Create a signed request".
std::string Authorization(const ApiAccess& access, std::string_view target, const std::string& body,
                          const std::string& date_time) {
  const std::string canonical = fmt::format(
      "POST\n/\n\ncontent-type:{}\nhost:{}\nx-amz-date:{}\nx-amz-target:{}\n\n{}\n{}", kContentType,
      HostHeader(access.host, access.port), date_time, target, kSignedHeaders, HexEncode(crypto::Sha256(body)));
  const std::string date = date_time.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", date, access.region, kService);
  const std::string to_sign =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date_time, scope, HexEncode(crypto::Sha256(canonical)));
  Bytes key = "AWS4" + std::string(access.secret_access_key.view());
  for (const std::string_view part : {std::string_view(date), std::string_view(access.region), kService,
                                      std::string_view("aws4_request"), std::string_view(to_sign)}) {
    Bytes next = crypto::HmacSha256(key, part);
    Wipe(key.data(), key.size());
    key = std::move(next);
  }
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}", access.access_key_id, scope,
                     kSignedHeaders, HexEncode(key));
}

std::string Complaint(const HttpAnswer& answer) {
  boost::system::error_code error;
  const boost::json::value parsed = boost::json::parse(answer.body, error);
  const auto text = [&](const char* member) {
    const boost::json::value* value = error || !parsed.is_object() ? nullptr : parsed.get_object().if_contains(member);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  if (text("__type").empty()) return fmt::format("status {}", answer.status);
  return text("__type") + ": " + text("message");
}

}  // namespace

CliResult<std::string> CallApi(const ApiAccess& access, std::string_view operation, const std::string& json,
                               Timestamp now, std::chrono::milliseconds timeout) {
  const std::string target = fmt::format("SymbolonService.{}", operation);
  const std::string date_time = fmt::format("{:%Y%m%dT%H%M%SZ}", std::chrono::floor<std::chrono::seconds>(now));
  const HttpHeaders headers{{"Content-Type", std::string(kContentType)},
                            {"X-Amz-Date", date_time},
                            {"X-Amz-Target", target},
                            {"Authorization", Authorization(access, target, json, date_time)}};
  SYMBOLON_TRY(const HttpAnswer answer, HttpPost(access.host, access.port, "/", headers, json, timeout));
  if (answer.status != kHttpOk) return Fail(Complaint(answer));
  return answer.body;
}

}  // namespace symbolon::cli
