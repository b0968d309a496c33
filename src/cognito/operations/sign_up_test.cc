#include <gtest/gtest.h>

#include "auth/secret_hash.h"
#include "cognito/test_operations.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using namespace model::cognito;
using operations::ConfirmSignUp;
using operations::ResendConfirmationCode;
using operations::SignUp;

SignUpRequest NewUser(std::string username, std::vector<AttributeType> attributes = {}) {
  return {.ClientId = kTestClient,
          .Username = std::move(username),
          .Password = kTestPassword,
          .UserAttributes = std::move(attributes)};
}
ConfirmSignUpRequest Confirmation(std::string username, std::string code) {
  return {.ClientId = kTestClient, .Username = std::move(username), .ConfirmationCode = std::move(code)};
}
ResendConfirmationCodeRequest Resend(std::string username) {
  return {.ClientId = kTestClient, .Username = std::move(username)};
}

class SignUpTest : public OperationsTest {
 protected:
  void AutoVerify(std::initializer_list<const char*> attributes) {
    ChangePool([&](pb::PoolRecord& pool) {
      for (const char* attribute : attributes) pool.add_auto_verified_attributes(attribute);
    });
  }
  void PreventExistenceErrors() {
    ChangeClient([](pb::ClientRecord& client) { client.set_prevent_user_existence_errors(true); });
  }
};

TEST_F(SignUpTest, MakesAnUnconfirmedUserAndSendsACode) {
  AutoVerify({"email"});
  const auto response = Run(SignUp, NewUser("alice", Attributes({{"email", "alice@example.com"}, {"name", "Alice"}})));
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_FALSE(response->UserConfirmed);
  ASSERT_TRUE(response->CodeDeliveryDetails);
  EXPECT_EQ(response->CodeDeliveryDetails->AttributeName, "email");
  EXPECT_EQ(response->CodeDeliveryDetails->DeliveryMedium, DeliveryMediumType::kEmail);
  EXPECT_EQ(response->CodeDeliveryDetails->Destination, "a***@e***");

  const pb::UserRecord user = UserNamed("alice");
  EXPECT_EQ(user.sub(), response->UserSub);
  EXPECT_EQ(user.status(), pb::UNCONFIRMED);
  EXPECT_TRUE(user.enabled());
  EXPECT_EQ(user.attributes().at("email_verified"), "false");
  EXPECT_TRUE(HasPassword("alice", kTestPassword));

  const auto messages = Outbox();
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(messages[0].destination(), "alice@example.com");
  EXPECT_EQ(messages[0].text(), "Your confirmation code is " + messages[0].code());
  EXPECT_EQ(messages[0].reason(), "SignUp");
}

TEST_F(SignUpTest, CodeConfirmsUserAndAddress) {
  AutoVerify({"email"});
  ASSERT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"email", "alice@example.com"}}))), "");
  const std::string code = LastCode();
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", code)), "");
  EXPECT_EQ(UserNamed("alice").status(), pb::CONFIRMED);
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "true");
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", code)),
            "NotAuthorizedException: User cannot be confirmed. Current status is CONFIRMED");
}

TEST_F(SignUpTest, WithoutAutoVerificationNoCodeIsSent) {
  const auto response = Run(SignUp, NewUser("alice", Attributes({{"email", "alice@example.com"}})));
  ASSERT_TRUE(response);
  EXPECT_FALSE(response->CodeDeliveryDetails);
  EXPECT_TRUE(Outbox().empty());
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("alice")),
            "InvalidParameterException: Cannot resend codes. Auto verification not turned on.");
}

TEST_F(SignUpTest, PhoneComesBeforeEmail) {
  AutoVerify({"email", "phone_number"});
  ASSERT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"email", "a@b.c"}, {"phone_number", "+12065551234"}}))), "");
  EXPECT_EQ(Outbox().back().destination(), "+12065551234");
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", LastCode())), "");
  EXPECT_EQ(UserNamed("alice").attributes().at("phone_number_verified"), "true");
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "false");
}

TEST_F(SignUpTest, PoolsOwnWordsAreUsed) {
  AutoVerify({"email"});
  ChangePool([](pb::PoolRecord& pool) {
    pool.mutable_verification_message()->set_email_subject("Hello {username}");
    pool.mutable_verification_message()->set_email_message("{username}: <b>{####}</b>");
  });
  ASSERT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"email", "a@b.c"}}))), "");
  EXPECT_EQ(Outbox().back().subject(), "Hello alice");
  EXPECT_EQ(Outbox().back().text(), "alice: <b>" + LastCode() + "</b>");
}

