#include "wire/constraints.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "wire/parse.h"
#include "wire/pattern.h"

namespace symbolon::wire {
namespace {

void CheckLength(const Shape& shape, std::size_t length, Broken& broken) {
  if (shape.max != kNoMax && length > static_cast<std::size_t>(shape.max)) {
    broken.push_back(fmt::format("Member must have length less than or equal to {}", shape.max));
  }
  if (shape.min != kNoMin && shape.min > 0 && length < static_cast<std::size_t>(shape.min)) {
    broken.push_back(fmt::format("Member must have length greater than or equal to {}", shape.min));
  }
}

std::string PatternConstraint(const Pattern& pattern) {
  return fmt::format("Member must satisfy regular expression pattern: {}", pattern.text());
}

void AppendPath(std::string& out, const Path& path) {
  if (path.outer != nullptr) {
    AppendPath(out, *path.outer);
    out += '.';
  }
  if (path.index != 0) {
    out += fmt::format("{}.member", path.index);
    return;
  }
  const std::size_t start = out.size();
  out += path.name;
  // AWS's member names start with a small letter here.
  if (!path.is_key && out[start] >= 'A' && out[start] <= 'Z') out[start] += 'a' - 'A';
}

}  // namespace

std::string ToString(const Path& path) {
  std::string out;
  AppendPath(out, path);
  return out;
}

void CheckText(const Shape& shape, std::string_view value, Broken& broken) {
  if (shape.pattern != nullptr && !shape.pattern->Matches(value)) broken.push_back(PatternConstraint(*shape.pattern));
  if (shape.min != kNoMin || shape.max != kNoMax) CheckLength(shape, Utf16Length(value), broken);
}

void CheckSize(const Shape& shape, std::size_t size, Broken& broken) { CheckLength(shape, size, broken); }

void CheckNumber(const Shape& shape, std::int64_t value, Broken& broken) {
  if (value > shape.max) broken.push_back(fmt::format("Member must have value less than or equal to {}", shape.max));
  if (value < shape.min) broken.push_back(fmt::format("Member must have value greater than or equal to {}", shape.min));
}

std::string EnumConstraint(const Shape& shape) {
  return fmt::format("Member must satisfy enum value set: [{}]", fmt::join(shape.enum_values, ", "));
}

std::string AllConstraints(const Shape& shape) {
  std::vector<std::string> all;
  if (shape.kind == Kind::kEnum) all.push_back(EnumConstraint(shape));
  const bool number = shape.kind == Kind::kInteger || shape.kind == Kind::kLong;
  const std::string_view measure = number ? "value" : "length";
  if (shape.max != kNoMax)
    all.push_back(fmt::format("Member must have {} less than or equal to {}", measure, shape.max));
  if (shape.min != kNoMin)
    all.push_back(fmt::format("Member must have {} greater than or equal to {}", measure, shape.min));
  if (shape.pattern != nullptr) all.push_back(PatternConstraint(*shape.pattern));
  return fmt::format("[{}]", fmt::join(all, ", "));
}

bool Violations::full() const { return messages_.size() >= kViolationsMax; }

void Violations::Add(const std::optional<std::string>& echo, const Path& path, std::string_view constraint) {
  if (full()) return;
  messages_.push_back(fmt::format("Value {}at '{}' failed to satisfy constraint: {}", echo ? *echo + ' ' : "",
                                  ToString(path), constraint));
}

std::string Violations::Message() const {
  return fmt::format("{} validation error{} detected: {}", messages_.size(), messages_.size() == 1 ? "" : "s",
                     fmt::join(messages_, "; "));
}

std::size_t Utf16Length(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto octet = static_cast<unsigned char>(c);
    // One unit per code point (its first octet), two from U+10000, whose first octet is F0 or more.
    units += (octet & 0xC0) != 0x80;
    units += octet >= 0xF0;
  }
  return units;
}

}  // namespace symbolon::wire
