#include "auth/access_tokens.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auth/signing_keys.h"
#include "auth/test_user.h"
#include "auth/tokens.h"
#include "crypto/jws.h"

namespace symbolon::auth {
namespace {

namespace json = boost::json;

constexpr std::string_view kFamily = "11111111-2222-4333-8444-555555555555";
using Claims = std::shared_ptr<const AccessTokenClaims>;

class AccessTokensTest : public testing::Test {
 protected:
  AccessTokensTest() { MakeTestPool(region_); }

  Tokens Issue() {
    return region_
        .Run<Tokens>([&](const Context& context) {
          const directory::User user = TestUser(region_);
          const auto client = TestClient(region_);
          return IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)), 0);
        })
        .value();
  }

  // A token of the pool's access key with a claim changed or removed (null).
  std::string Forge(std::string_view claim, const json::value& value) {
    auto claims = crypto::ParseJws(Issue().access_token)->unverified_claims();
    if (value.is_null()) {
      claims.erase(claim);
    } else {
      claims[claim] = value;
    }
    return region_.See([&](const Context& context) {
      return region_.signer.Sign(context.env, TokenSigner::KeysOf(context.tx)->access_tokens, json::serialize(claims));
    });
  }

  AccessTokenResult<Claims> Verify(const std::string& token) {
    SYMBOLON_TRY(const auto presented, verifier_.Present(token));
    return verifier_.Verify(presented, TestPublicRecord(region_), region_.settings(), clock_.Now());
  }

  AuthResult<directory::SharedUser> Check(const std::string& token) {
    const Claims claims = Verify(token).value();
    return region_.See([&](const Context& context) { return CheckSignedIn(context.tx, context.pool, *claims); });
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion region_{"eu-central-1", pool_, clock_};
  AccessTokenVerifier verifier_;
};

TEST_F(AccessTokensTest, GoodTokenTellsItsClaims) {
  const Claims claims = Verify(Issue().access_token).value();
  EXPECT_EQ(claims->pool, pool_.id);
  EXPECT_EQ(claims->client.value(), kTestClient);
  EXPECT_EQ(claims->sub, kTestSub);
  EXPECT_EQ(claims->username, "alice");
  EXPECT_EQ(claims->origin_jti, kFamily);
  EXPECT_TRUE(claims->HasScope(kUserAdminScope));
  EXPECT_FALSE(claims->HasScope("aws.cognito"));
  EXPECT_EQ(claims->expires_at, clock_.Now() + std::chrono::hours(1));
}

TEST_F(AccessTokensTest, ExpiresToTheSecond) {
  const std::string token = Issue().access_token;
  clock_.Advance(std::chrono::hours(1) - std::chrono::microseconds(1));
  EXPECT_TRUE(Verify(token));
  clock_.Advance(std::chrono::microseconds(1));
  EXPECT_EQ(Verify(token).error(), AccessTokenError::kExpired) << "remembered";
  verifier_.Forget(pool_.id);
  EXPECT_EQ(Verify(token).error(), AccessTokenError::kExpired) << "anew";
}

