#include "base/ids.h"

#include <algorithm>

#include "base/result.h"

namespace symbolon {
namespace {

constexpr std::size_t kPoolIdBytesMax = 55;

bool IsWordCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-';
}

// RFC 9562 §5.4, of 16 octets.
std::string FormatUuid(Bytes octets) {
  octets[6] = static_cast<char>((octets[6] & 0x0f) | 0x40);
  octets[8] = static_cast<char>((octets[8] & 0x3f) | 0x80);
  const std::string hex = HexEncode(octets);
  return hex.substr(0, 8) + "-" + hex.substr(8, 4) + "-" + hex.substr(12, 4) + "-" + hex.substr(16, 4) + "-" +
         hex.substr(20);
}

}  // namespace

Region BirthRegion(const PoolId& pool) { return Region(pool.value().substr(0, pool.value().find('_'))); }

std::string_view PoolName(const PoolId& pool) {
  const std::string_view text = pool.value();
  const std::size_t underscore = text.find('_');
  return underscore == std::string_view::npos ? text : text.substr(underscore + 1);
}

bool IsPoolId(std::string_view text) {
  const std::size_t split = text.rfind('_');
  return text.size() <= kPoolIdBytesMax && split != std::string_view::npos && split > 0 && split + 1 < text.size() &&
         std::ranges::all_of(text, IsWordCharacter) && text.find('-', split) == std::string_view::npos;
}

PoolId NewPoolId(const Region& region, Random& random) {
  return PoolId(region.value() + "_" + RandomText(random, 9, kAlphanumeric));
}

ClientId NewClientId(Random& random) { return ClientId(RandomText(random, 26, kLowerAlphanumeric)); }

std::string NewUuid(Random& random) { return FormatUuid(random.Octets(16)); }

SerialUuids::SerialUuids(Random& random) : prefix_(random.Octets(8)), count_(ReadBigEndian64(random.Octets(8))) {}

std::string SerialUuids::Next() {
  // The golden ratio's multiple spreads neighbours far apart; it is odd, so no two counts meet.
  const std::uint64_t serial = count_.fetch_add(1, std::memory_order_relaxed) * 0x9e37'79b9'7f4a'7c15;
  Bytes octets = prefix_;
  AppendBigEndian64(octets, serial);
  return FormatUuid(std::move(octets));
}

std::string RandomText(Random& random, std::size_t count, std::string_view alphabet) {
  SYMBOLON_CHECK(!alphabet.empty() && alphabet.size() <= 256);
  // Octets past the last whole multiple of the alphabet are thrown away, so that every character is equally likely.
  const std::size_t usable = 256 - 256 % alphabet.size();
  std::string text;
  text.reserve(count);
  while (text.size() < count) {
    for (unsigned char octet : random.Octets(count - text.size())) {
      if (octet < usable) text.push_back(alphabet[octet % alphabet.size()]);
    }
  }
  return text;
}

}  // namespace symbolon
