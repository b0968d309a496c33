// The lines of an audit trail, and how they are chained and signed.
//
// A trail is a sequence of JSON texts, one a line:
//   {"sequence":N,"previous":"H","KIND":BODY}
// N counts from 1 without gaps; H is the SHA-256, in hexadecimal, of the octets of the line before without its line end
// (64 zeros before the first). So a line that is altered, missing, added or in another place breaks the chain.
// A checkpoint has a signature as its last member,
//   {"sequence":N,"previous":"H","checkpoint":BODY,"signature":"S"}
// S being Ed25519, in base64, over "symbolon audit checkpoint 1\n" and the octets of the line before `,"signature"`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "crypto/ed25519.h"

namespace symbolon::audit {

enum class LineKind {
  kFile,        // The first of each file: which one it is, the one before, and the public key.
  kEvent,       // A CloudTrail record.
  kCheckpoint,  // Signs the chain up to itself.
  kRecovery,    // What the end of the file was after a crash, and where it is kept.
  kWitness,     // How far another Region's trail was.
};

// As it stands in the line: "event".
std::string_view Name(LineKind kind);

// In octets, without its end.
inline constexpr std::size_t kLineBytesMax = 256 * 1024;

// Where a chain ends.
struct ChainEnd {
  // 0: nowhere yet.
  std::uint64_t sequence = 0;
  // Of the last line; 32 octets.
  Bytes hash = Bytes(32, '\0');
  bool operator==(const ChainEnd&) const = default;
};

// The line that follows `end`, which it moves on. `body` is JSON text without line ends.
std::string FormatLine(ChainEnd& end, LineKind kind, std::string_view body);
// The same, signed.
std::string FormatCheckpoint(ChainEnd& end, std::string_view body, const crypto::Ed25519Key& key);

struct Line {
  std::uint64_t sequence = 0;
  Bytes previous;
  LineKind kind = LineKind::kEvent;
  // Within the text that was parsed.
  std::string_view body;
  // Of a checkpoint: what is signed, without the domain, and the signature.
  std::string_view signed_text;
  Bytes signature;
};

// nullopt for what FormatLine and FormatCheckpoint would not have written; the body may be any text. `text` is without
// its line end.
std::optional<Line> ParseLine(std::string_view text);

// Where the chain ends with that line.
ChainEnd EndWith(const Line& line, std::string_view text);

// Of a checkpoint.
bool HasGoodSignature(const Line& line, BytesView public_key);

}  // namespace symbolon::audit
