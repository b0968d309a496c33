// Base32 (RFC 4648 §6), as authenticator apps take their secrets. Pure and thread-safe.
#pragma once

#include <string>

#include "base/bytes.h"

namespace symbolon {

// Upper case, without padding.
std::string Base32Encode(BytesView bytes);

}  // namespace symbolon
