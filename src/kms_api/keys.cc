// CreateKey, ReplicateKey, DescribeKey, ListKeys, EnableKey, DisableKey (AWS KMS API reference). Symmetric encryption
// keys with material of our own; what else KMS offers is refused.
#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "keys/arn.h"
#include "kms_api/call.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using keys::KeyDescription;
using keys::local::LocalKeyError;
using keys::local::LocalKeyErrorCode;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::int32_t kListedKeysDefault = 100;

std::string ArnOf(const Call& call, const std::string& key_id, const Region& region) {
  return keys::KeyArn{.region = region, .account = call.account(), .key_id = key_id}.ToString();
}

MultiRegionKey KeyIn(const Call& call, const std::string& key_id, const Region& region) {
  return {.Arn = ArnOf(call, key_id, region), .Region = region.value()};
}

// `region`: that of the key, which is another one's for a replica just made.
KeyMetadata Metadata(const Call& call, const KeyDescription& key, const Region& region) {
  KeyMetadata metadata{.AWSAccountId = call.account(),
                       .KeyId = key.id,
                       .Arn = key.arn,
                       .CreationDate = key.created,
                       .Enabled = key.state == keys::KeyState::kEnabled,
                       .Description = key.description,
                       .KeyUsage = KeyUsageType::kEncryptDecrypt,
                       .KeyState = key.state == keys::KeyState::kEnabled ? KeyState::kEnabled : KeyState::kDisabled,
                       .Origin = OriginType::kAwsKms,
                       .KeyManager = KeyManagerType::kCustomer,
                       .CustomerMasterKeySpec = CustomerMasterKeySpec::kSymmetricDefault,
                       .KeySpec = KeySpec::kSymmetricDefault,
                       .EncryptionAlgorithms = {{EncryptionAlgorithmSpec::kSymmetricDefault}},
                       .MultiRegion = key.multi_region};
  if (key.multi_region) {
    auto& configuration = metadata.MultiRegionConfiguration.emplace();
    configuration.MultiRegionKeyType =
        key.primary == region ? MultiRegionKeyType::kPrimary : MultiRegionKeyType::kReplica;
    configuration.PrimaryKey = KeyIn(call, key.id, key.primary);
    auto& replicas = configuration.ReplicaKeys.emplace();
    for (const Region& replica : key.replicas) replicas.push_back(KeyIn(call, key.id, replica));
  }
  return metadata;
}

// The key id in a KeyId member, which may be a key id or a key ARN.
ApiResult<std::string> KeyIdOf(const Call& call, const std::string& key) {
  if (key.starts_with("alias/")) {
    return Fail(ErrorCode::kNotFoundException,
                fmt::format("Alias arn:aws:kms:{}:{}:{} is not found.", call.region().value(), call.account(), key));
  }
  if (!key.starts_with("arn:")) return key;
  const auto arn = keys::ParseKeyArn(key);
  if (!arn) {
    if (key.find(":alias/") != std::string::npos) {
      return Fail(ErrorCode::kNotFoundException, fmt::format("Alias {} is not found.", key));
    }
    return Fail(ErrorCode::kInvalidArnException, fmt::format("Invalid arn {}", key));
  }
  if (arn->region != call.region()) {
    return Fail(ErrorCode::kNotFoundException, fmt::format("Invalid arn {}", arn->region.value()));
  }
  return key;
}

// `key` is what the caller named.
tl::unexpected<model::ApiError> Refuse(const Call& call, const LocalKeyError& error, const std::string& key) {
  const std::string arn = key.starts_with("arn:") ? key : ArnOf(call, key, call.region());
  switch (error.code) {
    case LocalKeyErrorCode::kNotFound:
      return Fail(ErrorCode::kNotFoundException, fmt::format("Key '{}' does not exist", arn));
    case LocalKeyErrorCode::kAlreadyExists:
      return Fail(ErrorCode::kAlreadyExistsException, fmt::format("The key {} exists in that Region already.", arn));
    case LocalKeyErrorCode::kDisabled:
      return Fail(ErrorCode::kDisabledException, fmt::format("{} is disabled.", arn));
    case LocalKeyErrorCode::kUnsupported:
      return Fail(ErrorCode::kUnsupportedOperationException, fmt::format("{} is not a multi-Region primary key.", arn));
    case LocalKeyErrorCode::kUnknownRegion:
      return Fail(ErrorCode::kValidationException, "The replica Region is not one of this deployment.");
    case LocalKeyErrorCode::kLimitExceeded:
      return Fail(ErrorCode::kLimitExceededException, "The account has too many keys in this Region.");
    case LocalKeyErrorCode::kMalformed:
    case LocalKeyErrorCode::kUnavailable:
      log::Error("key service: {}", error.detail);
      return Fail(ErrorCode::kKMSInternalException, "The request could not be fulfilled. You can retry it.");
  }
  return Fail(ErrorCode::kKMSInternalException, "The request could not be fulfilled. You can retry it.");
}

