// Ed25519 signatures (RFC 8032) by long-lived keys over what is kept, such as checkpoints of an audit trail.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/error.h"

namespace symbolon::crypto {

inline constexpr std::size_t kEd25519PublicKeyBytes = 32;
inline constexpr std::size_t kEd25519SignatureBytes = 64;

// A key pair. Copies share the key, which is wiped with the last of them; thread-safe.
class Ed25519Key {
 public:
  static Ed25519Key Generate();
  // PKCS #8 in DER. Errors: kMalformed.
  static CryptoResult<Ed25519Key> FromPkcs8(BytesView der);

  Secret ToPkcs8() const;
  // kEd25519PublicKeyBytes.
  Bytes PublicKey() const;
  // kEd25519SignatureBytes, the same for the same message.
  Bytes Sign(BytesView message) const;

 private:
  struct State;
  explicit Ed25519Key(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

// False also for octets that are no public key or no signature.
bool VerifyEd25519(BytesView public_key, BytesView message, BytesView signature);

}  // namespace symbolon::crypto
