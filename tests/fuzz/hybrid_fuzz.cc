// Any octets as what another Region wraps for this one, as its public key, and as a stored private key. What was not
// sealed does not open; a real one with octets changed does not either.
#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "crypto/hybrid.h"

namespace {

using namespace symbolon;
using namespace symbolon::crypto;

struct Fixture {
  const HybridPrivateKey key = HybridPrivateKey::Generate();
  const Bytes sealed = SealTo(key.PublicKey(), "info", "thirty-two octets of material...").value();
};

Fixture& TheFixture() {
  static Fixture fixture;
  return fixture;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Fixture& fixture = TheFixture();
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      SYMBOLON_CHECK(!fixture.key.Open("info", input));
      break;
    case 1: {
      Bytes altered = fixture.sealed;
      for (std::size_t i = 0; i + 1 < input.size(); i += 2) {
        altered[static_cast<unsigned char>(input[i]) % altered.size()] ^= input[i + 1];
      }
      SYMBOLON_CHECK(fixture.key.Open("info", altered).has_value() == (altered == fixture.sealed));
      break;
    }
    case 2:
      if (const auto sealed = SealTo(input, "info", "x")) {
        SYMBOLON_CHECK(input.size() == 65 && sealed->size() == kHybridOverheadBytes + 1);
      }
      break;
    case 3:
      if (const auto key = HybridPrivateKey::FromPkcs8(input)) SYMBOLON_CHECK(key->PublicKey().size() == 65);
      break;
  }
  return 0;
}
