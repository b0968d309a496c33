#include "auth/mfa.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auth/access_tokens.h"
#include "auth/refresh.h"
#include "auth/secret_hash.h"
#include "auth/session.h"
#include "auth/software_token.h"
#include "auth/srp_test_client.h"
#include "auth/test_user.h"
#include "base/base32.h"
#include "crypto/jws.h"
#include "crypto/totp.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::PoolRecord;
using directory::pb::UserRecord;
using std::chrono::microseconds;
using std::chrono::minutes;
using std::chrono::seconds;

const std::string kUsed = "Your software token has already been used once.";
const std::string kWrongCode = "Invalid code received for user";
const std::string kInvalid = "Invalid session for the user.";
const std::string kSessionUsed = "Invalid session for the user, session can only be used once.";
const std::string kLockedOut = "Password attempts exceeded";

// "" for success.
template <class T>
std::string ErrorOf(const AuthResult<T>& result) {
  return result ? "" : result.error().message;
}

class MfaTest : public testing::Test {
 protected:
  MfaTest() {
    MakeTestPool(home_);
    SetMfa(directory::pb::MFA_OPTIONAL);
    // In the middle of a step.
    clock_.Advance(seconds(15));
  }

  void SetMfa(directory::pb::MfaMode mode) {
    home_.pool.set_mfa(mode);
    home_.pool.set_software_token_mfa(mode != directory::pb::MFA_OFF);
  }
  // Another Region with the directory as it is now, which may not change it.
  std::unique_ptr<TestRegion> Secondary() {
    auto region = std::make_unique<TestRegion>("us-east-1", pool_, clock_);
    region->CopyDirectoryOf(home_);
    region->is_primary = false;
    return region;
  }
  static void Meet(TestRegion& one, TestRegion& two) {
    one.MergeFactsOf(two);
    two.MergeFactsOf(one);
  }

  AuthResult<std::string> Associate() {
    return home_.Run<std::string>([&](const Context& context) {
      directory::User user = TestUser(home_);
      return AssociateSoftwareToken(context, user);
    });
  }
  AuthResult<bool> Verify(std::string_view code, std::string_view device_name = "") {
    return home_.Run<bool>([&](const Context& context) -> AuthResult<bool> {
      directory::User user = TestUser(home_);
      SYMBOLON_TRY_VOID(VerifySoftwareToken(context, user, code, device_name));
      return true;
    });
  }
  AuthResult<bool> Prefer(bool enabled, bool preferred) {
    return home_.Run<bool>([&](const Context& context) -> AuthResult<bool> {
      directory::User user = TestUser(home_);
      SYMBOLON_TRY_VOID(PreferSoftwareToken(context, user, enabled, preferred));
      return true;
    });
  }
  // A verified and enabled token, whose verification lies far enough back to be of no concern.
  void Enrol(std::string_view device_name = "") {
    ASSERT_TRUE(Associate());
    ASSERT_EQ(ErrorOf(Verify(CodeOf(TestUser(home_).record.pending_software_token()), device_name)), "");
    ASSERT_EQ(ErrorOf(Prefer(true, true)), "");
    clock_.Advance(minutes(5));
  }
  // The user's app, `steps` from now.
  std::string CodeOf(const directory::pb::SoftwareToken& token, int steps = 0) {
    return crypto::HotpCode(token.secret(), crypto::TotpStepAt(clock_.Now() + steps * crypto::kTotpStep));
  }
  std::string Code(int steps = 0) { return CodeOf(TestUser(home_).record.software_token(), steps); }
  // One that no step in reach has.
  std::string WrongCode() {
    std::string code = "000000";
    while (code == Code(-1) || code == Code(0) || code == Code(1)) code[5] = static_cast<char>(code[5] + 1);
    return code;
  }

