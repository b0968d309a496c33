#include "keys/key_providers.h"

#include <gtest/gtest.h>

#include "keys/local/test_support.h"
#include "keys/wrapped_pool_keys.h"

namespace symbolon::keys {
namespace {

const Region kHere("eu-central-1");
const PoolId kPool("eu-central-1_AbC123xyz");
const std::string kPoolArn = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/eu-central-1_AbC123xyz";

// A local provider by another name.
class Renamed final : public KeyProvider {
 public:
  explicit Renamed(KeyProvider& inner) : inner_(inner) {}
  std::string_view name() const override { return "renamed"; }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view arn, const EncryptionContext& context) override {
    return inner_.GenerateDataKeyWithoutPlaintext(arn, context);
  }
  KeyResult<Bytes> Encrypt(std::string_view arn, const EncryptionContext& context, BytesView plaintext) override {
    return inner_.Encrypt(arn, context, plaintext);
  }
  KeyResult<Secret> Decrypt(std::string_view arn, const EncryptionContext& context, BytesView ciphertext) override {
    return inner_.Decrypt(arn, context, ciphertext);
  }
  KeyResult<KeyDescription> DescribeKey(std::string_view arn) override { return inner_.DescribeKey(arn); }

 private:
  KeyProvider& inner_;
};

class KeyProvidersTest : public testing::Test {
 protected:
  KeyProvidersTest() {
    providers_.Add([this](const KeyArn& arn) { return arn.ToString() == second_key_; }, renamed_);
  }

  ManualClock clock_;
  TemporaryDirectory first_directory_, second_directory_;
  std::unique_ptr<local::LocalKeyProvider> first_ =
      local::OpenTestProvider(first_directory_.path(), kHere, clock_).value();
  std::unique_ptr<local::LocalKeyProvider> second_ =
      local::OpenTestProvider(second_directory_.path(), kHere, clock_).value();
  Renamed renamed_{*second_};
  const std::string first_key_ = first_->CreateKey(false, "").value().arn;
  const std::string second_key_ = second_->CreateKey(false, "").value().arn;
  KeyProviders providers_{*first_};
};

TEST_F(KeyProvidersTest, EachKey_IsServedByItsProvider) {
  for (const std::string& arn : {first_key_, second_key_}) {
    EXPECT_EQ(providers_.DescribeKey(arn)->arn, arn);
    const Bytes ciphertext = providers_.Encrypt(arn, {}, "x").value();
    EXPECT_EQ(providers_.Decrypt(arn, {}, ciphertext)->view(), "x");
    EXPECT_TRUE(providers_.GenerateDataKeyWithoutPlaintext(arn, {}));
  }
  EXPECT_FALSE(first_->DescribeKey(second_key_));
  EXPECT_EQ(&providers_.Serving(first_key_), first_.get());
  EXPECT_EQ(&providers_.Serving(second_key_), &renamed_);
  EXPECT_EQ(&providers_.Serving("nonsense"), first_.get());
}

TEST_F(KeyProvidersTest, WrappedKeys_NameTheirProviderAndOpenUnderItOnly) {
  Random& random = crypto::SystemRandom();
  const Bytes under_first = WrapNewPoolKeys(providers_, first_key_, kPoolArn, clock_.Now(), random).value();
  const Bytes under_second = WrapNewPoolKeys(providers_, second_key_, kPoolArn, clock_.Now(), random).value();
  EXPECT_EQ(ContentsOfPoolKeys(under_first)->provider, "local");
  EXPECT_EQ(ContentsOfPoolKeys(under_second)->provider, "renamed");
  EXPECT_TRUE(OpenPoolKeys(providers_, kHere, kPool, under_first));
  EXPECT_TRUE(OpenPoolKeys(providers_, kHere, kPool, under_second));
  // The same key at a provider of another name.
  EXPECT_EQ(OpenPoolKeys(*second_, kHere, kPool, under_second).error().code, KeyErrorCode::kInvalidCiphertext);
}

}  // namespace
}  // namespace symbolon::keys
