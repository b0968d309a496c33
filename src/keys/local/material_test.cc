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

}  // namespace
}  // namespace symbolon::keys::local
