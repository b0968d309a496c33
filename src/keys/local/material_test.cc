#include "keys/local/material.h"

#include <gtest/gtest.h>

#include "crypto/random.h"

namespace symbolon::keys::local {
namespace {

TEST(KeyMaterialTest, CiphertextNamesKeyAndVersion) {
  const KeyMaterial material("mrk-1", 7, Secret(Bytes(32, 'k')));
  const Bytes ciphertext = material.Encrypt(crypto::SystemRandom(), {}, "plaintext");
  EXPECT_TRUE(ciphertext.starts_with(Bytes("\x01\x05mrk-1\0\0\0\x07", 11)));
  EXPECT_EQ(ciphertext.size(), 11 + 9 + crypto::kXaesOverheadBytes);
}

TEST(KeyMaterialTest, SameMaterialUnderAnotherNameOpensNothing) {
  const KeyMaterial material("mrk-1", 1, Secret(Bytes(32, 'k')));
  const Bytes ciphertext = material.Encrypt(crypto::SystemRandom(), {}, "plaintext");
  EXPECT_TRUE(KeyMaterial("mrk-1", 1, Secret(Bytes(32, 'k'))).Decrypt({}, ciphertext));
  EXPECT_FALSE(KeyMaterial("mrk-2", 1, Secret(Bytes(32, 'k'))).Decrypt({}, ciphertext));
  EXPECT_FALSE(KeyMaterial("mrk-1", 2, Secret(Bytes(32, 'k'))).Decrypt({}, ciphertext));
}

// Pairs are told apart by their lengths, so that nothing can be moved from one into another.
TEST(KeyMaterialTest, ContextsThatReadAlikeDiffer) {
  const KeyMaterial material("key", 1, Secret(Bytes(32, 'k')));
  const Bytes ciphertext = material.Encrypt(crypto::SystemRandom(), {{"a", "bc"}}, "plaintext");
  EXPECT_FALSE(material.Decrypt({{"ab", "c"}}, ciphertext));
  EXPECT_FALSE(material.Decrypt({{"a", "b"}, {"c", ""}}, ciphertext));
  EXPECT_TRUE(material.Decrypt({{"a", "bc"}}, ciphertext));
}

// Computed from the text of material.h by another program (Python with the package `cryptography`).
TEST(KeyMaterialTest, KnownAnswer) {
  class FixedNonce final : public Random {
   public:
    Bytes Octets(std::size_t) override { return "ABCDEFGHIJKLMNOPQRSTUVWX"; }
  } nonce;
  const KeyMaterial material("mrk-00112233445566778899aabbccddeeff", 1, Secret(Bytes(32, 0x55)));
  EXPECT_EQ(HexEncode(material.Encrypt(nonce, {{"aws:cognito-idp:userpool-arn", "arn:pool"}, {"a", "b"}}, "plaintext")),
            "01246d726b2d303031313232333334343535363637373838393961616262636364646565666600000001414243444546"
            "4748494a4b4c4d4e4f505152535455565758977a504d93abecfb9ee8e5f7c6e77829380d4eee761717407f");
}

}  // namespace
}  // namespace symbolon::keys::local
