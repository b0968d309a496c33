#include "auth/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "auth/access_tokens.h"
#include "auth/signing_keys.h"
#include "auth/test_user.h"
#include "crypto/jws.h"
#include "directory/groups.h"

namespace symbolon::auth {
namespace {

namespace json = boost::json;
using testing::HasSubstr;

constexpr std::string_view kFamily = "11111111-2222-4333-8444-555555555555";

class TokensTest : public testing::Test {
 protected:
  TokensTest() { MakeTestPool(region_); }

  Tokens Issue(std::optional<std::uint32_t> refresh_generation = 0) {
    return region_
        .Run<Tokens>([&](const Context& context) {
          const directory::User user = TestUser(region_);
          const auto client = TestClient(region_);
          return IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)),
                             refresh_generation);
        })
        .value();
  }

  // The claims, verified as a relying party does: by the published JWKS alone.
  json::object Verified(const std::string& token) {
    auto jws = crypto::ParseJws(token).value();
    const json::value jwks = json::parse(JwksJson(TestPublicRecord(region_)));
    for (const json::value& entry : jwks.at("keys").as_array()) {
      const json::object& jwk = entry.as_object();
      const auto text = [&](const char* name) {
        return jwk.contains(name) ? std::string(jwk.at(name).as_string()) : std::string();
      };
      if (text("kid") != jws.key_id()) continue;
      const auto key = crypto::VerifyingKey::FromJwk({.kty = text("kty"),
                                                      .alg = text("alg"),
                                                      .n = text("n"),
                                                      .e = text("e"),
                                                      .crv = text("crv"),
                                                      .x = text("x"),
                                                      .y = text("y")});
      return std::move(jws).Verify(text("kid"), key.value()).value();
    }
    ADD_FAILURE() << "no such key: " << jws.key_id();
    return {};
  }

  TestPool pool_;
  ManualClock clock_;
  TestRegion region_{"eu-central-1", pool_, clock_};
};

