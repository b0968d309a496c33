// JSON text to a generated struct, checked against its shape.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "wire/request.h"
#include "wire/shape.h"

namespace symbolon::wire {

// Deepest nesting of arrays and objects that is read.
inline constexpr std::size_t kDepthMax = 32;
// No more failed constraints than these are listed in one message.
inline constexpr std::size_t kViolationsMax = 20;
// Longer values are cut in messages.
inline constexpr std::size_t kEchoedOctetsMax = 256;

struct ParseError {
  enum class Kind {
    kMalformed,   // not JSON, or a member of another type: SerializationException
    kConstraint,  // a bound, pattern or required member: the service's own validation error
  };
  Kind kind;
  // In the words of AWS, for the client to read. Values of sensitive members are not in it.
  std::string message;
};

struct ParseReport {
  // Members that the model does not know; they are ignored.
  std::size_t unknown_members = 0;
};

// Reads `body` as the structure `shape`. An empty body counts as {}; null as "unset"; of a repeated member the last one
// counts. The text must be UTF-8. Work and memory are linear in the body, whose size the caller has bounded; every
// failed constraint is reported, the first type error ends it. Thread-safe, does not block.
Result<Request, ParseError> ParseRequest(const Shape& shape, std::string_view body, ParseReport& report);

}  // namespace symbolon::wire