  AuthResult<SignInStep> SignIn(TestRegion& region, std::string_view password = kTestPassword) {
    return region.Run<SignInStep>([&](const Context& context) {
      return StartSignIn(context, TestClient(region), Flow::kUserPassword, Door::kPublic,
                         {{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", std::string(password)}});
    });
  }
  Challenge ChallengeIn(TestRegion& region) { return std::get<Challenge>(SignIn(region).value()); }
  AuthResult<SignInStep> Answer(TestRegion& region, ChallengeName name, const std::optional<std::string>& session,
                                Parameters responses) {
    responses.try_emplace("USERNAME", kTestUsername);
    return region.Run<SignInStep>(
        [&](const Context& context) { return AnswerChallenge(context, TestClient(region), name, session, responses); });
  }
  AuthResult<SignInStep> AnswerCode(TestRegion& region, const std::optional<std::string>& session,
                                    const std::string& code) {
    return Answer(region, ChallengeName::kSoftwareTokenMfa, session, {{"SOFTWARE_TOKEN_MFA_CODE", code}});
  }
  // From the password on.
  AuthResult<SignInStep> SignInWith(TestRegion& region, const std::string& code) {
    return AnswerCode(region, ChallengeIn(region).session, code);
  }

  bool IsLive(TestRegion& region, const Tokens& tokens) {
    AccessTokenVerifier verifier;
    const auto presented = verifier.Present(tokens.access_token);
    const auto claims = verifier.Verify(*presented, TestPublicRecord(region), region.settings(), clock_.Now()).value();
    const bool access =
        region.See([&](const Context& context) { return CheckSignedIn(context.tx, context.pool, *claims); })
            .has_value();
    const bool refresh = region
                             .Run<Tokens>([&](const Context& context) {
                               return RefreshTokens(context, TestClient(region), *tokens.refresh_token);
                             })
                             .has_value();
    EXPECT_EQ(access, refresh);
    return access;
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion home_{"eu-central-1", pool_, clock_};
};

bool IsTokens(const AuthResult<SignInStep>& step) { return step && std::holds_alternative<Tokens>(*step); }
Tokens TokensOf(const AuthResult<SignInStep>& step) { return std::get<Tokens>(step.value()); }
std::string FamilyOf(const Tokens& tokens) {
  return std::string(crypto::ParseJws(tokens.access_token)->unverified_claims().at("origin_jti").as_string());
}

// ---- association ----

TEST_F(MfaTest, SecretIsLongRandomAndBase32) {
  const std::string first = *Associate();
  EXPECT_EQ(first.size(), 52u);
  EXPECT_EQ(first, Base32Encode(TestUser(home_).record.pending_software_token().secret()));
  EXPECT_NE(*Associate(), first);
}

TEST_F(MfaTest, PoolWithoutSoftwareTokensHasNone) {
  SetMfa(directory::pb::MFA_OFF);
  const auto refused = Associate();
  EXPECT_EQ(refused.error().code, AuthErrorCode::kSoftwareTokenMfaNotFound);
  EXPECT_EQ(refused.error().message, "Software Token MFA has not been enabled by the userPool.");
}

TEST_F(MfaTest, SecretWaitsForARightCodeAndForThePreference) {
  EXPECT_EQ(Verify("123456").error().code, AuthErrorCode::kSoftwareTokenMfaNotFound) << "nothing waits";
  ASSERT_TRUE(Associate());
  EXPECT_EQ(Prefer(true, true).error().message, "User does not have delivery config set to turn on SOFTWARE_TOKEN_MFA");
  EXPECT_TRUE(IsTokens(SignIn(home_)));

  const auto pending = TestUser(home_).record.pending_software_token();
  std::string wrong = CodeOf(pending);
  wrong[0] = wrong[0] == '0' ? '1' : '0';
  const auto refused = Verify(wrong);
  EXPECT_EQ(refused.error().code, AuthErrorCode::kEnableSoftwareTokenMfa);
  EXPECT_EQ(refused.error().message, "Code mismatch and fail enable Software Token MFA");
  EXPECT_EQ(ErrorOf(Verify(CodeOf(pending), "phone")), "");
  EXPECT_FALSE(TestUser(home_).record.has_pending_software_token());
  EXPECT_EQ(TestUser(home_).record.software_token().secret(), pending.secret());
  EXPECT_TRUE(IsTokens(SignIn(home_))) << "verified is not switched on";

  EXPECT_EQ(ErrorOf(Prefer(true, false)), "");
  const Challenge challenge = ChallengeIn(home_);
  EXPECT_EQ(challenge.name, ChallengeName::kSoftwareTokenMfa);
  EXPECT_EQ(challenge.parameters, (Parameters{{"FRIENDLY_DEVICE_NAME", "phone"}, {"USER_ID_FOR_SRP", "alice"}}));
}

TEST_F(MfaTest, CodeThatVerifiedSignsNobodyIn) {
  ASSERT_TRUE(Associate());
  const std::string code = CodeOf(TestUser(home_).record.pending_software_token());
  ASSERT_EQ(ErrorOf(Verify(code)), "");
  ASSERT_EQ(ErrorOf(Prefer(true, true)), "");
  EXPECT_EQ(ErrorOf(SignInWith(home_, code)), kUsed);
  EXPECT_TRUE(IsTokens(SignInWith(home_, Code(1))));
}

TEST_F(MfaTest, NewTokenTakesTheOldOnesPlaceWhenItIsVerified) {
  Enrol();
  ASSERT_TRUE(Associate());
  const std::string old_code = Code();
  EXPECT_TRUE(IsTokens(SignInWith(home_, old_code))) << "the new one only waits";
  ASSERT_EQ(ErrorOf(Verify(CodeOf(TestUser(home_).record.pending_software_token()))), "");
  const std::string new_code = Code(1);
  EXPECT_EQ(ErrorOf(SignInWith(home_, old_code)), kWrongCode);
  EXPECT_TRUE(IsTokens(SignInWith(home_, new_code)));
}

TEST_F(MfaTest, DeletedTokenAsksForNothing) {
  Enrol();
  const Challenge challenge = ChallengeIn(home_);
  home_.Change([&](const Context& context) {
    directory::User user = TestUser(home_);
    DeleteSoftwareToken(context, user);
  });
  EXPECT_EQ(AnswerCode(home_, challenge.session, "123456").error().code, AuthErrorCode::kSoftwareTokenMfaNotFound);
  EXPECT_TRUE(IsTokens(SignIn(home_)));
  EXPECT_FALSE(TestUser(home_).record.software_token_enabled());
}

TEST_F(MfaTest, PreferenceIsTheUsersOnlyWhereThePoolLeavesIt) {
  Enrol();
  EXPECT_EQ(Prefer(false, true).error().code, AuthErrorCode::kInvalidParameter);
  ASSERT_EQ(ErrorOf(Prefer(false, false)), "");
  EXPECT_TRUE(IsTokens(SignIn(home_)));
  SetMfa(directory::pb::MFA_ON);
  EXPECT_EQ(ChallengeIn(home_).name, ChallengeName::kSoftwareTokenMfa);
  SetMfa(directory::pb::MFA_OFF);
  EXPECT_TRUE(IsTokens(SignIn(home_)));
}

TEST_F(MfaTest, NameOfADeviceIsBounded) {
  ASSERT_TRUE(Associate());
  const std::string code = CodeOf(TestUser(home_).record.pending_software_token());
  EXPECT_EQ(Verify(code, std::string(257, 'x')).error().code, AuthErrorCode::kInvalidParameter);
  EXPECT_EQ(ErrorOf(Verify(code, std::string(256, 'x'))), "");
}

// ---- SOFTWARE_TOKEN_MFA ----

TEST_F(MfaTest, RightCodeGetsTokensAndItsStepIsUsedUp) {
  Enrol();
  const Challenge one = ChallengeIn(home_), two = ChallengeIn(home_);
  const std::string code = Code();
  EXPECT_TRUE(IsTokens(AnswerCode(home_, one.session, code)));
  EXPECT_EQ(ErrorOf(AnswerCode(home_, one.session, Code(1))), kSessionUsed);
  const auto again = AnswerCode(home_, two.session, code);
  EXPECT_EQ(again.error().code, AuthErrorCode::kExpiredCode);
  EXPECT_EQ(again.error().message, kUsed);
  EXPECT_TRUE(IsTokens(AnswerCode(home_, two.session, Code(1)))) << "a used code leaves the session good";
}

TEST_F(MfaTest, CodesOfTheNeighbouringStepsAreGoodAndNoOthers) {
  Enrol();
  for (const int steps : {-2, 2}) EXPECT_EQ(ErrorOf(SignInWith(home_, Code(steps))), kWrongCode) << steps;
  for (const int steps : {1, -1, 0}) EXPECT_TRUE(IsTokens(SignInWith(home_, Code(steps)))) << steps;
}

TEST_F(MfaTest, StepsEndToTheMicrosecond) {
  Enrol();
  const std::string code = Code();
  const Challenge challenge = ChallengeIn(home_);
  const Timestamp end = crypto::TotpStepBegin(crypto::TotpStepAt(clock_.Now()) + 2);
  clock_.Advance(end - clock_.Now());
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, code)), kWrongCode);
  clock_.Advance(-microseconds(1));
  EXPECT_TRUE(IsTokens(AnswerCode(home_, challenge.session, code)));
}

TEST_F(MfaTest, WhatIsNoCodeIsAWrongOne) {
  Enrol();
  const Challenge challenge = ChallengeIn(home_);
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, "")), "Missing required parameter SOFTWARE_TOKEN_MFA_CODE");
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, Code() + "0")), kWrongCode);
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, "abcdef")), kWrongCode);
}

