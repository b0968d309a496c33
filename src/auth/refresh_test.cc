#include "auth/refresh.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auth/access_tokens.h"
#include "auth/client_credentials.h"
#include "auth/secret_hash.h"
#include "auth/test_user.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::UserRecord;
using std::chrono::days;
using std::chrono::hours;
using std::chrono::microseconds;
using std::chrono::seconds;

class RefreshTest : public testing::Test {
 protected:
  RefreshTest() { MakeTestPool(region_); }

  Tokens SignIn() {
    const auto step = region_.Run<SignInStep>([&](const Context& context) {
      return StartSignIn(context, TestClient(region_), Flow::kUserPassword, Door::kPublic,
                         {{"USERNAME", std::string(kTestUsername)}, {"PASSWORD", std::string(kTestPassword)}});
    });
    return std::get<Tokens>(step.value());
  }
  AuthResult<Tokens> Refresh(const std::string& token) { return RefreshIn(region_, token); }
  AuthResult<Tokens> RefreshIn(TestRegion& region, const std::string& token) {
    return region.Run<Tokens>(
        [&](const Context& context) { return RefreshTokens(context, TestClient(region), token); });
  }
  AuthResult<SignInStep> RefreshFlow(const Parameters& parameters) {
    return region_.Run<SignInStep>([&](const Context& context) {
      return StartSignIn(context, TestClient(region_), Flow::kRefreshToken, Door::kPublic, parameters);
    });
  }
  AuthResult<bool> Revoke(const std::string& token) {
    return region_.Run<bool>([&](const Context& context) -> AuthResult<bool> {
      SYMBOLON_TRY_VOID(RevokeRefreshToken(context, TestClient(region_), token));
      return true;
    });
  }
  bool IsLive(TestRegion& region, const std::string& access_token) {
    AccessTokenVerifier verifier;
    const auto presented = verifier.Present(access_token);
    const auto claims = verifier.Verify(*presented, TestPublicRecord(region), region.settings(), clock_.Now()).value();
    return region.See([&](const Context& context) { return CheckSignedIn(context.tx, context.pool, *claims); })
        .has_value();
  }
  // By a clock that is ahead for a while: tokens whose revocation is forgotten, and tokens of that while.
  std::pair<Tokens, Tokens> ForgetARevocation() {
    Tokens revoked = SignIn();
    EXPECT_TRUE(Revoke(*revoked.refresh_token));
    const auto ahead = days(32);
    clock_.Advance(ahead);
    region_.ForgetExpiredFacts();
    Tokens later = SignIn();
    clock_.Advance(-ahead);
    return {std::move(revoked), std::move(later)};
  }
  void Rotate(std::uint32_t grace_seconds = 0) {
    ChangeClient(region_, [&](ClientRecord& client) {
      client.set_refresh_token_rotation(true);
      client.set_rotation_grace_seconds(grace_seconds);
    });
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion region_{"eu-central-1", pool_, clock_};
};

boost::json::object ClaimsOf(const std::string& token) { return crypto::ParseJws(token)->unverified_claims(); }

TEST_F(RefreshTest, GivesFreshTokensOfTheSameSignIn) {
  const Tokens first = SignIn();
  clock_.Advance(hours(5));
  const auto second = Refresh(*first.refresh_token);
  ASSERT_TRUE(second);
  EXPECT_FALSE(region_.last_wrote()) << "without rotation a refresh changes nothing";
  EXPECT_FALSE(second->refresh_token);
  const auto before = ClaimsOf(first.access_token), after = ClaimsOf(second->access_token);
  EXPECT_EQ(after.at("auth_time"), before.at("auth_time"));
  EXPECT_EQ(after.at("origin_jti"), before.at("origin_jti"));
  EXPECT_NE(after.at("iat"), before.at("iat"));
  EXPECT_NE(after.at("jti"), before.at("jti"));
}

TEST_F(RefreshTest, TakesThePresentIssuerAndAttributes) {
  const Tokens first = SignIn();
  region_.pool.set_issuer(directory::pb::ISSUER_UPDATED);
  ChangeUser(region_, [](UserRecord& user) { (*user.mutable_attributes())["given_name"] = "Alice"; });
  const auto claims = ClaimsOf(Refresh(*first.refresh_token)->id_token);
  EXPECT_EQ(claims.at("iss"), "http://127.0.0.1:9400/eu-central-1_TestPool1");
  EXPECT_EQ(claims.at("given_name"), "Alice");
}

TEST_F(RefreshTest, ExpiresToTheMicrosecond) {
  const std::string token = *SignIn().refresh_token;
  clock_.Advance(days(30) - microseconds(1));
  EXPECT_TRUE(Refresh(token));
  clock_.Advance(microseconds(1));
  EXPECT_EQ(Refresh(token).error().message, "Refresh Token has expired");
}

TEST_F(RefreshTest, ClockThatWasAheadUntilARevocationWasForgottenRevivesNothing) {
  const auto [revoked, later] = ForgetARevocation();
  EXPECT_EQ(Refresh(*revoked.refresh_token).error().message, "Refresh Token has expired");
  EXPECT_FALSE(IsLive(region_, revoked.access_token));
  // What ends beyond it was never forgotten.
  EXPECT_TRUE(Refresh(*later.refresh_token));
  EXPECT_TRUE(IsLive(region_, later.access_token));
}

TEST_F(RefreshTest, ClockThatWasAheadUntilARevocationWasForgotten_NothingIsRevivedInARegionThatIsAddedLater) {
  const auto [revoked, later] = ForgetARevocation();
  TestRegion added("us-east-1", pool_, clock_);
  added.CopyDirectoryOf(region_);
  added.MergeFactsOf(region_);
  const auto revived = RefreshIn(added, *revoked.refresh_token);
  ASSERT_FALSE(revived);
  EXPECT_EQ(revived.error().message, "Refresh Token has expired");
  EXPECT_FALSE(IsLive(added, revoked.access_token));
  EXPECT_TRUE(RefreshIn(added, *later.refresh_token));
}

TEST_F(RefreshTest, WhatCannotBeForgottenTwiceIsStillRevokedAfterTheClockWasAhead) {
  const std::string token = *SignIn().refresh_token;
  region_.Change([&](const Context& context) { RevokeFamily(context.tx, "other", context.now()); });
  const auto ahead = days(29);
  clock_.Advance(ahead);
  region_.ForgetExpiredFacts();
  clock_.Advance(-ahead);
  ASSERT_TRUE(Refresh(token)) << "its revocation would not have been forgotten";
  region_.Change([&](const Context& context) { RevokeFamily(context.tx, "another", context.now()); });
  EXPECT_TRUE(region_.See([](const Context& context) { return IsFamilyRevoked(context.tx, "another"); }));
  ASSERT_TRUE(Revoke(token));
  EXPECT_FALSE(Refresh(token));
}

TEST_F(RefreshTest, WhatIsNotOursIsInvalid) {
  const Tokens tokens = SignIn();
  for (const std::string& text : {std::string("garbage"), tokens.access_token, *tokens.refresh_token + "A"}) {
    const auto refused = Refresh(text);
    EXPECT_EQ(refused.error().code, AuthErrorCode::kNotAuthorized);
    EXPECT_EQ(refused.error().message, "Invalid Refresh Token");
  }
  const auto other = region_.Run<Tokens>([&](const Context& context) {
    ClientRecord client = TestClient(region_);
    client.set_client_id("another");
    return RefreshTokens(context, client, *tokens.refresh_token);
  });
  EXPECT_EQ(other.error().message, "Invalid Refresh Token") << "another client's";
}

TEST_F(RefreshTest, WhatHappenedToTheUserRevokes) {
  const auto refused = [&](const std::string& token) { return Refresh(token).error().message; };
  const std::string token = *SignIn().refresh_token;
  DisableTestUser(region_);
  EXPECT_EQ(refused(token), "Refresh Token has been revoked");
  EnableTestUser(region_);
  EXPECT_EQ(refused(token), "Refresh Token has been revoked") << "does not come back to life";
  const std::string older = *SignIn().refresh_token;
  EXPECT_TRUE(Refresh(older));
  ChangeUser(region_, [](UserRecord& user) { user.set_token_generation(1); });
  EXPECT_EQ(refused(older), "Refresh Token has been revoked") << "a generation before";
  const std::string second = *SignIn().refresh_token;
  EXPECT_TRUE(Refresh(second));
  region_.Change([&](const Context& context) {
    const Bytes key = directory::UserKeyOf(context.tx, context.pool, kTestUsername);
    SignOutUser(context.tx, context.region(), key, context.now());
  });
  EXPECT_EQ(refused(second), "Refresh Token has been revoked") << "signed out everywhere";
  const std::string third = *SignIn().refresh_token;
  EXPECT_TRUE(Refresh(third));
  EXPECT_TRUE(IsLive(region_, Refresh(third)->access_token)) << "fresh access tokens know of the sign-out";
  const directory::User user = TestUser(region_);
  region_.Change([&](const Context& context) { directory::DeleteUser(context.tx, context.pool, user); });
  EXPECT_EQ(refused(third), "Refresh Token has been revoked");
}

TEST_F(RefreshTest, SignOutElsewhereRevokesOnceMerged) {
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const std::string token = *SignIn().refresh_token;
  other.Change([&](const Context& context) {
    SignOutUser(context.tx, context.region(), directory::UserKeyOf(context.tx, context.pool, kTestUsername),
                context.now());
  });
  EXPECT_TRUE(Refresh(token));
  region_.MergeFactsOf(other);
  EXPECT_EQ(Refresh(token).error().message, "Refresh Token has been revoked");
}

// ---- REFRESH_TOKEN_AUTH ----

TEST_F(RefreshTest, FlowGivesTokensWithoutARefreshToken) {
  const auto step = RefreshFlow({{"REFRESH_TOKEN", *SignIn().refresh_token}});
  ASSERT_TRUE(step);
  EXPECT_FALSE(std::get<Tokens>(*step).refresh_token);
  EXPECT_EQ(RefreshFlow({}).error().message, "Missing required parameter REFRESH_TOKEN");
}

TEST_F(RefreshTest, FlowHashesTheUsersOwnName) {
  ChangeClient(region_, [](ClientRecord& client) { client.add_secrets("secret"); });
  const std::string token = region_.See([&](const Context& context) {
    const directory::User user = TestUser(region_);
    return *IssueTokens(context, user, TestClient(region_), NewGrant(context, user, TestClient(region_), "family"), 0)
                ->refresh_token;
  });
  EXPECT_EQ(RefreshFlow({{"REFRESH_TOKEN", token}}).error().message,
            "Client client1client1client1clien is configured with secret but SECRET_HASH was not received");
  const auto with_name = [&](std::string_view name) {
    return RefreshFlow({{"REFRESH_TOKEN", token}, {"SECRET_HASH", SecretHashOf("secret", name, kTestClient)}});
  };
  EXPECT_TRUE(with_name(kTestUsername));
  EXPECT_TRUE(with_name(kTestSub));
  EXPECT_EQ(with_name("alice@example.com").error().message,
            "Unable to verify secret hash for client client1client1client1clien");
}

TEST_F(RefreshTest, FlowIsNotForRotatingClients) {
  const std::string token = *SignIn().refresh_token;
  Rotate();
  EXPECT_EQ(RefreshFlow({{"REFRESH_TOKEN", token}}).error().code, AuthErrorCode::kInvalidParameter);
}

// ---- rotation ----

TEST_F(RefreshTest, RotationGivesASuccessorThatEndsWithTheFirst) {
  Rotate();
  const Tokens first = SignIn();
  clock_.Advance(days(20));
  const auto second = Refresh(*first.refresh_token);
  ASSERT_TRUE(second && second->refresh_token);
  EXPECT_NE(*second->refresh_token, *first.refresh_token);
  clock_.Advance(days(10));
  EXPECT_EQ(Refresh(*second->refresh_token).error().message, "Refresh Token has expired");
}

TEST_F(RefreshTest, ReuseRevokesTheFamily) {
  Rotate();
  const Tokens first = SignIn();
  const auto second = Refresh(*first.refresh_token);
  const auto reused = Refresh(*first.refresh_token);
  EXPECT_EQ(reused.error().code, AuthErrorCode::kRefreshTokenReuse);
  EXPECT_EQ(Refresh(*second->refresh_token).error().message, "Refresh Token has been revoked");
  EXPECT_FALSE(IsLive(region_, second->access_token));
  EXPECT_TRUE(Refresh(*SignIn().refresh_token)) << "another sign-in is another family";
}

TEST_F(RefreshTest, PredecessorIsHonouredWithinTheGracePeriodOnly) {
  Rotate(10);
  const Tokens first = SignIn();
  const auto second = Refresh(*first.refresh_token);
  clock_.Advance(seconds(10) - microseconds(1));
  const auto retried = Refresh(*first.refresh_token);
  ASSERT_TRUE(retried);
  EXPECT_FALSE(region_.last_wrote()) << "the period counts from the first time";
  EXPECT_TRUE(Refresh(*retried->refresh_token)) << "the successor is the same generation";
  EXPECT_TRUE(Refresh(*second->refresh_token)) << "within its own grace period";
  EXPECT_EQ(Refresh(*first.refresh_token).error().code, AuthErrorCode::kRefreshTokenReuse)
      << "the last but one is not the predecessor";
}

TEST_F(RefreshTest, GracePeriodEnds) {
  Rotate(10);
  const Tokens first = SignIn();
  ASSERT_TRUE(Refresh(*first.refresh_token));
  clock_.Advance(seconds(10));
  EXPECT_EQ(Refresh(*first.refresh_token).error().code, AuthErrorCode::kRefreshTokenReuse);
}

TEST_F(RefreshTest, TwoRequestsSideBySideRedeemOnce) {
  Rotate();
  const Tokens first = SignIn();
  auto one = region_.Begin(), two = region_.Begin();
  directory::Env env(clock_.Now(), region_.random(), region_.settings());
  for (auto* tx : {one.get(), two.get()}) {
    const Context context{.tx = *tx, .env = env, .pool = region_.pool, .signer = region_.signer};
    EXPECT_TRUE(RefreshTokens(context, TestClient(region_), *first.refresh_token));
  }
  EXPECT_TRUE(region_.Commit(*one));
  EXPECT_FALSE(region_.Commit(*two)) << "plans again, and finds the token redeemed";
}

TEST_F(RefreshTest, GenerationRedeemedInTwoCutOffRegionsIsFoundAtItsNextUse) {
  Rotate();
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const Tokens first = SignIn();
  const auto here = Refresh(*first.refresh_token), there = RefreshIn(other, *first.refresh_token);
  ASSERT_TRUE(here && there) << "once per Region at the worst";
  region_.MergeFactsOf(other);
  other.MergeFactsOf(region_);
  EXPECT_EQ(RefreshIn(other, *first.refresh_token).error().code, AuthErrorCode::kRefreshTokenReuse)
      << "never after the fact has arrived";
}

TEST_F(RefreshTest, RedeemedInARegionWhoseClockIsAhead_IsNotHonouredAgainWithoutAGracePeriod) {
  Rotate();
  ManualClock ahead;
  ahead.SetNow(clock_.Now() + std::chrono::minutes(5));
  TestRegion other("us-east-1", pool_, ahead);
  other.CopyDirectoryOf(region_);
  const Tokens first = SignIn();
  ASSERT_TRUE(RefreshIn(other, *first.refresh_token));
  region_.MergeFactsOf(other);
  EXPECT_EQ(Refresh(*first.refresh_token).error().code, AuthErrorCode::kRefreshTokenReuse);
}

TEST_F(RefreshTest, TwoHoldersOfOneSuccessorAreFoundOut) {
  Rotate();
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const Tokens first = SignIn();
  const auto here = Refresh(*first.refresh_token), there = RefreshIn(other, *first.refresh_token);
  region_.MergeFactsOf(other);
  other.MergeFactsOf(region_);
  const auto next = Refresh(*here->refresh_token);
  ASSERT_TRUE(next) << "whoever comes first goes on";
  other.MergeFactsOf(region_);
  EXPECT_EQ(RefreshIn(other, *there->refresh_token).error().code, AuthErrorCode::kRefreshTokenReuse);
  region_.MergeFactsOf(other);
  EXPECT_EQ(Refresh(*next->refresh_token).error().message, "Refresh Token has been revoked") << "and so do both";
}

TEST_F(RefreshTest, RotatedOutTokensStayDeadWhenRotationIsSwitchedOff) {
  Rotate();
  const Tokens first = SignIn();
  const auto second = Refresh(*first.refresh_token);
  ChangeClient(region_, [](ClientRecord& client) { client.set_refresh_token_rotation(false); });
  const auto third = Refresh(*second->refresh_token);
  ASSERT_TRUE(third);
  EXPECT_FALSE(third->refresh_token);
  EXPECT_EQ(Refresh(*first.refresh_token).error().code, AuthErrorCode::kRefreshTokenReuse);
}

// ---- revocation ----

TEST_F(RefreshTest, RevocationEndsTheFamilyAndNothingElse) {
  const Tokens revoked = SignIn(), other = SignIn();
  ASSERT_TRUE(Revoke(*revoked.refresh_token));
  EXPECT_EQ(Refresh(*revoked.refresh_token).error().message, "Refresh Token has been revoked");
  EXPECT_FALSE(IsLive(region_, revoked.access_token));
  EXPECT_TRUE(Refresh(*other.refresh_token));
  EXPECT_TRUE(IsLive(region_, other.access_token));
  EXPECT_TRUE(Revoke(*revoked.refresh_token)) << "again";
}

TEST_F(RefreshTest, RevocationTravels) {
  TestRegion other("us-east-1", pool_, clock_);
  other.CopyDirectoryOf(region_);
  const Tokens tokens = SignIn();
  ASSERT_TRUE(Revoke(*tokens.refresh_token));
  EXPECT_TRUE(RefreshIn(other, *tokens.refresh_token));
  other.MergeFactsOf(region_);
  EXPECT_FALSE(RefreshIn(other, *tokens.refresh_token));
  EXPECT_FALSE(IsLive(other, tokens.access_token));
}

TEST_F(RefreshTest, WhatCanBeRevoked) {
  const Tokens tokens = SignIn();
  EXPECT_EQ(Revoke(tokens.access_token).error().code, AuthErrorCode::kUnsupportedTokenType);
  EXPECT_EQ(Revoke(tokens.id_token).error().code, AuthErrorCode::kUnsupportedTokenType);
  EXPECT_TRUE(Revoke("nobody knows this one")) << "RFC 7009";
  EXPECT_FALSE(region_.last_wrote());
  ChangeClient(region_, [](ClientRecord& client) { client.set_enable_token_revocation(false); });
  EXPECT_EQ(Revoke(*tokens.refresh_token).error().code, AuthErrorCode::kUnsupportedOperation);
}

// ---- clients themselves ----

TEST_F(RefreshTest, ClientTokensHaveTheScopesAskedForOrAll) {
  ChangeClient(region_, [](ClientRecord& client) {
    client.add_allowed_oauth_scopes("orders/read");
    client.add_allowed_oauth_scopes("orders/write");
  });
  const auto with = [&](std::vector<std::string> scopes) {
    return region_.Run<ClientToken>(
        [&](const Context& context) { return GrantClientToken(context, TestClient(region_), scopes); });
  };
  EXPECT_EQ(ClaimsOf(with({})->access_token).at("scope"), "orders/read orders/write");
  EXPECT_EQ(ClaimsOf(with({"orders/write", "orders/write"})->access_token).at("scope"), "orders/write");
  EXPECT_EQ(with({"orders/delete"}).error().code, AuthErrorCode::kInvalidScope);
}

TEST(ClientSecretTest, AnyActiveSecretProves) {
  ClientRecord client;
  EXPECT_TRUE(ProvesSecret(client, std::nullopt));
  EXPECT_FALSE(ProvesSecret(client, "anything"));
  client.add_secrets("one");
  client.add_secrets("two");
  EXPECT_TRUE(ProvesSecret(client, "one"));
  EXPECT_TRUE(ProvesSecret(client, "two"));
  EXPECT_FALSE(ProvesSecret(client, "three"));
  EXPECT_FALSE(ProvesSecret(client, ""));
  EXPECT_FALSE(ProvesSecret(client, std::nullopt));
}

}  // namespace
}  // namespace symbolon::auth
