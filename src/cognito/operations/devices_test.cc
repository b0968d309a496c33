// Devices by their wire shapes, through the whole pipeline; what the flows do is tested in src/auth.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/manual_clock.h"
#include "cognito/test_region.h"
#include "crypto/srp.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using json::object;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
using testing::UnorderedElementsAreArray;

constexpr const char* kPassword = "Correct-Horse-9";
constexpr const char* kNoDevice = "ResourceNotFoundException: Device does not exist.";

class DeviceOperationsTest : public testing::Test {
 protected:
  DeviceOperationsTest()
      : pool_(region_.CreatePool({{"DeviceConfiguration", {{"ChallengeRequiredOnNewDevice", true}}}})) {
    MakePeople(pool_);
  }
  // A client and two users.
  void MakePeople(const PoolId& pool) {
    client_ =
        region_.CreateClient(pool, {{"ExplicitAuthFlows", {"ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"}}});
    for (const char* name : {"alice", "bob"}) {
      EXPECT_EQ(Admin("AdminCreateUser", {{"MessageAction", "SUPPRESS"}}, name).error(), "");
      EXPECT_EQ(Admin("AdminSetUserPassword", {{"Password", kPassword}, {"Permanent", true}}, name).error(), "");
    }
  }

  ApiRegion::Answer OfPool(std::string_view operation, object request = {}) {
    request["UserPoolId"] = pool_.value();
    return region_.Call(operation, request);
  }
  ApiRegion::Answer Admin(std::string_view operation, object request = {}, const char* username = "alice") {
    request["Username"] = username;
    return OfPool(operation, std::move(request));
  }
  ApiRegion::Answer Public(std::string_view operation, const object& request) {
    return region_.CallUnsigned(operation, request);
  }
  ApiRegion::Answer SignIn(object more = {}) {
    more["USERNAME"] = "alice";
    more["PASSWORD"] = kPassword;
    return Public("InitiateAuth",
                  {{"AuthFlow", "USER_PASSWORD_AUTH"}, {"ClientId", client_}, {"AuthParameters", more}});
  }
  struct Device {
    std::string key;
    std::string access_token;
    std::string refresh_token;
  };
  Device NewDevice() {
    const auto answer = SignIn();
    return {.key = answer.text("/AuthenticationResult/NewDeviceMetadata/DeviceKey"),
            .access_token = answer.text("/AuthenticationResult/AccessToken"),
            .refresh_token = answer.text("/AuthenticationResult/RefreshToken")};
  }
  // Any verifier: nothing is proved here.
  static object Secret() {
    return {{"PasswordVerifier", Base64Encode(Bytes(384, '\x11'))}, {"Salt", Base64Encode(Bytes(16, '\x22'))}};
  }
  ApiRegion::Answer Confirm(const Device& device, object more = {}) {
    more.insert(
        {{"AccessToken", device.access_token}, {"DeviceKey", device.key}, {"DeviceSecretVerifierConfig", Secret()}});
    return Public("ConfirmDevice", more);
  }
  Device ConfirmedDevice(object more = {}) {
    Device device = NewDevice();
    EXPECT_EQ(Confirm(device, std::move(more)).error(), "");
    return device;
  }
  ApiRegion::Answer OfDevice(std::string_view operation, const Device& device, object more = {}) {
    more["AccessToken"] = device.access_token;
    more["DeviceKey"] = device.key;
    return Public(operation, more);
  }
  static std::vector<std::string> KeysIn(const ApiRegion::Answer& answer) {
    std::vector<std::string> keys;
    for (const json::value& device : answer.at("/Devices").as_array())
      keys.emplace_back(device.at("DeviceKey").as_string());
    return keys;
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
  PoolId pool_;
  std::string client_;
};

TEST_F(DeviceOperationsTest, ConfigurationIsShownOnceItIsSet) {
  const auto shown = [&] { return json::serialize(OfPool("DescribeUserPool").at("/UserPool/DeviceConfiguration")); };
  EXPECT_EQ(shown(), R"({"ChallengeRequiredOnNewDevice":true,"DeviceOnlyRememberedOnUserPrompt":false})");
  EXPECT_EQ(OfPool("UpdateUserPool", {{"PoolName", "other"}}).error(), "");
  EXPECT_EQ(shown(), R"({"ChallengeRequiredOnNewDevice":true,"DeviceOnlyRememberedOnUserPrompt":false})");
  EXPECT_EQ(OfPool("UpdateUserPool", {{"DeviceConfiguration", {{"DeviceOnlyRememberedOnUserPrompt", true}}}}).error(),
            "");
  EXPECT_EQ(shown(), R"({"ChallengeRequiredOnNewDevice":false,"DeviceOnlyRememberedOnUserPrompt":true})");
  EXPECT_EQ(OfPool("UpdateUserPool", {{"DeviceConfiguration", object()}}).error(), "");
  EXPECT_EQ(shown(), "null");
  EXPECT_EQ(SignIn().text("/AuthenticationResult/NewDeviceMetadata/DeviceKey"), "");
}

TEST_F(DeviceOperationsTest, DeviceIsShownToItsUserAndToAdministrators) {
  const Device device = ConfirmedDevice({{"DeviceName", "Alice's phone"}});
  const auto seen = OfDevice("GetDevice", device);
  EXPECT_EQ(seen.text("/Device/DeviceKey"), device.key);
  EXPECT_EQ(json::serialize(seen.at("/Device/DeviceAttributes")),
            R"([{"Name":"device_status","Value":"valid"},{"Name":"device_name","Value":"Alice's phone"}])");
  const double created = seen.at("/Device/DeviceCreateDate").to_number<double>();
  EXPECT_EQ(seen.at("/Device/DeviceLastModifiedDate").to_number<double>(), created);
  EXPECT_LE(seen.at("/Device/DeviceLastAuthenticatedDate").to_number<double>(), created);
  const auto shown = Admin("AdminGetDevice", {{"DeviceKey", device.key}});
  EXPECT_EQ(
      json::serialize(shown.at("/Device/DeviceAttributes")),
      R"([{"Name":"device_status","Value":"valid"},{"Name":"device_name","Value":"Alice's phone"},{"Name":"dev:device_remembered_status","Value":"remembered"}])");
  EXPECT_EQ(Admin("AdminGetDevice", {{"DeviceKey", device.key}}, "bob").error(), kNoDevice);
  EXPECT_EQ(Admin("AdminGetDevice", {{"DeviceKey", device.key}}, "carol").error(),
            "UserNotFoundException: User does not exist.");
}

TEST_F(DeviceOperationsTest, UsersSeeWhatIsRemembered) {
  EXPECT_EQ(OfPool("UpdateUserPool", {{"DeviceConfiguration", {{"DeviceOnlyRememberedOnUserPrompt", true}}}}).error(),
            "");
  const Device device = NewDevice();
  EXPECT_EQ(json::serialize(Confirm(device).body), R"({"UserConfirmationNecessary":true})");
  EXPECT_EQ(OfDevice("GetDevice", device).error(), kNoDevice);
  EXPECT_THAT(KeysIn(OfDevice("ListDevices", device)), ElementsAre());
  EXPECT_THAT(KeysIn(Admin("AdminListDevices")), ElementsAre(device.key));
  EXPECT_EQ(json::serialize(OfDevice("UpdateDeviceStatus", device, {{"DeviceRememberedStatus", "remembered"}}).body),
            "{}");
  EXPECT_EQ(OfDevice("GetDevice", device).error(), "");
  EXPECT_THAT(KeysIn(OfDevice("ListDevices", device)), ElementsAre(device.key));
  EXPECT_EQ(Admin("AdminUpdateDeviceStatus", {{"DeviceKey", device.key}, {"DeviceRememberedStatus", "not_remembered"}})
                .error(),
            "");
  EXPECT_EQ(OfDevice("GetDevice", device).error(), kNoDevice);
  EXPECT_THAT(OfDevice("UpdateDeviceStatus", device).error(), HasSubstr("DeviceRememberedStatus"));
  EXPECT_THAT(OfDevice("UpdateDeviceStatus", device, {{"DeviceRememberedStatus", "perhaps"}}).error(),
              StartsWith("InvalidParameterException: "));
}

TEST_F(DeviceOperationsTest, ListingComesInPages) {
  std::vector<std::string> keys;
  std::string access_token;
  for (int i = 0; i < 5; ++i) {
    const Device device = ConfirmedDevice();
    keys.push_back(device.key);
    access_token = device.access_token;
  }
  std::vector<std::string> listed;
  object request{{"AccessToken", access_token}, {"Limit", 2}};
  std::vector<std::size_t> sizes;
  while (true) {
    const auto page = Public("ListDevices", request);
    ASSERT_EQ(page.error(), "");
    const auto found = KeysIn(page);
    sizes.push_back(found.size());
    listed.insert(listed.end(), found.begin(), found.end());
    if (page.text("/PaginationToken").empty()) break;
    request["PaginationToken"] = page.text("/PaginationToken");
  }
  EXPECT_THAT(sizes, ElementsAre(2, 2, 1));
  EXPECT_THAT(listed, UnorderedElementsAreArray(keys));
  EXPECT_EQ(KeysIn(Admin("AdminListDevices")).size(), 5u);
  EXPECT_THAT(Admin("AdminListDevices", {{"Limit", 61}}).error(), StartsWith("InvalidParameterException: "));
  EXPECT_THAT(Admin("AdminListDevices", {{"PaginationToken", request["PaginationToken"]}}, "bob").error(),
              StartsWith("InvalidParameterException: Invalid pagination token."));
}

TEST_F(DeviceOperationsTest, ConfirmationSaysWhatIsWrongWithIt) {
  const Device device = NewDevice(), other = NewDevice();
  object request{{"AccessToken", device.access_token}, {"DeviceKey", device.key}};
  EXPECT_THAT(Public("ConfirmDevice", request).error(), HasSubstr("DeviceSecretVerifierConfig"));
  for (const char* member : {"PasswordVerifier", "Salt"}) {
    object secret = Secret();
    secret[member] = "not Base64!";
    EXPECT_THAT(Confirm(device, {{"DeviceSecretVerifierConfig", secret}}).error(), HasSubstr(member));
    secret.erase(member);
    EXPECT_THAT(Confirm(device, {{"DeviceSecretVerifierConfig", secret}}).error(), HasSubstr(member));
  }
  EXPECT_EQ(Confirm(device, {{"DeviceKey", other.key}}).error(),
            "InvalidParameterException: Invalid device key given.");
  EXPECT_EQ(Confirm(device).error(), "");
  EXPECT_EQ(Confirm(device).error(), "DeviceKeyExistsException: Device key already exists.");
  EXPECT_EQ(OfPool("UpdateUserPool", {{"DeviceConfiguration", object()}}).error(), "");
  EXPECT_THAT(Confirm(other).error(), StartsWith("InvalidUserPoolConfigurationException: "));
}

TEST_F(DeviceOperationsTest, ForgottenDeviceIsGone) {
  const Device one = ConfirmedDevice(), two = ConfirmedDevice();
  EXPECT_EQ(OfDevice("ForgetDevice", one).error(), "");
  EXPECT_EQ(OfDevice("ForgetDevice", one).error(), kNoDevice);
  EXPECT_EQ(OfDevice("GetDevice", one).error(), kNoDevice);
  EXPECT_EQ(SignIn({{"DEVICE_KEY", one.key}}).error(), kNoDevice);
  EXPECT_EQ(SignIn({{"DEVICE_KEY", two.key}}).text("/ChallengeName"), "DEVICE_SRP_AUTH");
  EXPECT_EQ(Admin("AdminForgetDevice", {{"DeviceKey", two.key}}, "bob").error(), kNoDevice);
  EXPECT_EQ(Admin("AdminForgetDevice", {{"DeviceKey", two.key}}).error(), "");
  EXPECT_EQ(SignIn({{"DEVICE_KEY", two.key}}).error(), kNoDevice);
}

TEST_F(DeviceOperationsTest, TokenIsAskedForEvenWhereTheShapeDoesNotRequireIt) {
  const Device device = ConfirmedDevice();
  for (const char* operation : {"GetDevice", "ForgetDevice"}) {
    EXPECT_EQ(Public(operation, {{"DeviceKey", device.key}}).error(),
              "InvalidParameterException: Missing required parameter AccessToken");
  }
}

TEST_F(DeviceOperationsTest, TokensAreRefreshedWithTheDeviceTheyAreBoundTo) {
  const Device device = ConfirmedDevice();
  object request{{"ClientId", client_}, {"RefreshToken", device.refresh_token}};
  EXPECT_EQ(Public("GetTokensFromRefreshToken", request).error(), "NotAuthorizedException: Invalid Refresh Token");
  request["DeviceKey"] = device.key;
  EXPECT_EQ(Public("GetTokensFromRefreshToken", request).error(), "");
  object parameters{{"REFRESH_TOKEN", device.refresh_token}, {"DEVICE_KEY", nullptr}};
  const auto refresh = [&] {
    return Public("InitiateAuth",
                  {{"AuthFlow", "REFRESH_TOKEN_AUTH"}, {"ClientId", client_}, {"AuthParameters", parameters}});
  };
  EXPECT_EQ(refresh().error(), "NotAuthorizedException: Invalid Refresh Token");
  parameters["DEVICE_KEY"] = device.key;
  EXPECT_EQ(refresh().error(), "");
}

TEST_F(DeviceOperationsTest, ChallengesHaveTheirParameters) {
  const Device device = ConfirmedDevice();
  const auto challenge = SignIn({{"DEVICE_KEY", device.key}});
  EXPECT_EQ(challenge.text("/ChallengeName"), "DEVICE_SRP_AUTH");
  EXPECT_EQ(json::serialize(challenge.at("/ChallengeParameters")), "{}");
  const auto respond = [&](std::string_view operation, object more) {
    more.insert({{"ChallengeName", "DEVICE_SRP_AUTH"},
                 {"ClientId", client_},
                 {"Session", challenge.text("/Session")},
                 {"ChallengeResponses", {{"USERNAME", "alice"}, {"DEVICE_KEY", device.key}, {"SRP_A", "abcdef12"}}}});
    return more.contains("UserPoolId") ? region_.Call(operation, more) : Public(operation, more);
  };
  const auto verifier = respond("RespondToAuthChallenge", {});
  EXPECT_EQ(verifier.text("/ChallengeName"), "DEVICE_PASSWORD_VERIFIER");
  for (const char* name : {"SALT", "SRP_B", "SECRET_BLOCK"}) {
    EXPECT_NE(verifier.text(std::string("/ChallengeParameters/") + name), "") << name;
  }
  EXPECT_EQ(verifier.text("/ChallengeParameters/DEVICE_KEY"), device.key);
  EXPECT_EQ(verifier.text("/ChallengeParameters/USERNAME"), "alice");
  EXPECT_THAT(respond("AdminRespondToAuthChallenge", {{"UserPoolId", pool_.value()}}).error(),
              StartsWith("InvalidParameterException: "));
}

TEST_F(DeviceOperationsTest, ChangesAreThePrimarysAndReadingIsNot) {
  ApiRegion away("us-east-1", clock_);
  pool_ = region_.CreatePool(
      {{"DeviceConfiguration", {{"ChallengeRequiredOnNewDevice", true}}},
       {"KeyConfiguration", {{"KeyType", "CUSTOMER_MANAGED_KEY"}, {"KmsKeyArn", region_.CreateSharedKey(away)}}}});
  MakePeople(pool_);
  EXPECT_EQ(OfPool("CreateUserPoolReplica", {{"RegionName", "us-east-1"}}).error(), "");
  region_.SetMemberState(pool_, "us-east-1", replication::pb::ACTIVE);
  const Device device = ConfirmedDevice();
  away.CopyPool(region_, pool_);
  const object of_device{{"AccessToken", device.access_token}, {"DeviceKey", device.key}};
  EXPECT_EQ(away.CallUnsigned("GetDevice", of_device).error(), "");
  EXPECT_THAT(KeysIn(away.CallUnsigned("ListDevices", {{"AccessToken", device.access_token}})),
              ElementsAre(device.key));
  object status = of_device;
  status["DeviceRememberedStatus"] = "not_remembered";
  for (const auto& [operation, request] :
       {std::pair("ForgetDevice", of_device), std::pair("UpdateDeviceStatus", status)}) {
    EXPECT_THAT(away.CallUnsigned(operation, request).error(), StartsWith("OperationNotEnabledException: "))
        << operation;
  }
}

}  // namespace
}  // namespace symbolon::cognito
