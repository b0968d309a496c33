#include <gtest/gtest.h>

#include "cognito/test_operations.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using namespace model::cognito;
using namespace operations;

UpdateUserAttributesRequest Update(std::initializer_list<std::pair<const char*, const char*>> attributes) {
  return {.UserAttributes = Attributes(attributes)};
}
VerifyUserAttributeRequest Verification(std::string attribute, std::string code) {
  return {.AttributeName = std::move(attribute), .Code = std::move(code)};
}
ChangePasswordRequest PasswordChange(std::string from, std::string to) {
  return {.PreviousPassword = std::move(from), .ProposedPassword = std::move(to)};
}

class Profile : public OperationsTest {
 protected:
  Profile() {
    MakeUser("alice", Attributes({{"email", "alice@example.com"}, {"email_verified", "true"}, {"name", "Alice"}}));
    SignInAs("alice");
  }
  void AutoVerify(const char* attribute) {
    ChangePool([&](pb::PoolRecord& pool) { pool.add_auto_verified_attributes(attribute); });
  }
  std::string AttributeNow(const std::string& name) {
    const pb::UserRecord user = UserNamed("alice");
    const auto found = user.attributes().find(name);
    return found == user.attributes().end() ? "(none)" : found->second;
  }
};

TEST_F(Profile, ShowsWhatTheClientMayRead) {
  auto response = Run(GetUser, GetUserRequest{});
  ASSERT_TRUE(response);
  EXPECT_EQ(response->Username, "alice");
  EXPECT_EQ(Find(response->UserAttributes, "sub"), UserNamed("alice").sub());
  EXPECT_EQ(Find(response->UserAttributes, "email"), "alice@example.com");
  EXPECT_EQ(Find(response->UserAttributes, "email_verified"), "true");
  ChangeClient([](pb::ClientRecord& client) {
    client.set_has_read_attributes(true);
    client.add_read_attributes("name");
  });
  response = Run(GetUser, GetUserRequest{});
  EXPECT_EQ(response->UserAttributes.size(), 2u);
  EXPECT_EQ(Find(response->UserAttributes, "name"), "Alice");
}

TEST_F(Profile, AttributesChangeAndGo) {
  const auto response = Run(UpdateUserAttributes, Update({{"name", "Al"}, {"nickname", "Ally"}}));
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->CodeDeliveryDetailsList);
  EXPECT_EQ(AttributeNow("name"), "Al");
  EXPECT_EQ(ErrorOf(UpdateUserAttributes, Update({{"name", ""}})), "");
  EXPECT_EQ(AttributeNow("name"), "(none)");
  EXPECT_EQ(ErrorOf(DeleteUserAttributes, DeleteUserAttributesRequest{.UserAttributeNames = {"nickname", "email"}}),
            "");
  EXPECT_EQ(AttributeNow("nickname"), "(none)");
  EXPECT_EQ(AttributeNow("email"), "(none)");
  EXPECT_EQ(AttributeNow("email_verified"), "(none)");
}

TEST_F(Profile, ClientsWriteOnlyWhatTheyMay) {
  ChangeClient([](pb::ClientRecord& client) {
    client.set_has_write_attributes(true);
    client.add_write_attributes("nickname");
  });
  constexpr const char* kRefused = "NotAuthorizedException: A client attempted to write unauthorized attribute";
  EXPECT_EQ(ErrorOf(UpdateUserAttributes, Update({{"nickname", "Ally"}, {"name", "Al"}})), kRefused);
  EXPECT_EQ(ErrorOf(DeleteUserAttributes, DeleteUserAttributesRequest{.UserAttributeNames = {"name"}}), kRefused);
  EXPECT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email_verified", "true"}})), kRefused);
  EXPECT_EQ(AttributeNow("nickname"), "(none)");
}

TEST_F(Profile, ChangedAddressBecomesUnverified) {
  ASSERT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "new@example.com"}})), "");
  EXPECT_EQ(AttributeNow("email"), "new@example.com");
  EXPECT_EQ(AttributeNow("email_verified"), "false");
  EXPECT_TRUE(Outbox().empty());
}

