// Access tokens for clients themselves, machine to machine (RFC 6749 §4.4).
#pragma once

#include <span>
#include <string>

#include "auth/tokens.h"

namespace symbolon::auth {

// With the scopes that were asked for, or with all that the client has (AllowedOAuthScopes). The caller has
// authenticated the client and looked whether it may have such tokens. Errors: kInvalidScope, kInternal.
AuthResult<ClientToken> GrantClientToken(const Context& context, const directory::pb::ClientRecord& client,
                                         std::span<const std::string> scopes);

}  // namespace symbolon::auth
