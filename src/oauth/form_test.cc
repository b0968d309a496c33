#include "oauth/form.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace symbolon::oauth {
namespace {

TEST(ParseForm, DecodesPercentAndPlus) {
  const auto form = ParseForm("grant_type=client_credentials&scope=a%2Fread+b%2Fwrite&empty=&flag");
  ASSERT_TRUE(form);
  EXPECT_EQ(form->at("grant_type"), "client_credentials");
  EXPECT_EQ(form->at("scope"), "a/read b/write");
  EXPECT_EQ(form->at("empty"), "");
  EXPECT_EQ(form->at("flag"), "");
}

TEST(ParseForm, NothingIsAnEmptyForm) {
  EXPECT_TRUE(ParseForm(std::string_view()).value().empty());
  EXPECT_TRUE(ParseForm("").value().empty());
}

TEST(ParseForm, RefusesBrokenEscapesRepeatedFieldsAndTooMany) {
  EXPECT_FALSE(ParseForm("a=%2"));
  EXPECT_FALSE(ParseForm("a=%zz"));
  EXPECT_FALSE(ParseForm("a=1&a=2"));
  EXPECT_FALSE(ParseForm("a=1&%61=2"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += "f" + std::to_string(i) + "=x&";
  EXPECT_FALSE(ParseForm(many));
}

TEST(ParseBasic, ReadsFormEncodedParts) {
  const auto credentials = ParseBasic("Basic " + Base64Encode("client%3A1:se%2Bcret"));
  ASSERT_TRUE(credentials);
  EXPECT_EQ(credentials->client_id, "client:1");
  EXPECT_EQ(credentials->client_secret, "se+cret");
}

TEST(ParseBasic, RefusesOtherSchemesAndBrokenOnes) {
  EXPECT_FALSE(ParseBasic("Bearer abc"));
  EXPECT_FALSE(ParseBasic("Basic"));
  EXPECT_FALSE(ParseBasic("Basic !!!"));
  EXPECT_FALSE(ParseBasic("Basic " + Base64Encode("no colon")));
  EXPECT_FALSE(ParseBasic("Basic " + Base64Encode("a:%")));
}

}  // namespace
}  // namespace symbolon::oauth
