#include "auth/mfa.h"

#include <memory>

#include "auth/device_sign_in.h"
#include "auth/facts.h"
#include "auth/lockout.h"
#include "auth/session.h"
#include "auth/software_token.h"

namespace symbolon::auth {
namespace {

using directory::User;
using directory::pb::ClientRecord;

enum class SecondFactor { kNone, kSoftwareToken, kSetup };

AuthResult<SecondFactor> SecondFactorOf(const Context& context, const User& user) {
  switch (context.pool.mfa()) {
    case directory::pb::MFA_OFF:
      return SecondFactor::kNone;
    case directory::pb::MFA_OPTIONAL:
      // By the user's own wish.
      return context.pool.software_token_mfa() && HasSoftwareToken(user.record) && user.record.software_token_enabled()
                 ? SecondFactor::kSoftwareToken
                 : SecondFactor::kNone;
    case directory::pb::MFA_ON:
      if (!context.pool.software_token_mfa()) break;
      return HasSoftwareToken(user.record) ? SecondFactor::kSoftwareToken : SecondFactor::kSetup;
    default:
      break;
  }
  // Written by a newer version; without the factor nobody gets in.
  return Fail(AuthErrorCode::kInternal, "The user pool asks for a factor that this version does not know.");
}

struct Opened {
  std::shared_ptr<const ClientRecord> client;
  OpenedSession session;
};

// A session of MFA_SETUP, of a user who still has no token: whoever knows the password alone cannot replace one.
AuthResult<Opened> OpenSetup(const Context& context, const std::string& session, pb::Session::Challenge challenge) {
  const auto client_id = ClientOfSession(session);
  if (!client_id) return Err(InvalidSession());
  SYMBOLON_TRY(auto client, FindClient(context.tx, client_id->value()));
  SYMBOLON_TRY(OpenedSession opened, OpenSession(context, *client, session, challenge));
  if (HasSoftwareToken(opened.user.record)) return Err(InvalidSession());
  return Opened{.client = std::move(client), .session = std::move(opened)};
}

void MarkSessionUsed(const Context& context, const OpenedSession& session) {
  MarkUsed(context.tx, context.region(), session.id, session.expires_at);
}

}  // namespace

AuthResult<SignInStep> RequireSecondFactor(const Context& context, const ClientRecord& client, const User& user,
                                           const std::optional<OneTime>& used, const SignInDevice& device) {
  SYMBOLON_TRY(const SecondFactor factor, SecondFactorOf(context, user));
  SYMBOLON_TRY(const auto record, FindNamed(context, user, device));
  const bool is_replaced = factor == SecondFactor::kSoftwareToken && record && record->remembered() &&
                           context.pool.device_tracking().replaces_second_factor();
  if (factor == SecondFactor::kNone || is_replaced) return ProveDevice(context, client, user, used, device, record);
  if (used) MarkUsed(context.tx, context.region(), used->id, used->expires_at);
  Challenge challenge{.name = ChallengeName::kSoftwareTokenMfa,
                      .parameters = {{"USER_ID_FOR_SRP", user.record.username()}},
                      .session = {}};
  if (factor == SecondFactor::kSetup) {
    challenge.name = ChallengeName::kMfaSetup;
    challenge.parameters["MFAS_CAN_SETUP"] = R"(["SOFTWARE_TOKEN_MFA"])";
    challenge.session = NewSession(context, client, user, pb::Session::MFA_SETUP, device.key);
    return challenge;
  }
  const std::string& device_name = user.record.software_token().device_name();
  if (!device_name.empty()) challenge.parameters["FRIENDLY_DEVICE_NAME"] = device_name;
  challenge.session = NewSession(context, client, user, pb::Session::SOFTWARE_TOKEN_MFA, device.key);
  return challenge;
}

AuthResult<SignInStep> AnswerSoftwareTokenMfa(const Context& context, const ClientRecord& client, Door door,
                                              const std::optional<std::string>& session, const Parameters& responses) {
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY(const std::string_view code, Require(responses, "SOFTWARE_TOKEN_MFA_CODE"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));
  SYMBOLON_TRY(const OpenedSession opened, OpenSession(context, client, session, pb::Session::SOFTWARE_TOKEN_MFA));
  SYMBOLON_TRY_VOID(CheckNamed(context, opened, username));
  const User& user = opened.user;
  if (IsLockedOut(context.tx, user.key, context.now())) {
    return Fail(AuthErrorCode::kNotAuthorized, "Password attempts exceeded");
  }
  auto step = RedeemTotp(context, user.record, code);
  if (!step) {
    AuthError error = std::move(step).error();
    if (error.code == AuthErrorCode::kCodeMismatch) {
      CountFailedAttempt(context.tx, context.region(), user.key, context.now());
      error.keep_changes = true;
    }
    return Err(std::move(error));
  }
  const SignInDevice device = DeviceOf(context, door, responses, opened.session.device_key());
  SYMBOLON_TRY(const auto record, FindNamed(context, user, device));
  MarkSessionUsed(context, opened);
  // The family is the step's: of the two, that is what nobody may use twice.
  return ProveDevice(context, client, user, *step, device, record);
}

AuthResult<SignInStep> AnswerMfaSetup(const Context& context, const ClientRecord& client, Door door,
                                      const std::optional<std::string>& session, const Parameters& responses) {
  SYMBOLON_TRY(const std::string_view username, Require(responses, "USERNAME"));
  SYMBOLON_TRY_VOID(CheckSecretHash(client, responses, username));
  SYMBOLON_TRY(const OpenedSession opened, OpenSession(context, client, session, pb::Session::MFA_SETUP_VERIFIED));
  SYMBOLON_TRY_VOID(CheckNamed(context, opened, username));
  if (!HasSoftwareToken(opened.user.record)) return Err(InvalidSession());
  const SignInDevice device = DeviceOf(context, door, responses, opened.session.device_key());
  SYMBOLON_TRY(const auto record, FindNamed(context, opened.user, device));
  return ProveDevice(context, client, opened.user, OneTime{.id = opened.id, .expires_at = opened.expires_at}, device,
                     record);
}

AuthResult<Association> AssociateInSession(const Context& context, const std::string& session) {
  SYMBOLON_TRY(Opened opened, OpenSetup(context, session, pb::Session::MFA_SETUP));
  User& user = opened.session.user;
  SYMBOLON_TRY(std::string secret_code, AssociateSoftwareToken(context, user));
  MarkSessionUsed(context, opened.session);
  return Association{.secret_code = std::move(secret_code),
                     .session = NewSession(context, *opened.client, user, pb::Session::MFA_SETUP_ASSOCIATED,
                                           opened.session.session.device_key())};
}

AuthResult<std::string> VerifyInSession(const Context& context, const std::string& session, std::string_view code,
                                        std::string_view device_name) {
  SYMBOLON_TRY(Opened opened, OpenSetup(context, session, pb::Session::MFA_SETUP_ASSOCIATED));
  User& user = opened.session.user;
  SYMBOLON_TRY_VOID(VerifySoftwareToken(context, user, code, device_name));
  SYMBOLON_TRY_VOID(PreferSoftwareToken(context, user, true, true));
  MarkSessionUsed(context, opened.session);
  return NewSession(context, *opened.client, user, pb::Session::MFA_SETUP_VERIFIED,
                    opened.session.session.device_key());
}

}  // namespace symbolon::auth