TEST_F(Profile, SameAddressStaysVerified) {
  AutoVerify("email");
  ASSERT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "alice@example.com"}})), "");
  EXPECT_EQ(AttributeNow("email_verified"), "true");
  EXPECT_TRUE(Outbox().empty());
}

TEST_F(Profile, AutoVerifiedAddressGetsACode) {
  AutoVerify("email");
  const auto response = Run(UpdateUserAttributes, Update({{"email", "new@example.com"}}));
  ASSERT_TRUE(response && response->CodeDeliveryDetailsList);
  EXPECT_EQ(response->CodeDeliveryDetailsList->at(0).Destination, "n***@e***");
  EXPECT_EQ(Outbox().back().reason(), "UpdateUserAttribute");
  EXPECT_EQ(AttributeNow("email"), "new@example.com");
  EXPECT_EQ(ErrorOf(VerifyUserAttribute, Verification("email", WrongCode())),
            "CodeMismatchException: Invalid verification code provided, please try again.");
  EXPECT_EQ(ErrorOf(VerifyUserAttribute, Verification("email", LastCode())), "");
  EXPECT_EQ(AttributeNow("email_verified"), "true");
}

TEST_F(Profile, OldAddressStaysUntilTheNewOneIsVerified) {
  AutoVerify("email");
  ChangePool([](pb::PoolRecord& pool) { pool.add_verify_before_update("email"); });
  ASSERT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "new@example.com"}, {"name", "Al"}})), "");
  EXPECT_EQ(Outbox().back().destination(), "new@example.com");
  EXPECT_EQ(AttributeNow("email"), "alice@example.com");
  EXPECT_EQ(AttributeNow("email_verified"), "true");
  EXPECT_EQ(AttributeNow("name"), "Al");

  // Another code goes to the value that waits.
  const auto again =
      Run(GetUserAttributeVerificationCode, GetUserAttributeVerificationCodeRequest{.AttributeName = "email"});
  ASSERT_TRUE(again);
  EXPECT_EQ(again->CodeDeliveryDetails->Destination, "n***@e***");
  EXPECT_EQ(ErrorOf(VerifyUserAttribute, Verification("email", LastCode())), "");
  EXPECT_EQ(AttributeNow("email"), "new@example.com");
  EXPECT_EQ(AttributeNow("email_verified"), "true");
}

TEST_F(Profile, CodeForAReplacedValueIsWorthless) {
  AutoVerify("email");
  ASSERT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "new@example.com"}})), "");
  const std::string code = LastCode();
  ChangePool([](pb::PoolRecord& pool) { pool.clear_auto_verified_attributes(); });
  ASSERT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "newer@example.com"}})), "");
  EXPECT_NE(ErrorOf(VerifyUserAttribute, Verification("email", code)), "");
  EXPECT_EQ(AttributeNow("email"), "newer@example.com");
  EXPECT_EQ(AttributeNow("email_verified"), "false");
}

TEST_F(Profile, CodesAreAskedForAndBounded) {
  const GetUserAttributeVerificationCodeRequest email{.AttributeName = "email"};
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ErrorOf(GetUserAttributeVerificationCode, email), "");
  EXPECT_EQ(Outbox().back().reason(), "VerifyUserAttribute");
  EXPECT_EQ(ErrorOf(GetUserAttributeVerificationCode, email),
            "LimitExceededException: Attempt limit exceeded, please try after some time.");
  for (int i = 0; i < 5; ++i) EXPECT_NE(ErrorOf(VerifyUserAttribute, Verification("email", WrongCode())), "");
  EXPECT_EQ(ErrorOf(VerifyUserAttribute, Verification("email", LastCode())),
            "LimitExceededException: Attempt limit exceeded, please try after some time.");
}

TEST_F(Profile, OnlyAddressesAreVerified) {
  EXPECT_EQ(ErrorOf(GetUserAttributeVerificationCode, GetUserAttributeVerificationCodeRequest{.AttributeName = "name"}),
            "InvalidParameterException: Attribute name cannot be verified.");
  EXPECT_EQ(ErrorOf(VerifyUserAttribute, Verification("name", "123456")),
            "InvalidParameterException: Attribute name cannot be verified.");
  EXPECT_EQ(ErrorOf(GetUserAttributeVerificationCode,
                    GetUserAttributeVerificationCodeRequest{.AttributeName = "phone_number"}),
            "InvalidParameterException: User has no phone_number to be verified.");
  EXPECT_EQ(ErrorOf(VerifyUserAttribute, Verification("email", "123456")),
            "ExpiredCodeException: Invalid code provided, please request a code again.");
}

