// symbolon_micro: the small steps of a request beside what OpenSSL alone needs for the same. Google Benchmark's flags.
#include <benchmark/benchmark.h>
#include <openssl/evp.h>

#include <array>
#include <memory>
#include <string>
#include <utility>

#include "base/temporary_directory.h"
#include "crypto/jws.h"
#include "crypto/random.h"
#include "crypto/signing_key.h"
#include "http/request_parser.h"
#include "http/sigv4.h"
#include "keys/local/local_key_provider.h"
#include "keys/wrapped_pool_keys.h"
#include "load/aws_signer.h"
#include "model/operations.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"
#include "wire/parse.h"

namespace symbolon::bench {
namespace {

const PoolId kPool("eu-central-1_Micro0001");
const storage::Key kRecordKey{.space = storage::Space::kDirectory, .pool = kPool, .type = 9, .id = Bytes(16, 'k')};
constexpr std::size_t kRecordBytes = 1'024;

// ---- sealing of records ----

std::shared_ptr<const keys::PoolKeys> MakePoolKeys() {
  const TemporaryDirectory directory;
  const Region region("eu-central-1");
  auto provider =
      keys::local::LocalKeyProvider::Open({.directory = directory.path(), .region = region, .account = "000000000000"},
                                          SystemClock(), crypto::SystemRandom());
  SYMBOLON_CHECK(provider);
  const auto cmk = (*provider)->EnsureServiceOwnedKey();
  SYMBOLON_CHECK(cmk);
  const auto wrapped =
      keys::WrapNewPoolKeys(**provider, *cmk, "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/" + kPool.value(),
                            Timestamp(), crypto::SystemRandom());
  SYMBOLON_CHECK(wrapped);
  auto opened = keys::OpenPoolKeys(**provider, region, kPool, *wrapped);
  SYMBOLON_CHECK(opened);
  return *opened;
}

const keys::PoolKeys& PoolKeysOnce() {
  static const auto keys = MakePoolKeys();
  return *keys;
}

void SealRecord(benchmark::State& state) {
  const keys::PoolKeys& keys = PoolKeysOnce();
  const Bytes record(kRecordBytes, 'r');
  for (auto _ : state) benchmark::DoNotOptimize(keys.Seal(kRecordKey, record, crypto::SystemRandom()));
}
BENCHMARK(SealRecord);

void OpenRecord(benchmark::State& state) {
  const keys::PoolKeys& keys = PoolKeysOnce();
  const Bytes sealed = keys.Seal(kRecordKey, Bytes(kRecordBytes, 'r'), crypto::SystemRandom());
  for (auto _ : state) benchmark::DoNotOptimize(keys.Open(kRecordKey, sealed));
}
BENCHMARK(OpenRecord);

// AES-256-GCM of the same octets under one key that stays set; only the nonce changes.
void AesGcm(benchmark::State& state) {
  const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> algorithm(
      EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr), EVP_CIPHER_free);
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  const std::array<unsigned char, 32> key{1};
  std::array<unsigned char, 12> nonce{};
  std::array<unsigned char, kRecordBytes> plain{}, sealed{};
  std::array<unsigned char, 16> tag{};
  SYMBOLON_CHECK(EVP_EncryptInit_ex(context.get(), algorithm.get(), nullptr, key.data(), nonce.data()) == 1);
  for (auto _ : state) {
    ++nonce[0];
    int length = 0;
    SYMBOLON_CHECK(EVP_EncryptInit_ex(context.get(), nullptr, nullptr, nullptr, nonce.data()) == 1 &&
                   EVP_EncryptUpdate(context.get(), sealed.data(), &length, plain.data(), plain.size()) == 1 &&
                   EVP_EncryptFinal_ex(context.get(), sealed.data() + length, &length) == 1 &&
                   EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_AEAD_GET_TAG, tag.size(), tag.data()) == 1);
    benchmark::DoNotOptimize(tag);
  }
}
BENCHMARK(AesGcm);

// ---- tokens ----

const crypto::SigningKey& Key(crypto::SignatureAlgorithm algorithm) {
  static const auto rs256 = crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kRs256);
  static const auto es256 = crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kEs256);
  return algorithm == crypto::SignatureAlgorithm::kRs256 ? rs256 : es256;
}

