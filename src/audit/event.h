// What is audited: one use of a key, or one call about keys, in the form of AWS CloudTrail's records ("CloudTrail
// record contents", AWS CloudTrail User Guide).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"

namespace symbolon::audit {

// Who did it.
struct Identity {
  enum class Type {
    kRoot,        // an access key of the account itself
    kIamUser,     // an access key of a user
    kAwsService,  // the identity service, on behalf of a pool
  };
  Type type = Type::kAwsService;
  // Empty for a service.
  std::string arn;
  std::string user_name;
  std::string access_key_id;
  // Of a service: "cognito-idp.amazonaws.com".
  std::string invoked_by;
};

// Never holds plaintexts, ciphertexts or secrets: callers see to that.
struct Event {
  Timestamp time{};
  Identity identity;
  std::string source = "kms.amazonaws.com";
  // As the API names the operation: "Decrypt".
  std::string name;
  // Of the client; a service's name where a service calls.
  std::string source_address;
  std::string user_agent;
  // A JSON object; empty: null.
  std::string request_parameters;
  // A JSON object, for additionalEventData; empty: there is none.
  std::string additional_data;
  // A JSON object, of what a service did with nobody asking (CloudTrail's AwsServiceEvent); empty: it is a call.
  std::string service_details;
  // Of the API's answer; empty: one is made.
  std::string request_id;
  bool read_only = false;
  // The keys that it is about.
  std::vector<std::string> key_arns;
  // Of the API; empty: it succeeded.
  std::string error_code;
  std::string error_message;
};

// Request parameters beyond this are left out, and said to be.
inline constexpr std::size_t kRequestParametersBytesMax = 64 * 1024;

// One line without its end. What is no printable ASCII in what a client sent about itself is replaced; request
// parameters that are no JSON object are a bug.
std::string ToJson(const Event& event, const Region& region, std::string_view account, std::string_view request_id,
                   std::string_view event_id);

// "2026-11-28T11:05:09Z".
std::string FormatTime(Timestamp time);

// Whether an operation of the key service of that name changes nothing, as CloudTrail's readOnly has it.
bool IsReadOnly(std::string_view operation);

}  // namespace symbolon::audit
