// What follows a right proof of a password, however it was given. Part of sign_in.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/sign_in.h"

namespace symbolon::auth {

// A one-time thing that a step of a sign-in uses up.
struct OneTime {
  std::string id;
  Timestamp expires_at;
};

// The device that a user signs in by, as a request names it.
struct SignInDevice {
  // Whether devices count in this sign-in: the pool tracks them, and no administrator makes the call.
  bool is_tracked = false;
  // Empty: none was named.
  std::string key;
};
// DEVICE_KEY, or what the session carries on if the request has none.
SignInDevice DeviceOf(const Context& context, Door door, const Parameters& parameters,
                      std::string_view of_session = {});

// Tokens, the next challenge, or why the user may not sign in (kNotAuthorized, kUserNotConfirmed,
// kPasswordResetRequired, kResourceNotFound for a device that the user has not). `used` is marked as used.
AuthResult<SignInStep> ContinueProven(const Context& context, const directory::pb::ClientRecord& client,
                                      const directory::User& user, const std::optional<OneTime>& used,
                                      const SignInDevice& device);

// The last step: forgets failed attempts, marks `used` as used and issues the first tokens of a family, which is named
// after it. They are bound to the device that was named, or else to a new one, which the user may confirm.
AuthResult<SignInStep> FinishSignIn(const Context& context, const directory::pb::ClientRecord& client,
                                    const directory::User& user, const std::optional<OneTime>& used,
                                    const SignInDevice& device = {});

}  // namespace symbolon::auth