tl::unexpected<model::ApiError> NotOffered(const char* what) {
  return Fail(ErrorCode::kUnsupportedOperationException, fmt::format("{} not available here.", what));
}

bool HasTags(const std::optional<std::vector<Tag>>& tags) { return tags && !tags->empty(); }

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
  if (request.Origin.value_or(OriginType::kAwsKms) != OriginType::kAwsKms || request.CustomKeyStoreId ||
      request.XksKeyId) {
    return NotOffered("Other origins than AWS_KMS are");
  }
  if (request.Policy) return NotOffered("Key policies are");
  if (HasTags(request.Tags)) return NotOffered("Tags of keys are");
  return {};
}

}  // namespace

ApiResult<CreateKeyResponse> CreateKey(Call& call, const CreateKeyRequest& request) {
  SYMBOLON_TRY_VOID(CheckKind(request));
  const auto key = call.keys().CreateKey(request.MultiRegion.value_or(false), request.Description.value_or(""));
  if (!key) return Refuse(call, key.error(), "");
  return CreateKeyResponse{.KeyMetadata = Metadata(call, *key, call.region())};
}

ApiResult<DescribeKeyResponse> DescribeKey(Call& call, const DescribeKeyRequest& request) {
  SYMBOLON_TRY(const std::string id, KeyIdOf(call, request.KeyId));
  const auto key = call.keys().Describe(id);
  if (!key) return Refuse(call, key.error(), request.KeyId);
  return DescribeKeyResponse{.KeyMetadata = Metadata(call, *key, call.region())};
}

ApiResult<DisableKeyResponse> DisableKey(Call& call, const DisableKeyRequest& request) {
  SYMBOLON_TRY(const std::string id, KeyIdOf(call, request.KeyId));
  const auto done = call.keys().DisableKey(id);
  if (!done) return Refuse(call, done.error(), request.KeyId);
  return DisableKeyResponse{};
}

ApiResult<EnableKeyResponse> EnableKey(Call& call, const EnableKeyRequest& request) {
  SYMBOLON_TRY(const std::string id, KeyIdOf(call, request.KeyId));
  const auto done = call.keys().EnableKey(id);
  if (!done) return Refuse(call, done.error(), request.KeyId);
  return EnableKeyResponse{};
}

ApiResult<ListKeysResponse> ListKeys(Call& call, const ListKeysRequest& request) {
  ListKeysResponse response{.Keys = {{}}, .Truncated = false};
  // Nobody shares keys with this account.
  if (request.ResourceOwners &&
      std::ranges::find(*request.ResourceOwners, ResourceOwnerType::kSelf) == request.ResourceOwners->end()) {
    return response;
  }
  // A marker is the id of the last key of the page before.
  if (request.Marker && !call.keys().Describe(*request.Marker)) {
    return Fail(ErrorCode::kInvalidMarkerException, "Could not deserialize marker");
  }
  const auto page =
      call.keys().ListKeys(static_cast<std::size_t>(request.Limit.value_or(kListedKeysDefault)), request.Marker);
  for (const KeyDescription& key : page.keys) response.Keys->push_back({.KeyId = key.id, .KeyArn = key.arn});
  response.NextMarker = page.next;
  response.Truncated = page.next.has_value();
  return response;
}

ApiResult<ReplicateKeyResponse> ReplicateKey(Call& call, const ReplicateKeyRequest& request) {
  if (request.Policy) return NotOffered("Key policies are");
  if (HasTags(request.Tags)) return NotOffered("Tags of keys are");
  SYMBOLON_TRY(const std::string id, KeyIdOf(call, request.KeyId));
  const Region target(request.ReplicaRegion);
  const auto replica = call.keys().ReplicateKey(id, target, request.Description.value_or(""), call.transport());
  if (!replica) return Refuse(call, replica.error(), request.KeyId);
  return ReplicateKeyResponse{.ReplicaKeyMetadata = Metadata(call, *replica, target)};
}

}  // namespace symbolon::kms_api::operations
