#include "auth/proven_user.h"

#include "auth/activity.h"
#include "auth/disabling.h"
#include "auth/lockout.h"
#include "auth/mfa.h"
#include "auth/new_password.h"
#include "auth/password.h"

namespace symbolon::auth {

using directory::pb::ClientRecord;

AuthResult<SignInStep> ContinueProven(const Context& context, const ClientRecord& client, const directory::User& user,
                                      const std::optional<OneTime>& used) {
  if (!IsEnabled(context.tx, user.record)) return Fail(AuthErrorCode::kNotAuthorized, "User is disabled.");
  const auto status = user.record.status();
  if (status == directory::pb::UNCONFIRMED) {
    return Fail(AuthErrorCode::kUserNotConfirmed, "User is not confirmed.");
  }
  if (status == directory::pb::RESET_REQUIRED) {
    return Fail(AuthErrorCode::kPasswordResetRequired, "Password reset required for the user");
  }
  if (status != directory::pb::CONFIRMED && status != directory::pb::FORCE_CHANGE_PASSWORD) {
    return Fail(AuthErrorCode::kNotAuthorized, "Incorrect username or password.");
  }
  if (status == directory::pb::FORCE_CHANGE_PASSWORD && IsTemporaryPasswordExpired(user.record, context.now())) {
    return Fail(AuthErrorCode::kNotAuthorized, "Temporary password has expired and must be reset by an administrator.");
  }

  if (status == directory::pb::CONFIRMED) return RequireSecondFactor(context, client, user, used);
  if (used) MarkUsed(context.tx, context.region(), used->id, used->expires_at);
  return RequireNewPassword(context, client, user);
}

AuthResult<SignInStep> FinishSignIn(const Context& context, const ClientRecord& client, const directory::User& user,
                                    const std::optional<OneTime>& used) {
  // Only now: whoever knows the password alone must not win back the guesses at the second factor.
  ForgetFailedAttempts(context.tx, context.region(), user.key, context.now());
  std::string family =
      used ? used->id : context.env.Once<std::string>("family", [&] { return NewUuid(context.env.random()); });
  const Grant grant = NewGrant(context, user, client, std::move(family));
  if (used) {
    const Timestamp watched_until = std::min(grant.ends_at, context.now() + kDoubleUseWatch);
    MarkUsed(context.tx, context.region(), used->id, std::max(used->expires_at, watched_until));
  }
  SYMBOLON_TRY(Tokens tokens, IssueTokens(context, user, client, grant, 0));
  NoteSignIn(context.tx, user.record, context.now());
  return tokens;
}

}  // namespace symbolon::auth
