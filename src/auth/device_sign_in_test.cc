#include "auth/device_sign_in.h"

#include "auth/lockout.h"
#include "auth/mfa.h"
#include "auth/password.h"
#include "auth/software_token.h"
#include "auth/test_devices.h"

namespace symbolon::auth {
namespace {

using std::chrono::hours;
using std::chrono::minutes;

const std::string kNoDevice = "Device does not exist.";
const std::string kInvalidRefresh = "Invalid Refresh Token";
const std::string kInvalid = "Invalid session for the user.";
const std::string kUsed = "Invalid session for the user, session can only be used once.";
const std::string kWrong = "Incorrect username or password.";

using DeviceSignInTest = DevicesTest;

TEST_F(DeviceSignInTest, RememberedDeviceStandsForTheSecondFactor) {
  const TestDevice device = ConfirmedDevice();
  GiveAuthenticator();
  ChallengeOf(SignIn(home_), ChallengeName::kSoftwareTokenMfa);
  const Tokens tokens = TokensOf(SignInBy(home_, device));
  EXPECT_FALSE(tokens.new_device);
  EXPECT_EQ(BoundTo(tokens), device.key);
  EXPECT_EQ(Refresh(home_, tokens, device.key), "");
}

TEST_F(DeviceSignInTest, WhereItDoesNotStandForItTheDeviceComesAfterTheCode) {
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

TEST_F(DeviceSignInTest, DeviceDoesNotStandForTheSettingUpOfAnAuthenticator) {
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

TEST_F(DeviceSignInTest, DeviceIsCarriedThroughANewPassword) {
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

TEST_F(DeviceSignInTest, DeviceThatTheUserHasNotIsRefusedAfterTheRightPassword) {
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

TEST_F(DeviceSignInTest, AnswerToSrpIsGoodAgainWithoutADeviceThatDoesNotExist) {
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

TEST_F(DeviceSignInTest, SomebodyElsesDeviceIsRefused) {
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

TEST_F(DeviceSignInTest, WrongSecretUsesTheChallengeUpAndCounts) {
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

TEST_F(DeviceSignInTest, OfOneSessionTokensComeOnce) {
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

TEST_F(DeviceSignInTest, WhatHappensMeanwhileEndsTheSignIn) {
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

TEST_F(DeviceSignInTest, ChallengesOfUsersAndDevicesAreNotMixedUp) {
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

TEST_F(DeviceSignInTest, WhatIsMissingOrMalformedIsNamed) {
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

TEST_F(DeviceSignInTest, RefreshTokenIsGoodOnItsConfirmedDeviceOnly) {
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

TEST_F(DeviceSignInTest, RotatedRefreshTokenStaysBound) {
  ChangeClient(home_, [](directory::pb::ClientRecord& client) { client.set_refresh_token_rotation(true); });
  const TestDevice device = ConfirmedDevice();
  const auto next = home_.Run<Tokens>([&](const Context& context) {
    return RefreshTokens(context, TestClient(home_), *device.tokens.refresh_token, device.key);
  });
  EXPECT_EQ(BoundTo(*next), device.key);
  EXPECT_EQ(Refresh(home_, *next, std::nullopt), kInvalidRefresh) << "nothing is redeemed";
  EXPECT_EQ(Refresh(home_, *next, device.key), "");
}

TEST_F(DeviceSignInTest, TokensFromBeforeTrackingStayGoodWithoutADevice) {
  home_.pool.clear_device_tracking();
  const Tokens tokens = TokensOf(SignIn(home_));
  Track({.replaces = true});
  EXPECT_EQ(Refresh(home_, tokens, std::nullopt), "");
}

// ---- several Regions ----

TEST_F(DeviceSignInTest, DeviceSignsInAtASecondary) {
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

TEST_F(DeviceSignInTest, ProofThatTwoRegionsTookWhileApartGivesNobodyLastingAccess) {
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

TEST_F(DeviceSignInTest, LatestSightingOfAllRegionsCounts) {
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
