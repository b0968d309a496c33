#include "auth/devices.h"

#include <fmt/chrono.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "auth/activity.h"
#include "auth/lockout.h"
#include "auth/mfa.h"
#include "auth/password.h"
#include "auth/refresh.h"
#include "auth/sign_in.h"
#include "auth/software_token.h"
#include "auth/srp_test_client.h"
#include "auth/test_user.h"
#include "crypto/jws.h"
#include "crypto/srp.h"
#include "crypto/totp.h"

namespace symbolon::auth {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::MatchesRegex;

const std::string kNoDevice = "Device does not exist.";
const std::string kInvalidRefresh = "Invalid Refresh Token";
const std::string kInvalid = "Invalid session for the user.";
const std::string kUsed = "Invalid session for the user, session can only be used once.";
const std::string kWrong = "Incorrect username or password.";
constexpr std::string_view kSecret = "fvXwTx0MOVMbA8dUt0BVUtRzyZFZYlS4NlbGwMpYHFJtBeL9ouzKWw==";

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
  static SrpTestClient Client(const TestDevice& device, std::string_view secret = kSecret) {
    return {.pool_name = device.group_key, .password = std::string(secret)};
  }
  // DEVICE_SRP_AUTH's answer.
  AuthResult<SignInStep> Begin(TestRegion& region, const TestDevice& device,
                               const std::optional<std::string>& session) {
    return Answer(region, ChallengeName::kDeviceSrpAuth, session,
                  {{"DEVICE_KEY", device.key}, {"SRP_A", Client(device).PublicKeyHex()}});
  }
  Parameters ProofOf(const TestDevice& device, const Challenge& challenge, std::string_view secret = kSecret) {
    Parameters parameters = challenge.parameters;
    parameters["USER_ID_FOR_SRP"] = device.key;
    Parameters proof = Client(device, secret).Answer(parameters, Time());
    proof["DEVICE_KEY"] = device.key;
    return proof;
  }
  AuthResult<SignInStep> Prove(TestRegion& region, const TestDevice& device, const std::optional<std::string>& session,
                               std::string_view secret = kSecret) {
    auto begun = Begin(region, device, session);
    if (!begun) return begun;
    const Challenge challenge = ChallengeOf(std::move(begun), ChallengeName::kDevicePasswordVerifier);
    return Answer(region, ChallengeName::kDevicePasswordVerifier, challenge.session,
                  ProofOf(device, challenge, secret));
  }
  // From the password on.
  AuthResult<SignInStep> SignInBy(TestRegion& region, const TestDevice& device, std::string_view secret = kSecret) {
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
    return {
        .key = device.key,
        .name = "phone",
        .salt = salt,
        .verifier = Bytes(
            crypto::ComputeSrpVerifier({.pool_name = device.group_key, .user_id = device.key}, kSecret, salt).view())};
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

// ---- new devices ----

TEST_F(DevicesTest, SignInGivesADeviceThatMayBeConfirmed) {
  const Tokens tokens = TokensOf(SignIn(home_));
  ASSERT_TRUE(tokens.new_device);
  EXPECT_THAT(tokens.new_device->key,
              MatchesRegex("eu-central-1_[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}"));
  EXPECT_THAT(tokens.new_device->group_key, MatchesRegex("-[A-Za-z0-9_-]{8}"));
  EXPECT_EQ(BoundTo(tokens), tokens.new_device->key);
  const Tokens next = TokensOf(SignIn(home_));
  EXPECT_NE(next.new_device->key, tokens.new_device->key);
  EXPECT_EQ(next.new_device->group_key, tokens.new_device->group_key);
}

TEST_F(DevicesTest, PoolWithoutTrackingKnowsNoDevices) {
  const TestDevice device = ConfirmedDevice();
  home_.pool.clear_device_tracking();
  const Tokens tokens = TokensOf(SignIn(home_, By(device.key)));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), "");
  EXPECT_EQ(Refresh(home_, device.tokens, std::nullopt), "") << "nor bound tokens";
  EXPECT_EQ(Confirm(device).error().code, AuthErrorCode::kInvalidUserPoolConfiguration);
  EXPECT_NE(Remember(device, false), "");
}

