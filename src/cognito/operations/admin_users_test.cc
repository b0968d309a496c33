#include <gtest/gtest.h>

#include "cognito/test_operations.h"
#include "directory/groups.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using namespace model::cognito;
using namespace operations;

AdminCreateUserRequest Creation(std::string username,
                                std::initializer_list<std::pair<const char*, const char*>> attributes = {}) {
  return {.Username = std::move(username), .UserAttributes = Attributes(attributes)};
}
AdminSetUserPasswordRequest PasswordOf(std::string username, std::string password, bool permanent) {
  return {.Username = std::move(username), .Password = std::move(password), .Permanent = permanent};
}
AdminUpdateUserAttributesRequest Update(std::string username,
                                        std::initializer_list<std::pair<const char*, const char*>> attributes) {
  return {.Username = std::move(username), .UserAttributes = Attributes(attributes)};
}

class AdminUsers : public OperationsTest {};

TEST_F(AdminUsers, NewUserIsInvitedWithATemporaryPassword) {
  const auto response = Run(AdminCreateUser, Creation("alice", {{"email", "alice@example.com"}, {"name", "Alice"}}));
  ASSERT_TRUE(response) << response.error().message;
  const UserType& shown = *response->User;
  EXPECT_EQ(shown.Username, "alice");
  EXPECT_EQ(shown.UserStatus, UserStatusType::kForceChangePassword);
  EXPECT_EQ(shown.Enabled, true);
  EXPECT_EQ(shown.UserCreateDate, clock_.Now());
  EXPECT_EQ(Find(shown.Attributes, "name"), "Alice");
  EXPECT_EQ(Find(shown.Attributes, "sub"), UserNamed("alice").sub());

  const auto messages = Outbox();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].destination(), "alice@example.com");
  EXPECT_EQ(messages[0].subject(), "Your temporary password");
  EXPECT_EQ(messages[0].text(), "Your username is alice and temporary password is " + messages[0].code() + ".");
  EXPECT_TRUE(HasPassword("alice", messages[0].code()));
  EXPECT_EQ(UserNamed("alice").temporary_password_expires_micros(), ToMicros(clock_.Now() + std::chrono::days(7)));
}

TEST_F(AdminUsers, InvitationUsesThePoolsWordsAndTheNamedMedia) {
  ChangePool([](pb::PoolRecord& pool) {
    pool.mutable_invitation_message()->set_sms_message("{username}/{####}");
    pool.mutable_invitation_message()->set_email_subject("Welcome, {username}");
  });
  AdminCreateUserRequest request = Creation("alice", {{"email", "a@b.c"}, {"phone_number", "+12065551234"}});
  request.TemporaryPassword = kTestPassword;
  request.DesiredDeliveryMediums = {DeliveryMediumType::kSms, DeliveryMediumType::kEmail, DeliveryMediumType::kSms};
  ASSERT_EQ(ErrorOf(AdminCreateUser, request), "");
  const auto messages = Outbox();
  ASSERT_EQ(messages.size(), 2u);
  for (const auto& message : messages) {
    const bool sms = message.medium() == "phone_number";
    EXPECT_EQ(message.text(),
              sms ? std::string("alice/") + kTestPassword
                  : std::string("Your username is alice and temporary password is ") + kTestPassword + ".");
    EXPECT_EQ(message.subject(), sms ? "" : "Welcome, alice");
  }
  EXPECT_TRUE(HasPassword("alice", kTestPassword));
}

TEST_F(AdminUsers, InvitationGoesToThePhoneByDefault) {
  ASSERT_EQ(ErrorOf(AdminCreateUser, Creation("alice", {{"email", "a@b.c"}, {"phone_number", "+12065551234"}})), "");
  ASSERT_EQ(Outbox().size(), 1u);
  EXPECT_EQ(Outbox()[0].destination(), "+12065551234");
}

