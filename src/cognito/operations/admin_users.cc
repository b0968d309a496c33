// What administrators do with users and their attributes.
#include <fmt/format.h>

#include <algorithm>

#include "auth/activity.h"
#include "auth/codes.h"
#include "auth/disabling.h"
#include "auth/facts.h"
#include "auth/lockout.h"
#include "auth/password.h"
#include "cognito/call.h"
#include "cognito/code_delivery.h"
#include "cognito/user_shapes.h"
#include "cognito/user_writes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::OnAliasConflict;
using directory::User;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

// Where an invitation goes: the media that the caller names and the user has, by default the phone, else the e-mail
// address. InvalidParameterException when the user has none of the named ones.
ApiResult<std::vector<Channel>> InvitationChannels(const pb::UserRecord& user,
                                                   const std::optional<std::vector<DeliveryMediumType>>& asked) {
  std::vector<DeliveryMediumType> media = asked.value_or(std::vector<DeliveryMediumType>{});
  const bool named = !media.empty();
  if (!named) media = {DeliveryMediumType::kSms, DeliveryMediumType::kEmail};
  std::vector<Channel> channels;
  for (const DeliveryMediumType medium : media) {
    const std::string attribute = medium == DeliveryMediumType::kSms ? "phone_number" : "email";
    const auto value = user.attributes().find(attribute);
    const bool repeated = std::ranges::find(channels, attribute, &Channel::attribute) != channels.end();
    if (value == user.attributes().end() || repeated) continue;
    channels.push_back({.attribute = attribute, .value = value->second});
    if (!named) break;
  }
  if (named && channels.empty())
    return Fail(ErrorCode::kInvalidParameterException,
                "The user has no attribute for any of the desired delivery mediums.");
  return channels;
}

// Gives the user the temporary password of the request, or a random one, and sends it unless the caller says not to.
ApiResult<void> Invite(Call& call, User& user, const AdminCreateUserRequest& request) {
  std::vector<Channel> channels;
  if (request.MessageAction != MessageActionType::kSuppress) {
    SYMBOLON_TRY(channels, InvitationChannels(user.record, request.DesiredDeliveryMediums));
    if (!channels.empty()) SYMBOLON_TRY_VOID(RequireDelivery(call));
  }
  const pb::PasswordPolicy& policy = call.pool().password_policy();
  if (request.TemporaryPassword) SYMBOLON_TRY_VOID(CheckPasswordPolicy(call, *request.TemporaryPassword));
  const std::string password =
      request.TemporaryPassword ? *request.TemporaryPassword
                                : call.env().Once<std::string>("temporary password:" + policy.SerializeAsString(), [&] {
                                    return auth::NewTemporaryPassword(policy, call.env().random());
                                  });
  auth::SetTemporaryPassword(call.env(), call.pool_id(), policy, user.record, password);
  for (const Channel& channel : channels) SendInvitation(call, user.record, channel, password);
  return {};
}

ApiResult<AdminCreateUserResponse> InviteAgain(Call& call, const AdminCreateUserRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  if (user.record.status() != pb::FORCE_CHANGE_PASSWORD) {
    return Fail(ErrorCode::kUnsupportedUserStateException,
                fmt::format("Resend not possible. {} status is not FORCE_CHANGE_PASSWORD", request.Username));
  }
  const pb::UserRecord before = user.record;
  SYMBOLON_TRY_VOID(Invite(call, user, request));
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return AdminCreateUserResponse{.User = DescribeUser(call.tx(), user.record)};
}

}  // namespace

ApiResult<AdminCreateUserResponse> AdminCreateUser(Call& call, const AdminCreateUserRequest& request) {
  if (request.MessageAction == MessageActionType::kResend) return InviteAgain(call, request);
  SYMBOLON_TRY(User user, MakeUser(call, nullptr, request.Username, ToValues(request.UserAttributes)));
  SYMBOLON_TRY_VOID(Invite(call, user, request));
  SYMBOLON_TRY_VOID(StoreNewUser(
      call, user, request.ForceAliasCreation.value_or(false) ? OnAliasConflict::kMove : OnAliasConflict::kRefuse));
  return AdminCreateUserResponse{.User = DescribeUser(call.tx(), user.record)};
}

ApiResult<AdminGetUserResponse> AdminGetUser(Call& call, const AdminGetUserRequest& request) {
  SYMBOLON_TRY(const User user, FindKnownUser(call, request.Username));
  MfaPreference mfa = DescribeMfa(user.record);
  UserType shown = DescribeUser(call.tx(), user.record);
  return AdminGetUserResponse{.Username = user.record.username(),
                              .UserAttributes = std::move(shown.Attributes),
                              .UserCreateDate = shown.UserCreateDate,
                              .UserLastModifiedDate = shown.UserLastModifiedDate,
                              .Enabled = shown.Enabled,
                              .UserStatus = shown.UserStatus,
                              .PreferredMfaSetting = std::move(mfa.preferred),
                              .UserMFASettingList = std::move(mfa.enabled)};
}

