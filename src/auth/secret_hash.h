// SECRET_HASH: how a client with a secret proves it without sending it (AWS developer guide, "Computing secret hash
// values").
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "directory/records.pb.h"

namespace symbolon::auth {

enum class SecretHashError {
  kMissing,  // the client has a secret and the call no hash
  kWrong,    // no active secret gives this hash, or the client has none
};

// Base64(HMAC-SHA256(secret, username ‖ client id)).
std::string SecretHashOf(std::string_view client_secret, std::string_view username, std::string_view client_id);

// `username` as the caller names it in this very call. Any of the client's active secrets will do; takes the same time
// whichever it is and wherever the hash differs. A client without secrets needs no hash.
Result<void, SecretHashError> CheckSecretHash(const directory::pb::ClientRecord& client,
                                              std::optional<std::string_view> secret_hash, std::string_view username);

// What the client reads, in NotAuthorizedException.
std::string MessageOf(SecretHashError error, std::string_view client_id);

}  // namespace symbolon::auth
