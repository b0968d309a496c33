// Users as the API shows them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "directory/records.pb.h"
#include "directory/transaction.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// `sub` first, then the rest by name.
std::vector<model::cognito::AttributeType> DescribeAttributes(const directory::pb::UserRecord& user);

// The second factors that a user switched on, and the one that comes first, by the API's names; empty lists are left
// out.
struct MfaPreference {
  std::optional<std::vector<std::string>> enabled;
  std::optional<std::string> preferred;
};
MfaPreference DescribeMfa(const directory::pb::UserRecord& user);

// As ListUsers and AdminCreateUser have it. UserLastModifiedDate is also when the user was last disabled or enabled.
model::cognito::UserType DescribeUser(directory::Transaction& tx, const directory::pb::UserRecord& user);

// The attribute as ListUsers compares it: directory::AttributeOf, and "status" ("Enabled" or "Disabled").
std::optional<std::string> ShownAttributeOf(directory::Transaction& tx, const directory::pb::UserRecord& user,
                                            std::string_view attribute);

}  // namespace symbolon::cognito
