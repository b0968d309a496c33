#include "cognito/audited_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "model/cognito_shapes.h"
#include "model/cognito_tables.h"
#include "model/kms_shapes.h"
#include "model/kms_tables.h"

namespace symbolon::cognito {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

namespace kms = model::kms;
constexpr const char* kPrefix = "arn:aws:kms:eu-central-1:000000000000:key/";

TEST(AuditedCallTest, Parameters_AreNamedAsCloudTrailDoes) {
  kms::CreateKeyRequest request;
  request.Description = "for \"pools\"";
  request.MultiRegion = true;
  request.KeyUsage = kms::KeyUsageType::kEncryptDecrypt;
  request.Tags = {{{.TagKey = "a", .TagValue = "b"}}};
  EXPECT_EQ(AuditedParameters(kms::shapes::kCreateKeyRequest, &request),
            R"({"description":"for \"pools\"","keyUsage":"ENCRYPT_DECRYPT","tags":[{"tagKey":"a","tagValue":"b"}],)"
            R"("multiRegion":true})");
}

TEST(AuditedCallTest, SensitiveMembers_AreLeftOut) {
  model::cognito::AdminCreateUserRequest request{.UserPoolId = "eu-central-1_abc", .Username = "planted-name"};
  request.TemporaryPassword = "planted-password";
  request.UserAttributes = {{{.Name = "email", .Value = "planted@example.com"}}};
  const std::string parameters = AuditedParameters(model::cognito::shapes::kAdminCreateUserRequest, &request);
  EXPECT_EQ(parameters, R"({"userPoolId":"eu-central-1_abc","userAttributes":[{"name":"email"}]})");
}

TEST(AuditedCallTest, Keys_AreThoseOfRequestAndAnswer) {
  const auto of_describe = [](std::string key, std::string_view answer) {
    const kms::DescribeKeyRequest request{.KeyId = std::move(key)};
    return AuditedKeys({}, kms::shapes::kDescribeKeyRequest, &request, kms::shapes::kDescribeKeyResponse, answer,
                       kPrefix);
  };
  const std::string arn = std::string(kPrefix) + "1";
  EXPECT_THAT(of_describe("1", ""), ElementsAre(arn));
  EXPECT_THAT(of_describe(arn, ""), ElementsAre(arn));
  EXPECT_THAT(of_describe("alias/a", ""), IsEmpty());
  EXPECT_THAT(of_describe("alias/a", R"({"KeyMetadata":{"AWSAccountId":"0","KeyId":"1","Arn":")" + arn + "\"}}"),
              ElementsAre(arn));
  const kms::CreateKeyRequest create;
  EXPECT_THAT(AuditedKeys({}, kms::shapes::kCreateKeyRequest, &create, kms::shapes::kCreateKeyResponse,
                          R"({"KeyMetadata":{"Description":"\"KeyId\":\"arn:x\"","Arn":")" + arn + "\"}}", kPrefix),
              ElementsAre(arn));
  const kms::DecryptRequest decrypt{.CiphertextBlob = Bytes("x")};
  EXPECT_THAT(AuditedKeys({arn}, kms::shapes::kDecryptRequest, &decrypt, kms::shapes::kDecryptResponse, "", kPrefix),
              ElementsAre(arn));
  const kms::DescribeKeyRequest same{.KeyId = "1"};
  EXPECT_THAT(
      AuditedKeys({arn}, kms::shapes::kDescribeKeyRequest, &same, kms::shapes::kDescribeKeyResponse, "", kPrefix),
      ElementsAre(arn));
}

TEST(AuditedCallTest, OfAPool_OnlyTheKeyAndWhereIsKept) {
  model::cognito::UpdateUserPoolRequest request{.UserPoolId = "eu-central-1_abc"};
  request.PoolName = "planted-name";
  EXPECT_EQ(AuditedPoolParameters(model::cognito::shapes::kUpdateUserPoolRequest, &request),
            R"({"userPoolId":"eu-central-1_abc"})");
  EXPECT_EQ(ChosenKey(model::cognito::shapes::kUpdateUserPoolRequest, &request), "");
  request.KeyConfiguration = model::cognito::KeyConfigurationType{
      .KeyType = model::cognito::EncryptionKeyType::kCustomerManagedKey, .KmsKeyArn = "arn:1"};
  EXPECT_EQ(AuditedPoolParameters(model::cognito::shapes::kUpdateUserPoolRequest, &request),
            R"({"userPoolId":"eu-central-1_abc",)"
            R"("keyConfiguration":{"keyType":"CUSTOMER_MANAGED_KEY","kmsKeyArn":"arn:1"}})");
  EXPECT_EQ(ChosenKey(model::cognito::shapes::kUpdateUserPoolRequest, &request), "arn:1");
}

}  // namespace
}  // namespace symbolon::cognito
