// What signed-in users do with their own account.
#include <fmt/format.h>

#include "auth/attribute_access.h"
#include "auth/codes.h"
#include "auth/password.h"
#include "cognito/app_client.h"
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

constexpr auto kVerifyAttribute = pb::PendingCode::VERIFY_ATTRIBUTE;

ApiResult<SharedClient> ClientOf(Call& call) { return FindClient(call, call.signed_in().client.value()); }

ApiResult<void> RequireVerifiable(const std::string& attribute) {
  if (attribute == "email" || attribute == "phone_number") return {};
  return Fail(ErrorCode::kInvalidParameterException, fmt::format("Attribute {} cannot be verified.", attribute));
}

}  // namespace

ApiResult<GetUserResponse> GetUser(Call& call, const GetUserRequest&) {
  SYMBOLON_TRY(const SharedClient client, ClientOf(call));
  const pb::UserRecord& user = *call.signed_in().user.record;
  MfaPreference mfa = DescribeMfa(user);
  GetUserResponse response{.Username = user.username(),
                           .UserAttributes = DescribeAttributes(user),
                           .PreferredMfaSetting = std::move(mfa.preferred),
                           .UserMFASettingList = std::move(mfa.enabled)};
  std::erase_if(response.UserAttributes,
                [&](const AttributeType& attribute) { return !auth::ClientMayRead(*client, attribute.Name); });
  return response;
}

ApiResult<UpdateUserAttributesResponse> UpdateUserAttributes(Call& call, const UpdateUserAttributesRequest& request) {
  SYMBOLON_TRY(const SharedClient client, ClientOf(call));
  SYMBOLON_TRY(auto sent,
               ChangeAttributes(call, call.signed_in().user.Copy(), client.get(), ToValues(request.UserAttributes)));
  UpdateUserAttributesResponse response;
  if (!sent.empty()) response.CodeDeliveryDetailsList = std::move(sent);
  return response;
}

ApiResult<DeleteUserAttributesResponse> DeleteUserAttributes(Call& call, const DeleteUserAttributesRequest& request) {
  SYMBOLON_TRY(const SharedClient client, ClientOf(call));
  auth::AttributeValues deletions;
  for (const std::string& name : request.UserAttributeNames) deletions[name].clear();
  SYMBOLON_TRY_VOID(ChangeAttributes(call, call.signed_in().user.Copy(), client.get(), deletions));
  return DeleteUserAttributesResponse{};
}

ApiResult<GetUserAttributeVerificationCodeResponse> GetUserAttributeVerificationCode(
    Call& call, const GetUserAttributeVerificationCodeRequest& request) {
  SYMBOLON_TRY_VOID(RequireVerifiable(request.AttributeName));
  User user = call.signed_in().user.Copy();
  const pb::UserRecord before = user.record;
  // A value that waits for its verification comes before the present one.
  Channel channel{.attribute = request.AttributeName, .value = {}};
  if (const auto* waiting = auth::FindCode(user.record, call.now(), kVerifyAttribute, request.AttributeName)) {
    channel.value = waiting->value();
  } else if (const auto present = user.record.attributes().find(request.AttributeName);
             present != user.record.attributes().end()) {
    channel.value = present->second;
  }
  if (channel.value.empty()) {
    return Fail(ErrorCode::kInvalidParameterException,
                fmt::format("User has no {} to be verified.", request.AttributeName));
  }
  SYMBOLON_TRY_VOID(RequireDelivery(call));
  SYMBOLON_TRY_VOID(AdmitCodeRequest(call, kVerifyAttribute, user.key));
  SYMBOLON_TRY(auto details, SendCode(call, user.record, kVerifyAttribute, channel, "VerifyUserAttribute"));
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return GetUserAttributeVerificationCodeResponse{.CodeDeliveryDetails = std::move(details)};
}

ApiResult<VerifyUserAttributeResponse> VerifyUserAttribute(Call& call, const VerifyUserAttributeRequest& request) {
  SYMBOLON_TRY_VOID(RequireVerifiable(request.AttributeName));
  User user = call.signed_in().user.Copy();
  const pb::UserRecord before = user.record;
  const auto code = auth::RedeemCode(call.tx(), call.env(), user.key, &user.record, kVerifyAttribute,
                                     request.AttributeName, request.Code);
  if (!code) {
    // A wrong guess is counted.
    call.CommitDespiteError();
    return Err(ToApiError(code.error(), ErrorCode::kLimitExceededException));
  }
  auto& attributes = *user.record.mutable_attributes();
  if (attributes[code->attribute()] != code->value()) {
    // The new value takes effect now; codes for the former one are good for nothing.
    auth::DropCodes(user.record, pb::PendingCode::RESET_PASSWORD, code->attribute());
    attributes[code->attribute()] = code->value();
  }
  attributes[code->attribute() + "_verified"] = "true";
  SYMBOLON_TRY_VOID(StoreUser(call, before, user, OnAliasConflict::kMove));
  return VerifyUserAttributeResponse{};
}

ApiResult<DeleteUserResponse> DeleteUser(Call& call, const DeleteUserRequest&) {
  directory::DeleteUser(call.tx(), call.pool(), call.signed_in().user.Copy());
  return DeleteUserResponse{};
}

ApiResult<ChangePasswordResponse> ChangePassword(Call& call, const ChangePasswordRequest& request) {
  User user = call.signed_in().user.Copy();
  const pb::UserRecord before = user.record;
  SYMBOLON_TRY_VOID(RequireOwnCredentials(user.record));
  if (user.record.status() == pb::RESET_REQUIRED)
    return Fail(ErrorCode::kPasswordResetRequiredException, "Password reset required for the user");
  SYMBOLON_TRY_VOID(CheckPasswordPolicy(call, request.ProposedPassword));
  // Whoever never had a password sets the first one.
  if (user.record.has_password()) {
    if (!request.PreviousPassword)
      return Fail(ErrorCode::kInvalidParameterException, "Missing required parameter PreviousPassword");
    if (!auth::MayGuessPassword(call.tx(), call.env(), user.key))
      return Fail(ErrorCode::kLimitExceededException, "Attempt limit exceeded, please try after some time.");
    if (!auth::PasswordMatches(call.pool_id(), &user.record, *request.PreviousPassword)) {
      auth::CountWrongPassword(call.tx(), call.env(), user.key);
      call.CommitDespiteError();
      return Fail(ErrorCode::kNotAuthorizedException, "Incorrect username or password.");
    }
  }
  auth::SetPassword(call.env(), call.pool_id(), user.record, request.ProposedPassword);
  auth::DropCodes(user.record, pb::PendingCode::RESET_PASSWORD, "");
  SYMBOLON_TRY_VOID(StoreUser(call, before, user));
  return ChangePasswordResponse{};
}

}  // namespace symbolon::cognito::operations
