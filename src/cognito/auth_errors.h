// What auth refuses, as Cognito's wire says it.
#pragma once

#include "auth/error.h"
#include "model/api_error.h"

namespace symbolon::cognito {

model::ApiError ToApiError(const auth::AuthError& error);

}  // namespace symbolon::cognito