const std::string& Claims() {
  static const std::string claims =
      R"({"sub":"5f0c9a52-1111-4222-8333-444455556666","iss":"http://127.0.0.1:9410/eu-central-1_Micro0001",)"
      R"("client_id":"1234567890abcdefghijklmnop","origin_jti":"5f0c9a52-1111-4222-8333-444455556667",)"
      R"("event_id":"5f0c9a52-1111-4222-8333-444455556668","token_use":"access","scope":"aws.cognito.signin.user.admin",)"
      R"("auth_time":1800000000,"exp":1800003600,"iat":1800000000,"jti":"5f0c9a52-1111-4222-8333-444455556669",)"
      R"("username":"someone"})";
  return claims;
}

template <crypto::SignatureAlgorithm algorithm>
void SignToken(benchmark::State& state) {
  const crypto::SigningKey& key = Key(algorithm);
  for (auto _ : state) benchmark::DoNotOptimize(crypto::SignJws(key, "kid", Claims()));
}
BENCHMARK(SignToken<crypto::SignatureAlgorithm::kRs256>)->Name("SignTokenRs256");
BENCHMARK(SignToken<crypto::SignatureAlgorithm::kEs256>)->Name("SignTokenEs256");

void VerifyTokenRs256(benchmark::State& state) {
  const crypto::SigningKey& key = Key(crypto::SignatureAlgorithm::kRs256);
  const crypto::VerifyingKey verifying = key.PublicKey();
  const std::string token = crypto::SignJws(key, "kid", Claims());
  for (auto _ : state) {
    auto parsed = crypto::ParseJws(token);
    SYMBOLON_CHECK(parsed);
    SYMBOLON_CHECK(std::move(*parsed).Verify("kid", verifying));
  }
}
BENCHMARK(VerifyTokenRs256);

// One signature of OpenSSL's, without the token around it.
template <crypto::SignatureAlgorithm algorithm>
void RawSignature(benchmark::State& state) {
  const Secret der = Key(algorithm).ToPkcs8();
  const auto* octets = reinterpret_cast<const unsigned char*>(der.view().data());
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(
      d2i_AutoPrivateKey(nullptr, &octets, static_cast<long>(der.view().size())), EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, key.get(), nullptr), EVP_PKEY_CTX_free);
  SYMBOLON_CHECK(EVP_PKEY_sign_init(context.get()) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1);
  const std::array<unsigned char, 32> digest{7};
  std::array<unsigned char, 256> signature{};
  for (auto _ : state) {
    std::size_t length = signature.size();
    SYMBOLON_CHECK(EVP_PKEY_sign(context.get(), signature.data(), &length, digest.data(), digest.size()) == 1);
  }
}
BENCHMARK(RawSignature<crypto::SignatureAlgorithm::kRs256>)->Name("RawRsa2048Signature");
BENCHMARK(RawSignature<crypto::SignatureAlgorithm::kEs256>)->Name("RawP256Signature");

void RawRsa2048Verification(benchmark::State& state) {
  const crypto::SigningKey& key = Key(crypto::SignatureAlgorithm::kRs256);
  const Secret der = key.ToPkcs8();
  const auto* octets = reinterpret_cast<const unsigned char*>(der.view().data());
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> raw(
      d2i_AutoPrivateKey(nullptr, &octets, static_cast<long>(der.view().size())), EVP_PKEY_free);
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(
      EVP_PKEY_CTX_new_from_pkey(nullptr, raw.get(), nullptr), EVP_PKEY_CTX_free);
  SYMBOLON_CHECK(EVP_PKEY_sign_init(context.get()) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1);
  const std::array<unsigned char, 32> digest{7};
  std::array<unsigned char, 256> signature{};
  std::size_t length = signature.size();
  SYMBOLON_CHECK(EVP_PKEY_sign(context.get(), signature.data(), &length, digest.data(), digest.size()) == 1);
  SYMBOLON_CHECK(EVP_PKEY_verify_init(context.get()) == 1);
  SYMBOLON_CHECK(EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256()) == 1);
  for (auto _ : state) {
    SYMBOLON_CHECK(EVP_PKEY_verify(context.get(), signature.data(), length, digest.data(), digest.size()) == 1);
  }
}
BENCHMARK(RawRsa2048Verification);

// ---- requests ----