TEST_F(MfaTest, SessionsAreForTheirUserTheirClientAndTheirChallenge) {
  Enrol();
  const Challenge challenge = ChallengeIn(home_);
  EXPECT_EQ(ErrorOf(AnswerCode(home_, std::nullopt, Code())), "Missing required parameter Session");
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kSoftwareTokenMfa, challenge.session,
                           {{"USERNAME", "bob"}, {"SOFTWARE_TOKEN_MFA_CODE", Code()}})),
            kInvalid);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kMfaSetup, challenge.session, {})), kInvalid);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kNewPasswordRequired, challenge.session,
                           {{"NEW_PASSWORD", "A new password 1!"}})),
            kInvalid);
  ChangeUser(home_, [](UserRecord& user) { user.set_token_generation(user.token_generation() + 1); });
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, Code())), kInvalid) << "a password set meanwhile";
  const Challenge late = ChallengeIn(home_);
  clock_.Advance(minutes(3));
  EXPECT_EQ(ErrorOf(AnswerCode(home_, late.session, Code())), "Invalid session for the user, session is expired.");
}

TEST_F(MfaTest, ClientWithASecretProvesItAgain) {
  ChangeClient(home_, [](ClientRecord& client) { client.add_secrets("secret"); });
  Enrol();
  const std::string hash = SecretHashOf("secret", kTestUsername, kTestClient);
  const auto step = home_.Run<SignInStep>([&](const Context& context) {
    return StartSignIn(
        context, TestClient(home_), Flow::kUserPassword, Door::kPublic,
        {{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", std::string(kTestPassword)}, {"SECRET_HASH", hash}});
  });
  const auto session = std::get<Challenge>(step.value()).session;
  EXPECT_EQ(AnswerCode(home_, session, Code()).error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_TRUE(IsTokens(Answer(home_, ChallengeName::kSoftwareTokenMfa, session,
                              {{"SOFTWARE_TOKEN_MFA_CODE", Code()}, {"SECRET_HASH", hash}})));
}

TEST_F(MfaTest, SrpLeadsToTheSecondFactor) {
  Enrol();
  const SrpTestClient srp{.pool_name = std::string(PoolName(pool_.id)), .password = std::string(kTestPassword)};
  const auto step = home_.Run<SignInStep>([&](const Context& context) {
    return StartSignIn(context, TestClient(home_), Flow::kUserSrp, Door::kPublic,
                       {{"USERNAME", std::string(kTestUsername)}, {"SRP_A", srp.PublicKeyHex()}});
  });
  const Challenge verifier = std::get<Challenge>(step.value());
  const Parameters proof = srp.Answer(verifier.parameters, "Fri Jan 15 08:05:15 UTC 2027");
  const auto answered = Answer(home_, ChallengeName::kPasswordVerifier, std::nullopt, proof);
  ASSERT_TRUE(answered) << answered.error().message;
  const Challenge challenge = std::get<Challenge>(*answered);
  EXPECT_EQ(challenge.name, ChallengeName::kSoftwareTokenMfa);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kPasswordVerifier, std::nullopt, proof)), kSessionUsed);
  EXPECT_TRUE(IsTokens(AnswerCode(home_, challenge.session, Code())));
}

TEST_F(MfaTest, NewPasswordLeadsToTheSecondFactor) {
  Enrol();
  ChangeUser(home_, [](UserRecord& user) { user.set_status(directory::pb::FORCE_CHANGE_PASSWORD); });
  const Challenge asked = ChallengeIn(home_);
  ASSERT_EQ(asked.name, ChallengeName::kNewPasswordRequired);
  const auto step =
      Answer(home_, ChallengeName::kNewPasswordRequired, asked.session, {{"NEW_PASSWORD", "A new password 1!"}});
  const Challenge challenge = std::get<Challenge>(step.value());
  EXPECT_EQ(challenge.name, ChallengeName::kSoftwareTokenMfa);
  EXPECT_TRUE(IsTokens(AnswerCode(home_, challenge.session, Code())));
}

// ---- guesses ----

TEST_F(MfaTest, WrongCodesAndWrongPasswordsShareOneBudget) {
  Enrol();
  const Challenge challenge = ChallengeIn(home_);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ErrorOf(SignIn(home_, "wrong")), "Incorrect username or password.");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, WrongCode())), kWrongCode);
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, Code())), kLockedOut);
  EXPECT_EQ(ErrorOf(SignIn(home_)), kLockedOut);
  clock_.Advance(seconds(1));
  EXPECT_TRUE(IsTokens(AnswerCode(home_, challenge.session, Code())));
  for (int i = 0; i < 4; ++i) EXPECT_EQ(ErrorOf(SignIn(home_, "wrong")), "Incorrect username or password.");
  EXPECT_EQ(ChallengeIn(home_).name, ChallengeName::kSoftwareTokenMfa) << "the code began the count anew";
}

