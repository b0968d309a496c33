#include "crypto/rsa_unwrapping.h"

#include <gtest/gtest.h>

#include "crypto/random.h"
#include "crypto/test_rsa_wrapping.h"

namespace symbolon::crypto {
namespace {

TEST(RsaUnwrappingTest, UnwrapsWhatThePublicKeyWrapped) {
  for (const int bits : {2048, 3072}) {
    const auto key = RsaUnwrappingKey::Generate(bits);
    const Bytes wrapped = test::WrapOaep(key.PublicKeyDer(), "thirty-two octets of material...");
    EXPECT_EQ(key.UnwrapOaep(wrapped)->view(), "thirty-two octets of material...");
    const auto restored = RsaUnwrappingKey::FromPkcs8(key.ToPkcs8().view());
    ASSERT_TRUE(restored);
    EXPECT_EQ(restored->UnwrapOaep(wrapped)->view(), "thirty-two octets of material...");
    EXPECT_EQ(restored->PublicKeyDer(), key.PublicKeyDer());
  }
}

TEST(RsaUnwrappingTest, UnwrapsAesKeyWrapOfAnyLength) {
  const auto key = RsaUnwrappingKey::Generate(2048);
  const Bytes aes_key = SystemRandom().Octets(32);
  for (const std::size_t size : {1, 7, 8, 32, 100}) {
    const Bytes material(size, 'm');
    const Bytes wrapped = test::WrapOaep(key.PublicKeyDer(), aes_key) + test::WrapAes(aes_key, material);
    const auto plain = key.UnwrapOaepAesKeyWrap(wrapped);
    ASSERT_TRUE(plain) << size;
    EXPECT_EQ(plain->view(), material);
  }
  const Bytes short_key(16, 'k');
  EXPECT_FALSE(
      key.UnwrapOaepAesKeyWrap(test::WrapOaep(key.PublicKeyDer(), short_key) + test::WrapAes(aes_key, "12345678")));
}

TEST(RsaUnwrappingTest, AlteredOrCutOctetsAreNotAuthentic) {
  const auto key = RsaUnwrappingKey::Generate(2048);
  const Bytes aes_key = SystemRandom().Octets(32);
  const Bytes oaep = test::WrapOaep(key.PublicKeyDer(), aes_key);
  const Bytes whole = oaep + test::WrapAes(aes_key, Bytes(32, 'm'));
  for (std::size_t i = 0; i < whole.size(); i += 5) {
    Bytes altered = whole;
    altered[i] ^= 1;
    EXPECT_FALSE(key.UnwrapOaepAesKeyWrap(altered)) << i;
  }
  for (std::size_t size = 0; size < whole.size(); size += 3) {
    EXPECT_FALSE(key.UnwrapOaepAesKeyWrap(BytesView(whole).substr(0, size))) << size;
  }
  for (std::size_t size = 0; size < oaep.size(); size += 16) {
    EXPECT_FALSE(key.UnwrapOaep(BytesView(oaep).substr(0, size))) << size;
  }
  EXPECT_FALSE(key.UnwrapOaep(Bytes(256, '\xff')));
  EXPECT_FALSE(RsaUnwrappingKey::Generate(2048).UnwrapOaep(oaep));
}

TEST(RsaUnwrappingTest, OtherKeysAreMalformed) {
  EXPECT_FALSE(RsaUnwrappingKey::FromPkcs8(""));
  EXPECT_FALSE(RsaUnwrappingKey::FromPkcs8("nonsense"));
}

}  // namespace
}  // namespace symbolon::crypto
