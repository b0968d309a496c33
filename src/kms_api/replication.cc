// ReplicateKey, UpdatePrimaryRegion.
#include "kms_api/authorisation.h"
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {

using keys::local::LocalKeyErrorCode;
using keys::local::LocalKeyProvider;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

ApiResult<ReplicateKeyResponse> ReplicateKey(Call& call, const ReplicateKeyRequest& request) {
  LocalKeyProvider::NewReplica settings{.description = request.Description.value_or("")};
  SYMBOLON_TRY(settings.tags, TagsOf(request.Tags));
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const Region target(request.ReplicaRegion);
  if (request.Policy) {
    const std::string arn = KeyArnOf(call, key->id, target);
    SYMBOLON_TRY_VOID(CheckPolicy(call, *request.Policy, arn, request.BypassPolicyLockoutSafetyCheck.value_or(false)));
    settings.policy = *request.Policy;
  }
  const auto replica = call.keys().ReplicateKey(key->id, target, settings, call.transport());
  if (!replica) return Refuse(replica.error(), key->arn);
  ReplicateKeyResponse response{.ReplicaKeyMetadata = Metadata(call, **replica, target),
                                .ReplicaPolicy = *(*replica)->policy,
                                .ReplicaTags = {{}}};
  for (const auto& [name, value] : (*replica)->tags) {
    response.ReplicaTags->push_back({.TagKey = name, .TagValue = value});
  }
  return response;
}

ApiResult<UpdatePrimaryRegionResponse> UpdatePrimaryRegion(Call& call, const UpdatePrimaryRegionRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  if (!key->multi_region) {
    return Fail(ErrorCode::kUnsupportedOperationException, key->arn + " is not a multi-Region key.");
  }
  const auto done = call.keys().UpdatePrimaryRegion(key->id, Region(request.PrimaryRegion), call.transport());
  if (done) return UpdatePrimaryRegionResponse{};
  // This operation has no ConflictException.
  if (done.error().code == LocalKeyErrorCode::kRotating) {
    return Fail(ErrorCode::kKMSInvalidStateException, key->arn + " is being rotated.");
  }
  return Refuse(done.error(), key->arn);
}

}  // namespace symbolon::kms_api::operations
