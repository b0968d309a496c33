#include "cognito/user_filter.h"

#include <gtest/gtest.h>

namespace symbolon::cognito {
namespace {

struct FilterCase {
  const char* text;
  const char* attribute;
  bool is_prefix;
  const char* value;
};

class GoodFilter : public testing::TestWithParam<FilterCase> {};

TEST_P(GoodFilter, IsUnderstood) {
  const auto filter = ParseUserFilter(GetParam().text);
  ASSERT_TRUE(filter) << filter.error().message;
  EXPECT_EQ(filter->attribute, GetParam().attribute);
  EXPECT_EQ(filter->is_prefix, GetParam().is_prefix);
  EXPECT_EQ(filter->value, GetParam().value);
}

INSTANTIATE_TEST_SUITE_P(
    Cases, GoodFilter,
    testing::Values(FilterCase{"email = \"a@b.c\"", "email", false, "a@b.c"},
                    FilterCase{"email=\"a@b.c\"", "email", false, "a@b.c"},
                    FilterCase{"  name\t^=\n\"Al\"  ", "name", true, "Al"}, FilterCase{"sub = \"\"", "sub", false, ""},
                    FilterCase{"name = \"a \\\"b\\\" \\\\ c\"", "name", false, "a \"b\" \\ c"},
                    FilterCase{"name = \"a = b ^= c\"", "name", false, "a = b ^= c"},
                    FilterCase{"status = \"Enabled\"", "status", false, "Enabled"},
                    FilterCase{"cognito:user_status = \"confirmed\"", "cognito:user_status", false, "CONFIRMED"},
                    FilterCase{"username ^= \"\xc3\xa4\"", "username", true, "\xc3\xa4"}));

class BadFilter : public testing::TestWithParam<const char*> {};

TEST_P(BadFilter, IsRefused) {
  const auto filter = ParseUserFilter(GetParam());
  ASSERT_FALSE(filter);
  EXPECT_EQ(filter.error().code, model::ErrorCode::kInvalidParameterException);
  EXPECT_EQ(filter.error().message, "Error while parsing filter");
}

INSTANTIATE_TEST_SUITE_P(Cases, BadFilter,
                         testing::Values(" ", "email", "email =", "email = a", "email = \"a", "email = \"a\\\"",
                                         "= \"a\"", "email \"a\"", "email == \"a\"", "email ^ = \"a\"",
                                         "email ~= \"a\"", "email = \"a\" x", "email = \"a\" and name = \"b\"",
                                         "email = 'a'"));

TEST(UserFilter, OnlySomeAttributesAreSearchable) {
  for (const char* attribute : {"custom:foo", "birthdate", "Email", "email_verified"}) {
    const auto filter = ParseUserFilter(std::string(attribute) + " = \"x\"");
    ASSERT_FALSE(filter) << attribute;
    EXPECT_EQ(filter.error().message, std::string("Invalid search attribute: ") + attribute);
  }
}

}  // namespace
}  // namespace symbolon::cognito
