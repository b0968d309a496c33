#include "kms_api/authorisation.h"

#include <fmt/format.h>

#include "kms_api/test_support.h"

namespace symbolon::kms_api {
namespace {

constexpr const char* kUser = "arn:aws:iam::000000000000:user/";

class AuthorisationTest : public KmsApiTest {
 protected:
  // As this user, with these identity policies, from now on.
  void Become(const std::string& user, const std::vector<std::string>& policies = {}) {
    caller_.identity = {.principal = policy::Principal::User(keys::local::kTestAccount, user), .policies = {}};
    for (const std::string& text : policies) {
      const auto document = policy::Document::Parse(text, policy::DocumentKind::kIdentity, KnownActions());
      SYMBOLON_CHECK(document);
      caller_.identity.policies.push_back(std::make_shared<const policy::Document>(*document));
    }
  }
  void BecomeRoot() {
    caller_.identity = {.principal = policy::Principal::Root(keys::local::kTestAccount), .policies = {}};
  }

  static std::string Allows(std::string_view action, std::string_view resource = "*") {
    return fmt::format(R"({{"Statement":{{"Effect":"Allow","Action":"{}","Resource":"{}"}}}})", action, resource);
  }
  static std::string KeyPolicy(std::string_view more = "") {
    return fmt::format(
        R"({{"Version":"2012-10-17","Statement":[{}{{"Effect":"Allow","Principal":{{"AWS":"000000000000"}},"Action":"kms:*","Resource":"*"}}]}})",
        more);
  }
  static std::string ToUser(std::string_view user, std::string_view action, std::string_view effect = "Allow") {
    return fmt::format(R"({{"Effect":"{}","Principal":{{"AWS":"{}{}"}},"Action":"{}","Resource":"*"}},)", effect, kUser,
                       user, action);
  }
  std::string KeyWith(const std::string& policy) {
    const auto key = Ask("CreateKey", {{"Policy", policy}});
    SYMBOLON_CHECK(key);
    return std::string(key->at("KeyMetadata").at("KeyId").as_string());
  }
  std::string Encrypt(const std::string& key, const json::object& context = {}) {
    return ErrorOf("Encrypt", {{"KeyId", key}, {"Plaintext", "eA=="}, {"EncryptionContext", context}});
  }
  json::string Ciphertext(const std::string& key, const json::object& context = {}) {
    return Ask("Encrypt", {{"KeyId", key}, {"Plaintext", "eA=="}, {"EncryptionContext", context}})
        ->at("CiphertextBlob")
        .as_string();
  }

