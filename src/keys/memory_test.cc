// What is left of keys in this process's memory once nobody may use them any more.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "crypto/random.h"
#include "keys/keyring.h"
#include "keys/local/test_support.h"
#include "keys/records.pb.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

constexpr char kMask = 0x5a;

Bytes Masked(BytesView octets) {
  Bytes masked(octets);
  for (char& octet : masked) octet ^= kMask;
  return masked;
}

// How often the masked octets' originals stand in writable memory. Compares octet by octet, so as to make no copy.
std::size_t Occurrences(const std::vector<Bytes>& masked) {
  std::ifstream maps("/proc/self/maps");
  std::ifstream memory("/proc/self/mem", std::ios::binary);
  std::size_t found = 0;
  std::string line;
  std::vector<char> window(1 << 20);
  while (std::getline(maps, line)) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char permissions[5] = {};
    if (std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, permissions) != 3) continue;
    if (std::string_view(permissions).substr(0, 2) != "rw") continue;
    for (unsigned long at = begin; at < end; at += window.size() - 64) {
      const std::size_t size = std::min<std::size_t>(window.size(), end - at);
      memory.clear();
      memory.seekg(static_cast<std::streamoff>(at));
      memory.read(window.data(), static_cast<std::streamsize>(size));
      const auto count = static_cast<std::size_t>(memory.gcount());
      for (std::size_t i = 0; i + 32 <= count; ++i) {
        for (const Bytes& key : masked) {
          std::size_t same = 0;
          while (same < key.size() && static_cast<char>(window[i + same] ^ kMask) == key[same]) ++same;
          found += same == key.size();
        }
      }
      // This window is itself in memory, and the one that is read may be it.
      Wipe(window.data(), window.size());
    }
  }
  return found;
}

// A provider that notes, masked, what it gave out.
class Noting final : public KeyProvider {
 public:
  explicit Noting(KeyProvider& provider) : provider_(provider) {}
  std::string_view name() const override { return provider_.name(); }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key, const EncryptionContext& context) override {
    return provider_.GenerateDataKeyWithoutPlaintext(key, context);
  }
  KeyResult<Bytes> Encrypt(std::string_view key, const EncryptionContext& context, BytesView plaintext) override {
    return provider_.Encrypt(key, context, plaintext);
  }
  KeyResult<Secret> Decrypt(std::string_view key, const EncryptionContext& context, BytesView ciphertext) override {
    auto secret = provider_.Decrypt(key, context, ciphertext);
    if (secret) masked.push_back(Masked(secret->view()));
    return secret;
  }
  KeyResult<KeyDescription> DescribeKey(std::string_view key) override { return provider_.DescribeKey(key); }

  std::vector<Bytes> masked;

 private:
  KeyProvider& provider_;
};

TEST(KeysInMemoryTest, PoolsKeysThatWereLetGo_AreNowhere) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer keeps freed memory, and maps terabytes";
#endif
  local::TestClock clock;
  local::TemporaryDirectory folder;
  const auto local = local::OpenTestProvider(folder.path(), Region("eu-central-1"), clock).value();
  Noting provider(*local);
  const std::string cmk = local->CreateKey(false, "").value().arn;
  const PoolId pool("eu-central-1_AbC123xyz");
  const Bytes wrapped = WrapNewPoolKeys(provider, cmk, "arn:aws:cognito-idp:eu-central-1:0:userpool/" + pool.value(),
                                        clock.Now(), crypto::SystemRandom())
                            .value();
  auto keys = OpenPoolKeys(provider, Region("eu-central-1"), pool, wrapped).value();
  ASSERT_GE(provider.masked.size(), 4U);
  const storage::Key place{.pool = pool, .type = 9, .id = "user"};
  const Bytes sealed = keys->Seal(place, "a record", crypto::SystemRandom());
  ASSERT_TRUE(keys->Open(place, sealed));
  keys->BlindIndex("username", "anna");
  keys->OpenToken(TokenPurpose::kSession, "client",
                  keys->SealToken(TokenPurpose::kSession, "client", "a token", crypto::SystemRandom()));
  keys.reset();
  EXPECT_EQ(Occurrences(provider.masked), 0U);
  // And the search finds what is there.
  Bytes planted = Masked(provider.masked.front());
  EXPECT_GE(Occurrences(provider.masked), 1U);
  Wipe(planted.data(), planted.size());
  EXPECT_EQ(Occurrences(provider.masked), 0U);
}

}  // namespace
}  // namespace symbolon::keys
