#include "crypto/openssl.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <string>

namespace symbolon::crypto::internal {

const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  SYMBOLON_CHECK(algorithm != nullptr);
  return algorithm;
}

static EVP_MAC* HmacAlgorithm() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  SYMBOLON_CHECK(algorithm != nullptr);
  return algorithm;
}

OwnedMacContext NewHmac(std::string_view digest) {
  OwnedMacContext context(EVP_MAC_CTX_new(HmacAlgorithm()));
  SYMBOLON_CHECK(context != nullptr);
  std::string name(digest);
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name.data(), 0),
                                   OSSL_PARAM_construct_end()};
  SYMBOLON_CHECK(EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
  return context;
}

void SetHmacKey(EVP_MAC_CTX* context, BytesView key) {
  SYMBOLON_CHECK(EVP_MAC_init(context, Octets(key), key.size(), nullptr) == 1);
}

const EVP_CIPHER* Aes256GcmAlgorithm() {
  static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr);
  SYMBOLON_CHECK(algorithm != nullptr);
  return algorithm;
}

const EVP_CIPHER* Aes256EcbAlgorithm() {
  static const EVP_CIPHER* const algorithm = EVP_CIPHER_fetch(nullptr, "AES-256-ECB", nullptr);
  SYMBOLON_CHECK(algorithm != nullptr);
  return algorithm;
}

std::size_t ThreadNumber() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

}  // namespace symbolon::crypto::internal
