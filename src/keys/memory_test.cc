// What is left of keys in this process's memory once nobody may use them any more.
#include <gtest/gtest.h>

#include <vector>

#include "base/dead_stack.h"
#include "base/memory_search.h"
#include "crypto/random.h"
#include "keys/keyring.h"
#include "keys/local/key_file.h"
#include "keys/local/key_store.pb.h"
#include "keys/local/test_support.h"
#include "keys/records.pb.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

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
  ManualClock clock;
  TemporaryDirectory folder;
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

// As the key file has it.
Bytes MaskedMaterial(const std::filesystem::path& directory, const std::string& key_id) {
  const auto file =
      local::KeyFile::Open(directory / "keys", directory / "root.key", {}, crypto::SystemRandom()).value();
  local::pb::StoredKeys stored;
  EXPECT_TRUE(file.Read(stored).value());
  Bytes masked;
  for (const auto& key : stored.keys()) {
    if (key.id() == key_id) masked = Masked(key.materials(0).octets());
  }
  local::WipeStoredKeys(stored);
  return masked;
}

TEST(KeysInMemoryTest, MaterialOfAKeyThatIsWithdrawn_IsNowhereUntilItIsGivenBack) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer keeps freed memory, and maps terabytes";
#endif
  ManualClock clock;
  TemporaryDirectory folder;
  const Region here("eu-central-1");
  auto provider = local::OpenTestProvider(folder.path(), here, clock).value();
  const auto key = provider->CreateKey(false, "").value();
  const auto other = provider->CreateKey(false, "").value();
  const Bytes sealed = provider->Encrypt(key.arn, {}, "x").value();
  const std::vector<Bytes> masked = {MaskedMaterial(folder.path(), key.id)};
  ASSERT_EQ(masked.front().size(), 32u);
  const auto is_in_memory = [&] {
    WipeDeadStack();
    return Occurrences(masked) > 0;
  };
  ASSERT_TRUE(is_in_memory());

  ASSERT_TRUE(provider->DisableKey(key.id));
  EXPECT_FALSE(is_in_memory());
  // The file is written with it, and read at the start.
  ASSERT_TRUE(provider->SetDescription(other.id, "changed"));
  EXPECT_FALSE(is_in_memory());
  provider.reset();
  provider = local::OpenTestProvider(folder.path(), here, clock).value();
  EXPECT_FALSE(is_in_memory());
  EXPECT_EQ(provider->Decrypt(key.arn, {}, sealed).error().code, KeyErrorCode::kDisabled);

  ASSERT_TRUE(provider->EnableKey(key.id));
  EXPECT_TRUE(is_in_memory());
  EXPECT_EQ(provider->Decrypt(key.arn, {}, sealed)->view(), "x");

  ASSERT_TRUE(provider->ScheduleDeletion(key.id, 7));
  EXPECT_FALSE(is_in_memory());
  ASSERT_TRUE(provider->CancelDeletion(key.id));
  EXPECT_FALSE(is_in_memory());
  ASSERT_TRUE(provider->EnableKey(key.id));
  EXPECT_EQ(provider->Decrypt(key.arn, {}, sealed)->view(), "x");
}

}  // namespace
}  // namespace symbolon::keys
