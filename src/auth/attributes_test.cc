#include "auth/attributes.h"

#include <gtest/gtest.h>

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;
using directory::pb::PoolRecord;
using directory::pb::UserRecord;

directory::pb::AttributeSchema& Add(PoolRecord& pool, const char* name, const char* type) {
  auto& schema = *pool.add_schema();
  schema.set_name(name);
  schema.set_data_type(type);
  schema.set_mutable_(true);
  return schema;
}

PoolRecord SomePool() {
  PoolRecord pool;
  auto& birthdate = Add(pool, "birthdate", "String");
  birthdate.set_min_length("10");
  birthdate.set_max_length("10");
  Add(pool, "email", "String").set_required(true);
  Add(pool, "email_verified", "Boolean");
  Add(pool, "phone_number", "String");
  Add(pool, "phone_number_verified", "Boolean");
  Add(pool, "name", "String");
  auto& sub = Add(pool, "sub", "String");
  sub.set_mutable_(false);
  sub.set_required(true);
  auto& count = Add(pool, "custom:count", "Number");
  count.set_min_value("-5");
  count.set_max_value("10");
  Add(pool, "custom:since", "DateTime");
  Add(pool, "custom:tenant", "String").set_mutable_(false);
  Add(pool, "dev:custom:note", "String").set_developer_only(true);
  return pool;
}

std::string ErrorOf(const AttributeResult<AttributeValues>& result) { return result ? "" : result.error().message; }

struct ValueCase {
  const char* name;
  const char* value;
  bool good;
};

class AttributeValue : public testing::TestWithParam<ValueCase> {};

TEST_P(AttributeValue, HasTheFormOfItsType) {
  const auto& [name, value, good] = GetParam();
  EXPECT_EQ(CheckNewAttributes(SomePool(), nullptr, {{name, value}}).has_value(), good) << name << " = " << value;
}

INSTANTIATE_TEST_SUITE_P(
    Cases, AttributeValue,
    testing::Values(
        ValueCase{"email", "a@b.c", true}, ValueCase{"email", "alice+tag@mail.example.com", true},
        ValueCase{"email", "\xc3\xa4@b.c", true}, ValueCase{"email", "alice", false},
        ValueCase{"email", "@example.com", false}, ValueCase{"email", "alice@", false},
        ValueCase{"email", "alice@example", false}, ValueCase{"email", "alice@.com", false},
        ValueCase{"email", "alice@example.com.", false}, ValueCase{"email", "alice@exa..mple.com", false},
        ValueCase{"email", "a@b@c.d", false}, ValueCase{"email", "alice @example.com", false},
        ValueCase{"email", "alice@example.com\r\nBcc: x@y.z", false},
        ValueCase{"email", "Alice <alice@example.com>", false}, ValueCase{"email", "a@b.c,d@e.f", false},
        ValueCase{"phone_number", "+491701234567", true}, ValueCase{"phone_number", "+123456789012345", true},
        ValueCase{"phone_number", "+1234567890123456", false}, ValueCase{"phone_number", "01701234567", false},
        ValueCase{"phone_number", "+0170123456", false}, ValueCase{"phone_number", "+49 170", false},
        ValueCase{"phone_number", "+", false}, ValueCase{"birthdate", "2001-02-03", true},
        ValueCase{"birthdate", "2001-02-3", false}, ValueCase{"birthdate", "2001-02-033", false},
        ValueCase{"custom:count", "10", true}, ValueCase{"custom:count", "10.0", true},
        ValueCase{"custom:count", "10.1", false}, ValueCase{"custom:count", "11", false},
        ValueCase{"custom:count", "-5", true}, ValueCase{"custom:count", "-5.5", false},
        ValueCase{"custom:count", "-4.5", true}, ValueCase{"custom:count", "-6", false},
        ValueCase{"custom:count", "1e3", false}, ValueCase{"custom:count", "-", false},
        ValueCase{"custom:count", "1.", false}, ValueCase{"custom:count", "ten", false},
        ValueCase{"custom:count", "9999999999999999999999", false}, ValueCase{"custom:since", "2026-11-03", true},
        ValueCase{"custom:since", "2026-11-03T09:05:07Z", true},
        ValueCase{"custom:since", "2026-11-03T09:05:07.125+01:00", true},
        ValueCase{"custom:since", "2026-13-03", false}, ValueCase{"custom:since", "2026-11-03T24:05:07Z", false},
        ValueCase{"custom:since", "2026-11-03T09:05:07", false},
        ValueCase{"custom:since", "2026-11-03T09:05:07.Z", false}, ValueCase{"custom:since", "yesterday", false},
        ValueCase{"custom:nope", "x", false}, ValueCase{"sub", "x", false}, ValueCase{"dev:custom:note", "x", true}));

TEST(NewAttributes, AreStoredInOneForm) {
  const auto stored =
      CheckNewAttributes(SomePool(), nullptr, {{"email", "a@b.c"}, {"email_verified", "True"}, {"name", ""}});
  ASSERT_TRUE(stored) << stored.error().message;
  EXPECT_EQ(*stored, (AttributeValues{{"email", "a@b.c"}, {"email_verified", "true"}}));
}

