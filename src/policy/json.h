// Strict JSON. Private to the module.
#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace symbolon::policy {

// Refuses what is not JSON, nests deeper than `depth_max`, or names a member of an object twice (of which parsers keep
// the last and forget the others).
Result<boost::json::value, std::string> ParseJson(std::string_view text, std::size_t depth_max);

}  // namespace symbolon::policy
