// What people call the records of a directory.
#pragma once

#include <cstdint>
#include <string>

namespace symbolon::cognito {

// Of a type in Space::kDirectory: "user", "app client"; "type 42" when it is not known here.
std::string RecordTypeName(std::uint16_t type);

}  // namespace symbolon::cognito
