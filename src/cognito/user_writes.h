// How users come into being and change, the rules that several operations share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "auth/attributes.h"
#include "cognito/call.h"
#include "directory/users.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// By name; of a repeated name the last one counts, a missing value is empty.
auth::AttributeValues ToValues(const std::optional<std::vector<model::cognito::AttributeType>>& attributes);

model::ApiError ToApiError(const auth::AttributeError& error);

// UserNotFoundException "User does not exist.".
model::ApiResult<directory::User> FindExistingUser(Call& call, const std::string& name);

// The same, or somebody of whom only a fact speaks (auth/external_users.h): to be read, or for facts.
model::ApiResult<directory::User> FindKnownUser(Call& call, const std::string& name);
// Somebody who has, or may have, a password and factors of their own. Error: InvalidParameter for a user of an identity
// provider.
model::ApiResult<void> RequireOwnCredentials(const directory::pb::UserRecord& user);

// A new, enabled user without a password (UNCONFIRMED, or FORCE_CHANGE_PASSWORD of an administrator), named by what the
// caller calls them: in a pool whose users sign in with an address, `name` is the address and the user's own name is a
// UUID. Not stored yet. `client` is nullptr for an administrator. Errors: InvalidParameter, NotAuthorized.
model::ApiResult<directory::User> MakeUser(Call& call, const directory::pb::ClientRecord* client,
                                           const std::string& name, auth::AttributeValues attributes);
// Stores a new user. Errors: UsernameExists.
model::ApiResult<void> StoreNewUser(Call& call, const directory::User& user, directory::OnAliasConflict on_conflict);
// Stores a changed user, as modified now. `before` is the record as read. Errors: AliasExists.
model::ApiResult<void> StoreUser(Call& call, const directory::pb::UserRecord& before, directory::User& user,
                                 directory::OnAliasConflict on_conflict = directory::OnAliasConflict::kRefuse);

// Changes attributes and stores the user; empty values delete. A changed e-mail address or phone number becomes
// unverified and gets a code, or takes effect only with its code, as the pool is set up. `client` is nullptr for an
// administrator, who may say at once that the new value is verified. Answers what was sent. Errors: AliasExists,
// CodeDeliveryFailure, InvalidParameter, LimitExceeded (clients only), NotAuthorized.
model::ApiResult<std::vector<model::cognito::CodeDeliveryDetailsType>> ChangeAttributes(
    Call& call, directory::User user, const directory::pb::ClientRecord* client, const auth::AttributeValues& changes);

// InvalidPasswordException when the pool's policy does not allow it.
model::ApiResult<void> CheckPasswordPolicy(const Call& call, std::string_view password);

// Refresh tokens that were issued before die.
void RevokeTokens(directory::pb::UserRecord& user);

}  // namespace symbolon::cognito
