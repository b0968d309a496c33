// Which settings of a pool only its primary Region can change; the rest each Region sets for itself
// (directory/regional_settings.h).
#pragma once

#include <string>

#include "directory/records.pb.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// For a secondary: InvalidParameterException that names the first setting which the request gives another value than
// the pool has, of those that only the primary can change. `key_here`: the KMS key of the Region, which may be its own.
model::ApiResult<void> CheckGlobalSettings(const directory::pb::PoolRecord& pool,
                                           const model::cognito::UpdateUserPoolRequest& request,
                                           const std::string& key_here);

}  // namespace symbolon::cognito
