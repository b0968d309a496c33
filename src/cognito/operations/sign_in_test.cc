// Sign-in and tokens by their wire shapes; what the flows do is tested in src/auth.
#include <gtest/gtest.h>

#include "cognito/test_operations.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using namespace model::cognito;
using operations::AdminInitiateAuth;
using operations::AdminRespondToAuthChallenge;
using operations::AdminUserGlobalSignOut;
using operations::GetClientToken;
using operations::GetTokensFromRefreshToken;
using operations::GlobalSignOut;
using operations::InitiateAuth;
using operations::RespondToAuthChallenge;
using operations::RevokeToken;

class SignInOperationsTest : public OperationsTest {
 protected:
  SignInOperationsTest() {
    MakeUser("alice");
    ChangeClient([](pb::ClientRecord& client) {
      for (const char* flow : {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_USER_SRP_AUTH",
                               "ALLOW_REFRESH_TOKEN_AUTH"}) {
        client.add_explicit_auth_flows(flow);
      }
      client.set_enable_token_revocation(true);
    });
  }

  static InitiateAuthRequest ByPassword(const char* password = kTestPassword) {
    return {.AuthFlow = AuthFlowType::kUserPasswordAuth,
            .AuthParameters = {{{"USERNAME", "alice"}, {"PASSWORD", password}}},
            .ClientId = kTestClient};
  }
  static InitiateAuthRequest ByRefreshToken(const std::string& token) {
    return {.AuthFlow = AuthFlowType::kRefreshTokenAuth,
            .AuthParameters = {{{"REFRESH_TOKEN", token}}},
            .ClientId = kTestClient};
  }
  AuthenticationResultType SignIn() { return *Run(InitiateAuth, ByPassword())->AuthenticationResult; }
};

TEST_F(SignInOperationsTest, TokensHaveCognitosShape) {
  const auto response = Run(InitiateAuth, ByPassword());
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(last_changes_, 0u) << "no commit";
  EXPECT_FALSE(response->ChallengeName);
  EXPECT_FALSE(response->Session);
  ASSERT_TRUE(response->ChallengeParameters);
  EXPECT_TRUE(response->ChallengeParameters->empty());
  const AuthenticationResultType& tokens = *response->AuthenticationResult;
  EXPECT_EQ(tokens.TokenType, "Bearer");
  EXPECT_EQ(tokens.ExpiresIn, 3600);
  EXPECT_TRUE(tokens.AccessToken && tokens.IdToken && tokens.RefreshToken);
}

TEST_F(SignInOperationsTest, FailedAttemptIsCommittedThoughItIsAnError) {
  EXPECT_EQ(ErrorOf(InitiateAuth, ByPassword("wrong")), "NotAuthorizedException: Incorrect username or password.");
  EXPECT_EQ(last_changes_, 1u);
  for (int i = 0; i < 4; ++i) (void)Run(InitiateAuth, ByPassword("wrong"));
  EXPECT_EQ(ErrorOf(InitiateAuth, ByPassword()), "NotAuthorizedException: Password attempts exceeded");
}

TEST_F(SignInOperationsTest, FlowsThatAreNotThereYetSaySo) {
  for (const AuthFlowType flow : {AuthFlowType::kUserAuth, AuthFlowType::kCustomAuth}) {
    EXPECT_EQ(ErrorOf(InitiateAuth, InitiateAuthRequest{.AuthFlow = flow, .ClientId = kTestClient}),
              "InvalidParameterException: " + std::string(ToString(flow)) + " is not available yet.");
  }
  EXPECT_EQ(ErrorOf(RespondToAuthChallenge, RespondToAuthChallengeRequest{.ClientId = kTestClient,
                                                                          .ChallengeName = ChallengeNameType::kSmsMfa}),
            "InvalidParameterException: The challenge SMS_MFA is not available yet.");
}

TEST_F(SignInOperationsTest, UnknownClientIsNamed) {
  InitiateAuthRequest request = ByPassword();
  request.ClientId = "nobody";
  EXPECT_EQ(ErrorOf(InitiateAuth, request), "ResourceNotFoundException: User pool client nobody does not exist.");
}

