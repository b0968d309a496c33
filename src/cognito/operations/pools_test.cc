#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <set>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using json::object;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;

class PoolsTest : public testing::Test {
 protected:
  std::string CreateError(const char* settings) {
    object request = json::parse(settings).as_object();
    request["PoolName"] = "p";
    return region_.Call("CreateUserPool", request).error();
  }
  PoolId Create(const char* settings) { return region_.CreatePool(json::parse(settings).as_object()); }
  ApiRegion::Answer Update(const PoolId& pool, const char* settings) {
    object request = json::parse(settings).as_object();
    request["UserPoolId"] = pool.value();
    return region_.Call("UpdateUserPool", request);
  }
  json::value Describe(const PoolId& pool, std::string_view pointer = "") {
    return region_.Call("DescribeUserPool", {{"UserPoolId", pool.value()}}).at("/UserPool" + std::string(pointer));
  }
  std::vector<std::string> Algorithms(const PoolId& pool) {
    const auto published = region_.store().See(pool, [](directory::Transaction& tx) {
      return tx.Get<directory::PublicKind>("").value_or(directory::pb::PublicRecord());
    });
    std::vector<std::string> algorithms;
    for (const std::string& jwk : published.jwks()) algorithms.emplace_back(json::parse(jwk).at("alg").as_string());
    return algorithms;
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
};

// ---- defaults ----

TEST_F(PoolsTest, PoolThatNamesNothingHasTheDocumentedDefaults) {
  const PoolId pool = Create("{}");
  json::value shown = Describe(pool);
  EXPECT_EQ(shown.as_object().at("SchemaAttributes").as_array().size(), 21u);
  for (const char* variable : {"SchemaAttributes", "CreationDate", "LastModifiedDate"})
    shown.as_object().erase(variable);
  object expected = json::parse(R"({
    "Name": "pool",
    "Policies": {
      "PasswordPolicy": {"MinimumLength": 8, "RequireUppercase": true, "RequireLowercase": true,
                         "RequireNumbers": true, "RequireSymbols": true, "TemporaryPasswordValidityDays": 7},
      "SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD"]}},
    "MfaConfiguration": "OFF", "DeletionProtection": "INACTIVE", "UserPoolTier": "ESSENTIALS",
    "EmailConfiguration": {"EmailSendingAccount": "COGNITO_DEFAULT"},
    "KeyConfiguration": {"KeyType": "AWS_OWNED_KEY"}, "IssuerConfiguration": {"Type": "ORIGINAL"},
    "VerificationMessageTemplate": {"DefaultEmailOption": "CONFIRM_WITH_CODE"},
    "AccountRecoverySetting": {"RecoveryMechanisms": [{"Priority": 1, "Name": "verified_email"},
                                                      {"Priority": 2, "Name": "verified_phone_number"}]},
    "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": []},
    "LambdaConfig": {},
    "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false, "UnusedAccountValidityDays": 7}
  })")
                        .as_object();
  expected["Id"] = pool.value();
  expected["Arn"] = "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/" + pool.value();
  EXPECT_EQ(shown, json::value(expected)) << json::serialize(shown);
}

// ---- settings ----

TEST_F(PoolsTest, PartialPasswordPolicyTurnsOffWhatItDoesNotName) {
  const PoolId pool = Create(R"({"Policies":{"PasswordPolicy":{"RequireNumbers":true}}})");
  EXPECT_EQ(Describe(pool, "/Policies/PasswordPolicy"),
            json::parse(R"({"MinimumLength":8,"RequireUppercase":false,"RequireLowercase":false,"RequireNumbers":true,
                            "RequireSymbols":false,"TemporaryPasswordValidityDays":7})"));
}

TEST_F(PoolsTest, TemporaryPasswordOfNoDaysMeansTheDefault) {
  EXPECT_EQ(Describe(Create(R"({"Policies":{"PasswordPolicy":{"TemporaryPasswordValidityDays":0}}})"),
                     "/Policies/PasswordPolicy/TemporaryPasswordValidityDays"),
            7);
  EXPECT_EQ(Describe(Create(R"({"AdminCreateUserConfig":{"UnusedAccountValidityDays":0}})"),
                     "/Policies/PasswordPolicy/TemporaryPasswordValidityDays"),
            7);
  EXPECT_EQ(Describe(Create(R"({"AdminCreateUserConfig":{"UnusedAccountValidityDays":30}})"),
                     "/Policies/PasswordPolicy/TemporaryPasswordValidityDays"),
            30);
  EXPECT_NE(CreateError(R"({"Policies":{"PasswordPolicy":{"TemporaryPasswordValidityDays":3}},
                            "AdminCreateUserConfig":{"UnusedAccountValidityDays":4}})"),
            "");
}