TEST_F(DevicesTest, AdministratorsSignInWithoutDevices) {
  const TestDevice device = ConfirmedDevice();
  const Tokens tokens = TokensOf(SignIn(home_, By(device.key), Door::kAdmin));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), "");
  EXPECT_EQ(Refresh(home_, tokens, std::nullopt), "");
  // And do not go on with a device's sign-in.
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(Answer(home_, ChallengeName::kDeviceSrpAuth, challenge.session,
                   {{"DEVICE_KEY", device.key}, {"SRP_A", Client(device).PublicKeyHex()}}, Door::kAdmin)
                .error()
                .code,
            AuthErrorCode::kInvalidParameter);
}

TEST_F(DevicesTest, SecondaryOffersNoDeviceThatItCouldNotConfirm) {
  const auto away = Secondary();
  const Tokens tokens = TokensOf(SignIn(*away));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), "");
  EXPECT_EQ(Refresh(*away, tokens, std::nullopt), "");
  EXPECT_EQ(Refresh(home_, tokens, std::nullopt), "");
}

// ---- confirming ----

TEST_F(DevicesTest, DeviceIsConfirmedByItsOwnSignInOnce) {
  const TestDevice device = NewDevice(), other = NewDevice();
  const DeviceClaims claims = ClaimsOf(device);
  for (const std::string& of_token : {other.key, std::string()}) {
    EXPECT_EQ(Confirm(claims, of_token).error().code, AuthErrorCode::kInvalidParameter);
  }
  EXPECT_EQ(Confirm(claims, device.key), false) << "nobody need ask the user";
  EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kDeviceKeyExists);
  EXPECT_EQ(Forget(device), "");
  EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kDeviceKeyExists)
      << "what was forgotten comes back";
  EXPECT_FALSE(Has(home_, device));
}

TEST_F(DevicesTest, ClaimsThatAreNoVerifierAreRefused) {
  const TestDevice device = NewDevice();
  const DeviceClaims good = ClaimsOf(device);
  const Bytes too_large(crypto::kSrpVerifierBytes, '\xff');
  for (const Bytes& verifier :
       {Bytes(), Bytes(1, '\0'), Bytes(1, '\1'), Bytes("\0\1", 2), too_large, Bytes(1'000, '\2')}) {
    DeviceClaims claims = good;
    claims.verifier = verifier;
    EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kInvalidParameter) << HexEncode(verifier);
  }
  for (const Bytes& salt : {Bytes(), Bytes(2, '\0'), Bytes(kDeviceSaltBytesMax + 1, 's')}) {
    DeviceClaims claims = good;
    claims.salt = salt;
    EXPECT_EQ(Confirm(claims, device.key).error().code, AuthErrorCode::kInvalidParameter) << HexEncode(salt);
  }
  EXPECT_TRUE(Confirm(good, device.key));
}

TEST_F(DevicesTest, WhereUsersAreAskedTheDeviceIsRememberedWhenTheySaySo) {
  GiveAuthenticator();
  Track({.replaces = true, .on_prompt = true});
  const TestDevice device = [&] {
    const Challenge challenge = ChallengeOf(SignIn(home_), ChallengeName::kSoftwareTokenMfa);
    Tokens tokens = TokensOf(AnswerCode(challenge.session));
    return TestDevice{
        .key = tokens.new_device->key, .group_key = tokens.new_device->group_key, .tokens = std::move(tokens)};
  }();
  EXPECT_EQ(Confirm(device), true);
  clock_.Advance(minutes(5));
  // A code as before; the tokens are the device's.
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kSoftwareTokenMfa);
  const Tokens tokens = TokensOf(AnswerCode(challenge.session));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), device.key);
  EXPECT_EQ(Remember(device, true), "");
  EXPECT_EQ(BoundTo(TokensOf(SignInBy(home_, device))), device.key);
  EXPECT_EQ(Remember(device, false), "");
  ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kSoftwareTokenMfa);
  EXPECT_EQ(Remember({.key = "eu-central-1_0", .group_key = {}, .tokens = {}}, true), kNoDevice);
}

TEST_F(DevicesTest, OfTooManyTheOneThatWasNotSeenForLongestGoes) {
  std::vector<TestDevice> devices;
  for (std::size_t i = 0; i < directory::kDevicesPerUserMax; ++i) {
    devices.push_back(ConfirmedDevice());
    clock_.Advance(minutes(1));
  }
  TokensOf(SignInBy(home_, devices[0]));
  devices.push_back(ConfirmedDevice());
  EXPECT_TRUE(Has(home_, devices[0]));
  EXPECT_FALSE(Has(home_, devices[1]));
  EXPECT_TRUE(Has(home_, devices[2]));
  // One that nobody remembers goes before.
  EXPECT_EQ(Remember(devices[50], false), "");
  devices.push_back(ConfirmedDevice());
  EXPECT_FALSE(Has(home_, devices[50]));
  EXPECT_TRUE(Has(home_, devices[2]));
}