TEST(NewAttributes, RequiredOnesBindClientsNotAdministrators) {
  const ClientRecord client;
  EXPECT_TRUE(CheckNewAttributes(SomePool(), nullptr, {}));
  EXPECT_EQ(ErrorOf(CheckNewAttributes(SomePool(), &client, {})),
            "Attributes did not conform to the schema: email: The attribute is required\n");
  EXPECT_TRUE(CheckNewAttributes(SomePool(), &client, {{"email", "a@b.c"}}));
}

TEST(NewAttributes, AllBreachesAreNamed) {
  EXPECT_EQ(ErrorOf(CheckNewAttributes(SomePool(), nullptr, {{"birthdate", "1"}, {"custom:nope", "x"}})),
            "Attributes did not conform to the schema: birthdate: String must be at least 10 characters\n"
            "custom:nope: Attribute does not exist in the schema.\n");
}

TEST(NewAttributes, ClientsWriteWhatTheyMay) {
  ClientRecord client;
  const auto code_of = [&](const char* name, const char* value) {
    const auto result = CheckNewAttributes(SomePool(), &client, {{"email", "a@b.c"}, {name, value}});
    return result ? std::nullopt : std::optional(result.error().code);
  };
  EXPECT_EQ(code_of("name", "Alice"), std::nullopt);
  EXPECT_EQ(code_of("email_verified", "true"), AttributeErrorCode::kUnauthorized);
  EXPECT_EQ(code_of("dev:custom:note", "x"), AttributeErrorCode::kUnauthorized);
  client.set_has_write_attributes(true);
  client.add_write_attributes("email");
  EXPECT_EQ(code_of("name", "Alice"), AttributeErrorCode::kUnauthorized);
}

TEST(NewAttributes, FlagNeedsItsAddress) {
  EXPECT_EQ(ErrorOf(CheckNewAttributes(SomePool(), nullptr, {{"phone_number_verified", "true"}})),
            "Phone Number is required to verify/un-verify a phone number");
  EXPECT_EQ(ErrorOf(CheckNewAttributes(SomePool(), nullptr, {{"email_verified", "true"}})),
            "Email is required to verify/un-verify an email");
}

class AttributeChanges : public testing::Test {
 protected:
  AttributeChanges() {
    (*user_.mutable_attributes())["email"] = "a@b.c";
    (*user_.mutable_attributes())["custom:tenant"] = "one";
  }

  PoolRecord pool_ = SomePool();
  UserRecord user_;
};

TEST_F(AttributeChanges, ImmutableOnesStay) {
  EXPECT_EQ(ErrorOf(CheckAttributeChanges(pool_, nullptr, user_, {{"custom:tenant", "two"}})),
            "user.custom:tenant: Attribute cannot be updated.\n");
  EXPECT_EQ(ErrorOf(CheckAttributeChanges(pool_, nullptr, user_, {{"sub", "x"}})),
            "user.sub: Attribute cannot be updated.\n");
  EXPECT_FALSE(CheckAttributeChanges(pool_, nullptr, user_, {{"custom:tenant", ""}}));
  EXPECT_TRUE(CheckAttributeChanges(pool_, nullptr, user_, {{"custom:tenant", "one"}}));
}

TEST_F(AttributeChanges, RequiredOnesAreNotDeleted) {
  EXPECT_FALSE(CheckAttributeChanges(pool_, nullptr, user_, {{"email", ""}}));
  const auto stored = CheckAttributeChanges(pool_, nullptr, user_, {{"name", ""}});
  ASSERT_TRUE(stored);
  EXPECT_EQ(*stored, (AttributeValues{{"name", ""}}));
}

TEST_F(AttributeChanges, SignInNameIsKept) {
  pool_.mutable_schema(1)->set_required(false);
  pool_.add_username_attributes("email");
  pool_.add_username_attributes("phone_number");
  EXPECT_EQ(ErrorOf(CheckAttributeChanges(pool_, nullptr, user_, {{"email", ""}})),
            "A user must keep an attribute to sign in with.");
  EXPECT_TRUE(CheckAttributeChanges(pool_, nullptr, user_, {{"email", ""}, {"phone_number", "+4917012345"}}));
}

TEST_F(AttributeChanges, FlagNeedsItsAddressAfterwards) {
  pool_.mutable_schema(1)->set_required(false);
  EXPECT_TRUE(CheckAttributeChanges(pool_, nullptr, user_, {{"email_verified", "true"}}));
  EXPECT_FALSE(CheckAttributeChanges(pool_, nullptr, user_, {{"email", ""}, {"email_verified", "true"}}));
  EXPECT_FALSE(CheckAttributeChanges(pool_, nullptr, user_, {{"phone_number_verified", "true"}}));
}

}  // namespace
}  // namespace symbolon::auth
