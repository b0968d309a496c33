// Private to this module: AES-256-GCM in a context of the caller's.
#pragma once

#include "crypto/error.h"
#include "crypto/openssl.h"

namespace symbolon::crypto::internal {

// Knows its algorithm, has no key yet.
OwnedCipherContext NewGcmContext();

// Appends ciphertext ‖ tag to `out`. The context keeps the key.
void GcmSeal(EVP_CIPHER_CTX* context, BytesView key, BytesView nonce, BytesView associated_data, BytesView plaintext,
             Bytes& out);
// Errors: kNotAuthentic.
CryptoResult<Secret> GcmOpen(EVP_CIPHER_CTX* context, BytesView key, BytesView nonce, BytesView associated_data,
                             BytesView sealed);

}  // namespace symbolon::crypto::internal