TEST_F(TokensTest, IdTokenHasCognitosClaims) {
  ChangeUser(region_, [](auto& user) {
    (*user.mutable_attributes())["custom:tenant"] = "42";
    (*user.mutable_attributes())["updated_at"] = "1700000000";
    (*user.mutable_attributes())["address"] = "Somewhere 1";
    (*user.mutable_attributes())["dev:note"] = "not for clients";
  });
  const json::object claims = Verified(Issue().id_token);
  const std::int64_t now = ToSeconds(clock_.Now());
  EXPECT_EQ(claims.at("sub"), json::value(kTestSub));
  EXPECT_EQ(claims.at("iss"), "http://127.0.0.1:9410/eu-central-1_TestPool1");
  EXPECT_EQ(claims.at("aud"), json::value(kTestClient));
  EXPECT_EQ(claims.at("token_use"), "id");
  EXPECT_EQ(claims.at("cognito:username"), "alice");
  EXPECT_EQ(claims.at("origin_jti"), json::value(kFamily));
  EXPECT_EQ(claims.at("auth_time"), now);
  EXPECT_EQ(claims.at("iat"), now);
  EXPECT_EQ(claims.at("exp"), now + 3600);
  EXPECT_EQ(claims.at("jti").as_string().size(), 36u);
  EXPECT_EQ(claims.at("event_id").as_string().size(), 36u);
  EXPECT_EQ(claims.at("email"), "alice@example.com");
  EXPECT_EQ(claims.at("email_verified"), true);
  EXPECT_EQ(claims.at("custom:tenant"), "42");
  EXPECT_EQ(claims.at("updated_at"), 1'700'000'000);
  EXPECT_EQ(claims.at("address").at("formatted"), "Somewhere 1");
  for (const char* absent : {"dev:note", "cognito:groups", "cognito:roles", "scope", "client_id", "username"}) {
    EXPECT_FALSE(claims.contains(absent)) << absent;
  }
}

TEST_F(TokensTest, AccessTokenHasCognitosClaims) {
  const Tokens tokens = Issue();
  const json::object claims = Verified(tokens.access_token);
  EXPECT_EQ(claims.at("sub"), json::value(kTestSub));
  EXPECT_EQ(claims.at("client_id"), json::value(kTestClient));
  EXPECT_EQ(claims.at("token_use"), "access");
  EXPECT_EQ(claims.at("username"), "alice");
  EXPECT_EQ(claims.at("scope"), "aws.cognito.signin.user.admin");
  EXPECT_EQ(claims.at("origin_jti"), json::value(kFamily));
  EXPECT_EQ(claims.at("event_id"), Verified(tokens.id_token).at("event_id"));
  EXPECT_NE(claims.at("jti"), Verified(tokens.id_token).at("jti"));
  for (const char* absent : {"aud", "version", "email", "cognito:username", "symbolon:sign_outs"}) {
    EXPECT_FALSE(claims.contains(absent)) << absent;
  }
  EXPECT_EQ(tokens.expires_in, std::chrono::hours(1));
}

TEST_F(TokensTest, HeaderNamesKeyAndAlgorithmOnly) {
  const Tokens tokens = Issue();
  const auto header = [](const std::string& token) {
    return json::parse(*Base64UrlDecode(token.substr(0, token.find('.')))).as_object();
  };
  const json::object id = header(tokens.id_token), access = header(tokens.access_token);
  EXPECT_EQ(id.size(), 2u);
  EXPECT_EQ(id.at("alg"), "ES256");
  EXPECT_TRUE(id.at("kid").as_string().ends_with("="));
  EXPECT_NE(id.at("kid"), access.at("kid"));
}

TEST_F(TokensTest, Rs256PoolSignsWithRsa) {
  TestPool pool("eu-central-1_Rsa");
  TestRegion region("eu-central-1", pool, clock_);
  MakeTestPool(region, crypto::SignatureAlgorithm::kRs256);
  const auto tokens = region.Run<Tokens>([&](const Context& context) {
    const directory::User user = TestUser(region);
    const auto client = TestClient(region);
    return IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)), 0);
  });
  AccessTokenVerifier verifier;
  const auto presented = verifier.Present(tokens->access_token);
  EXPECT_EQ(presented->pool(), pool.id);
  EXPECT_TRUE(verifier.Verify(*presented, TestPublicRecord(region), region.settings(), clock_.Now()));
  const json::value jwk = json::parse(TestPublicRecord(region).jwks(0));
  EXPECT_THAT(json::serialize(jwk), HasSubstr(R"({"alg":"RS256","e":"AQAB","kid":")"));
}

TEST_F(TokensTest, GroupsComeByPrecedenceAndTheirRolesOnce) {
  const auto add = [&](const char* name, const char* role, std::optional<std::uint32_t> precedence) {
    region_.Change([&](const Context& context) {
      directory::pb::GroupRecord group;
      group.set_name(name);
      group.set_role_arn(role);
      if (precedence) group.set_precedence(*precedence);
      directory::PutGroup(context.tx, group);
      directory::AddMember(context.tx, TestUser(region_).key, name);
    });
  };
  add("readers", "arn:read", std::nullopt);
  add("admins", "arn:admin", 1);
  add("nothing", "", 0);
  add("owners", "arn:admin", 1);
  json::object claims = Verified(Issue().id_token);
  EXPECT_EQ(json::serialize(claims.at("cognito:groups")), R"(["nothing","admins","owners","readers"])");
  EXPECT_EQ(json::serialize(claims.at("cognito:roles")), R"(["arn:admin","arn:read"])");
  EXPECT_EQ(claims.at("cognito:preferred_role"), "arn:admin");
  EXPECT_EQ(json::serialize(Verified(Issue().access_token).at("cognito:groups")),
            R"(["nothing","admins","owners","readers"])");

  add("rivals", "arn:rival", 1);
  claims = Verified(Issue().id_token);
  EXPECT_FALSE(claims.contains("cognito:preferred_role")) << "groups of one precedence disagree";
}

TEST_F(TokensTest, ClientSeesOnlyWhatItMayRead) {
  ChangeClient(region_, [](auto& client) {
    client.set_has_read_attributes(true);
    client.add_read_attributes("email");
  });
  const json::object claims = Verified(Issue().id_token);
  EXPECT_TRUE(claims.contains("email"));
  EXPECT_FALSE(claims.contains("email_verified"));
}

