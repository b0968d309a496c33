#include "crypto/random.h"

#include <openssl/rand.h>

#include "crypto/openssl.h"

namespace symbolon::crypto {
namespace {

class OpensslRandom final : public Random {
 public:
  Bytes Octets(std::size_t count) override {
    Bytes octets(count, '\0');
    SYMBOLON_CHECK(RAND_priv_bytes_ex(nullptr, internal::Octets(octets), count, 0) == 1);
    return octets;
  }
};

}  // namespace

Random& SystemRandom() {
  static OpensslRandom random;
  return random;
}

}  // namespace symbolon::crypto
