// EnableKeyRotation, DisableKeyRotation, GetKeyRotationStatus, RotateKeyOnDemand, ListKeyRotations.
#include <algorithm>

#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using keys::local::KeyFacts;
using keys::local::KeyOrigin;
using keys::local::MaterialFacts;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::int32_t kListedRotationsDefault = 100;

bool IsPendingDeletion(const Call& call, const KeyFacts& key) {
  const keys::KeyState state = call.StateOf(key);
  return state == keys::KeyState::kPendingDeletion || state == keys::KeyState::kPendingReplicaDeletion;
}

RotationsListEntry EntryOf(const Call& call, const KeyFacts& key, const MaterialFacts& material) {
  RotationsListEntry entry{.KeyId = key.id, .KeyMaterialId = material.id};
  entry.KeyMaterialState = material.version == key.current_version  ? KeyMaterialState::kCurrent
                           : material.version < key.current_version ? KeyMaterialState::kNonCurrent
                                                                    : KeyMaterialState::kPendingRotation;
  if (key.origin == KeyOrigin::kExternal) {
    const bool there = material.present && (!material.valid_to || call.Now() < *material.valid_to);
    entry.ImportState = there ? ImportState::kImported : ImportState::kPendingImport;
    if (there) {
      entry.ExpirationModel =
          material.valid_to ? ExpirationModelType::kKeyMaterialExpires : ExpirationModelType::kKeyMaterialDoesNotExpire;
      entry.ValidTo = material.valid_to;
    }
    if (!material.description.empty()) entry.KeyMaterialDescription = material.description;
  }
  if (material.rotated) {
    entry.RotationDate = material.rotated;
    entry.RotationType = material.on_demand ? RotationType::kOnDemand : RotationType::kAutomatic;
  }
  return entry;
}

}  // namespace

ApiResult<EnableKeyRotationResponse> EnableKeyRotation(Call& call, const EnableKeyRotationRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().EnableRotation(key->id, request.RotationPeriodInDays);
  if (!done) return Refuse(done.error(), key->arn);
  return EnableKeyRotationResponse{};
}

ApiResult<DisableKeyRotationResponse> DisableKeyRotation(Call& call, const DisableKeyRotationRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().DisableRotation(key->id);
  if (!done) return Refuse(done.error(), key->arn);
  return DisableKeyRotationResponse{};
}

ApiResult<GetKeyRotationStatusResponse> GetKeyRotationStatus(Call& call, const GetKeyRotationStatusRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  // A key that goes is not rotated; its setting comes back when its deletion is cancelled.
  const bool enabled = key->rotation.enabled && !IsPendingDeletion(call, *key);
  GetKeyRotationStatusResponse response{.KeyRotationEnabled = enabled, .KeyId = key->arn};
  if (enabled) {
    response.RotationPeriodInDays = key->rotation.period_days;
    response.NextRotationDate = key->rotation.next();
  }
  if (key->rotation.started && key->materials.back().on_demand) {
    response.OnDemandRotationStartDate = key->rotation.started;
  }
  return response;
}

ApiResult<RotateKeyOnDemandResponse> RotateKeyOnDemand(Call& call, const RotateKeyOnDemandRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto done = call.keys().RotateOnDemand(key->id, call.transport());
  if (!done) return Refuse(done.error(), key->arn);
  return RotateKeyOnDemandResponse{.KeyId = key->arn};
}

ApiResult<ListKeyRotationsResponse> ListKeyRotations(Call& call, const ListKeyRotationsRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const bool all = request.IncludeKeyMaterial == IncludeKeyMaterial::kAllKeyMaterial;
  std::vector<const MaterialFacts*> shown;
  for (const MaterialFacts& material : key->materials) {
    if (all || material.rotated) shown.push_back(&material);
  }
  // The marker is the id of the last material of the page before.
  std::size_t begin = 0;
  if (request.Marker) {
    const auto last = std::ranges::find(shown, *request.Marker, &MaterialFacts::id);
    if (last == shown.end()) return BadMarker();
    begin = static_cast<std::size_t>(last - shown.begin()) + 1;
  }
  const auto limit = static_cast<std::size_t>(request.Limit.value_or(kListedRotationsDefault));
  const std::size_t end = std::min(shown.size(), begin + limit);
  ListKeyRotationsResponse response{.Rotations = {{}}, .Truncated = end < shown.size()};
  for (std::size_t i = begin; i < end; ++i) response.Rotations->push_back(EntryOf(call, *key, *shown[i]));
  if (end < shown.size()) response.NextMarker = shown[end - 1]->id;
  return response;
}

}  // namespace symbolon::kms_api::operations
