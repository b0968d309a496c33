// How imported key material is wrapped on its way here.
#pragma once

#include <cstdint>

namespace symbolon::keys::local {

// Stored by value.
enum class ImportAlgorithm : std::uint32_t {
  kRsaesOaepSha256 = 1,
  kRsaAesKeyWrapSha256 = 2,
};

}  // namespace symbolon::keys::local
