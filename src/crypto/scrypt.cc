#include "crypto/scrypt.h"

#include <openssl/evp.h>

#include <bit>

#include "crypto/openssl.h"

namespace symbolon::crypto {
namespace {

constexpr std::uint32_t kParallelMax = 16;

}  // namespace

bool ScryptCost::IsAcceptable() const {
  return n > 1 && std::has_single_bit(n) && r > 0 && p > 0 && p <= kParallelMax && r <= kScryptMemoryBytesMax / 128 &&
         n <= kScryptMemoryBytesMax / 128 / r;
}

Secret Scrypt(BytesView passphrase, BytesView salt, const ScryptCost& cost, std::size_t size_bytes) {
  SYMBOLON_CHECK(cost.IsAcceptable());
  Bytes key(size_bytes, '\0');
  // The limit is on all that is allocated, which is a little more than the table.
  SYMBOLON_CHECK(EVP_PBE_scrypt(passphrase.empty() ? "" : passphrase.data(), passphrase.size(), internal::Octets(salt),
                                salt.size(), cost.n, cost.r, cost.p, 2 * kScryptMemoryBytesMax, internal::Octets(key),
                                key.size()) == 1);
  return Secret(std::move(key));
}

}  // namespace symbolon::crypto
