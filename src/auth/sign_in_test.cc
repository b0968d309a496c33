#include "auth/sign_in.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auth/access_tokens.h"
#include "auth/password.h"
#include "auth/secret_hash.h"
#include "auth/session.h"
#include "auth/test_user.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::UserRecord;

class SignInTest : public testing::Test {
 protected:
  SignInTest() { MakeTestPool(region_); }

  AuthResult<SignInStep> Start(Flow flow, Door door, const Parameters& parameters) {
    return region_.Run<SignInStep>(
        [&](const Context& context) { return StartSignIn(context, TestClient(region_), flow, door, parameters); });
  }
  AuthResult<SignInStep> SignIn(std::string_view password = kTestPassword, std::string_view username = kTestUsername) {
    return Start(Flow::kUserPassword, Door::kPublic,
                 {{"USERNAME", std::string(username)}, {"PASSWORD", std::string(password)}});
  }
  AuthResult<SignInStep> ChooseNewPassword(const std::optional<std::string>& session, Parameters responses) {
    return ChooseNewPasswordIn(region_, session, std::move(responses));
  }
  AuthResult<SignInStep> ChooseNewPasswordIn(TestRegion& region, const std::optional<std::string>& session,
                                             Parameters responses) {
    responses.try_emplace("USERNAME", kTestUsername);
    responses.try_emplace("NEW_PASSWORD", "A new password 1!");
    return region.Run<SignInStep>([&](const Context& context) {
      return AnswerChallenge(context, TestClient(region), ChallengeName::kNewPasswordRequired, session, responses);
    });
  }
  void ForceChange() {
    ChangeUser(region_, [&](UserRecord& user) { user.set_status(directory::pb::FORCE_CHANGE_PASSWORD); });
  }
  Challenge ChallengeOf(AuthResult<SignInStep> step) { return std::get<Challenge>(step.value()); }

  TestPool pool_;
  ManualClock clock_;
  TestRegion region_{"eu-central-1", pool_, clock_};
};

// What is sealed in a session's text, after the client's id.
Bytes SealedPartOf(const std::string& session) {
  const Bytes octets = *Base64UrlDecode(session);
  return octets.substr(octets.find('\0') + 1);
}

auto IsTokens = [](const AuthResult<SignInStep>& step) { return step && std::holds_alternative<Tokens>(*step); };

TEST_F(SignInTest, RightPasswordGetsTokensAndChangesNothing) {
  const auto step = SignIn();
  ASSERT_TRUE(IsTokens(step));
  EXPECT_TRUE(std::get<Tokens>(*step).refresh_token);
  EXPECT_FALSE(region_.last_wrote());
}

