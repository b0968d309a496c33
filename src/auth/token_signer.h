// Signs tokens with a pool's keys and remembers the opened keys, because opening one costs a tenth of a signature.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>

#include "auth/pool_cache.h"
#include "crypto/signing_key.h"
#include "directory/env.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// One for the process. Thread-safe. Opened keys live until they are the least recently used ones or their pool is
// forgotten; a plan that is under way keeps those that it has.
class TokenSigner {
 public:
  struct NamedKey {
    std::string kid;
    crypto::SigningKey key;
  };
  // What the pool signs with at present.
  struct Keys {
    NamedKey id_tokens;
    NamedKey access_tokens;
  };

  explicit TokenSigner(std::size_t keys_max = 1'024) : keys_(keys_max) {}

  // nullopt: the pool lacks a key, or its record does not open (Transaction::failure()).
  std::optional<Keys> KeysOf(directory::Transaction& tx);

  // The JWS of a payload (JSON text). The same payload is signed once for all attempts at a plan.
  std::string Sign(directory::Env& env, const NamedKey& key, const std::string& payload_json);

  // Drops the pool's opened keys: its CMK was withdrawn, or the pool is gone. A plan that began before may open one
  // again: call this once more when such plans have ended.
  void Forget(const PoolId& pool) { keys_.Forget(pool); }

  // Signatures made since the start.
  std::uint64_t signature_count() const { return signature_count_; }

 private:
  std::optional<NamedKey> Open(const PoolId& pool, const directory::pb::SigningKeyRecord* record);

  PoolCache<crypto::SigningKey> keys_;  // by kid
  std::atomic<std::uint64_t> signature_count_ = 0;
};

}  // namespace symbolon::auth
