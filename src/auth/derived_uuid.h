// Names in a UUID's form that every Region derives alike from what they stand for.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "keys/pool_keys.h"

namespace symbolon::auth {

// Looks random (RFC 9562 version 4) to whoever has not the pool's keys. One function per label.
std::string DerivedUuid(const keys::PoolKeys& keys, std::string_view label, BytesView value);

}  // namespace symbolon::auth
