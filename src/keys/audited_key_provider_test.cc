#include "keys/audited_key_provider.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "audit/reader.h"
#include "audit/test_support.h"
#include "audit/verify.h"
#include "keys/local/test_support.h"
#include "keys/provider_contract_test.h"

namespace symbolon::keys {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// A local provider whose use is audited.
class Audited final : public KeyProviderHarness {
 public:
  Audited() { Open(); }

  KeyProvider& provider() override { return *audited_; }
  std::string MakeKey() override { return local_->CreateKey(false, "").value().arn; }
  void Disable(const std::string& key_arn) override { SYMBOLON_CHECK(local_->DisableKey(key_arn)); }
  void Enable(const std::string& key_arn) override { SYMBOLON_CHECK(local_->EnableKey(key_arn)); }
  void Restart() override {
    audited_.reset();
    local_.reset();
    trail_.reset();
    Open();
  }

  audit::Trail& trail() { return *trail_; }
  audit::TestTrail& test() { return test_; }
  std::vector<std::string> Records() {
    std::vector<std::string> records;
    SYMBOLON_CHECK(audit::ForEachEvent(test_.directory, {}, [&](auto record) { records.emplace_back(record); }));
    return records;
  }

 private:
  void Open() {
    trail_ = test_.Open();
    local_ = local::OpenTestProvider(folder_.path(), Region("eu-central-1"), test_.clock).value();
    audited_.emplace(*local_, *trail_, test_.clock);
  }

  audit::TestTrail test_;
  TemporaryDirectory folder_;
  std::unique_ptr<audit::Trail> trail_;
  std::unique_ptr<local::LocalKeyProvider> local_;
  std::optional<AuditedKeyProvider> audited_;
};

INSTANTIATE_TEST_SUITE_P(Audited, KeyProviderContractTest, testing::Values([]() -> std::unique_ptr<KeyProviderHarness> {
                           return std::make_unique<Audited>();
                         }));

TEST(AuditedKeyProviderTest, EveryUse_IsInTheTrailWithItsContextAndOutcomeAndWithoutSecrets) {
  Audited audited;
  const std::string arn = audited.MakeKey();
  const EncryptionContext context = {{"aws:cognito-idp:userpool-arn", "arn:pool"}};
  const Bytes ciphertext = audited.provider().Encrypt(arn, context, "planted plaintext").value();
  ASSERT_TRUE(audited.provider().Decrypt(arn, context, ciphertext));
  ASSERT_TRUE(audited.provider().GenerateDataKeyWithoutPlaintext(arn, context));
  ASSERT_TRUE(audited.provider().DescribeKey(arn));
  audited.Disable(arn);
  ASSERT_FALSE(audited.provider().Decrypt(arn, context, ciphertext));
  ASSERT_FALSE(audited.provider().Decrypt(arn + "0", context, ciphertext));

  const auto use = [&](const char* name) {
    return AllOf(HasSubstr(std::string(R"("eventName":")") + name + '"'), HasSubstr(R"("type":"AWSService")"),
                 HasSubstr(R"("keyId":")" + arn), HasSubstr(R"("ARN":")" + arn), Not(HasSubstr("planted")),
                 Not(HasSubstr(Base64Encode(ciphertext))), Not(HasSubstr(HexEncode(ciphertext))));
  };
  const auto with_context = HasSubstr(R"("encryptionContext":{"aws:cognito-idp:userpool-arn":"arn:pool"})");
  const auto good = Not(HasSubstr("errorCode"));
  EXPECT_THAT(
      audited.Records(),
      ElementsAre(AllOf(use("Encrypt"), with_context, good), AllOf(use("Decrypt"), with_context, good),
                  AllOf(use("GenerateDataKeyWithoutPlaintext"), with_context, good), AllOf(use("DescribeKey"), good),
                  AllOf(use("Decrypt"), HasSubstr(R"("errorCode":"DisabledException")")),
                  AllOf(use("Decrypt"), HasSubstr(R"("errorCode":"NotFoundException")"))));
}

TEST(AuditedKeyProviderTest, DiskThatTakesNoLines_NoKeyIsUsedUntilItDoes) {
  Audited audited;
  const std::string arn = audited.MakeKey();
  const Bytes ciphertext = audited.provider().Encrypt(arn, {}, "plaintext").value();
  {
    const audit::FullDisk full(1);
    for (int i = 0; i < 2; ++i) {
      const auto refused = audited.provider().Decrypt(arn, {}, ciphertext);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, KeyErrorCode::kUnavailable);
      EXPECT_THAT(refused.error().detail, HasSubstr("the audit trail takes no lines"));
    }
  }
  audited.trail().Tick();
  EXPECT_TRUE(audited.provider().Decrypt(arn, {}, ciphertext));
  EXPECT_EQ(audited.Records().size(), 3U) << "the first refused one had been decrypted, the second had not";
  EXPECT_TRUE(audit::VerifyTrail(audited.test().directory, {})->good());
}

}  // namespace
}  // namespace symbolon::keys