TEST_F(SignInOperationsTest, AdministratorsSignInByBothNamesOfTheFlow) {
  for (const AuthFlowType flow : {AuthFlowType::kAdminUserPasswordAuth, AuthFlowType::kAdminNoSrpAuth}) {
    const auto response =
        Run(AdminInitiateAuth,
            AdminInitiateAuthRequest{.UserPoolId = pool_id_.value(),
                                     .ClientId = kTestClient,
                                     .AuthFlow = flow,
                                     .AuthParameters = {{{"USERNAME", "alice"}, {"PASSWORD", kTestPassword}}}});
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_TRUE(response->AuthenticationResult);
  }
}

TEST_F(SignInOperationsTest, SrpChallengeHasNoSession) {
  const auto response =
      Run(InitiateAuth, InitiateAuthRequest{.AuthFlow = AuthFlowType::kUserSrpAuth,
                                            .AuthParameters = {{{"USERNAME", "alice"}, {"SRP_A", "abcdef0123456789"}}},
                                            .ClientId = kTestClient});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->ChallengeName, ChallengeNameType::kPasswordVerifier);
  EXPECT_FALSE(response->Session);
  EXPECT_FALSE(response->AuthenticationResult);
  for (const char* name : {"SALT", "SRP_B", "SECRET_BLOCK", "USERNAME", "USER_ID_FOR_SRP"}) {
    EXPECT_TRUE(response->ChallengeParameters->contains(name)) << name;
  }
}

TEST_F(SignInOperationsTest, NewPasswordIsAskedForAndSet) {
  Change([&](directory::Transaction& tx) {
    const pb::PoolRecord pool = *tx.Get<directory::PoolKind>("");
    directory::User user = *directory::FindUser(tx, pool, "alice");
    const pb::UserRecord before = user.record;
    user.record.set_status(pb::FORCE_CHANGE_PASSWORD);
    EXPECT_TRUE(directory::UpdateUser(tx, pool, before, user, directory::OnAliasConflict::kRefuse));
  });
  const auto challenge = Run(InitiateAuth, ByPassword());
  ASSERT_EQ(challenge->ChallengeName, ChallengeNameType::kNewPasswordRequired);
  const auto response = Run(AdminRespondToAuthChallenge,
                            AdminRespondToAuthChallengeRequest{
                                .UserPoolId = pool_id_.value(),
                                .ClientId = kTestClient,
                                .ChallengeName = ChallengeNameType::kNewPasswordRequired,
                                .ChallengeResponses = {{{"USERNAME", "alice"}, {"NEW_PASSWORD", "Another-Horse-10"}}},
                                .Session = challenge->Session});
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_TRUE(response->AuthenticationResult);
  EXPECT_TRUE(HasPassword("alice", "Another-Horse-10"));
}

TEST_F(SignInOperationsTest, RefreshAnswersWithoutARefreshTokenUnlessItRotates) {
  const std::string token = *SignIn().RefreshToken;
  const auto by_flow = Run(InitiateAuth, ByRefreshToken(token));
  ASSERT_TRUE(by_flow) << by_flow.error().message;
  EXPECT_FALSE(by_flow->AuthenticationResult->RefreshToken);
  const GetTokensFromRefreshTokenRequest request{.RefreshToken = token, .ClientId = kTestClient};
  EXPECT_FALSE(Run(GetTokensFromRefreshToken, request)->AuthenticationResult->RefreshToken);
  ChangeClient([](pb::ClientRecord& client) { client.set_refresh_token_rotation(true); });
  EXPECT_TRUE(Run(GetTokensFromRefreshToken, request)->AuthenticationResult->RefreshToken);
  EXPECT_EQ(ErrorOf(GetTokensFromRefreshToken, request).substr(0, 27), "RefreshTokenReuseException:");
  EXPECT_EQ(last_changes_, 1u) << "the family's revocation is committed";
}

