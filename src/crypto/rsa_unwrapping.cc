#include "crypto/rsa_unwrapping.h"

#include <openssl/rsa.h>
#include <openssl/x509.h>

#include "crypto/pkey.h"

namespace symbolon::crypto {
namespace {

using internal::DropErrors;
using internal::Octets;
using internal::OwnedCipherContext;
using internal::OwnedKey;
using internal::OwnedKeyContext;

constexpr std::size_t kAesKeyBytes = 32;
// RFC 5649: at least one block of eight octets beside the integrity value.
constexpr std::size_t kWrapBlockBytes = 8;

using OwnedCipher = std::unique_ptr<EVP_CIPHER, internal::FreeWith<EVP_CIPHER_free>>;

CryptoResult<Secret> UnwrapAes(BytesView key, BytesView wrapped) {
  const DropErrors drop_errors;
  if (wrapped.size() < 2 * kWrapBlockBytes || wrapped.size() % kWrapBlockBytes != 0) {
    return Err(CryptoError::kNotAuthentic);
  }
  const OwnedCipher cipher(EVP_CIPHER_fetch(nullptr, "AES-256-WRAP-PAD", nullptr));
  const OwnedCipherContext context(EVP_CIPHER_CTX_new());
  SYMBOLON_CHECK(cipher != nullptr && context != nullptr);
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  SYMBOLON_CHECK(EVP_DecryptInit_ex2(context.get(), cipher.get(), Octets(key), nullptr, nullptr) == 1);
  Bytes plain(wrapped.size() + kWrapBlockBytes, '\0');
  int size = 0;
  const int unwrapped =
      EVP_DecryptUpdate(context.get(), Octets(plain), &size, Octets(wrapped), static_cast<int>(wrapped.size()));
  if (unwrapped != 1 || size <= 0) {
    Wipe(plain.data(), plain.size());
    return Err(CryptoError::kNotAuthentic);
  }
  Secret secret = Secret::CopyOf(BytesView(plain).substr(0, static_cast<std::size_t>(size)));
  Wipe(plain.data(), plain.size());
  return secret;
}

}  // namespace

struct RsaUnwrappingKey::State {
  OwnedKey key;
  std::size_t modulus_bytes;
};

RsaUnwrappingKey RsaUnwrappingKey::Generate(int bits) {
  SYMBOLON_CHECK(bits == 2048 || bits == 3072 || bits == 4096);
  OwnedKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(bits)));
  SYMBOLON_CHECK(key != nullptr);
  return RsaUnwrappingKey(std::make_shared<State>(std::move(key), static_cast<std::size_t>(bits / 8)));
}

CryptoResult<RsaUnwrappingKey> RsaUnwrappingKey::FromPkcs8(BytesView der) {
  SYMBOLON_TRY(OwnedKey key, internal::FromPkcs8(der));
  if (EVP_PKEY_is_a(key.get(), "RSA") != 1) return Err(CryptoError::kMalformed);
  const auto bytes = static_cast<std::size_t>(EVP_PKEY_get_size(key.get()));
  return RsaUnwrappingKey(std::make_shared<State>(std::move(key), bytes));
}

Secret RsaUnwrappingKey::ToPkcs8() const { return internal::ToPkcs8(state_->key.get()); }

Bytes RsaUnwrappingKey::PublicKeyDer() const {
  const int size = i2d_PUBKEY(state_->key.get(), nullptr);
  SYMBOLON_CHECK(size > 0);
  Bytes der(static_cast<std::size_t>(size), '\0');
  unsigned char* end = Octets(der);
  SYMBOLON_CHECK(i2d_PUBKEY(state_->key.get(), &end) == size);
  return der;
}

CryptoResult<Secret> RsaUnwrappingKey::UnwrapOaep(BytesView wrapped) const {
  const DropErrors drop_errors;
  if (wrapped.size() != state_->modulus_bytes) return Err(CryptoError::kNotAuthentic);
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, state_->key.get(), nullptr));
  SYMBOLON_CHECK(context != nullptr && EVP_PKEY_decrypt_init(context.get()) == 1 &&
                 EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_OAEP_PADDING) == 1 &&
                 EVP_PKEY_CTX_set_rsa_oaep_md_name(context.get(), "SHA256", nullptr) == 1 &&
                 EVP_PKEY_CTX_set_rsa_mgf1_md_name(context.get(), "SHA256", nullptr) == 1);
  Bytes plain(state_->modulus_bytes, '\0');
  std::size_t size = plain.size();
  const int opened = EVP_PKEY_decrypt(context.get(), Octets(plain), &size, Octets(wrapped), wrapped.size());
  if (opened != 1) {
    Wipe(plain.data(), plain.size());
    return Err(CryptoError::kNotAuthentic);
  }
  Secret secret = Secret::CopyOf(BytesView(plain).substr(0, size));
  Wipe(plain.data(), plain.size());
  return secret;
}

CryptoResult<Secret> RsaUnwrappingKey::UnwrapOaepAesKeyWrap(BytesView wrapped) const {
  if (wrapped.size() <= state_->modulus_bytes) return Err(CryptoError::kNotAuthentic);
  SYMBOLON_TRY(const Secret key, UnwrapOaep(wrapped.substr(0, state_->modulus_bytes)));
  if (key.size() != kAesKeyBytes) return Err(CryptoError::kNotAuthentic);
  return UnwrapAes(key.view(), wrapped.substr(state_->modulus_bytes));
}

}  // namespace symbolon::crypto
