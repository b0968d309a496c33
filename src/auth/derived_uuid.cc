#include "auth/derived_uuid.h"

namespace symbolon::auth {

std::string DerivedUuid(const keys::PoolKeys& keys, std::string_view label, BytesView value) {
  constexpr std::size_t kUuidBytes = 16;
  Bytes octets = keys.Derive(label, value).substr(0, kUuidBytes);
  octets[6] = static_cast<char>((octets[6] & 0x0f) | 0x40);
  octets[8] = static_cast<char>((octets[8] & 0x3f) | 0x80);
  std::string uuid = HexEncode(octets);
  for (const std::size_t dash : {8, 13, 18, 23}) uuid.insert(dash, 1, '-');
  return uuid;
}

}  // namespace symbolon::auth
