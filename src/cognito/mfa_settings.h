// A pool's multi-factor authentication between the API's shapes and the stored record. One factor is there, software
// tokens; whatever asks for another is refused. A pool that is not OFF always has a factor. Pure functions.
#pragma once

#include "directory/records.pb.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

model::cognito::UserPoolMfaType MfaModeOf(const directory::pb::PoolRecord& pool);

// MfaConfiguration of CreateUserPool and UpdateUserPool, which name no factor: refused unless the pool has one.
model::ApiResult<void> ApplyMfaMode(directory::pb::PoolRecord& pool, model::cognito::UserPoolMfaType mode);

// SetUserPoolMfaConfig, which replaces all: what is left out is off.
model::ApiResult<void> ApplyMfaConfig(directory::pb::PoolRecord& pool,
                                      const model::cognito::SetUserPoolMfaConfigRequest& request);
model::cognito::GetUserPoolMfaConfigResponse DescribeMfaConfig(const directory::pb::PoolRecord& pool);

}  // namespace symbolon::cognito
