// XAES-256-GCM (C2SP.org/XAES-256-GCM): AES-256-GCM with random 192-bit nonces, so that one key may seal without bound
// and nothing has to be counted or remembered.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/secret.h"
#include "crypto/error.h"

namespace symbolon::crypto {

inline constexpr std::size_t kXaesKeyBytes = 32;
inline constexpr std::size_t kXaesNonceBytes = 24;
// Nonce and tag.
inline constexpr std::size_t kXaesOverheadBytes = kXaesNonceBytes + 16;

// One key, expanded once: a seal costs two AES blocks and the set-up of two GCM keys beside its own work, the second of
// zeros, so that threads keep no message's key. Thread-safe; movable (not while in use). The key is wiped with this
// object.
class XaesKey {
 public:
  // `key` has kXaesKeyBytes.
  explicit XaesKey(BytesView key);
  XaesKey(XaesKey&&) noexcept;
  XaesKey& operator=(XaesKey&&) noexcept;
  ~XaesKey();

  // Nonce ‖ ciphertext ‖ tag, the nonce drawn from `random`.
  Bytes Seal(Random& random, BytesView associated_data, BytesView plaintext) const;
  // The same behind what `out` holds already.
  void AppendSealed(Bytes& out, Random& random, BytesView associated_data, BytesView plaintext) const;
  // Errors: kNotAuthentic, also for what is too short.
  CryptoResult<Secret> Open(BytesView associated_data, BytesView sealed) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace symbolon::crypto
