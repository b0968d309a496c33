// The challenge NEW_PASSWORD_REQUIRED: a user whose password somebody else chose chooses one. Part of sign_in.h. The
// answer writes the directory, so only the primary Region accepts it.
#pragma once

#include <optional>
#include <string>

#include "auth/proven_user.h"
#include "auth/sign_in.h"

namespace symbolon::auth {

Challenge RequireNewPassword(const Context& context, const directory::pb::ClientRecord& client,
                             const directory::User& user, const SignInDevice& device);

// A password that the policy refuses does not use the session up.
AuthResult<SignInStep> AnswerNewPasswordRequired(const Context& context, const directory::pb::ClientRecord& client,
                                                 Door door, const std::optional<std::string>& session,
                                                 const Parameters& responses);

}  // namespace symbolon::auth
