#include "federation/id_token.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/manual_clock.h"
#include "crypto/hash.h"
#include "federation/test_provider.h"

namespace symbolon::federation {
namespace {

namespace json = boost::json;

class IdTokenTest : public testing::Test {
 protected:
  ProviderKey Key(const std::string& kid = "first") const {
    return *ParseProviderKey(json::serialize(provider_.JwkOf(kid)));
  }
  Expected Want() {
    return {.issuer = provider_.issuer(), .audience = "symbolon", .nonce = "nonce", .now = clock_.Now()};
  }
  json::object Claims() { return provider_.Claims("alice", clock_.Now()); }
  Result<IdToken, IdTokenError> Verify(const std::string& token) { return VerifyIdToken(token, Key(), Want()); }
  void ExpectRefused(const std::function<void(json::object&)>& change, IdTokenError error) {
    json::object claims = Claims();
    change(claims);
    const auto verified = Verify(provider_.Sign(claims));
    ASSERT_FALSE(verified) << json::serialize(claims);
    EXPECT_EQ(Name(verified.error()), Name(error)) << json::serialize(claims);
  }

  ManualClock clock_;
  TestProvider provider_;
};

TEST_F(IdTokenTest, WhatTheProviderSignedForUsIsBelieved) {
  const auto verified = Verify(provider_.Sign(Claims()));
  ASSERT_TRUE(verified);
  EXPECT_EQ(verified->subject, "alice");
  EXPECT_EQ(verified->claims.at("email"), "alice@idp.example");
  json::object several = Claims();
  several["aud"] = {"symbolon", "other"};
  several["azp"] = "symbolon";
  several["exp"] = static_cast<double>(ToSeconds(clock_.Now())) + 1.5;
  EXPECT_TRUE(Verify(provider_.Sign(several)));
}

TEST_F(IdTokenTest, AWrongClaimIsRefused) {
  const std::int64_t now = ToSeconds(clock_.Now());
  const std::int64_t leeway = std::chrono::seconds(kClockLeeway).count();
  ExpectRefused([](auto& claims) { claims["iss"] = "https://idp.example/"; }, IdTokenError::kIssuer);
  ExpectRefused([](auto& claims) { claims.erase("iss"); }, IdTokenError::kIssuer);
  ExpectRefused([](auto& claims) { claims["aud"] = "other"; }, IdTokenError::kAudience);
  ExpectRefused([](auto& claims) { claims["aud"] = {"other", "third"}; }, IdTokenError::kAudience);
  ExpectRefused([](auto& claims) { claims["aud"] = {"symbolon", "other"}; }, IdTokenError::kAudience);
  ExpectRefused([](auto& claims) { claims["azp"] = "other"; }, IdTokenError::kAudience);
  ExpectRefused([](auto& claims) { claims["aud"] = 7; }, IdTokenError::kAudience);
  ExpectRefused([](auto& claims) { claims["nonce"] = "another"; }, IdTokenError::kNonce);
  ExpectRefused([](auto& claims) { claims.erase("nonce"); }, IdTokenError::kNonce);
  ExpectRefused([&](auto& claims) { claims["exp"] = now - leeway; }, IdTokenError::kExpired);
  ExpectRefused([](auto& claims) { claims.erase("exp"); }, IdTokenError::kMalformed);
  ExpectRefused([](auto& claims) { claims["exp"] = "tomorrow"; }, IdTokenError::kMalformed);
  ExpectRefused([](auto& claims) { claims["exp"] = 1e300; }, IdTokenError::kMalformed);
  ExpectRefused([](auto& claims) { claims["exp"] = -1; }, IdTokenError::kMalformed);
  ExpectRefused([&](auto& claims) { claims["iat"] = now + leeway + 1; }, IdTokenError::kNotYet);
  ExpectRefused([&](auto& claims) { claims["nbf"] = now + leeway + 1; }, IdTokenError::kNotYet);
  ExpectRefused([](auto& claims) { claims["sub"] = ""; }, IdTokenError::kSubject);
  ExpectRefused([](auto& claims) { claims["sub"] = "a b"; }, IdTokenError::kSubject);
  ExpectRefused([](auto& claims) { claims["sub"] = std::string(kSubjectBytesMax + 1, 'a'); }, IdTokenError::kSubject);
  ExpectRefused([](auto& claims) { claims["sub"] = 7; }, IdTokenError::kSubject);
}

TEST_F(IdTokenTest, OtherAlgorithmsKeysAndSignaturesAreRefused) {
  const std::string token = provider_.Sign(Claims());
  const std::string payload = token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1);
  const auto with_header = [&](const std::string& header, const std::string& signature) {
    return Base64UrlEncode(header) + "." + payload + "." + signature;
  };
  const auto error_of = [&](const std::string& text) { return Name(Verify(text).error()); };
  EXPECT_EQ(error_of(with_header(R"({"alg":"none","kid":"first"})", "")), Name(IdTokenError::kAlgorithm));
  const std::string hmac_header = R"({"alg":"HS256","kid":"first"})";
  const std::string input = Base64UrlEncode(hmac_header) + "." + payload;
  EXPECT_EQ(error_of(input + "." + Base64UrlEncode(crypto::HmacSha256(Key().jwk, input))),
            Name(IdTokenError::kAlgorithm));
  EXPECT_EQ(error_of(with_header(R"({"alg":"RS256","kid":"first"})", token.substr(token.rfind('.') + 1))),
            Name(IdTokenError::kAlgorithm));
  EXPECT_EQ(error_of(with_header(R"({"alg":"ES256"})", token.substr(token.rfind('.') + 1))),
            Name(IdTokenError::kMalformed));
  EXPECT_EQ(error_of(token.substr(0, token.rfind('.') + 1) + Base64UrlEncode(Bytes(64, 'x'))),
            Name(IdTokenError::kSignature));
  json::object other = Claims();
  other["sub"] = "mallory";
  EXPECT_EQ(error_of(token.substr(0, token.find('.') + 1) + Base64UrlEncode(json::serialize(other)) +
                     token.substr(token.rfind('.'))),
            Name(IdTokenError::kSignature));
  EXPECT_EQ(error_of("no token"), Name(IdTokenError::kMalformed));
  provider_.AddKey("second");
  EXPECT_EQ(error_of(provider_.Sign(Claims())), Name(IdTokenError::kKey));
}

TEST(JwksTest, OnlyKeysThatVerifyIdTokensAreTaken) {
  const TestProvider provider;
  json::object good = provider.JwkOf("first");
  json::object encryption = good, nameless = good, symmetric{{"kty", "oct"}, {"k", "c2VjcmV0"}, {"kid", "hmac"}};
  encryption["use"] = "enc";
  nameless.erase("kid");
  const json::object set{{"keys", {good, encryption, nameless, symmetric, 7}}};
  const auto keys = ParseJwks(json::serialize(set));
  ASSERT_TRUE(keys);
  ASSERT_EQ(keys->size(), 1u);
  EXPECT_EQ(keys->front().kid, "first");
  EXPECT_EQ(ParseProviderKey(keys->front().jwk)->jwk, keys->front().jwk) << "the same text for the same key";
  EXPECT_FALSE(ParseJwks("{}"));
  EXPECT_FALSE(ParseJwks("not JSON"));
  EXPECT_FALSE(ParseProviderKey("[]"));
}

}  // namespace
}  // namespace symbolon::federation
