#include "auth/authorization_code.h"

#include <gtest/gtest.h>

#include "auth/disabling.h"
#include "auth/refresh.h"
#include "auth/test_user.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

constexpr const char* kCallback = "https://app.example/callback";

class AuthorizationCodeTest : public testing::Test {
 protected:
  AuthorizationCodeTest() { MakeTestPool(here_); }

  std::string Issue(TestRegion& region, CodeRequest request) {
    return region.See([&](const Context& context) {
      return IssueAuthorizationCode(context, *context.tx.Share<directory::ClientKind>(kTestClient), TestUserOf(context),
                                    request);
    });
  }
  std::string Issue() { return Issue(here_, Request()); }
  CodeRequest Request() const {
    return {
        .redirect_uri = kCallback, .code_challenge = S256ChallengeOf(verifier_), .nonce = "n", .scope = "openid email"};
  }
  AuthResult<Tokens> Redeem(TestRegion& region, const std::string& code, const std::string& redirect_uri,
                            const std::string& verifier) {
    return region.Run<Tokens>([&](const Context& context) {
      return RedeemAuthorizationCode(context, *context.tx.Share<directory::ClientKind>(kTestClient), code, redirect_uri,
                                     verifier);
    });
  }
  AuthResult<Tokens> Redeem(TestRegion& region, const std::string& code) {
    return Redeem(region, code, kCallback, verifier_);
  }
  AuthResult<Tokens> Refresh(TestRegion& region, const std::string& token) {
    return region.Run<Tokens>([&](const Context& context) {
      return RefreshTokens(context, *context.tx.Share<directory::ClientKind>(kTestClient), token);
    });
  }
  static directory::User TestUserOf(const Context& context) {
    return *directory::FindUser(context.tx, context.pool, kTestUsername);
  }

  const std::string verifier_ = std::string(kCodeVerifierBytesMin, 'v');
  TestPool pool_;
  ManualClock clock_;
  TestRegion here_{"eu-central-1", pool_, clock_};
  TestRegion there_{"us-east-1", pool_, clock_};
};

TEST_F(AuthorizationCodeTest, ACodeBecomesTokensThatSayWhatWasAskedFor) {
  const auto tokens = Redeem(here_, Issue());
  ASSERT_TRUE(tokens) << tokens.error().message;
  const auto id_token = crypto::ParseJws(tokens->id_token)->unverified_claims();
  EXPECT_EQ(id_token.at("nonce"), "n");
  EXPECT_TRUE(id_token.contains("at_hash"));
  EXPECT_EQ(std::string(id_token.at("sub").as_string()), kTestSub);
  const auto access = crypto::ParseJws(tokens->access_token)->unverified_claims();
  EXPECT_EQ(access.at("scope"), "openid email");
  EXPECT_EQ(access.at("version"), 2);
  const auto fresh = Refresh(here_, *tokens->refresh_token);
  ASSERT_TRUE(fresh);
  EXPECT_EQ(crypto::ParseJws(fresh->access_token)->unverified_claims().at("scope"), "openid email");
  EXPECT_FALSE(crypto::ParseJws(fresh->id_token)->unverified_claims().contains("nonce"));
}

TEST_F(AuthorizationCodeTest, WithoutOpenIdThereIsNoIdToken) {
  CodeRequest request = Request();
  request.scope = "aws.cognito.signin.user.admin";
  const auto tokens = Redeem(here_, Issue(here_, request));
  ASSERT_TRUE(tokens);
  EXPECT_TRUE(tokens->id_token.empty());
}

TEST_F(AuthorizationCodeTest, InOtherHandsItIsGoodForNothingAndStaysGood) {
  const std::string code = Issue();
  EXPECT_FALSE(Redeem(here_, code, kCallback, ""));
  EXPECT_FALSE(Redeem(here_, code, kCallback, std::string(kCodeVerifierBytesMin, 'w')));
  EXPECT_FALSE(Redeem(here_, code, kCallback, verifier_.substr(1)));
  EXPECT_FALSE(Redeem(here_, code, "https://app.example/other", verifier_));
  EXPECT_FALSE(Redeem(here_, code + "A"));
  EXPECT_FALSE(Redeem(here_, "no code"));
  EXPECT_FALSE(Redeem(here_, std::string(20'000, 'A')));
  EXPECT_TRUE(Redeem(here_, code));
}

TEST_F(AuthorizationCodeTest, AVerifierForACodeWithoutChallengeIsRefused) {
  CodeRequest request = Request();
  request.code_challenge.clear();
  const std::string code = Issue(here_, request);
  EXPECT_FALSE(Redeem(here_, code));
  EXPECT_TRUE(Redeem(here_, code, kCallback, ""));
}

TEST_F(AuthorizationCodeTest, ASecondUseEndsWhatCameOfTheFirst) {
  const std::string code = Issue();
  const auto tokens = Redeem(here_, code);
  ASSERT_TRUE(tokens);
  EXPECT_FALSE(Redeem(here_, code));
  EXPECT_FALSE(Refresh(here_, *tokens->refresh_token));
}

TEST_F(AuthorizationCodeTest, RedeemedInTwoRegionsItEndsWhenTheyMeet) {
  there_.CopyDirectoryOf(here_);
  there_.is_primary = false;
  const std::string code = Issue();
  const auto one = Redeem(here_, code), two = Redeem(there_, code);
  ASSERT_TRUE(one && two) << "neither knows of the other";
  here_.MergeFactsOf(there_);
  there_.MergeFactsOf(here_);
  EXPECT_FALSE(Refresh(here_, *one->refresh_token));
  EXPECT_FALSE(Refresh(there_, *two->refresh_token));
}

TEST_F(AuthorizationCodeTest, ItDiesWithItsTimeASignOutOrItsUser) {
  std::string code = Issue();
  clock_.Advance(kCodeLifetime);
  EXPECT_FALSE(Redeem(here_, code));
  code = Issue();
  here_.Change([&](const Context& context) {
    SignOutUser(context.tx, context.region(), TestUserOf(context).key, context.now());
  });
  EXPECT_FALSE(Redeem(here_, code));
  code = Issue();
  DisableTestUser(here_);
  EXPECT_FALSE(Redeem(here_, code));
}

}  // namespace
}  // namespace symbolon::auth
