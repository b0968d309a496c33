// MFA by its wire shapes, through the whole pipeline; what the flows do is tested in src/auth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/manual_clock.h"
#include "cognito/test_region.h"
#include "crypto/totp.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using json::object;
using testing::HasSubstr;
using testing::StartsWith;

constexpr const char* kPassword = "Correct-Horse-9";
constexpr const char* kSoftwareToken = R"({"SoftwareTokenMfaConfiguration":{"Enabled":true},"MfaConfiguration":)";

Bytes Base32Decode(std::string_view text) {
  Bytes octets;
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const char c : text) {
    bits = bits << 5 | static_cast<std::uint32_t>(c >= 'A' ? c - 'A' : c - '2' + 26);
    waiting += 5;
    if (waiting < 8) continue;
    waiting -= 8;
    octets.push_back(static_cast<char>(bits >> waiting & 0xff));
  }
  return octets;
}

class MfaOperationsTest : public testing::Test {
 protected:
  MfaOperationsTest() : pool_(region_.CreatePool()) {
    client_ = region_.CreateClient(
        pool_, {{"ExplicitAuthFlows", {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"}}});
    EXPECT_EQ(Admin("AdminCreateUser", {{"MessageAction", "SUPPRESS"}}).error(), "");
    EXPECT_EQ(Admin("AdminSetUserPassword", {{"Password", kPassword}, {"Permanent", true}}).error(), "");
  }

  ApiRegion::Answer OfPool(std::string_view operation, object request = {}) {
    request["UserPoolId"] = pool_.value();
    return region_.Call(operation, request);
  }
  ApiRegion::Answer SetConfig(const std::string& settings) {
    return OfPool("SetUserPoolMfaConfig", json::parse(settings).as_object());
  }
  std::string Mode(const char* mode) { return std::string(kSoftwareToken) + '"' + mode + "\"}"; }
  ApiRegion::Answer Admin(std::string_view operation, object request = {}) {
    request["Username"] = "alice";
    return OfPool(operation, std::move(request));
  }
  ApiRegion::Answer Public(std::string_view operation, const object& request) {
    return region_.CallUnsigned(operation, request);
  }
  ApiRegion::Answer SignIn() {
    return Public("InitiateAuth", {{"AuthFlow", "USER_PASSWORD_AUTH"},
                                   {"ClientId", client_},
                                   {"AuthParameters", {{"USERNAME", "alice"}, {"PASSWORD", kPassword}}}});
  }
  ApiRegion::Answer Respond(std::string_view challenge, const std::string& session, object responses = {}) {
    responses["USERNAME"] = "alice";
    return Public(
        "RespondToAuthChallenge",
        {{"ChallengeName", challenge}, {"ClientId", client_}, {"Session", session}, {"ChallengeResponses", responses}});
  }
  std::string Code(const std::string& secret_code) {
    return crypto::HotpCode(Base32Decode(secret_code), crypto::TotpStepAt(clock_.Now()));
  }
  // By access token; the secret in Base32.
  std::string Enrol(const std::string& access_token, object settings = {{"Enabled", true}, {"PreferredMfa", true}}) {
    const std::string secret = Public("AssociateSoftwareToken", {{"AccessToken", access_token}}).text("/SecretCode");
    const auto verified =
        Public("VerifySoftwareToken",
               {{"AccessToken", access_token}, {"UserCode", Code(secret)}, {"FriendlyDeviceName", "Alice's phone"}});
    EXPECT_EQ(json::serialize(verified.body), R"({"Status":"SUCCESS"})");
    EXPECT_EQ(Public("SetUserMFAPreference",
                     {{"AccessToken", access_token}, {"SoftwareTokenMfaSettings", std::move(settings)}})
                  .error(),
              "");
    clock_.Advance(std::chrono::minutes(1));
    region_.TickKeys();
    return secret;
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
  PoolId pool_;
  std::string client_;
};

// ---- the pool's setting ----

TEST_F(MfaOperationsTest, ConfigurationIsReplacedWhole) {
  const auto shown = [&] { return json::serialize(OfPool("GetUserPoolMfaConfig").body); };
  EXPECT_EQ(shown(), R"({"MfaConfiguration":"OFF"})");
  for (const char* mode : {"OPTIONAL", "ON"}) {
    const std::string config = Mode(mode);
    EXPECT_EQ(json::serialize(SetConfig(config).body), config);
    EXPECT_EQ(shown(), config);
    EXPECT_EQ(OfPool("DescribeUserPool").text("/UserPool/MfaConfiguration"), mode);
  }
  EXPECT_EQ(SetConfig("{}").error(), "") << "what is left out is off";
  EXPECT_EQ(shown(), R"({"MfaConfiguration":"OFF"})");
}

TEST_F(MfaOperationsTest, ConfigurationThatContradictsItselfIsRefused) {
  for (const char* config : {R"({"SoftwareTokenMfaConfiguration":{"Enabled":false}})",
                             R"({"MfaConfiguration":"OFF","SoftwareTokenMfaConfiguration":{"Enabled":true}})",
                             R"({"SmsMfaConfiguration":{}})", R"({"EmailMfaConfiguration":{}})"}) {
    EXPECT_EQ(SetConfig(config).error(),
              "InvalidParameterException: Invalid MFA configuration given, can't turn off MFA and configure an MFA "
              "together.")
        << config;
  }
  for (const char* config : {R"({"MfaConfiguration":"ON"})", R"({"MfaConfiguration":"OPTIONAL"})",
                             R"({"MfaConfiguration":"ON","SoftwareTokenMfaConfiguration":{"Enabled":false}})",
                             R"({"MfaConfiguration":"ON","SoftwareTokenMfaConfiguration":{}})"}) {
    EXPECT_EQ(SetConfig(config).error(),
              "InvalidParameterException: Invalid MFA Configuration given. SMS MFA, Email MFA, or Software Token MFA "
              "must be enabled.")
        << config;
  }
}

TEST_F(MfaOperationsTest, FactorsThatAreNotThereYetSaySo) {
  for (const char* factor : {R"("SmsMfaConfiguration":{"SmsAuthenticationMessage":"Code {####}"})",
                             R"("EmailMfaConfiguration":{"Subject":"Code"})",
                             R"("WebAuthnConfiguration":{"RelyingPartyId":"example.com"})"}) {
    EXPECT_THAT(SetConfig(std::string(R"({"MfaConfiguration":"ON","SoftwareTokenMfaConfiguration":{"Enabled":true},)") +
                          factor + "}")
                    .error(),
                HasSubstr("is not available yet."))
        << factor;
  }
}

TEST_F(MfaOperationsTest, PoolsAreMadeAndUpdatedToAskForAFactorTheyHave) {
  const std::string refused =
      "InvalidParameterException: SMS configuration and Auto verification for phone_number are required when MFA is "
      "required/optional, unless SetUserPoolMfaConfig has set up another factor.";
  for (const char* mode : {"OPTIONAL", "ON"}) {
    EXPECT_EQ(region_.Call("CreateUserPool", {{"PoolName", "p"}, {"MfaConfiguration", mode}}).error(), refused);
    EXPECT_EQ(OfPool("UpdateUserPool", {{"MfaConfiguration", mode}}).error(), refused);
  }
  EXPECT_EQ(region_.Call("CreateUserPool", {{"PoolName", "p"}, {"MfaConfiguration", "OFF"}}).error(), "");
  ASSERT_EQ(SetConfig(Mode("OPTIONAL")).error(), "");
  const auto mode = [&] { return OfPool("DescribeUserPool").text("/UserPool/MfaConfiguration"); };
  EXPECT_EQ(OfPool("UpdateUserPool", {{"MfaConfiguration", "ON"}}).error(), "");
  EXPECT_EQ(mode(), "ON");
  EXPECT_EQ(OfPool("UpdateUserPool", {{"PoolName", "renamed"}}).error(), "");
  EXPECT_EQ(mode(), "ON") << "what is left out stays";
  EXPECT_EQ(OfPool("UpdateUserPool", {{"MfaConfiguration", "OFF"}}).error(), "");
  EXPECT_EQ(json::serialize(OfPool("GetUserPoolMfaConfig").body), R"({"MfaConfiguration":"OFF"})");
}

// ---- users ----

TEST_F(MfaOperationsTest, SignedInUserEnrolsAndIsAskedForACode) {
  ASSERT_EQ(SetConfig(Mode("OPTIONAL")).error(), "");
  const std::string token = SignIn().text("/AuthenticationResult/AccessToken");
  const std::string secret = Enrol(token);
  EXPECT_EQ(secret.size(), 52u);

  for (const auto& user : {Admin("AdminGetUser"), Public("GetUser", {{"AccessToken", token}}),
                           Admin("AdminGetUserAuthFactors"), Public("GetUserAuthFactors", {{"AccessToken", token}})}) {
    EXPECT_EQ(user.text("/PreferredMfaSetting"), "SOFTWARE_TOKEN_MFA");
    EXPECT_EQ(json::serialize(user.at("/UserMFASettingList")), R"(["SOFTWARE_TOKEN_MFA"])");
  }
  EXPECT_EQ(json::serialize(Admin("AdminGetUserAuthFactors").at("/ConfiguredUserAuthFactors")), R"(["PASSWORD"])");

  const auto challenge = SignIn();
  EXPECT_EQ(challenge.text("/ChallengeName"), "SOFTWARE_TOKEN_MFA");
  EXPECT_EQ(challenge.text("/ChallengeParameters/FRIENDLY_DEVICE_NAME"), "Alice's phone");
  EXPECT_EQ(challenge.text("/ChallengeParameters/USER_ID_FOR_SRP"), "alice");
  const std::string session = challenge.text("/Session");
  const auto with = [&](const std::string& code) {
    return Respond("SOFTWARE_TOKEN_MFA", session, {{"SOFTWARE_TOKEN_MFA_CODE", code}});
  };
  EXPECT_EQ(with("abcdef").error(), "CodeMismatchException: Invalid code received for user");
  const std::string code = Code(secret);
  EXPECT_NE(with(code).text("/AuthenticationResult/AccessToken"), "");
  EXPECT_EQ(Respond("SOFTWARE_TOKEN_MFA", SignIn().text("/Session"), {{"SOFTWARE_TOKEN_MFA_CODE", code}}).error(),
            "ExpiredCodeException: Your software token has already been used once.");
}

TEST_F(MfaOperationsTest, AdministratorsAnswerAndTakeTokensAway) {
  ASSERT_EQ(SetConfig(Mode("OPTIONAL")).error(), "");
  const std::string secret = Enrol(SignIn().text("/AuthenticationResult/AccessToken"));
  const auto challenge =
      OfPool("AdminInitiateAuth", {{"AuthFlow", "ADMIN_USER_PASSWORD_AUTH"},
                                   {"ClientId", client_},
                                   {"AuthParameters", {{"USERNAME", "alice"}, {"PASSWORD", kPassword}}}});
  EXPECT_EQ(OfPool("AdminRespondToAuthChallenge",
                   {{"ChallengeName", "SOFTWARE_TOKEN_MFA"},
                    {"ClientId", client_},
                    {"Session", challenge.text("/Session")},
                    {"ChallengeResponses", {{"USERNAME", "alice"}, {"SOFTWARE_TOKEN_MFA_CODE", Code(secret)}}}})
                .error(),
            "");
  EXPECT_EQ(Admin("AdminSetUserMFAPreference", {{"SoftwareTokenMfaSettings", {{"Enabled", false}}}}).error(), "");
  EXPECT_FALSE(Admin("AdminGetUser").body.as_object().contains("UserMFASettingList"));
  EXPECT_NE(SignIn().text("/AuthenticationResult/AccessToken"), "");
  EXPECT_EQ(Admin("AdminSetUserMFAPreference", {{"SoftwareTokenMfaSettings", {{"Enabled", true}}}}).error(), "");
  EXPECT_FALSE(Admin("AdminGetUser").body.as_object().contains("PreferredMfaSetting"));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(Admin("AdminDeleteSoftwareToken").error(), "");
  EXPECT_NE(SignIn().text("/AuthenticationResult/AccessToken"), "");
  EXPECT_EQ(OfPool("AdminDeleteSoftwareToken", {{"Username", "nobody"}}).error(),
            "UserNotFoundException: User does not exist.");
}

TEST_F(MfaOperationsTest, OtherFactorsCanOnlyBeOff) {
  ASSERT_EQ(SetConfig(Mode("OPTIONAL")).error(), "");
  for (const auto& [settings, factor] : {std::pair("SMSMfaSettings", "SMS_MFA"),
                                         {"EmailMfaSettings", "EMAIL_OTP"},
                                         {"WebAuthnMfaSettings", "WEB_AUTHN"},
                                         {"SoftwareTokenMfaSettings", "SOFTWARE_TOKEN_MFA"}}) {
    EXPECT_EQ(Admin("AdminSetUserMFAPreference", {{settings, {{"Enabled", true}}}}).error(),
              std::string("InvalidParameterException: User does not have delivery config set to turn on ") + factor);
    EXPECT_EQ(Admin("AdminSetUserMFAPreference", {{settings, {{"Enabled", false}}}}).error(), "");
  }
}

TEST_F(MfaOperationsTest, PoolThatRequiresMfaLeadsNewUsersThroughSetup) {
  ASSERT_EQ(SetConfig(Mode("ON")).error(), "");
  const auto challenge = SignIn();
  EXPECT_EQ(challenge.text("/ChallengeName"), "MFA_SETUP");
  EXPECT_EQ(challenge.text("/ChallengeParameters/MFAS_CAN_SETUP"), R"(["SOFTWARE_TOKEN_MFA"])");
  const auto associated = Public("AssociateSoftwareToken", {{"Session", challenge.text("/Session")}});
  ASSERT_EQ(associated.error(), "");
  const object wrong{{"Session", associated.text("/Session")}, {"UserCode", "000000"}};
  const std::string secret = associated.text("/SecretCode");
  if (Code(secret) != "000000") {
    EXPECT_EQ(Public("VerifySoftwareToken", wrong).error(),
              "EnableSoftwareTokenMFAException: Code mismatch and fail enable Software Token MFA");
  }
  const auto verified =
      Public("VerifySoftwareToken", {{"Session", associated.text("/Session")}, {"UserCode", Code(secret)}});
  EXPECT_EQ(verified.text("/Status"), "SUCCESS");
  EXPECT_NE(Respond("MFA_SETUP", verified.text("/Session")).text("/AuthenticationResult/AccessToken"), "");
  EXPECT_EQ(Admin("AdminGetUser").text("/PreferredMfaSetting"), "SOFTWARE_TOKEN_MFA");
  clock_.Advance(std::chrono::minutes(1));
  region_.TickKeys();
  EXPECT_EQ(SignIn().text("/ChallengeName"), "SOFTWARE_TOKEN_MFA");
}

TEST_F(MfaOperationsTest, TokenOrSessionIsRequiredAndLeadsToItsPool) {
  const std::string token = SignIn().text("/AuthenticationResult/AccessToken");
  EXPECT_THAT(Public("AssociateSoftwareToken", {}).error(), StartsWith("InvalidParameterException: "));
  EXPECT_EQ(Public("AssociateSoftwareToken", {{"Session", std::string(40, 'A')}}).error(),
            "NotAuthorizedException: Invalid session for the user.");
  EXPECT_THAT(Public("AssociateSoftwareToken", {{"AccessToken", "garbage"}}).error(),
              StartsWith("NotAuthorizedException: "));
  EXPECT_EQ(Public("AssociateSoftwareToken", {{"AccessToken", token}}).error(),
            "SoftwareTokenMFANotFoundException: Software Token MFA has not been enabled by the userPool.");
  ASSERT_EQ(SetConfig(Mode("ON")).error(), "");
  EXPECT_THAT(
      Public("AssociateSoftwareToken", {{"AccessToken", token}, {"Session", SignIn().text("/Session")}}).error(),
      StartsWith("InvalidParameterException: "));
}

}  // namespace
}  // namespace symbolon::cognito
