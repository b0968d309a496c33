// For tests: a pool that tracks devices, its user's app and what that does with a device.
#pragma once

#include <fmt/chrono.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "auth/activity.h"
#include "auth/devices.h"
#include "auth/refresh.h"
#include "auth/sign_in.h"
#include "auth/srp_test_client.h"
#include "auth/test_user.h"
#include "crypto/jws.h"
#include "crypto/srp.h"
#include "crypto/totp.h"

namespace symbolon::auth {

inline constexpr std::string_view kDeviceSecret = "fvXwTx0MOVMbA8dUt0BVUtRzyZFZYlS4NlbGwMpYHFJtBeL9ouzKWw==";

// "" for success.
template <class T>
std::string ErrorOf(const AuthResult<T>& result) {
  return result ? "" : result.error().message;
}

struct TestDevice {
  std::string key;
  std::string group_key;
  Tokens tokens;
};

class DevicesTest : public testing::Test {
 protected:
  DevicesTest() {
    MakeTestPool(home_);
    Track({.replaces = true});
  }

  struct Tracking {
    bool replaces = false;
    bool on_prompt = false;
  };
  void Track(Tracking tracking) {
    home_.pool.mutable_device_tracking()->set_replaces_second_factor(tracking.replaces);
    home_.pool.mutable_device_tracking()->set_only_on_prompt(tracking.on_prompt);
  }
  std::unique_ptr<TestRegion> Secondary() {
    auto region = std::make_unique<TestRegion>("us-east-1", pool_, clock_);
    region->CopyDirectoryOf(home_);
    region->is_primary = false;
    return region;
  }
  std::string Time() {
    return fmt::format("{:%a %b %d %H:%M:%S UTC %Y}", fmt::gmtime(static_cast<std::time_t>(ToSeconds(clock_.Now()))));
  }

  // ---- the user's app ----

