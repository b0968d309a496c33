// USER_SRP_AUTH and its challenge PASSWORD_VERIFIER: the user proves a password without sending it (crypto/srp.h). Part
// of sign_in.h.
#pragma once

#include <optional>
#include <string_view>

#include "auth/sign_in.h"

namespace symbolon::auth {

AuthResult<SignInStep> StartSrp(const Context& context, const directory::pb::ClientRecord& client,
                                const Parameters& parameters);
AuthResult<SignInStep> AnswerPasswordVerifier(const Context& context, const directory::pb::ClientRecord& client,
                                              const Parameters& responses);

// "Tue Nov 3 09:05:07 UTC 2026", as clients write it: English names in either case, numbers with or without leading
// zeros, more than one space, GMT for UTC. The name of the day is not compared with the date.
std::optional<Timestamp> ParseClaimTimestamp(std::string_view text);

}  // namespace symbolon::auth
