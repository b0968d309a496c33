#include "federation/oidc_client.h"

#include <gtest/gtest.h>

#include "base/manual_clock.h"
#include "federation/test_provider.h"

namespace symbolon::federation {
namespace {

namespace json = boost::json;

class OidcClientTest : public testing::Test {
 protected:
  OidcClientTest() { provider_.user_info = {{"sub", "alice"}}; }
  Result<Assertion, OidcError> Redeem(const std::string& subject = "alice") {
    provider_.token_response = {{"id_token", provider_.Sign(provider_.Claims(subject, clock_.Now()))},
                                {"access_token", "at"}};
    return client_.Redeem(record_, "code", sent_);
  }

  ManualClock clock_;
  TestProvider provider_;
  directory::pb::IdentityProviderRecord record_ = provider_.Record();
  OidcClient client_{provider_, clock_};
  SentNonces sent_{.redirect_uri = "https://d.example/oauth2/idpresponse", .nonce = "nonce", .code_verifier = "v"};
};

TEST_F(OidcClientTest, ACodeBecomesAnAssertion) {
  provider_.user_info = {{"sub", "alice"}, {"name", "Alice"}};
  const auto assertion = Redeem();
  ASSERT_TRUE(assertion) << assertion.error().detail;
  EXPECT_EQ(assertion->subject, "alice");
  EXPECT_EQ(assertion->attributes.values,
            (auth::AttributeValues{{"email", "alice@idp.example"}, {"email_verified", "true"}, {"name", "Alice"}}));
  EXPECT_EQ(assertion->attributes.from_answer, std::vector<std::string>{"name"});
  EXPECT_EQ(provider_.last_form,
            "grant_type=authorization_code&code=code&redirect_uri=https%3A%2F%2Fd.example%2Foauth2%2Fidpresponse&"
            "client_id=symbolon&client_secret=secret&code_verifier=v");
  EXPECT_TRUE(ParseProviderKey(assertion->jwk));
}

TEST_F(OidcClientTest, AnAnswerAboutSomebodyElseIsRefused) {
  provider_.user_info = {{"sub", "mallory"}, {"name", "Mallory"}};
  EXPECT_FALSE(Redeem());
  provider_.user_info = {{"name", "Mallory"}};
  EXPECT_FALSE(Redeem());
}

TEST_F(OidcClientTest, AnIssuerThatSpeaksForAnotherIsRefused) {
  provider_.discovery_changes = {{"issuer", "https://other.example"}};
  EXPECT_FALSE(client_.MetadataOf(record_));
  clock_.Advance(OidcClient::kRefetchInterval);
  record_.set_authorize_url("https://idp.example/a");
  EXPECT_FALSE(client_.MetadataOf(record_)) << "the other endpoints come from the document";
  record_.set_token_url("https://idp.example/t");
  record_.set_attributes_url("https://idp.example/u");
  record_.set_jwks_uri("https://idp.example/k");
  EXPECT_TRUE(client_.MetadataOf(record_)) << "nothing of it is needed";
}

TEST_F(OidcClientTest, AProviderThatFailedIsLeftAloneForAMoment) {
  provider_.is_gone = true;
  EXPECT_FALSE(client_.MetadataOf(record_));
  EXPECT_FALSE(client_.MetadataOf(record_));
  EXPECT_EQ(provider_.asked["/.well-known/openid-configuration"], 1);
  provider_.is_gone = false;
  EXPECT_FALSE(client_.MetadataOf(record_)) << "as before";
  clock_.Advance(OidcClient::kRefetchInterval);
  EXPECT_TRUE(client_.MetadataOf(record_));
}

TEST_F(OidcClientTest, KeysAreRememberedAndAskedForAgainWhenOneIsUnknown) {
  ASSERT_TRUE(Redeem());
  ASSERT_TRUE(Redeem());
  EXPECT_EQ(provider_.asked["/jwks"], 1);
  provider_.AddKey("second");
  EXPECT_FALSE(Redeem()) << "asked a moment ago";
  EXPECT_EQ(provider_.asked["/jwks"], 1);
  clock_.Advance(OidcClient::kRefetchInterval);
  EXPECT_TRUE(Redeem());
  EXPECT_EQ(provider_.asked["/jwks"], 2);
  EXPECT_EQ(provider_.asked["/.well-known/openid-configuration"], 1);
}

TEST_F(OidcClientTest, AKeyThatTheProviderDroppedIsForgotten) {
  ASSERT_TRUE(Redeem());
  provider_.DropKey("first");
  clock_.Advance(OidcClient::kFreshFor);
  EXPECT_FALSE(Redeem());
}

TEST_F(OidcClientTest, KeysOfAProviderInTroubleServeForADay) {
  ASSERT_TRUE(Redeem());
  clock_.Advance(OidcClient::kFreshFor);
  provider_.is_gone = true;
  EXPECT_TRUE(client_.MetadataOf(record_)) << "as it was";
  clock_.Advance(OidcClient::kStaleFor);
  EXPECT_FALSE(client_.MetadataOf(record_));
}

TEST(QueryTest, ParametersAreAddedToWhatIsThere) {
  EXPECT_EQ(WithQuery("https://a.example/x", {{"state", "a b&c"}}), "https://a.example/x?state=a%20b%26c");
  EXPECT_EQ(WithQuery("https://a.example/x?y=1", {{"z", "2"}}), "https://a.example/x?y=1&z=2");
  EXPECT_EQ(WithQuery("app:/x", {}), "app:/x");
}

}  // namespace
}  // namespace symbolon::federation
