#include "crypto/hybrid.h"

#include <gtest/gtest.h>

#include "crypto/signing_key.h"

namespace symbolon::crypto {
namespace {

Bytes Hex(std::string_view text) { return HexDecode(text).value(); }

// The recipient's key and the info of RFC 9180's test vector for this suite (published with the RFC as JSON); the
// messages were sealed to it by Go's crypto/hpke and by Python's cryptography.
TEST(HybridTest, OpensWhatOtherImplementationsSealed) {
  const auto key = HybridPrivateKey::FromPkcs8(Hex(
      "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420317f915db7bc629c48fe765587897e01e282d3e8"
      "445f79f27f65d031a88082b2a14403420004abc7e49a4c6b3566d77d0304addc6ed0e98512ffccf505e6a8e3eb25c685136f85314854487"
      "6de76c0f2ef99cdc3a05ccf5ded7860c7c021238f9e2073d2356c"));
  ASSERT_TRUE(key);
  const Bytes info = Hex("4f6465206f6e2061204772656369616e2055726e");
  for (const char* sealed :
       {"04a2357f2bf1ae0fc51e12a2d7ac7214b19617aa032bb56202618eeb71bfac91308dc3bec1f6759a566650b33dc545895df15bc7559b2e"
        "7b88"
        "69513735f134103bc3dc5d600eb64ceb63f6f5edf1619eeaa302b480d1e24834b06f1ddb23170851d10189fa4ad5a01e6082f5fc52",
        "045fb50dbd61e4305c7d5c7364ac74124aacc9ff9b15d808001950bf4c20cc4f9420419d0259958300e4fb13ca2c9cbc1c33ab38d1c88a"
        "68"
        "68532a5dd18358badbd2f482144390556efe2a1c2d99e00bbd22420ad357a54c4e897109d56541f6c0910200988eeba72648bf4deee"
        "6"}) {
    const auto opened = key->Open(info, Hex(sealed));
    ASSERT_TRUE(opened);
    EXPECT_EQ(opened->view(), "Beauty is truth, truth beauty");
  }
}

TEST(HybridTest, RoundTripForTheRecipientAndThePurposeOnly) {
  const HybridPrivateKey key = HybridPrivateKey::Generate();
  const auto sealed = SealTo(key.PublicKey(), "info", "plaintext");
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->size(), 9 + kHybridOverheadBytes);
  EXPECT_EQ(key.Open("info", *sealed)->view(), "plaintext");
  EXPECT_EQ(key.Open("Info", *sealed).error(), CryptoError::kNotAuthentic);
  EXPECT_EQ(HybridPrivateKey::Generate().Open("info", *sealed).error(), CryptoError::kNotAuthentic);
  EXPECT_NE(SealTo(key.PublicKey(), "info", "plaintext"), *sealed);

  const auto copy = HybridPrivateKey::FromPkcs8(key.ToPkcs8().view());
  ASSERT_TRUE(copy);
  EXPECT_EQ(copy->PublicKey(), key.PublicKey());
  EXPECT_EQ(copy->Open("info", *sealed)->view(), "plaintext");
}

TEST(HybridTest, AnyChangedOctetIsRefused) {
  const HybridPrivateKey key = HybridPrivateKey::Generate();
  const Bytes sealed = SealTo(key.PublicKey(), "info", "plaintext").value();
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes altered = sealed;
    altered[i] ^= 1;
    EXPECT_FALSE(key.Open("info", altered)) << i;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(key.Open("info", BytesView(sealed).substr(0, size))) << size;
  }
}

TEST(HybridTest, WhatIsNoKeyIsMalformed) {
  EXPECT_EQ(SealTo("", "info", "x").error(), CryptoError::kMalformed);
  EXPECT_EQ(SealTo('\x04' + Bytes(64, '\x01'), "info", "x").error(), CryptoError::kMalformed);
  EXPECT_EQ(SealTo(Bytes(1, '\0'), "info", "x").error(), CryptoError::kMalformed);
  EXPECT_EQ(HybridPrivateKey::FromPkcs8("x").error(), CryptoError::kMalformed);
  const SigningKey rsa = SigningKey::Generate(SignatureAlgorithm::kRs256);
  EXPECT_EQ(HybridPrivateKey::FromPkcs8(rsa.ToPkcs8().view()).error(), CryptoError::kMalformed);
}

}  // namespace
}  // namespace symbolon::crypto
