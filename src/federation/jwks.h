// Providers' public keys (RFC 7517). Pure and thread-safe.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crypto/signing_key.h"

namespace symbolon::federation {

struct ProviderKey {
  std::string kid;
  crypto::VerifyingKey key;
  // The key and nothing else, the same text for the same key: {"kid", "kty", …}.
  std::string jwk;
};

// More keys than this in a set are not looked at.
inline constexpr std::size_t kProviderKeysMax = 64;

// The keys that can verify an ID token: RSA of 2048 to 4096 bits for RS256 and P-256 for ES256, with a "kid", not for
// encryption; others are passed over. nullopt: not a key set.
std::optional<std::vector<ProviderKey>> ParseJwks(std::string_view json);
// One key, as ProviderKey::jwk has it.
std::optional<ProviderKey> ParseProviderKey(std::string_view jwk_json);

}  // namespace symbolon::federation