TEST_F(SignUpTest, WhereNothingIsDeliveredNothingIsChanged) {
  AutoVerify({"email"});
  region_.can_deliver = false;
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"email", "a@b.c"}}))),
            "CodeDeliveryFailureException: Messages cannot be delivered in this Region.");
  EXPECT_EQ(last_changes_, 0u);
  EXPECT_FALSE(Exists("alice"));
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice")), "");  // without an address no code is due
}

struct RefusedSignUp {
  const char* what;
  SignUpRequest request;
  const char* error;
};

TEST_F(SignUpTest, BadOnesAreRefused) {
  ASSERT_EQ(ErrorOf(SignUp, NewUser("taken")), "");
  SignUpRequest without_password = NewUser("alice");
  without_password.Password.reset();
  SignUpRequest weak = NewUser("alice");
  weak.Password = "short";
  SignUpRequest foreign_client = NewUser("alice");
  foreign_client.ClientId = "nosuchclient";
  SignUpRequest hashed = NewUser("alice");
  hashed.SecretHash = "abc=";
  for (const RefusedSignUp& refused : std::initializer_list<RefusedSignUp>{
           {"taken", NewUser("taken"), "UsernameExistsException: User already exists"},
           {"no password", without_password,
            "InvalidParameterException: 1 validation error detected: Value null at 'password' failed to satisfy "
            "constraint: Member must not be null"},
           {"weak", weak, "InvalidPasswordException: Password did not conform with policy: Password not long enough"},
           {"client", foreign_client, "ResourceNotFoundException: User pool client nosuchclient does not exist."},
           {"hash", hashed,
            "NotAuthorizedException: Unable to verify secret hash for client client1client1client1clien"},
           {"email", NewUser("alice", Attributes({{"email", "alice"}})),
            "InvalidParameterException: Invalid email address format."},
           {"phone", NewUser("alice", Attributes({{"phone_number", "0123"}})),
            "InvalidParameterException: Invalid phone number format."},
           {"unknown attribute", NewUser("alice", Attributes({{"custom:x", "1"}})),
            "InvalidParameterException: Attributes did not conform to the schema: custom:x: Attribute does not exist "
            "in "
            "the schema.\n"},
           {"verified flag", NewUser("alice", Attributes({{"email", "a@b.c"}, {"email_verified", "true"}})),
            "NotAuthorizedException: A client attempted to write unauthorized attribute"},
       }) {
    EXPECT_EQ(ErrorOf(SignUp, refused.request), refused.error) << refused.what;
  }
  EXPECT_FALSE(Exists("alice"));
}

TEST_F(SignUpTest, ClosedPoolRefusesEverybody) {
  ChangePool([](pb::PoolRecord& pool) { pool.set_admin_create_only(true); });
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice")), "NotAuthorizedException: SignUp is not permitted for this user pool");
}

TEST_F(SignUpTest, ClientWithSecretNeedsItsHash) {
  ChangeClient([](pb::ClientRecord& client) { client.add_secrets("the secret"); });
  SignUpRequest request = NewUser("alice");
  EXPECT_EQ(ErrorOf(SignUp, request),
            "NotAuthorizedException: Client client1client1client1clien is configured with secret but SECRET_HASH was "
            "not received");
  request.SecretHash = auth::SecretHashOf("the secret", "alice", kTestClient);
  EXPECT_EQ(ErrorOf(SignUp, request), "");
}

TEST_F(SignUpTest, NamesDifferByCaseWhereThePoolSaysSo) {
  ASSERT_EQ(ErrorOf(SignUp, NewUser("alice")), "");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("Alice")), "");
  ChangePool([](pb::PoolRecord& pool) { pool.set_case_sensitive(false); });
  ASSERT_EQ(ErrorOf(SignUp, NewUser("Bob")), "");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("bOB")), "UsernameExistsException: User already exists");
}

class SignUpByAddress : public SignUpTest {
 protected:
  SignUpByAddress() {
    ChangePool([](pb::PoolRecord& pool) {
      pool.add_username_attributes("email");
      pool.add_auto_verified_attributes("email");
    });
  }
};

