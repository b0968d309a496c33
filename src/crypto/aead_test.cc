#include "crypto/aead.h"

#include <gtest/gtest.h>

namespace symbolon::crypto {
namespace {

Bytes Hex(std::string_view text) { return HexDecode(text).value(); }

// The GCM specification (McGrew and Viega), test cases 13, 14 and 16.
TEST(AesGcmTest, KnownAnswers) {
  const Bytes zero_key(32, '\0'), zero_nonce(12, '\0');
  EXPECT_EQ(HexEncode(SealAesGcm(zero_key, zero_nonce, "", "")), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(HexEncode(SealAesGcm(zero_key, zero_nonce, "", Bytes(16, '\0'))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  const Bytes key = Hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const Bytes nonce = Hex("cafebabefacedbaddecaf888");
  const Bytes data = Hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Bytes plaintext = Hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const Bytes sealed = SealAesGcm(key, nonce, data, plaintext);
  EXPECT_EQ(HexEncode(sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393"
            "ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(OpenAesGcm(key, nonce, data, sealed)->view(), plaintext);
}

TEST(AesGcmTest, AnyChangedBitIsRefused) {
  const Bytes key(32, 'k'), nonce(12, 'n');
  const Bytes sealed = SealAesGcm(key, nonce, "data", "plaintext");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes altered = sealed;
    altered[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_EQ(OpenAesGcm(key, nonce, "data", altered).error(), CryptoError::kNotAuthentic) << bit;
  }
  EXPECT_FALSE(OpenAesGcm(key, nonce, "Data", sealed));
  EXPECT_FALSE(OpenAesGcm(key, Bytes(12, 'm'), "data", sealed));
  EXPECT_FALSE(OpenAesGcm(Bytes(32, 'l'), nonce, "data", sealed));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(OpenAesGcm(key, nonce, "data", BytesView(sealed).substr(0, size)));
  }
}

}  // namespace
}  // namespace symbolon::crypto
