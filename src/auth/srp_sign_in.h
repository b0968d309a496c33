// USER_SRP_AUTH and its challenge PASSWORD_VERIFIER: the user proves a password without sending it (srp_block.h). Part
// of sign_in.h.
#pragma once

#include "auth/sign_in.h"

namespace symbolon::auth {

AuthResult<SignInStep> StartSrp(const Context& context, const directory::pb::ClientRecord& client,
                                const Parameters& parameters);
// A DEVICE_KEY counts when it comes with this answer, whatever came with the start: clients repeat the answer without
// the key of a device that does not exist.
AuthResult<SignInStep> AnswerPasswordVerifier(const Context& context, const directory::pb::ClientRecord& client,
                                              Door door, const Parameters& responses);

}  // namespace symbolon::auth
