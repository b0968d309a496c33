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
using testing::HasSubstr;
using testing::StartsWith;

class ClientsTest : public testing::Test {
 protected:
  ClientsTest() {
    EXPECT_EQ(region_
                  .Call("CreateResourceServer", {{"UserPoolId", pool_.value()},
                                                 {"Identifier", "https://api/x"},
                                                 {"Name", "api"},
                                                 {"Scopes",
                                                  {{{"ScopeName", "read"}, {"ScopeDescription", "r"}},
                                                   {{"ScopeName", "admin"}, {"ScopeDescription", "a"}}}}})
                  .error(),
              "");
  }

  object Request(const char* settings) {
    object request = json::parse(settings).as_object();
    request["UserPoolId"] = pool_.value();
    if (!request.contains("ClientName")) request["ClientName"] = "client";
    return request;
  }
  ApiRegion::Answer Create(const char* settings) { return region_.Call("CreateUserPoolClient", Request(settings)); }
  ApiRegion::Answer Update(const std::string& id, const char* settings) {
    object request = Request(settings);
    request["ClientId"] = id;
    return region_.Call("UpdateUserPoolClient", request);
  }
  ApiRegion::Answer Describe(const std::string& id) {
    return region_.Call("DescribeUserPoolClient", {{"UserPoolId", pool_.value()}, {"ClientId", id}});
  }
  // A member of a client made with these settings.
  json::value Shown(const char* settings, const char* member) {
    const auto made = Create(settings);
    EXPECT_EQ(made.error(), "") << settings;
    return made.at(std::string("/UserPoolClient/") + member);
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
  const PoolId pool_ = region_.CreatePool();
};

TEST_F(ClientsTest, ClientThatNamesNothingHasTheDocumentedDefaults) {
  const auto made = Create("{}");
  ASSERT_EQ(made.error(), "");
  object shown = made.at("/UserPoolClient").as_object();
  const std::string id = made.text("/UserPoolClient/ClientId");
  EXPECT_EQ(id.size(), 26u);
  EXPECT_EQ(Describe(id).at("/UserPoolClient"), made.at("/UserPoolClient"));
  for (const char* variable : {"ClientId", "CreationDate", "LastModifiedDate"}) shown.erase(variable);
  object expected = json::parse(R"({
    "ClientName": "client", "RefreshTokenValidity": 30, "AuthSessionValidity": 3,
    "EnableTokenRevocation": true, "EnablePropagateAdditionalUserContextData": false,
    "PreventUserExistenceErrors": "LEGACY", "AllowedOAuthFlowsUserPoolClient": false,
    "ExplicitAuthFlows": ["ALLOW_CUSTOM_AUTH", "ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH"]})")
                        .as_object();
  expected["UserPoolId"] = pool_.value();
  EXPECT_EQ(json::value(shown), json::value(expected)) << json::serialize(shown);
}

