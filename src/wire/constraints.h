// Bounds of shapes, and AWS's words for what breaks them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "wire/shape.h"

namespace symbolon::wire {

// Where a value stands in the request. Lives on the parser's stack.
struct Path {
  const Path* outer;
  // Of a structure's member or a map's entry; empty for a list's element.
  std::string_view name;
  // Of a list's element, from 1.
  std::size_t index = 0;
  // `name` is a map's key.
  bool is_key = false;
};

// "userAttributes.1.member.name".
std::string ToString(const Path& path);

// Constraints that a value breaks, as AWS words them. Empty is the usual case and costs nothing.
using Broken = std::vector<std::string>;

void CheckText(const Shape& shape, std::string_view value, Broken& broken);
// Of a blob in octets, of a list or map in entries.
void CheckSize(const Shape& shape, std::size_t size, Broken& broken);
void CheckNumber(const Shape& shape, std::int64_t value, Broken& broken);
// "Member must satisfy enum value set: [A, B]".
std::string EnumConstraint(const Shape& shape);
// All constraints of a shape: "[…, …]", as AWS names them for a list's elements and a map's keys and values.
std::string AllConstraints(const Shape& shape);

// The failed constraints of one request.
class Violations {
 public:
  bool empty() const { return messages_.empty(); }
  bool full() const;
  // `echo` is the value as the message shows it: quoted text, "null", or nullopt when it must not be shown.
  void Add(const std::optional<std::string>& echo, const Path& path, std::string_view constraint);
  // "1 validation error detected: …".
  std::string Message() const;

 private:
  std::vector<std::string> messages_;
};

// Java's String.length() of valid UTF-8.
std::size_t Utf16Length(std::string_view text);

}  // namespace symbolon::wire