TEST_F(AccessTokensTest, WhatIsNotAnAccessTokenOfThePoolIsInvalid) {
  const Tokens tokens = Issue();
  EXPECT_EQ(Verify(tokens.id_token).error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify(*tokens.refresh_token).error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify("").error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify(std::string(100'000, 'a')).error(), AccessTokenError::kInvalid);
  const std::string& good = tokens.access_token;
  for (std::size_t cut = 1; cut < good.size(); cut += 13) {
    EXPECT_EQ(Verify(good.substr(0, cut)).error(), AccessTokenError::kInvalid) << cut;
  }
  const std::size_t payload = good.find('.') + 1, signature = good.rfind('.') + 1;
  const std::string none = Base64UrlEncode(R"({"alg":"none"})") + "." + good.substr(payload, signature - payload);
  EXPECT_EQ(Verify(none).error(), AccessTokenError::kInvalid);
  std::string altered = good;
  altered[signature] = altered[signature] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Verify(altered).error(), AccessTokenError::kInvalid);
}

TEST_F(AccessTokensTest, ClaimsAreChecked) {
  EXPECT_TRUE(Verify(Forge("iss", "http://127.0.0.1:9400/eu-central-1_TestPool1"))) << "the issuer may be switched";
  for (const char* issuer : {"http://127.0.0.1:9420/eu-central-1_TestPool1", "https://evil/eu-central-1_TestPool1",
                             "eu-central-1_TestPool1", "http://x/", "no_", "_no", "http://x/eu_a-b"}) {
    EXPECT_EQ(Verify(Forge("iss", issuer)).error(), AccessTokenError::kInvalid) << issuer;
  }
  EXPECT_EQ(Verify(Forge("token_use", "id")).error(), AccessTokenError::kInvalid);
  for (const char* claim : {"iss", "exp", "iat", "auth_time", "sub", "client_id", "token_use"}) {
    EXPECT_EQ(Verify(Forge(claim, nullptr)).error(), AccessTokenError::kInvalid) << claim;
    EXPECT_EQ(Verify(Forge(claim, json::array())).error(), AccessTokenError::kInvalid) << claim;
  }
  EXPECT_EQ(Verify(Forge("exp", 1e30)).error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify(Forge("exp", INT64_MAX)).error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify(Forge("exp", -1)).error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify(Forge("symbolon:sign_outs", "x")).error(), AccessTokenError::kInvalid);
  EXPECT_EQ(Verify(Forge("symbolon:sign_outs", {{"r", -1}})).error(), AccessTokenError::kInvalid);
}

TEST_F(AccessTokensTest, TokenOfAnotherPoolIsRefused) {
  TestPool other("eu-central-1_OtherPool");
  TestRegion elsewhere("eu-central-1", other, clock_);
  MakeTestPool(elsewhere);
  // The same key pairs under other kids.
  const auto token = elsewhere.Run<Tokens>([&](const Context& context) {
    const directory::User user = TestUser(elsewhere);
    const auto client = TestClient(elsewhere);
    return IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)), 0);
  });
  const auto presented = verifier_.Present(token->access_token);
  EXPECT_EQ(presented->pool(), other.id);
  EXPECT_EQ(verifier_.Verify(*presented, TestPublicRecord(region_), region_.settings(), clock_.Now()).error(),
            AccessTokenError::kInvalid);
}

TEST_F(AccessTokensTest, UnpublishedKeyEndsItsTokensAtOnce) {
  const std::string token = Issue().access_token;
  ASSERT_TRUE(Verify(token));
  const auto presented = verifier_.Present(token);
  EXPECT_EQ(verifier_.Verify(*presented, directory::pb::PublicRecord(), region_.settings(), clock_.Now()).error(),
            AccessTokenError::kInvalid);
}

TEST_F(AccessTokensTest, TextsAreCognitos) {
  EXPECT_EQ(ToAuthError(AccessTokenError::kInvalid).message, "Invalid Access Token");
  EXPECT_EQ(ToAuthError(AccessTokenError::kExpired).message, "Access Token has expired");
  EXPECT_EQ(ToAuthError(AccessTokenError::kRevoked).message, "Access Token has been revoked");
  EXPECT_EQ(ToAuthError(AccessTokenError::kScopeMissing).message, "Access Token does not have required scopes");
}

// ---- what happened since ----

TEST_F(AccessTokensTest, SignedInUserIsFound) { EXPECT_EQ(Check(Issue().access_token)->record->username(), "alice"); }

TEST_F(AccessTokensTest, ClientsOwnTokenIsNoUsers) {
  const auto token = region_.Run<ClientToken>(
      [&](const Context& context) { return IssueClientToken(context, TestClient(region_), {}); });
  EXPECT_EQ(Check(token->access_token).error().message, "Invalid Access Token");
}

TEST_F(AccessTokensTest, DisabledUserIsRefused) {
  const std::string token = Issue().access_token;
  DisableTestUser(region_);
  EXPECT_EQ(Check(token).error().message, "User is disabled.");
  EnableTestUser(region_);
  EXPECT_EQ(Check(token).error().message, "Access Token has been revoked") << "does not come back to life";
  EXPECT_TRUE(Check(Issue().access_token));
}

