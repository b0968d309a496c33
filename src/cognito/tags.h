// The tags of a user pool, which each Region keeps for itself (directory/regional_settings.h).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cognito/call.h"
#include "model/api_error.h"

namespace symbolon::cognito {

using Tags = std::map<std::string, std::string>;

// Of this Region.
Tags TagsOf(Call& call, const directory::pb::PoolRecord& pool);
// Replaces those of this Region.
void PutTags(Call& call, const directory::pb::PoolRecord& pool, const Tags& tags);

// Why a pool cannot have these tags: more than 50, or a key that is AWS's own ("aws:"). Lengths are checked by the
// model.
std::optional<std::string> ReasonAgainst(const Tags& tags);
// The same as UserPoolTaggingException, for operations that set tags among other things.
model::ApiResult<void> CheckTags(const std::optional<Tags>& tags);

}  // namespace symbolon::cognito
