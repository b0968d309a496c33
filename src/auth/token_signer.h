// Signs tokens with a pool's keys.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "crypto/signing_key.h"
#include "directory/env.h"
#include "directory/transaction.h"

namespace symbolon::auth {

// One for the process. Thread-safe.
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

  // The opened keys, shared over the plans of the pool, because opening one costs a tenth of a signature. nullptr: the
  // pool lacks a key, or its record does not open (Transaction::failure()).
  static std::shared_ptr<const Keys> KeysOf(directory::Transaction& tx);

  // The JWS of a payload (JSON text). The same payload is signed once for all attempts at a plan.
  std::string Sign(directory::Env& env, const NamedKey& key, const std::string& payload_json);

  // Signatures made since the start.
  std::uint64_t signature_count() const { return signature_count_; }

 private:
  std::atomic<std::uint64_t> signature_count_ = 0;
};

}  // namespace symbolon::auth