TEST_F(SignUpByAddress, UserIsNamedByTheSubAndFoundByTheAddress) {
  const auto response = Run(SignUp, NewUser("alice@example.com"));
  ASSERT_TRUE(response) << response.error().message;
  const pb::UserRecord user = UserNamed("alice@example.com");
  EXPECT_EQ(user.username(), user.sub());
  EXPECT_EQ(user.sub(), response->UserSub);
  EXPECT_EQ(user.attributes().at("email"), "alice@example.com");
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice@example.com", LastCode())), "");
  EXPECT_EQ(UserNamed(user.sub()).status(), pb::CONFIRMED);
}

TEST_F(SignUpByAddress, AddressIsTakenAtOnceAlsoByAnUnconfirmedUser) {
  ASSERT_EQ(ErrorOf(SignUp, NewUser("alice@example.com")), "");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice@example.com")),
            "UsernameExistsException: An account with the given email already exists.");
}

TEST_F(SignUpByAddress, OtherNamesAreRefused) {
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice")), "InvalidParameterException: Username should be an email.");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice@example.com", Attributes({{"email", "bob@example.com"}}))),
            "InvalidParameterException: Username and email differ.");
  ChangePool([](pb::PoolRecord& pool) { pool.add_username_attributes("phone_number"); });
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice")),
            "InvalidParameterException: Username should be either an email or a phone number.");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("+12065551234")), "");
  EXPECT_EQ(UserNamed("+12065551234").attributes().at("phone_number"), "+12065551234");
}

class SignUpWithAliases : public SignUpTest {
 protected:
  SignUpWithAliases() {
    ChangePool([](pb::PoolRecord& pool) {
      for (const char* attribute : {"email", "phone_number", "preferred_username"})
        pool.add_alias_attributes(attribute);
      pool.add_auto_verified_attributes("email");
    });
  }
  void SignUpAndConfirm(const std::string& name, const char* email) {
    ASSERT_EQ(ErrorOf(SignUp, NewUser(name, Attributes({{"email", email}}))), "");
    ASSERT_EQ(ErrorOf(ConfirmSignUp, Confirmation(name, LastCode())), "");
  }
};

TEST_F(SignUpWithAliases, AliasIsActiveOnceVerified) {
  ASSERT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"email", "a@b.c"}}))), "");
  EXPECT_FALSE(Exists("a@b.c"));
  ASSERT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", LastCode())), "");
  EXPECT_EQ(UserNamed("a@b.c").username(), "alice");
}

TEST_F(SignUpWithAliases, TakenAliasIsRefusedOrMoved) {
  SignUpAndConfirm("alice", "a@b.c");
  ASSERT_EQ(ErrorOf(SignUp, NewUser("bob", Attributes({{"email", "a@b.c"}}))), "");
  ConfirmSignUpRequest confirmation = Confirmation("bob", LastCode());
  EXPECT_EQ(ErrorOf(ConfirmSignUp, confirmation), "AliasExistsException: An account with the email already exists.");
  EXPECT_EQ(UserNamed("bob").status(), pb::UNCONFIRMED);
  confirmation.ForceAliasCreation = true;
  EXPECT_EQ(ErrorOf(ConfirmSignUp, confirmation), "");
  EXPECT_EQ(UserNamed("a@b.c").username(), "bob");
  EXPECT_EQ(UserNamed("alice").attributes().at("email_verified"), "false");
}

TEST_F(SignUpWithAliases, NamesThatLookLikeAliasesAreRefused) {
  EXPECT_EQ(ErrorOf(SignUp, NewUser("a@b.c")),
            "InvalidParameterException: Username cannot be of email format, since user pool is configured for email "
            "alias.");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("+12065551234")),
            "InvalidParameterException: Username cannot be of phone number format, since user pool is configured for "
            "phone number alias.");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"preferred_username", "ally"}}))),
            "InvalidParameterException: Preferred username cannot be provided for unconfirmed account, since user pool "
            "is configured for preferred username alias.");
}

TEST_F(SignUpWithAliases, NobodyTakesAnothersPreferredUsernameOrSub) {
  SignUpAndConfirm("alice", "a@b.c");
  ASSERT_EQ(ErrorOf(operations::AdminUpdateUserAttributes,
                    AdminUpdateUserAttributesRequest{.Username = "alice",
                                                     .UserAttributes = Attributes({{"preferred_username", "ally"}})}),
            "");
  EXPECT_EQ(ErrorOf(SignUp, NewUser("ally")), "UsernameExistsException: User already exists");
  EXPECT_EQ(ErrorOf(SignUp, NewUser(UserNamed("alice").sub())), "UsernameExistsException: User already exists");
}