  AuthResult<SignInStep> SignIn(TestRegion& region, Parameters more = {}, Door door = Door::kPublic) {
    more.insert({{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", std::string(kTestPassword)}});
    const Flow flow = door == Door::kAdmin ? Flow::kAdminUserPassword : Flow::kUserPassword;
    return region.Run<SignInStep>(
        [&](const Context& context) { return StartSignIn(context, TestClient(region), flow, door, more); });
  }
  static Parameters By(const std::string& device_key) { return {{"DEVICE_KEY", device_key}}; }
  AuthResult<SignInStep> Answer(TestRegion& region, ChallengeName name, const std::optional<std::string>& session,
                                Parameters responses, Door door = Door::kPublic) {
    responses.try_emplace("USERNAME", kTestUsername);
    return region.Run<SignInStep>([&](const Context& context) {
      return AnswerChallenge(context, TestClient(region), name, session, responses, door);
    });
  }
  static Tokens TokensOf(AuthResult<SignInStep> step) {
    EXPECT_EQ(ErrorOf(step), "");
    EXPECT_TRUE(step && std::holds_alternative<Tokens>(*step));
    return std::get<Tokens>(*std::move(step));
  }
  static Challenge ChallengeOf(AuthResult<SignInStep> step, ChallengeName name) {
    EXPECT_EQ(ErrorOf(step), "");
    EXPECT_TRUE(step && std::holds_alternative<Challenge>(*step));
    EXPECT_EQ(std::get<Challenge>(*step).name, name);
    return std::get<Challenge>(*std::move(step));
  }
  static SrpTestClient Client(const TestDevice& device, std::string_view secret = kDeviceSecret) {
    return {.pool_name = device.group_key, .password = std::string(secret)};
  }
  // DEVICE_SRP_AUTH's answer.
  AuthResult<SignInStep> Begin(TestRegion& region, const TestDevice& device,
                               const std::optional<std::string>& session) {
    return Answer(region, ChallengeName::kDeviceSrpAuth, session,
                  {{"DEVICE_KEY", device.key}, {"SRP_A", Client(device).PublicKeyHex()}});
  }
  Parameters ProofOf(const TestDevice& device, const Challenge& challenge, std::string_view secret = kDeviceSecret) {
    Parameters parameters = challenge.parameters;
    parameters["USER_ID_FOR_SRP"] = device.key;
    Parameters proof = Client(device, secret).Answer(parameters, Time());
    proof["DEVICE_KEY"] = device.key;
    return proof;
  }
  AuthResult<SignInStep> Prove(TestRegion& region, const TestDevice& device, const std::optional<std::string>& session,
                               std::string_view secret = kDeviceSecret) {
    auto begun = Begin(region, device, session);
    if (!begun) return begun;
    const Challenge challenge = ChallengeOf(std::move(begun), ChallengeName::kDevicePasswordVerifier);
    return Answer(region, ChallengeName::kDevicePasswordVerifier, challenge.session,
                  ProofOf(device, challenge, secret));
  }
  // From the password on.
  AuthResult<SignInStep> SignInBy(TestRegion& region, const TestDevice& device,
                                  std::string_view secret = kDeviceSecret) {
    auto step = SignIn(region, By(device.key));
    if (!step) return step;
    return Prove(region, device, ChallengeOf(std::move(step), ChallengeName::kDeviceSrpAuth).session, secret);
  }

  // ---- what it does with a device ----

  TestDevice NewDevice() {
    Tokens tokens = TokensOf(SignIn(home_));
    EXPECT_TRUE(tokens.new_device);
    return {.key = tokens.new_device->key, .group_key = tokens.new_device->group_key, .tokens = std::move(tokens)};
  }
  DeviceClaims ClaimsOf(const TestDevice& device) {
    const Bytes salt = crypto::NewSrpSalt(home_.random());
    return {.key = device.key,
            .name = "phone",
            .salt = salt,
            .verifier = Bytes(
                crypto::ComputeSrpVerifier({.pool_name = device.group_key, .user_id = device.key}, kDeviceSecret, salt)
                    .view())};
  }
  AuthResult<bool> Confirm(const DeviceClaims& claims, const std::string& token_device_key) {
    return home_.Run<bool>([&](const Context& context) {
      return ConfirmDevice(context, TestUser(home_).key, token_device_key, clock_.Now(), claims);
    });
  }
  AuthResult<bool> Confirm(const TestDevice& device) { return Confirm(ClaimsOf(device), device.key); }
  TestDevice ConfirmedDevice() {
    TestDevice device = NewDevice();
    EXPECT_EQ(ErrorOf(Confirm(device)), "");
    return device;
  }
  std::string Remember(const TestDevice& device, bool remembered) {
    return ErrorOf(home_.Run<bool>([&](const Context& context) -> AuthResult<bool> {
      SYMBOLON_TRY_VOID(RememberDevice(context, TestUser(home_).key, device.key, remembered));
      return true;
    }));
  }
  std::string Forget(const TestDevice& device) {
    return ErrorOf(home_.Run<bool>([&](const Context& context) -> AuthResult<bool> {
      SYMBOLON_TRY_VOID(ForgetDevice(context, TestUser(home_).key, device.key));
      return true;
    }));
  }
  bool Has(TestRegion& region, const TestDevice& device) {
    return region.See(
        [&](const Context& context) { return FindDevice(context, TestUser(region).key, device.key).has_value(); });
  }
  Timestamp LastSeen(TestRegion& region, const TestDevice& device) {
    return region.See([&](const Context& context) {
      return DeviceLastSeen(context.tx, *FindDevice(context, TestUser(region).key, device.key));
    });
  }
  std::string Refresh(TestRegion& region, const Tokens& tokens, const std::optional<std::string>& device_key) {
    return ErrorOf(region.Run<Tokens>([&](const Context& context) {
      return RefreshTokens(context, TestClient(region), *tokens.refresh_token, device_key);
    }));
  }
  static std::string BoundTo(const Tokens& tokens) {
    const auto jws = crypto::ParseJws(tokens.access_token);
    const auto* claim = jws->unverified_claims().if_contains("device_key");
    return claim == nullptr ? "" : std::string(claim->as_string());
  }

  // ---- the second factor ----

  void SwitchMfaOn(directory::pb::MfaMode mode) {
    home_.pool.set_mfa(mode);
    home_.pool.set_software_token_mfa(true);
  }
  void GiveAuthenticator() {
    SwitchMfaOn(directory::pb::MFA_OPTIONAL);
    ChangeUser(home_, [](directory::pb::UserRecord& user) {
      user.mutable_software_token()->set_secret(Bytes(32, 's'));
      user.set_software_token_enabled(true);
      user.set_software_token_preferred(true);
    });
  }
  std::string Code() { return crypto::HotpCode(Bytes(32, 's'), crypto::TotpStepAt(clock_.Now())); }
  AuthResult<SignInStep> AnswerCode(const std::optional<std::string>& session, Parameters more = {}) {
    more["SOFTWARE_TOKEN_MFA_CODE"] = Code();
    return Answer(home_, ChallengeName::kSoftwareTokenMfa, session, more);
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion home_{"eu-central-1", pool_, clock_};
};

}  // namespace symbolon::auth
