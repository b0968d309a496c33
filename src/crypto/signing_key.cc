#include "crypto/signing_key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <optional>

#include "crypto/hash.h"
#include "crypto/pkey.h"

namespace symbolon::crypto {
namespace {

using internal::ContextPool;
using internal::FreeWith;
using internal::Octets;
using internal::OwnedKey;
using internal::OwnedKeyContext;
using internal::OwnedNumber;

using OwnedEcdsaSignature = std::unique_ptr<ECDSA_SIG, FreeWith<ECDSA_SIG_free>>;
using OwnedParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, FreeWith<OSSL_PARAM_BLD_free>>;
using OwnedParameters = std::unique_ptr<OSSL_PARAM, FreeWith<OSSL_PARAM_free>>;

constexpr int kRsaBits = 2048;
constexpr int kRsaBitsMax = 4096;
constexpr std::size_t kP256NumberBytes = 32;

// nullopt for a key that we do not sign or verify with.
std::optional<SignatureAlgorithm> AlgorithmOf(const EVP_PKEY* key) {
  if (internal::IsP256(key)) return SignatureAlgorithm::kEs256;
  const int bits = EVP_PKEY_get_bits(key);
  if (EVP_PKEY_is_a(key, "RSA") == 1 && bits >= kRsaBits && bits <= kRsaBitsMax) return SignatureAlgorithm::kRs256;
  return std::nullopt;
}

// Ready to sign, or to verify, any number of SHA-256 digests.
OwnedKeyContext NewContext(EVP_PKEY* key, SignatureAlgorithm algorithm, int (*initialise)(EVP_PKEY_CTX*)) {
  OwnedKeyContext context(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  SYMBOLON_CHECK(context != nullptr && initialise(context.get()) == 1);
  if (algorithm == SignatureAlgorithm::kRs256) {
    SYMBOLON_CHECK(EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PADDING) == 1);
  }
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_signature_md(context.get(), internal::Sha256Algorithm()) == 1);
  return context;
}

// r ‖ s from the DER that OpenSSL makes.
Bytes JoseFromDer(BytesView der) {
  const unsigned char* end = Octets(der);
  const OwnedEcdsaSignature signature(d2i_ECDSA_SIG(nullptr, &end, static_cast<long>(der.size())));
  SYMBOLON_CHECK(signature != nullptr);
  Bytes jose(2 * kP256NumberBytes, '\0');
  SYMBOLON_CHECK(BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), Octets(jose), kP256NumberBytes) > 0);
  SYMBOLON_CHECK(BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), Octets(jose) + kP256NumberBytes, kP256NumberBytes) >
                 0);
  return jose;
}

OwnedNumber Number(BytesView octets) {
  OwnedNumber number(BN_bin2bn(Octets(octets), static_cast<int>(octets.size()), nullptr));
  SYMBOLON_CHECK(number != nullptr);
  return number;
}

// The DER that OpenSSL takes; nullopt for another length than 64 octets.
std::optional<Bytes> DerFromJose(BytesView jose) {
  if (jose.size() != 2 * kP256NumberBytes) return std::nullopt;
  const OwnedEcdsaSignature signature(ECDSA_SIG_new());
  SYMBOLON_CHECK(signature != nullptr);
  SYMBOLON_CHECK(ECDSA_SIG_set0(signature.get(), Number(jose.substr(0, kP256NumberBytes)).release(),
                                Number(jose.substr(kP256NumberBytes)).release()) == 1);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  SYMBOLON_CHECK(size > 0);
  Bytes copy(reinterpret_cast<char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return copy;
}

std::string Base64UrlNumber(const EVP_PKEY* key, const char* parameter) {
  BIGNUM* raw = nullptr;
  SYMBOLON_CHECK(EVP_PKEY_get_bn_param(key, parameter, &raw) == 1);
  const OwnedNumber number(raw);
  Bytes octets(static_cast<std::size_t>(BN_num_bytes(raw)), '\0');
  BN_bn2bin(raw, Octets(octets));
  return Base64UrlEncode(octets);
}

OwnedKey RsaFromNumbers(BytesView n, BytesView e) {
  const OwnedParameterBuilder builder(OSSL_PARAM_BLD_new());
  const OwnedNumber modulus = Number(n), exponent = Number(e);
  SYMBOLON_CHECK(builder != nullptr &&
                 OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, modulus.get()) == 1 &&
                 OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, exponent.get()) == 1);
  const OwnedParameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const OwnedKeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  SYMBOLON_CHECK(parameters != nullptr && context != nullptr && EVP_PKEY_fromdata_init(context.get()) == 1);
  const internal::DropErrors drop_errors;
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) return nullptr;
  return OwnedKey(key);
}

// nullptr when the members are not of a key of this kind, or far out of bounds.
OwnedKey KeyFromJwk(const Jwk& jwk) {
  constexpr std::size_t kNumberBytesMax = kRsaBitsMax / 8;
  if (jwk.kty == "RSA") {
    const auto n = Base64UrlDecode(jwk.n), e = Base64UrlDecode(jwk.e);
    if (!n || !e || n->size() > kNumberBytesMax || e->empty() || e->size() > sizeof(std::uint64_t)) return nullptr;
    return RsaFromNumbers(*n, *e);
  }
  if (jwk.kty == "EC" && jwk.crv == "P-256") {
    const auto x = Base64UrlDecode(jwk.x), y = Base64UrlDecode(jwk.y);
    if (!x || !y || x->size() != kP256NumberBytes || y->size() != kP256NumberBytes) return nullptr;
    return internal::P256FromPoint('\x04' + *x + *y);
  }
  return nullptr;
}

}  // namespace