TEST_F(MfaTest, RightPasswordDoesNotWinGuessesBack) {
  Enrol();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ErrorOf(SignInWith(home_, WrongCode())), kWrongCode) << i;
  EXPECT_EQ(ErrorOf(SignIn(home_)), kLockedOut);
}

TEST_F(MfaTest, GuessesInTwoRegionsAddUp) {
  Enrol();
  const auto away = Secondary();
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ErrorOf(SignInWith(home_, WrongCode())), kWrongCode);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(ErrorOf(SignInWith(*away, WrongCode())), kWrongCode);
  Meet(home_, *away);
  EXPECT_EQ(ErrorOf(SignIn(home_)), kLockedOut);
  EXPECT_EQ(ErrorOf(SignIn(*away)), kLockedOut);
}

// ---- used steps in two Regions ----

TEST_F(MfaTest, SecondaryAloneSignsInAndTheStepIsRefusedWhereTheFactArrived) {
  Enrol();
  const auto away = Secondary();
  const std::string code = Code();
  const Challenge challenge = ChallengeIn(home_);
  const Tokens tokens = TokensOf(AnswerCode(*away, challenge.session, code));
  EXPECT_EQ(ErrorOf(SignInWith(*away, code)), kUsed);
  home_.MergeFactsOf(*away);
  EXPECT_EQ(ErrorOf(SignInWith(home_, code)), kUsed);
  EXPECT_EQ(ErrorOf(AnswerCode(home_, challenge.session, Code(1))), kSessionUsed);
  EXPECT_TRUE(IsLive(home_, tokens));
  EXPECT_TRUE(IsLive(*away, tokens));
}

