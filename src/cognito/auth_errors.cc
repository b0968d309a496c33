#include "cognito/auth_errors.h"

namespace symbolon::cognito {
namespace {

model::ErrorCode ToErrorCode(auth::AuthErrorCode code) {
  using From = auth::AuthErrorCode;
  using To = model::ErrorCode;
  switch (code) {
    case From::kAliasExists:
      return To::kAliasExistsException;
    case From::kCodeMismatch:
      return To::kCodeMismatchException;
    case From::kDeviceKeyExists:
      return To::kDeviceKeyExistsException;
    case From::kEnableSoftwareTokenMfa:
      return To::kEnableSoftwareTokenMFAException;
    case From::kExpiredCode:
      return To::kExpiredCodeException;
    case From::kInternal:
      return To::kInternalErrorException;
    case From::kInvalidParameter:
    case From::kInvalidScope:
      return To::kInvalidParameterException;
    case From::kInvalidPassword:
      return To::kInvalidPasswordException;
    case From::kInvalidUserPoolConfiguration:
      return To::kInvalidUserPoolConfigurationException;
    case From::kNotAuthorized:
      return To::kNotAuthorizedException;
    case From::kPasswordResetRequired:
      return To::kPasswordResetRequiredException;
    case From::kRefreshTokenReuse:
      return To::kRefreshTokenReuseException;
    case From::kResourceNotFound:
      return To::kResourceNotFoundException;
    case From::kSoftwareTokenMfaNotFound:
      return To::kSoftwareTokenMFANotFoundException;
    case From::kUnauthorized:
      return To::kUnauthorizedException;
    case From::kUnsupportedOperation:
      return To::kUnsupportedOperationException;
    case From::kUnsupportedTokenType:
      return To::kUnsupportedTokenTypeException;
    case From::kUserNotConfirmed:
      return To::kUserNotConfirmedException;
    case From::kUserNotFound:
      return To::kUserNotFoundException;
  }
  return To::kInternalErrorException;
}

}  // namespace

model::ApiError ToApiError(const auth::AuthError& error) { return {ToErrorCode(error.code), error.message}; }

tl::unexpected<model::ApiError> Refuse(Call& call, const auth::AuthError& error) {
  if (error.keep_changes) call.CommitDespiteError();
  return Err(ToApiError(error));
}

}  // namespace symbolon::cognito
