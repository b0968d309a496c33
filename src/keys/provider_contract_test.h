// What every key provider has to hold: instantiate with
//   INSTANTIATE_TEST_SUITE_P(Local, KeyProviderContractTest, testing::Values(MakeHarness));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>

#include "keys/provider.h"

namespace symbolon::keys {

// A provider with nothing in it, and what only its own administration can do.
class KeyProviderHarness {
 public:
  virtual ~KeyProviderHarness() = default;
  virtual KeyProvider& provider() = 0;
  // The ARN of a new, enabled key.
  virtual std::string MakeKey() = 0;
  virtual void Disable(const std::string& key_arn) = 0;
  virtual void Enable(const std::string& key_arn) = 0;
  // Ends the provider and starts one over what it left behind.
  virtual void Restart() = 0;
};

class KeyProviderContractTest : public testing::TestWithParam<std::function<std::unique_ptr<KeyProviderHarness>()>> {
 protected:
  KeyProvider& provider() { return harness_->provider(); }

  const std::unique_ptr<KeyProviderHarness> harness_ = GetParam()();
  const std::string arn_ = harness_->MakeKey();
  const EncryptionContext context_ = {{"aws:cognito-idp:userpool-arn", "arn:pool"}, {"b", ""}};
};

TEST_P(KeyProviderContractTest, EncryptedOctetsDecrypt) {
  for (const Bytes& plaintext : {Bytes(), Bytes("plaintext"), Bytes(KeyProvider::kPlaintextBytesMax, 'x')}) {
    const auto ciphertext = provider().Encrypt(arn_, context_, plaintext);
    ASSERT_TRUE(ciphertext);
    const auto decrypted = provider().Decrypt(arn_, context_, *ciphertext);
    ASSERT_TRUE(decrypted);
    EXPECT_EQ(decrypted->view(), plaintext);
  }
}

TEST_P(KeyProviderContractTest, DataKeysAreNewEachTimeAndDecrypt) {
  std::set<Bytes> seen;
  for (int i = 0; i < 10; ++i) {
    const auto wrapped = provider().GenerateDataKeyWithoutPlaintext(arn_, context_);
    ASSERT_TRUE(wrapped);
    const auto key = provider().Decrypt(arn_, context_, *wrapped);
    ASSERT_TRUE(key);
    EXPECT_EQ(key->size(), KeyProvider::kDataKeyBytes);
    EXPECT_TRUE(seen.insert(Bytes(key->view())).second);
    EXPECT_EQ(wrapped->find(key->view()), Bytes::npos);
  }
}

TEST_P(KeyProviderContractTest, AnotherContextIsInvalid) {
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  for (const EncryptionContext& other :
       {EncryptionContext{}, EncryptionContext{{"aws:cognito-idp:userpool-arn", "arn:pool"}},
        EncryptionContext{{"aws:cognito-idp:userpool-arn", "arn:pool2"}, {"b", ""}},
        EncryptionContext{{"aws:cognito-idp:userpool-arn", "arn:pool"}, {"b", ""}, {"c", ""}},
        EncryptionContext{{"aws:cognito-idp:userpool-arnarn:pool", ""}, {"b", ""}}}) {
    const auto decrypted = provider().Decrypt(arn_, other, ciphertext);
    ASSERT_FALSE(decrypted);
    EXPECT_EQ(decrypted.error().code, KeyErrorCode::kInvalidCiphertext);
  }
}

TEST_P(KeyProviderContractTest, AlteredOrForeignCiphertextIsInvalid) {
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  for (std::size_t bit = 0; bit < ciphertext.size() * 8; ++bit) {
    Bytes altered = ciphertext;
    altered[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    const auto decrypted = provider().Decrypt(arn_, context_, altered);
    ASSERT_FALSE(decrypted) << bit;
    EXPECT_EQ(decrypted.error().code, KeyErrorCode::kInvalidCiphertext);
  }
  for (std::size_t size = 0; size < ciphertext.size(); ++size) {
    EXPECT_FALSE(provider().Decrypt(arn_, context_, BytesView(ciphertext).substr(0, size)));
  }
  EXPECT_EQ(provider().Decrypt(harness_->MakeKey(), context_, ciphertext).error().code,
            KeyErrorCode::kInvalidCiphertext);
}

TEST_P(KeyProviderContractTest, UnknownKeyIsNotFound) {
  std::string other = arn_;
  other.back() = other.back() == '0' ? '1' : '0';
  for (const std::string& arn : {other, std::string(), std::string("nonsense"), arn_ + "0"}) {
    EXPECT_EQ(provider().Encrypt(arn, context_, "x").error().code, KeyErrorCode::kNotFound) << arn;
    EXPECT_EQ(provider().Decrypt(arn, context_, "x").error().code, KeyErrorCode::kNotFound) << arn;
    EXPECT_EQ(provider().GenerateDataKeyWithoutPlaintext(arn, context_).error().code, KeyErrorCode::kNotFound) << arn;
    EXPECT_EQ(provider().DescribeKey(arn).error().code, KeyErrorCode::kNotFound) << arn;
  }
}

TEST_P(KeyProviderContractTest, DisabledKeyRefusesAllUntilEnabled) {
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  harness_->Disable(arn_);
  EXPECT_EQ(provider().Encrypt(arn_, context_, "x").error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(provider().GenerateDataKeyWithoutPlaintext(arn_, context_).error().code, KeyErrorCode::kDisabled);
  EXPECT_EQ(provider().DescribeKey(arn_)->state, KeyState::kDisabled);
  harness_->Enable(arn_);
  EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext)->view(), "plaintext");
  EXPECT_EQ(provider().DescribeKey(arn_)->state, KeyState::kEnabled);
}

TEST_P(KeyProviderContractTest, KeysAndTheirStateOutliveARestart) {
  const std::string disabled = harness_->MakeKey();
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  harness_->Disable(disabled);
  harness_->Restart();
  EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext)->view(), "plaintext");
  EXPECT_EQ(provider().DescribeKey(disabled)->state, KeyState::kDisabled);
}

TEST_P(KeyProviderContractTest, DescriptionNamesTheKey) {
  const auto description = provider().DescribeKey(arn_);
  ASSERT_TRUE(description);
  EXPECT_EQ(description->arn, arn_);
  EXPECT_TRUE(arn_.ends_with(description->id));
  EXPECT_EQ(description->state, KeyState::kEnabled);
}

}  // namespace symbolon::keys
