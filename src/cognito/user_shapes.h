// Users as the API shows them.
#pragma once

#include "directory/records.pb.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// `sub` first, then the rest by name.
std::vector<model::cognito::AttributeType> DescribeAttributes(const directory::pb::UserRecord& user);

// As ListUsers and AdminCreateUser have it.
model::cognito::UserType DescribeUser(const directory::pb::UserRecord& user);

}  // namespace symbolon::cognito
