// The filter of ListUsers: one clause, `attribute = "value"` or `attribute ^= "prefix"`, in which \" and \\ stand for
// themselves (AWS API reference, ListUsers). Pure and thread-safe.
#pragma once

#include <string>
#include <string_view>

#include "model/api_error.h"

namespace symbolon::cognito {

struct UserFilter {
  std::string attribute;
  bool is_prefix = false;
  std::string value;
};

// InvalidParameterException for what is no filter, and for attributes that cannot be searched for.
model::ApiResult<UserFilter> ParseUserFilter(std::string_view text);

}  // namespace symbolon::cognito
