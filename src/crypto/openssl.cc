#include "crypto/openssl.h"

namespace symbolon::crypto::internal {

const EVP_MD* Sha256Algorithm() {
  static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  SYMBOLON_CHECK(algorithm != nullptr);
  return algorithm;
}

EVP_MAC* HmacAlgorithm() {
  static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  SYMBOLON_CHECK(algorithm != nullptr);
  return algorithm;
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
