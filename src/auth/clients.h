// App clients as sign-in meets them: whether they exist, prove their secret, and may use a flow.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "auth/error.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// Who started a sign-in: anybody who knows the client's id, or an administrator's signed call.
enum class Door { kPublic, kAdmin };

enum class Flow { kUserPassword, kAdminUserPassword, kUserSrp, kRefreshToken };

// AuthParameters and ChallengeResponses.
using Parameters = std::map<std::string, std::string>;

// Errors: kResourceNotFound.
AuthResult<std::shared_ptr<const directory::pb::ClientRecord>> FindClient(directory::Transaction& tx,
                                                                          const std::string& client_id);

// ExplicitAuthFlows, or what AWS allows a client without any; the older names without ALLOW_ as well. A flow also has
// to fit the door. Errors: kInvalidParameter.
AuthResult<void> CheckFlow(const directory::pb::ClientRecord& client, Flow flow, Door door);

// SECRET_HASH in `parameters`, over the name that the caller uses in this call. Errors: kNotAuthorized.
AuthResult<void> CheckSecretHash(const directory::pb::ClientRecord& client, const Parameters& parameters,
                                 std::string_view username);

// Whether this is one of the client's active secrets; a client without any needs none. Takes the same time whichever it
// is and wherever it differs.
bool ProvesSecret(const directory::pb::ClientRecord& client, const std::optional<std::string>& secret);

// Errors: kInvalidParameter, also for an empty value.
AuthResult<std::string_view> Require(const Parameters& parameters, const std::string& name);

}  // namespace symbolon::auth