// ---- signing in by a device ----

TEST_F(DevicesTest, RememberedDeviceStandsForTheSecondFactor) {
  const TestDevice device = ConfirmedDevice();
  GiveAuthenticator();
  ChallengeOf(SignIn(home_), ChallengeName::kSoftwareTokenMfa);
  const Tokens tokens = TokensOf(SignInBy(home_, device));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), device.key);
  EXPECT_EQ(Refresh(home_, tokens, device.key), "");
}

TEST_F(DevicesTest, WhereItDoesNotStandForItTheDeviceComesAfterTheCode) {
  const TestDevice device = ConfirmedDevice();
  Track({.replaces = false});
  TokensOf(SignInBy(home_, device));
  GiveAuthenticator();
  const Challenge code = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kSoftwareTokenMfa);
  const Challenge challenge = ChallengeOf(AnswerCode(code.session), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(BoundTo(TokensOf(Prove(home_, device, challenge.session))), device.key);
  // Clients that name the device with the code as well.
  clock_.Advance(minutes(5));
  const Challenge again = ChallengeOf(SignIn(home_), ChallengeName::kSoftwareTokenMfa);
  EXPECT_EQ(ErrorOf(AnswerCode(again.session, By("eu-central-1_0"))), kNoDevice) << "the code is still good";
  ChallengeOf(AnswerCode(again.session, By(device.key)), ChallengeName::kDeviceSrpAuth);
}

TEST_F(DevicesTest, DeviceDoesNotStandForTheSettingUpOfAnAuthenticator) {
  const TestDevice device = ConfirmedDevice();
  SwitchMfaOn(directory::pb::MFA_ON);
  const Challenge setup = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kMfaSetup);
  const auto associated =
      home_.Run<Association>([&](const Context& context) { return AssociateInSession(context, *setup.session); });
  const std::string code =
      crypto::HotpCode(TestUser(home_).record.pending_software_token().secret(), crypto::TotpStepAt(clock_.Now()));
  const auto verified = home_.Run<std::string>(
      [&](const Context& context) { return VerifyInSession(context, associated->session, code, ""); });
  const Challenge challenge =
      ChallengeOf(Answer(home_, ChallengeName::kMfaSetup, *verified, {}), ChallengeName::kDeviceSrpAuth);
  TokensOf(Prove(home_, device, challenge.session));
}

TEST_F(DevicesTest, DeviceIsCarriedThroughANewPassword) {
  const TestDevice device = ConfirmedDevice();
  ChangeUser(home_, [&](directory::pb::UserRecord& user) {
    user.set_status(directory::pb::FORCE_CHANGE_PASSWORD);
    user.set_temporary_password_expires_micros(ToMicros(clock_.Now() + hours(1)));
  });
  EXPECT_EQ(ErrorOf(SignIn(home_, By("eu-central-1_0"))), kNoDevice);
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kNewPasswordRequired);
  const Challenge next = ChallengeOf(
      Answer(home_, ChallengeName::kNewPasswordRequired, challenge.session, {{"NEW_PASSWORD", "A new password 1!"}}),
      ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(BoundTo(TokensOf(Prove(home_, device, next.session))), device.key);
}

TEST_F(DevicesTest, DeviceThatTheUserHasNotIsRefusedAfterTheRightPassword) {
  const TestDevice device = ConfirmedDevice(), unconfirmed = NewDevice();
  EXPECT_EQ(Forget(device), "");
  EXPECT_EQ(Forget(device), kNoDevice);
  for (const std::string& key : {device.key, unconfirmed.key, std::string("eu-central-1_0"), std::string("?")}) {
    const auto refused = SignIn(home_, By(key));
    ASSERT_FALSE(refused) << key;
    EXPECT_EQ(refused.error().code, AuthErrorCode::kResourceNotFound);
    EXPECT_EQ(refused.error().message, kNoDevice);
  }
  EXPECT_EQ(ErrorOf(SignIn(home_, {{"DEVICE_KEY", device.key}, {"PASSWORD", "wrong"}})), kWrong);
}

