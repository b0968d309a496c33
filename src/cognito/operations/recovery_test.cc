#include <gtest/gtest.h>

#include "cognito/test_operations.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using namespace model::cognito;
using operations::ConfirmForgotPassword;
using operations::ForgotPassword;

constexpr const char* kNewPassword = "Another-Horse-7";

ForgotPasswordRequest Forgot(std::string username) {
  return {.ClientId = kTestClient, .Username = std::move(username)};
}
ConfirmForgotPasswordRequest Confirmation(std::string username, std::string code, std::string password = kNewPassword) {
  return {.ClientId = kTestClient,
          .Username = std::move(username),
          .ConfirmationCode = std::move(code),
          .Password = std::move(password)};
}

constexpr const char* kWrongCode = "CodeMismatchException: Invalid verification code provided, please try again.";
constexpr const char* kNoCode = "ExpiredCodeException: Invalid code provided, please request a code again.";
constexpr const char* kUnknown = "UserNotFoundException: Username/client id combination not found.";
constexpr const char* kNoChannel =
    "InvalidParameterException: Cannot reset password for the user as there is no registered/verified email or "
    "phone_number";

class Recovery : public OperationsTest {
 protected:
  Recovery() {
    MakeUser("alice", Attributes({{"email", "alice@example.com"},
                                  {"email_verified", "true"},
                                  {"phone_number", "+12065551234"},
                                  {"phone_number_verified", "true"}}));
  }
  void PreventExistenceErrors() {
    ChangeClient([](pb::ClientRecord& client) { client.set_prevent_user_existence_errors(true); });
  }
  void SetRecovery(std::initializer_list<const char*> options) {
    ChangePool([&](pb::PoolRecord& pool) {
      pool.clear_recovery();
      std::uint32_t priority = 0;
      for (const char* name : options) {
        auto& option = *pool.add_recovery();
        option.set_name(name);
        option.set_priority(++priority);
      }
    });
  }
};

TEST_F(Recovery, CodeGivesANewPasswordAndEndsRefreshTokens) {
  const std::uint64_t generation = UserNamed("alice").token_generation();
  const auto response = Run(ForgotPassword, Forgot("alice"));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->CodeDeliveryDetails->Destination, "a***@e***");
  EXPECT_EQ(response->CodeDeliveryDetails->AttributeName, "email");
  EXPECT_EQ(Outbox().back().reason(), "ForgotPassword");
  EXPECT_EQ(Outbox().back().text(), "Your password reset code is " + LastCode());
  EXPECT_TRUE(HasPassword("alice", kTestPassword));

  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())), "");
  EXPECT_TRUE(HasPassword("alice", kNewPassword));
  EXPECT_FALSE(HasPassword("alice", kTestPassword));
  EXPECT_GT(UserNamed("alice").token_generation(), generation);
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())), kNoCode);
}

TEST_F(Recovery, ChannelFollowsThePoolsOrderAndWhatIsVerified) {
  SetRecovery({"verified_phone_number", "verified_email"});
  ASSERT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "");
  EXPECT_EQ(Outbox().back().destination(), "+12065551234");
  SetRecovery({"verified_email"});
  ASSERT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "");
  EXPECT_EQ(Outbox().back().destination(), "alice@example.com");
  ASSERT_EQ(ErrorOf(operations::AdminUpdateUserAttributes,
                    AdminUpdateUserAttributesRequest{.Username = "alice",
                                                     .UserAttributes = Attributes({{"email_verified", "false"}})}),
            "");
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), kNoChannel);
  SetRecovery({"admin_only"});
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("alice")),
            "NotAuthorizedException: Contact administrator to reset password.");
}

TEST_F(Recovery, PasswordThatThePolicyRefusesSpendsNoCode) {
  ASSERT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "");
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode(), "weak")),
            "InvalidPasswordException: Password did not conform with policy: Password not long enough");
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())), "");
}

TEST_F(Recovery, CodeLastsOneHour) {
  ASSERT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())), kNoCode);
  EXPECT_TRUE(HasPassword("alice", kTestPassword));
}

TEST_F(Recovery, GuessesAndRequestsAreBounded) {
  for (int i = 0; i < 5; ++i) ASSERT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "");
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("alice")),
            "LimitExceededException: Attempt limit exceeded, please try after some time.");
  const std::string wrong = WrongCode();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", wrong)), kWrongCode);
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())),
            "TooManyFailedAttemptsException: Attempt limit exceeded, please try after some time.");
  EXPECT_TRUE(HasPassword("alice", kTestPassword));
}