TEST_F(AdminUsers, UndeliverableInvitations) {
  AdminCreateUserRequest request = Creation("alice", {{"email", "a@b.c"}});
  request.DesiredDeliveryMediums = {DeliveryMediumType::kSms};
  EXPECT_EQ(ErrorOf(AdminCreateUser, request),
            "InvalidParameterException: The user has no attribute for any of the desired delivery mediums.");
  region_.can_deliver = false;
  request.DesiredDeliveryMediums.reset();
  EXPECT_EQ(ErrorOf(AdminCreateUser, request),
            "CodeDeliveryFailureException: Messages cannot be delivered in this Region.");
  EXPECT_FALSE(Exists("alice"));
  request.MessageAction = MessageActionType::kSuppress;
  EXPECT_EQ(ErrorOf(AdminCreateUser, request), "");
  EXPECT_EQ(ErrorOf(AdminCreateUser, Creation("nowhere")), "");
  EXPECT_TRUE(Outbox().empty());
}

TEST_F(AdminUsers, InvitedAgainWithAFreshPassword) {
  ASSERT_EQ(ErrorOf(AdminCreateUser, Creation("alice", {{"email", "a@b.c"}})), "");
  const std::string first = LastCode();
  clock_.Advance(std::chrono::days(8));
  AdminCreateUserRequest again = Creation("alice");
  again.MessageAction = MessageActionType::kResend;
  ASSERT_EQ(ErrorOf(AdminCreateUser, again), "");
  EXPECT_EQ(Outbox().size(), 2u);
  EXPECT_FALSE(HasPassword("alice", first));
  EXPECT_TRUE(HasPassword("alice", LastCode()));
  EXPECT_EQ(UserNamed("alice").temporary_password_expires_micros(), ToMicros(clock_.Now() + std::chrono::days(7)));

  ASSERT_EQ(ErrorOf(AdminSetUserPassword, PasswordOf("alice", kTestPassword, true)), "");
  EXPECT_EQ(ErrorOf(AdminCreateUser, again),
            "UnsupportedUserStateException: Resend not possible. alice status is not FORCE_CHANGE_PASSWORD");
  again.Username = "nobody";
  EXPECT_EQ(ErrorOf(AdminCreateUser, again), "UserNotFoundException: User does not exist.");
}

TEST_F(AdminUsers, BadCreationsAreRefused) {
  ASSERT_EQ(ErrorOf(AdminCreateUser, Creation("taken")), "");
  EXPECT_EQ(ErrorOf(AdminCreateUser, Creation("taken")), "UsernameExistsException: User already exists");
  AdminCreateUserRequest weak = Creation("alice");
  weak.TemporaryPassword = "weak";
  EXPECT_EQ(ErrorOf(AdminCreateUser, weak),
            "InvalidPasswordException: Password did not conform with policy: Password not long enough");
  EXPECT_EQ(ErrorOf(AdminCreateUser, Creation("alice", {{"email_verified", "true"}})),
            "InvalidParameterException: Email is required to verify/un-verify an email");
  EXPECT_FALSE(Exists("alice"));
}

TEST_F(AdminUsers, AliasOfAnotherIsRefusedOrMoved) {
  ChangePool([](pb::PoolRecord& pool) { pool.add_alias_attributes("email"); });
  ASSERT_EQ(ErrorOf(AdminCreateUser, Creation("alice", {{"email", "a@b.c"}, {"email_verified", "true"}})), "");
  AdminCreateUserRequest bob = Creation("bob", {{"email", "a@b.c"}, {"email_verified", "true"}});
  EXPECT_EQ(ErrorOf(AdminCreateUser, bob), "UsernameExistsException: An account with the given email already exists.");
  bob.ForceAliasCreation = true;
  EXPECT_EQ(ErrorOf(AdminCreateUser, bob), "");
  EXPECT_EQ(UserNamed("a@b.c").username(), "bob");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email_verified", "true"}})),
            "AliasExistsException: An account with the email already exists.");
}

TEST_F(AdminUsers, ShowsAUserByNameAndSub) {
  MakeUser("alice", Attributes({{"email", "a@b.c"}}));
  const std::string sub = UserNamed("alice").sub();
  for (const std::string& name : {std::string("alice"), sub}) {
    const auto response = Run(AdminGetUser, AdminGetUserRequest{.Username = name});
    ASSERT_TRUE(response);
    EXPECT_EQ(response->Username, "alice");
    EXPECT_EQ(response->UserStatus, UserStatusType::kConfirmed);
    EXPECT_EQ(response->Enabled, true);
    EXPECT_EQ(Find(response->UserAttributes, "email_verified"), "false");
    EXPECT_LT(*response->UserCreateDate, *response->UserLastModifiedDate);
  }
  EXPECT_EQ(ErrorOf(AdminGetUser, AdminGetUserRequest{.Username = "nobody"}),
            "UserNotFoundException: User does not exist.");
}

