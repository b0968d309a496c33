#include "base/base32.h"

#include <cstdint>

namespace symbolon {

std::string Base32Encode(BytesView bytes) {
  constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  text.reserve((bytes.size() * 8 + 4) / 5);
  std::uint32_t bits = 0;
  int waiting = 0;
  for (const char octet : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(octet);
    for (waiting += 8; waiting >= 5; waiting -= 5) text.push_back(kAlphabet[bits >> (waiting - 5) & 0x1f]);
  }
  if (waiting > 0) text.push_back(kAlphabet[bits << (5 - waiting) & 0x1f]);
  return text;
}

}  // namespace symbolon
