// Any octets as a ciphertext, as wrapped key material with any token, and as what another Region's key service says.
// None of it opens or is taken, and nothing breaks; a real ciphertext with octets changed does not open.
#include <cstdint>
#include <memory>
#include <string_view>

#include "base/result.h"
#include "keys/local/test_support.h"

namespace {

using namespace symbolon;
using namespace symbolon::keys::local;

struct Fixture {
  ManualClock clock;
  TemporaryDirectory directory;
  std::unique_ptr<LocalKeyProvider> keys = OpenTestProvider(directory.path(), Region("eu-central-1"), clock).value();
  const std::string key = keys->CreateKey(true, "").value().id;
  const std::string external = keys->CreateKey(LocalKeyProvider::NewKey{.origin = KeyOrigin::kExternal}).value()->id;
  const Bytes token = keys->ParametersForImport(external, ImportAlgorithm::kRsaAesKeyWrapSha256, 2048).value().token;
  const Bytes ciphertext = keys->EncryptUnder(key, {{"a", "b"}}, "plaintext").value().ciphertext;
};

Fixture& TheFixture() {
  static Fixture fixture;
  return fixture;
}

// Where the octets say, each is changed by one of them.
Bytes Altered(Bytes octets, std::string_view by) {
  for (std::size_t i = 0; i + 1 < by.size(); i += 2) {
    octets[static_cast<unsigned char>(by[i]) % octets.size()] ^= by[i + 1];
  }
  return octets;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  Fixture& fixture = TheFixture();
  LocalKeyProvider& keys = *fixture.keys;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const Bytes altered = Altered(fixture.ciphertext, input);
      const auto opened = keys.DecryptUnder(std::nullopt, {{"a", "b"}}, altered);
      SYMBOLON_CHECK(opened.has_value() == (altered == fixture.ciphertext));
      break;
    }
    case 1:
      SYMBOLON_CHECK(!keys.DecryptUnder(std::nullopt, {}, input));
      SYMBOLON_CHECK(!keys.DecryptUnder(fixture.key, {}, input));
      break;
    case 2:
      SYMBOLON_CHECK(!keys.ImportMaterial(fixture.external, {.token = fixture.token, .wrapped = Bytes(input)}));
      SYMBOLON_CHECK(!keys.ImportMaterial(fixture.external, {.token = Bytes(input), .wrapped = Bytes(256, 'x')}));
      break;
    case 3: {
      ReplicaKey said{.key_id = size % 2 == 0 ? fixture.key : "mrk-" + std::string(32, '0'),
                      .sender = Region("us-east-1"),
                      .primary = Region(size % 3 == 0 ? "eu-central-1" : "us-east-1"),
                      .replicas = {Region("eu-central-1")},
                      .materials = {{.facts = {.version = 1}, .sealed = Bytes(input)}},
                      .current_version = 1,
                      .sequence = size,
                      .create = input.size() % 5 == 0,
                      .hand_over = size % 3 == 0};
      SYMBOLON_CHECK(!keys.AcceptReplica(said));
      SYMBOLON_CHECK(keys.DecryptUnder(fixture.key, {{"a", "b"}}, fixture.ciphertext).has_value());
      break;
    }
  }
  return 0;
}
