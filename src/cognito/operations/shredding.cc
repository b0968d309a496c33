// Shredding of a user pool: its end, with a certificate of destruction (docs/keys.md).
#include "key_life/shredding.h"

#include "cognito/call.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::own;

ShreddingType Describe(const key_life::ShreddingView& view) {
  ShreddingType shown{.UserPoolId = view.order.pool.value(),
                      .Status = view.final ? ShreddingStatusType::kFinal : ShreddingStatusType::kPending,
                      .AskedBy = view.order.asked_by,
                      .AskedAt = view.order.asked_at,
                      .Regions = {},
                      .Certificate = {}};
  using State = key_life::RegionShredding::State;
  for (const key_life::RegionShredding& region : view.regions) {
    RegionShreddingType& of_region = shown.Regions.emplace_back();
    of_region.Region = region.region.value();
    of_region.State = region.state == State::kDone            ? RegionShreddingStateType::kDone
                      : region.state == State::kRemoved       ? RegionShreddingStateType::kRemoved
                      : region.state == State::kKeysDestroyed ? RegionShreddingStateType::kKeysDestroyed
                                                              : RegionShreddingStateType::kPending;
    of_region.At = region.at;
    if (!region.reason.empty()) of_region.Reason = region.reason;
  }
  if (!view.certificate.empty()) shown.Certificate = view.certificate;
  return shown;
}

// Deletion protection is a sealed setting: of a locked pool it cannot be read.
ApiResult<void> CheckMayShred(Call& call, const ShredUserPoolRequest& request) {
  if (request.Confirmation != call.pool_id().value()) {
    return Fail(ErrorCode::kInvalidParameterException, "Confirmation has to be the user pool's id.");
  }
  if (!call.tx().has_keys()) {
    if (request.AlthoughLocked.value_or(false)) return {};
    return Fail(ErrorCode::kOperationNotEnabledException,
                "The user pool is locked, so that nobody can tell whether its deletion protection is active. It can be "
                "shredded all the same with AlthoughLocked.");
  }
  const auto pool = call.tx().Get<directory::PoolKind>("");
  if (pool && pool->deletion_protection()) {
    return Fail(
        ErrorCode::kInvalidParameterException,
        "The user pool cannot be shredded because deletion protection is activated. Deletion protection must be "
        "inactivated first.");
  }
  return {};
}

}  // namespace

ApiResult<ShredUserPoolResponse> ShredUserPool(Call& call, const ShredUserPoolRequest& request) {
  SYMBOLON_TRY_VOID(CheckMayShred(call, request));
  const auto& asked = call.preparation().shredding_request;
  if (!asked) return Fail(ErrorCode::kInternalErrorException, "Something went wrong.");
  key_life::ShreddingView view{
      .order = key_life::BeginShredding(call.tx(), call.role(), *asked, call.env().region().region, call.now()),
      .final = false,
      .regions = {},
      .certificate = {}};
  for (const Region& region : view.order.regions) view.regions.push_back({.region = region, .at = {}, .reason = {}});
  return ShredUserPoolResponse{.Shredding = Describe(view)};
}

ApiResult<DescribeShreddingResponse> DescribeShredding(Call& call, const DescribeShreddingRequest&) {
  const auto& view = call.preparation().shredding;
  if (!view) return Fail(ErrorCode::kResourceNotFoundException, "This Region knows of no shredding of the user pool.");
  return DescribeShreddingResponse{.Shredding = Describe(*view)};
}

}  // namespace symbolon::cognito::operations
