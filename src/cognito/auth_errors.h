// What auth refuses, as Cognito's wire says it.
#pragma once

#include "auth/error.h"
#include "cognito/call.h"
#include "model/api_error.h"

namespace symbolon::cognito {

model::ApiError ToApiError(const auth::AuthError& error);

// `return Refuse(call, tokens.error());`: the same on its way out of a handler. What the error keeps is committed.
[[nodiscard]] tl::unexpected<model::ApiError> Refuse(Call& call, const auth::AuthError& error);

}  // namespace symbolon::cognito