TEST_F(MfaTest, StepUsedInTwoCutOffRegionsRevokesWhatCameOfBoth) {
  Enrol();
  const auto away = Secondary();
  const std::string code = Code();
  const Tokens one = TokensOf(SignInWith(home_, code)), two = TokensOf(SignInWith(*away, code));
  const Tokens other = TokensOf(SignInWith(home_, Code(1)));
  EXPECT_EQ(FamilyOf(one), FamilyOf(two));
  EXPECT_NE(FamilyOf(one), FamilyOf(other));
  EXPECT_TRUE(IsLive(home_, one));
  EXPECT_TRUE(IsLive(*away, two));
  Meet(home_, *away);
  for (TestRegion* region : {&home_, away.get()}) {
    EXPECT_FALSE(IsLive(*region, one));
    EXPECT_FALSE(IsLive(*region, two));
    EXPECT_TRUE(IsLive(*region, other));
  }
}

TEST_F(MfaTest, DoubleUseThatWasSeenRevokesForAsLongAsTheTokensLive) {
  Enrol();
  const auto away = Secondary();
  const std::string code = Code();
  const Tokens one = TokensOf(SignInWith(home_, code)), two = TokensOf(SignInWith(*away, code));
  Meet(home_, *away);
  EXPECT_FALSE(IsLive(home_, one));
  EXPECT_TRUE(home_.last_wrote());
  EXPECT_FALSE(IsLive(home_, one));
  EXPECT_FALSE(home_.last_wrote()) << "once is enough";
  clock_.Advance(std::chrono::days(8));
  home_.ForgetExpiredFacts();
  const auto refreshed = home_.Run<Tokens>(
      [&](const Context& context) { return RefreshTokens(context, TestClient(home_), *two.refresh_token); });
  EXPECT_EQ(ErrorOf(refreshed), "Refresh Token has been revoked");
}

