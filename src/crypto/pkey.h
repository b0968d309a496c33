// Private to this module: key pairs in and out of OpenSSL.
#pragma once

#include "base/secret.h"
#include "crypto/error.h"
#include "crypto/openssl.h"

namespace symbolon::crypto::internal {

bool IsP256(const EVP_PKEY* key);
OwnedKey GenerateP256();

// The public key alone, without what is secret.
OwnedKey PublicHalf(const EVP_PKEY* key);

Secret ToPkcs8(const EVP_PKEY* key);
// One PrivateKeyInfo and nothing behind it. Errors: kMalformed.
CryptoResult<OwnedKey> FromPkcs8(BytesView der);

// The 65 octets 04 ‖ x ‖ y of a P-256 public key (SEC 1 §2.3.3).
Bytes P256Point(const EVP_PKEY* key);
// nullptr unless `point` is such a point and lies on the curve.
OwnedKey P256FromPoint(BytesView point);

}  // namespace symbolon::crypto::internal
