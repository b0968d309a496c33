// Key pairs that sign tokens: RS256 and ES256 as JOSE defines them (RFC 7518 §3.3, §3.4). The algorithm belongs to the
// key, never to a message.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/error.h"

namespace symbolon::crypto {

enum class SignatureAlgorithm {
  kRs256,  // RSASSA-PKCS1-v1_5, 2048 bits, SHA-256
  kEs256,  // ECDSA, P-256, SHA-256
};

// As in the JOSE "alg" member: "RS256", "ES256".
std::string_view Name(SignatureAlgorithm algorithm);

// The public members of a JSON Web Key (RFC 7517, RFC 7518 §6); numbers in base64url. Empty: not of this kind of key.
struct Jwk {
  std::string kty;  // "RSA" or "EC"
  std::string alg;
  std::string n, e;       // RSA
  std::string crv, x, y;  // EC
};

// Verifies signatures under one public key. Copies share the key; thread-safe.
class VerifyingKey {
 public:
  // Takes RSA of 2048 to 4096 bits and P-256. An empty `alg` is fine, another algorithm than the key's is not.
  // Errors: kMalformed.
  static CryptoResult<VerifyingKey> FromJwk(const Jwk& jwk);

  SignatureAlgorithm algorithm() const;
  Jwk ToJwk() const;
  // `signature` as JOSE has it: for ES256 the 64 octets r ‖ s.
  bool Verify(BytesView message, BytesView signature) const;

 private:
  friend class SigningKey;
  struct State;
  explicit VerifyingKey(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

// Signs under one private key. Copies share the key, which is wiped with the last of them; thread-safe. New keys and
// ECDSA's nonces come from OpenSSL's generator.
class SigningKey {
 public:
  // RSA-2048 takes 0.3 s on average and up to a second: see RsaReservoir. P-256 takes microseconds.
  static SigningKey Generate(SignatureAlgorithm algorithm);
  // PKCS #8 (RFC 5958) in DER: RSA of 2048 to 4096 bits or P-256. Errors: kMalformed.
  static CryptoResult<SigningKey> FromPkcs8(BytesView der);

  SignatureAlgorithm algorithm() const;
  Secret ToPkcs8() const;
  VerifyingKey PublicKey() const;
  // As JOSE has it: for ES256 the 64 octets r ‖ s.
  Bytes Sign(BytesView message) const;

 private:
  struct State;
  explicit SigningKey(std::shared_ptr<State> state) : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace symbolon::crypto
