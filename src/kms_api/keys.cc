// CreateKey, DescribeKey, ListKeys, EnableKey, DisableKey, UpdateKeyDescription. Symmetric encryption keys; what else
// KMS offers is refused.
#include <fmt/format.h>

#include <algorithm>

#include "kms_api/authorisation.h"
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using keys::local::KeyOrigin;
using keys::local::LocalKeyProvider;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::int32_t kListedKeysDefault = 100;

// What a new key may be.
ApiResult<void> CheckKind(const CreateKeyRequest& request) {
  if (request.KeySpec && request.CustomerMasterKeySpec) {
    return Fail(ErrorCode::kValidationException,
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. CustomerMasterKeySpec is "
                "deprecated.");
  }
  if (request.KeySpec.value_or(KeySpec::kSymmetricDefault) != KeySpec::kSymmetricDefault ||
      request.CustomerMasterKeySpec.value_or(CustomerMasterKeySpec::kSymmetricDefault) !=
          CustomerMasterKeySpec::kSymmetricDefault) {
    return NotOffered("Other keys than SYMMETRIC_DEFAULT are");
  }
  if (request.KeyUsage.value_or(KeyUsageType::kEncryptDecrypt) != KeyUsageType::kEncryptDecrypt) {
    return Fail(
        ErrorCode::kValidationException,
        fmt::format("KeyUsage {} is not compatible with KeySpec SYMMETRIC_DEFAULT", ToString(*request.KeyUsage)));
  }
  const OriginType origin = request.Origin.value_or(OriginType::kAwsKms);
  if ((origin != OriginType::kAwsKms && origin != OriginType::kExternal) || request.CustomKeyStoreId ||
      request.XksKeyId) {
    return NotOffered("Other origins than AWS_KMS and EXTERNAL are");
  }
  return {};
}

}  // namespace

ApiResult<CreateKeyResponse> CreateKey(Call& call, const CreateKeyRequest& request) {
  SYMBOLON_TRY_VOID(CheckKind(request));
  LocalKeyProvider::NewKey settings{
      .multi_region = request.MultiRegion.value_or(false),
      .origin = request.Origin == OriginType::kExternal ? KeyOrigin::kExternal : KeyOrigin::kAwsKms,
      .description = request.Description.value_or("")};
  SYMBOLON_TRY(settings.tags, TagsOf(request.Tags));
  if (request.Policy) {
    // The key has no ARN yet.
    const std::string arn = KeyArnOf(call, "new", call.region());
    SYMBOLON_TRY_VOID(CheckPolicy(call, *request.Policy, arn, request.BypassPolicyLockoutSafetyCheck.value_or(false)));
    settings.policy = *request.Policy;
  }
  const auto key = call.keys().CreateKey(settings);
  if (!key) return Refuse(key.error(), "The account");
  return CreateKeyResponse{.KeyMetadata = Metadata(call, **key, call.region())};
}

ApiResult<DescribeKeyResponse> DescribeKey(Call& call, const DescribeKeyRequest& request) {
  SYMBOLON_TRY(const auto key, FindKeyOrAlias(call, request.KeyId));
  return DescribeKeyResponse{.KeyMetadata = Metadata(call, *key, call.region())};
}

ApiResult<DisableKeyResponse> DisableKey(Call& call, const DisableKeyRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().DisableKey(key->id);
  if (!done) return Refuse(done.error(), key->arn);
  return DisableKeyResponse{};
}

ApiResult<EnableKeyResponse> EnableKey(Call& call, const EnableKeyRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().EnableKey(key->id);
  if (!done) return Refuse(done.error(), key->arn);
  return EnableKeyResponse{};
}

ApiResult<UpdateKeyDescriptionResponse> UpdateKeyDescription(Call& call, const UpdateKeyDescriptionRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().SetDescription(key->id, request.Description);
  if (!done) return Refuse(done.error(), key->arn);
  return UpdateKeyDescriptionResponse{};
}

ApiResult<ListKeysResponse> ListKeys(Call& call, const ListKeysRequest& request) {
  ListKeysResponse response{.Keys = {{}}, .Truncated = false};
  // Nobody shares keys with this account.
  if (request.ResourceOwners &&
      std::ranges::find(*request.ResourceOwners, ResourceOwnerType::kSelf) == request.ResourceOwners->end()) {
    return response;
  }
  // A marker is the id of the last key of the page before.
  if (request.Marker && !call.keys().Describe(*request.Marker)) return BadMarker();
  const auto page =
      call.keys().ListKeys(static_cast<std::size_t>(request.Limit.value_or(kListedKeysDefault)), request.Marker);
  for (const auto& key : page.keys) response.Keys->push_back({.KeyId = key.id, .KeyArn = key.arn});
  response.NextMarker = page.next;
  response.Truncated = page.next.has_value();
  return response;
}

}  // namespace symbolon::kms_api::operations
