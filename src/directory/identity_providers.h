// Identity providers of a pool, and the identifiers that lead to them. All functions work on one Transaction; see there
// for failures.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "directory/record_types.h"
#include "directory/transaction.h"

namespace symbolon::directory {

Bytes IdentityProviderKeyOf(const Transaction& tx, std::string_view name);
Bytes IdpIdentifierKeyOf(const Transaction& tx, std::string_view identifier);

std::optional<pb::IdentityProviderRecord> GetIdentityProvider(Transaction& tx, std::string_view name);
std::optional<pb::IdentityProviderRecord> FindIdentityProvider(Transaction& tx, std::string_view identifier);

// The group that all users of a provider begin in: `<pool>_<provider>`.
std::string GroupOfProvider(const PoolId& pool, std::string_view provider);

}  // namespace symbolon::directory
