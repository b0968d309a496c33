#include "crypto/aead.h"

#include <limits>

#include "base/secret.h"
#include "crypto/gcm.h"

namespace symbolon::crypto {
namespace internal {
namespace {

int Length(BytesView bytes) {
  SYMBOLON_CHECK(bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max()));
  return static_cast<int>(bytes.size());
}

}  // namespace

OwnedCipherContext NewGcmContext() {
  OwnedCipherContext context(EVP_CIPHER_CTX_new());
  SYMBOLON_CHECK(context != nullptr);
  SYMBOLON_CHECK(EVP_EncryptInit_ex2(context.get(), Aes256GcmAlgorithm(), nullptr, nullptr, nullptr) == 1);
  return context;
}

void GcmSeal(EVP_CIPHER_CTX* context, BytesView key, BytesView nonce, BytesView associated_data, BytesView plaintext,
             Bytes& out) {
  SYMBOLON_CHECK(key.size() == kAes256KeyBytes && nonce.size() == kGcmNonceBytes);
  // Naming the algorithm again would make OpenSSL free and allocate its state.
  SYMBOLON_CHECK(EVP_EncryptInit_ex2(context, nullptr, Octets(key), Octets(nonce), nullptr) == 1);
  int written = 0;
  if (!associated_data.empty()) {
    SYMBOLON_CHECK(EVP_EncryptUpdate(context, nullptr, &written, Octets(associated_data), Length(associated_data)) ==
                   1);
  }
  const std::size_t start = out.size();
  out.resize(start + plaintext.size() + kGcmTagBytes);
  unsigned char* const ciphertext = Octets(out) + start;
  if (!plaintext.empty()) {
    SYMBOLON_CHECK(EVP_EncryptUpdate(context, ciphertext, &written, Octets(plaintext), Length(plaintext)) == 1);
  }
  SYMBOLON_CHECK(EVP_EncryptFinal_ex(context, ciphertext + plaintext.size(), &written) == 1);
  SYMBOLON_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, kGcmTagBytes, ciphertext + plaintext.size()) == 1);
}

CryptoResult<Secret> GcmOpen(EVP_CIPHER_CTX* context, BytesView key, BytesView nonce, BytesView associated_data,
                             BytesView sealed) {
  SYMBOLON_CHECK(key.size() == kAes256KeyBytes && nonce.size() == kGcmNonceBytes);
  if (sealed.size() < kGcmTagBytes) return Err(CryptoError::kNotAuthentic);
  const BytesView ciphertext = sealed.substr(0, sealed.size() - kGcmTagBytes);
  const BytesView tag = sealed.substr(ciphertext.size());
  SYMBOLON_CHECK(EVP_DecryptInit_ex2(context, nullptr, Octets(key), Octets(nonce), nullptr) == 1);
  int written = 0;
  if (!associated_data.empty()) {
    SYMBOLON_CHECK(EVP_DecryptUpdate(context, nullptr, &written, Octets(associated_data), Length(associated_data)) ==
                   1);
  }
  Bytes plaintext(ciphertext.size(), '\0');
  if (!ciphertext.empty()) {
    SYMBOLON_CHECK(EVP_DecryptUpdate(context, Octets(plaintext), &written, Octets(ciphertext), Length(ciphertext)) ==
                   1);
  }
  // OpenSSL takes the expected tag as void*, and only reads it.
  SYMBOLON_CHECK(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, kGcmTagBytes, const_cast<char*>(tag.data())) == 1);
  unsigned char nothing[kGcmTagBytes];
  const DropErrors drop_errors;
  if (EVP_DecryptFinal_ex(context, nothing, &written) != 1) {
    Wipe(plaintext.data(), plaintext.size());
    return Err(CryptoError::kNotAuthentic);
  }
  return Secret(std::move(plaintext));
}

}  // namespace internal

Bytes SealAesGcm(BytesView key, BytesView nonce, BytesView associated_data, BytesView plaintext) {
  Bytes sealed;
  sealed.reserve(plaintext.size() + kGcmTagBytes);
  internal::GcmSeal(internal::NewGcmContext().get(), key, nonce, associated_data, plaintext, sealed);
  return sealed;
}

CryptoResult<Secret> OpenAesGcm(BytesView key, BytesView nonce, BytesView associated_data, BytesView sealed) {
  return internal::GcmOpen(internal::NewGcmContext().get(), key, nonce, associated_data, sealed);
}

}  // namespace symbolon::crypto
