// Grants as requests name them.
#pragma once

#include "kms_api/call.h"
#include "model/kms_shapes.h"

namespace symbolon::kms_api {

// What CreateGrant asks for. Errors: ValidationException, InvalidArnException.
model::ApiResult<keys::local::Grant> GrantOf(const model::kms::CreateGrantRequest& request);

struct NamedGrant {
  keys::local::KeyFactsPointer key;
  keys::local::Grant grant;
};
// By its token, or by its key and id. Errors: InvalidGrantTokenException, NotFoundException, ValidationException.
model::ApiResult<NamedGrant> FindGrant(Call& call, const model::kms::RetireGrantRequest& request);

}  // namespace symbolon::kms_api
