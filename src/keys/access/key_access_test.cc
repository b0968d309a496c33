#include "keys/access/key_access.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace symbolon::keys::access {
namespace {

using policy::Outcome;

constexpr const char* kAccount = "000000000000";

const policy::Vocabulary& Words() {
  static const policy::Vocabulary words({{"kms", {"Encrypt", "Decrypt", "DescribeKey", "CreateGrant"}}});
  return words;
}

class KeyAccessTest : public testing::Test {
 protected:
  KeyAccessTest() { SetPolicy("arn:aws:iam::000000000000:root"); }

  void SetPolicy(std::string_view principal) {
    key_.policy = std::make_shared<const std::string>(fmt::format(
        R"({{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{}"}},"Action":"kms:*","Resource":"*"}}}})",
        principal));
  }
  Outcome Decide(std::string_view action, const EncryptionContext* encryption_context = nullptr,
                 const local::Grant* new_grant = nullptr) {
    policy::Context context;
    if (encryption_context != nullptr) AddEncryptionContext(context, *encryption_context);
    return access_.Decide(key_, {.identity = ann_,
                                 .action = action,
                                 .context = context,
                                 .encryption_context = encryption_context,
                                 .new_grant = new_grant});
  }
  local::Grant GrantTo(std::string grantee, std::vector<std::string> operations) {
    return {.id = "1", .grantee = std::move(grantee), .operations = std::move(operations)};
  }

  KeyAccess access_{Words()};
  local::KeyFacts key_{.id = "1", .arn = "arn:aws:kms:eu-central-1:000000000000:key/1"};
  const policy::Identity ann_{.principal = policy::Principal::User(kAccount, "ann"), .policies = {}};
};

TEST_F(KeyAccessTest, PolicyThatIsReplacedCountsAtOnce) {
  EXPECT_EQ(Decide("kms:DescribeKey"), Outcome::kNotAllowedByIdentityPolicy);
  SetPolicy("arn:aws:iam::000000000000:user/ann");
  EXPECT_EQ(Decide("kms:DescribeKey"), Outcome::kAllowed);
  SetPolicy("arn:aws:iam::000000000000:user/bob");
  EXPECT_EQ(Decide("kms:DescribeKey"), Outcome::kNotAllowedByResourcePolicy);
  key_.policy = std::make_shared<const std::string>("{");
  EXPECT_EQ(Decide("kms:DescribeKey"), Outcome::kNotAllowedByResourcePolicy);
}

TEST_F(KeyAccessTest, GrantAllowsItsGranteeItsOperations) {
  key_.grants = {GrantTo("arn:aws:iam::000000000000:user/ann", {"Decrypt", "DescribeKey"})};
  const EncryptionContext none;
  EXPECT_EQ(Decide("kms:Decrypt", &none), Outcome::kAllowed);
  EXPECT_EQ(Decide("kms:DescribeKey"), Outcome::kAllowed);
  EXPECT_NE(Decide("kms:Encrypt", &none), Outcome::kAllowed);
  key_.grants = {GrantTo("arn:aws:iam::000000000000:user/bob", {"Decrypt"})};
  EXPECT_NE(Decide("kms:Decrypt", &none), Outcome::kAllowed);
  key_.grants = {GrantTo("arn:aws:iam::000000000000:user/ann", {"Decrypt"})};
  key_.grants[0].grantee_is_service = true;
  EXPECT_NE(Decide("kms:Decrypt", &none), Outcome::kAllowed);
}

TEST_F(KeyAccessTest, ConstraintsBindCryptographyOnly) {
  key_.grants = {GrantTo("arn:aws:iam::000000000000:user/ann", {"Decrypt", "DescribeKey"})};
  local::GrantConstraints& constraints = key_.grants[0].constraints;
  const EncryptionContext ab{{"a", "1"}, {"b", "2"}}, a{{"a", "1"}}, other{{"a", "2"}, {"b", "2"}}, none;
  constraints.context_subset = a;
  EXPECT_EQ(Decide("kms:Decrypt", &ab), Outcome::kAllowed);
  EXPECT_EQ(Decide("kms:Decrypt", &a), Outcome::kAllowed);
  EXPECT_NE(Decide("kms:Decrypt", &other), Outcome::kAllowed);
  EXPECT_NE(Decide("kms:Decrypt", &none), Outcome::kAllowed);
  EXPECT_EQ(Decide("kms:DescribeKey"), Outcome::kAllowed);
  constraints = {.context_equals = a};
  EXPECT_EQ(Decide("kms:Decrypt", &a), Outcome::kAllowed);
  EXPECT_NE(Decide("kms:Decrypt", &ab), Outcome::kAllowed);
  constraints = {.source_arn = "arn:aws:cognito-idp:a:b:c"};
  EXPECT_NE(Decide("kms:Decrypt", &a), Outcome::kAllowed);
}

TEST_F(KeyAccessTest, WhoHasAGrantHandsOnNoMoreThanThat) {
  key_.grants = {GrantTo("arn:aws:iam::000000000000:user/ann", {"Decrypt", "CreateGrant"})};
  const EncryptionContext a{{"a", "1"}}, ab{{"a", "1"}, {"b", "2"}};
  key_.grants[0].constraints.context_subset = a;
  const auto may = [&](std::vector<std::string> operations, local::GrantConstraints constraints) {
    local::Grant grant = GrantTo("arn:aws:iam::000000000000:user/bob", std::move(operations));
    grant.constraints = std::move(constraints);
    return Decide("kms:CreateGrant", nullptr, &grant) == Outcome::kAllowed;
  };
  EXPECT_TRUE(may({"Decrypt"}, {.context_subset = a}));
  EXPECT_TRUE(may({"Decrypt"}, {.context_subset = ab}));
  EXPECT_TRUE(may({"Decrypt"}, {.context_equals = ab}));
  EXPECT_FALSE(may({"Decrypt"}, {}));
  EXPECT_FALSE(may({"Decrypt"}, {.context_equals = EncryptionContext{{"b", "2"}}}));
  EXPECT_FALSE(may({"Decrypt", "Encrypt"}, {.context_subset = a}));
}

}  // namespace
}  // namespace symbolon::keys::access
