// The app client in whose name a public call is made.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "cognito/call.h"
#include "model/api_error.h"

namespace symbolon::cognito {

using SharedClient = std::shared_ptr<const directory::pb::ClientRecord>;

// Errors: ResourceNotFoundException.
model::ApiResult<SharedClient> FindClient(Call& call, const std::string& client_id);

// The same, and its secret is proven: `secret_hash` over `username` as the caller wrote it in this call. Errors also:
// NotAuthorizedException.
model::ApiResult<SharedClient> FindProvenClient(Call& call, const std::string& client_id,
                                                const std::optional<std::string>& secret_hash,
                                                const std::string& username);

}  // namespace symbolon::cognito