TEST_F(DevicesTest, AnswerToSrpIsGoodAgainWithoutADeviceThatDoesNotExist) {
  const SrpTestClient client{.pool_name = "TestPool1", .password = std::string(kTestPassword)};
  const auto start = home_.Run<SignInStep>([&](const Context& context) {
    return StartSignIn(
        context, TestClient(home_), Flow::kUserSrp, Door::kPublic,
        {{"USERNAME", std::string(kTestUsername)}, {"SRP_A", client.PublicKeyHex()}, {"DEVICE_KEY", "eu-central-1_0"}});
  });
  Parameters answer = client.Answer(std::get<Challenge>(*start).parameters, Time());
  const auto refused = [&] {
    Parameters named = answer;
    named["DEVICE_KEY"] = "eu-central-1_0";
    return Answer(home_, ChallengeName::kPasswordVerifier, std::nullopt, named);
  };
  EXPECT_EQ(ErrorOf(refused()), kNoDevice);
  EXPECT_EQ(ErrorOf(refused()), kNoDevice);
  const Tokens tokens = TokensOf(Answer(home_, ChallengeName::kPasswordVerifier, std::nullopt, answer));
  EXPECT_TRUE(tokens.new_device);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kPasswordVerifier, std::nullopt, answer)), kUsed);
}

TEST_F(DevicesTest, SomebodyElsesDeviceIsRefused) {
  const TestDevice device = ConfirmedDevice();
  home_.Change([](const Context& context) {
    directory::User bob;
    bob.key = directory::UserKeyOf(context.tx, context.pool, "bob");
    bob.record.set_username("bob");
    bob.record.set_sub("bob's sub");
    bob.record.set_status(directory::pb::CONFIRMED);
    bob.record.set_enabled(true);
    SetPassword(context.env, context.tx.pool(), bob.record, kTestPassword);
    EXPECT_TRUE(directory::InsertUser(context.tx, context.pool, bob, directory::OnAliasConflict::kRefuse));
  });
  EXPECT_EQ(ErrorOf(SignIn(home_, {{"USERNAME", "bob"}, {"DEVICE_KEY", device.key}})), kNoDevice);
  // Nor does bob answer alice's challenge.
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(
      ErrorOf(Answer(home_, ChallengeName::kDeviceSrpAuth, challenge.session,
                     {{"USERNAME", "bob"}, {"DEVICE_KEY", device.key}, {"SRP_A", Client(device).PublicKeyHex()}})),
      kInvalid);
}

TEST_F(DevicesTest, WrongSecretUsesTheChallengeUpAndCounts) {
  const TestDevice device = ConfirmedDevice();
  const Challenge first = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(ErrorOf(Prove(home_, device, first.session, "another secret")), kWrong);
  EXPECT_EQ(ErrorOf(Prove(home_, device, first.session)), kUsed);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ErrorOf(SignInBy(home_, device, "another secret")), kWrong);
  EXPECT_EQ(ErrorOf(SignIn(home_, By(device.key))), "Password attempts exceeded");
  clock_.Advance(minutes(1));
  TokensOf(SignInBy(home_, device));
  home_.See([&](const Context& context) {
    EXPECT_EQ(FailedAttemptsOf(context.tx, TestUser(home_).key, clock_.Now()).count, 0u);
  });
}

TEST_F(DevicesTest, OfOneSessionTokensComeOnce) {
  const TestDevice device = ConfirmedDevice();
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  const Challenge one = ChallengeOf(Begin(home_, device, challenge.session), ChallengeName::kDevicePasswordVerifier);
  EXPECT_FALSE(home_.last_wrote()) << "nothing is proved yet";
  clock_.Advance(std::chrono::seconds(1));
  const Challenge two = ChallengeOf(Begin(home_, device, challenge.session), ChallengeName::kDevicePasswordVerifier);
  TokensOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, ProofOf(device, one)));
  for (const Challenge& again : {one, two}) {
    EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, ProofOf(device, again))),
              kUsed);
  }
  EXPECT_EQ(ErrorOf(Begin(home_, device, challenge.session)), kUsed);
}