TEST_F(AdminUsers, PasswordIsTemporaryUnlessPermanent) {
  ASSERT_EQ(ErrorOf(AdminCreateUser, Creation("alice")), "");
  const std::uint64_t generation = UserNamed("alice").token_generation();
  EXPECT_EQ(ErrorOf(AdminSetUserPassword, PasswordOf("alice", "weak", true)),
            "InvalidPasswordException: Password did not conform with policy: Password not long enough");
  ASSERT_EQ(ErrorOf(AdminSetUserPassword, PasswordOf("alice", kTestPassword, true)), "");
  EXPECT_EQ(UserNamed("alice").status(), pb::CONFIRMED);
  EXPECT_EQ(UserNamed("alice").temporary_password_expires_micros(), 0);
  EXPECT_EQ(UserNamed("alice").token_generation(), generation + 1);
  ASSERT_EQ(ErrorOf(AdminSetUserPassword, PasswordOf("alice", "Another-Horse-7", false)), "");
  EXPECT_EQ(UserNamed("alice").status(), pb::FORCE_CHANGE_PASSWORD);
  EXPECT_NE(UserNamed("alice").temporary_password_expires_micros(), 0);
  EXPECT_TRUE(HasPassword("alice", "Another-Horse-7"));
}

TEST_F(AdminUsers, ConfirmsASignUpWithoutVerifyingAnything) {
  ASSERT_EQ(ErrorOf(SignUp, SignUpRequest{.ClientId = kTestClient,
                                          .Username = "alice",
                                          .Password = kTestPassword,
                                          .UserAttributes = Attributes({{"email", "a@b.c"}})}),
            "");
  const AdminConfirmSignUpRequest request{.Username = "alice"};
  EXPECT_EQ(ErrorOf(AdminConfirmSignUp, request), "");
  EXPECT_EQ(UserNamed("alice").status(), pb::CONFIRMED);
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "false");
  EXPECT_EQ(ErrorOf(AdminConfirmSignUp, request),
            "NotAuthorizedException: User cannot be confirmed. Current status is CONFIRMED");
}

TEST_F(AdminUsers, DisablesAndEnables) {
  MakeUser("alice");
  const auto shown = [&] { return *Run(AdminGetUser, AdminGetUserRequest{.Username = "alice"}); };
  const AdminDisableUserRequest disable{.Username = "alice"};
  const AdminEnableUserRequest enable{.Username = "alice"};
  ASSERT_EQ(ErrorOf(AdminEnableUser, enable), "");
  EXPECT_EQ(last_changes_, 0u);

  clock_.Advance(std::chrono::hours(1));
  ASSERT_EQ(ErrorOf(AdminDisableUser, disable), "");
  const Timestamp disabled_at = clock_.Now();
  EXPECT_EQ(shown().Enabled, false);
  EXPECT_EQ(shown().UserLastModifiedDate, disabled_at);
  ASSERT_EQ(ErrorOf(AdminDisableUser, disable), "");
  EXPECT_EQ(ErrorOf(AdminResetUserPassword, AdminResetUserPasswordRequest{.Username = "alice"}),
            "NotAuthorizedException: User is disabled.");

  clock_.Advance(std::chrono::hours(1));
  ASSERT_EQ(ErrorOf(AdminEnableUser, enable), "");
  const Timestamp enabled_at = clock_.Now();
  EXPECT_EQ(shown().Enabled, true);
  EXPECT_EQ(shown().UserLastModifiedDate, enabled_at);
}

