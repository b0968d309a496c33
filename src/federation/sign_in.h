// Signing in a user whom an identity provider has vouched for: one plan (architecture §4).
#pragma once

#include "auth/context.h"
#include "auth/error.h"
#include "directory/users.h"
#include "federation/oidc_client.h"

namespace symbolon::federation {

// The user, as they are after this sign-in. With `can_write` (the primary) a new user gets a record and a known one the
// mapped attributes; without, a new user is said as a fact (auth/first_seen.h), and a known one stays as they are.
// Errors: kNotAuthorized for a disabled user; kInvalidParameter for attributes that the pool does not take;
// kAliasExists when the name is somebody else's; kInternal.
auth::AuthResult<directory::User> SignIn(const auth::Context& context, const directory::pb::ClientRecord& client,
                                         const directory::pb::IdentityProviderRecord& provider,
                                         const Assertion& assertion, const std::string& nonce, bool can_write);

// A new user with these attributes, stored, in their provider's group. Errors: kAliasExists.
auth::AuthResult<directory::User> StoreNewUser(directory::Transaction& tx, const directory::pb::PoolRecord& pool,
                                               directory::User user);

}  // namespace symbolon::federation