  static constexpr const char* kDenied = "AccessDeniedException";
};

TEST_F(AuthorisationTest, KeyPolicyAndIdentityPoliciesDecideTogether) {
  const std::string key = KeyWith(KeyPolicy(ToUser("cid", "kms:Encrypt")));
  Become("ann", {Allows("kms:*")});
  EXPECT_EQ(Encrypt(key), "none");
  Become("bob");
  EXPECT_EQ(Encrypt(key), kDenied);
  Become("cid");
  EXPECT_EQ(Encrypt(key), "none");
  EXPECT_EQ(ErrorOf("DescribeKey", {{"KeyId", key}}), kDenied);
  BecomeRoot();
  EXPECT_EQ(ErrorOf("PutKeyPolicy", {{"KeyId", key}, {"Policy", KeyPolicy(ToUser("ann", "kms:Encrypt", "Deny"))}}),
            "none");
  Become("ann", {Allows("kms:*")});
  EXPECT_EQ(Encrypt(key), kDenied);
  EXPECT_EQ(ErrorOf("DescribeKey", {{"KeyId", key}}), "none");
}

TEST_F(AuthorisationTest, WhatNamesNoKeyIsForIdentityPolicies) {
  Become("ann", {Allows("kms:ListKeys")});
  EXPECT_EQ(ErrorOf("ListKeys", "{}"), "none");
  EXPECT_EQ(ErrorOf("CreateKey", "{}"), kDenied);
  EXPECT_EQ(ErrorOf("GenerateRandom", R"({"NumberOfBytes":1})"), kDenied);
  // Whether there is such a key is nobody's to learn who may not ask.
  EXPECT_EQ(ErrorOf("DescribeKey", R"({"KeyId":"1234abcd-12ab-34cd-56ef-1234567890ab"})"), kDenied);
}

TEST_F(AuthorisationTest, AliasesAndReEncryptionNeedEveryPart) {
  const std::string key = KeyWith(KeyPolicy()), other = KeyWith(KeyPolicy());
  const std::string key_arn = "arn:aws:kms:eu-central-1:000000000000:key/" + key;
  const std::string other_arn = "arn:aws:kms:eu-central-1:000000000000:key/" + other;
  Become("ann", {Allows("kms:CreateAlias", key_arn)});
  EXPECT_EQ(ErrorOf("CreateAlias", {{"AliasName", "alias/a"}, {"TargetKeyId", key}}), kDenied);
  Become("ann", {Allows("kms:CreateAlias", key_arn), Allows("kms:CreateAlias", "arn:aws:kms:*:*:alias/a")});
  EXPECT_EQ(ErrorOf("CreateAlias", {{"AliasName", "alias/a"}, {"TargetKeyId", key}}), "none");
  Become("ann", {Allows("kms:UpdateAlias", other_arn), Allows("kms:UpdateAlias", "arn:aws:kms:*:*:alias/a")});
  EXPECT_EQ(ErrorOf("UpdateAlias", {{"AliasName", "alias/a"}, {"TargetKeyId", other}}), kDenied);

  BecomeRoot();
  const json::string ciphertext = Ciphertext(key);
  const json::object request{{"CiphertextBlob", ciphertext}, {"DestinationKeyId", other}};
  Become("ann", {Allows("kms:ReEncryptFrom", key_arn)});
  EXPECT_EQ(ErrorOf("ReEncrypt", request), kDenied);
  Become("ann", {Allows("kms:ReEncryptFrom", key_arn), Allows("kms:ReEncryptTo", other_arn)});
  EXPECT_EQ(ErrorOf("ReEncrypt", request), "none");
  // The key that the ciphertext names.
  Become("ann", {Allows("kms:Decrypt", other_arn)});
  EXPECT_EQ(ErrorOf("Decrypt", {{"CiphertextBlob", ciphertext}}), kDenied);
  EXPECT_EQ(ErrorOf("Decrypt", {{"CiphertextBlob", ciphertext}, {"KeyId", "alias/a"}}), kDenied);
}

TEST_F(AuthorisationTest, PoliciesAreCheckedBeforeTheyAreTaken) {
  const std::string key = KeyWith(KeyPolicy());
  const auto put = [&](const std::string& policy, bool bypass = false) {
    const auto answer =
        Ask("PutKeyPolicy", {{"KeyId", key}, {"Policy", policy}, {"BypassPolicyLockoutSafetyCheck", bypass}});
    return answer ? "none" : std::string(ToString(answer.error().code)) + ": " + answer.error().message;
  };
  EXPECT_EQ(put("{}"), "MalformedPolicyDocumentException: The policy has no Statement.");
  const std::string locks_out =
      R"({"Statement":{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/ann"},"Action":"kms:*","Resource":"*"}})";
  EXPECT_EQ(put(locks_out),
            "MalformedPolicyDocumentException: The new key policy will not allow you to update the key policy in the "
            "future.");
  EXPECT_EQ(put(locks_out, true), "none");
  EXPECT_EQ(ErrorOf("GetKeyPolicy", {{"KeyId", key}}), kDenied);
  Become("ann");
  EXPECT_EQ(Ask("GetKeyPolicy", {{"KeyId", key}})->at("Policy").as_string(), locks_out);
  EXPECT_EQ(ErrorOf("GetKeyPolicy", {{"KeyId", key}, {"PolicyName", "other"}}), "NotFoundException");
  EXPECT_EQ(Ask("ListKeyPolicies", {{"KeyId", key}})->at("PolicyNames"), json::parse(R"(["default"])"));
}