TEST_F(AdminUsers, ActivityTellsTheLastSignInAndTheLock) {
  ChangeClient([](pb::ClientRecord& client) { client.add_explicit_auth_flows("ALLOW_USER_PASSWORD_AUTH"); });
  MakeUser("alice");
  const auto activity = [&] {
    return *Run(DescribeUserActivity, model::own::DescribeUserActivityRequest{.Username = "alice"});
  };
  EXPECT_EQ(activity().Username, "alice");
  EXPECT_TRUE(activity().Enabled);
  EXPECT_FALSE(activity().LastSignIn);
  EXPECT_EQ(activity().FailedAttempts, 0);
  const InitiateAuthRequest sign_in{.AuthFlow = AuthFlowType::kUserPasswordAuth,
                                    .AuthParameters = {{{"USERNAME", "alice"}, {"PASSWORD", "wrong"}}},
                                    .ClientId = kTestClient};
  for (int i = 0; i < 5; ++i) EXPECT_NE(ErrorOf(InitiateAuth, sign_in), "");
  EXPECT_EQ(activity().FailedAttempts, 5);
  EXPECT_EQ(activity().LockedUntil, std::chrono::floor<std::chrono::seconds>(clock_.Now()) + std::chrono::seconds(1));
  clock_.Advance(std::chrono::seconds(1));
  EXPECT_FALSE(activity().LockedUntil);
  EXPECT_EQ(activity().FailedAttempts, 5);
  InitiateAuthRequest right = sign_in;
  (*right.AuthParameters)["PASSWORD"] = kTestPassword;
  EXPECT_EQ(ErrorOf(InitiateAuth, right), "");
  EXPECT_EQ(activity().FailedAttempts, 0);
  EXPECT_LT(clock_.Now() - *activity().LastSignIn, std::chrono::seconds(1));
  const auto error = ErrorOf(DescribeUserActivity, model::own::DescribeUserActivityRequest{.Username = "nobody"});
  EXPECT_EQ(error, "UserNotFoundException: User does not exist.");
}

TEST_F(AdminUsers, NamesakeOfADeletedDisabledUserIsEnabled) {
  MakeUser("alice");
  ASSERT_EQ(ErrorOf(AdminDisableUser, AdminDisableUserRequest{.Username = "alice"}), "");
  ASSERT_EQ(ErrorOf(AdminDeleteUser, AdminDeleteUserRequest{.Username = "alice"}), "");
  MakeUser("alice");
  EXPECT_EQ(Run(AdminGetUser, AdminGetUserRequest{.Username = "alice"})->Enabled, true);
}

TEST_F(AdminUsers, DeletedUserLeavesNameAndGroupsFree) {
  MakeUser("alice");
  ASSERT_EQ(ErrorOf(CreateGroup, CreateGroupRequest{.GroupName = "staff"}), "");
  ASSERT_EQ(ErrorOf(AdminAddUserToGroup, AdminAddUserToGroupRequest{.Username = "alice", .GroupName = "staff"}), "");
  const std::string sub = UserNamed("alice").sub();
  ASSERT_EQ(ErrorOf(AdminDeleteUser, AdminDeleteUserRequest{.Username = sub}), "");
  EXPECT_FALSE(Exists("alice"));
  MakeUser("alice");
  EXPECT_NE(UserNamed("alice").sub(), sub);
  EXPECT_TRUE(Run(AdminListGroupsForUser, AdminListGroupsForUserRequest{.Username = "alice"})->Groups->empty());
}

TEST_F(AdminUsers, WritesFlagsAndVerifiedAddressesAtOnce) {
  ChangePool([](pb::PoolRecord& pool) {
    pool.add_auto_verified_attributes("email");
    pool.add_verify_before_update("email");
  });
  MakeUser("alice", Attributes({{"email", "a@b.c"}}));
  ASSERT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email_verified", "TRUE"}})), "");
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "true");
  ASSERT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email", "d@e.f"}, {"email_verified", "true"}})), "");
  EXPECT_EQ(UserNamed("alice").attributes().at("email"), "d@e.f");
  EXPECT_TRUE(Outbox().empty());

  ASSERT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email", "g@h.i"}})), "");
  EXPECT_EQ(UserNamed("alice").attributes().at("email"), "d@e.f");
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "true");
  ASSERT_EQ(Outbox().size(), 1u);
  EXPECT_EQ(Outbox()[0].destination(), "g@h.i");
}

TEST_F(AdminUsers, ChangedAddressWithoutTheFlagIsUnverifiedAndGetsACode) {
  ChangePool([](pb::PoolRecord& pool) { pool.add_auto_verified_attributes("email"); });
  MakeUser("alice", Attributes({{"email", "a@b.c"}, {"email_verified", "true"}}));
  ASSERT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email", "d@e.f"}})), "");
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "false");
  EXPECT_EQ(Outbox().size(), 1u);
  ASSERT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email", "g@h.i"}, {"email_verified", "false"}})), "");
  EXPECT_EQ(Outbox().size(), 1u);
}

