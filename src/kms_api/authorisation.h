// Whether a caller may do what they ask of the key service: key policies, grants and identity policies ("Permissions
// reference", AWS KMS Developer Guide).
#pragma once

#include "kms_api/call.h"
#include "model/api_error.h"
#include "model/operations.h"
#include "policy/vocabulary.h"
#include "wire/request.h"

namespace symbolon::kms_api {

// The actions that policies may name: all of AWS KMS's, Cognito user pools' and Symbolon's own.
const policy::Vocabulary& KnownActions();

// Whether call.caller() may. Errors: AccessDeniedException; and as the operation would answer, if the keys that the
// request names cannot be told.
model::ApiResult<void> Authorise(Call& call, const model::OperationFacts& operation, const wire::Request& request);

// A policy document as a request gives it, for a key with this ARN (or for a new one). Errors:
// MalformedPolicyDocumentException, also of a policy that would lock its caller out (unless `bypass`),
// LimitExceededException.
model::ApiResult<void> CheckPolicy(Call& call, const std::string& policy, const std::string& key_arn, bool bypass);

}  // namespace symbolon::kms_api
