// AES-256-GCM (NIST SP 800-38D): sealing under a nonce that the caller keeps unique. What has no such nonce at hand
// uses xaes.h. Thread-safe; leaves no key behind.
#pragma once

#include "base/bytes.h"
#include "base/secret.h"
#include "crypto/error.h"

namespace symbolon::crypto {

inline constexpr std::size_t kAes256KeyBytes = 32;
inline constexpr std::size_t kGcmNonceBytes = 12;
inline constexpr std::size_t kGcmTagBytes = 16;

// Ciphertext ‖ tag. `key` has kAes256KeyBytes, `nonce` kGcmNonceBytes and is never used twice under one key.
Bytes SealAesGcm(BytesView key, BytesView nonce, BytesView associated_data, BytesView plaintext);
// Errors: kNotAuthentic, also for what is shorter than a tag.
CryptoResult<Secret> OpenAesGcm(BytesView key, BytesView nonce, BytesView associated_data, BytesView sealed);

}  // namespace symbolon::crypto
