#include "auth/proven_user.h"

#include "auth/activity.h"
#include "auth/device_sign_in.h"
#include "auth/devices.h"
#include "auth/disabling.h"
#include "auth/lockout.h"
#include "auth/mfa.h"
#include "auth/new_password.h"
#include "auth/password.h"

namespace symbolon::auth {

using directory::pb::ClientRecord;

SignInDevice DeviceOf(const Context& context, Door door, const Parameters& parameters, std::string_view of_session) {
  SignInDevice device{.is_tracked = context.pool.has_device_tracking() && door == Door::kPublic, .key = {}};
  if (!device.is_tracked) return device;
  const auto named = parameters.find("DEVICE_KEY");
  device.key = named != parameters.end() ? named->second : std::string(of_session);
  return device;
}

AuthResult<SignInStep> ContinueProven(const Context& context, const ClientRecord& client, const directory::User& user,
                                      const std::optional<OneTime>& used, const SignInDevice& device) {
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

  if (status == directory::pb::CONFIRMED) return RequireSecondFactor(context, client, user, used, device);
  SYMBOLON_TRY_VOID(FindNamed(context, user, device));
  if (used) MarkUsed(context.tx, context.region(), used->id, used->expires_at);
  return RequireNewPassword(context, client, user, device);
}

AuthResult<SignInStep> FinishSignIn(const Context& context, const ClientRecord& client, const directory::User& user,
                                    const std::optional<OneTime>& used, const SignInDevice& device) {
  // Only now: whoever knows the password alone must not win back the guesses at the second factor.
  ForgetFailedAttempts(context.tx, context.region(), user.key, context.now());
  std::string family =
      used ? used->id : context.env.Once<std::string>("family", [&] { return NewUuid(context.env.random()); });
  Grant grant = NewGrant(context, user, client, std::move(family));
  // Where a device cannot be confirmed none is offered: clients give a sign-in up when that fails.
  std::optional<NewDevice> new_device;
  if (device.is_tracked && device.key.empty() && context.is_primary) new_device = MakeNewDevice(context);
  grant.device_key = new_device ? new_device->key : device.key;
  if (used) {
    const Timestamp watched_until = std::min(grant.ends_at, context.now() + kDoubleUseWatch);
    MarkUsed(context.tx, context.region(), used->id, std::max(used->expires_at, watched_until));
  }
  SYMBOLON_TRY(Tokens tokens, IssueTokens(context, user, client, grant, 0));
  tokens.new_device = std::move(new_device);
  NoteSignIn(context.tx, user.record, context.now());
  return tokens;
}

}  // namespace symbolon::auth