TEST_F(MfaTest, StepsOfAnotherTokenAreOthers) {
  Enrol();
  EXPECT_TRUE(IsTokens(SignInWith(home_, Code())));
  ASSERT_TRUE(Associate());
  EXPECT_EQ(ErrorOf(Verify(CodeOf(TestUser(home_).record.pending_software_token()))), "");
}

// ---- MFA_SETUP ----

class MfaSetupTest : public MfaTest {
 protected:
  MfaSetupTest() { SetMfa(directory::pb::MFA_ON); }

  AuthResult<Association> AssociateIn(const std::string& session) {
    return home_.Run<Association>([&](const Context& context) { return AssociateInSession(context, session); });
  }
  AuthResult<std::string> VerifyIn(const std::string& session, const std::string& code) {
    return home_.Run<std::string>(
        [&](const Context& context) { return VerifyInSession(context, session, code, "phone"); });
  }
  std::string PendingCode() { return CodeOf(TestUser(home_).record.pending_software_token()); }
};

TEST_F(MfaSetupTest, UserWithoutATokenSetsOneUpAndIsSignedIn) {
  const Challenge challenge = ChallengeIn(home_);
  EXPECT_EQ(challenge.name, ChallengeName::kMfaSetup);
  EXPECT_EQ(challenge.parameters,
            (Parameters{{"MFAS_CAN_SETUP", R"(["SOFTWARE_TOKEN_MFA"])"}, {"USER_ID_FOR_SRP", "alice"}}));
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kMfaSetup, challenge.session, {})), kInvalid) << "nothing is set up";
  EXPECT_EQ(ErrorOf(VerifyIn(*challenge.session, "123456")), kInvalid) << "nothing is associated";

  const Association association = AssociateIn(*challenge.session).value();
  EXPECT_EQ(association.secret_code, Base32Encode(TestUser(home_).record.pending_software_token().secret()));
  EXPECT_EQ(ErrorOf(AssociateIn(*challenge.session)), kSessionUsed);
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kMfaSetup, association.session, {})), kInvalid);

  std::string wrong = PendingCode();
  wrong[0] = wrong[0] == '0' ? '1' : '0';
  EXPECT_EQ(VerifyIn(association.session, wrong).error().code, AuthErrorCode::kEnableSoftwareTokenMfa);
  const std::string verified = VerifyIn(association.session, PendingCode()).value();
  EXPECT_TRUE(IsTokens(Answer(home_, ChallengeName::kMfaSetup, verified, {})));
  EXPECT_EQ(ErrorOf(Answer(home_, ChallengeName::kMfaSetup, verified, {})), kSessionUsed);
  EXPECT_TRUE(TestUser(home_).record.software_token_enabled());
  EXPECT_TRUE(TestUser(home_).record.software_token_preferred());

  clock_.Advance(minutes(1));
  EXPECT_EQ(ChallengeIn(home_).name, ChallengeName::kSoftwareTokenMfa);
  EXPECT_TRUE(IsTokens(SignInWith(home_, Code())));
}

TEST_F(MfaSetupTest, PasswordAloneReplacesNoToken) {
  // Two begin; the second one holds a session from before the first finished.
  const Challenge first = ChallengeIn(home_), second = ChallengeIn(home_), third = ChallengeIn(home_);
  const Association waiting = AssociateIn(*second.session).value();
  const Association association = AssociateIn(*first.session).value();
  ASSERT_TRUE(VerifyIn(association.session, PendingCode()));
  EXPECT_EQ(ErrorOf(AssociateIn(*third.session)), kInvalid);
  EXPECT_EQ(ErrorOf(VerifyIn(waiting.session, "123456")), kInvalid);
}

TEST_F(MfaSetupTest, SessionsOfOtherChallengesSetNothingUp) {
  Enrol();
  const Challenge challenge = ChallengeIn(home_);
  ASSERT_EQ(challenge.name, ChallengeName::kSoftwareTokenMfa);
  EXPECT_EQ(ErrorOf(AssociateIn(*challenge.session)), kInvalid);
  EXPECT_EQ(ErrorOf(VerifyIn(*challenge.session, Code())), kInvalid);
  EXPECT_EQ(ErrorOf(AssociateIn("garbage")), kInvalid);
}

TEST_F(MfaSetupTest, FactorOfANewerVersionKeepsPeopleOut) {
  home_.pool.set_software_token_mfa(false);
  EXPECT_EQ(SignIn(home_).error().code, AuthErrorCode::kInternal);
}

}  // namespace
}  // namespace symbolon::auth
