// Private to this module: what users of pools' keys are told of a key service's errors.
#pragma once

#include <string>

#include "keys/key_service.h"
#include "keys/provider.h"

namespace symbolon::keys::internal {

// Of the pool's own key, for clients.
KeyServiceError ForClient(const KeyError& error);
// Of a key that a caller named.
KeyServiceError ForCaller(const KeyError& error, const std::string& arn);

}  // namespace symbolon::keys::internal