class Confirmations : public SignUpTest {
 protected:
  Confirmations() {
    AutoVerify({"email"});
    EXPECT_EQ(ErrorOf(SignUp, NewUser("alice", Attributes({{"email", "a@b.c"}}))), "");
  }
};

TEST_F(Confirmations, WrongCodesAreCountedAndBounded) {
  const std::string wrong = WrongCode();
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", wrong)),
              "CodeMismatchException: Invalid verification code provided, please try again.");
    EXPECT_EQ(last_changes_, 1u);
  }
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", LastCode())),
            "TooManyFailedAttemptsException: Attempt limit exceeded, please try after some time.");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", LastCode())), "");
}

TEST_F(Confirmations, CodeExpires) {
  clock_.Advance(std::chrono::hours(24));
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", LastCode())),
            "ExpiredCodeException: Invalid code provided, please request a code again.");
}

TEST_F(Confirmations, SessionThatNobodyGaveIsRefused) {
  ConfirmSignUpRequest request = Confirmation("alice", LastCode());
  request.Session = "AYABeC1-Y8qooiuysEv0uM4wAqQAHQAB";
  EXPECT_EQ(ErrorOf(ConfirmSignUp, request), "NotAuthorizedException: Invalid session for the user.");
}

TEST_F(Confirmations, AnotherCodeReplacesTheFirst) {
  const std::string first = LastCode();
  const auto response = Run(ResendConfirmationCode, Resend("alice"));
  ASSERT_TRUE(response);
  EXPECT_EQ(response->CodeDeliveryDetails->Destination, "a***@b***");
  EXPECT_EQ(Outbox().back().reason(), "ResendCode");
  EXPECT_NE(ErrorOf(ConfirmSignUp, Confirmation("alice", first)), "");
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("alice", LastCode())), "");
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("alice")), "InvalidParameterException: User is already confirmed.");
}

TEST_F(Confirmations, RequestsForCodesAreBounded) {
  for (int i = 0; i < 5; ++i) EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("alice")), "");
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("alice")),
            "LimitExceededException: Attempt limit exceeded, please try after some time.");
  clock_.Advance(std::chrono::hours(1));
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("alice")), "");
}

TEST_F(Confirmations, UnknownNamesAreToldByDefault) {
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("nobody", "123456")),
            "UserNotFoundException: Username/client id combination not found.");
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("nobody")),
            "UserNotFoundException: Username/client id combination not found.");
}

TEST_F(Confirmations, UnknownNamesAreHiddenOnRequest) {
  PreventExistenceErrors();
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("nobody", "123456")),
            "ExpiredCodeException: Invalid code provided, please request a code again.");
  const auto first = Run(ResendConfirmationCode, Resend("nobody"));
  const auto second = Run(ResendConfirmationCode, Resend("nobody"));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->CodeDeliveryDetails->Destination, second->CodeDeliveryDetails->Destination);
  EXPECT_EQ(first->CodeDeliveryDetails->AttributeName, "email");
  EXPECT_EQ(first->CodeDeliveryDetails->Destination->size(), 9u);
  EXPECT_EQ(Outbox().size(), 1u);  // alice's
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("nobody", "123456")),
              "CodeMismatchException: Invalid verification code provided, please try again.");
  }
  EXPECT_EQ(ErrorOf(ConfirmSignUp, Confirmation("nobody", "123456")),
            "TooManyFailedAttemptsException: Attempt limit exceeded, please try after some time.");
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("nobody")), "");
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("nobody")),
            "LimitExceededException: Attempt limit exceeded, please try after some time.");
}

TEST_F(Confirmations, UserWithoutAddressIsHiddenToo) {
  ASSERT_EQ(ErrorOf(SignUp, NewUser("carol")), "");
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("carol")),
            "InvalidParameterException: User has no attribute to which a code can be sent.");
  PreventExistenceErrors();
  EXPECT_EQ(ErrorOf(ResendConfirmationCode, Resend("carol")), "");
}

}  // namespace
}  // namespace symbolon::cognito
