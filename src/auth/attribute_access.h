// Which of a user's attributes an app client sees. Pure and thread-safe.
#pragma once

#include <string_view>

#include "directory/records.pb.h"

namespace symbolon::auth {

// By ReadAttributes and WriteAttributes; without them all attributes of the schema but the developer-only ones.
// Nobody's client writes "sub", "email_verified" or "phone_number_verified".
bool ClientMayRead(const directory::pb::ClientRecord& client, std::string_view attribute);
bool ClientMayWrite(const directory::pb::ClientRecord& client, std::string_view attribute);

}  // namespace symbolon::auth
