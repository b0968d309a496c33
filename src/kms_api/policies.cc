// GetKeyPolicy, PutKeyPolicy, ListKeyPolicies. A key has one policy, which is called "default".
#include <fmt/format.h>

#include "kms_api/authorisation.h"
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr const char* kPolicyName = "default";

ApiResult<void> CheckName(const std::optional<std::string>& name) {
  if (name.value_or(kPolicyName) == kPolicyName) return {};
  return Fail(ErrorCode::kNotFoundException, "No such policy exists");
}

}  // namespace

ApiResult<GetKeyPolicyResponse> GetKeyPolicy(Call& call, const GetKeyPolicyRequest& request) {
  SYMBOLON_TRY_VOID(CheckName(request.PolicyName));
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  return GetKeyPolicyResponse{.Policy = *key->policy, .PolicyName = kPolicyName};
}

ApiResult<PutKeyPolicyResponse> PutKeyPolicy(Call& call, const PutKeyPolicyRequest& request) {
  SYMBOLON_TRY_VOID(CheckName(request.PolicyName));
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  SYMBOLON_TRY_VOID(
      CheckPolicy(call, request.Policy, key->arn, request.BypassPolicyLockoutSafetyCheck.value_or(false)));
  const auto done = call.keys().SetPolicy(key->id, request.Policy);
  if (!done) return Refuse(done.error(), key->arn);
  return PutKeyPolicyResponse{};
}

ApiResult<ListKeyPoliciesResponse> ListKeyPolicies(Call& call, const ListKeyPoliciesRequest& request) {
  SYMBOLON_TRY_VOID(FindKey(call, request.KeyId));
  if (request.Marker) return BadMarker();
  return ListKeyPoliciesResponse{.PolicyNames = {{kPolicyName}}, .Truncated = false};
}

}  // namespace symbolon::kms_api::operations
