// The settings of a user pool between the API's shapes and the stored record: stored and obeyed, or refused, never
// accepted and ignored. Pure functions.
#pragma once

#include <optional>
#include <string>

#include "base/ids.h"
#include "directory/records.pb.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// Applies CreateUserPool's members to a record with its defaults.
model::ApiResult<void> ApplySettings(directory::pb::PoolRecord& pool,
                                     const model::cognito::CreateUserPoolRequest& request);
// Applies UpdateUserPool's members. What is left out stays, except AutoVerifiedAttributes, which AWS empties.
model::ApiResult<void> ApplySettings(directory::pb::PoolRecord& pool,
                                     const model::cognito::UpdateUserPoolRequest& request);

// Whether the request names a key. Without members KeyConfiguration says no more than when it is left out.
bool NamesKey(const std::optional<model::cognito::KeyConfigurationType>& configuration);
// The ARN of the customer managed key that the request names; empty: the service's own key, or none is named.
model::ApiResult<std::string> KmsKeyArnOf(const std::optional<model::cognito::KeyConfigurationType>& configuration);
// Of a replica: the CMK that it is to have in Region `region`; empty: nothing is asked.
model::ApiResult<std::string> OwnKeyArnOf(const std::optional<model::cognito::KeyConfigurationType>& configuration,
                                          const Region& region);

// What DescribeUserPool shows, without Id, Domain, EstimatedNumberOfUsers and what is a Region's own (UserPoolTags,
// EmailConfiguration).
model::cognito::UserPoolType DescribePool(const directory::pb::PoolRecord& pool);

}  // namespace symbolon::cognito
