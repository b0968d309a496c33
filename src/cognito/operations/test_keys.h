// For tests of the key of a user pool: two Regions with a key service each, and a pool of theirs.
#pragma once

#include <gtest/gtest.h>

#include <boost/json/object.hpp>
#include <chrono>
#include <string>
#include <string_view>
#include <utility>

#include "base/manual_clock.h"
#include "cognito/test_region.h"
#include "keys/arn.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::cognito {

class KeysTest : public testing::Test {
 protected:
  static constexpr const char* kSecondary = "us-east-1";

  KeysTest() {
    here_.ask_about_keys = [this](const Region&, const Bytes& request) {
      return cut_ ? replication::ControlResult<Bytes>(
                        Err(replication::ControlError{replication::ControlErrorCode::kUnavailable, "cut"}))
                  : AskSecondary(request);
    };
  }

  replication::ControlResult<Bytes> AskSecondary(const Bytes& request) {
    there_.CopyPool(here_, pool_);
    return there_.AnswerAboutKeys(Region("eu-central-1"), request);
  }

  // A pool under this key (empty: the service's own), with a user; in both Regions, if it has a replica.
  void MakePool(const std::string& key, bool replicated = false) {
    boost::json::object settings;
    if (!key.empty()) settings["KeyConfiguration"] = Customer(key);
    pool_ = here_.CreatePool(settings);
    Call("AdminCreateUser", {{"Username", "ann"}, {"MessageAction", "SUPPRESS"}});
    if (!replicated) return;
    Call("CreateUserPoolReplica", {{"RegionName", kSecondary}});
    here_.SetMemberState(pool_, kSecondary, replication::pb::ACTIVE);
    there_.CopyPool(here_, pool_);
  }
  static boost::json::object Customer(const std::string& key) {
    return {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key}};
  }
  std::string NewKey() { return here_.key_service().CreateKey(false, "").value().arn; }
  ApiRegion::Answer Try(std::string_view operation, boost::json::object request = {}) {
    request["UserPoolId"] = pool_.value();
    return here_.Call(operation, request);
  }
  ApiRegion::Answer Call(std::string_view operation, boost::json::object request = {}) {
    auto answer = Try(operation, std::move(request));
    EXPECT_EQ(answer.error(), "") << operation;
    return answer;
  }
  std::string ChangeTo(const std::string& key) {
    return Try("UpdateUserPool", {{"KeyConfiguration", Customer(key)}}).error();
  }
  // "" when the user can be read.
  std::string ReadIn(ApiRegion& region) {
    return region.Call("AdminGetUser", {{"UserPoolId", pool_.value()}, {"Username", "ann"}}).error();
  }
  keys::WrappedPoolKeysContents Contents(ApiRegion& region) {
    const auto stored = region.store().store().MakeSnapshot()->Get({.pool = pool_, .type = 2, .id = ""});
    return keys::ContentsOfPoolKeys(**stored).value();
  }
  static std::string InRegion(const std::string& key, ApiRegion& region) {
    return keys::KeyArnInRegion(key, region.settings().region);
  }
  void Withdraw(ApiRegion& region, const std::string& key) {
    ASSERT_TRUE(region.key_service().DisableKey(InRegion(key, region)));
  }
  void Reencrypt(boost::json::object request = {}) {
    Call("SymbolonService.ReencryptUserPool", std::move(request));
    for (int i = 0; i < 1'000 && here_.reencryption().RunDue(); ++i) {
      clock_.Advance(std::chrono::seconds(1));
      here_.TickKeys();
      there_.TickKeys();
    }
  }

  ManualClock clock_;
  ApiRegion here_{"eu-central-1", clock_}, there_{kSecondary, clock_};
  PoolId pool_;
  bool cut_ = false;
};

}  // namespace symbolon::cognito
