#include "policy/condition.h"

#include <gtest/gtest.h>

#include <boost/json/parse.hpp>

namespace symbolon::policy {
namespace {

Result<Condition, std::string> Parse(std::string_view name, std::string_view key, std::string_view values) {
  return Condition::Parse(name, key, boost::json::parse(values), /*variables=*/true);
}

Context With(std::string_view key, std::vector<std::string> values) {
  Context context;
  context.SetAll(key, std::move(values));
  return context;
}

struct Row {
  const char* name;
  const char* key;
  const char* values;
  const char* actual;  // nullptr: the request does not have the key
  bool holds;
};

TEST(ConditionTest, OperatorsCompareAsDocumented) {
  constexpr Row kRows[] = {
      {"StringEquals", "aws:username", R"("ann")", "ann", true},
      {"StringEquals", "aws:username", R"("ann")", "Ann", false},
      {"StringEquals", "aws:username", R"(["bob","ann"])", "ann", true},
      {"StringEquals", "aws:username", R"("a*")", "ann", false},
      {"StringEquals", "aws:username", R"("ann")", nullptr, false},
      {"StringEqualsIfExists", "aws:username", R"("ann")", nullptr, true},
      {"StringEqualsIfExists", "aws:username", R"("ann")", "bob", false},
      {"StringNotEquals", "aws:username", R"(["ann","bob"])", "bob", false},
      {"StringNotEquals", "aws:username", R"(["ann","bob"])", "cid", true},
      {"StringNotEquals", "aws:username", R"("ann")", nullptr, true},
      {"StringEqualsIgnoreCase", "aws:username", R"("ANN")", "ann", true},
      {"StringNotEqualsIgnoreCase", "aws:username", R"("ANN")", "ann", false},
      {"StringLike", "aws:username", R"("a*")", "ann", true},
      {"StringLike", "aws:username", R"("a*")", "bob", false},
      {"StringNotLike", "aws:username", R"("a*")", "ann", false},
      {"StringNotLike", "aws:username", R"("a*")", "bob", true},
      {"ArnEquals", "aws:SourceArn", R"("arn:aws:cognito-idp:*:*:userpool/*")",
       "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/x", true},
      {"ArnLike", "aws:SourceArn", R"("arn:aws:kms:*:*:*")", "arn:aws:cognito-idp:a:b:c", false},
      {"ArnNotEquals", "aws:SourceArn", R"("arn:aws:kms:*:*:*")", "arn:aws:cognito-idp:a:b:c", true},
      {"ArnNotLike", "aws:SourceArn", R"("arn:aws:kms:*:*:*")", "arn:aws:kms:a:b:c", false},
      {"Bool", "aws:SecureTransport", R"("true")", "true", true},
      {"Bool", "aws:SecureTransport", "false", "true", false},
      {"Bool", "aws:SecureTransport", "false", nullptr, false},
      {"BoolIfExists", "aws:SecureTransport", R"("False")", nullptr, true},
      {"NumericEquals", "aws:EpochTime", R"("100")", "100.0", true},
      {"NumericNotEquals", "aws:EpochTime", "100", "100", false},
      {"NumericLessThan", "aws:EpochTime", "100", "99.5", true},
      {"NumericLessThan", "aws:EpochTime", "100", "100", false},
      {"NumericLessThanEquals", "aws:EpochTime", "100", "100", true},
      {"NumericGreaterThan", "aws:EpochTime", "100", "100", false},
      {"NumericGreaterThanEquals", "aws:EpochTime", "100", "100", true},
      {"DateGreaterThan", "aws:CurrentTime", R"("2026-11-28T10:00:00Z")", "2026-11-28T10:00:01Z", true},
      {"DateGreaterThan", "aws:CurrentTime", R"("2026-11-28T10:00:00Z")", "2026-11-28T10:00:00Z", false},
      {"DateGreaterThanEquals", "aws:CurrentTime", R"("2026-11-28")", "2026-11-28T00:00:00Z", true},
      {"DateLessThan", "aws:CurrentTime", R"("1700000000")", "2023-11-14T22:13:19Z", true},
      {"DateLessThanEquals", "aws:CurrentTime", R"("2023-11-14T22:13:19Z")", "2023-11-14T22:13:20Z", false},
      {"DateEquals", "aws:EpochTime", R"("2023-11-14T22:13:20Z")", "1700000000", true},
      {"DateNotEquals", "aws:EpochTime", R"("2023-11-14T22:13:20Z")", "1700000000", false},
      {"IpAddress", "aws:SourceIp", R"("192.0.2.0/24")", "192.0.2.77", true},
      {"IpAddress", "aws:SourceIp", R"("192.0.2.0/25")", "192.0.2.128", false},
      {"IpAddress", "aws:SourceIp", R"("192.0.2.1")", "192.0.2.1", true},
      {"IpAddress", "aws:SourceIp", R"("192.0.2.1")", "::ffff:192.0.2.1", true},
      {"IpAddress", "aws:SourceIp", R"("2001:db8::/33")", "2001:db8:7fff::1", true},
      {"IpAddress", "aws:SourceIp", R"("2001:db8::/33")", "2001:db8:8000::1", false},
      {"IpAddress", "aws:SourceIp", R"("0.0.0.0/0")", "203.0.113.9", true},
      {"IpAddress", "aws:SourceIp", R"("0.0.0.0/0")", "2001:db8::1", false},
      {"NotIpAddress", "aws:SourceIp", R"("192.0.2.0/24")", "192.0.2.77", false},
      {"NotIpAddress", "aws:SourceIp", R"("192.0.2.0/24")", "203.0.113.9", true},
      {"Null", "aws:username", R"("true")", nullptr, true},
      {"Null", "aws:username", "true", "ann", false},
      {"Null", "aws:username", "false", "ann", true},
      {"StringEquals", "kms:EncryptionContext:Team", R"("red")", "red", true},
  };
  for (const Row& row : kRows) {
    const auto condition = Parse(row.name, row.key, row.values);
    ASSERT_TRUE(condition) << row.name << ' ' << condition.error();
    const Context context = row.actual == nullptr ? Context() : With(row.key, {row.actual});
    EXPECT_EQ(condition->Holds(context, true), row.holds) << row.name << ' ' << row.values;
    EXPECT_EQ(condition->Holds(context, false), row.holds) << row.name << ' ' << row.values;
  }
}

TEST(ConditionTest, QuantifiersCountValuesAsDocumented) {
  struct Row {
    const char* name;
    std::vector<std::string> actual;
    bool there;
    bool holds;
  };
  const Row rows[] = {
      {"ForAllValues:StringEquals", {"a", "b"}, true, true},
      {"ForAllValues:StringEquals", {"a", "x"}, true, false},
      {"ForAllValues:StringEquals", {}, true, true},
      {"ForAllValues:StringEquals", {}, false, true},
      {"ForAnyValue:StringEquals", {"a", "x"}, true, true},
      {"ForAnyValue:StringEquals", {"x", "y"}, true, false},
      {"ForAnyValue:StringEquals", {}, true, false},
      {"ForAnyValue:StringEquals", {}, false, false},
      {"ForAnyValue:StringEqualsIfExists", {}, false, true},
      {"ForAllValues:StringNotEquals", {"x", "y"}, true, true},
      {"ForAllValues:StringNotEquals", {"x", "a"}, true, false},
      {"ForAnyValue:StringNotEquals", {"x", "a"}, true, true},
      {"ForAnyValue:StringNotEquals", {"b", "a"}, true, false},
      {"ForAnyValue:StringNotEquals", {}, false, false},
  };
  for (const Row& row : rows) {
    const auto condition = Parse(row.name, "kms:EncryptionContextKeys", R"(["a","b"])");
    ASSERT_TRUE(condition);
    const Context context = row.there ? With("kms:EncryptionContextKeys", row.actual) : Context();
    EXPECT_EQ(condition->Holds(context, true), row.holds) << row.name << ' ' << row.actual.size();
  }
}

// Two members of an encryption context whose names differ in case only are one key.
TEST(ConditionTest, InDoubtAnAllowDoesNotHoldAndADenyDoes) {
  const auto equal = Parse("StringEquals", "kms:EncryptionContext:team", R"("red")").value();
  Context twice;
  twice.Add("kms:EncryptionContext:team", "red");
  twice.Add("kms:EncryptionContext:Team", "blue");
  EXPECT_FALSE(equal.Holds(twice, /*strict=*/true));
  EXPECT_TRUE(equal.Holds(twice, /*strict=*/false));

  const auto other = Parse("StringNotEquals", "aws:PrincipalArn", R"("${aws:username}")").value();
  const Context root = With("aws:PrincipalArn", {"arn:aws:iam::000000000000:root"});
  EXPECT_FALSE(other.Holds(root, /*strict=*/true));
  EXPECT_TRUE(other.Holds(root, /*strict=*/false));
}

TEST(ConditionTest, WhatIsNotKnownIsRefused) {
  const auto error = [](std::string_view name, std::string_view key, std::string_view values) {
    const auto condition = Parse(name, key, values);
    return condition ? std::string("none") : condition.error();
  };
  EXPECT_EQ(error("StringContains", "aws:username", R"("a")"), "\"StringContains\" is no condition operator");
  EXPECT_EQ(error("BinaryEquals", "aws:username", R"("a")"), "\"BinaryEquals\" is no condition operator");
  EXPECT_EQ(error("NullIfExists", "aws:username", R"("true")"), "\"NullIfExists\" is no condition operator");
  EXPECT_EQ(error("StringEquals", "aws:PrincipalOrgID", R"("o-1")"),
            "\"aws:PrincipalOrgID\" is no condition key that is known here");
  EXPECT_EQ(error("StringEquals", "kms:EncryptionContext:", R"("a")"),
            "\"kms:EncryptionContext:\" is no condition key that is known here");
  EXPECT_EQ(error("StringEquals", "kms:EncryptionContextKeys", R"("a")"),
            "\"kms:EncryptionContextKeys\" may have many values: its operator needs ForAnyValue: or ForAllValues:");
  EXPECT_EQ(error("IpAddress", "aws:SourceArn", R"("192.0.2.1")"), "\"aws:SourceArn\" cannot be compared by IpAddress");
  EXPECT_EQ(error("IpAddress", "aws:SourceIp", R"("192.0.2.0/33")"),
            "the value of IpAddress for \"aws:SourceIp\" is no IP address or range of them");
  EXPECT_EQ(error("ArnLike", "aws:SourceArn", R"("userpool/*")"),
            "the value of ArnLike for \"aws:SourceArn\" is no ARN");
  EXPECT_EQ(error("Bool", "aws:SecureTransport", R"("yes")"),
            "the value of Bool for \"aws:SecureTransport\" must be true or false");
  EXPECT_EQ(error("DateLessThan", "aws:CurrentTime", R"("2026-13-01T00:00:00Z")"),
            "the value of DateLessThan for \"aws:CurrentTime\" is no time, as in 2026-11-28T10:00:00Z");
  EXPECT_EQ(error("StringEquals", "aws:username", "[]"), "StringEquals for \"aws:username\" must have 1 to 256 values");
  EXPECT_EQ(error("StringEquals", "aws:username", "7"), "the value of StringEquals for \"aws:username\" is no text");
  EXPECT_EQ(error("StringEquals", "aws:username", R"([["a"]])"),
            "the value of StringEquals for \"aws:username\" is no text");
}

}  // namespace
}  // namespace symbolon::policy
