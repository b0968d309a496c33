// Whether a request is allowed ("Policy evaluation logic", AWS IAM User Guide; "Key policies in AWS KMS"). Pure
// functions.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "policy/document.h"

namespace symbolon::policy {

using Documents = std::vector<std::shared_ptr<const Document>>;

enum class Outcome {
  kAllowed,
  kDeniedByIdentityPolicy,  // an explicit Deny, which wins always
  kDeniedByResourcePolicy,
  kNotAllowedByIdentityPolicy,  // nobody allowed it
  kNotAllowedByResourcePolicy,
};

// For what has no policy of its own: a user needs an Allow in their policies; the account's root needs none.
Outcome DecideByIdentity(const Documents& identity, const Request& request);

// For what has a policy of its own: it must allow the principal itself, or the principal's account, whose identity
// policies have to allow it then. `granted`: by a grant, which stands in for an Allow.
Outcome DecideByResource(const Document& resource, const Documents& identity, const Request& request, bool granted);

// For the client, in AWS's words: "User: <ARN> is not authorized to perform: <action> on resource: <ARN> because ...".
std::string Refusal(const Request& request, Outcome outcome);

}  // namespace symbolon::policy
