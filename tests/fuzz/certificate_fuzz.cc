// Any octets as an order, a statement and a certificate, and a real certificate with octets changed. What is understood
// has one spelling, and what was altered is not believed.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "certificate/certificate.h"

namespace {

using namespace symbolon;
using namespace symbolon::certificate;

struct Fixture {
  const crypto::Ed25519Key key = crypto::Ed25519Key::Generate();
  const Region region{"eu-central-1"};
  const std::string order =
      FormatOrder({.kind = Kind::kUserErased,
                   .id = "0123456789abcdef0123456789abcdef",
                   .pool = PoolId("eu-central-1_abcdefghi"),
                   .user_sub = "6a4f0c1e",
                   .data_keys = {{.generation = Bytes(16, 'g'), .wrapped_sha256 = Bytes(32, 'w')}},
                   .kms_key_arns = {"arn:aws:kms:eu-central-1:000000000000:key/1"},
                   .asked_by = "arn:aws:iam::000000000000:root",
                   .asked_in = region,
                   .asked_at = FromSeconds(1'700'000'000),
                   .regions = {region}});
  const std::string statement = SignStatement(order,
                                              {.region = region,
                                               .at = FromSeconds(1'700'000'001),
                                               .position = "1.5",
                                               .done = {{"records", 3}},
                                               .remains = {"Backups."}},
                                              key);
  const std::string whole = Issue({.order_text = order,
                                   .statements = {statement},
                                   .pending = {},
                                   .issued_by = region,
                                   .issued_at = FromSeconds(1'700'000'002)},
                                  key);
};

const Fixture& TheFixture() {
  static const Fixture fixture;
  return fixture;
}

// Three octets for each change: where, and what.
std::string Altered(std::string text, std::string_view changes) {
  for (std::size_t i = 0; i + 2 < changes.size(); i += 3) {
    const std::size_t at = static_cast<unsigned char>(changes[i]) * 256u + static_cast<unsigned char>(changes[i + 1]);
    text[at % text.size()] ^= changes[i + 2];
  }
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Fixture& fixture = TheFixture();
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0:
      for (const std::string& text : {std::string(input), Altered(fixture.order, input)}) {
        if (const auto order = ParseOrder(text)) SYMBOLON_CHECK(FormatOrder(*order) == text);
      }
      break;
    case 1:
      SYMBOLON_CHECK(!OpenStatement(fixture.order, input) || input == fixture.statement);
      break;
    case 2:
      if (const auto verified = Verify(input, {fixture.key.PublicKey()})) {
        SYMBOLON_CHECK(!verified->good() || input == fixture.whole);
      }
      break;
    case 3: {
      const std::string altered = Altered(fixture.whole, input);
      const auto verified = Verify(altered, {fixture.key.PublicKey()});
      SYMBOLON_CHECK((verified && verified->good()) == (altered == fixture.whole));
      break;
    }
  }
  return 0;
}