std::string_view Name(SignatureAlgorithm algorithm) {
  switch (algorithm) {
    case SignatureAlgorithm::kRs256:
      return "RS256";
    case SignatureAlgorithm::kEs256:
      return "ES256";
  }
  return {};
}

struct VerifyingKey::State {
  OwnedKey key;
  SignatureAlgorithm algorithm;
  ContextPool<OwnedKeyContext> idle;
};

CryptoResult<VerifyingKey> VerifyingKey::FromJwk(const Jwk& jwk) {
  OwnedKey key = KeyFromJwk(jwk);
  if (key == nullptr) return Err(CryptoError::kMalformed);
  const auto algorithm = AlgorithmOf(key.get());
  if (!algorithm || (!jwk.alg.empty() && jwk.alg != Name(*algorithm))) return Err(CryptoError::kMalformed);
  return VerifyingKey(std::make_shared<State>(std::move(key), *algorithm));
}

SignatureAlgorithm VerifyingKey::algorithm() const { return state_->algorithm; }

Jwk VerifyingKey::ToJwk() const {
  Jwk jwk{.alg = std::string(Name(state_->algorithm))};
  switch (state_->algorithm) {
    case SignatureAlgorithm::kRs256:
      jwk.kty = "RSA";
      jwk.n = Base64UrlNumber(state_->key.get(), OSSL_PKEY_PARAM_RSA_N);
      jwk.e = Base64UrlNumber(state_->key.get(), OSSL_PKEY_PARAM_RSA_E);
      break;
    case SignatureAlgorithm::kEs256: {
      const Bytes point = internal::P256Point(state_->key.get());
      jwk.kty = "EC";
      jwk.crv = "P-256";
      jwk.x = Base64UrlEncode(BytesView(point).substr(1, kP256NumberBytes));
      jwk.y = Base64UrlEncode(BytesView(point).substr(1 + kP256NumberBytes));
      break;
    }
  }
  return jwk;
}

bool VerifyingKey::Verify(BytesView message, BytesView signature) const {
  Bytes der;
  if (state_->algorithm == SignatureAlgorithm::kEs256) {
    auto converted = DerFromJose(signature);
    if (!converted) return false;
    der = *std::move(converted);
    signature = der;
  }
  const Bytes digest = Sha256(message);
  OwnedKeyContext context =
      state_->idle.Take([&] { return NewContext(state_->key.get(), state_->algorithm, EVP_PKEY_verify_init); });
  const internal::DropErrors drop_errors;
  const int verified =
      EVP_PKEY_verify(context.get(), Octets(signature), signature.size(), Octets(BytesView(digest)), digest.size());
  state_->idle.Return(std::move(context));
  return verified == 1;
}

struct SigningKey::State {
  OwnedKey key;
  SignatureAlgorithm algorithm;
  ContextPool<OwnedKeyContext> idle;
};

SigningKey SigningKey::Generate(SignatureAlgorithm algorithm) {
  OwnedKey key = algorithm == SignatureAlgorithm::kEs256
                     ? internal::GenerateP256()
                     : OwnedKey(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{kRsaBits}));
  SYMBOLON_CHECK(key != nullptr);
  return SigningKey(std::make_shared<State>(std::move(key), algorithm));
}

CryptoResult<SigningKey> SigningKey::FromPkcs8(BytesView der) {
  SYMBOLON_TRY(OwnedKey key, internal::FromPkcs8(der));
  const auto algorithm = AlgorithmOf(key.get());
  if (!algorithm) return Err(CryptoError::kMalformed);
  return SigningKey(std::make_shared<State>(std::move(key), *algorithm));
}

SignatureAlgorithm SigningKey::algorithm() const { return state_->algorithm; }

Secret SigningKey::ToPkcs8() const { return internal::ToPkcs8(state_->key.get()); }

VerifyingKey SigningKey::PublicKey() const {
  return VerifyingKey(
      std::make_shared<VerifyingKey::State>(internal::PublicHalf(state_->key.get()), state_->algorithm));
}

Bytes SigningKey::Sign(BytesView message) const {
  const Bytes digest = Sha256(message);
  OwnedKeyContext context =
      state_->idle.Take([&] { return NewContext(state_->key.get(), state_->algorithm, EVP_PKEY_sign_init); });
  std::size_t size = static_cast<std::size_t>(EVP_PKEY_get_size(state_->key.get()));
  Bytes signature(size, '\0');
  SYMBOLON_CHECK(EVP_PKEY_sign(context.get(), Octets(signature), &size, Octets(BytesView(digest)), digest.size()) == 1);
  state_->idle.Return(std::move(context));
  signature.resize(size);
  return state_->algorithm == SignatureAlgorithm::kEs256 ? JoseFromDer(signature) : signature;
}

}  // namespace symbolon::crypto
