#include "crypto/ed25519.h"

#include "crypto/pkey.h"

namespace symbolon::crypto {

using internal::Octets;
using internal::OwnedKey;
using internal::OwnedMdContext;

struct Ed25519Key::State {
  OwnedKey key;
};

Ed25519Key Ed25519Key::Generate() {
  OwnedKey key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
  SYMBOLON_CHECK(key != nullptr);
  return Ed25519Key(std::make_shared<State>(std::move(key)));
}

CryptoResult<Ed25519Key> Ed25519Key::FromPkcs8(BytesView der) {
  SYMBOLON_TRY(OwnedKey key, internal::FromPkcs8(der));
  if (EVP_PKEY_is_a(key.get(), "ED25519") != 1) return Err(CryptoError::kMalformed);
  return Ed25519Key(std::make_shared<State>(std::move(key)));
}

Secret Ed25519Key::ToPkcs8() const { return internal::ToPkcs8(state_->key.get()); }

Bytes Ed25519Key::PublicKey() const {
  Bytes octets(kEd25519PublicKeyBytes, '\0');
  std::size_t size = octets.size();
  SYMBOLON_CHECK(EVP_PKEY_get_raw_public_key(state_->key.get(), Octets(octets), &size) == 1 && size == octets.size());
  return octets;
}

Bytes Ed25519Key::Sign(BytesView message) const {
  const OwnedMdContext context(EVP_MD_CTX_new());
  SYMBOLON_CHECK(context != nullptr);
  SYMBOLON_CHECK(EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1);
  Bytes signature(kEd25519SignatureBytes, '\0');
  std::size_t size = signature.size();
  SYMBOLON_CHECK(EVP_DigestSign(context.get(), Octets(signature), &size, Octets(message), message.size()) == 1 &&
                 size == signature.size());
  return signature;
}

bool VerifyEd25519(BytesView public_key, BytesView message, BytesView signature) {
  if (public_key.size() != kEd25519PublicKeyBytes || signature.size() != kEd25519SignatureBytes) return false;
  const internal::DropErrors drop_errors;
  const OwnedKey key(
      EVP_PKEY_new_raw_public_key_ex(nullptr, "ED25519", nullptr, Octets(public_key), public_key.size()));
  const OwnedMdContext context(EVP_MD_CTX_new());
  if (key == nullptr || context == nullptr) return false;
  if (EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key.get()) != 1) return false;
  return EVP_DigestVerify(context.get(), Octets(signature), signature.size(), Octets(message), message.size()) == 1;
}

}  // namespace symbolon::crypto