TEST_F(AccessTokensTest, DeletedUserIsGoneAndANamesakeIsSomebodyElse) {
  const std::string token = Issue().access_token;
  const directory::User user = TestUser(region_);
  region_.Change([&](const Context& context) { directory::DeleteUser(context.tx, context.pool, user); });
  EXPECT_EQ(Check(token).error().code, AuthErrorCode::kUserNotFound);
  directory::User namesake = user;
  namesake.record.set_sub("another");
  region_.Change([&](const Context& context) {
    EXPECT_TRUE(directory::InsertUser(context.tx, context.pool, namesake, directory::OnAliasConflict::kRefuse));
  });
  EXPECT_EQ(Check(token).error().code, AuthErrorCode::kUserNotFound);
}

TEST_F(AccessTokensTest, RevokedFamilyIsRefused) {
  const std::string token = Issue().access_token;
  region_.Change([&](const Context& context) { RevokeFamily(context.tx, kFamily, context.now()); });
  EXPECT_EQ(Check(token).error().message, "Access Token has been revoked");
}

TEST_F(AccessTokensTest, SignOutEndsEarlierTokensAndNoLaterOne) {
  const std::string before = Issue().access_token;
  const Bytes user_key = TestUser(region_).key;
  region_.Change([&](const Context& context) { SignOutUser(context.tx, context.region(), user_key, context.now()); });
  const std::string after = Issue().access_token;  // within the same microsecond
  EXPECT_EQ(Check(before).error().message, "Access Token has been revoked");
  EXPECT_TRUE(Check(after));
  region_.Change([&](const Context& context) { SignOutUser(context.tx, context.region(), user_key, context.now()); });
  EXPECT_EQ(Check(after).error().message, "Access Token has been revoked");
}

TEST_F(AccessTokensTest, ClockThatWentBackStillSignsOut) {
  const Bytes user_key = TestUser(region_).key;
  region_.Change([&](const Context& context) { SignOutUser(context.tx, context.region(), user_key, context.now()); });
  clock_.Advance(-std::chrono::hours(1));
  const std::string token = Issue().access_token;
  EXPECT_TRUE(Check(token));
  region_.Change([&](const Context& context) { SignOutUser(context.tx, context.region(), user_key, context.now()); });
  EXPECT_FALSE(Check(token));
}

TEST_F(AccessTokensTest, SignOutElsewhereCountsOnceMergedWhateverTheClocksSay) {
  ManualClock slow(clock_.Now() - std::chrono::minutes(3));
  TestRegion other("us-east-1", pool_, slow);
  other.CopyDirectoryOf(region_);
  const std::string before = Issue().access_token;
  const Bytes user_key = TestUser(region_).key;
  other.Change([&](const Context& context) { SignOutUser(context.tx, context.region(), user_key, context.now()); });
  EXPECT_TRUE(Check(before)) << "not here yet";
  region_.MergeFactsOf(other);
  EXPECT_EQ(Check(before).error().message, "Access Token has been revoked");
  const std::string after = Issue().access_token;
  EXPECT_TRUE(Check(after));
  region_.MergeFactsOf(other);
  EXPECT_TRUE(Check(after)) << "merging again changes nothing";
}

TEST_F(AccessTokensTest, FamilyBornInTwoRegionsIsRevokedWhenTheyMeet) {
  TestRegion other("us-east-1", pool_, clock_);
  const std::string token = Issue().access_token;
  region_.Change([&](const Context& context) { MarkUsed(context.tx, context.region(), kFamily, context.now()); });
  other.Change([&](const Context& context) { MarkUsed(context.tx, context.region(), kFamily, context.now()); });
  EXPECT_TRUE(Check(token));
  region_.MergeFactsOf(other);
  EXPECT_EQ(Check(token).error().message, "Access Token has been revoked");
}

// ---- PoolCache ----

TEST(PoolCacheTest, IsBoundedAndForgetsPools) {
  PoolCache<int> cache(16);
  const PoolId a("a"), b("b");
  for (int i = 0; i < 1'000; ++i) cache.Put(i % 2 == 0 ? a : b, std::to_string(i), i);
  EXPECT_LE(cache.size(), 24u);
  EXPECT_EQ(cache.Find(b, "999"), 999);
  EXPECT_EQ(cache.Find(a, "999"), std::nullopt) << "another pool's";
  cache.Put(b, "999", 1);
  EXPECT_EQ(cache.Find(b, "999"), 1);
  cache.Forget(b);
  EXPECT_EQ(cache.Find(b, "999"), std::nullopt);
  EXPECT_EQ(cache.Find(a, "998"), 998);
}

}  // namespace
}  // namespace symbolon::auth
