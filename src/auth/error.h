// Why a sign-in, a token or a sign-out was refused. The message is for the client, in Cognito's words.
#pragma once

#include <string>

#include "base/result.h"

namespace symbolon::auth {

// Named as Cognito names its exceptions; each protocol maps them to its wire in one exhaustive switch.
enum class AuthErrorCode {
  kAliasExists,
  // A one-time code is wrong.
  kCodeMismatch,
  // A device was confirmed by this key before.
  kDeviceKeyExists,
  // The code that is to prove a new software token is wrong.
  kEnableSoftwareTokenMfa,
  // A one-time code was used before.
  kExpiredCode,
  // The pool lacks what signing needs; the store's own failures are in Transaction::failure().
  kInternal,
  kInvalidParameter,
  kInvalidPassword,
  // A scope that the client may not have, or that does not exist.
  kInvalidScope,
  // The pool's settings have no place for what is asked.
  kInvalidUserPoolConfiguration,
  kNotAuthorized,
  kPasswordResetRequired,
  kRefreshTokenReuse,
  kResourceNotFound,
  // The pool has no MFA by software tokens, or the user no token.
  kSoftwareTokenMfaNotFound,
  // The client's secret is missing or wrong, where the API tells that from kNotAuthorized.
  kUnauthorized,
  kUnsupportedOperation,
  kUnsupportedTokenType,
  kUserNotConfirmed,
  kUserNotFound,
};

struct AuthError {
  AuthErrorCode code;
  std::string message;
  // The transaction's changes are to be committed although the answer is an error: a failed attempt is counted, a
  // reused token revokes its family.
  bool keep_changes = false;
};

template <class T>
using AuthResult = Result<T, AuthError>;

// `return Fail(AuthErrorCode::kNotAuthorized, "Incorrect username or password.");`
[[nodiscard]] inline tl::unexpected<AuthError> Fail(AuthErrorCode code, std::string message) {
  return tl::unexpected<AuthError>(AuthError{.code = code, .message = std::move(message)});
}
[[nodiscard]] inline tl::unexpected<AuthError> FailKeepingChanges(AuthErrorCode code, std::string message) {
  return tl::unexpected<AuthError>(AuthError{.code = code, .message = std::move(message), .keep_changes = true});
}

}  // namespace symbolon::auth
