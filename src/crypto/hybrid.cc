#include "crypto/hybrid.h"

#include <initializer_list>

#include "crypto/aead.h"
#include "crypto/hash.h"
#include "crypto/pkey.h"

namespace symbolon::crypto {
namespace {

using internal::Octets;
using internal::OwnedKey;
using internal::OwnedKeyContext;

constexpr std::size_t kPointBytes = 65;
constexpr std::string_view kVersion = "HPKE-v1";
// RFC 9180 §4.1 and §5.1: KEM 0x0010; the whole suite with KDF 0x0001 and AEAD 0x0002.
constexpr std::string_view kKemSuite("KEM\x00\x10", 5);
constexpr std::string_view kSuite("HPKE\x00\x10\x00\x01\x00\x02", 10);

Secret Join(std::initializer_list<BytesView> parts) {
  std::size_t size = 0;
  for (BytesView part : parts) size += part.size();
  Bytes joined;
  joined.reserve(size);
  for (BytesView part : parts) joined += part;
  return Secret(std::move(joined));
}

Secret LabeledExtract(std::string_view suite, BytesView salt, std::string_view label, BytesView input_key) {
  return HkdfSha256Extract(salt, Join({kVersion, suite, label, input_key}).view());
}

Secret LabeledExpand(std::string_view suite, BytesView key, std::string_view label, BytesView info,
                     std::uint16_t size_bytes) {
  Bytes size;
  AppendBigEndian16(size, size_bytes);
  return HkdfSha256Expand(key, Join({size, kVersion, suite, label, info}).view(), size_bytes);
}

Secret DiffieHellman(EVP_PKEY* own, EVP_PKEY* peer) {
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, own, nullptr));
  SYMBOLON_CHECK(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1 &&
                 EVP_PKEY_derive_set_peer(context.get(), peer) == 1);
  Bytes shared(32, '\0');
  std::size_t size = shared.size();
  SYMBOLON_CHECK(EVP_PKEY_derive(context.get(), Octets(shared), &size) == 1 && size == shared.size());
  return Secret(std::move(shared));
}

struct MessageKey {
  Secret key, nonce;
};

// RFC 9180 §4.1 (ExtractAndExpand) and §5.1 (KeySchedule, mode 0). Every message has a key of its own, so the first
// nonce is the only one.
MessageKey Schedule(BytesView shared, BytesView encapsulated, BytesView recipient, BytesView info) {
  const Secret extracted = LabeledExtract(kKemSuite, {}, "eae_prk", shared);
  const Secret kem_secret =
      LabeledExpand(kKemSuite, extracted.view(), "shared_secret", Join({encapsulated, recipient}).view(), kSha256Bytes);
  const Secret context = Join({BytesView("\0", 1), LabeledExtract(kSuite, {}, "psk_id_hash", {}).view(),
                               LabeledExtract(kSuite, {}, "info_hash", info).view()});
  const Secret secret = LabeledExtract(kSuite, kem_secret.view(), "secret", {});
  return {LabeledExpand(kSuite, secret.view(), "key", context.view(), kAes256KeyBytes),
          LabeledExpand(kSuite, secret.view(), "base_nonce", context.view(), kGcmNonceBytes)};
}

}  // namespace

CryptoResult<Bytes> SealTo(BytesView recipient, BytesView info, BytesView plaintext) {
  const OwnedKey peer = internal::P256FromPoint(recipient);
  if (peer == nullptr) return Err(CryptoError::kMalformed);
  const OwnedKey ephemeral = internal::GenerateP256();
  Bytes sealed = internal::P256Point(ephemeral.get());
  const MessageKey message = Schedule(DiffieHellman(ephemeral.get(), peer.get()).view(), sealed, recipient, info);
  sealed += SealAesGcm(message.key.view(), message.nonce.view(), {}, plaintext);
  return sealed;
}

struct HybridPrivateKey::State {
  OwnedKey key;
  Bytes public_key;
};

HybridPrivateKey HybridPrivateKey::Generate() {
  OwnedKey key = internal::GenerateP256();
  Bytes point = internal::P256Point(key.get());
  return HybridPrivateKey(std::make_shared<State>(std::move(key), std::move(point)));
}

CryptoResult<HybridPrivateKey> HybridPrivateKey::FromPkcs8(BytesView der) {
  SYMBOLON_TRY(OwnedKey key, internal::FromPkcs8(der));
  if (!internal::IsP256(key.get())) return Err(CryptoError::kMalformed);
  Bytes point = internal::P256Point(key.get());
  return HybridPrivateKey(std::make_shared<State>(std::move(key), std::move(point)));
}

Secret HybridPrivateKey::ToPkcs8() const { return internal::ToPkcs8(state_->key.get()); }

Bytes HybridPrivateKey::PublicKey() const { return state_->public_key; }

CryptoResult<Secret> HybridPrivateKey::Open(BytesView info, BytesView sealed) const {
  const BytesView encapsulated = sealed.substr(0, kPointBytes);
  const OwnedKey peer = internal::P256FromPoint(encapsulated);
  if (peer == nullptr) return Err(CryptoError::kMalformed);
  const MessageKey message =
      Schedule(DiffieHellman(state_->key.get(), peer.get()).view(), encapsulated, state_->public_key, info);
  return OpenAesGcm(message.key.view(), message.nonce.view(), {}, sealed.substr(kPointBytes));
}

}  // namespace symbolon::crypto
