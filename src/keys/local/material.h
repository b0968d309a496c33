// The key material of one local key, ready to encrypt and decrypt.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/secret.h"
#include "crypto/xaes.h"
#include "keys/provider.h"

namespace symbolon::keys::local {

// A ciphertext is
//   format (1 octet: 1) ‖ length of key id (1) ‖ key id ‖ material version (4, big-endian) ‖ XAES-256-GCM sealed
//   plaintext
// with the additional data
//   "symbolon kms 1" ‖ all octets before the sealed plaintext ‖ number of context pairs (4)
//   ‖ for each pair, ascending by name: length of name (4) ‖ name ‖ length of value (4) ‖ value
// It names no Region: a replica of a multi-Region key has the same id and materials. Immutable and thread-safe.
class KeyMaterial {
 public:
  // `octets`: 32.
  KeyMaterial(std::string key_id, std::uint32_t version, Secret octets);

  std::uint32_t version() const { return version_; }
  const Secret& octets() const { return octets_; }

  Bytes Encrypt(Random& random, const EncryptionContext& context, BytesView plaintext) const;
  // Errors: kInvalidCiphertext.
  KeyResult<Secret> Decrypt(const EncryptionContext& context, BytesView ciphertext) const;

 private:
  Bytes header_;
  std::uint32_t version_;
  Secret octets_;
  crypto::XaesKey key_;
};

struct CiphertextHeader {
  std::string_view key_id;
  std::uint32_t version;
};

// Which key and material made a ciphertext, as it says itself; nothing of it is proven before it opens. Views into
// `ciphertext`. nullopt for what is none of ours.
std::optional<CiphertextHeader> ParseCiphertextHeader(BytesView ciphertext);

}  // namespace symbolon::keys::local
