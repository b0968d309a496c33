#include "audit/line.h"

#include <gtest/gtest.h>

#include "crypto/hash.h"

namespace symbolon::audit {
namespace {

TEST(LineTest, LinesNameTheHashOfTheOneBefore) {
  ChainEnd end;
  const std::string first = FormatLine(end, LineKind::kEvent, R"({"a":1})");
  EXPECT_EQ(first, "{\"sequence\":1,\"previous\":\"" + std::string(64, '0') + R"(","event":{"a":1}})");
  EXPECT_EQ(end, (ChainEnd{1, crypto::Sha256(first)}));
  const std::string second = FormatLine(end, LineKind::kWitness, "{}");
  EXPECT_EQ(second, "{\"sequence\":2,\"previous\":\"" + HexEncode(crypto::Sha256(first)) + R"(","witness":{}})");

  const auto line = ParseLine(second);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->sequence, 2U);
  EXPECT_EQ(line->previous, crypto::Sha256(first));
  EXPECT_EQ(line->kind, LineKind::kWitness);
  EXPECT_EQ(line->body, "{}");
  EXPECT_EQ(EndWith(*line, second), end);
}

TEST(LineTest, CheckpointIsSignedOverAllBeforeTheSignature) {
  const auto key = crypto::Ed25519Key::Generate();
  ChainEnd end;
  const std::string text = FormatCheckpoint(end, R"({"reason":"stop"})", key);
  const auto line = ParseLine(text);
  ASSERT_TRUE(line);
  EXPECT_EQ(line->body, R"({"reason":"stop"})");
  EXPECT_TRUE(HasGoodSignature(*line, key.PublicKey()));
  EXPECT_FALSE(HasGoodSignature(*line, crypto::Ed25519Key::Generate().PublicKey()));
  const std::string signed_text = text.substr(0, text.find(",\"signature\""));
  EXPECT_TRUE(crypto::VerifyEd25519(key.PublicKey(), "symbolon audit checkpoint 1\n" + signed_text, line->signature));
  for (std::size_t octet = 0; octet < text.size(); ++octet) {
    std::string altered = text;
    altered[octet] ^= 1;
    const auto other = ParseLine(altered);
    EXPECT_FALSE(other && HasGoodSignature(*other, key.PublicKey())) << octet;
  }
}

TEST(LineTest, OtherTextIsNoLine) {
  ChainEnd end;
  const std::string good = FormatLine(end, LineKind::kEvent, "{}");
  ASSERT_TRUE(ParseLine(good));
  const std::string zeros(64, '0');
  for (const std::string& bad :
       {std::string(), std::string("{}"), good.substr(1), good + "\n",
        "{\"sequence\":01,\"previous\":\"" + zeros + R"(","event":{}})",
        "{\"sequence\":0,\"previous\":\"" + zeros + R"(","event":{}})",
        "{\"sequence\":99999999999999999999,\"previous\":\"" + zeros + R"(","event":{}})",
        "{\"sequence\":1,\"previous\":\"" + std::string(64, 'A') + R"(","event":{}})",
        "{\"sequence\":1,\"previous\":\"" + zeros + R"(","other":{}})",
        "{\"sequence\":1,\"previous\":\"" + zeros + R"(","checkpoint":{}})",
        "{\"sequence\":1,\"previous\":\"" + zeros + R"(","event":")" + std::string(kLineBytesMax, 'x') + "\"}"}) {
    EXPECT_FALSE(ParseLine(bad)) << bad.substr(0, 120);
  }
}

}  // namespace
}  // namespace symbolon::audit
