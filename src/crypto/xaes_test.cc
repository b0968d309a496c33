#include "crypto/xaes.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <atomic>
#include <thread>
#include <vector>

#include "base/dead_stack.h"
#include "base/memory_search.h"
#include "crypto/aead.h"
#include "crypto/random.h"

namespace symbolon::crypto {
namespace {

// Gives the octets that it was told to give.
class FixedRandom final : public Random {
 public:
  explicit FixedRandom(BytesView octets) : octets_(octets) {}
  Bytes Octets(std::size_t count) override {
    EXPECT_EQ(count, octets_.size());
    return octets_;
  }

 private:
  Bytes octets_;
};

Bytes Shake128(BytesView input, std::size_t output_bytes) {
  Bytes output(output_bytes, '\0');
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  EXPECT_EQ(EVP_DigestInit_ex(context, EVP_shake128(), nullptr), 1);
  EXPECT_EQ(EVP_DigestUpdate(context, input.data(), input.size()), 1);
  EXPECT_EQ(EVP_DigestFinalXOF(context, reinterpret_cast<unsigned char*>(output.data()), output.size()), 1);
  EVP_MD_CTX_free(context);
  return output;
}

// C2SP.org/XAES-256-GCM, test vectors.
TEST(XaesTest, KnownAnswers) {
  constexpr std::string_view nonce = "ABCDEFGHIJKLMNOPQRSTUVWX";
  FixedRandom random(nonce);
  EXPECT_EQ(HexEncode(XaesKey(Bytes(32, '\x01')).Seal(random, "", "XAES-256-GCM")),
            HexEncode(nonce) + "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
  EXPECT_EQ(HexEncode(XaesKey(Bytes(32, '\x03')).Seal(random, "c2sp.org/XAES-256-GCM", "XAES-256-GCM")),
            HexEncode(nonce) + "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d");
}

// C2SP.org/XAES-256-GCM, accumulated randomized test, 10,000 iterations.
TEST(XaesTest, AccumulatedKnownAnswer) {
  constexpr int kIterations = 10'000;
  const Bytes stream = Shake128("", kIterations * (32 + 24 + 1 + 255 + 1 + 255));
  BytesView rest = stream;
  const auto read = [&rest](std::size_t count) {
    const BytesView part = rest.substr(0, count);
    rest.remove_prefix(count);
    return part;
  };
  Bytes ciphertexts;
  for (int i = 0; i < kIterations; ++i) {
    const XaesKey key(read(32));
    FixedRandom nonce(read(24));
    const BytesView plaintext = read(static_cast<unsigned char>(read(1)[0]));
    const BytesView data = read(static_cast<unsigned char>(read(1)[0]));
    const Bytes sealed = key.Seal(nonce, data, plaintext);
    ASSERT_EQ(key.Open(data, sealed)->view(), plaintext);
    ciphertexts += BytesView(sealed).substr(kXaesNonceBytes);
  }
  EXPECT_EQ(HexEncode(Shake128(ciphertexts, 32)), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
}

// AES-256 of `block` under `key`.
Bytes Aes(BytesView key, BytesView block) {
  Bytes out(block.size(), '\0');
  int written = 0;
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EXPECT_EQ(EVP_EncryptInit_ex(context, EVP_aes_256_ecb(), nullptr, reinterpret_cast<const unsigned char*>(key.data()),
                               nullptr),
            1);
  EXPECT_EQ(EVP_EncryptUpdate(context, reinterpret_cast<unsigned char*>(out.data()), &written,
                              reinterpret_cast<const unsigned char*>(block.data()), static_cast<int>(block.size())),
            1);
  EVP_CIPHER_CTX_free(context);
  return out;
}

// The specification's derivation, masked.
Bytes MaskedMessageKey(BytesView key, BytesView nonce) {
  const Bytes l = Aes(key, Bytes(16, '\0'));
  Bytes k1(16, '\0');
  for (std::size_t i = 0; i < 16; ++i) {
    const unsigned next = i < 15 ? static_cast<unsigned char>(l[i + 1]) : 0;
    k1[i] = static_cast<char>((static_cast<unsigned char>(l[i]) << 1) | (next >> 7));
  }
  if (static_cast<unsigned char>(l[0]) & 0x80) k1[15] ^= static_cast<char>(0x87);
  Bytes masked;
  for (char number : {'\x01', '\x02'}) {
    Bytes block{'\0', number, 'X', '\0'};
    block += nonce.substr(0, 12);
    for (std::size_t i = 0; i < 16; ++i) block[i] ^= k1[i];
    Bytes half = Aes(key, block);
    masked += Masked(half);
    Wipe(half.data(), half.size());
  }
  return masked;
}

TEST(XaesTest, ThreadKeepsNoKeyOfItsLastMessage) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer keeps freed memory, and maps terabytes";
#endif
  constexpr std::string_view nonce = "abcdefghijklmnopqrstuvwx";
  const Bytes octets = SystemRandom().Octets(32);
  FixedRandom random(nonce);
  const XaesKey key(octets);
  const std::vector<Bytes> masked = {MaskedMessageKey(octets, nonce)};
  const Bytes sealed = key.Seal(random, "", "a message");
  WipeDeadStack();
  EXPECT_EQ(Occurrences(masked), 0u);
  ASSERT_TRUE(key.Open("", sealed));
  WipeDeadStack();
  EXPECT_EQ(Occurrences(masked), 0u);
  // And the derivation is the one by which it was sealed.
  Bytes plain = Masked(masked.front());
  EXPECT_GE(Occurrences(masked), 1u);
  const auto opened = OpenAesGcm(plain, nonce.substr(12), "", BytesView(sealed).substr(kXaesNonceBytes));
  ASSERT_TRUE(opened);
  EXPECT_EQ(opened->view(), "a message");
}

TEST(XaesTest, AnyChangedBitIsRefused) {
  const XaesKey key(Bytes(32, 'k'));
  Bytes sealed = "header";
  key.AppendSealed(sealed, SystemRandom(), "data", "plaintext");
  ASSERT_EQ(sealed.substr(0, 6), "header");
  sealed.erase(0, 6);
  ASSERT_EQ(key.Open("data", sealed)->view(), "plaintext");
  for (std::size_t bit = 0; bit < sealed.size() * 8; ++bit) {
    Bytes altered = sealed;
    altered[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    EXPECT_EQ(key.Open("data", altered).error(), CryptoError::kNotAuthentic) << bit;
  }
  EXPECT_FALSE(key.Open("", sealed));
  EXPECT_FALSE(XaesKey(Bytes(32, 'l')).Open("data", sealed));
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(key.Open("data", BytesView(sealed).substr(0, size)));
  }
}

TEST(XaesTest, EmptyPlaintextAndEmptyDataRoundTrip) {
  const XaesKey key(Bytes(32, 'k'));
  const Bytes sealed = key.Seal(SystemRandom(), {}, {});
  EXPECT_EQ(sealed.size(), kXaesOverheadBytes);
  EXPECT_TRUE(key.Open({}, sealed)->empty());
}

TEST(XaesTest, OneKeyServesManyThreads) {
  const XaesKey key(Bytes(32, 'k'));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 20; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 300; ++i) {
        const auto opened = key.Open("data", key.Seal(SystemRandom(), "data", "plaintext"));
        wrong += !opened || opened->view() != "plaintext";
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace symbolon::crypto
