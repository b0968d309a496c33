#include "crypto/ed25519.h"

#include <gtest/gtest.h>

namespace symbolon::crypto {
namespace {

Bytes Hex(std::string_view text) { return HexDecode(text).value(); }

// The PKCS #8 form of a 32-octet private key (RFC 8410 §7).
Bytes Pkcs8Of(std::string_view private_key_hex) {
  return Hex("302e020100300506032b657004220420" + std::string(private_key_hex));
}

struct Vector {
  const char* private_key;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032 §7.1, TEST 1 to 3.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "027beceea1ec40a"},
};

TEST(Ed25519Test, PublishedVectors) {
  for (const Vector& vector : kVectors) {
    const auto key = Ed25519Key::FromPkcs8(Pkcs8Of(vector.private_key));
    ASSERT_TRUE(key);
    EXPECT_EQ(HexEncode(key->PublicKey()), vector.public_key);
    EXPECT_EQ(HexEncode(key->Sign(Hex(vector.message))), vector.signature);
    EXPECT_TRUE(VerifyEd25519(Hex(vector.public_key), Hex(vector.message), Hex(vector.signature)));
  }
}

TEST(Ed25519Test, KeysAreNewAndComeBackFromTheirPkcs8) {
  const Ed25519Key key = Ed25519Key::Generate();
  EXPECT_NE(key.PublicKey(), Ed25519Key::Generate().PublicKey());
  const auto again = Ed25519Key::FromPkcs8(key.ToPkcs8().view());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->PublicKey(), key.PublicKey());
  EXPECT_TRUE(VerifyEd25519(key.PublicKey(), "message", again->Sign("message")));
}

TEST(Ed25519Test, AnythingElseDoesNotVerify) {
  const Ed25519Key key = Ed25519Key::Generate();
  const Bytes signature = key.Sign("message");
  EXPECT_FALSE(VerifyEd25519(key.PublicKey(), "messagf", signature));
  EXPECT_FALSE(VerifyEd25519(Ed25519Key::Generate().PublicKey(), "message", signature));
  for (std::size_t octet = 0; octet < signature.size(); ++octet) {
    Bytes altered = signature;
    altered[octet] ^= 1;
    EXPECT_FALSE(VerifyEd25519(key.PublicKey(), "message", altered)) << octet;
  }
  EXPECT_FALSE(VerifyEd25519(key.PublicKey(), "message", signature.substr(1)));
  EXPECT_FALSE(VerifyEd25519("short", "message", signature));
  EXPECT_FALSE(Ed25519Key::FromPkcs8("no key"));
}

}  // namespace
}  // namespace symbolon::crypto
