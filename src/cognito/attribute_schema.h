// The schema of a pool's user attributes between the API's shapes and the stored record. Pure functions.
#pragma once

#include <vector>

#include "directory/records.pb.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// Gives a new pool the standard attributes, in the API's order (cognito-api facts; OIDC Core §5.1), with what `schema`
// says of them, and then the custom ones that it defines.
model::ApiResult<void> ApplySchema(directory::pb::PoolRecord& pool,
                                   const std::vector<model::cognito::SchemaAttributeType>& schema);

// As DescribeUserPool shows it.
model::cognito::SchemaAttributeType DescribeAttribute(const directory::pb::AttributeSchema& stored);

}  // namespace symbolon::cognito