TEST_F(Recovery, CodeOfAFormerAddressIsWorthless) {
  ASSERT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "");
  ASSERT_EQ(ErrorOf(operations::AdminUpdateUserAttributes,
                    AdminUpdateUserAttributesRequest{
                        .Username = "alice",
                        .UserAttributes = Attributes({{"email", "new@example.com"}, {"email_verified", "true"}})}),
            "");
  EXPECT_NE(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())), "");
  EXPECT_TRUE(HasPassword("alice", kTestPassword));
}

TEST_F(Recovery, WhereNothingIsDeliveredNothingIsChanged) {
  region_.can_deliver = false;
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("alice")),
            "CodeDeliveryFailureException: Messages cannot be delivered in this Region.");
  EXPECT_EQ(last_changes_, 0u);
}

TEST_F(Recovery, UsersWhoCannotResetAreToldWhyByDefault) {
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("nobody")), kUnknown);
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("nobody", "123456")), kUnknown);

  ASSERT_EQ(
      ErrorOf(operations::AdminCreateUser,
              AdminCreateUserRequest{.Username = "new",
                                     .UserAttributes = Attributes({{"email", "n@e.w"}, {"email_verified", "true"}})}),
      "");
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("new")),
            "NotAuthorizedException: User password cannot be reset in the current state.");
  MakeUser("unreachable");
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("unreachable")), kNoChannel);
  ASSERT_EQ(ErrorOf(operations::AdminDisableUser, AdminDisableUserRequest{.Username = "alice"}), "");
  EXPECT_EQ(ErrorOf(ForgotPassword, Forgot("alice")), "NotAuthorizedException: User is disabled.");
}

// Unknown, disabled, unreachable and not yet signed in: the same answers, the same limits, and a commit each.
TEST_F(Recovery, UsersWhoCannotResetAreHiddenOnRequest) {
  PreventExistenceErrors();
  MakeUser("disabled", Attributes({{"email", "d@e.f"}, {"email_verified", "true"}}));
  ASSERT_EQ(ErrorOf(operations::AdminDisableUser, AdminDisableUserRequest{.Username = "disabled"}), "");
  MakeUser("unreachable");
  ASSERT_EQ(ErrorOf(operations::AdminCreateUser,
                    AdminCreateUserRequest{.Username = "new", .MessageAction = MessageActionType::kSuppress}),
            "");
  const std::size_t sent = Outbox().size();
  for (const char* name : {"nobody", "disabled", "unreachable", "new"}) {
    EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation(name, "123456")), kNoCode) << name;
    for (int i = 0; i < 5; ++i) {
      const auto response = Run(ForgotPassword, Forgot(name));
      ASSERT_TRUE(response) << name << response.error().message;
      EXPECT_EQ(response->CodeDeliveryDetails->AttributeName, "email") << name;
      EXPECT_GT(last_changes_, 0u);
    }
    EXPECT_EQ(ErrorOf(ForgotPassword, Forgot(name)),
              "LimitExceededException: Attempt limit exceeded, please try after some time.");
    for (int i = 0; i < 5; ++i) EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation(name, "123456")), kWrongCode);
    EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation(name, "123456")),
              "TooManyFailedAttemptsException: Attempt limit exceeded, please try after some time.");
  }
  EXPECT_EQ(Outbox().size(), sent);
}

TEST_F(Recovery, DecoyOfAnAddressShowsThatAddress) {
  PreventExistenceErrors();
  const auto by_email = Run(ForgotPassword, Forgot("nobody@example.com"));
  EXPECT_EQ(by_email->CodeDeliveryDetails->Destination, "n***@e***");
  const auto by_phone = Run(ForgotPassword, Forgot("+491701234567"));
  EXPECT_EQ(by_phone->CodeDeliveryDetails->Destination, "+*******4567");
  EXPECT_EQ(by_phone->CodeDeliveryDetails->DeliveryMedium, DeliveryMediumType::kSms);
  SetRecovery({"verified_phone_number"});
  EXPECT_EQ(Run(ForgotPassword, Forgot("nobody"))->CodeDeliveryDetails->Destination->size(), 12u);
}

TEST_F(Recovery, AdministratorsResetRequiresTheCode) {
  ASSERT_EQ(ErrorOf(operations::AdminResetUserPassword, AdminResetUserPasswordRequest{.Username = "alice"}), "");
  EXPECT_EQ(UserNamed("alice").status(), pb::RESET_REQUIRED);
  EXPECT_EQ(ErrorOf(ConfirmForgotPassword, Confirmation("alice", LastCode())), "");
  EXPECT_EQ(UserNamed("alice").status(), pb::CONFIRMED);
}

}  // namespace
}  // namespace symbolon::cognito