const std::string& SignInBody() {
  static const std::string body = R"({"AuthFlow":"USER_PASSWORD_AUTH","ClientId":"1234567890abcdefghijklmnop",)"
                                  R"("AuthParameters":{"USERNAME":"someone","PASSWORD":"Correct-horse-7"}})";
  return body;
}

void ParseHttp(benchmark::State& state) {
  const std::string octets =
      "POST / HTTP/1.1\r\nHost: 127.0.0.1:9410\r\nContent-Type: application/x-amz-json-1.1\r\n"
      "X-Amz-Target: AWSCognitoIdentityProviderService.InitiateAuth\r\nAccept: */*\r\nContent-Length: " +
      std::to_string(SignInBody().size()) + "\r\n\r\n" + SignInBody();
  for (auto _ : state) {
    http::RequestParser parser{http::ParserLimits()};
    const auto head = parser.ParseHeader(octets);
    parser.BeginBody(64 * 1024);
    const auto body = parser.ParseBody(std::string_view(octets).substr(head.consumed));
    SYMBOLON_CHECK(body.progress == http::RequestParser::Progress::kDone);
  }
}
BENCHMARK(ParseHttp);

void ParseSignIn(benchmark::State& state) {
  const model::OperationFacts* operation = model::FindOperation("AWSCognitoIdentityProviderService.InitiateAuth");
  SYMBOLON_CHECK(operation != nullptr);
  for (auto _ : state) {
    wire::ParseReport report;
    SYMBOLON_CHECK(wire::ParseRequest(*operation->input, SignInBody(), report));
  }
}
BENCHMARK(ParseSignIn);

class OneKey final : public http::AccessKeys {
 public:
  std::optional<http::AccessKey> Find(std::string_view) const override {
    return http::AccessKey{.secret = Secret("secret")};
  }
};

void VerifySigV4(benchmark::State& state) {
  const std::vector<HeaderField> headers{{"Host", "127.0.0.1:9410"},
                                         {"Content-Type", "application/x-amz-json-1.1"},
                                         {"X-Amz-Target", "AWSCognitoIdentityProviderService.AdminGetUser"}};
  const Timestamp now = SystemClock().Now();
  http::Request request{.method = "POST", .target = "/", .headers = {}, .body = SignInBody()};
  AwsSigner signer({.access_key_id = "KEY", .secret_access_key = "secret", .region = "eu-1", .service = "cognito-idp"});
  for (const auto& [name, value] : headers) request.headers.Add(name, value);
  for (const auto& [name, value] : signer.Sign("POST", "/", headers, request.body, now))
    request.headers.Add(name, value);
  const OneKey keys;
  const http::SigV4Verifier verifier({"eu-1"}, keys, SystemClock());
  const std::array<std::string_view, 1> services{"cognito-idp"};
  for (auto _ : state) SYMBOLON_CHECK(verifier.Verify(request, services));
}
BENCHMARK(VerifySigV4);

// ---- commits ----

// The processor's part of a group commit: 64 sign-ups' worth of records over a store in memory.
void CommitStepOf64(benchmark::State& state) {
  auto store = storage::LocalStore::Open(
      storage::MakeMemoryEngine(),
      {.region = Region("eu-central-1"), .clock = &SystemClock(), .random = &crypto::SystemRandom()});
  SYMBOLON_CHECK(store);
  std::uint64_t number = 0;
  for (auto _ : state) {
    for (int i = 0; i < 64; ++i, ++number) {
      storage::Commit commit;
      commit.pool = kPool;
      if (number == 0) commit.start_epoch_counter = 1;
      for (std::uint16_t type = 9; type < 13; ++type) {
        commit.directory.push_back({{storage::Space::kDirectory, kPool, type, std::to_string(number)},
                                    Bytes(type == 9 ? kRecordBytes : 100, 'v')});
      }
      (*store)->Submit(std::move(commit), [](const auto& done) { SYMBOLON_CHECK(done); });
    }
    SYMBOLON_CHECK((*store)->Step());
  }
  state.SetItemsProcessed(static_cast<std::int64_t>(number));
}
// The store keeps everything, so not for as long as it likes.
BENCHMARK(CommitStepOf64)->Iterations(500);

}  // namespace
}  // namespace symbolon::bench

BENCHMARK_MAIN();
