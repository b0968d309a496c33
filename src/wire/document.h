// A member whose form the API leaves open: any JSON value.
#pragma once

#include <string>

namespace symbolon::wire {

// The value as JSON text without white space; valid JSON by construction when it came from a request, the writer's duty
// when it goes into a response.
struct Document {
  std::string json;
};

}  // namespace symbolon::wire
