#include "crypto/pkey.h"

#include <openssl/core_names.h>
#include <openssl/params.h>
#include <openssl/x509.h>

namespace symbolon::crypto::internal {
namespace {

constexpr std::size_t kP256PointBytes = 65;
constexpr char kP256Name[] = "prime256v1";

using OwnedPkcs8 = std::unique_ptr<PKCS8_PRIV_KEY_INFO, FreeWith<PKCS8_PRIV_KEY_INFO_free>>;

}  // namespace

bool IsP256(const EVP_PKEY* key) {
  char group[32];
  return EVP_PKEY_is_a(key, "EC") == 1 && EVP_PKEY_get_group_name(key, group, sizeof group, nullptr) == 1 &&
         std::string_view(group) == kP256Name;
}

OwnedKey GenerateP256() {
  OwnedKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", kP256Name));
  SYMBOLON_CHECK(key != nullptr);
  return key;
}

OwnedKey PublicHalf(const EVP_PKEY* key) {
  unsigned char* der = nullptr;
  const int size = i2d_PUBKEY(key, &der);
  SYMBOLON_CHECK(size > 0);
  const unsigned char* end = der;
  OwnedKey half(d2i_PUBKEY(nullptr, &end, size));
  OPENSSL_free(der);
  SYMBOLON_CHECK(half != nullptr);
  return half;
}

Secret ToPkcs8(const EVP_PKEY* key) {
  const OwnedPkcs8 info(EVP_PKEY2PKCS8(key));
  SYMBOLON_CHECK(info != nullptr);
  const int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr);
  SYMBOLON_CHECK(size > 0);
  Bytes der(static_cast<std::size_t>(size), '\0');
  unsigned char* end = Octets(der);
  SYMBOLON_CHECK(i2d_PKCS8_PRIV_KEY_INFO(info.get(), &end) == size);
  return Secret(std::move(der));
}

CryptoResult<OwnedKey> FromPkcs8(BytesView der) {
  const DropErrors drop_errors;
  const unsigned char* end = Octets(der);
  const OwnedPkcs8 info(d2i_PKCS8_PRIV_KEY_INFO(nullptr, &end, static_cast<long>(der.size())));
  if (info == nullptr || end != Octets(der) + der.size()) return Err(CryptoError::kMalformed);
  OwnedKey key(EVP_PKCS82PKEY(info.get()));
  if (key == nullptr) return Err(CryptoError::kMalformed);
  return key;
}

Bytes P256Point(const EVP_PKEY* key) {
  Bytes point(kP256PointBytes, '\0');
  std::size_t size = 0;
  SYMBOLON_CHECK(EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_PUB_KEY, Octets(point), point.size(), &size) ==
                     1 &&
                 size == kP256PointBytes && point[0] == 4);
  return point;
}

OwnedKey P256FromPoint(BytesView point) {
  if (point.size() != kP256PointBytes || point[0] != 4) return nullptr;
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr));
  SYMBOLON_CHECK(context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  // OSSL_PARAM has no const form; fromdata only reads.
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, const_cast<char*>(kP256Name), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, const_cast<char*>(point.data()), point.size()),
      OSSL_PARAM_construct_end()};
  const DropErrors drop_errors;
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, const_cast<OSSL_PARAM*>(parameters)) != 1) {
    return nullptr;
  }
  return OwnedKey(key);
}

}  // namespace symbolon::crypto::internal
