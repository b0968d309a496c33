#include "crypto/jws.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "crypto/hash.h"

namespace symbolon::crypto {
namespace {

const SigningKey& Key() {
  static const SigningKey key = SigningKey::Generate(SignatureAlgorithm::kEs256);
  return key;
}

// `header` and `payload` signed as they are.
std::string SignRaw(std::string_view header, std::string_view payload) {
  const std::string input = Base64UrlEncode(header) + '.' + Base64UrlEncode(payload);
  return input + '.' + Base64UrlEncode(Key().Sign(input));
}

JwsResult<boost::json::object> ParseAndVerify(std::string_view token) {
  SYMBOLON_TRY(UnverifiedJws jws, ParseJws(token));
  return std::move(jws).Verify("key-1", Key().PublicKey());
}

TEST(JwsTest, RoundTrip) {
  const std::string token = SignJws(Key(), "key-1", R"({"sub":"a","exp":5})");
  auto jws = ParseJws(token);
  ASSERT_TRUE(jws);
  EXPECT_EQ(jws->key_id(), "key-1");
  EXPECT_EQ(jws->algorithm(), SignatureAlgorithm::kEs256);
  EXPECT_EQ(jws->unverified_claims().at("sub"), "a");
  const auto claims = std::move(*jws).Verify("key-1", Key().PublicKey());
  ASSERT_TRUE(claims);
  EXPECT_EQ(claims->at("exp"), 5);
}

TEST(JwsTest, HeaderIsWhatCognitoWrites) {
  const std::string token = SignJws(Key(), R"(a"+/=)", "{}");
  EXPECT_EQ(Base64UrlDecode(token.substr(0, token.find('.'))), R"({"kid":"a\"+/=","alg":"ES256"})");
}

TEST(JwsTest, AlgorithmIsPinnedByTheKey) {
  // The public key as an HMAC key is the classic confusion.
  const std::string input = Base64UrlEncode(R"({"kid":"key-1","alg":"HS256"})") + '.' + Base64UrlEncode("{}");
  const std::string mac = Base64UrlEncode(HmacSha256(Key().PublicKey().ToJwk().x, input));
  EXPECT_EQ(ParseAndVerify(input + '.' + mac).error(), JwsError::kAlgorithmRefused);

  const std::string none = Base64UrlEncode(R"({"kid":"key-1","alg":"none"})") + '.' + Base64UrlEncode("{}") + '.';
  EXPECT_EQ(ParseAndVerify(none).error(), JwsError::kAlgorithmRefused);
  for (const char* name : {"None", "", "RS384", "PS256", "es256", "EdDSA"}) {
    EXPECT_EQ(ParseAndVerify(SignRaw(R"({"kid":"key-1","alg":")" + std::string(name) + "\"}", "{}")).error(),
              JwsError::kAlgorithmRefused);
  }
  EXPECT_EQ(ParseAndVerify(SignRaw(R"({"kid":"key-1","alg":"RS256"})", "{}")).error(), JwsError::kAlgorithmRefused);
}

TEST(JwsTest, AnotherKeyIsRefused) {
  EXPECT_EQ(ParseAndVerify(SignJws(Key(), "key-2", "{}")).error(), JwsError::kWrongKey);
  const SigningKey other = SigningKey::Generate(SignatureAlgorithm::kEs256);
  EXPECT_EQ(ParseAndVerify(SignJws(other, "key-1", "{}")).error(), JwsError::kBadSignature);
}

TEST(JwsTest, HeaderWithoutWhatIsNeededIsMalformed) {
  for (const char* header :
       {R"({"alg":"ES256"})", R"({"kid":"key-1"})", R"({"kid":1,"alg":"ES256"})", R"({"kid":"key-1","alg":null})",
        R"({"kid":"key-1","alg":"ES256","crit":["b64"],"b64":false})", R"("ES256")", "[]", "", "{", "\xff"}) {
    EXPECT_EQ(ParseAndVerify(SignRaw(header, "{}")).error(), JwsError::kMalformed) << header;
  }
}

TEST(JwsTest, PayloadThatIsNoObjectIsMalformed) {
  for (const char* payload : {"", "[]", "null", "{}x", "{\"a\":}", "{\"a\":\"\xff\"}"}) {
    EXPECT_EQ(ParseAndVerify(SignRaw(R"({"kid":"key-1","alg":"ES256"})", payload)).error(), JwsError::kMalformed)
        << payload;
  }
  const auto nested = [](int depth) {
    return "{\"a\":" + std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']') + "}";
  };
  EXPECT_TRUE(ParseAndVerify(SignJws(Key(), "key-1", nested(10))));
  EXPECT_EQ(ParseAndVerify(SignJws(Key(), "key-1", nested(20))).error(), JwsError::kMalformed);
  EXPECT_EQ(ParseAndVerify(SignJws(Key(), "key-1", nested(4000))).error(), JwsError::kMalformed);
}

TEST(JwsTest, FormIsStrict) {
  const std::string token = SignJws(Key(), "key-1", R"({"sub":"abc"})");
  for (const std::string& wrong :
       {std::string(), std::string("."), std::string(".."), std::string("..."), token + ".", "." + token, token + "=",
        token + " ", " " + token, token + "\n", token + ".e30", token.substr(0, token.rfind('.')),
        token.substr(token.find('.') + 1), std::string(token).replace(token.find('.'), 1, "=.")}) {
    EXPECT_EQ(ParseAndVerify(wrong).error(), JwsError::kMalformed) << wrong;
  }
  EXPECT_EQ(ParseAndVerify(token.substr(0, token.rfind('.') + 1)).error(), JwsError::kBadSignature);
}

TEST(JwsTest, SizeIsBounded) {
  const std::string claims = R"({"a":")" + std::string(kJwsBytesMax, 'a') + "\"}";
  EXPECT_EQ(ParseAndVerify(SignJws(Key(), "key-1", claims)).error(), JwsError::kTooLarge);
}

TEST(JwsTest, AnyChangedCharacterIsRefused) {
  const std::string token = SignJws(Key(), "key-1", R"({"sub":"abc"})");
  for (std::size_t i = 0; i < token.size(); ++i) {
    std::string altered = token;
    altered[i] = altered[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(ParseAndVerify(altered)) << i;
  }
}

}  // namespace
}  // namespace symbolon::crypto