TEST_F(SignInTest, FlowsFitTheirDoor) {
  const Parameters parameters = {{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", std::string(kTestPassword)}};
  EXPECT_TRUE(IsTokens(Start(Flow::kAdminUserPassword, Door::kAdmin, parameters)));
  EXPECT_EQ(Start(Flow::kAdminUserPassword, Door::kPublic, parameters).error().message,
            "Initiate Auth method not supported");
  EXPECT_EQ(Start(Flow::kUserPassword, Door::kAdmin, parameters).error().message, "Initiate Auth method not supported");
}

TEST_F(SignInTest, FlowsAreTheClients) {
  const auto with = [](std::initializer_list<const char*> flows) {
    ClientRecord client;
    for (const char* flow : flows) client.add_explicit_auth_flows(flow);
    return client;
  };
  const auto allowed = [&](const ClientRecord& client) {
    std::string flows;
    if (CheckFlow(client, Flow::kUserPassword, Door::kPublic)) flows += "p";
    if (CheckFlow(client, Flow::kAdminUserPassword, Door::kAdmin)) flows += "a";
    if (CheckFlow(client, Flow::kUserSrp, Door::kPublic)) flows += "s";
    if (CheckFlow(client, Flow::kRefreshToken, Door::kPublic)) flows += "r";
    return flows;
  };
  EXPECT_EQ(allowed(with({})), "sr") << "what AWS allows a client without a list";
  EXPECT_EQ(allowed(with({"ALLOW_USER_PASSWORD_AUTH"})), "p");
  EXPECT_EQ(allowed(with({"ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"})), "ar");
  EXPECT_EQ(allowed(with({"ALLOW_USER_SRP_AUTH"})), "s");
  EXPECT_EQ(allowed(with({"ALLOW_CLIENT_TOKEN_AUTH"})), "");
  EXPECT_EQ(allowed(with({"ADMIN_NO_SRP_AUTH"})), "asr");
  EXPECT_EQ(allowed(with({"USER_PASSWORD_AUTH"})), "psr");
  EXPECT_EQ(allowed(with({"CUSTOM_AUTH_FLOW_ONLY"})), "r");
  EXPECT_EQ(CheckFlow(with({}), Flow::kUserPassword, Door::kPublic).error().message,
            "USER_PASSWORD_AUTH flow not enabled for this client");
  EXPECT_EQ(CheckFlow(with({}), Flow::kUserPassword, Door::kPublic).error().code, AuthErrorCode::kInvalidParameter);
}

TEST_F(SignInTest, ParametersAreRequired) {
  EXPECT_EQ(Start(Flow::kUserPassword, Door::kPublic, {}).error().message, "Missing required parameter USERNAME");
  EXPECT_EQ(Start(Flow::kUserPassword, Door::kPublic, {{"USERNAME", "alice"}}).error().message,
            "Missing required parameter PASSWORD");
  EXPECT_EQ(Start(Flow::kUserPassword, Door::kPublic, {{"USERNAME", "alice"}, {"PASSWORD", ""}}).error().code,
            AuthErrorCode::kInvalidParameter);
}

TEST_F(SignInTest, ClientWithSecretsProvesOne) {
  ChangeClient(region_, [](ClientRecord& client) {
    client.add_secrets("first secret");
    client.add_secrets("second secret");
  });
  EXPECT_EQ(SignIn().error().message,
            "Client client1client1client1clien is configured with secret but SECRET_HASH was not received");
  const auto with = [&](const std::string& secret) {
    return Start(Flow::kUserPassword, Door::kPublic,
                 {{"USERNAME", std::string(kTestUsername)},
                  {"PASSWORD", std::string(kTestPassword)},
                  {"SECRET_HASH", SecretHashOf(secret, kTestUsername, kTestClient)}});
  };
  EXPECT_TRUE(IsTokens(with("first secret")));
  EXPECT_TRUE(IsTokens(with("second secret")));
  EXPECT_EQ(with("third secret").error().message, "Unable to verify secret hash for client client1client1client1clien");
  EXPECT_EQ(with("third secret").error().code, AuthErrorCode::kNotAuthorized);
}

TEST_F(SignInTest, WrongPasswordIsCounted) {
  const auto step = SignIn("wrong");
  EXPECT_EQ(step.error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(step.error().message, "Incorrect username or password.");
  EXPECT_TRUE(region_.last_wrote());
}

TEST_F(SignInTest, FifthFailureLocksAlsoTheRightPassword) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(SignIn("wrong").error().message, "Incorrect username or password.");
  EXPECT_EQ(SignIn().error().message, "Password attempts exceeded");
  EXPECT_FALSE(region_.last_wrote()) << "attempts while locked are not counted";
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_TRUE(IsTokens(SignIn()));
  EXPECT_TRUE(region_.last_wrote()) << "a success begins anew";
  EXPECT_TRUE(IsTokens(SignIn()));
  EXPECT_FALSE(region_.last_wrote());
}

TEST_F(SignInTest, GuessesSideBySideAreAllCounted) {
  // Six plans begin on the same snapshot; the store lets one after the other through.
  std::vector<std::unique_ptr<directory::Transaction>> attempts;
  const Parameters guess = {{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", "wrong"}};
  const auto plan = [&](directory::Transaction& tx) {
    directory::Env env(clock_.Now(), region_.random(), region_.settings());
    const Context context{.tx = tx, .env = env, .pool = region_.pool, .signer = region_.signer};
    return StartSignIn(context, TestClient(region_), Flow::kUserPassword, Door::kPublic, guess).error().message;
  };
  for (int i = 0; i < 6; ++i) {
    attempts.push_back(region_.Begin());
    plan(*attempts.back());
  }
  int committed = 0;
  for (auto& attempt : attempts) committed += region_.Commit(*attempt) ? 1 : 0;
  EXPECT_EQ(committed, 1) << "the others plan again and see it";
}

TEST_F(SignInTest, StatesAreToldAfterTheRightPasswordOnly) {
  const auto with = [&](const std::function<void(UserRecord&)>& change) {
    ChangeUser(region_, change);
    EXPECT_EQ(SignIn("wrong").error().message, "Incorrect username or password.");
    return SignIn().error();
  };
  DisableTestUser(region_);
  const AuthError disabled = with([](UserRecord&) {});
  EnableTestUser(region_);
  EXPECT_EQ(disabled.code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(disabled.message, "User is disabled.");
  const AuthError unconfirmed = with([](UserRecord& user) { user.set_status(directory::pb::UNCONFIRMED); });
  EXPECT_EQ(unconfirmed.code, AuthErrorCode::kUserNotConfirmed);
  EXPECT_EQ(unconfirmed.message, "User is not confirmed.");
  const AuthError reset = with([](UserRecord& user) { user.set_status(directory::pb::RESET_REQUIRED); });
  EXPECT_EQ(reset.code, AuthErrorCode::kPasswordResetRequired);
  EXPECT_EQ(reset.message, "Password reset required for the user");
  const AuthError expired = with([&](UserRecord& user) {
    user.set_status(directory::pb::FORCE_CHANGE_PASSWORD);
    user.set_temporary_password_expires_micros(ToMicros(clock_.Now()));
  });
  EXPECT_EQ(expired.message, "Temporary password has expired and must be reset by an administrator.");
}

// ---- names that nobody has ----

TEST_F(SignInTest, UnknownUserIsToldToLegacyClients) {
  const auto step = SignIn("whatever", "nobody");
  EXPECT_EQ(step.error().code, AuthErrorCode::kUserNotFound);
  EXPECT_EQ(step.error().message, "User does not exist.");
  EXPECT_FALSE(region_.last_wrote());
}

TEST_F(SignInTest, UnknownUserLooksLikeAWrongPasswordToOthers) {
  ChangeClient(region_, [](ClientRecord& client) { client.set_prevent_user_existence_errors(true); });
  std::vector<std::string> known, unknown;
  for (int i = 0; i < 7; ++i) {
    known.push_back(SignIn("wrong").error().message);
    unknown.push_back(SignIn("wrong", "nobody").error().message);
  }
  EXPECT_EQ(known, unknown) << "the lock included";
  EXPECT_EQ(known.back(), "Password attempts exceeded");
}

TEST_F(SignInTest, UserWithoutAPasswordHasNoRightOne) {
  ChangeUser(region_, [](UserRecord& user) { user.clear_password(); });
  EXPECT_EQ(SignIn().error().message, "Incorrect username or password.");
}

TEST_F(SignInTest, AliasesSignIn) {
  region_.pool.add_alias_attributes("email");
  ChangeUser(region_, [](UserRecord& user) { (*user.mutable_attributes())["given_name"] = "Alice"; });
  region_.Change([&](const Context& context) {
    directory::User user = TestUser(region_);
    UserRecord before = user.record;
    before.mutable_attributes()->erase("email");
    EXPECT_TRUE(directory::UpdateUser(context.tx, context.pool, before, user, directory::OnAliasConflict::kRefuse));
  });
  EXPECT_TRUE(IsTokens(SignIn(kTestPassword, "alice@example.com")));
}

// ---- NEW_PASSWORD_REQUIRED ----

TEST_F(SignInTest, TemporaryPasswordLeadsToANewOne) {
  ForceChange();
  region_.pool.mutable_schema(2)->set_required(true);  // given_name
  const Challenge challenge = ChallengeOf(SignIn());
  EXPECT_EQ(challenge.name, ChallengeName::kNewPasswordRequired);
  EXPECT_EQ(challenge.parameters.at("USER_ID_FOR_SRP"), "alice");
  EXPECT_EQ(challenge.parameters.at("requiredAttributes"), R"(["userAttributes.given_name"])");
  EXPECT_EQ(challenge.parameters.at("userAttributes"), R"({"email":"alice@example.com","email_verified":"true"})");

  const auto step = ChooseNewPassword(challenge.session, {{"userAttributes.given_name", "Alice"}});
  ASSERT_TRUE(IsTokens(step));
  const UserRecord user = TestUser(region_).record;
  EXPECT_EQ(user.status(), directory::pb::CONFIRMED);
  EXPECT_EQ(user.attributes().at("given_name"), "Alice");
  EXPECT_TRUE(IsTokens(SignIn("A new password 1!")));
  EXPECT_EQ(SignIn().error().message, "Incorrect username or password.");
}

TEST_F(SignInTest, FamilyOfTokensIsNamedAfterTheSession) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  const Tokens tokens = std::get<Tokens>(*ChooseNewPassword(challenge.session, {}));
  const std::string id = region_.See([&](const Context& context) {
    pb::Session session;
    EXPECT_TRUE(session.ParseFromString(
        *context.tx.keys().OpenToken(keys::TokenPurpose::kSession, kTestClient, SealedPartOf(*challenge.session))));
    return session.id();
  });
  EXPECT_EQ(crypto::ParseJws(tokens.access_token)->unverified_claims().at("origin_jti").as_string(), id);
}

TEST_F(SignInTest, SessionIsUsedOnce) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  EXPECT_TRUE(IsTokens(ChooseNewPassword(challenge.session, {})));
  EXPECT_EQ(ChooseNewPassword(challenge.session, {}).error().message,
            "Invalid session for the user, session can only be used once.");
}

TEST_F(SignInTest, RefusedPasswordKeepsTheSession) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  const auto refused = ChooseNewPassword(challenge.session, {{"NEW_PASSWORD", "short"}});
  EXPECT_EQ(refused.error().code, AuthErrorCode::kInvalidPassword);
  EXPECT_EQ(refused.error().message, "Password did not conform with policy: Password not long enough");
  EXPECT_TRUE(IsTokens(ChooseNewPassword(challenge.session, {})));
}

TEST_F(SignInTest, SessionExpiresToTheMicrosecond) {
  ChangeClient(region_, [](ClientRecord& client) { client.set_auth_session_validity_minutes(5); });
  ForceChange();
  const Challenge early = ChallengeOf(SignIn()), late = ChallengeOf(SignIn());
  clock_.Advance(std::chrono::minutes(5) - std::chrono::microseconds(1));
  EXPECT_TRUE(IsTokens(ChooseNewPassword(early.session, {})));
  clock_.Advance(std::chrono::microseconds(1));
  EXPECT_EQ(ChooseNewPassword(late.session, {}).error().message, "Invalid session for the user, session is expired.");
}

TEST_F(SignInTest, OnlyItsOwnSessionIsTaken) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  EXPECT_EQ(ChooseNewPassword(std::nullopt, {}).error().message, "Missing required parameter Session");
  EXPECT_EQ(ChooseNewPassword(std::nullopt, {}).error().code, AuthErrorCode::kInvalidParameter);
  const auto refused = [&](const std::string& session) {
    return ChooseNewPassword(session, {}).error().message == "Invalid session for the user.";
  };
  for (std::size_t at = 0; at < challenge.session->size(); at += 3) {
    std::string altered = *challenge.session;
    altered[at] = altered[at] == 'A' ? 'B' : 'A';
    EXPECT_TRUE(refused(altered)) << at;
    EXPECT_TRUE(refused(challenge.session->substr(0, at + 1))) << at;
  }
  EXPECT_TRUE(refused(std::string(5'000, 'A')));
  EXPECT_TRUE(refused("not base64 !"));
  region_.See([&](const Context& context) {
    ClientRecord other = TestClient(region_);
    other.set_client_id("another");
    EXPECT_EQ(OpenSession(context, other, challenge.session, pb::Session::NEW_PASSWORD_REQUIRED).error().message,
              "Invalid session for the user.");
    const Bytes plain =
        *context.tx.keys().OpenToken(keys::TokenPurpose::kSession, kTestClient, SealedPartOf(*challenge.session));
    const auto opens = [&](keys::TokenPurpose purpose, std::string_view named) {
      const Bytes resealed = context.tx.keys().SealToken(purpose, kTestClient, plain, context.env.random());
      return OpenSession(context, TestClient(region_), Base64UrlEncode(Bytes(named) + '\0' + resealed),
                         pb::Session::NEW_PASSWORD_REQUIRED)
          .has_value();
    };
    EXPECT_TRUE(opens(keys::TokenPurpose::kSession, kTestClient));
    EXPECT_FALSE(opens(keys::TokenPurpose::kSession, "another"));
    EXPECT_FALSE(opens(keys::TokenPurpose::kSrpBlock, kTestClient));
  });
  EXPECT_TRUE(refused(*challenge.session + "A"));
  EXPECT_EQ(ChooseNewPassword(challenge.session, {{"USERNAME", "bob"}}).error().message,
            "Invalid session for the user.");
}

TEST_F(SignInTest, SessionNamesItsClientWithoutKeys) {
  ForceChange();
  EXPECT_EQ(ClientOfSession(*ChallengeOf(SignIn()).session), ClientId(std::string(kTestClient)));
  EXPECT_FALSE(ClientOfSession("not base64 !"));
  EXPECT_FALSE(ClientOfSession("YWJj")) << "no end of the id";
  EXPECT_FALSE(ClientOfSession(std::string(5'000, 'A')));
}

TEST_F(SignInTest, PasswordSetMeanwhileEndsTheSession) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  ChangeUser(region_, [](UserRecord& user) { user.set_token_generation(user.token_generation() + 1); });
  EXPECT_EQ(ChooseNewPassword(challenge.session, {}).error().message, "Invalid session for the user.");
}

TEST_F(SignInTest, DisabledMeanwhileEndsTheSession) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  DisableTestUser(region_);
  EXPECT_EQ(ChooseNewPassword(challenge.session, {}).error().message, "Invalid session for the user.");
  EnableTestUser(region_);
  EXPECT_EQ(ChooseNewPassword(challenge.session, {}).error().message, "Invalid session for the user.");
  EXPECT_TRUE(ChooseNewPassword(ChallengeOf(SignIn()).session, {}));
}

TEST_F(SignInTest, AttributesOfTheAnswerAreChecked) {
  region_.pool.mutable_schema(0)->set_required(true);  // email, which has a value
  region_.pool.mutable_schema(2)->set_required(true);  // given_name, which has none
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  EXPECT_EQ(ChooseNewPassword(challenge.session, {}).error().code, AuthErrorCode::kInvalidParameter);
  const auto with = [&](const char* name, const char* value) {
    return ChooseNewPassword(challenge.session,
                             {{"userAttributes.given_name", "A"}, {std::string("userAttributes.") + name, value}});
  };
  EXPECT_EQ(with("email", "other@example.com").error().code, AuthErrorCode::kInvalidParameter);
  EXPECT_EQ(with("unknown", "x").error().code, AuthErrorCode::kInvalidParameter);
  EXPECT_EQ(with("email_verified", "true").error().code, AuthErrorCode::kNotAuthorized);
  EXPECT_EQ(with("sub", "x").error().code, AuthErrorCode::kNotAuthorized);
  region_.pool.mutable_schema(0)->set_required(false);
  region_.pool.add_verify_before_update("email");
  EXPECT_EQ(with("email", "other@example.com").error().code, AuthErrorCode::kInvalidParameter);
  EXPECT_TRUE(IsTokens(with("email", "alice@example.com"))) << "its own value changes nothing";
}

TEST_F(SignInTest, NewAddressIsNotVerified) {
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  ASSERT_TRUE(IsTokens(ChooseNewPassword(challenge.session, {{"userAttributes.email", "other@example.com"}})));
  const UserRecord user = TestUser(region_).record;
  EXPECT_EQ(user.attributes().at("email"), "other@example.com");
  EXPECT_EQ(user.attributes().at("email_verified"), "false");
}

TEST_F(SignInTest, SessionFromOneRegionIsAnsweredInAnother) {
  ForceChange();
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const Challenge challenge = ChallengeOf(SignIn());
  EXPECT_TRUE(IsTokens(ChooseNewPasswordIn(other, challenge.session, {})));
  EXPECT_TRUE(IsTokens(ChooseNewPassword(challenge.session, {}))) << "once per Region at the worst";
  region_.MergeFactsOf(other);
  EXPECT_EQ(ChooseNewPassword(challenge.session, {}).error().message,
            "Invalid session for the user, session can only be used once.");
}

TEST_F(SignInTest, NewPasswordIsADirectoryChange) {
  // A secondary's pipeline refuses it by that.
  ForceChange();
  const Challenge challenge = ChallengeOf(SignIn());
  region_.See([&](const Context& context) {
    EXPECT_TRUE(AnswerChallenge(context, TestClient(region_), ChallengeName::kNewPasswordRequired, challenge.session,
                                {{"USERNAME", "alice"}, {"NEW_PASSWORD", "A new password 1!"}}));
    EXPECT_TRUE(context.tx.changes_directory());
  });
}

}  // namespace
}  // namespace symbolon::auth