TEST_F(TokensTest, ValiditiesAreTheClients) {
  directory::pb::ClientRecord client;
  EXPECT_EQ(AccessTokenValidity(client), std::chrono::hours(1));
  EXPECT_EQ(IdTokenValidity(client), std::chrono::hours(1));
  EXPECT_EQ(RefreshTokenValidity(client), std::chrono::days(30));
  client.set_access_token_validity(5);
  EXPECT_EQ(AccessTokenValidity(client), std::chrono::hours(5));
  client.set_access_token_unit("minutes");
  EXPECT_EQ(AccessTokenValidity(client), std::chrono::minutes(5));
  client.set_refresh_token_validity(0);
  EXPECT_EQ(RefreshTokenValidity(client), std::chrono::days(30));
  client.set_refresh_token_validity(7'200);
  client.set_refresh_token_unit("seconds");
  EXPECT_EQ(RefreshTokenValidity(client), std::chrono::hours(2));
  client.set_refresh_token_validity(315'360'000);
  client.set_refresh_token_unit("days");
  EXPECT_EQ(RefreshTokenValidity(client), std::chrono::days(3'650)) << "bounded, so that times do not overflow";
}

TEST_F(TokensTest, WithoutRevocationNoFamilyIsNamed) {
  ChangeClient(region_, [](auto& client) { client.set_enable_token_revocation(false); });
  EXPECT_FALSE(Verified(Issue().access_token).contains("origin_jti"));
  ChangeClient(region_, [](auto& client) { client.set_refresh_token_rotation(true); });
  EXPECT_TRUE(Verified(Issue().access_token).contains("origin_jti"));
}

TEST_F(TokensTest, UpdatedIssuerIsNeutral) {
  region_.pool.set_issuer(directory::pb::ISSUER_UPDATED);
  EXPECT_EQ(Verified(Issue().id_token).at("iss"), "http://127.0.0.1:9400/eu-central-1_TestPool1");
}

TEST_F(TokensTest, PoolOfARegionThatIsNotKnownIssuesNothingInAnotherName) {
  const TestPool born_elsewhere("ap-south-1_TestPool1");
  TestRegion here("eu-central-1", born_elsewhere, clock_);
  MakeTestPool(here);
  const auto issue = [&] {
    return here.Run<Tokens>([&](const Context& context) {
      const directory::User user = TestUser(here);
      const auto client = TestClient(here);
      return IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)), 0);
    });
  };
  const auto refused = issue();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, AuthErrorCode::kInternal);
  EXPECT_NE(refused.error().message.find("ap-south-1"), std::string::npos);
  here.pool.set_issuer(directory::pb::ISSUER_UPDATED);
  EXPECT_TRUE(issue());
}

TEST_F(TokensTest, RetiredKeysSignNoMoreAndStillVerify) {
  const Tokens before = Issue();
  region_.Change([&](const Context& context) {
    auto published = *context.tx.Get<directory::PublicKind>("");
    RetireSigningKeys(context.tx);
    PublishSigningKeys(context.tx, published, TestSigningKeys(crypto::SignatureAlgorithm::kRs256), context.now());
    context.tx.Put<directory::PublicKind>("", published);
  });
  const Tokens after = Issue();
  EXPECT_NE(crypto::ParseJws(before.id_token)->key_id(), crypto::ParseJws(after.id_token)->key_id());
  EXPECT_EQ(crypto::ParseJws(after.id_token)->algorithm(), crypto::SignatureAlgorithm::kRs256);
  EXPECT_FALSE(Verified(before.id_token).empty());
  EXPECT_FALSE(Verified(after.id_token).empty());
}

TEST_F(TokensTest, SecondAttemptAtAPlanSignsNothingAgain) {
  directory::Env env(clock_.Now(), region_.random(), region_.settings());
  std::vector<std::string> ids;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto tx = region_.Begin();
    const Context context{.tx = *tx, .env = env, .pool = region_.pool, .signer = region_.signer};
    const directory::User user = TestUser(region_);
    const auto client = TestClient(region_);
    ids.push_back(
        IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)), 0)->id_token);
  }
  EXPECT_EQ(ids[0], ids[1]);
  EXPECT_EQ(region_.signer.signature_count(), 2u);
}

