#include "kms_api/key_use.h"

#include "kms_api/grant_token.h"
#include "kms_api/test_support.h"

namespace symbolon::kms_api {
namespace {

class KeyUseTest : public KmsApiTest {
 protected:
  struct Use {
    std::string action, resource, key, alias;
    std::optional<keys::EncryptionContext> context;
    bool operator==(const Use&) const = default;
  };
  std::vector<Use> UsesOf(std::string_view operation, const json::object& body) {
    const auto* facts = model::FindOperation("TrentService." + std::string(operation));
    SYMBOLON_CHECK(facts != nullptr);
    wire::ParseReport report;
    const auto request = wire::ParseRequest(*facts->input, json::serialize(body), report);
    SYMBOLON_CHECK(request.has_value());
    std::vector<Use> uses;
    for (const KeyUse& use : KeyUsesOf(call_here_, *facts, *request)) {
      Use& shown = uses.emplace_back(Use{use.action, use.resource, use.key ? use.key->arn : "", use.alias, {}});
      if (use.context != nullptr) shown.context = *use.context;
    }
    return uses;
  }

  std::vector<std::string> ArnsOf(std::string_view operation, const json::object& body) {
    const auto* facts = model::FindOperation("TrentService." + std::string(operation));
    wire::ParseReport report;
    const auto request = wire::ParseRequest(*facts->input, json::serialize(body), report);
    SYMBOLON_CHECK(request.has_value());
    return KeyArnsOf(call_here_, *facts, *request);
  }

  const std::string key_ = here_->CreateKey(false, "").value().arn;
  const std::string other_ = here_->CreateKey(false, "").value().arn;
};

TEST_F(KeyUseTest, KeyIsFoundByWhateverNamesIt) {
  ASSERT_TRUE(here_->CreateAlias("alias/a", key_));
  EXPECT_EQ(UsesOf("EnableKey", {{"KeyId", key_}}), (std::vector<Use>{{"EnableKey", key_, key_, "", {}}}));
  const keys::EncryptionContext context{{"x", "y"}};
  EXPECT_EQ(UsesOf("Encrypt", {{"KeyId", "alias/a"}, {"Plaintext", "eA=="}, {"EncryptionContext", {{"x", "y"}}}}),
            (std::vector<Use>{{"Encrypt", key_, key_, "alias/a", context}}));
  EXPECT_EQ(UsesOf("ListKeys", {}), (std::vector<Use>{{"ListKeys", "*", "", "", {}}}));
  EXPECT_EQ(UsesOf("EnableKey", {{"KeyId", "none"}}),
            (std::vector<Use>{{"EnableKey", "arn:aws:kms:eu-central-1:000000000000:key/none", "", "", {}}}));
}

TEST_F(KeyUseTest, CiphertextNamesItsKey) {
  const auto sealed = here_->EncryptUnder(key_, {}, "x").value();
  const std::string blob = Base64Encode(sealed.ciphertext);
  EXPECT_EQ(UsesOf("Decrypt", {{"CiphertextBlob", blob}}),
            (std::vector<Use>{{"Decrypt", key_, key_, "", keys::EncryptionContext{}}}));
  EXPECT_EQ(UsesOf("ReEncrypt", {{"CiphertextBlob", blob}, {"DestinationKeyId", other_}}),
            (std::vector<Use>{{"ReEncryptFrom", key_, key_, "", keys::EncryptionContext{}},
                              {"ReEncryptTo", other_, other_, "", keys::EncryptionContext{}}}));
  EXPECT_EQ(UsesOf("Decrypt", {{"CiphertextBlob", "eA=="}}),
            (std::vector<Use>{{"Decrypt", "*", "", "", keys::EncryptionContext{}}}));
}

TEST_F(KeyUseTest, AliasOperationsConcernTheAliasAndItsKeys) {
  const std::string alias = "arn:aws:kms:eu-central-1:000000000000:alias/a";
  const auto ask = [&](std::string_view operation, const std::string& target) {
    return UsesOf(operation, {{"AliasName", "alias/a"}, {"TargetKeyId", target}});
  };
  EXPECT_EQ(ask("CreateAlias", key_),
            (std::vector<Use>{{"CreateAlias", alias, "", "", {}}, {"CreateAlias", key_, key_, "", {}}}));
  ASSERT_TRUE(here_->CreateAlias("alias/a", key_));
  EXPECT_EQ(ask("UpdateAlias", other_), (std::vector<Use>{{"UpdateAlias", alias, "", "", {}},
                                                          {"UpdateAlias", key_, key_, "", {}},
                                                          {"UpdateAlias", other_, other_, "", {}}}));
  EXPECT_EQ(UsesOf("DeleteAlias", {{"AliasName", "alias/a"}}),
            (std::vector<Use>{{"DeleteAlias", alias, "", "", {}}, {"DeleteAlias", key_, key_, "", {}}}));
}

TEST_F(KeyUseTest, KeysOfACallThatNamesThemOtherwise_AreKnownToTheAudit) {
  using Arns = std::vector<std::string>;
  ASSERT_TRUE(here_->CreateAlias("alias/a", key_));
  const std::string blob = Base64Encode(here_->EncryptUnder(key_, {}, "x").value().ciphertext);
  EXPECT_EQ(ArnsOf("Decrypt", {{"CiphertextBlob", blob}}), Arns{key_});
  EXPECT_EQ(ArnsOf("Decrypt", {{"CiphertextBlob", "eA=="}}), Arns{});
  EXPECT_EQ(ArnsOf("ReEncrypt", {{"CiphertextBlob", blob}, {"DestinationKeyId", "alias/a"}}), Arns{key_});
  EXPECT_EQ(ArnsOf("DescribeKey", {{"KeyId", "alias/a"}}), Arns{key_});
  EXPECT_EQ(ArnsOf("DeleteAlias", {{"AliasName", "alias/a"}}), Arns{key_});
  EXPECT_EQ(ArnsOf("UpdateAlias", {{"AliasName", "alias/a"}, {"TargetKeyId", other_}}), (Arns{key_, other_}));
  EXPECT_EQ(ArnsOf("RetireGrant", {{"GrantToken", MakeGrantToken({key_, std::string(64, 'a')})}}), Arns{key_});
  EXPECT_EQ(ArnsOf("ListKeys", {}), Arns{});
}

}  // namespace
}  // namespace symbolon::kms_api
