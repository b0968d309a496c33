// For this module's tests: two Regions' key services, and requests and answers as they are on the wire.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "keys/local/test_support.h"
#include "kms_api/authorisation.h"
#include "kms_api/call.h"
#include "wire/parse.h"

namespace symbolon::kms_api {

namespace json = boost::json;
using keys::local::LocalKeyProvider;

inline const Region kHere("eu-central-1");
inline const Region kThere("us-east-1");

class KmsApiTest : public testing::Test {
 protected:
  KmsApiTest() { transport_.regions = {{kHere, here_.get()}, {kThere, there_.get()}}; }

  model::ApiResult<json::value> Ask(std::string_view operation, std::string_view body, bool there = false) {
    const auto* facts = model::FindOperation("TrentService." + std::string(operation));
    SYMBOLON_CHECK(facts != nullptr);
    wire::ParseReport report;
    const auto request = wire::ParseRequest(*facts->input, body, report);
    SYMBOLON_CHECK(request.has_value());
    SYMBOLON_TRY(const std::string answer, Serve(there ? call_there_ : call_here_, caller_, *facts, *request));
    return json::parse(answer);
  }
  model::ApiResult<json::value> Ask(std::string_view operation, const json::object& body, bool there = false) {
    return Ask(operation, json::serialize(body), there);
  }
  std::string ErrorOf(std::string_view operation, std::string_view body) {
    const auto answer = Ask(operation, body);
    return answer ? "none" : std::string(ToString(answer.error().code));
  }
  std::string ErrorOf(std::string_view operation, const json::object& body) {
    return ErrorOf(operation, json::serialize(body));
  }
  json::value NewKey(std::string_view body) { return Ask("CreateKey", body).value().at("KeyMetadata"); }
  static std::string KeyIdBody(const json::value& metadata) {
    return json::serialize(json::object{{"KeyId", metadata.at("KeyId")}});
  }

  ManualClock clock_{FromSeconds(1'700'000'000)};
  TemporaryDirectory directory_here_, directory_there_;
  std::unique_ptr<LocalKeyProvider> here_ =
      keys::local::OpenTestProvider(directory_here_.path(), kHere, clock_).value();
  std::unique_ptr<LocalKeyProvider> there_ =
      keys::local::OpenTestProvider(directory_there_.path(), kThere, clock_).value();
  keys::local::DirectTransport transport_{kHere};
  keys::access::KeyAccess access_here_{KnownActions()}, access_there_{KnownActions()};
  Call call_here_{*here_, transport_, access_here_, kHere, keys::local::kTestAccount};
  Call call_there_{*there_, transport_, access_there_, kThere, keys::local::kTestAccount};
  // The account's root, unless a test says otherwise.
  policy::Caller caller_{.identity = {.principal = policy::Principal::Root(keys::local::kTestAccount), .policies = {}},
                         .context = {}};
};

}  // namespace symbolon::kms_api
