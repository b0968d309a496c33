// For tests: the sender's side of rsa_unwrapping.h, by OpenSSL directly.
#pragma once

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "base/bytes.h"
#include "base/result.h"

namespace symbolon::crypto::test {

inline const unsigned char* In(BytesView bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }
inline unsigned char* Out(Bytes& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }

// `public_key`: SubjectPublicKeyInfo, DER.
inline Bytes WrapOaep(BytesView public_key, BytesView plain) {
  const unsigned char* der = In(public_key);
  EVP_PKEY* key = d2i_PUBKEY(nullptr, &der, static_cast<long>(public_key.size()));
  EVP_PKEY_CTX* context = EVP_PKEY_CTX_new(key, nullptr);
  SYMBOLON_CHECK(EVP_PKEY_encrypt_init(context) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_rsa_oaep_md(context, EVP_sha256()) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_rsa_mgf1_md(context, EVP_sha256()) == 1);
  Bytes wrapped(1024, '\0');
  std::size_t size = wrapped.size();
  SYMBOLON_CHECK(EVP_PKEY_encrypt(context, Out(wrapped), &size, In(plain), plain.size()) == 1);
  EVP_PKEY_CTX_free(context);
  EVP_PKEY_free(key);
  return wrapped.substr(0, size);
}

// AES-KWP.
inline Bytes WrapAes(BytesView aes_key, BytesView plain) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  EVP_CIPHER_CTX_set_flags(context, EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  SYMBOLON_CHECK(EVP_EncryptInit_ex(context, EVP_aes_256_wrap_pad(), nullptr, In(aes_key), nullptr) == 1);
  Bytes wrapped(plain.size() + 32, '\0');
  int size = 0;
  SYMBOLON_CHECK(EVP_EncryptUpdate(context, Out(wrapped), &size, In(plain), static_cast<int>(plain.size())) == 1);
  EVP_CIPHER_CTX_free(context);
  return wrapped.substr(0, static_cast<std::size_t>(size));
}

}  // namespace symbolon::crypto::test
