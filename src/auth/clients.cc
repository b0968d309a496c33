#include "auth/clients.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/secret_hash.h"
#include "crypto/hash.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;

// Which flows a client's list names, in either of the API's two vocabularies.
bool Allows(const ClientRecord& client, Flow flow) {
  const auto& flows = client.explicit_auth_flows();
  const auto has = [&](std::string_view name) { return std::ranges::find(flows, name) != flows.end(); };
  // The older names add to what every client had: SRP, unless custom authentication is to be the only way, and refresh.
  const bool is_older = std::ranges::none_of(flows, [](const std::string& name) { return name.starts_with("ALLOW_"); });
  switch (flow) {
    case Flow::kUserPassword:
      return has("ALLOW_USER_PASSWORD_AUTH") || has("USER_PASSWORD_AUTH");
    case Flow::kAdminUserPassword:
      return has("ALLOW_ADMIN_USER_PASSWORD_AUTH") || has("ADMIN_NO_SRP_AUTH");
    case Flow::kUserSrp:
      return has("ALLOW_USER_SRP_AUTH") || (is_older && !has("CUSTOM_AUTH_FLOW_ONLY"));
    case Flow::kRefreshToken:
      return has("ALLOW_REFRESH_TOKEN_AUTH") || is_older;
  }
  return false;
}

std::string NotEnabledMessage(Flow flow) {
  switch (flow) {
    case Flow::kUserPassword:
      return "USER_PASSWORD_AUTH flow not enabled for this client";
    case Flow::kUserSrp:
      return "USER_SRP_AUTH is not enabled for the client.";
    case Flow::kAdminUserPassword:
    case Flow::kRefreshToken:
      return "Auth flow not enabled for this client";
  }
  return {};
}

}  // namespace

AuthResult<std::shared_ptr<const ClientRecord>> FindClient(directory::Transaction& tx, const std::string& client_id) {
  auto client = tx.Share<directory::ClientKind>(client_id);
  if (!client) {
    return Fail(AuthErrorCode::kResourceNotFound, fmt::format("User pool client {} does not exist.", client_id));
  }
  return client;
}

AuthResult<void> CheckFlow(const ClientRecord& client, Flow flow, Door door) {
  const bool fits = (flow != Flow::kUserPassword || door == Door::kPublic) &&
                    (flow != Flow::kAdminUserPassword || door == Door::kAdmin);
  if (!fits) return Fail(AuthErrorCode::kInvalidParameter, "Initiate Auth method not supported");
  if (!Allows(client, flow)) return Fail(AuthErrorCode::kInvalidParameter, NotEnabledMessage(flow));
  return {};
}

AuthResult<void> CheckSecretHash(const ClientRecord& client, const Parameters& parameters, std::string_view username) {
  const auto sent = parameters.find("SECRET_HASH");
  const auto checked = CheckSecretHash(
      client, sent == parameters.end() ? std::nullopt : std::optional<std::string_view>(sent->second), username);
  if (!checked) return Fail(AuthErrorCode::kNotAuthorized, MessageOf(checked.error(), client.client_id()));
  return {};
}

bool ProvesSecret(const ClientRecord& client, const std::optional<std::string>& secret) {
  if (client.secrets().empty()) return !secret;
  bool matches = false;
  for (const std::string& known : client.secrets()) matches |= crypto::EqualSecrets(known, secret.value_or(""));
  return matches;
}

AuthResult<std::string_view> Require(const Parameters& parameters, const std::string& name) {
  const auto found = parameters.find(name);
  if (found == parameters.end() || found->second.empty()) {
    return Fail(AuthErrorCode::kInvalidParameter, "Missing required parameter " + name);
  }
  return found->second;
}

}  // namespace symbolon::auth