TEST_F(DevicesTest, WhatHappensMeanwhileEndsTheSignIn) {
  const TestDevice device = ConfirmedDevice();
  const auto changes = std::vector<std::function<void()>>{
      [&] { DisableTestUser(home_); },
      [&] {
        home_.Change([&](const Context& context) {
          SignOutUser(context.tx, context.region(), TestUser(home_).key, context.now());
        });
      },
      [&] { ChangeUser(home_, [](directory::pb::UserRecord& user) { user.set_token_generation(7); }); },
      [&] { EXPECT_EQ(Remember(device, false), ""); },
  };
  for (const auto& change : changes) {
    const Challenge before = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
    const Challenge begun = ChallengeOf(Begin(home_, device, before.session), ChallengeName::kDevicePasswordVerifier);
    change();
    EXPECT_EQ(ErrorOf(Begin(home_, device, before.session)), kInvalid);
    EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, ProofOf(device, begun))),
              kInvalid);
    EnableTestUser(home_);
  }
  EXPECT_EQ(Remember(device, true), "");
  const Challenge before = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  const Challenge begun = ChallengeOf(Begin(home_, device, before.session), ChallengeName::kDevicePasswordVerifier);
  EXPECT_EQ(Forget(device), "");
  EXPECT_EQ(ErrorOf(Begin(home_, device, before.session)), kNoDevice);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, ProofOf(device, begun))),
            kNoDevice);
}

TEST_F(DevicesTest, ChallengesOfUsersAndDevicesAreNotMixedUp) {
  const TestDevice device = ConfirmedDevice(), other = ConfirmedDevice();
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(ErrorOf(Begin(home_, other, challenge.session)), kInvalid);
  const Challenge begun = ChallengeOf(Begin(home_, device, challenge.session), ChallengeName::kDevicePasswordVerifier);
  Parameters proof = ProofOf(device, begun);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kPasswordVerifier, std::nullopt, proof)), kInvalid);
  proof["DEVICE_KEY"] = other.key;
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, proof)), kInvalid);

  const SrpTestClient client{.pool_name = "TestPool1", .password = std::string(kTestPassword)};
  const auto start = home_.Run<SignInStep>([&](const Context& context) {
    return StartSignIn(context, TestClient(home_), Flow::kUserSrp, Door::kPublic,
                       {{"USERNAME", std::string(kTestUsername)}, {"SRP_A", client.PublicKeyHex()}});
  });
  Parameters password = client.Answer(std::get<Challenge>(*start).parameters, Time());
  password["DEVICE_KEY"] = device.key;
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, password)), kInvalid);
}

TEST_F(DevicesTest, WhatIsMissingOrMalformedIsNamed) {
  const TestDevice device = ConfirmedDevice();
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  const Parameters good{{"DEVICE_KEY", device.key}, {"SRP_A", Client(device).PublicKeyHex()}};
  for (const char* name : {"DEVICE_KEY", "SRP_A"}) {
    Parameters without = good;
    without.erase(name);
    EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDeviceSrpAuth, challenge.session, without)),
              std::string("Missing required parameter ") + name);
  }
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDeviceSrpAuth, std::nullopt, good)),
            "Missing required parameter Session");
  Parameters zero = good;
  zero["SRP_A"] = "0";
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kDeviceSrpAuth, challenge.session, zero)), "Invalid parameter SRP_A");
  clock_.Advance(minutes(3));
  EXPECT_EQ(ErrorOf(Begin(home_, device, challenge.session)), "Invalid session for the user, session is expired.");
}

// ---- refreshing ----

TEST_F(DevicesTest, RefreshTokenIsGoodOnItsConfirmedDeviceOnly) {
  const TestDevice device = NewDevice(), other = ConfirmedDevice();
  EXPECT_EQ(Refresh(home_, device.tokens, device.key), kInvalidRefresh) << "not confirmed";
  EXPECT_EQ(ErrorOf(Confirm(device)), "");
  EXPECT_EQ(Refresh(home_, device.tokens, device.key), "");
  EXPECT_EQ(Refresh(home_, device.tokens, std::nullopt), kInvalidRefresh);
  EXPECT_EQ(Refresh(home_, device.tokens, other.key), kInvalidRefresh);
  EXPECT_EQ(Remember(device, false), "");
  EXPECT_EQ(Refresh(home_, device.tokens, device.key), "");
  EXPECT_EQ(Forget(device), "");
  EXPECT_EQ(Refresh(home_, device.tokens, device.key), kInvalidRefresh);
  const auto by_flow = [&](Parameters parameters) {
    parameters["REFRESH_TOKEN"] = *other.tokens.refresh_token;
    return home_.Run<SignInStep>([&](const Context& context) {
      return StartSignIn(context, TestClient(home_), Flow::kRefreshToken, Door::kPublic, parameters);
    });
  };
  EXPECT_EQ(ErrorOf(by_flow({})), kInvalidRefresh);
  EXPECT_EQ(BoundTo(TokensOf(by_flow(By(other.key)))), other.key);
}

