#include "auth/client_credentials.h"

#include <algorithm>
#include <vector>

namespace symbolon::auth {

AuthResult<ClientToken> GrantClientToken(const Context& context, const directory::pb::ClientRecord& client,
                                         std::span<const std::string> scopes) {
  const auto& allowed = client.allowed_oauth_scopes();
  std::vector<std::string> granted;
  for (const std::string& scope : scopes) {
    if (std::ranges::find(allowed, scope) == allowed.end()) {
      return Fail(AuthErrorCode::kInvalidScope, "Scope is not allowed for this client: " + scope);
    }
    if (std::ranges::find(granted, scope) == granted.end()) granted.push_back(scope);
  }
  if (granted.empty()) granted.assign(allowed.begin(), allowed.end());
  return IssueClientToken(context, client, granted);
}

}  // namespace symbolon::auth
