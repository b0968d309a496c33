// What follows a right proof of a password, however it was given. Part of sign_in.h.
#pragma once

#include <optional>
#include <string>

#include "auth/sign_in.h"

namespace symbolon::auth {

// A one-time thing that a step of a sign-in uses up.
struct OneTime {
  std::string id;
  Timestamp expires_at;
};

// Tokens, the next challenge, or why the user may not sign in (kNotAuthorized, kUserNotConfirmed,
// kPasswordResetRequired). `used` is marked as used.
AuthResult<SignInStep> ContinueProven(const Context& context, const directory::pb::ClientRecord& client,
                                      const directory::User& user, const std::optional<OneTime>& used);

// The last step: forgets failed attempts, marks `used` as used and issues the first tokens of a family, which is named
// after it.
AuthResult<SignInStep> FinishSignIn(const Context& context, const directory::pb::ClientRecord& client,
                                    const directory::User& user, const std::optional<OneTime>& used);

}  // namespace symbolon::auth
