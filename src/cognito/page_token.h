// Page tokens: where a listing goes on, sealed, so that a client can neither read nor make one up.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "cognito/call.h"
#include "model/api_error.h"

namespace symbolon::cognito {

// `listing` names what is listed, filter included: a token of one listing does not open another.
std::string SealPageToken(Call& call, std::string_view listing, BytesView after);

// nullopt for no token; InvalidParameterException for one that was not made here for this listing.
model::ApiResult<std::optional<Bytes>> OpenPageToken(Call& call, std::string_view listing,
                                                     const std::optional<std::string>& token);

}  // namespace symbolon::cognito
