#include "audit/event.h"

#include <fmt/chrono.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "base/result.h"

namespace symbolon::audit {
namespace {

namespace json = boost::json;

constexpr std::size_t kClientTextBytesMax = 256;
constexpr std::size_t kErrorMessageBytesMax = 1024;

std::string_view Name(Identity::Type type) {
  switch (type) {
    case Identity::Type::kRoot:
      return "Root";
    case Identity::Type::kIamUser:
      return "IAMUser";
    case Identity::Type::kAwsService:
      return "AWSService";
  }
  return "";
}

std::string Printable(std::string_view text, std::size_t bytes_max) {
  std::string printable(text.substr(0, bytes_max));
  std::ranges::replace_if(printable, [](char octet) { return octet < 0x20 || octet > 0x7e; }, '?');
  return printable;
}

json::object IdentityOf(const Event& event, std::string_view account) {
  const Identity& identity = event.identity;
  json::object object{{"type", Name(identity.type)}};
  if (identity.type == Identity::Type::kAwsService) {
    object["invokedBy"] = identity.invoked_by;
    return object;
  }
  object["arn"] = identity.arn;
  object["accountId"] = account;
  if (!identity.access_key_id.empty()) object["accessKeyId"] = Printable(identity.access_key_id, kClientTextBytesMax);
  if (!identity.user_name.empty()) object["userName"] = identity.user_name;
  return object;
}

json::value ParsedObject(const std::string& text) {
  boost::system::error_code error;
  json::value parsed = json::parse(text, error);
  SYMBOLON_CHECK(!error && parsed.is_object());
  return parsed;
}

json::value ParametersOf(const Event& event) {
  if (event.request_parameters.empty()) return nullptr;
  if (event.request_parameters.size() > kRequestParametersBytesMax) {
    return json::object{{"omitted", fmt::format("{} octets", event.request_parameters.size())}};
  }
  return ParsedObject(event.request_parameters);
}

}  // namespace

std::string ToJson(const Event& event, const Region& region, std::string_view account, std::string_view request_id,
                   std::string_view event_id) {
  json::array resources;
  for (const std::string& arn : event.key_arns) {
    resources.push_back(json::object{{"ARN", Printable(arn, 2048)}, {"accountId", account}, {"type", "AWS::KMS::Key"}});
  }
  json::object record{{"eventVersion", "1.11"},
                      {"userIdentity", IdentityOf(event, account)},
                      {"eventTime", FormatTime(event.time)},
                      {"eventSource", event.source},
                      {"eventName", event.name},
                      {"awsRegion", region.value()},
                      {"sourceIPAddress", event.source_address},
                      {"userAgent", Printable(event.user_agent, kClientTextBytesMax)}};
  if (!event.error_code.empty()) {
    record["errorCode"] = event.error_code;
    record["errorMessage"] = Printable(event.error_message, kErrorMessageBytesMax);
  }
  record["requestParameters"] = ParametersOf(event);
  record["responseElements"] = nullptr;
  if (!event.additional_data.empty()) record["additionalEventData"] = ParsedObject(event.additional_data);
  record["requestID"] = request_id;
  record["eventID"] = event_id;
  record["readOnly"] = event.read_only;
  record["resources"] = std::move(resources);
  record["eventType"] = event.service_details.empty() ? "AwsApiCall" : "AwsServiceEvent";
  if (!event.service_details.empty()) record["serviceEventDetails"] = ParsedObject(event.service_details);
  record["managementEvent"] = true;
  record["recipientAccountId"] = account;
  record["eventCategory"] = "Management";
  return json::serialize(record);
}

std::string FormatTime(Timestamp time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", std::chrono::floor<std::chrono::seconds>(time));
}

bool IsReadOnly(std::string_view operation) {
  constexpr std::array<std::string_view, 7> kReading = {"Decrypt", "Describe", "Encrypt",  "Generate",
                                                        "Get",     "List",     "ReEncrypt"};
  return std::ranges::any_of(kReading, [&](std::string_view verb) { return operation.starts_with(verb); });
}

}  // namespace symbolon::audit
