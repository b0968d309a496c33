#include "keys/access/service_key_provider.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keys/local/test_support.h"
#include "policy/pool_key_policy.h"

namespace symbolon::keys::access {
namespace {

using local::kTestAccount;

const policy::Vocabulary& Words() {
  static const policy::Vocabulary words(
      {{"kms", {"Encrypt", "Decrypt", "ReEncryptFrom", "DescribeKey", "GenerateDataKeyWithoutPlaintext"}}});
  return words;
}

const std::string kPool = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/eu-central-1_AbC";
const EncryptionContext kContext{{"aws:cognito-idp:userpool-arn", kPool}, {"symbolon:key", "data"}};

// AWS's default for a new key: pools are not in it.
const std::string kAccountOnly =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:root"},"Action":"kms:*","Resource":"*"}})";

class ServiceKeyProviderTest : public testing::Test {
 protected:
  std::string NewKey(const std::string& policy) {
    local::LocalKeyProvider::NewKey key;
    key.policy = policy;
    return (*keys_->CreateKey(key))->arn;
  }
  policy::Caller CallerOf(policy::Principal principal) {
    return {.identity = {.principal = std::move(principal), .policies = {}}, .context = {}};
  }
  std::string Check(const std::string& arn, const policy::Principal& principal) {
    const auto checked = services_.CheckPool(CallerOf(principal), arn, kPool);
    if (checked) return "";
    EXPECT_EQ(checked.error().code, KeyErrorCode::kAccessDenied);
    return checked.error().detail;
  }

  ManualClock clock_;
  TemporaryDirectory directory_;
  std::unique_ptr<local::LocalKeyProvider> keys_ =
      local::OpenTestProvider(directory_.path(), Region("eu-central-1"), clock_).value();
  KeyAccess access_{Words()};
  ServiceKeyProvider services_{*keys_, access_, Region("eu-central-1"), clock_};
  const policy::Principal root_ = policy::Principal::Root(kTestAccount);
  const policy::Principal ann_ = policy::Principal::User(kTestAccount, "ann");
};

TEST_F(ServiceKeyProviderTest, DocumentedPolicyLetsPoolsAndPeopleThroughCognito) {
  const std::string arn = NewKey(policy::PoolKeyPolicy(kTestAccount));
  EXPECT_EQ(Check(arn, root_), "");
  EXPECT_EQ(Check(arn, ann_), "");
  const auto wrapped = services_.GenerateDataKeyWithoutPlaintext(arn, kContext);
  ASSERT_TRUE(wrapped);
  EXPECT_TRUE(services_.Decrypt(arn, kContext, *wrapped));
  EXPECT_TRUE(services_.Encrypt(arn, kContext, "x"));
  const auto elsewhere = NewKey(policy::PoolKeyPolicy(kTestAccount, {"us-east-1"}));
  EXPECT_NE(Check(elsewhere, ann_), "");
}

TEST_F(ServiceKeyProviderTest, PolicyForOnePoolIsForThatPool) {
  const std::string arn = NewKey(policy::PoolKeyPolicy(kTestAccount, {}, kPool + "x"));
  EXPECT_EQ(services_.GenerateDataKeyWithoutPlaintext(arn, kContext).error().code, KeyErrorCode::kAccessDenied);
  EncryptionContext other = kContext;
  other["aws:cognito-idp:userpool-arn"] = kPool + "x";
  EXPECT_TRUE(services_.GenerateDataKeyWithoutPlaintext(arn, other));
  EXPECT_FALSE(services_.GenerateDataKeyWithoutPlaintext(arn, {}));
}

TEST_F(ServiceKeyProviderTest, WithoutBothServicesAPoolHasNoKey) {
  const std::string arn = NewKey(kAccountOnly);
  EXPECT_EQ(Check(arn, root_), fmt::format("Access to the KMS key {} is denied: its key policy does not allow "
                                           "cognito-idp.amazonaws.com to perform kms:DescribeKey.",
                                           arn));
  std::string one = policy::PoolKeyPolicy(kTestAccount);
  for (std::size_t at; (at = one.find("identitystore")) != std::string::npos;) one.replace(at, 13, "somebodyelses");
  EXPECT_EQ(Check(NewKey(one), root_).contains("identitystore.amazonaws.com to perform kms:DescribeKey"), true);
}

TEST_F(ServiceKeyProviderTest, CallerNeedsThePermissionToo) {
  std::string policy = policy::PoolKeyPolicy(kTestAccount);
  const std::string denied =
      R"({"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"kms:Decrypt","Resource":"*"},)";
  policy.insert(policy.find('[') + 1, denied);
  const std::string arn = NewKey(policy);
  EXPECT_EQ(Check(arn, root_), "");
  EXPECT_EQ(Check(arn, ann_),
            fmt::format("User: arn:aws:iam::000000000000:user/ann is not authorized to perform: "
                        "kms:Decrypt on resource: {} with an explicit deny in a resource-based policy",
                        arn));
}