TEST_F(ClientsTest, ListsComeBackSorted) {
  const auto made = Create(R"({"GenerateSecret":true,
    "ExplicitAuthFlows":["ALLOW_USER_SRP_AUTH","ALLOW_REFRESH_TOKEN_AUTH","ALLOW_USER_SRP_AUTH"],
    "CallbackURLs":["https://b.example","https://a.example"],"LogoutURLs":["https://d.example","https://c.example"],
    "DefaultRedirectURI":"https://a.example","SupportedIdentityProviders":["COGNITO"],
    "ReadAttributes":["name","email"],"WriteAttributes":["name","email"],
    "AllowedOAuthFlowsUserPoolClient":true,"AllowedOAuthFlows":["client_credentials"],
    "AllowedOAuthScopes":["https://api/x/read","https://api/x/admin"]})");
  ASSERT_EQ(made.error(), "");
  const auto shown = [&](const char* member) {
    return json::serialize(made.at(std::string("/UserPoolClient/") + member));
  };
  EXPECT_EQ(shown("ExplicitAuthFlows"), R"(["ALLOW_REFRESH_TOKEN_AUTH","ALLOW_USER_SRP_AUTH"])");
  EXPECT_EQ(shown("CallbackURLs"), R"(["https://a.example","https://b.example"])");
  EXPECT_EQ(shown("LogoutURLs"), R"(["https://c.example","https://d.example"])");
  EXPECT_EQ(shown("AllowedOAuthScopes"), R"(["https://api/x/admin","https://api/x/read"])");
  EXPECT_EQ(shown("ReadAttributes"), R"(["email","name"])");
  EXPECT_EQ(Describe(made.text("/UserPoolClient/ClientId")).at("/UserPoolClient"), made.at("/UserPoolClient"));
}

TEST_F(ClientsTest, SecretsAreMadeOrTaken) {
  EXPECT_TRUE(Shown("{}", "ClientSecret").is_null());
  EXPECT_EQ(Shown(R"({"GenerateSecret":true})", "ClientSecret").as_string().size(), 51u);
  EXPECT_EQ(Shown(R"({"ClientSecret":"MyOwnSecretMyOwnSecret42"})", "ClientSecret"), "MyOwnSecretMyOwnSecret42");
  EXPECT_NE(Create(R"({"ClientSecret":"MyOwnSecretMyOwnSecret42","GenerateSecret":true})").error(), "");
}

TEST_F(ClientsTest, ValiditiesAreBoundedInTheirUnits) {
  for (const char* settings : {
           R"({"AccessTokenValidity":5,"TokenValidityUnits":{"AccessToken":"minutes"}})",
           R"({"AccessTokenValidity":300,"TokenValidityUnits":{"AccessToken":"seconds"}})",
           R"({"AccessTokenValidity":24})",
           R"({"IdTokenValidity":1,"TokenValidityUnits":{"IdToken":"days"}})",
           R"({"RefreshTokenValidity":60,"TokenValidityUnits":{"RefreshToken":"minutes"}})",
           R"({"RefreshTokenValidity":3650})",
       }) {
    EXPECT_EQ(Create(settings).error(), "") << settings;
  }
  for (const char* settings : {
           R"({"AccessTokenValidity":4,"TokenValidityUnits":{"AccessToken":"minutes"}})",
           R"({"AccessTokenValidity":25})",
           R"({"IdTokenValidity":299,"TokenValidityUnits":{"IdToken":"seconds"}})",
           R"({"IdTokenValidity":2,"TokenValidityUnits":{"IdToken":"days"}})",
           R"({"RefreshTokenValidity":59,"TokenValidityUnits":{"RefreshToken":"minutes"}})",
           R"({"RefreshTokenValidity":3651})",
           R"({"RefreshTokenValidity":315360000})",
       }) {
    EXPECT_THAT(Create(settings).error(), StartsWith("InvalidParameterException: ")) << settings;
  }
}

TEST_F(ClientsTest, DefaultRefreshTokenLastsThirtyDaysInEveryUnit) {
  for (const auto& [unit, validity] : std::initializer_list<std::pair<const char*, int>>{
           {"seconds", 2'592'000}, {"minutes", 43'200}, {"hours", 720}, {"days", 30}}) {
    for (const char* given : {"", R"("RefreshTokenValidity":0,)"}) {
      const std::string settings =
          std::string("{") + given + R"("TokenValidityUnits":{"RefreshToken":")" + unit + R"("}})";
      EXPECT_EQ(Shown(settings.c_str(), "RefreshTokenValidity"), validity) << settings;
    }
  }
}

TEST_F(ClientsTest, AuthFlowsThatExcludeEachOtherAreRefused) {
  for (const char* settings : {
           R"({"ExplicitAuthFlows":["ADMIN_NO_SRP_AUTH","ALLOW_REFRESH_TOKEN_AUTH"]})",
           R"({"ExplicitAuthFlows":["ALLOW_USER_AUTH"]})",
           R"({"ExplicitAuthFlows":["CUSTOM_AUTH_FLOW_ONLY"]})",
           R"({"ExplicitAuthFlows":["ALLOW_CLIENT_TOKEN_AUTH"]})",
           R"({"GenerateSecret":true,"ExplicitAuthFlows":["ALLOW_CLIENT_TOKEN_AUTH","ALLOW_USER_SRP_AUTH"]})",
           R"({"ExplicitAuthFlows":["ALLOW_REFRESH_TOKEN_AUTH"],"RefreshTokenRotation":{"Feature":"ENABLED"}})",
       }) {
    EXPECT_THAT(Create(settings).error(), StartsWith("InvalidParameterException: ")) << settings;
  }
  EXPECT_EQ(Create(R"({"GenerateSecret":true,"ExplicitAuthFlows":["ALLOW_CLIENT_TOKEN_AUTH"]})").error(), "");
  EXPECT_EQ(Create(R"({"ExplicitAuthFlows":["ADMIN_NO_SRP_AUTH","USER_PASSWORD_AUTH"]})").error(), "");
  for (const char* flows : {"", R"("ExplicitAuthFlows":[],)"}) {
    const std::string rotating = std::string("{") + flows + R"("RefreshTokenRotation":{"Feature":"ENABLED"}})";
    EXPECT_EQ(json::serialize(Shown(rotating.c_str(), "ExplicitAuthFlows")),
              R"(["ALLOW_CUSTOM_AUTH","ALLOW_USER_SRP_AUTH"])");
  }
}

TEST_F(ClientsTest, ScopesMustExistAndSuitTheFlow) {
  const auto error = [&](const char* scope, const char* flow) {
    const std::string settings =
        std::string(R"({"GenerateSecret":true,"AllowedOAuthScopes":[")") + scope + R"("],)" + flow + "}";
    return Create(settings.c_str()).error();
  };
  constexpr const char* kCredentials =
      R"("AllowedOAuthFlows":["client_credentials"],"AllowedOAuthFlowsUserPoolClient":true)";
  constexpr const char* kClientToken = R"("ExplicitAuthFlows":["ALLOW_CLIENT_TOKEN_AUTH"])";
  constexpr const char* kNone = R"("AllowedOAuthFlowsUserPoolClient":false)";
  for (const char* flow : {kCredentials, kClientToken, kNone}) {
    EXPECT_EQ(error("https://api/x/read", flow), "") << flow;
    for (const char* scope : {"https://api/x/none", "other/read", "noslash", "read"})
      EXPECT_THAT(error(scope, flow), StartsWith("ScopeDoesNotExistException: ")) << scope;
  }
  // Scopes of people are for no machine.
  EXPECT_EQ(error("openid", kNone), "");
  for (const char* flow : {kCredentials, kClientToken}) {
    EXPECT_THAT(error("openid", flow), StartsWith("InvalidOAuthFlowException: "));
    EXPECT_THAT(error("aws.cognito.signin.user.admin", flow), StartsWith("InvalidOAuthFlowException: "));
  }
  EXPECT_THAT(Create(R"({"AllowedOAuthFlows":["client_credentials"]})").error(),
              StartsWith("InvalidOAuthFlowException: "));
  EXPECT_THAT(Create(R"({"AllowedOAuthFlows":["implicit"]})").error(), HasSubstr("not available yet"));
  EXPECT_THAT(Create(R"({"AllowedOAuthFlowsUserPoolClient":true})").error(), StartsWith("InvalidParameterException: "));
}

TEST_F(ClientsTest, AttributeListsAreOfTheSchema) {
  EXPECT_NE(Create(R"({"ReadAttributes":["custom:none"]})").error(), "");
  EXPECT_NE(Create(R"({"WriteAttributes":["email_verified"]})").error(), "");
  EXPECT_NE(Create(R"({"WriteAttributes":["sub"]})").error(), "");
  EXPECT_EQ(Create(R"({"ReadAttributes":["email_verified","sub"]})").error(), "");
  // An empty list is not the default, and must not look like it.
  EXPECT_EQ(json::serialize(Shown(R"({"ReadAttributes":[],"WriteAttributes":[]})", "ReadAttributes")), "[]");
}

TEST_F(ClientsTest, UpdateResetsWhatItLeavesOutAndKeepsNameAndSecret) {
  const auto made = Create(R"({"GenerateSecret":true,"PreventUserExistenceErrors":"ENABLED","AccessTokenValidity":2,
    "EnableTokenRevocation":false,"AuthSessionValidity":10,"ReadAttributes":["email"],"CallbackURLs":["https://a.example"],
    "RefreshTokenRotation":{"Feature":"ENABLED","RetryGracePeriodSeconds":10},"ExplicitAuthFlows":["ALLOW_USER_SRP_AUTH"]})");
  ASSERT_EQ(made.error(), "");
  const std::string id = made.text("/UserPoolClient/ClientId");
  const auto updated = region_.Call("UpdateUserPoolClient", {{"UserPoolId", pool_.value()}, {"ClientId", id}});
  ASSERT_EQ(updated.error(), "");
  EXPECT_EQ(updated.text("/UserPoolClient/ClientName"), "client");
  object expected = Create(R"({})").at("/UserPoolClient").as_object();
  for (const char* kept : {"ClientId", "ClientSecret", "CreationDate"}) {
    expected[kept] = made.at(std::string("/UserPoolClient/") + kept);
  }
  expected["LastModifiedDate"] = updated.at("/UserPoolClient/LastModifiedDate");
  EXPECT_EQ(updated.at("/UserPoolClient"), json::value(expected)) << json::serialize(updated.body);
}

TEST_F(ClientsTest, DeletedClientIsNotFound) {
  const std::string id = region_.CreateClient(pool_);
  const object request{{"UserPoolId", pool_.value()}, {"ClientId", id}};
  EXPECT_EQ(region_.Call("DeleteUserPoolClient", request).error(), "");
  EXPECT_THAT(region_.Call("DeleteUserPoolClient", request).error(), StartsWith("ResourceNotFoundException: "));
  EXPECT_THAT(Describe(id).error(), StartsWith("ResourceNotFoundException: "));
  EXPECT_THAT(Update(id, "{}").error(), StartsWith("ResourceNotFoundException: "));
}

TEST_F(ClientsTest, ClientsAreListedPageByPageByTokensOfThisListing) {
  std::set<std::string> made, listed;
  for (int i = 0; i < 5; ++i) made.insert(region_.CreateClient(pool_));
  object request{{"UserPoolId", pool_.value()}, {"MaxResults", 2}};
  std::string token;
  while (true) {
    const auto page = region_.Call("ListUserPoolClients", request);
    ASSERT_EQ(page.error(), "");
    for (const json::value& client : page.at("/UserPoolClients").as_array())
      listed.emplace(client.at("ClientId").as_string());
    if (page.text("/NextToken").empty()) break;
    request["NextToken"] = token = page.text("/NextToken");
  }
  EXPECT_EQ(listed, made);

  const auto refused = [&](const char* operation, object with) {
    return region_.Call(operation, with).error() == "InvalidParameterException: Invalid pagination token.";
  };
  std::string altered = token;
  altered[altered.size() / 2] = altered[altered.size() / 2] == 'A' ? 'B' : 'A';
  EXPECT_TRUE(refused("ListUserPoolClients", {{"UserPoolId", pool_.value()}, {"NextToken", altered}}));
  EXPECT_TRUE(refused("ListUserPoolClients", {{"UserPoolId", pool_.value()}, {"NextToken", "nonsense"}}));
  EXPECT_TRUE(refused("ListGroups", {{"UserPoolId", pool_.value()}, {"NextToken", token}}));
  const PoolId other = region_.CreatePool();
  EXPECT_TRUE(refused("ListUserPoolClients", {{"UserPoolId", other.value()}, {"NextToken", token}}));
}

}  // namespace
}  // namespace symbolon::cognito
