#include "auth/sign_in.h"

#include "auth/counting_key.h"
#include "auth/device_sign_in.h"
#include "auth/lockout.h"
#include "auth/mfa.h"
#include "auth/new_password.h"
#include "auth/password.h"
#include "auth/proven_user.h"
#include "auth/refresh.h"
#include "auth/srp_sign_in.h"
#include "crypto/hash.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;

// The powers are computed once for all attempts at the plan.
bool PasswordMatchesOnce(const Context& context, const std::optional<directory::User>& user,
                         std::string_view password) {
  const directory::pb::UserRecord* record = user ? &user->record : nullptr;
  const Bytes about = user ? crypto::Sha256({user->record.password().salt(), user->record.password().verifier(),
                                             user->record.username(), std::string_view("\0", 1), password})
                           : Bytes();
  return context.env.Once<bool>("password matches:" + about,
                                [&] { return PasswordMatches(context.tx.pool(), record, password); });
}

AuthResult<SignInStep> SignInByPassword(const Context& context, const ClientRecord& client, Door door,
                                        const Parameters& parameters) {
  SYMBOLON_TRY(const std::string_view username, Require(parameters, "USERNAME"));
  SYMBOLON_TRY(const std::string_view password, Require(parameters, "PASSWORD"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, parameters, username));

  const auto user = directory::FindUser(context.tx, context.pool, username);
  if (!user && !client.prevent_user_existence_errors()) {
    return Fail(AuthErrorCode::kUserNotFound, "User does not exist.");
  }
  const Bytes counting_key = CountingKey(context.tx, user, context.pool, username);
  if (IsLockedOut(context.tx, counting_key, context.now())) {
    return Fail(AuthErrorCode::kNotAuthorized, "Password attempts exceeded");
  }
  if (!PasswordMatchesOnce(context, user, password)) {
    CountFailedAttempt(context.tx, context.region(), counting_key, context.now());
    return FailKeepingChanges(AuthErrorCode::kNotAuthorized, "Incorrect username or password.");
  }
  return ContinueProven(context, client, *user, std::nullopt, DeviceOf(context, door, parameters));
}

}  // namespace

AuthResult<SignInStep> StartSignIn(const Context& context, const ClientRecord& client, Flow flow, Door door,
                                   const Parameters& parameters) {
  SYMBOLON_TRY_VOID(CheckFlow(client, flow, door));
  switch (flow) {
    case Flow::kUserPassword:
    case Flow::kAdminUserPassword:
      return SignInByPassword(context, client, door, parameters);
    case Flow::kUserSrp:
      return StartSrp(context, client, parameters);
    case Flow::kRefreshToken:
      return RefreshBySignIn(context, client, parameters);
  }
  return Fail(AuthErrorCode::kInvalidParameter, "Initiate Auth method not supported");
}

AuthResult<SignInStep> AnswerChallenge(const Context& context, const ClientRecord& client, ChallengeName challenge,
                                       const std::optional<std::string>& session, const Parameters& responses,
                                       Door door) {
  switch (challenge) {
    case ChallengeName::kPasswordVerifier:
      return AnswerPasswordVerifier(context, client, door, responses);
    case ChallengeName::kNewPasswordRequired:
      return AnswerNewPasswordRequired(context, client, door, session, responses);
    case ChallengeName::kSoftwareTokenMfa:
      return AnswerSoftwareTokenMfa(context, client, door, session, responses);
    case ChallengeName::kMfaSetup:
      return AnswerMfaSetup(context, client, door, session, responses);
    case ChallengeName::kDeviceSrpAuth:
      return AnswerDeviceSrpAuth(context, client, door, session, responses);
    case ChallengeName::kDevicePasswordVerifier:
      return AnswerDevicePasswordVerifier(context, client, door, responses);
  }
  return Fail(AuthErrorCode::kInvalidParameter, "Challenge not supported");
}

}  // namespace symbolon::auth
