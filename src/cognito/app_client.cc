#include "cognito/app_client.h"

#include <fmt/format.h>

#include "auth/secret_hash.h"

namespace symbolon::cognito {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;

ApiResult<SharedClient> FindClient(Call& call, const std::string& client_id) {
  auto client = call.tx().Share<directory::ClientKind>(client_id);
  if (!client) {
    return Fail(ErrorCode::kResourceNotFoundException, fmt::format("User pool client {} does not exist.", client_id));
  }
  return client;
}

ApiResult<SharedClient> FindProvenClient(Call& call, const std::string& client_id,
                                         const std::optional<std::string>& secret_hash, const std::string& username) {
  SYMBOLON_TRY(SharedClient client, FindClient(call, client_id));
  if (const auto proven = auth::CheckSecretHash(*client, secret_hash, username); !proven)
    return Fail(ErrorCode::kNotAuthorizedException, auth::MessageOf(proven.error(), client_id));
  return client;
}

}  // namespace symbolon::cognito
