// Octet strings and their text forms. All functions are pure and thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace symbolon {

// Octets, not text. std::string because every library that we use (protobuf, RocksDB, OpenSSL) takes one without a copy.
using Bytes = std::string;
using BytesView = std::string_view;

// Lower-case hexadecimal.
std::string HexEncode(BytesView bytes);
// Either case; nullopt for an odd length or a foreign character.
std::optional<Bytes> HexDecode(std::string_view text);

// RFC 4648 §4, with padding.
std::string Base64Encode(BytesView bytes);
// Strict: padded, no white space, no stray bits; nullopt otherwise.
std::optional<Bytes> Base64Decode(std::string_view text);

// RFC 4648 §5, without padding, as JOSE uses it (RFC 7515 §2).
std::string Base64UrlEncode(BytesView bytes);
// Strict: no padding, no white space, no stray bits; nullopt otherwise.
std::optional<Bytes> Base64UrlDecode(std::string_view text);

// Big-endian, so that encoded numbers sort as numbers do.
void AppendBigEndian16(Bytes& out, std::uint16_t value);
void AppendBigEndian32(Bytes& out, std::uint32_t value);
void AppendBigEndian64(Bytes& out, std::uint64_t value);
// The first 2, 4 or 8 octets; the caller has checked that they are there.
std::uint16_t ReadBigEndian16(BytesView bytes);
std::uint32_t ReadBigEndian32(BytesView bytes);
std::uint64_t ReadBigEndian64(BytesView bytes);

}  // namespace symbolon
