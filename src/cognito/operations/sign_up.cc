// Users who register themselves: sign-up, its confirmation by a code, another code.
#include <fmt/format.h>

#include "auth/codes.h"
#include "auth/counting_key.h"
#include "auth/password.h"
#include "cognito/app_client.h"
#include "cognito/call.h"
#include "cognito/code_delivery.h"
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

constexpr auto kConfirmSignUp = pb::PendingCode::CONFIRM_SIGN_UP;

auto UnknownName() { return Fail(ErrorCode::kUserNotFoundException, "Username/client id combination not found."); }

}  // namespace

ApiResult<SignUpResponse> SignUp(Call& call, const SignUpRequest& request) {
  SYMBOLON_TRY(const SharedClient client,
               FindProvenClient(call, request.ClientId, request.SecretHash, request.Username));
  if (call.pool().admin_create_only())
    return Fail(ErrorCode::kNotAuthorizedException, "SignUp is not permitted for this user pool");
  // Nobody may sign in without a password here (AllowedFirstAuthFactors).
  if (!request.Password) {
    return Fail(ErrorCode::kInvalidParameterException,
                "1 validation error detected: Value null at 'password' failed to satisfy constraint: Member must not "
                "be null");
  }
  SYMBOLON_TRY_VOID(CheckPasswordPolicy(call, *request.Password));
  SYMBOLON_TRY(User user, MakeUser(call, client.get(), request.Username, ToValues(request.UserAttributes)));
  auth::SetPassword(call.env(), call.pool_id(), user.record, *request.Password);

  SignUpResponse response{.UserConfirmed = false, .UserSub = user.record.sub()};
  if (const auto channel = ConfirmationChannel(call.pool(), user.record)) {
    SYMBOLON_TRY(response.CodeDeliveryDetails, SendCode(call, user.record, kConfirmSignUp, *channel, "SignUp"));
  }
  SYMBOLON_TRY_VOID(StoreNewUser(call, user, OnAliasConflict::kRefuse));
  return response;
}

ApiResult<ConfirmSignUpResponse> ConfirmSignUp(Call& call, const ConfirmSignUpRequest& request) {
  SYMBOLON_TRY(const SharedClient client,
               FindProvenClient(call, request.ClientId, request.SecretHash, request.Username));
  // SignUp gives none.
  if (request.Session) return Fail(ErrorCode::kNotAuthorizedException, "Invalid session for the user.");
  auto user = directory::FindUser(call.tx(), call.pool(), request.Username);
  if (!user && !client->prevent_user_existence_errors()) return UnknownName();
  if (user && user->record.status() != pb::UNCONFIRMED) {
    return Fail(ErrorCode::kNotAuthorizedException, fmt::format("User cannot be confirmed. Current status is {}",
                                                                directory::StatusName(user->record.status())));
  }

  const Bytes key = auth::CountingKey(call.tx(), user, call.pool(), request.Username);
  const std::optional<pb::UserRecord> before = user ? std::optional(user->record) : std::nullopt;
  const auto code = auth::RedeemCode(call.tx(), call.env(), key, user ? &user->record : nullptr, kConfirmSignUp, "",
                                     request.ConfirmationCode);
  if (!code) {
    // A wrong guess is counted.
    call.CommitDespiteError();
    return Err(ToApiError(code.error(), ErrorCode::kTooManyFailedAttemptsException));
  }
  user->record.set_status(pb::CONFIRMED);
  auto& attributes = *user->record.mutable_attributes();
  if (const auto sent_to = attributes.find(code->attribute());
      sent_to != attributes.end() && sent_to->second == code->value()) {
    attributes[code->attribute() + "_verified"] = "true";
  }
  SYMBOLON_TRY_VOID(
      StoreUser(call, *before, *user,
                request.ForceAliasCreation.value_or(false) ? OnAliasConflict::kMove : OnAliasConflict::kRefuse));
  return ConfirmSignUpResponse{};
}

ApiResult<ResendConfirmationCodeResponse> ResendConfirmationCode(Call& call,
                                                                 const ResendConfirmationCodeRequest& request) {
  SYMBOLON_TRY(const SharedClient client,
               FindProvenClient(call, request.ClientId, request.SecretHash, request.Username));
  const std::vector<std::string> attributes = ConfirmationAttributes(call.pool());
  if (attributes.empty())
    return Fail(ErrorCode::kInvalidParameterException, "Cannot resend codes. Auto verification not turned on.");
  auto user = directory::FindUser(call.tx(), call.pool(), request.Username);
  if (!user && !client->prevent_user_existence_errors()) return UnknownName();
  if (user && user->record.status() != pb::UNCONFIRMED)
    return Fail(ErrorCode::kInvalidParameterException, "User is already confirmed.");

  // From here on, a name that nobody has costs and answers as a user's does.
  SYMBOLON_TRY_VOID(RequireDelivery(call));
  SYMBOLON_TRY_VOID(
      AdmitCodeRequest(call, kConfirmSignUp, auth::CountingKey(call.tx(), user, call.pool(), request.Username)));
  const auto channel = user ? ConfirmationChannel(call.pool(), user->record) : std::nullopt;
  if (!channel) {
    if (!client->prevent_user_existence_errors())
      return Fail(ErrorCode::kInvalidParameterException, "User has no attribute to which a code can be sent.");
    return ResendConfirmationCodeResponse{.CodeDeliveryDetails = DecoyDelivery(call, request.Username, attributes)};
  }
  const pb::UserRecord before = user->record;
  SYMBOLON_TRY(auto details, SendCode(call, user->record, kConfirmSignUp, *channel, "ResendCode"));
  SYMBOLON_TRY_VOID(StoreUser(call, before, *user));
  return ResendConfirmationCodeResponse{.CodeDeliveryDetails = std::move(details)};
}

}  // namespace symbolon::cognito::operations