TEST_F(AdminUsers, PreferredUsernameIsNobodyElsesName) {
  ChangePool([](pb::PoolRecord& pool) { pool.add_alias_attributes("preferred_username"); });
  MakeUser("alice");
  MakeUser("bob");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"preferred_username", "bob"}})),
            "AliasExistsException: An account with the preferred_username already exists.");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"preferred_username", "ally"}})), "");
  EXPECT_EQ(UserNamed("ally").username(), "alice");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"preferred_username", "ally"}})), "");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("bob", {{"preferred_username", "ally"}})),
            "AliasExistsException: An account with the preferred_username already exists.");
}

TEST_F(AdminUsers, PreferredUsernameLooksLikeNoAddress) {
  ChangePool([](pb::PoolRecord& pool) {
    for (const char* alias : {"preferred_username", "email"}) pool.add_alias_attributes(alias);
  });
  MakeUser("mallory");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("mallory", {{"preferred_username", "victim@example.com"}})),
            "InvalidParameterException: Preferred username cannot be of email format, since user pool is configured "
            "for email alias.");
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("mallory", {{"preferred_username", "+491234567"}})), "");
}

TEST_F(AdminUsers, DeletesAttributes) {
  MakeUser("alice", Attributes({{"email", "a@b.c"}, {"name", "Alice"}}));
  ASSERT_EQ(ErrorOf(AdminDeleteUserAttributes,
                    AdminDeleteUserAttributesRequest{.Username = "alice", .UserAttributeNames = {"name", "email"}}),
            "");
  EXPECT_EQ(UserNamed("alice").attributes_size(), 0);
  EXPECT_EQ(ErrorOf(AdminDeleteUserAttributes,
                    AdminDeleteUserAttributesRequest{.Username = "alice", .UserAttributeNames = {"sub"}}),
            "InvalidParameterException: user.sub: Attribute cannot be updated.\n");
}

TEST_F(AdminUsers, ResetNeedsAStateAndAnAddress) {
  ASSERT_EQ(ErrorOf(AdminCreateUser, Creation("alice")), "");
  const AdminResetUserPasswordRequest request{.Username = "alice"};
  EXPECT_EQ(ErrorOf(AdminResetUserPassword, request),
            "NotAuthorizedException: User password cannot be reset in the current state.");
  ASSERT_EQ(ErrorOf(AdminSetUserPassword, PasswordOf("alice", kTestPassword, true)), "");
  EXPECT_EQ(ErrorOf(AdminResetUserPassword, request),
            "InvalidParameterException: Cannot reset password for the user as there is no registered/verified email or "
            "phone_number");
  ASSERT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("alice", {{"email", "a@b.c"}, {"email_verified", "true"}})), "");
  const std::uint64_t generation = UserNamed("alice").token_generation();
  EXPECT_EQ(ErrorOf(AdminResetUserPassword, request), "");
  EXPECT_EQ(UserNamed("alice").token_generation(), generation + 1);
  EXPECT_EQ(UserNamed("alice").status(), pb::RESET_REQUIRED);
}

TEST_F(AdminUsers, UnknownUsersAreToldEverywhere) {
  constexpr const char* kUnknown = "UserNotFoundException: User does not exist.";
  EXPECT_EQ(ErrorOf(AdminSetUserPassword, PasswordOf("nobody", kTestPassword, true)), kUnknown);
  EXPECT_EQ(ErrorOf(AdminConfirmSignUp, AdminConfirmSignUpRequest{.Username = "nobody"}), kUnknown);
  EXPECT_EQ(ErrorOf(AdminUpdateUserAttributes, Update("nobody", {{"name", "x"}})), kUnknown);
  EXPECT_EQ(ErrorOf(AdminEnableUser, AdminEnableUserRequest{.Username = "nobody"}), kUnknown);
  EXPECT_EQ(ErrorOf(AdminDisableUser, AdminDisableUserRequest{.Username = "nobody"}), kUnknown);
  EXPECT_EQ(ErrorOf(AdminDeleteUser, AdminDeleteUserRequest{.Username = "nobody"}), kUnknown);
  EXPECT_EQ(ErrorOf(AdminResetUserPassword, AdminResetUserPasswordRequest{.Username = "nobody"}), kUnknown);
}

}  // namespace
}  // namespace symbolon::cognito