TEST_F(PoolsTest, SettingsThatThisVersionCannotObeyAreRefused) {
  for (
      const char* settings : {
          R"({"LambdaConfig":{"PreSignUp":"arn:aws:lambda:eu-central-1:000000000000:function:f"}})",
          R"({"SmsConfiguration":{"SnsCallerArn":"arn:aws:iam::000000000000:role/sms"}})",
          R"({"SmsAuthenticationMessage":"Code {####}"})",
          R"({"EmailConfiguration":{"ConfigurationSet":"mine"}})",
          R"({"UserPoolAddOns":{"AdvancedSecurityMode":"AUDIT"}})",
          R"({"UserPoolAddOns":{"AdvancedSecurityMode":"OFF","AdvancedSecurityAdditionalFlows":{"CustomAuthMode":"AUDIT"}}})",
          R"({"Policies":{"PasswordPolicy":{"PasswordHistorySize":3}}})",
          R"({"Policies":{"SignInPolicy":{"AllowedFirstAuthFactors":["PASSWORD","EMAIL_OTP"]}}})",
          R"({"VerificationMessageTemplate":{"DefaultEmailOption":"CONFIRM_WITH_LINK"}})",
      }) {
    EXPECT_THAT(CreateError(settings), StartsWith("InvalidParameterException: ")) << settings;
    EXPECT_THAT(CreateError(settings), HasSubstr("not available yet")) << settings;
  }
}

TEST_F(PoolsTest, ContradictionsAreRefused) {
  for (
      const char* settings : {
          R"({"AliasAttributes":["email"],"UsernameAttributes":["email"]})",
          R"({"UserAttributeUpdateSettings":{"AttributesRequireVerificationBeforeUpdate":["email"]}})",
          R"({"AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"admin_only"},
                                                               {"Priority":2,"Name":"verified_email"}]}})",
          R"({"AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"verified_phone_number"},
                                                               {"Priority":1,"Name":"verified_email"}]}})",
          R"({"AccountRecoverySetting":{"RecoveryMechanisms":[{"Priority":1,"Name":"verified_email"},
                                                               {"Priority":2,"Name":"verified_email"}]}})",
          R"({"EmailVerificationMessage":"a {####}","VerificationMessageTemplate":{"EmailMessage":"b {####}"}})",
          R"({"KeyConfiguration":{"KeyType":"CUSTOMER_MANAGED_KEY"}})",
          R"({"KeyConfiguration":{"KmsKeyArn":"arn:aws:kms:eu-central-1:000000000000:key/k"}})",
          R"({"KeyConfiguration":{"KeyType":"AWS_OWNED_KEY","KmsKeyArn":"arn:aws:kms:eu-central-1:000000000000:key/k"}})",
          R"({"KeyConfiguration":{"KeyType":"CUSTOMER_MANAGED_KEY","KmsKeyArn":"arn:aws:kms:eu-central-1:000000000000:key/k"}})",
      }) {
    EXPECT_THAT(CreateError(settings), StartsWith("InvalidParameterException: ")) << settings;
  }
}

TEST_F(PoolsTest, UpdateKeepsWhatItLeavesOutButNotVerifiedAttributes) {
  const PoolId pool = Create(R"({
    "Policies":{"PasswordPolicy":{"MinimumLength":12}},"AutoVerifiedAttributes":["email"],"DeletionProtection":"ACTIVE",
    "UserPoolTags":{"a":"b"},"EmailVerificationSubject":"Hi","IssuerConfiguration":{"Type":"UPDATED"},
    "UserPoolTier":"PLUS","AdminCreateUserConfig":{"AllowAdminCreateUserOnly":true}})");
  const json::value before = Describe(pool);
  EXPECT_EQ(before.at("AutoVerifiedAttributes"), json::parse(R"(["email"])"));
  clock_.Advance(std::chrono::seconds(5));
  EXPECT_EQ(Update(pool, "{}").error(), "");
  object expected = before.as_object();
  expected.erase("AutoVerifiedAttributes");
  expected["LastModifiedDate"] = Describe(pool, "/LastModifiedDate");
  EXPECT_NE(expected["LastModifiedDate"], before.at("LastModifiedDate"));
  EXPECT_EQ(Describe(pool), json::value(expected));

  EXPECT_EQ(Update(pool, R"({"PoolName":"renamed","DeletionProtection":"INACTIVE","AutoVerifiedAttributes":["email"],
    "UserAttributeUpdateSettings":{"AttributesRequireVerificationBeforeUpdate":["email"]}})")
                .error(),
            "");
  EXPECT_EQ(Describe(pool, "/Name"), "renamed");
  // What would require verification of an attribute that is not verified any more.
  EXPECT_THAT(Update(pool, "{}").error(), HasSubstr("must exist in AutoVerifiedAttributes"));
}

