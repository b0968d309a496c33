// Receives secrets that were wrapped with an RSA public key, in the two forms in which key services import material.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/error.h"

namespace symbolon::crypto {

// An RSA key pair, public exponent 65537. Copies share the key, which is wiped with the last of them; thread-safe.
class RsaUnwrappingKey {
 public:
  // `bits`: 2048, 3072 or 4096. Takes from a tenth of a second to seconds.
  static RsaUnwrappingKey Generate(int bits);
  // PKCS #8 in DER. Errors: kMalformed.
  static CryptoResult<RsaUnwrappingKey> FromPkcs8(BytesView der);

  Secret ToPkcs8() const;
  // SubjectPublicKeyInfo in DER (RFC 5280 §4.1).
  Bytes PublicKeyDer() const;

  // RSAES-OAEP (RFC 8017 §7.1) with SHA-256, MGF1 with SHA-256 and no label. Errors: kNotAuthentic.
  CryptoResult<Secret> UnwrapOaep(BytesView wrapped) const;
  // An AES-256 key, wrapped as above, and behind it what that key wraps by AES-KWP (RFC 5649). Errors: kNotAuthentic.
  CryptoResult<Secret> UnwrapOaepAesKeyWrap(BytesView wrapped) const;

 private:
  struct State;
  explicit RsaUnwrappingKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace symbolon::crypto