TEST_F(AuthorisationTest, GrantsAreMadeUsedListedAndRetired) {
  const std::string key = KeyWith(KeyPolicy());
  const json::object context{{"team", "red"}};
  const json::string ciphertext = Ciphertext(key, context);
  const json::object decrypt{{"CiphertextBlob", ciphertext}, {"EncryptionContext", context}};
  const auto grant_to = [&](const std::string& user, const json::object& more) {
    json::object request{
        {"KeyId", key}, {"GranteePrincipal", kUser + user}, {"Operations", {"Decrypt", "CreateGrant"}}};
    for (const auto& [name, value] : more) request[name] = value;
    return request;
  };
  const auto made = Ask("CreateGrant", grant_to("ann", {{"Constraints", {{"EncryptionContextSubset", context}}}}));
  ASSERT_TRUE(made) << made.error().message;
  Become("ann");
  EXPECT_EQ(ErrorOf("Decrypt", decrypt), "none");
  EXPECT_EQ(Encrypt(key, context), kDenied);
  EXPECT_EQ(ErrorOf("CreateGrant", grant_to("bob", {{"Operations", {"Decrypt"}}})), kDenied);
  const auto handed = Ask("CreateGrant", grant_to("bob", {{"Operations", {"Decrypt"}},
                                                          {"RetiringPrincipal", std::string(kUser) + "bob"},
                                                          {"Constraints", {{"EncryptionContextEquals", context}}}}));
  ASSERT_TRUE(handed) << handed.error().message;
  const json::object retire{{"GrantToken", handed->at("GrantToken")}};
  EXPECT_EQ(ErrorOf("RetireGrant", retire), kDenied);
  BecomeRoot();
  EXPECT_EQ(Ask("ListGrants", {{"KeyId", key}})->at("Grants").as_array().size(), 2);
  EXPECT_EQ(Ask("ListGrants", {{"KeyId", key}, {"GranteePrincipal", std::string(kUser) + "bob"}})
                ->at("Grants")
                .as_array()
                .size(),
            1);
  EXPECT_EQ(
      Ask("ListRetirableGrants", {{"RetiringPrincipal", std::string(kUser) + "bob"}})->at("Grants").at(0).at("GrantId"),
      handed->at("GrantId"));
  Become("bob");
  EXPECT_EQ(ErrorOf("Decrypt", decrypt), "none");
  EXPECT_EQ(ErrorOf("RetireGrant", {{"GrantToken", handed->at("GrantToken")}, {"DryRun", true}}),
            "DryRunOperationException");
  EXPECT_EQ(ErrorOf("RetireGrant", retire), "none");
  EXPECT_EQ(ErrorOf("Decrypt", decrypt), kDenied);
  BecomeRoot();
  EXPECT_EQ(ErrorOf("RevokeGrant", {{"KeyId", key}, {"GrantId", made->at("GrantId")}}), "none");
  EXPECT_EQ(ErrorOf("RevokeGrant", {{"KeyId", key}, {"GrantId", made->at("GrantId")}}), "NotFoundException");
  EXPECT_EQ(ErrorOf("CreateGrant", grant_to("ann", {{"GranteePrincipal", "arn:aws:iam::000000000000:role/r"}})),
            "InvalidArnException");
  EXPECT_EQ(ErrorOf("CreateGrant", grant_to("ann", {{"GranteeServicePrincipal", "cognito-idp.amazonaws.com"}})),
            "ValidationException");
  EXPECT_EQ(ErrorOf("CreateGrant", grant_to("ann", {{"Operations", {"Sign"}}})), "ValidationException");
}

}  // namespace
}  // namespace symbolon::kms_api
