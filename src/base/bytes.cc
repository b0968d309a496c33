#include "base/bytes.h"

#include <array>

#include "base/result.h"

namespace symbolon {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::string_view kBase64Url = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t kForeign = 0xff;

constexpr std::array<std::uint8_t, 256> Inverse(std::string_view alphabet) {
  std::array<std::uint8_t, 256> table{};
  table.fill(kForeign);
  for (std::size_t i = 0; i < alphabet.size(); ++i) table[static_cast<std::uint8_t>(alphabet[i])] = i;
  return table;
}

constexpr auto kBase64Inverse = Inverse(kBase64);
constexpr auto kBase64UrlInverse = Inverse(kBase64Url);

std::string Encode64(BytesView bytes, std::string_view alphabet, bool padded) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t window = 0;
  int bits = 0;
  for (unsigned char octet : bytes) {
    window = window << 8 | octet;
    for (bits += 8; bits >= 6; bits -= 6) out.push_back(alphabet[window >> (bits - 6) & 63]);
  }
  if (bits > 0) out.push_back(alphabet[window << (6 - bits) & 63]);
  while (padded && out.size() % 4 != 0) out.push_back('=');
  return out;
}

std::optional<Bytes> Decode64(std::string_view text, const std::array<std::uint8_t, 256>& inverse) {
  if (text.size() % 4 == 1) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t window = 0;
  int bits = 0;
  for (unsigned char character : text) {
    const std::uint8_t value = inverse[character];
    if (value == kForeign) return std::nullopt;
    window = window << 6 | value;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      out.push_back(static_cast<char>(window >> bits & 0xff));
    }
  }
  // Left-over bits must be zero, or two texts would decode to the same octets.
  if ((window & ((1u << bits) - 1)) != 0) return std::nullopt;
  return out;
}

template <class T>
void AppendBigEndian(Bytes& out, T value) {
  for (int shift = 8 * (sizeof(T) - 1); shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift & 0xff));
}

template <class T>
T ReadBigEndian(BytesView bytes) {
  SYMBOLON_CHECK(bytes.size() >= sizeof(T));
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value << 8 | static_cast<unsigned char>(bytes[i]));
  return value;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string HexEncode(BytesView bytes) {
  std::string out;
  out.reserve(bytes.size() * 2);
  for (unsigned char octet : bytes) {
    out.push_back(kHex[octet >> 4]);
    out.push_back(kHex[octet & 15]);
  }
  return out;
}

std::optional<Bytes> HexDecode(std::string_view text) {
  if (text.size() % 2 != 0) return std::nullopt;
  Bytes out;
  out.reserve(text.size() / 2);
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = HexDigit(text[i]);
    const int low = HexDigit(text[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out.push_back(static_cast<char>(high << 4 | low));
  }
  return out;
}

std::string Base64Encode(BytesView bytes) { return Encode64(bytes, kBase64, true); }

std::optional<Bytes> Base64Decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  for (int padding = 0; padding < 2 && text.ends_with('='); ++padding) text.remove_suffix(1);
  return Decode64(text, kBase64Inverse);
}

std::string Base64UrlEncode(BytesView bytes) { return Encode64(bytes, kBase64Url, false); }

std::optional<Bytes> Base64UrlDecode(std::string_view text) { return Decode64(text, kBase64UrlInverse); }

void AppendBigEndian16(Bytes& out, std::uint16_t value) { AppendBigEndian(out, value); }
void AppendBigEndian32(Bytes& out, std::uint32_t value) { AppendBigEndian(out, value); }
void AppendBigEndian64(Bytes& out, std::uint64_t value) { AppendBigEndian(out, value); }
std::uint16_t ReadBigEndian16(BytesView bytes) { return ReadBigEndian<std::uint16_t>(bytes); }
std::uint32_t ReadBigEndian32(BytesView bytes) { return ReadBigEndian<std::uint32_t>(bytes); }
std::uint64_t ReadBigEndian64(BytesView bytes) { return ReadBigEndian<std::uint64_t>(bytes); }

}  // namespace symbolon
