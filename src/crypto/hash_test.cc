#include "crypto/hash.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace symbolon::crypto {
namespace {

Bytes Hex(std::string_view text) { return HexDecode(text).value(); }

// FIPS 180-2, appendix B.
TEST(Sha256Test, KnownAnswers) {
  EXPECT_EQ(HexEncode(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HexEncode(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexEncode(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, PartsAndStreamEqualTheWhole) {
  EXPECT_EQ(Sha256({"a", "", "bc"}), Sha256("abc"));
  Sha256Stream stream;
  stream.Update("ab");
  stream.Update("c");
  EXPECT_EQ(stream.Finish(), Sha256("abc"));
  stream.Update("x");
  EXPECT_EQ(stream.Finish(), Sha256("x"));
}

// RFC 4231, test cases 1, 2, 4, 6.
TEST(HmacTest, KnownAnswers) {
  struct Case {
    Bytes key, data;
    std::string mac;
  };
  const Case cases[] = {
      {Bytes(20, '\x0b'), "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"},
      {"Jefe", "what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
      {Hex("0102030405060708090a0b0c0d0e0f10111213141516171819"), Bytes(50, '\xcd'),
       "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"},
      {Bytes(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First",
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"},
  };
  for (const Case& test : cases) {
    EXPECT_EQ(HexEncode(HmacSha256(test.key, test.data)), test.mac);
    const HmacKey key(test.key);
    EXPECT_EQ(HexEncode(key.Sha256(test.data)), test.mac);
    EXPECT_EQ(HexEncode(key.Sha256({BytesView(test.data).substr(0, 3), BytesView(test.data).substr(3)})), test.mac);
  }
}

TEST(HmacTest, OneKeyServesManyThreads) {
  const HmacKey key("key");
  const Bytes expected = HmacSha256("key", "message");
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) wrong += key.Sha256("message") != expected;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

// RFC 5869, appendix A.1 to A.3.
TEST(HkdfTest, KnownAnswers) {
  const Bytes key(22, '\x0b');
  const Secret prk = HkdfSha256Extract(Hex("000102030405060708090a0b0c"), key);
  EXPECT_EQ(HexEncode(prk.view()), "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5");
  EXPECT_EQ(HexEncode(HkdfSha256Expand(prk.view(), Hex("f0f1f2f3f4f5f6f7f8f9"), 42).view()),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865");
  Bytes input, salt, info;
  for (int i = 0; i < 80; ++i) {
    input += static_cast<char>(i);
    salt += static_cast<char>(0x60 + i);
    info += static_cast<char>(0xb0 + i);
  }
  EXPECT_EQ(HexEncode(HkdfSha256(salt, input, info, 82).view()),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65e590e09"
            "da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87");
  EXPECT_EQ(HexEncode(HkdfSha256({}, key, {}, 42).view()),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8");
}

TEST(EqualSecretsTest, ComparesContentAndLength) {
  EXPECT_TRUE(EqualSecrets("", ""));
  EXPECT_TRUE(EqualSecrets(Bytes("a\0b", 3), Bytes("a\0b", 3)));
  EXPECT_FALSE(EqualSecrets(Bytes("a\0b", 3), Bytes("a\0c", 3)));
  EXPECT_FALSE(EqualSecrets("a", "ab"));
}

}  // namespace
}  // namespace symbolon::crypto
