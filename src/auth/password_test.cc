#include "auth/password.h"

#include <gtest/gtest.h>

#include <set>

#include "crypto/random.h"

namespace symbolon::auth {
namespace {

using directory::pb::PasswordPolicy;
using directory::pb::UserRecord;

constexpr std::string_view kStrong = "Correct-Horse-9";
const PoolId kPool("eu-central-1_AbC123xyz");
const Timestamp kNow = FromSeconds(1'800'000'000);

PasswordPolicy StrictPolicy() {
  PasswordPolicy policy;
  policy.set_minimum_length(8);
  policy.set_require_uppercase(true);
  policy.set_require_lowercase(true);
  policy.set_require_numbers(true);
  policy.set_require_symbols(true);
  policy.set_temporary_password_validity_days(7);
  return policy;
}

UserRecord UserNamed(std::string name) {
  UserRecord user;
  user.set_username(std::move(name));
  return user;
}

struct PolicyCase {
  std::string_view password;
  std::optional<PolicyBreach> breach;
};

class PasswordPolicyTest : public testing::TestWithParam<PolicyCase> {};

TEST_P(PasswordPolicyTest, StrictPolicyFindsTheFirstBreach) {
  EXPECT_EQ(FindPolicyBreach(StrictPolicy(), GetParam().password), GetParam().breach);
}

INSTANTIATE_TEST_SUITE_P(Cases, PasswordPolicyTest,
                         testing::Values(PolicyCase{"", PolicyBreach::kTooShort},             //
                                         PolicyCase{"aB3$567", PolicyBreach::kTooShort},      //
                                         PolicyCase{"aB3$5678", std::nullopt},                //
                                         PolicyCase{"ab3$5678", PolicyBreach::kNoUppercase},  //
                                         PolicyCase{"AB3$5678", PolicyBreach::kNoLowercase},  //
                                         PolicyCase{"aBc$efgh", PolicyBreach::kNoNumber},     //
                                         PolicyCase{"aB345678", PolicyBreach::kNoSymbol},     //
                                         PolicyCase{"aB3\\5678", std::nullopt},               //
                                         PolicyCase{"aB3=\xc3\xa4\xc3\xa4\xc3\xa4", PolicyBreach::kTooShort},
                                         PolicyCase{"aB3=\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", std::nullopt}));

TEST(PasswordPolicy, AsksForNothingThatIsNotRequired) {
  PasswordPolicy policy;
  policy.set_minimum_length(6);
  EXPECT_EQ(FindPolicyBreach(policy, "aaaaaa"), std::nullopt);
  EXPECT_EQ(FindPolicyBreach(policy, "aaaaa"), PolicyBreach::kTooShort);
}

TEST(PasswordPolicy, MessagesAreTheServices) {
  EXPECT_EQ(MessageOf(PolicyBreach::kTooShort), "Password did not conform with policy: Password not long enough");
  EXPECT_EQ(MessageOf(PolicyBreach::kNoSymbol),
            "Password did not conform with policy: Password must have symbol characters");
}

TEST(TemporaryPassword, ConformsToEveryPolicyAndIsNeverTheSame) {
  PasswordPolicy policy = StrictPolicy();
  std::set<std::string> seen;
  for (std::uint32_t length : {6u, 12u, 13u, 99u}) {
    policy.set_minimum_length(length);
    for (int i = 0; i < 50; ++i) {
      const std::string password = NewTemporaryPassword(policy, crypto::SystemRandom());
      EXPECT_EQ(FindPolicyBreach(policy, password), std::nullopt) << password;
      EXPECT_TRUE(seen.insert(password).second);
    }
  }
}

class StoredPassword : public testing::Test {
 protected:
  directory::RegionSettings region_;
  directory::Env env_{kNow, crypto::SystemRandom(), region_};
};

TEST_F(StoredPassword, MatchesThePasswordAndNoOther) {
  UserRecord user = UserNamed("alice");
  SetPassword(env_, kPool, user, kStrong);
  EXPECT_TRUE(PasswordMatches(kPool, &user, kStrong));
  EXPECT_FALSE(PasswordMatches(kPool, &user, "Correct-Horse-8"));
  EXPECT_FALSE(PasswordMatches(kPool, &user, ""));
  EXPECT_EQ(user.SerializeAsString().find(kStrong), std::string::npos);
}

TEST_F(StoredPassword, IsBoundToPoolAndUserName) {
  UserRecord user = UserNamed("alice");
  SetPassword(env_, kPool, user, kStrong);
  EXPECT_FALSE(PasswordMatches(PoolId("eu-central-1_other0000"), &user, kStrong));
  user.set_username("bob");
  EXPECT_FALSE(PasswordMatches(kPool, &user, kStrong));
}

TEST_F(StoredPassword, NobodyAndNoPasswordMatchNothing) {
  const UserRecord user = UserNamed("alice");
  EXPECT_FALSE(PasswordMatches(kPool, &user, kStrong));
  EXPECT_FALSE(PasswordMatches(kPool, nullptr, kStrong));
}

TEST_F(StoredPassword, SecondAttemptAtAPlanRemembersTheVerifier) {
  UserRecord first = UserNamed("alice");
  UserRecord second = UserNamed("alice");
  UserRecord other = UserNamed("bob");
  SetPassword(env_, kPool, first, kStrong);
  SetPassword(env_, kPool, second, kStrong);
  SetPassword(env_, kPool, other, kStrong);
  EXPECT_EQ(first.password().verifier(), second.password().verifier());
  EXPECT_NE(first.password().salt(), other.password().salt());
}

TEST_F(StoredPassword, TemporaryOneDiesOnTime) {
  UserRecord user = UserNamed("alice");
  SetTemporaryPassword(env_, kPool, StrictPolicy(), user, kStrong);
  const Timestamp end = kNow + std::chrono::days(7);
  EXPECT_FALSE(IsTemporaryPasswordExpired(user, end - std::chrono::microseconds(1)));
  EXPECT_TRUE(IsTemporaryPasswordExpired(user, end));

  SetPassword(env_, kPool, user, kStrong);
  EXPECT_FALSE(IsTemporaryPasswordExpired(user, end));
}

TEST_F(StoredPassword, TemporaryOneOfAPolicyWithoutDaysLastsSeven) {
  UserRecord user = UserNamed("alice");
  SetTemporaryPassword(env_, kPool, PasswordPolicy(), user, kStrong);
  EXPECT_EQ(user.temporary_password_expires_micros(), ToMicros(kNow + std::chrono::days(7)));
}

}  // namespace
}  // namespace symbolon::auth
