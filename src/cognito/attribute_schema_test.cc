#include "cognito/attribute_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/manual_clock.h"
#include "cognito/test_region.h"

namespace symbolon::cognito {
namespace {

namespace json = boost::json;
using testing::ElementsAre;
using testing::StartsWith;

class AttributeSchemaTest : public testing::Test {
 protected:
  std::string CreateError(const char* settings) {
    json::object request = json::parse(settings).as_object();
    request["PoolName"] = "p";
    return region_.Call("CreateUserPool", request).error();
  }
  PoolId Create(const char* settings) { return region_.CreatePool(json::parse(settings).as_object()); }
  json::array AttributesOf(const PoolId& pool) {
    return region_.Call("DescribeUserPool", {{"UserPoolId", pool.value()}}).at("/UserPool/SchemaAttributes").as_array();
  }
  json::value AttributeOf(const PoolId& pool, std::string_view name) {
    for (const json::value& attribute : AttributesOf(pool)) {
      if (attribute.at("Name").as_string() == name) return attribute;
    }
    return {};
  }

  ManualClock clock_;
  ApiRegion region_{"eu-central-1", clock_};
};

TEST_F(AttributeSchemaTest, StandardAttributesComeInTheApisOrder) {
  const PoolId pool = Create(R"({"Schema":[{"Name":"tenant"},{"Name":"email","Required":true}]})");
  std::vector<std::string> names;
  for (const json::value& attribute : AttributesOf(pool)) names.emplace_back(attribute.at("Name").as_string());
  EXPECT_THAT(names, ElementsAre("profile", "address", "birthdate", "gender", "preferred_username", "updated_at",
                                 "website", "picture", "identities", "sub", "phone_number", "phone_number_verified",
                                 "zoneinfo", "locale", "email", "email_verified", "given_name", "family_name",
                                 "middle_name", "name", "nickname", "custom:tenant"));
  const auto shown = [&](const char* name) { return json::serialize(AttributeOf(pool, name)); };
  EXPECT_EQ(AttributeOf(pool, "birthdate"), json::parse(R"({"Name":"birthdate","AttributeDataType":"String",
    "DeveloperOnlyAttribute":false,"Mutable":true,"Required":false,
    "StringAttributeConstraints":{"MinLength":"10","MaxLength":"10"}})"))
      << shown("birthdate");
  EXPECT_EQ(AttributeOf(pool, "sub"), json::parse(R"({"Name":"sub","AttributeDataType":"String",
    "DeveloperOnlyAttribute":false,"Mutable":false,"Required":true,
    "StringAttributeConstraints":{"MinLength":"1","MaxLength":"2048"}})"))
      << shown("sub");
  EXPECT_EQ(AttributeOf(pool, "updated_at").at("NumberAttributeConstraints"), json::parse(R"({"MinValue":"0"})"));
  EXPECT_EQ(AttributeOf(pool, "identities").at("StringAttributeConstraints"), json::parse("{}"));
  EXPECT_EQ(AttributeOf(pool, "email_verified").at("AttributeDataType"), "Boolean");
  EXPECT_EQ(AttributeOf(pool, "email").at("Required"), true);
}

TEST_F(AttributeSchemaTest, CustomAttributesKeepWhatTheySay) {
  const PoolId pool = Create(R"({"Schema":[
    {"Name":"level","AttributeDataType":"Number","Mutable":false,"NumberAttributeConstraints":{"MinValue":"-5","MaxValue":"5"}},
    {"Name":"inner","AttributeDataType":"String","DeveloperOnlyAttribute":true},
    {"Name":"since","AttributeDataType":"DateTime"}]})");
  EXPECT_EQ(AttributeOf(pool, "custom:level"), json::parse(R"({"Name":"custom:level","AttributeDataType":"Number",
    "DeveloperOnlyAttribute":false,"Mutable":false,"Required":false,
    "NumberAttributeConstraints":{"MinValue":"-5","MaxValue":"5"}})"));
  EXPECT_EQ(AttributeOf(pool, "dev:custom:inner").at("DeveloperOnlyAttribute"), true);
  EXPECT_EQ(AttributeOf(pool, "custom:since").at("AttributeDataType"), "DateTime");
}

TEST_F(AttributeSchemaTest, SchemaThatCannotBeIsRefused) {
  for (const char* attribute : {
           R"({})",
           R"({"Name":"a","Required":true})",
           R"({"Name":"sub"})",
           R"({"Name":"email","AttributeDataType":"Number"})",
           R"({"Name":"email","DeveloperOnlyAttribute":true})",
           R"({"Name":"a","NumberAttributeConstraints":{"MinValue":"1"}})",
           R"({"Name":"a","AttributeDataType":"Number","StringAttributeConstraints":{"MinLength":"1"}})",
           R"({"Name":"a","StringAttributeConstraints":{"MinLength":"x"}})",
           R"({"Name":"a","StringAttributeConstraints":{"MinLength":""}})",
           R"({"Name":"a","StringAttributeConstraints":{"MinLength":"-1"}})",
           R"({"Name":"a","StringAttributeConstraints":{"MaxLength":"2049"}})",
           R"({"Name":"a","StringAttributeConstraints":{"MinLength":"5","MaxLength":"4"}})",
           R"({"Name":"a","AttributeDataType":"Number","NumberAttributeConstraints":{"MinValue":"5","MaxValue":"4"}})",
           R"({"Name":"a"},{"Name":"a"})",
       }) {
    EXPECT_THAT(CreateError((std::string(R"({"Schema":[)") + attribute + "]}").c_str()),
                StartsWith("InvalidParameterException: "))
        << attribute;
  }
}

}  // namespace
}  // namespace symbolon::cognito