TEST_F(PoolsTest, KeyThatIsTheSameOrNoneOfOursChangesNothing) {
  const PoolId pool = Create("{}");
  EXPECT_EQ(Update(pool, R"({"KeyConfiguration":{"KeyType":"AWS_OWNED_KEY"}})").error(), "");
  EXPECT_EQ(Update(pool, R"({"KeyConfiguration":{}})").error(), "");
  EXPECT_THAT(
      Update(pool, R"({"KeyConfiguration":{"KmsKeyArn":"arn:aws:kms:eu-central-1:000000000000:key/k"}})").error(),
      StartsWith("InvalidParameterException: "));
  const auto key = region_.key_service().CreateKey(false, "");
  ASSERT_TRUE(key);
  const object customer{{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", key->arn}};
  const PoolId own = region_.CreatePool({{"KeyConfiguration", customer}});
  EXPECT_EQ(Describe(own, "/KeyConfiguration"), json::value(customer));
  EXPECT_EQ(region_.Call("UpdateUserPool", {{"UserPoolId", own.value()}, {"KeyConfiguration", customer}}).error(), "");
  EXPECT_EQ(Update(own, "{}").error(), "");
  EXPECT_EQ(Describe(own, "/KeyConfiguration"), json::value(customer));
}

// ---- the rest of a pool's life ----

TEST_F(PoolsTest, ProtectedPoolIsNotDeleted) {
  const PoolId pool = Create(R"({"DeletionProtection":"ACTIVE"})");
  const object request{{"UserPoolId", pool.value()}};
  EXPECT_THAT(region_.Call("DeleteUserPool", request).error(), HasSubstr("deletion protection is activated"));
  EXPECT_EQ(Update(pool, R"({"DeletionProtection":"INACTIVE"})").error(), "");
  EXPECT_EQ(region_.Call("DeleteUserPool", request).error(), "");
  EXPECT_THAT(region_.Call("DescribeUserPool", request).error(), StartsWith("ResourceNotFoundException: "));
  EXPECT_TRUE(region_.Call("ListUserPools", {{"MaxResults", 60}}).at("/UserPools").as_array().empty());
}

TEST_F(PoolsTest, PoolsAreListedPageByPage) {
  std::set<std::string> made, listed;
  for (int i = 0; i < 5; ++i) made.insert(Create("{}").value());
  object request{{"MaxResults", 2}};
  for (int pages = 1;; ++pages) {
    const auto page = region_.Call("ListUserPools", request);
    ASSERT_EQ(page.error(), "");
    for (const json::value& pool : page.at("/UserPools").as_array()) listed.emplace(pool.at("Id").as_string());
    if (!page.at("/NextToken").is_string()) {
      EXPECT_EQ(pages, 3);
      break;
    }
    request["NextToken"] = page.at("/NextToken");
  }
  EXPECT_EQ(listed, made);
  for (const std::string& token :
       {std::string("nonsense"), std::string("!"), Base64UrlEncode("no pool"), Base64UrlEncode(std::string(300, 'x')),
        Base64UrlEncode(Bytes("eu-central-1_a\0b", 16))}) {
    EXPECT_THAT(region_.Call("ListUserPools", {{"MaxResults", 2}, {"NextToken", token}}).error(),
                StartsWith("InvalidParameterException: "))
        << token;
  }
}

TEST_F(PoolsTest, SigningAlgorithmChangesAndOldKeysStayPublished) {
  const PoolId pool = Create("{}");
  EXPECT_THAT(Algorithms(pool), ElementsAre("RS256", "RS256"));
  const auto set = [&](const char* algorithm) {
    return region_.Call("SymbolonService.SetUserPoolSigningAlgorithm",
                        {{"UserPoolId", pool.value()}, {"SigningAlgorithm", algorithm}});
  };
  const auto changed = set("ES256");
  EXPECT_EQ(changed.error(), "");
  EXPECT_EQ(changed.text("/SigningAlgorithm"), "ES256");
  EXPECT_THAT(Algorithms(pool), ElementsAre("RS256", "RS256", "ES256", "ES256"));
  EXPECT_EQ(set("ES256").error(), "");
  EXPECT_EQ(Algorithms(pool).size(), 4u);
  EXPECT_THAT(set("HS256").error(), StartsWith("InvalidParameterException: "));
}

}  // namespace
}  // namespace symbolon::cognito
