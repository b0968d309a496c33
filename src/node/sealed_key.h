// The node's own Ed25519 keys: made once, kept in files that are sealed under the local provider's service-owned key,
// so that they are at rest wherever the root key leaves it.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "crypto/ed25519.h"
#include "keys/provider.h"

namespace symbolon::node {

struct SealedKey {
  crypto::Ed25519Key key;
  // What was asked of the provider for it, for the audit trail.
  std::string_view operation;
};

// What binds a sealed key to its use, such as "audit".
keys::EncryptionContext SealedKeyContext(std::string_view use);

// Opens the key, or makes it where there is none; `why_not`, if not empty, says why it must not be made. The error is
// for the operator. Blocks.
Result<SealedKey, std::string> OpenSealedKey(const std::filesystem::path& file, std::string_view use,
                                             std::string_view why_not, keys::KeyProvider& provider,
                                             const std::string& key_arn);

}  // namespace symbolon::node
