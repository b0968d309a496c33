#include "audit/line.h"

#include <fmt/format.h>

#include <array>
#include <charconv>

#include "crypto/hash.h"

namespace symbolon::audit {
namespace {

constexpr std::string_view kDomain = "symbolon audit checkpoint 1\n";
constexpr std::string_view kSequence = "{\"sequence\":";
constexpr std::string_view kPrevious = ",\"previous\":\"";
constexpr std::string_view kSignature = ",\"signature\":\"";
constexpr std::string_view kSignatureEnd = "\"}";
constexpr std::size_t kHashTextBytes = 64;
constexpr std::size_t kSignatureTextBytes = 88;

constexpr std::array kKinds = {LineKind::kFile, LineKind::kEvent, LineKind::kCheckpoint, LineKind::kRecovery,
                               LineKind::kWitness};

// All but what closes it.
std::string Open(const ChainEnd& end, LineKind kind, std::string_view body) {
  return fmt::format("{}{}{}{}\",\"{}\":{}", kSequence, end.sequence + 1, kPrevious, HexEncode(end.hash), Name(kind),
                     body);
}

std::string Close(ChainEnd& end, std::string line) {
  ++end.sequence;
  end.hash = crypto::Sha256(line);
  return line;
}

bool Take(std::string_view& text, std::string_view expected) {
  if (!text.starts_with(expected)) return false;
  text.remove_prefix(expected.size());
  return true;
}

std::optional<std::uint64_t> TakeNumber(std::string_view& text) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  // One spelling for each number: no leading zeros.
  if (error != std::errc() || text.starts_with('0')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

std::optional<LineKind> TakeKind(std::string_view& text) {
  for (const LineKind kind : kKinds) {
    if (Take(text, fmt::format("\",\"{}\":", Name(kind)))) return kind;
  }
  return std::nullopt;
}

}  // namespace

std::string_view Name(LineKind kind) {
  switch (kind) {
    case LineKind::kFile:
      return "file";
    case LineKind::kEvent:
      return "event";
    case LineKind::kCheckpoint:
      return "checkpoint";
    case LineKind::kRecovery:
      return "recovery";
    case LineKind::kWitness:
      return "witness";
  }
  return "";
}

std::string FormatLine(ChainEnd& end, LineKind kind, std::string_view body) {
  return Close(end, Open(end, kind, body) + "}");
}

std::string FormatCheckpoint(ChainEnd& end, std::string_view body, const crypto::Ed25519Key& key) {
  std::string line = Open(end, LineKind::kCheckpoint, body);
  const Bytes signature = key.Sign(std::string(kDomain) + line);
  line += kSignature;
  line += Base64Encode(signature);
  line += kSignatureEnd;
  return Close(end, std::move(line));
}

std::optional<Line> ParseLine(std::string_view text) {
  if (text.size() > kLineBytesMax) return std::nullopt;
  Line line;
  std::string_view rest = text;
  if (!Take(rest, kSequence)) return std::nullopt;
  const auto sequence = TakeNumber(rest);
  if (!sequence || !Take(rest, kPrevious) || rest.size() < kHashTextBytes) return std::nullopt;
  line.sequence = *sequence;
  auto previous = HexDecode(rest.substr(0, kHashTextBytes));
  if (!previous || HexEncode(*previous) != rest.substr(0, kHashTextBytes)) return std::nullopt;
  line.previous = *std::move(previous);
  rest.remove_prefix(kHashTextBytes);
  const auto kind = TakeKind(rest);
  if (!kind) return std::nullopt;
  line.kind = *kind;
  if (line.kind != LineKind::kCheckpoint) {
    if (!rest.ends_with('}')) return std::nullopt;
    line.body = rest.substr(0, rest.size() - 1);
    return line;
  }
  constexpr std::size_t kTail = kSignature.size() + kSignatureTextBytes + kSignatureEnd.size();
  if (rest.size() < kTail) return std::nullopt;
  line.body = rest.substr(0, rest.size() - kTail);
  line.signed_text = text.substr(0, text.size() - kTail);
  rest.remove_prefix(line.body.size());
  if (!Take(rest, kSignature)) return std::nullopt;
  auto signature = Base64Decode(rest.substr(0, kSignatureTextBytes));
  rest.remove_prefix(kSignatureTextBytes);
  if (!signature || rest != kSignatureEnd) return std::nullopt;
  line.signature = *std::move(signature);
  return line;
}

ChainEnd EndWith(const Line& line, std::string_view text) { return {line.sequence, crypto::Sha256(text)}; }

bool HasGoodSignature(const Line& line, BytesView public_key) {
  return line.kind == LineKind::kCheckpoint &&
         crypto::VerifyEd25519(public_key, std::string(kDomain).append(line.signed_text), line.signature);
}

}  // namespace symbolon::audit
