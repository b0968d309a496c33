// Whether whoever signed a request may make it: identity policies, as AWS evaluates them.
#pragma once

#include <string>

#include "directory/env.h"
#include "http/message.h"
#include "model/api_error.h"
#include "model/operations.h"
#include "policy/identity.h"

namespace symbolon::cognito {

// "cognito-idp:AdminGetUser", "kms:Decrypt"; Symbolon's own operations: "symbolon:DescribeReplication".
std::string ActionOf(const model::OperationFacts& operation);

// What conditions may ask of a request that was signed (docs/access.md). The connection is the client's, also of a
// request that another Region passed on.
policy::Context ContextOf(const http::Request& request, const policy::Principal& principal, Timestamp now,
                          const Region& here);

// For operations on pools: the resource is the pool as this Region names it, or "*" for what names none. Error:
// AccessDeniedException.
model::ApiResult<void> Authorise(const policy::Caller& caller, const model::OperationFacts& operation,
                                 const PoolId& pool, const directory::RegionSettings& here);

}  // namespace symbolon::cognito