TEST_F(ServiceKeyProviderTest, KeyOfAnotherProviderNeedsThePoliciesOfTheCaller) {
  const std::string arn = "arn:aws:kms:eu-central-1:000000000000:key/hsm-payments";
  const auto check = [&](const policy::Principal& principal, std::string_view statements) {
    policy::Caller caller = CallerOf(principal);
    if (!statements.empty()) {
      caller.identity.policies.push_back(std::make_shared<const policy::Document>(
          policy::Document::Parse(fmt::format(R"({{"Version":"2012-10-17","Statement":[{}]}})", statements),
                                  policy::DocumentKind::kIdentity, Words())
              .value()));
    }
    const auto checked = services_.CheckCallerOfForeignKey(caller, arn, kPool);
    if (!checked) EXPECT_EQ(checked.error().code, KeyErrorCode::kAccessDenied);
    return checked ? std::string() : checked.error().detail;
  };
  const std::string uses = R"("kms:DescribeKey","kms:Encrypt","kms:GenerateDataKeyWithoutPlaintext")";
  const auto allow = [&](const std::string& actions, const std::string& resource) {
    return R"({"Effect":"Allow","Action":[)" + actions + R"(],"Resource":")" + resource + "\"}";
  };
  EXPECT_EQ(check(root_, ""), "");
  EXPECT_EQ(check(ann_, allow(uses + R"(,"kms:Decrypt")", arn)), "");
  EXPECT_EQ(check(ann_, ""),
            fmt::format("User: arn:aws:iam::000000000000:user/ann is not authorized to perform: kms:DescribeKey on "
                        "resource: {} because no identity-based policy allows the kms:DescribeKey action",
                        arn));
  EXPECT_THAT(check(ann_, allow(uses, "*")), testing::HasSubstr("kms:Decrypt"));
  EXPECT_NE(check(ann_, allow(uses + R"(,"kms:Decrypt")", arn + "-other")), "");
  EXPECT_THAT(
      check(ann_, allow(R"("kms:*")", "*") + R"(,{"Effect":"Deny","Action":"kms:Encrypt","Resource":")" + arn + "\"}"),
      testing::HasSubstr("explicit deny"));
  const std::string through = R"({"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringEquals":)"
                              R"({"kms:ViaService":"cognito-idp.eu-central-1.amazonaws.com"}}})";
  EXPECT_EQ(check(ann_, through), "");
}

TEST_F(ServiceKeyProviderTest, PolicyAndGrantsThatChangeCountAtOnce) {
  const std::string arn = NewKey(policy::PoolKeyPolicy(kTestAccount));
  const auto wrapped = services_.GenerateDataKeyWithoutPlaintext(arn, kContext).value();
  ASSERT_TRUE(keys_->SetPolicy(arn, kAccountOnly));
  EXPECT_EQ(services_.Decrypt(arn, kContext, wrapped).error().code, KeyErrorCode::kAccessDenied);
  std::vector<std::string> ids;
  for (const auto service : policy::kPoolServices) {
    EXPECT_FALSE(services_.Decrypt(arn, kContext, wrapped));
    local::Grant grant{.grantee = std::string(service), .grantee_is_service = true, .operations = {"Decrypt"}};
    ids.push_back(keys_->CreateGrant(arn, grant)->id);
  }
  EXPECT_TRUE(services_.Decrypt(arn, kContext, wrapped));
  ASSERT_TRUE(keys_->RemoveGrant(arn, ids[0]));
  EXPECT_FALSE(services_.Decrypt(arn, kContext, wrapped));
}

TEST_F(ServiceKeyProviderTest, ServicesOwnKeyHasNoPolicy) {
  const std::string arn = keys_->EnsureServiceOwnedKey().value();
  EXPECT_TRUE(services_.GenerateDataKeyWithoutPlaintext(arn, kContext));
  EXPECT_EQ(services_.Encrypt("arn:aws:kms:eu-central-1:000000000000:key/none", kContext, "x").error().code,
            KeyErrorCode::kNotFound);
}

}  // namespace
}  // namespace symbolon::keys::access