TEST_F(TokensTest, PoolWithoutKeysIsAnError) {
  region_.Change([](const Context& context) { RetireSigningKeys(context.tx); });
  const auto tokens = region_.Run<Tokens>([&](const Context& context) {
    const directory::User user = TestUser(region_);
    const auto client = TestClient(region_);
    return IssueTokens(context, user, client, NewGrant(context, user, client, std::string(kFamily)), 0);
  });
  EXPECT_EQ(tokens.error().code, AuthErrorCode::kInternal);
}

TEST_F(TokensTest, ClientTokenSpeaksForTheClient) {
  const std::vector<std::string> scopes = {"orders/read", "orders/write"};
  const auto token = region_.Run<ClientToken>(
      [&](const Context& context) { return IssueClientToken(context, TestClient(region_), scopes); });
  const json::object claims = Verified(token->access_token);
  EXPECT_EQ(claims.at("sub"), json::value(kTestClient));
  EXPECT_EQ(claims.at("client_id"), json::value(kTestClient));
  EXPECT_EQ(claims.at("token_use"), "access");
  EXPECT_EQ(claims.at("scope"), "orders/read orders/write");
  EXPECT_EQ(claims.at("version"), 2);
  EXPECT_FALSE(claims.contains("username"));
}

// ---- refresh tokens ----

TEST_F(TokensTest, RefreshTokenLooksLikeCognitos) {
  const std::string text = *Issue().refresh_token;
  EXPECT_TRUE(text.starts_with("eyJjdHkiOiJKV1QiLCJlbmMiOiJBMjU2R0NNIiwiYWxnIjoi")) << text;
  EXPECT_EQ(std::ranges::count(text, '.'), 4);
  EXPECT_EQ(text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=."),
            std::string::npos);
  EXPECT_NE(text, *Issue().refresh_token);
}

TEST_F(TokensTest, RefreshTokenRoundTrip) {
  const std::string text = *Issue(3).refresh_token;
  region_.See([&](const Context& context) {
    const auto token = OpenRefreshToken(context, std::string(kTestClient), text);
    ASSERT_TRUE(token);
    EXPECT_EQ(token->sub(), kTestSub);
    EXPECT_EQ(token->generation(), 3u);
    const Grant grant = GrantOf(*token);
    EXPECT_EQ(grant.family, kFamily);
    EXPECT_EQ(grant.authenticated_at, clock_.Now());
    EXPECT_EQ(grant.ends_at, clock_.Now() + std::chrono::days(30));
  });
}

TEST_F(TokensTest, RefreshTokenOpensForItsClientAndPurposeOnly) {
  const std::string text = *Issue().refresh_token;
  region_.See([&](const Context& context) {
    EXPECT_FALSE(OpenRefreshToken(context, "another", text));
    const Bytes session = context.tx.keys().SealToken(keys::TokenPurpose::kSession, kTestClient,
                                                      pb::RefreshToken().SerializeAsString(), context.env.random());
    const std::string header = text.substr(0, text.find('.'));
    EXPECT_FALSE(OpenRefreshToken(context, std::string(kTestClient), header + "..." + Base64UrlEncode(session)));
    for (std::size_t cut = 0; cut < text.size(); cut += 7) {
      EXPECT_FALSE(OpenRefreshToken(context, std::string(kTestClient), text.substr(0, cut))) << cut;
    }
    for (std::size_t at = 0; at < text.size(); at += 5) {
      std::string altered = text;
      altered[at] = altered[at] == 'A' ? 'B' : 'A';
      EXPECT_FALSE(OpenRefreshToken(context, std::string(kTestClient), altered)) << at;
    }
    EXPECT_FALSE(OpenRefreshToken(context, std::string(kTestClient), text + ".AAAA"));
    EXPECT_FALSE(OpenRefreshToken(context, std::string(kTestClient), ""));
  });
  TestPool other("eu-central-1_OtherPool");
  TestRegion elsewhere("eu-central-1", other, clock_);
  elsewhere.See(
      [&](const Context& context) { EXPECT_FALSE(OpenRefreshToken(context, std::string(kTestClient), text)); });
}

}  // namespace
}  // namespace symbolon::auth
