// ScheduleKeyDeletion, CancelKeyDeletion.
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {

using keys::local::LocalKeyProvider;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

ApiResult<ScheduleKeyDeletionResponse> ScheduleKeyDeletion(Call& call, const ScheduleKeyDeletionRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const std::int32_t days = request.PendingWindowInDays.value_or(LocalKeyProvider::kDeletionWindowDaysMax);
  if (days < LocalKeyProvider::kDeletionWindowDaysMin || days > LocalKeyProvider::kDeletionWindowDaysMax) {
    return Fail(ErrorCode::kValidationException, "PendingWindowInDays must be between 7 and 30 (inclusive).");
  }
  const auto scheduled = call.keys().ScheduleDeletion(key->id, days);
  if (!scheduled) return Refuse(scheduled.error(), key->arn);
  const bool waits = !(*scheduled)->deletion;
  return ScheduleKeyDeletionResponse{.KeyId = key->arn,
                                     .DeletionDate = (*scheduled)->deletion,
                                     .KeyState = waits ? KeyState::kPendingReplicaDeletion : KeyState::kPendingDeletion,
                                     .PendingWindowInDays = days};
}

ApiResult<CancelKeyDeletionResponse> CancelKeyDeletion(Call& call, const CancelKeyDeletionRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto cancelled = call.keys().CancelDeletion(key->id);
  if (!cancelled) return Refuse(cancelled.error(), key->arn);
  return CancelKeyDeletionResponse{.KeyId = key->arn};
}

}  // namespace symbolon::kms_api::operations
