#include "federation/mapping.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace symbolon::federation {
namespace {

namespace json = boost::json;

directory::pb::IdentityProviderRecord Mapping(const std::map<std::string, std::string>& mapping) {
  directory::pb::IdentityProviderRecord provider;
  for (const auto& [attribute, claim] : mapping) (*provider.mutable_attribute_mapping())[attribute] = claim;
  return provider;
}
json::object Parse(const char* text) { return json::parse(text).as_object(); }

TEST(MappingTest, ClaimsOfEveryTypeBecomeText) {
  const auto provider = Mapping({{"name", "text"},
                                 {"custom:flag", "flag"},
                                 {"custom:number", "number"},
                                 {"custom:fraction", "fraction"},
                                 {"custom:list", "list"},
                                 {"nickname", "nothing"},
                                 {"profile", "empty"},
                                 {"website", "missing"}});
  const auto mapped = MapClaims(
      provider,
      Parse(R"({"text":"Ann","flag":true,"number":7,"fraction":3.0,"list":["a b","c,d"],"nothing":null,"empty":""})"),
      {});
  EXPECT_EQ(mapped.values, (auth::AttributeValues{{"name", "Ann"},
                                                  {"custom:flag", "true"},
                                                  {"custom:number", "7"},
                                                  {"custom:fraction", "3"},
                                                  {"custom:list", "[a%20b,c%2Cd]"}}));
  EXPECT_TRUE(mapped.from_answer.empty());
}

TEST(MappingTest, WhatIsSignedGoesFirstAndTheRestIsNamed) {
  const auto provider = Mapping({{"email", "email"}, {"email_verified", "email_verified"}, {"name", "name"}});
  const auto signed_claims = Parse(R"({"email":"signed@idp.example"})");
  EXPECT_TRUE(NeedsAnswer(provider, signed_claims));
  const auto mapped =
      MapClaims(provider, signed_claims, Parse(R"({"email":"other@idp.example","email_verified":true,"name":"Ann"})"));
  EXPECT_EQ(mapped.values.at("email"), "signed@idp.example");
  EXPECT_EQ(mapped.from_answer, (std::vector<std::string>{"email_verified", "name"}));
  EXPECT_FALSE(NeedsAnswer(Mapping({{"email", "email"}}), signed_claims));
}

TEST(MappingTest, AFlagWithoutItsAddressIsLeftOut) {
  const auto provider = Mapping({{"email", "email"}, {"email_verified", "email_verified"}});
  const auto mapped = MapClaims(provider, {}, Parse(R"({"email_verified":true})"));
  EXPECT_TRUE(mapped.values.empty());
  EXPECT_TRUE(mapped.from_answer.empty());
}

}  // namespace
}  // namespace symbolon::federation
