// Forgotten passwords: a code to a verified address, and a new password for the code.
//
// What a caller learns about names that nobody has is the client's choice (PreventUserExistenceErrors; AWS developer
// guide, "Managing error responses"). Where it prevents such errors, unknown names, disabled users and users who cannot
// be reached are answered, counted and stored alike.
#include "auth/codes.h"
#include "auth/counting_key.h"
#include "auth/disabling.h"
#include "auth/password.h"
#include "cognito/app_client.h"
#include "cognito/call.h"
#include "cognito/code_delivery.h"
#include "cognito/user_writes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::User;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr auto kResetPassword = pb::PendingCode::RESET_PASSWORD;

// Why a code to reset the password is not sent, as a client is told that does not prevent existence errors.
std::optional<ApiError> ReasonNotToReset(Call& call, const std::optional<User>& user) {
  if (!user) return ApiError{ErrorCode::kUserNotFoundException, "Username/client id combination not found."};
  if (!auth::IsEnabled(call.tx(), user->record))
    return ApiError{ErrorCode::kNotAuthorizedException, "User is disabled."};
  const pb::UserStatus status = user->record.status();
  if (status == pb::FORCE_CHANGE_PASSWORD || status == pb::EXTERNAL_PROVIDER)
    return ApiError{ErrorCode::kNotAuthorizedException, "User password cannot be reset in the current state."};
  if (!RecoveryChannel(call.pool(), user->record)) {
    return ApiError{ErrorCode::kInvalidParameterException,
                    "Cannot reset password for the user as there is no registered/verified email or phone_number"};
  }
  return std::nullopt;
}

}  // namespace

ApiResult<ForgotPasswordResponse> ForgotPassword(Call& call, const ForgotPasswordRequest& request) {
  SYMBOLON_TRY(const SharedClient client,
               FindProvenClient(call, request.ClientId, request.SecretHash, request.Username));
  if (IsRecoveryByAdministratorOnly(call.pool()))
    return Fail(ErrorCode::kNotAuthorizedException, "Contact administrator to reset password.");
  SYMBOLON_TRY_VOID(RequireDelivery(call));
  auto user = directory::FindUser(call.tx(), call.pool(), request.Username);
  const auto reason = ReasonNotToReset(call, user);
  if (reason && !client->prevent_user_existence_errors()) return Err(*reason);

  SYMBOLON_TRY_VOID(
      AdmitCodeRequest(call, kResetPassword, auth::CountingKey(call.tx(), user, call.pool(), request.Username)));
  if (reason) {
    return ForgotPasswordResponse{.CodeDeliveryDetails =
                                      DecoyDelivery(call, request.Username, RecoveryAttributes(call.pool()))};
  }
  const pb::UserRecord before = user->record;
  const Channel channel = *RecoveryChannel(call.pool(), user->record);
  SYMBOLON_TRY(auto details, SendCode(call, user->record, kResetPassword, channel, "ForgotPassword"));
  SYMBOLON_TRY_VOID(StoreUser(call, before, *user));
  return ForgotPasswordResponse{.CodeDeliveryDetails = std::move(details)};
}

ApiResult<ConfirmForgotPasswordResponse> ConfirmForgotPassword(Call& call,
                                                               const ConfirmForgotPasswordRequest& request) {
  SYMBOLON_TRY(const SharedClient client,
               FindProvenClient(call, request.ClientId, request.SecretHash, request.Username));
  // Before the code is looked at, so that a password which is refused spends no code and tells nothing about it.
  SYMBOLON_TRY_VOID(CheckPasswordPolicy(call, request.Password));
  auto user = directory::FindUser(call.tx(), call.pool(), request.Username);
  if (!client->prevent_user_existence_errors()) {
    if (!user) return Fail(ErrorCode::kUserNotFoundException, "Username/client id combination not found.");
    if (!auth::IsEnabled(call.tx(), user->record)) return Fail(ErrorCode::kNotAuthorizedException, "User is disabled.");
  }

  const Bytes key = auth::CountingKey(call.tx(), user, call.pool(), request.Username);
  const std::optional<pb::UserRecord> before = user ? std::optional(user->record) : std::nullopt;
  // A disabled user's code is as good as none.
  pb::UserRecord* const record = user && auth::IsEnabled(call.tx(), user->record) ? &user->record : nullptr;
  const auto code = auth::RedeemCode(call.tx(), call.env(), key, record, kResetPassword, "", request.ConfirmationCode);
  if (!code) {
    // A wrong guess is counted.
    call.CommitDespiteError();
    return Err(ToApiError(code.error(), ErrorCode::kTooManyFailedAttemptsException));
  }
  // The code came to a verified address, which is all that confirmation asks for.
  record->set_status(pb::CONFIRMED);
  auth::SetPassword(call.env(), call.pool_id(), *record, request.Password);
  // Whoever knew the old password may have signed in with it.
  RevokeTokens(*record);
  SYMBOLON_TRY_VOID(StoreUser(call, *before, *user));
  return ConfirmForgotPasswordResponse{};
}

}  // namespace symbolon::cognito::operations
