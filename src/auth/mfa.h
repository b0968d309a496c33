// The second factor, which a sign-in may need after a right password: the challenges SOFTWARE_TOKEN_MFA and MFA_SETUP
// (AWS developer guide, "TOTP software token MFA"). Part of sign_in.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/proven_user.h"
#include "auth/sign_in.h"

namespace symbolon::auth {

// What a right password of a user in good standing leads to: the challenge of a second factor where the pool or the
// user asks for one and no remembered device stands for it, what ProveDevice (device_sign_in.h) leads to otherwise.
// `used` is marked as used. A device stands for a code, but not for the setting up of an authenticator.
AuthResult<SignInStep> RequireSecondFactor(const Context& context, const directory::pb::ClientRecord& client,
                                           const directory::User& user, const std::optional<OneTime>& used,
                                           const SignInDevice& device);

// {USERNAME, SOFTWARE_TOKEN_MFA_CODE}. Works in every Region: it changes facts only. A wrong code counts as a failed
// attempt (lockout.h) and leaves the session good. Errors also: kCodeMismatch, kExpiredCode, kSoftwareTokenMfaNotFound.
AuthResult<SignInStep> AnswerSoftwareTokenMfa(const Context& context, const directory::pb::ClientRecord& client,
                                              Door door, const std::optional<std::string>& session,
                                              const Parameters& responses);

// {USERNAME}, with the session that VerifyInSession answered.
AuthResult<SignInStep> AnswerMfaSetup(const Context& context, const directory::pb::ClientRecord& client, Door door,
                                      const std::optional<std::string>& session, const Parameters& responses);

// ---- what a user does between MFA_SETUP and its answer ----
// Sessions name their client themselves here. Both write the directory, and answer the session to go on with; one that
// ends in an error stays good.

struct Association {
  std::string secret_code;
  std::string session;
};
// Errors: those of AssociateSoftwareToken and OpenSession.
AuthResult<Association> AssociateInSession(const Context& context, const std::string& session);
// The token is enabled and preferred at once. Errors: those of VerifySoftwareToken and OpenSession.
AuthResult<std::string> VerifyInSession(const Context& context, const std::string& session, std::string_view code,
                                        std::string_view device_name);

}  // namespace symbolon::auth
