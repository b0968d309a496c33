#include "crypto/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <array>
#include <cstring>

#include "crypto/openssl.h"

namespace symbolon::crypto {
namespace {

// Asking the generator costs as much for a few octets as for some hundreds, and most callers want a few. Octets are
// wiped as they are handed out.
class Reserve {
 public:
  ~Reserve() { OPENSSL_cleanse(octets_.data(), octets_.size()); }

  static constexpr std::size_t kShareBytesMax = 64;

  void Take(unsigned char* to, std::size_t count) {
    if (count > left_) {
      SYMBOLON_CHECK(RAND_priv_bytes_ex(nullptr, octets_.data(), octets_.size(), 0) == 1);
      left_ = octets_.size();
    }
    unsigned char* from = octets_.data() + (left_ - count);
    std::memcpy(to, from, count);
    OPENSSL_cleanse(from, count);
    left_ -= count;
  }

 private:
  std::array<unsigned char, 512> octets_;
  std::size_t left_ = 0;
};

class OpensslRandom final : public Random {
 public:
  Bytes Octets(std::size_t count) override {
    static thread_local Reserve reserve;
    Bytes octets(count, '\0');
    if (count <= Reserve::kShareBytesMax) {
      reserve.Take(internal::Octets(octets), count);
    } else {
      SYMBOLON_CHECK(RAND_priv_bytes_ex(nullptr, internal::Octets(octets), count, 0) == 1);
    }
    return octets;
  }
};

}  // namespace

Random& SystemRandom() {
  static OpensslRandom random;
  return random;
}

}  // namespace symbolon::crypto
