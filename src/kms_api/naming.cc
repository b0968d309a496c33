#include "kms_api/naming.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "keys/arn.h"

namespace symbolon::kms_api {
namespace {

using keys::local::KeyFacts;
using keys::local::KeyFactsPointer;
using keys::local::KeyOrigin;
using keys::local::LocalKeyError;
using keys::local::LocalKeyErrorCode;
using keys::local::LocalKeyProvider;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::string_view kReservedTagPrefix = "aws:";

// "alias/name" of an alias name or ARN of this Region and account; nullopt for what names no alias.
ApiResult<std::optional<std::string>> AliasIn(const Call& call, const std::string& named) {
  if (named.starts_with(kAliasPrefix)) return named;
  const std::size_t place = named.find(":alias/");
  if (!named.starts_with("arn:") || place == std::string::npos) return std::nullopt;
  std::string name = named.substr(place + 1);
  if (named != AliasArnOf(call, name)) {
    return Fail(ErrorCode::kNotFoundException, fmt::format("Alias {} is not found.", named));
  }
  return name;
}

KeyState Shown(keys::KeyState state) {
  switch (state) {
    case keys::KeyState::kEnabled:
      return KeyState::kEnabled;
    case keys::KeyState::kDisabled:
      return KeyState::kDisabled;
    case keys::KeyState::kPendingImport:
      return KeyState::kPendingImport;
    case keys::KeyState::kPendingDeletion:
      return KeyState::kPendingDeletion;
    case keys::KeyState::kPendingReplicaDeletion:
      return KeyState::kPendingReplicaDeletion;
    case keys::KeyState::kUpdating:
      return KeyState::kUpdating;
  }
  return KeyState::kDisabled;
}

MultiRegionKey KeyIn(const Call& call, const std::string& key_id, const Region& region) {
  return {.Arn = KeyArnOf(call, key_id, region), .Region = region.value()};
}

}  // namespace

std::string KeyArnOf(const Call& call, const std::string& key_id, const Region& region) {
  return keys::KeyArn{.region = region, .account = call.account(), .key_id = key_id}.ToString();
}

std::string AliasArnOf(const Call& call, std::string_view name) {
  return fmt::format("arn:aws:kms:{}:{}:{}", call.region().value(), call.account(), name);
}

ApiResult<KeyFactsPointer> FindKey(Call& call, const std::string& named) {
  if (named.starts_with(kAliasPrefix) || named.find(":alias/") != std::string::npos) {
    return Fail(ErrorCode::kNotFoundException, fmt::format("Invalid keyId '{}'", named));
  }
  if (named.starts_with("arn:")) {
    const auto arn = keys::ParseKeyArn(named);
    if (!arn) return Fail(ErrorCode::kInvalidArnException, fmt::format("Invalid arn {}", named));
    if (arn->region != call.region()) {
      return Fail(ErrorCode::kNotFoundException, fmt::format("Invalid arn {}", arn->region.value()));
    }
  }
  auto key = call.keys().Facts(named);
  if (key) return *std::move(key);
  return Refuse(key.error(), named.starts_with("arn:") ? named : KeyArnOf(call, named, call.region()));
}

ApiResult<KeyFactsPointer> FindKeyOrAlias(Call& call, const std::string& named) {
  SYMBOLON_TRY(const std::optional<std::string> alias, AliasIn(call, named));
  if (!alias) return FindKey(call, named);
  const auto target = call.keys().TargetOf(*alias);
  // A key that was deleted meanwhile took its aliases with it.
  auto key = target ? call.keys().Facts(*target) : tl::unexpected<LocalKeyError>(target.error());
  if (key) return *std::move(key);
  return Fail(ErrorCode::kNotFoundException, fmt::format("Alias {} is not found.", AliasArnOf(call, *alias)));
}

tl::unexpected<model::ApiError> Refuse(const LocalKeyError& error, const std::string& arn) {
  using Code = LocalKeyErrorCode;
  const auto invalid_state = [&](std::string_view why) {
    return Fail(ErrorCode::kKMSInvalidStateException, fmt::format("{} {}.", arn, why));
  };
  const auto unsupported = [&](std::string_view why) {
    return Fail(ErrorCode::kUnsupportedOperationException, fmt::format("{} {}.", arn, why));
  };
  switch (error.code) {
    case Code::kNotFound:
      return Fail(ErrorCode::kNotFoundException, fmt::format("Key '{}' does not exist", arn));
    case Code::kAlreadyExists:
      return Fail(ErrorCode::kAlreadyExistsException, fmt::format("The key {} exists in that Region already.", arn));
    case Code::kDisabled:
      return Fail(ErrorCode::kDisabledException, fmt::format("{} is disabled.", arn));
    case Code::kPendingDeletion:
      return invalid_state("is pending deletion");
    case Code::kNotPendingDeletion:
      return invalid_state("is not pending deletion");
    case Code::kPendingImport:
      return invalid_state("is pending import");
    case Code::kUpdating:
      return invalid_state("is updating");
    case Code::kStale:
      return invalid_state("is changing");
    case Code::kNothingToRotateTo:
      return invalid_state("has no new key material to rotate to");
    case Code::kUnsupported:
      return unsupported("is not a multi-Region primary key");
    case Code::kWrongOrigin:
      return unsupported("origin is not valid for this operation");
    case Code::kRotating:
      return Fail(ErrorCode::kConflictException, fmt::format("{} is being rotated.", arn));
    case Code::kUnknownRegion:
      return Fail(ErrorCode::kValidationException, "The Region is not one of this deployment, or has no such key.");
    case Code::kLimitExceeded:
      return Fail(ErrorCode::kLimitExceededException, fmt::format("{} exceeds a limit of this service.", arn));
    case Code::kInvalidCiphertext:
      return Fail(ErrorCode::kInvalidCiphertextException, "");
    case Code::kIncorrectKey:
      return Fail(ErrorCode::kIncorrectKeyException,
                  "The key ID in the request does not identify a CMK that can perform this operation.");
    case Code::kNoSuchMaterial:
      return Fail(ErrorCode::kNotFoundException, "The key has no such key material.");
    case Code::kIncorrectMaterial:
      return Fail(ErrorCode::kIncorrectKeyMaterialException,
                  "The key material is not the key material that the KMS key needs.");
    case Code::kInvalidImportToken:
      return Fail(ErrorCode::kInvalidImportTokenException, "The import token is not valid for this KMS key.");
    case Code::kExpiredImportToken:
      return Fail(ErrorCode::kExpiredImportTokenException, "The import token has expired.");
    case Code::kInvalidExpiry:
      return Fail(ErrorCode::kValidationException, "ValidTo must be in the future and at most 365 days from now.");
    case Code::kNoSuchGrant:
      return Fail(ErrorCode::kNotFoundException, fmt::format("Grant ID {} not found", error.detail));
    case Code::kMalformed:
    case Code::kUnavailable:
      log::Error("key service: {}", error.detail);
      return Fail(ErrorCode::kKMSInternalException, "The request could not be fulfilled. You can retry it.");
  }
  return Fail(ErrorCode::kKMSInternalException, "The request could not be fulfilled. You can retry it.");
}

tl::unexpected<model::ApiError> NotOffered(std::string_view what) {
  return Fail(ErrorCode::kUnsupportedOperationException, fmt::format("{} not available here.", what));
}

tl::unexpected<model::ApiError> BadMarker() {
  return Fail(ErrorCode::kInvalidMarkerException, "Could not deserialize marker");
}

KeyMetadata Metadata(const Call& call, const KeyFacts& key, const Region& region) {
  const keys::KeyState state = call.StateOf(key);
  const bool external = key.origin == KeyOrigin::kExternal;
  KeyMetadata metadata{.AWSAccountId = call.account(),
                       .KeyId = key.id,
                       .Arn = key.arn,
                       .CreationDate = key.created,
                       .Enabled = state == keys::KeyState::kEnabled,
                       .Description = key.description,
                       .KeyUsage = KeyUsageType::kEncryptDecrypt,
                       .KeyState = Shown(state),
                       .DeletionDate = key.deletion,
                       .Origin = external ? OriginType::kExternal : OriginType::kAwsKms,
                       .KeyManager = KeyManagerType::kCustomer,
                       .CustomerMasterKeySpec = CustomerMasterKeySpec::kSymmetricDefault,
                       .KeySpec = KeySpec::kSymmetricDefault,
                       .EncryptionAlgorithms = {{EncryptionAlgorithmSpec::kSymmetricDefault}},
                       .MultiRegion = key.multi_region};
  if (state == keys::KeyState::kPendingReplicaDeletion) metadata.PendingDeletionWindowInDays = key.deletion_window_days;
  if (const auto* current = key.current()) {
    metadata.CurrentKeyMaterialId = current->id;
    if (external && current->present) {
      metadata.ExpirationModel =
          current->valid_to ? ExpirationModelType::kKeyMaterialExpires : ExpirationModelType::kKeyMaterialDoesNotExpire;
      metadata.ValidTo = current->valid_to;
    }
  }
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

ApiResult<keys::local::Tags> TagsOf(const std::optional<std::vector<Tag>>& tags) {
  keys::local::Tags found;
  if (!tags) return found;
  for (const Tag& tag : *tags) {
    if (tag.TagKey.starts_with(kReservedTagPrefix)) {
      return Fail(ErrorCode::kTagException, "Tags beginning with aws: are reserved");
    }
    if (!found.emplace(tag.TagKey, tag.TagValue).second) {
      return Fail(ErrorCode::kTagException, fmt::format("Duplicate tag key {}", tag.TagKey));
    }
  }
  if (found.size() > LocalKeyProvider::kTagsMax) return Fail(ErrorCode::kTagException, "Too many tags");
  return found;
}

Page PageOf(const std::vector<std::string>& names, const std::optional<std::string>& marker, std::size_t limit) {
  Page page;
  if (marker) page.begin = static_cast<std::size_t>(std::ranges::upper_bound(names, *marker) - names.begin());
  page.end = std::min(names.size(), page.begin + limit);
  if (page.end < names.size() && page.end > page.begin) page.next = names[page.end - 1];
  return page;
}

}  // namespace symbolon::kms_api
