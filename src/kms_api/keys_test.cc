#include "kms_api/test_support.h"

namespace symbolon::kms_api {
namespace {

TEST_F(KmsApiTest, NewKeyIsDescribedAsAwsDoes) {
  const json::value key = NewKey(R"({"Description":"for pools","MultiRegion":true})");
  const std::string id(key.at("KeyId").as_string());
  EXPECT_EQ(key, json::parse(R"({"AWSAccountId":"000000000000","KeyId":")" + id +
                             R"(","Arn":"arn:aws:kms:eu-central-1:000000000000:key/)" + id +
                             R"(","CreationDate":1.7E9,"Enabled":true,"Description":"for pools",
      "KeyUsage":"ENCRYPT_DECRYPT","KeyState":"Enabled","Origin":"AWS_KMS","KeyManager":"CUSTOMER",
      "CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","KeySpec":"SYMMETRIC_DEFAULT",
      "EncryptionAlgorithms":["SYMMETRIC_DEFAULT"],"CurrentKeyMaterialId":")" +
                             std::string(key.at("CurrentKeyMaterialId").as_string()) + R"(","MultiRegion":true,
      "MultiRegionConfiguration":{"MultiRegionKeyType":"PRIMARY","PrimaryKey":{
        "Arn":"arn:aws:kms:eu-central-1:000000000000:key/)" +
                             id + R"(","Region":"eu-central-1"},"ReplicaKeys":[]}})"));
  EXPECT_EQ(Ask("DescribeKey", KeyIdBody(key))->at("KeyMetadata"), key);
  EXPECT_EQ(Ask("DescribeKey", json::serialize(json::object{{"KeyId", key.at("Arn")}}))->at("KeyMetadata"), key);

  const json::value single = NewKey("{}");
  EXPECT_EQ(single.at("MultiRegion"), false);
  EXPECT_FALSE(single.as_object().contains("MultiRegionConfiguration"));
}

TEST_F(KmsApiTest, WhatIsNotOfferedIsRefused) {
  for (const char* body : {R"({"KeySpec":"RSA_2048"})", R"({"CustomerMasterKeySpec":"HMAC_256"})",
                           R"({"Origin":"AWS_CLOUDHSM"})", R"({"CustomKeyStoreId":"cks-1"})", R"({"XksKeyId":"x"})"}) {
    EXPECT_EQ(ErrorOf("CreateKey", body), "UnsupportedOperationException") << body;
  }
  EXPECT_EQ(ErrorOf("CreateKey", R"({"KeyUsage":"SIGN_VERIFY"})"), "ValidationException");
  EXPECT_EQ(ErrorOf("CreateKey", R"({"KeySpec":"SYMMETRIC_DEFAULT","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT"})"),
            "ValidationException");
  EXPECT_EQ(ErrorOf("CreateKey", R"({"KeySpec":"SYMMETRIC_DEFAULT","KeyUsage":"ENCRYPT_DECRYPT","Origin":"AWS_KMS",
                                     "Tags":[],"MultiRegion":false})"),
            "none");
  EXPECT_EQ(Ask("ListKeys", "{}")->at("Keys").as_array().size(), 1u);
}

TEST_F(KmsApiTest, DisableAndEnable) {
  const json::value key = NewKey("{}");
  EXPECT_EQ(Ask("DisableKey", KeyIdBody(key)).value(), json::object{});
  const json::value disabled = Ask("DescribeKey", KeyIdBody(key))->at("KeyMetadata");
  EXPECT_EQ(disabled.at("Enabled"), false);
  EXPECT_EQ(disabled.at("KeyState"), "Disabled");
  EXPECT_EQ(Ask("EnableKey", KeyIdBody(key)).value(), json::object{});
  EXPECT_EQ(Ask("DescribeKey", KeyIdBody(key))->at("KeyMetadata").at("KeyState"), "Enabled");
}

TEST_F(KmsApiTest, KeysThatAreNotThere) {
  const std::string service_key = here_->EnsureServiceOwnedKey().value();
  for (const std::string& key :
       {std::string("1234abcd-12ab-34cd-56ef-1234567890ab"), std::string("alias/aws/cognito"), service_key,
        std::string("arn:aws:kms:eu-central-1:000000000000:alias/x"),
        std::string("arn:aws:kms:eu-central-1:111111111111:key/1234abcd-12ab-34cd-56ef-1234567890ab"),
        std::string("arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab")}) {
    const std::string body = json::serialize(json::object{{"KeyId", key}});
    for (const char* operation : {"DescribeKey", "EnableKey", "DisableKey"}) {
      EXPECT_EQ(ErrorOf(operation, body), "NotFoundException") << operation << ' ' << key;
    }
  }
  EXPECT_EQ(ErrorOf("DescribeKey", R"({"KeyId":"arn:aws:s3:::bucket"})"), "InvalidArnException");
}

