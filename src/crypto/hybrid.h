// Key material on its way between Regions: HPKE (RFC 9180), base mode, DHKEM(P-256, HKDF-SHA256), HKDF-SHA256,
// AES-256-GCM. Says to whom, not from whom: who sends must be known by other means.
#pragma once

#include <memory>

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/error.h"

namespace symbolon::crypto {

// The encapsulated key and the tag.
inline constexpr std::size_t kHybridOverheadBytes = 65 + 16;

// Encapsulated key ‖ ciphertext ‖ tag, which only the holder of the private key opens, and only with the same `info`
// (what the plaintext is for, from whom, to whom). `recipient` is a HybridPrivateKey::PublicKey(). Errors: kMalformed
// for what is no point of the curve.
CryptoResult<Bytes> SealTo(BytesView recipient, BytesView info, BytesView plaintext);

// A P-256 key pair. Copies share the key, which is wiped with the last of them; thread-safe.
class HybridPrivateKey {
 public:
  static HybridPrivateKey Generate();
  // PKCS #8 in DER. Errors: kMalformed.
  static CryptoResult<HybridPrivateKey> FromPkcs8(BytesView der);

  Secret ToPkcs8() const;
  // 65 octets: 04 ‖ x ‖ y.
  Bytes PublicKey() const;
  // Errors: kMalformed (no encapsulated key in it), kNotAuthentic.
  CryptoResult<Secret> Open(BytesView info, BytesView sealed) const;

 private:
  struct State;
  explicit HybridPrivateKey(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  std::shared_ptr<const State> state_;
};

}  // namespace symbolon::crypto