TEST_F(SignInOperationsTest, SecretsAreProvedInClear) {
  const std::string token = *SignIn().RefreshToken;
  ChangeClient([](pb::ClientRecord& client) { client.add_secrets("the secret"); });
  GetTokensFromRefreshTokenRequest refresh{.RefreshToken = token, .ClientId = kTestClient};
  EXPECT_EQ(ErrorOf(GetTokensFromRefreshToken, refresh).substr(0, 23), "NotAuthorizedException:");
  RevokeTokenRequest revoke{.Token = token, .ClientId = kTestClient, .ClientSecret = "wrong"};
  EXPECT_EQ(ErrorOf(RevokeToken, revoke).substr(0, 22), "UnauthorizedException:");
  refresh.ClientSecret = revoke.ClientSecret = "the secret";
  EXPECT_EQ(ErrorOf(GetTokensFromRefreshToken, refresh), "");
  EXPECT_EQ(ErrorOf(RevokeToken, revoke), "");
  EXPECT_EQ(ErrorOf(GetTokensFromRefreshToken, refresh), "NotAuthorizedException: Refresh Token has been revoked");
}

TEST_F(SignInOperationsTest, RevocationOfSessionsIsNotThereYet) {
  EXPECT_EQ(ErrorOf(RevokeToken, RevokeTokenRequest{.Token = *SignIn().RefreshToken,
                                                    .ClientId = kTestClient,
                                                    .RevokeAssociatedSessions = RevokeAssociatedSessionsType::kLinked}),
            "InvalidParameterException: RevokeAssociatedSessions LINKED is not available yet.");
}

TEST_F(SignInOperationsTest, SigningOutEverywhereEndsRefreshTokens) {
  const std::string by_user = *SignIn().RefreshToken;
  SignInAs("alice");
  EXPECT_EQ(ErrorOf(GlobalSignOut, GlobalSignOutRequest{}), "");
  EXPECT_EQ(ErrorOf(InitiateAuth, ByRefreshToken(by_user)), "NotAuthorizedException: Refresh Token has been revoked");
  const std::string by_administrator = *SignIn().RefreshToken;
  EXPECT_EQ(ErrorOf(AdminUserGlobalSignOut,
                    AdminUserGlobalSignOutRequest{.UserPoolId = pool_id_.value(), .Username = "alice"}),
            "");
  EXPECT_EQ(ErrorOf(InitiateAuth, ByRefreshToken(by_administrator)),
            "NotAuthorizedException: Refresh Token has been revoked");
  EXPECT_EQ(ErrorOf(AdminUserGlobalSignOut,
                    AdminUserGlobalSignOutRequest{.UserPoolId = pool_id_.value(), .Username = "nobody"}),
            "UserNotFoundException: User does not exist.");
}

TEST_F(SignInOperationsTest, ClientTokenNeedsTheFlowTheSecretAndAllowedScopes) {
  GetClientTokenRequest request{.ClientId = kTestClient, .Secret = "the secret"};
  ChangeClient([](pb::ClientRecord& client) {
    client.add_secrets("the secret");
    client.add_allowed_oauth_scopes("orders/read");
  });
  EXPECT_EQ(ErrorOf(GetClientToken, request),
            "InvalidParameterException: ALLOW_CLIENT_TOKEN_AUTH is not enabled for the client.");
  ChangeClient([](pb::ClientRecord& client) {
    client.clear_explicit_auth_flows();
    client.add_explicit_auth_flows("ALLOW_CLIENT_TOKEN_AUTH");
  });
  const auto response = Run(GetClientToken, request);
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->ClientAuthenticationResult->TokenType, "Bearer");
  EXPECT_EQ(response->ClientAuthenticationResult->ExpiresIn, 3600);
  request.Scopes = {"orders/write"};
  EXPECT_EQ(ErrorOf(GetClientToken, request).substr(0, 26), "InvalidParameterException:");
  request.Secret = "wrong";
  EXPECT_EQ(ErrorOf(GetClientToken, request).substr(0, 23), "NotAuthorizedException:");
}

}  // namespace
}  // namespace symbolon::cognito