TEST_F(KmsApiTest, ListsInPages) {
  for (int i = 0; i < 5; ++i) NewKey("{}");
  ASSERT_TRUE(here_->EnsureServiceOwnedKey());
  std::size_t seen = 0;
  std::string marker;
  while (true) {
    json::object body{{"Limit", 2}};
    if (!marker.empty()) body["Marker"] = marker;
    const json::value page = Ask("ListKeys", json::serialize(body)).value();
    seen += page.at("Keys").as_array().size();
    EXPECT_TRUE(page.at("Keys").at(0).at("KeyArn").as_string().starts_with("arn:aws:kms:eu-central-1:"));
    if (!page.at("Truncated").as_bool()) break;
    marker = page.at("NextMarker").as_string();
  }
  EXPECT_EQ(seen, 5u);
  EXPECT_EQ(ErrorOf("ListKeys", R"({"Marker":"nonsense"})"), "InvalidMarkerException");
  EXPECT_TRUE(Ask("ListKeys", R"({"ResourceOwners":["OTHER_ACCOUNTS_VIA_RAM"]})")->at("Keys").as_array().empty());
}

TEST_F(KmsApiTest, ReplicaIsShownInBothRegions) {
  const json::value key = NewKey(R"({"MultiRegion":true})");
  const std::string body = json::serialize(
      json::object{{"KeyId", key.at("KeyId")}, {"ReplicaRegion", "us-east-1"}, {"Description", "replica"}});
  const auto answer = Ask("ReplicateKey", body);
  ASSERT_TRUE(answer) << answer.error().message;
  const json::value& replica = answer->at("ReplicaKeyMetadata");
  EXPECT_EQ(replica.at("KeyId"), key.at("KeyId"));
  EXPECT_EQ(replica.at("Description"), "replica");
  EXPECT_EQ(replica.at("MultiRegionConfiguration").at("MultiRegionKeyType"), "REPLICA");
  EXPECT_EQ(replica.at("MultiRegionConfiguration").at("PrimaryKey").at("Arn"), key.at("Arn"));
  EXPECT_EQ(replica.at("MultiRegionConfiguration").at("ReplicaKeys").at(0).at("Region"), "us-east-1");
  // That Region says the same of it.
  EXPECT_EQ(Ask("DescribeKey", KeyIdBody(key), true)->at("KeyMetadata"), replica);
  EXPECT_EQ(Ask("DescribeKey", KeyIdBody(key))
                ->at("KeyMetadata")
                .at("MultiRegionConfiguration")
                .at("ReplicaKeys")
                .at(0)
                .at("Arn"),
            replica.at("Arn"));
}

TEST_F(KmsApiTest, ReplicationRefusals) {
  const json::value key = NewKey(R"({"MultiRegion":true})"), single = NewKey("{}");
  const auto body = [](const json::value& which, std::string_view region) {
    return json::serialize(json::object{{"KeyId", which.at("KeyId")}, {"ReplicaRegion", region}});
  };
  EXPECT_EQ(ErrorOf("ReplicateKey", body(single, "us-east-1")), "UnsupportedOperationException");
  EXPECT_EQ(ErrorOf("ReplicateKey", body(key, "ap-south-1")), "ValidationException");
  EXPECT_EQ(ErrorOf("ReplicateKey", body(key, "eu-central-1")), "AlreadyExistsException");
  EXPECT_EQ(ErrorOf("ReplicateKey", R"({"KeyId":"mrk-0","ReplicaRegion":"us-east-1"})"), "NotFoundException");
  transport_.cut = {kThere};
  EXPECT_EQ(ErrorOf("ReplicateKey", body(key, "us-east-1")), "KMSInternalException");
  transport_.cut = {};
  EXPECT_EQ(Ask("DisableKey", KeyIdBody(key)).value(), json::object{});
  EXPECT_EQ(ErrorOf("ReplicateKey", body(key, "us-east-1")), "DisabledException");
  EXPECT_EQ(Ask("EnableKey", KeyIdBody(key)).value(), json::object{});
  EXPECT_EQ(ErrorOf("ReplicateKey", body(key, "us-east-1")), "none");
  EXPECT_EQ(ErrorOf("ReplicateKey", body(key, "us-east-1")), "AlreadyExistsException");
}

}  // namespace
}  // namespace symbolon::kms_api