ApiResult<AdminConfirmSignUpResponse> AdminConfirmSignUp(Call& call, const AdminConfirmSignUpRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  if (user.record.status() != pb::UNCONFIRMED) {
    return Fail(ErrorCode::kNotAuthorizedException, fmt::format("User cannot be confirmed. Current status is {}",
                                                                directory::StatusName(user.record.status())));
  }
  const pb::UserRecord before = user.record;
  user.record.set_status(pb::CONFIRMED);
  auth::DropCodes(user.record, pb::PendingCode::CONFIRM_SIGN_UP, "");
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return AdminConfirmSignUpResponse{};
}

ApiResult<AdminUpdateUserAttributesResponse> AdminUpdateUserAttributes(
    Call& call, const AdminUpdateUserAttributesRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  SYMBOLON_TRY_VOID(ChangeAttributes(call, std::move(user), nullptr, ToValues(request.UserAttributes)));
  return AdminUpdateUserAttributesResponse{};
}

ApiResult<AdminDeleteUserAttributesResponse> AdminDeleteUserAttributes(
    Call& call, const AdminDeleteUserAttributesRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  auth::AttributeValues deletions;
  for (const std::string& name : request.UserAttributeNames) deletions[name].clear();
  SYMBOLON_TRY_VOID(ChangeAttributes(call, std::move(user), nullptr, deletions));
  return AdminDeleteUserAttributesResponse{};
}

ApiResult<AdminEnableUserResponse> AdminEnableUser(Call& call, const AdminEnableUserRequest& request) {
  SYMBOLON_TRY(const User user, FindKnownUser(call, request.Username));
  auth::EnableUser(call.tx(), user.record, call.now());
  return AdminEnableUserResponse{};
}

ApiResult<AdminDisableUserResponse> AdminDisableUser(Call& call, const AdminDisableUserRequest& request) {
  SYMBOLON_TRY(const User user, FindKnownUser(call, request.Username));
  auth::DisableUser(call.tx(), call.env().region().region, user.key, user.record, call.now());
  return AdminDisableUserResponse{};
}

ApiResult<model::own::DescribeUserActivityResponse> DescribeUserActivity(
    Call& call, const model::own::DescribeUserActivityRequest& request) {
  SYMBOLON_TRY(const User user, FindKnownUser(call, request.Username));
  const auth::FailedAttempts failed = auth::FailedAttemptsOf(call.tx(), user.key, call.now());
  return model::own::DescribeUserActivityResponse{.Username = user.record.username(),
                                                  .Enabled = auth::IsEnabled(call.tx(), user.record),
                                                  .LastSignIn = auth::LastSignInOf(call.tx(), user.record),
                                                  .FailedAttempts = static_cast<std::int64_t>(failed.count),
                                                  .LockedUntil = failed.locked_until};
}

ApiResult<AdminDeleteUserResponse> AdminDeleteUser(Call& call, const AdminDeleteUserRequest& request) {
  SYMBOLON_TRY(const User user, FindExistingUser(call, request.Username));
  directory::DeleteUser(call.tx(), call.pool(), user);
  return AdminDeleteUserResponse{};
}

ApiResult<AdminSetUserPasswordResponse> AdminSetUserPassword(Call& call, const AdminSetUserPasswordRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  if (user.record.status() == pb::EXTERNAL_PROVIDER)
    return Fail(ErrorCode::kInvalidParameterException, "A federated user has no password.");
  SYMBOLON_TRY_VOID(CheckPasswordPolicy(call, request.Password));
  const pb::UserRecord before = user.record;
  if (request.Permanent.value_or(false)) {
    auth::SetPassword(call.env(), call.pool_id(), user.record, request.Password);
    user.record.set_status(pb::CONFIRMED);
  } else {
    auth::SetTemporaryPassword(call.env(), call.pool_id(), call.pool().password_policy(), user.record,
                               request.Password);
    user.record.set_status(pb::FORCE_CHANGE_PASSWORD);
  }
  auth::DropCodes(user.record, pb::PendingCode::RESET_PASSWORD, "");
  auth::DropCodes(user.record, pb::PendingCode::CONFIRM_SIGN_UP, "");
  RevokeTokens(user.record);
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return AdminSetUserPasswordResponse{};
}

ApiResult<AdminResetUserPasswordResponse> AdminResetUserPassword(Call& call,
                                                                 const AdminResetUserPasswordRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  if (!auth::IsEnabled(call.tx(), user.record)) return Fail(ErrorCode::kNotAuthorizedException, "User is disabled.");
  if (user.record.status() != pb::CONFIRMED && user.record.status() != pb::RESET_REQUIRED)
    return Fail(ErrorCode::kNotAuthorizedException, "User password cannot be reset in the current state.");
  const auto channel = RecoveryChannel(call.pool(), user.record);
  if (!channel) {
    return Fail(ErrorCode::kInvalidParameterException,
                "Cannot reset password for the user as there is no registered/verified email or phone_number");
  }
  const pb::UserRecord before = user.record;
  SYMBOLON_TRY_VOID(SendCode(call, user.record, pb::PendingCode::RESET_PASSWORD, *channel, "ForgotPassword"));
  user.record.set_status(pb::RESET_REQUIRED);
  RevokeTokens(user.record);
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return AdminResetUserPasswordResponse{};
}

}  // namespace symbolon::cognito::operations
