// scrypt (RFC 7914): keys from passphrases, slow and hungry for memory by intent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/secret.h"

namespace symbolon::crypto {

struct ScryptCost {
  std::uint64_t n = 1 << 17;  // a power of two above 1
  std::uint32_t r = 8;
  std::uint32_t p = 1;

  bool operator==(const ScryptCost&) const = default;
  // Takes about 128 * n * r octets; beyond kScryptMemoryBytesMax, or with other nonsense, it is none that is accepted.
  bool IsAcceptable() const;
};

inline constexpr std::uint64_t kScryptMemoryBytesMax = std::uint64_t{1} << 30;

// `cost` is acceptable. Blocks for about half a second with the default cost.
Secret Scrypt(BytesView passphrase, BytesView salt, const ScryptCost& cost, std::size_t size_bytes);

}  // namespace symbolon::crypto
