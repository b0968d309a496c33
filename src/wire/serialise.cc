#include "wire/serialise.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "wire/document.h"

namespace symbolon::wire {
namespace {

constexpr char kHex[] = "0123456789abcdef";

void AppendString(std::string& out, std::string_view text) {
  out += '"';
  std::size_t copied = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto octet = static_cast<unsigned char>(text[i]);
    if (octet >= 0x20 && octet != '"' && octet != '\\') [[likely]]
      continue;
    out.append(text, copied, i - copied);
    copied = i + 1;
    switch (octet) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out += kHex[octet >> 4];
        out += kHex[octet & 15];
    }
  }
  out.append(text, copied, text.size() - copied);
  out += '"';
}

template <class T>
const T& As(const void* value) {
  return *static_cast<const T*>(value);
}

void AppendTimestamp(std::string& out, Timestamp time) {
  const std::int64_t milliseconds = std::chrono::floor<std::chrono::milliseconds>(time).time_since_epoch().count();
  const std::uint64_t distance = milliseconds < 0 ? -static_cast<std::uint64_t>(milliseconds) : milliseconds;
  fmt::format_to(std::back_inserter(out), "{}{}.{:03}", milliseconds < 0 ? "-" : "", distance / 1000, distance % 1000);
}

void Append(std::string& out, const Shape& shape, const void* value);

void AppendList(std::string& out, const Shape& shape, const void* value) {
  out += '[';
  const std::size_t size = shape.list->size(value);
  for (std::size_t i = 0; i < size; ++i) {
    if (i != 0) out += ',';
    Append(out, *shape.element, shape.list->at(value, i));
  }
  out += ']';
}

void AppendMap(std::string& out, const Shape& shape, const void* value) {
  struct Context {
    std::string& out;
    const Shape& element;
    bool first = true;
  } context{out, *shape.element};
  out += '{';
  shape.map->for_each(value, &context, [](void* raw, const std::string& key, const void* entry) {
    auto& [text, element, first] = *static_cast<Context*>(raw);
    if (!std::exchange(first, false)) text += ',';
    AppendString(text, key);
    text += ':';
    Append(text, element, entry);
  });
  out += '}';
}

void AppendStructure(std::string& out, const Shape& shape, const void* value) {
  out += '{';
  bool first = true;
  for (const Member& member : shape.members) {
    const void* inside = Get(member, value);
    if (inside == nullptr) continue;
    if (!std::exchange(first, false)) out += ',';
    AppendString(out, member.name);
    out += ':';
    Append(out, *member.shape, inside);
  }
  out += '}';
}

void Append(std::string& out, const Shape& shape, const void* value) {
  switch (shape.kind) {
    case Kind::kString:
      return AppendString(out, As<std::string>(value));
    case Kind::kEnum: {
      std::uint16_t index;
      std::memcpy(&index, value, sizeof index);
      return AppendString(out, shape.enum_values[index]);
    }
    case Kind::kInteger:
      fmt::format_to(std::back_inserter(out), "{}", As<std::int32_t>(value));
      return;
    case Kind::kLong:
      fmt::format_to(std::back_inserter(out), "{}", As<std::int64_t>(value));
      return;
    case Kind::kDouble:
      SYMBOLON_CHECK(std::isfinite(As<double>(value)));
      fmt::format_to(std::back_inserter(out), "{}", As<double>(value));
      return;
    case Kind::kBoolean:
      out += As<bool>(value) ? "true" : "false";
      return;
    case Kind::kTimestamp:
      return AppendTimestamp(out, As<Timestamp>(value));
    case Kind::kBlob:
      return AppendString(out, Base64Encode(As<Bytes>(value)));
    case Kind::kDocument:
      out += As<Document>(value).json;
      return;
    case Kind::kList:
      return AppendList(out, shape, value);
    case Kind::kMap:
      return AppendMap(out, shape, value);
    case Kind::kStructure:
      return AppendStructure(out, shape, value);
  }
}

}  // namespace

std::string Serialise(const Shape& shape, const void* object) {
  std::string out;
  Append(out, shape, object);
  return out;
}

}  // namespace symbolon::wire