TEST_F(Profile, VerificationMovesAnAliasSilently) {
  ChangePool([](pb::PoolRecord& pool) { pool.add_alias_attributes("email"); });
  AutoVerify("email");
  MakeUser("bob", Attributes({{"email", "bob@example.com"}, {"email_verified", "true"}}));
  ASSERT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "bob@example.com"}})), "");
  EXPECT_EQ(UserNamed("bob@example.com").username(), "bob");
  ASSERT_EQ(ErrorOf(VerifyUserAttribute, Verification("email", LastCode())), "");
  EXPECT_EQ(UserNamed("bob@example.com").username(), "alice");
  EXPECT_EQ(UserNamed("bob").attributes().at("email_verified"), "false");
}

TEST_F(Profile, SignInAddressOfAnotherIsRefused) {
  ChangePool([](pb::PoolRecord& pool) { pool.add_username_attributes("email"); });
  MakeUser("one@example.com");
  MakeUser("two@example.com");
  SignInAs("one@example.com");
  EXPECT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "two@example.com"}})),
            "AliasExistsException: An account with the email already exists.");
  AutoVerify("email");
  ChangePool([](pb::PoolRecord& pool) { pool.add_verify_before_update("email"); });
  EXPECT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", "two@example.com"}})),
            "AliasExistsException: An account with the email already exists.");
  EXPECT_EQ(ErrorOf(UpdateUserAttributes, Update({{"email", ""}})),
            "InvalidParameterException: A user must keep an attribute to sign in with.");
}

TEST_F(Profile, PasswordChangesAndRefreshTokensStay) {
  const std::uint64_t generation = UserNamed("alice").token_generation();
  EXPECT_EQ(ErrorOf(ChangePassword, PasswordChange(kTestPassword, "weak")),
            "InvalidPasswordException: Password did not conform with policy: Password not long enough");
  EXPECT_EQ(ErrorOf(ChangePassword, PasswordChange(kTestPassword, "Another-Horse-7")), "");
  EXPECT_TRUE(HasPassword("alice", "Another-Horse-7"));
  EXPECT_EQ(UserNamed("alice").token_generation(), generation);
}

TEST_F(Profile, GuessesOfThePreviousPasswordAreBounded) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ErrorOf(ChangePassword, PasswordChange("Wrong-Horse-1", "Another-Horse-7")),
              "NotAuthorizedException: Incorrect username or password.");
  }
  EXPECT_EQ(ErrorOf(ChangePassword, PasswordChange(kTestPassword, "Another-Horse-7")),
            "LimitExceededException: Attempt limit exceeded, please try after some time.");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(ErrorOf(ChangePassword, PasswordChange(kTestPassword, "Another-Horse-7")), "");
}

TEST_F(Profile, PreviousPasswordIsNeededIfThereIsOne) {
  EXPECT_EQ(ErrorOf(ChangePassword, ChangePasswordRequest{.ProposedPassword = "Another-Horse-7"}),
            "InvalidParameterException: Missing required parameter PreviousPassword");
  ASSERT_EQ(ErrorOf(operations::AdminResetUserPassword, AdminResetUserPasswordRequest{.Username = "alice"}), "");
  EXPECT_EQ(ErrorOf(ChangePassword, PasswordChange(kTestPassword, "Another-Horse-7")),
            "PasswordResetRequiredException: Password reset required for the user");
}

TEST_F(Profile, UsersDeleteThemselves) {
  const std::string sub = UserNamed("alice").sub();
  EXPECT_EQ(ErrorOf(DeleteUser, DeleteUserRequest{}), "");
  EXPECT_FALSE(Exists("alice"));
  EXPECT_FALSE(Exists(sub));
}

}  // namespace
}  // namespace symbolon::cognito