TEST_F(DevicesTest, RotatedRefreshTokenStaysBound) {
  ChangeClient(home_, [](directory::pb::ClientRecord& client) { client.set_refresh_token_rotation(true); });
  const TestDevice device = ConfirmedDevice();
  const auto next = home_.Run<Tokens>([&](const Context& context) {
    return RefreshTokens(context, TestClient(home_), *device.tokens.refresh_token, device.key);
  });
  EXPECT_EQ(BoundTo(*next), device.key);
  EXPECT_EQ(Refresh(home_, *next, std::nullopt), kInvalidRefresh) << "nothing is redeemed";
  EXPECT_EQ(Refresh(home_, *next, device.key), "");
}

TEST_F(DevicesTest, TokensFromBeforeTrackingStayGoodWithoutADevice) {
  home_.pool.clear_device_tracking();
  const Tokens tokens = TokensOf(SignIn(home_));
  Track({.replaces = true});
  EXPECT_EQ(Refresh(home_, tokens, std::nullopt), "");
}

// ---- several Regions ----

TEST_F(DevicesTest, DeviceSignsInAtASecondary) {
  const TestDevice device = ConfirmedDevice();
  GiveAuthenticator();
  const auto away = Secondary();
  // Begun here and ended there, too.
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(BoundTo(TokensOf(Prove(*away, device, challenge.session))), device.key);
  const Tokens tokens = TokensOf(SignInBy(*away, device));
  EXPECT_EQ(Refresh(*away, tokens, device.key), "");
  EXPECT_EQ(Refresh(home_, tokens, device.key), "");
  EXPECT_EQ(Forget(device), "");
  away->CopyDirectoryOf(home_);
  EXPECT_EQ(ErrorOf(SignIn(*away, By(device.key))), kNoDevice);
  EXPECT_EQ(Refresh(*away, tokens, device.key), kInvalidRefresh);
}

TEST_F(DevicesTest, ProofThatTwoRegionsTookWhileApartGivesNobodyLastingAccess) {
  const TestDevice device = ConfirmedDevice();
  const auto away = Secondary();
  const Challenge challenge = ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  const Challenge begun = ChallengeOf(Begin(home_, device, challenge.session), ChallengeName::kDevicePasswordVerifier);
  const Parameters proof = ProofOf(device, begun);
  const Tokens one = TokensOf(Answer(home_, ChallengeName::kDevicePasswordVerifier, std::nullopt, proof));
  const Tokens two = TokensOf(Answer(*away, ChallengeName::kDevicePasswordVerifier, std::nullopt, proof));
  home_.MergeFactsOf(*away);
  for (const Tokens& tokens : {one, two}) {
    EXPECT_EQ(Refresh(home_, tokens, device.key), "Refresh Token has been revoked");
  }
}

TEST_F(DevicesTest, LatestSightingOfAllRegionsCounts) {
  const TestDevice device = ConfirmedDevice();
  const Timestamp confirmed = clock_.Now();
  const auto away = Secondary();
  EXPECT_EQ(LastSeen(home_, device), confirmed);
  clock_.Advance(minutes(10));
  TokensOf(SignInBy(home_, device));
  EXPECT_EQ(LastSeen(home_, device), clock_.Now()) << "each proof, however soon";
  clock_.Advance(minutes(10));
  const Timestamp last = clock_.Now();
  TokensOf(SignInBy(*away, device));
  EXPECT_EQ(LastSeen(*away, device), last);
  EXPECT_NE(LastSeen(home_, device), last);
  away->MergeFactsOf(home_);
  home_.MergeFactsOf(*away);
  EXPECT_EQ(LastSeen(home_, device), last);
  EXPECT_EQ(LastSeen(*away, device), last);
  // Naming it proves nothing.
  clock_.Advance(minutes(10));
  ChallengeOf(SignIn(home_, By(device.key)), ChallengeName::kDeviceSrpAuth);
  EXPECT_EQ(LastSeen(home_, device), last);
  clock_.Advance(kSignInMemory);
  home_.ForgetExpiredFacts();
  EXPECT_EQ(LastSeen(home_, device), confirmed);
}

}  // namespace
}  // namespace symbolon::auth
