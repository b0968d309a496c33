#include "auth/secret_hash.h"

#include <fmt/format.h>

#include "crypto/hash.h"

namespace symbolon::auth {

std::string SecretHashOf(std::string_view client_secret, std::string_view username, std::string_view client_id) {
  return Base64Encode(crypto::HmacSha256(client_secret, {username, client_id}));
}

Result<void, SecretHashError> CheckSecretHash(const directory::pb::ClientRecord& client,
                                              std::optional<std::string_view> secret_hash, std::string_view username) {
  if (client.secrets().empty() && !secret_hash) return {};
  if (!secret_hash) return Err(SecretHashError::kMissing);
  bool matches = false;
  for (const std::string& secret : client.secrets()) {
    matches |= crypto::EqualSecrets(SecretHashOf(secret, username, client.client_id()), *secret_hash);
  }
  if (!matches) return Err(SecretHashError::kWrong);
  return {};
}

std::string MessageOf(SecretHashError error, std::string_view client_id) {
  switch (error) {
    case SecretHashError::kMissing:
      return fmt::format("Client {} is configured with secret but SECRET_HASH was not received", client_id);
    case SecretHashError::kWrong:
      return fmt::format("Unable to verify secret hash for client {}", client_id);
  }
  SYMBOLON_CHECK(false);
}

}  // namespace symbolon::auth
