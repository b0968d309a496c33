// What every key provider has to hold: instantiate with
//   INSTANTIATE_TEST_SUITE_P(Local, KeyProviderContractTest, testing::Values(MakeHarness));
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "base/manual_clock.h"
#include "crypto/random.h"
#include "keys/arn.h"
#include "keys/keyring.h"
#include "keys/provider.h"
#include "keys/wrapped_keys_snapshot.h"
#include "keys/wrapped_pool_keys.h"

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
  // For providers that can be out of reach: makes it so, and ends it (and whatever holds back calls for a while after).
  virtual bool CanBeCutOff() const { return false; }
  virtual void CutOff() {}
  virtual void Reconnect() {}
  // For providers whose keys are in something that can be taken away: does so, and puts it back (and ends whatever
  // holds back calls for a while after).
  virtual bool CanBeTakenOut() const { return false; }
  virtual void TakeOut() {}
  virtual void PutBack() {}
  // For providers whose keys can wait for their deletion.
  virtual bool CanScheduleDeletion() const { return false; }
  virtual void ScheduleDeletion(const std::string&) {}
};

class KeyProviderContractTest : public testing::TestWithParam<std::function<std::unique_ptr<KeyProviderHarness>()>> {
 protected:
  KeyProvider& provider() { return harness_->provider(); }

  // Whoever asks, and however often.
  void ExpectAllFail(KeyErrorCode code, const Bytes& ciphertext) {
    for (int call = 0; call < 3; ++call) {
      EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext).error().code, code);
      EXPECT_EQ(provider().Encrypt(arn_, context_, "x").error().code, code);
      EXPECT_EQ(provider().GenerateDataKeyWithoutPlaintext(arn_, context_).error().code, code);
      EXPECT_EQ(provider().DescribeKey(arn_).error().code, code);
    }
  }

  const std::unique_ptr<KeyProviderHarness> harness_ = GetParam()();
  const std::string arn_ = harness_->MakeKey();
  const EncryptionContext context_ = {{"aws:cognito-idp:userpool-arn", "arn:pool"}, {"b", ""}};
};

TEST_P(KeyProviderContractTest, EncryptedOctetsDecrypt) {
  for (const Bytes& plaintext : {Bytes(1, '\0'), Bytes("plaintext"), Bytes(KeyProvider::kPlaintextBytesMax, 'x')}) {
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

TEST_P(KeyProviderContractTest, KeyThatWaitsForItsDeletionRefusesAll) {
  if (!harness_->CanScheduleDeletion()) GTEST_SKIP() << "keys are deleted at once";
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  harness_->ScheduleDeletion(arn_);
  EXPECT_EQ(provider().Encrypt(arn_, context_, "x").error().code, KeyErrorCode::kPendingDeletion);
  EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext).error().code, KeyErrorCode::kPendingDeletion);
  EXPECT_EQ(provider().GenerateDataKeyWithoutPlaintext(arn_, context_).error().code, KeyErrorCode::kPendingDeletion);
  EXPECT_EQ(provider().DescribeKey(arn_)->state, KeyState::kPendingDeletion);
}

TEST_P(KeyProviderContractTest, KeysAndTheirStateOutliveARestart) {
  const std::string disabled = harness_->MakeKey();
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  harness_->Disable(disabled);
  harness_->Restart();
  EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext)->view(), "plaintext");
  EXPECT_EQ(provider().DescribeKey(disabled)->state, KeyState::kDisabled);
}

TEST_P(KeyProviderContractTest, ContextsOfAllKindsBind) {
  const std::vector<EncryptionContext> contexts = {
      {},
      {{"a", ""}},
      {{"a", "b"}, {"c", "d"}},
      {{"a", "d"}, {"c", "b"}},
      {{"a", "bc"}, {"c", "d"}},
      {{"ab", "c"}, {"c", "d"}},
      {{"A", "b"}, {"c", "d"}},
      {{"a", "b"}, {"c", "d "}},
      {{"b", "a"}, {"d", "c"}},
      {{"n\xc3\xa4me \"=,\\", "v\xc3\xa4lue\n\t"}},
      {{"a", std::string(4096, 'x')}},
      {{"a", std::string(4095, 'x') + "y"}},
  };
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    const auto ciphertext = provider().Encrypt(arn_, contexts[i], "plaintext");
    ASSERT_TRUE(ciphertext) << i;
    for (std::size_t j = 0; j < contexts.size(); ++j) {
      const auto decrypted = provider().Decrypt(arn_, contexts[j], *ciphertext);
      ASSERT_EQ(decrypted.has_value(), i == j) << i << " " << j;
      if (!decrypted) EXPECT_EQ(decrypted.error().code, KeyErrorCode::kInvalidCiphertext);
    }
  }
}

TEST_P(KeyProviderContractTest, CiphertextsThatNoneCanBeAreInvalid) {
  Bytes longer = provider().Encrypt(arn_, context_, Bytes(KeyProvider::kPlaintextBytesMax, 'x')).value();
  EXPECT_EQ(provider().Decrypt(arn_, context_, longer + "x").error().code, KeyErrorCode::kInvalidCiphertext);
  longer.resize(1 << 20, 'x');
  for (const Bytes& ciphertext : {Bytes(), Bytes("x"), Bytes(64, '\0'), longer, Bytes(1 << 20, '\xff')}) {
    EXPECT_EQ(provider().Decrypt(arn_, context_, ciphertext).error().code, KeyErrorCode::kInvalidCiphertext);
  }
}

