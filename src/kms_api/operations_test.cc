#include <algorithm>

#include "crypto/test_rsa_wrapping.h"
#include "kms_api/grant_token.h"
#include "kms_api/test_support.h"

namespace symbolon::kms_api {
namespace {

using std::chrono::days;

// A key of the test, named in the ways that AWS accepts.
class KmsOperationsTest : public KmsApiTest {
 protected:
  static std::string Text(const json::value& value) { return std::string(value.as_string()); }
  static json::value B64(BytesView octets) { return json::value(Base64Encode(octets)); }
  json::object Named(json::object rest = {}) const {
    rest["KeyId"] = key_.at("KeyId");
    return rest;
  }
  void Tick() { here_->Tick(transport_); }

  const json::value key_ = NewKey("{}");
  const json::value id_ = key_.at("KeyId");
  const json::value arn_ = key_.at("Arn");
};

TEST_F(KmsOperationsTest, EncryptedOctetsDecryptUnderTheirContextOnly) {
  ASSERT_TRUE(Ask("CreateAlias", json::object{{"AliasName", "alias/a"}, {"TargetKeyId", id_}}));
  const json::object context{{"b", "2"}, {"a", "1"}};
  for (const std::string& name :
       {Text(id_), Text(arn_), std::string("alias/a"), std::string("arn:aws:kms:eu-central-1:000000000000:alias/a")}) {
    const auto encrypted =
        Ask("Encrypt", json::object{{"KeyId", name}, {"Plaintext", B64("secret")}, {"EncryptionContext", context}});
    ASSERT_TRUE(encrypted) << name;
    EXPECT_EQ(encrypted->at("KeyId"), arn_);
    EXPECT_EQ(encrypted->at("EncryptionAlgorithm"), "SYMMETRIC_DEFAULT");
    const json::object sealed{{"CiphertextBlob", encrypted->at("CiphertextBlob")}, {"EncryptionContext", context}};
    const auto decrypted = Ask("Decrypt", sealed);
    ASSERT_TRUE(decrypted);
    EXPECT_EQ(decrypted->at("Plaintext"), B64("secret"));
    EXPECT_EQ(decrypted->at("KeyId"), arn_);
    EXPECT_EQ(decrypted->at("KeyMaterialId"), key_.at("CurrentKeyMaterialId"));
    json::object named = sealed;
    named["KeyId"] = name;
    EXPECT_TRUE(Ask("Decrypt", named));
    named["KeyId"] = NewKey("{}").at("KeyId");
    EXPECT_EQ(ErrorOf("Decrypt", named), "IncorrectKeyException");
    EXPECT_EQ(ErrorOf("Decrypt", json::object{{"CiphertextBlob", encrypted->at("CiphertextBlob")}}),
              "InvalidCiphertextException");
  }
  EXPECT_EQ(ErrorOf("Decrypt", json::object{{"CiphertextBlob", B64("nonsense")}}), "InvalidCiphertextException");
  EXPECT_EQ(ErrorOf("Decrypt", json::object{}), "ValidationException");
  EXPECT_EQ(ErrorOf("Encrypt", Named({{"Plaintext", B64("x")}, {"EncryptionAlgorithm", "RSAES_OAEP_SHA_256"}})),
            "InvalidKeyUsageException");
  EXPECT_EQ(
      ErrorOf("Encrypt", Named({{"Plaintext", B64("x")}, {"EncryptionContext", {{"a", std::string(8192, 'x')}}}})),
      "ValidationException");
}

TEST_F(KmsOperationsTest, CiphertextOfTheServicesOwnKeyIsNobodysCiphertext) {
  const std::string owned = here_->EnsureServiceOwnedKey().value();
  const Bytes sealed = here_->Encrypt(owned, {}, "x").value();
  EXPECT_EQ(ErrorOf("Decrypt", json::object{{"CiphertextBlob", B64(sealed)}}), "InvalidCiphertextException");
}

TEST_F(KmsOperationsTest, ReEncryptMovesToAnotherKeyAndContext) {
  const json::value other = NewKey("{}");
  const auto encrypted = Ask("Encrypt", Named({{"Plaintext", B64("x")}, {"EncryptionContext", {{"a", "1"}}}}));
  const json::object request{{"CiphertextBlob", encrypted->at("CiphertextBlob")},
                             {"SourceEncryptionContext", {{"a", "1"}}},
                             {"DestinationKeyId", other.at("KeyId")},
                             {"DestinationEncryptionContext", {{"b", "2"}}}};
  const auto moved = Ask("ReEncrypt", request);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->at("SourceKeyId"), arn_);
  EXPECT_EQ(moved->at("KeyId"), other.at("Arn"));
  EXPECT_EQ(moved->at("DestinationKeyMaterialId"), other.at("CurrentKeyMaterialId"));
  EXPECT_EQ(
      Ask("Decrypt", json::object{{"CiphertextBlob", moved->at("CiphertextBlob")}, {"EncryptionContext", {{"b", "2"}}}})
          ->at("Plaintext"),
      B64("x"));
  json::object wrong = request;
  wrong["SourceKeyId"] = other.at("KeyId");
  EXPECT_EQ(ErrorOf("ReEncrypt", wrong), "IncorrectKeyException");
  ASSERT_TRUE(Ask("DisableKey", json::object{{"KeyId", other.at("KeyId")}}));
  EXPECT_EQ(ErrorOf("ReEncrypt", request), "DisabledException");
}

TEST_F(KmsOperationsTest, DataKeysAreOfTheSizeAskedFor) {
  const struct {
    json::object ask;
    std::size_t size;
  } cases[] = {{{{"KeySpec", "AES_256"}}, 32}, {{{"KeySpec", "AES_128"}}, 16}, {{{"NumberOfBytes", 1024}}, 1024}};
  for (const auto& each : cases) {
    const auto made = Ask("GenerateDataKey", Named(each.ask));
    ASSERT_TRUE(made);
    EXPECT_EQ(Base64Decode(Text(made->at("Plaintext")))->size(), each.size);
    EXPECT_EQ(Ask("Decrypt", json::object{{"CiphertextBlob", made->at("CiphertextBlob")}})->at("Plaintext"),
              made->at("Plaintext"));
    const auto hidden = Ask("GenerateDataKeyWithoutPlaintext", Named(each.ask));
    ASSERT_TRUE(hidden);
    EXPECT_FALSE(hidden->as_object().contains("Plaintext"));
    EXPECT_EQ(Base64Decode(
                  Text(Ask("Decrypt", json::object{{"CiphertextBlob", hidden->at("CiphertextBlob")}})->at("Plaintext")))
                  ->size(),
              each.size);
  }
  EXPECT_EQ(ErrorOf("GenerateDataKey", Named()), "ValidationException");
  EXPECT_EQ(ErrorOf("GenerateDataKey", Named({{"KeySpec", "AES_256"}, {"NumberOfBytes", 1}})), "ValidationException");
  EXPECT_EQ(Base64Decode(Text(Ask("GenerateRandom", json::object{{"NumberOfBytes", 7}})->at("Plaintext")))->size(), 7u);
  EXPECT_EQ(ErrorOf("GenerateRandom", json::object{}), "ValidationException");
}

TEST_F(KmsOperationsTest, DryRunsSayWhatWouldHappen) {
  const auto sealed = Ask("Encrypt", Named({{"Plaintext", B64("x")}}));
  const json::object decrypt{{"CiphertextBlob", sealed->at("CiphertextBlob")}, {"DryRun", true}};
  const auto try_all = [&](std::string_view expected) {
    EXPECT_EQ(ErrorOf("Encrypt", Named({{"Plaintext", B64("x")}, {"DryRun", true}})), expected);
    EXPECT_EQ(ErrorOf("GenerateDataKey", Named({{"KeySpec", "AES_256"}, {"DryRun", true}})), expected);
    EXPECT_EQ(ErrorOf("GenerateDataKeyWithoutPlaintext", Named({{"KeySpec", "AES_256"}, {"DryRun", true}})), expected);
    EXPECT_EQ(ErrorOf("Decrypt", decrypt), expected);
    EXPECT_EQ(ErrorOf("Decrypt", Named({{"DryRun", true}, {"DryRunModifiers", {"IGNORE_CIPHERTEXT"}}})), expected);
  };
  try_all("DryRunOperationException");
  EXPECT_EQ(ErrorOf("Decrypt", Named({{"DryRunModifiers", {"IGNORE_CIPHERTEXT"}}})), "ValidationException");
  ASSERT_TRUE(Ask("DisableKey", Named()));
  try_all("DisabledException");
}

TEST_F(KmsOperationsTest, EnclavesAndForgedGrantTokensAreRefused) {
  const json::object recipient{{"KeyEncryptionAlgorithm", "RSAES_OAEP_SHA_256"}, {"AttestationDocument", B64("x")}};
  EXPECT_EQ(ErrorOf("GenerateRandom", json::object{{"NumberOfBytes", 1}, {"Recipient", recipient}}),
            "UnsupportedOperationException");
  EXPECT_EQ(ErrorOf("GenerateDataKey", Named({{"KeySpec", "AES_256"}, {"Recipient", recipient}})),
            "UnsupportedOperationException");
  EXPECT_EQ(ErrorOf("Encrypt", Named({{"Plaintext", B64("x")}, {"GrantTokens", {"forged"}}})),
            "InvalidGrantTokenException");
  const GrantName grant{.key_arn = Text(arn_), .grant_id = std::string(64, 'a')};
  const std::string token = MakeGrantToken(grant);
  EXPECT_EQ(ParseGrantToken(token)->grant_id, grant.grant_id);
  EXPECT_EQ(ErrorOf("Encrypt", Named({{"Plaintext", B64("x")}, {"GrantTokens", {token}}})), "none");
}

TEST_F(KmsOperationsTest, AliasesAreListedAndRefusedAsAwsDoes) {
  const auto alias = [&](std::string_view name, const json::value& key) {
    return json::object{{"AliasName", name}, {"TargetKeyId", key}};
  };
  for (const char* name : {"alias/c", "alias/a", "alias/b/1"}) ASSERT_TRUE(Ask("CreateAlias", alias(name, arn_)));
  EXPECT_EQ(ErrorOf("CreateAlias", alias("alias/a", id_)), "AlreadyExistsException");
  EXPECT_EQ(ErrorOf("CreateAlias", alias("a", id_)), "ValidationException");
  EXPECT_EQ(ErrorOf("CreateAlias", alias("alias/", id_)), "ValidationException");
  EXPECT_EQ(ErrorOf("CreateAlias", alias("alias/aws/x", id_)), "InvalidAliasNameException");
  EXPECT_EQ(ErrorOf("CreateAlias", alias("alias/d", "alias/a")), "NotFoundException");
  EXPECT_EQ(ErrorOf("UpdateAlias", alias("alias/d", id_)), "NotFoundException");
  const json::value other = NewKey("{}");
  ASSERT_TRUE(Ask("UpdateAlias", alias("alias/c", other.at("KeyId"))));
  EXPECT_EQ(Ask("DescribeKey", json::object{{"KeyId", "alias/c"}})->at("KeyMetadata").at("Arn"), other.at("Arn"));

  const auto first = Ask("ListAliases", json::object{{"Limit", 2}}).value();
  EXPECT_EQ(first.at("Aliases").as_array().size(), 2u);
  EXPECT_EQ(first.at("Aliases").at(0).at("AliasArn"), "arn:aws:kms:eu-central-1:000000000000:alias/a");
  EXPECT_EQ(first.at("Truncated"), true);
  const auto second = Ask("ListAliases", json::object{{"Limit", 2}, {"Marker", first.at("NextMarker")}}).value();
  EXPECT_EQ(second.at("Aliases").as_array().size(), 1u);
  EXPECT_EQ(second.at("Truncated"), false);
  EXPECT_EQ(Ask("ListAliases", json::object{{"KeyId", other.at("KeyId")}})->at("Aliases").as_array().size(), 1u);
  ASSERT_TRUE(Ask("DeleteAlias", json::object{{"AliasName", "alias/c"}}));
  EXPECT_EQ(ErrorOf("DeleteAlias", json::object{{"AliasName", "alias/c"}}), "NotFoundException");
  // Operations that take no alias.
  for (const char* operation : {"EnableKey", "DisableKey", "ScheduleKeyDeletion", "GetKeyRotationStatus"}) {
    EXPECT_EQ(ErrorOf(operation, json::object{{"KeyId", "alias/a"}}), "NotFoundException") << operation;
  }
}

TEST_F(KmsOperationsTest, TagsAreAddedListedAndRemoved) {
  ASSERT_TRUE(Ask("TagResource",
                  Named({{"Tags", {{{"TagKey", "a"}, {"TagValue", "1"}}, {{"TagKey", "b"}, {"TagValue", ""}}}}})));
  ASSERT_TRUE(Ask("UntagResource", Named({{"TagKeys", {"a"}}})));
  EXPECT_EQ(Ask("ListResourceTags", Named())->at("Tags"), json::parse(R"([{"TagKey":"b","TagValue":""}])"));
  EXPECT_EQ(ErrorOf("TagResource", Named({{"Tags", {{{"TagKey", "aws:x"}, {"TagValue", "1"}}}}})), "TagException");
  EXPECT_EQ(
      ErrorOf("CreateKey",
              json::object{{"Tags", {{{"TagKey", "a"}, {"TagValue", "1"}}, {{"TagKey", "a"}, {"TagValue", "2"}}}}}),
      "TagException");
  const json::value tagged = NewKey(R"({"Tags":[{"TagKey":"k","TagValue":"v"}]})");
  EXPECT_EQ(Ask("ListResourceTags", KeyIdBody(tagged))->at("Tags").at(0).at("TagValue"), "v");
}

TEST_F(KmsOperationsTest, DeletionIsScheduledCancelledAndDone) {
  EXPECT_EQ(ErrorOf("ScheduleKeyDeletion", Named({{"PendingWindowInDays", 6}})), "ValidationException");
  EXPECT_EQ(ErrorOf("ScheduleKeyDeletion", Named({{"PendingWindowInDays", 31}})), "ValidationException");
  EXPECT_EQ(ErrorOf("CancelKeyDeletion", Named()), "KMSInvalidStateException");
  const auto scheduled = Ask("ScheduleKeyDeletion", Named()).value();
  EXPECT_EQ(scheduled.at("KeyId"), arn_);
  EXPECT_EQ(scheduled.at("KeyState"), "PendingDeletion");
  EXPECT_EQ(scheduled.at("PendingWindowInDays"), 30);
  const json::value shown = Ask("DescribeKey", Named())->at("KeyMetadata");
  EXPECT_EQ(shown.at("DeletionDate"), scheduled.at("DeletionDate"));
  EXPECT_EQ(shown.at("Enabled"), false);
  EXPECT_EQ(ErrorOf("Encrypt", Named({{"Plaintext", B64("x")}})), "KMSInvalidStateException");
  ASSERT_TRUE(Ask("CancelKeyDeletion", Named()));
  EXPECT_EQ(Ask("DescribeKey", Named())->at("KeyMetadata").at("KeyState"), "Disabled");
  ASSERT_TRUE(Ask("ScheduleKeyDeletion", Named({{"PendingWindowInDays", 7}})));
  clock_.Advance(days(7));
  Tick();
  EXPECT_EQ(ErrorOf("DescribeKey", Named()), "NotFoundException");
}

TEST_F(KmsOperationsTest, RotationIsShownAsAwsDoes) {
  EXPECT_EQ(Ask("GetKeyRotationStatus", Named()).value(),
            json::value({{"KeyRotationEnabled", false}, {"KeyId", arn_}}));
  ASSERT_TRUE(Ask("EnableKeyRotation", Named({{"RotationPeriodInDays", 90}})));
  const auto status = Ask("GetKeyRotationStatus", Named()).value();
  EXPECT_EQ(status.at("RotationPeriodInDays"), 90);
  EXPECT_EQ(status.at("NextRotationDate").as_double(), 1.7e9 + 90 * 86400);
  EXPECT_TRUE(Ask("ListKeyRotations", Named())->at("Rotations").as_array().empty());
  ASSERT_TRUE(Ask("RotateKeyOnDemand", Named()));
  clock_.Advance(days(90));
  Tick();
  const auto rotations = Ask("ListKeyRotations", Named({{"Limit", 1}})).value();
  EXPECT_EQ(rotations.at("Rotations").at(0).at("RotationType"), "ON_DEMAND");
  EXPECT_EQ(rotations.at("Rotations").at(0).at("KeyMaterialState"), "NON_CURRENT");
  const auto rest = Ask("ListKeyRotations", Named({{"Marker", rotations.at("NextMarker")}})).value();
  EXPECT_EQ(rest.at("Rotations").at(0).at("RotationType"), "AUTOMATIC");
  EXPECT_EQ(rest.at("Rotations").at(0).at("KeyMaterialState"), "CURRENT");
  EXPECT_EQ(
      Ask("ListKeyRotations", Named({{"IncludeKeyMaterial", "ALL_KEY_MATERIAL"}}))->at("Rotations").as_array().size(),
      3u);
  EXPECT_EQ(ErrorOf("ListKeyRotations", Named({{"Marker", "x"}})), "InvalidMarkerException");
  ASSERT_TRUE(Ask("DisableKeyRotation", Named()));
  EXPECT_EQ(Ask("GetKeyRotationStatus", Named())->at("KeyRotationEnabled"), false);
}

TEST_F(KmsOperationsTest, RotationOfADyingKeyIsOffAndComesBack) {
  ASSERT_TRUE(Ask("EnableKeyRotation", Named()));
  ASSERT_TRUE(Ask("ScheduleKeyDeletion", Named()));
  EXPECT_EQ(Ask("GetKeyRotationStatus", Named())->at("KeyRotationEnabled"), false);
  ASSERT_TRUE(Ask("CancelKeyDeletion", Named()));
  EXPECT_EQ(Ask("GetKeyRotationStatus", Named())->at("KeyRotationEnabled"), true);
}

TEST_F(KmsOperationsTest, ImportedMaterialIsAskedForTakenAndDeleted) {
  const json::value key = NewKey(R"({"Origin":"EXTERNAL"})");
  EXPECT_EQ(key.at("KeyState"), "PendingImport");
  EXPECT_EQ(key.at("Origin"), "EXTERNAL");
  json::object named{{"KeyId", key.at("KeyId")}};
  json::object ask = named;
  ask["WrappingAlgorithm"] = "RSAES_OAEP_SHA_256";
  ask["WrappingKeySpec"] = "RSA_2048";
  const auto parameters = Ask("GetParametersForImport", ask).value();
  EXPECT_EQ(parameters.at("ParametersValidTo").as_double(), 1.7e9 + 86400);
  json::object import = named;
  import["ImportToken"] = parameters.at("ImportToken");
  import["EncryptedKeyMaterial"] =
      B64(crypto::test::WrapOaep(*Base64Decode(Text(parameters.at("PublicKey"))), Bytes(32, 'm')));
  EXPECT_EQ(ErrorOf("ImportKeyMaterial", import), "ValidationException");  // expires by default, without a date
  import["ExpirationModel"] = "KEY_MATERIAL_DOES_NOT_EXPIRE";
  json::object both = import;
  both["ValidTo"] = 1.7e9 + 100;
  EXPECT_EQ(ErrorOf("ImportKeyMaterial", both), "ValidationException");
  const auto imported = Ask("ImportKeyMaterial", import);
  ASSERT_TRUE(imported) << imported.error().message;
  const json::value shown = Ask("DescribeKey", named)->at("KeyMetadata");
  EXPECT_EQ(shown.at("KeyState"), "Enabled");
  EXPECT_EQ(shown.at("ExpirationModel"), "KEY_MATERIAL_DOES_NOT_EXPIRE");
  EXPECT_EQ(shown.at("CurrentKeyMaterialId"), imported->at("KeyMaterialId"));
  EXPECT_EQ(Ask("DeleteImportedKeyMaterial", named)->at("KeyMaterialId"), imported->at("KeyMaterialId"));
  EXPECT_EQ(Ask("DescribeKey", named)->at("KeyMetadata").at("KeyState"), "PendingImport");
  json::object encrypt = named;
  encrypt["Plaintext"] = B64("x");
  EXPECT_EQ(ErrorOf("Encrypt", encrypt), "KMSInvalidStateException");

  for (const char* algorithm : {"RSAES_PKCS1_V1_5", "RSAES_OAEP_SHA_1", "RSA_AES_KEY_WRAP_SHA_1", "SM2PKE"}) {
    ask["WrappingAlgorithm"] = algorithm;
    EXPECT_EQ(ErrorOf("GetParametersForImport", ask), "UnsupportedOperationException");
  }
  EXPECT_EQ(ErrorOf("GetParametersForImport",
                    Named({{"WrappingAlgorithm", "RSAES_OAEP_SHA_256"}, {"WrappingKeySpec", "RSA_2048"}})),
            "UnsupportedOperationException");
}

TEST_F(KmsOperationsTest, PrimaryRegionIsUpdated) {
  const json::value key = NewKey(R"({"MultiRegion":true})");
  const json::object named{{"KeyId", key.at("KeyId")}};
  const auto update = [&](std::string_view region, const json::value& id) {
    return json::object{{"KeyId", id}, {"PrimaryRegion", region}};
  };
  EXPECT_EQ(ErrorOf("UpdatePrimaryRegion", update("us-east-1", id_)), "UnsupportedOperationException");
  EXPECT_EQ(ErrorOf("UpdatePrimaryRegion", update("us-east-1", key.at("KeyId"))), "ValidationException");
  ASSERT_TRUE(Ask("ReplicateKey", json::object{{"KeyId", key.at("KeyId")},
                                               {"ReplicaRegion", "us-east-1"},
                                               {"Tags", {{{"TagKey", "a"}, {"TagValue", "b"}}}}}));
  EXPECT_EQ(Ask("ListResourceTags", named, true)->at("Tags").at(0).at("TagKey"), "a");
  ASSERT_TRUE(Ask("UpdatePrimaryRegion", update("us-east-1", key.at("KeyId"))));
  for (const bool there : {false, true}) {
    const json::value shown = Ask("DescribeKey", named, there)->at("KeyMetadata").at("MultiRegionConfiguration");
    EXPECT_EQ(shown.at("PrimaryKey").at("Region"), "us-east-1");
    EXPECT_EQ(shown.at("MultiRegionKeyType"), there ? "PRIMARY" : "REPLICA");
  }
  EXPECT_EQ(ErrorOf("RotateKeyOnDemand", named), "UnsupportedOperationException");
}

TEST_F(KmsOperationsTest, DescriptionIsUpdated) {
  ASSERT_TRUE(Ask("UpdateKeyDescription", Named({{"Description", "new"}})));
  EXPECT_EQ(Ask("DescribeKey", Named())->at("KeyMetadata").at("Description"), "new");
  // The longest that the API lets through, in characters of three octets.
  std::string longest;
  for (int i = 0; i < 8192; ++i) longest += "\u20ac";
  ASSERT_TRUE(Ask("UpdateKeyDescription", Named({{"Description", longest}})));
  const auto made = Ask("CreateKey", json::object{{"Description", longest}, {"MultiRegion", true}});
  ASSERT_TRUE(made);
  EXPECT_EQ(ErrorOf("ReplicateKey", json::object{{"KeyId", made->at("KeyMetadata").at("KeyId")},
                                                 {"ReplicaRegion", "us-east-1"},
                                                 {"Description", longest}}),
            "none");
}

}  // namespace
}  // namespace symbolon::kms_api
