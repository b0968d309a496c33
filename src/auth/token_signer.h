// Signs tokens with a pool's keys and remembers the opened keys, because opening one costs a tenth of a signature.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "auth/pool_cache.h"
#include "crypto/signing_key.h"
#include "directory/env.h"
#include "directory/transaction.h"

namespace symbolon::auth {

enum class TokenUse { kId, kAccess };

// One for the process. Thread-safe. Opened keys live until they are the least recently used ones or their pool is
// forgotten; a plan that is under way keeps those that it has.
class TokenSigner {
 public:
  explicit TokenSigner(std::size_t keys_max = 1'024) : keys_(keys_max) {}

  // The JWS of a payload (JSON text) under the pool's present key for this use. The same payload is signed once for all
  // attempts at a plan. nullopt: the pool has no such key, or its record does not open (Transaction::failure()).
  std::optional<std::string> Sign(directory::Transaction& tx, directory::Env& env, TokenUse use,
                                  const std::string& payload_json);

  // Drops the pool's opened keys: its CMK was withdrawn, or the pool is gone. A plan that began before may open one
  // again: call this once more when such plans have ended.
  void Forget(const PoolId& pool) { keys_.Forget(pool); }

  // Signatures made since the start.
  std::uint64_t signature_count() const { return signature_count_; }

 private:
  struct NamedKey {
    std::string kid;
    crypto::SigningKey key;
  };
  std::optional<NamedKey> KeyFor(directory::Transaction& tx, TokenUse use);

  PoolCache<crypto::SigningKey> keys_;
  std::atomic<std::uint64_t> signature_count_ = 0;
};

}  // namespace symbolon::auth