TEST_P(KeyProviderContractTest, CallsOfManyThreadsDoNotMix) {
  const std::string second = harness_->MakeKey();
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      const std::string& arn = thread % 2 == 0 ? arn_ : second;
      const EncryptionContext context = {{"thread", std::to_string(thread)}};
      for (int i = 0; i < 20; ++i) {
        const Bytes plaintext = std::to_string(thread) + "/" + std::to_string(i);
        const auto ciphertext = provider().Encrypt(arn, context, plaintext);
        ASSERT_TRUE(ciphertext) << ciphertext.error().detail;
        const auto decrypted = provider().Decrypt(arn, context, *ciphertext);
        ASSERT_TRUE(decrypted) << decrypted.error().detail;
        EXPECT_EQ(decrypted->view(), plaintext);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(KeyProviderContractTest, OneKeysStateLeavesOthersAlone) {
  const std::string second = harness_->MakeKey();
  const Bytes ciphertext = provider().Encrypt(second, context_, "plaintext").value();
  harness_->Disable(arn_);
  EXPECT_EQ(provider().Decrypt(second, context_, ciphertext)->view(), "plaintext");
}

TEST_P(KeyProviderContractTest, CutOffIsUnavailableAndThenAsBefore) {
  if (!harness_->CanBeCutOff()) GTEST_SKIP() << "is where we are";
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  for (int i = 0; i < 2; ++i) {
    harness_->CutOff();
    ExpectAllFail(KeyErrorCode::kUnavailable, ciphertext);
    harness_->Reconnect();
    const auto decrypted = provider().Decrypt(arn_, context_, ciphertext);
    ASSERT_TRUE(decrypted) << decrypted.error().detail;
    EXPECT_EQ(decrypted->view(), "plaintext");
    EXPECT_TRUE(provider().Encrypt(arn_, context_, "x"));
  }
}

TEST_P(KeyProviderContractTest, TakenOutIsSaidForCertainAndThenAsBefore) {
  if (!harness_->CanBeTakenOut()) GTEST_SKIP() << "cannot be taken out";
  const Bytes ciphertext = provider().Encrypt(arn_, context_, "plaintext").value();
  for (int i = 0; i < 2; ++i) {
    harness_->TakeOut();
    ExpectAllFail(KeyErrorCode::kRemoved, ciphertext);
    harness_->PutBack();
    const auto decrypted = provider().Decrypt(arn_, context_, ciphertext);
    ASSERT_TRUE(decrypted) << decrypted.error().detail;
    EXPECT_EQ(decrypted->view(), "plaintext");
    EXPECT_TRUE(provider().Encrypt(arn_, context_, "x"));
  }
}

TEST_P(KeyProviderContractTest, DescriptionNamesTheKey) {
  const auto description = provider().DescribeKey(arn_);
  ASSERT_TRUE(description);
  EXPECT_EQ(description->arn, arn_);
  EXPECT_TRUE(arn_.ends_with(description->id));
  EXPECT_EQ(description->state, KeyState::kEnabled);
}

// A key that is withdrawn in some way, and given back.
struct Withdrawal {
  const char* name;
  std::function<void()> withdraw;
  std::function<void()> give_back;
};

TEST_P(KeyProviderContractTest, PoolIsLockedByTheFirstQuestionAfterAWithdrawalAndThenOpens) {
  using std::chrono::seconds;
  const Region here = ParseKeyArn(arn_)->region;
  ManualClock clock;
  Keyring keyring(provider(), {.region = here, .account = "000000000000", .service_owned_key_arn = arn_}, clock,
                  crypto::SystemRandom());
  const PoolId pool = NewPoolId(here, crypto::SystemRandom());
  WrappedKeysSnapshot snapshot;
  snapshot.wrapped[pool] = WrapNewPoolKeys(provider(), arn_, "arn:aws:cognito-idp:a:b:userpool/" + pool.value(),
                                           clock.Now(), crypto::SystemRandom())
                               .value();
  const auto after = [&](std::chrono::nanoseconds time) {
    clock.Advance(time);
    keyring.Tick();
    keyring.WaitUntilAsked();
    return keyring.KeysOf(snapshot, pool);
  };

  std::vector<Withdrawal> withdrawals = {
      {"disabled", [&] { harness_->Disable(arn_); }, [&] { harness_->Enable(arn_); }}};
  if (harness_->CanBeTakenOut()) {
    withdrawals.push_back({"taken out", [&] { harness_->TakeOut(); }, [&] { harness_->PutBack(); }});
  }
  for (const Withdrawal& way : withdrawals) {
    ASSERT_TRUE(after(seconds(0))) << way.name;
    const std::weak_ptr<const PoolKeys> held = *keyring.KeysOf(snapshot, pool);
    way.withdraw();
    EXPECT_TRUE(after(seconds(2) - std::chrono::nanoseconds(1))) << way.name << ": nobody has asked yet";
    EXPECT_EQ(after(std::chrono::nanoseconds(1)).error().code, KeyServiceErrorCode::kWithdrawn) << way.name;
    EXPECT_TRUE(held.expired()) << way.name;
    way.give_back();
    EXPECT_TRUE(after(seconds(2))) << way.name;
  }
  if (!harness_->CanBeCutOff()) return;
  harness_->CutOff();
  for (int asked = 1; asked <= 5; ++asked) EXPECT_TRUE(after(seconds(2))) << asked;
  EXPECT_EQ(after(seconds(2)).error().code, KeyServiceErrorCode::kUnavailable) << "longer than the grace";
  harness_->Reconnect();
  EXPECT_TRUE(after(seconds(2)));
}

}  // namespace symbolon::keys
