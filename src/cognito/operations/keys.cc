// Symbolon's own operations on the key of a user pool (docs/keys.md).
#include "cognito/call.h"
#include "key_life/reencryption.h"
#include "keys/arn.h"
#include "keys/wrapped_pool_keys.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using directory::pb::ReencryptionRecord;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::own;

tl::unexpected<model::ApiError> Changed() {
  return Fail(ErrorCode::kConcurrentModificationException,
              "The user pool's keys or replicas have changed meanwhile. Nothing has been done.");
}

ApiResult<keys::WrappedPoolKeysContents> ContentsOf(Call& call) {
  const auto stored = call.tx().GetClear(directory::RecordType::kWrappedKeys, "");
  auto contents = keys::ContentsOfPoolKeys(stored.value_or(""));
  if (!contents) return Fail(ErrorCode::kInternalErrorException, "Something went wrong.");
  return *std::move(contents);
}

PoolKeyStateType StateOf(const std::optional<keys::PoolKeyStatus::State>& state) {
  if (!state) return PoolKeyStateType::kUnknown;
  switch (*state) {
    case keys::PoolKeyStatus::State::kOpen:
      return PoolKeyStateType::kOpen;
    case keys::PoolKeyStatus::State::kLocked:
      return PoolKeyStateType::kLocked;
    case keys::PoolKeyStatus::State::kLost:
      return PoolKeyStateType::kLost;
  }
  return PoolKeyStateType::kUnknown;
}

ReencryptionStatusType StatusOf(const ReencryptionRecord& record) {
  if (record.state() == ReencryptionRecord::RUNNING) return ReencryptionStatusType::kRunning;
  if (record.state() == ReencryptionRecord::FINISHING) return ReencryptionStatusType::kFinishing;
  return ReencryptionStatusType::kDone;
}

ReencryptionType Describe(Call& call, const ReencryptionRecord& record) {
  ReencryptionType shown{.UserPoolId = call.pool_id().value(),
                         .Status = StatusOf(record),
                         .StartedAt = FromMicros(record.started_micros()),
                         .EndedAt = {},
                         .RecordsPerSecondMax = static_cast<std::int64_t>(record.records_per_second_max()),
                         .RecordsDone = static_cast<std::int64_t>(record.records_done()),
                         .RecordsTotal = static_cast<std::int64_t>(record.records_total()),
                         .RecordsReencrypted = static_cast<std::int64_t>(record.records_resealed()),
                         .RecordsPerSecond = record.records_per_second(),
                         .RemainingSeconds = {},
                         .DataKeysKept = {},
                         .Problem = {}};
  if (record.state() == ReencryptionRecord::DONE) {
    shown.EndedAt = FromMicros(record.ended_micros());
    shown.DataKeysKept = static_cast<std::int64_t>(record.generations_kept());
    return shown;
  }
  if (record.state() == ReencryptionRecord::RUNNING && record.records_per_second() > 0) {
    shown.RemainingSeconds =
        static_cast<double>(record.records_total() - record.records_done()) / record.records_per_second();
  }
  if (!call.preparation().reencryption_problem.empty()) shown.Problem = call.preparation().reencryption_problem;
  return shown;
}

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

ApiResult<DescribeUserPoolKeyResponse> DescribeUserPoolKey(Call& call, const DescribeUserPoolKeyRequest&) {
  const Region& here = call.env().region().region;
  SYMBOLON_TRY(const keys::WrappedPoolKeysContents contents, ContentsOf(call));
  DescribeUserPoolKeyResponse response;
  response.UserPoolId = call.pool_id().value();
  response.KmsKeyArn = key_life::KmsKeyOf(call.tx(), here, contents.cmk_arn);
  response.PoolKmsKeyArn = keys::KeyArnInRegion(contents.cmk_arn, here);
  if (contents.offered_at) response.OfferedKmsKeyArn = keys::KeyArnInRegion(contents.offered_cmk_arn, here);
  if (!contents.former_cmk_arns.empty()) response.FormerKmsKeyArns = contents.former_cmk_arns;
  for (const auto& generation : contents.generations) {
    DataKeyType& shown = response.DataKeys.emplace_back();
    shown.Generation = HexEncode(generation.name);
    shown.CreatedAt = generation.created;
    shown.Sealing = generation.name == contents.sealing_generation;
  }
  for (const key_life::RegionKeyStatus& status : call.preparation().key_statuses) {
    RegionKeyType& shown = response.Regions.emplace_back();
    shown.Region = status.region.value();
    shown.State = StateOf(status.state);
    if (!status.reason.empty()) shown.Reason = status.reason;
    shown.Since = status.since;
    if (!status.cmk_arn.empty()) shown.KmsKeyArn = status.cmk_arn;
  }
  return response;
}

ApiResult<RotateUserPoolKeyResponse> RotateUserPoolKey(Call& call, const RotateUserPoolKeyRequest&) {
  const auto& prepared = call.preparation().key_change;
  if (!prepared || !key_life::Take(call.tx(), call.role(), *prepared)) return Changed();
  SYMBOLON_TRY(const keys::WrappedPoolKeysContents contents, ContentsOf(call));
  return RotateUserPoolKeyResponse{.UserPoolId = call.pool_id().value(),
                                   .DataKeys = static_cast<std::int64_t>(contents.generations.size())};
}

ApiResult<ReencryptUserPoolResponse> ReencryptUserPool(Call& call, const ReencryptUserPoolRequest& request) {
  const auto rate = static_cast<std::uint64_t>(
      request.RecordsPerSecond.value_or(static_cast<std::int64_t>(call.preparation().reencryption_rate)));
  const ReencryptionRecord record = key_life::BeginReencryption(call.tx(), rate, call.now());
  return ReencryptUserPoolResponse{.Reencryption = Describe(call, record)};
}

ApiResult<DescribeReencryptionResponse> DescribeReencryption(Call& call, const DescribeReencryptionRequest&) {
  const auto record = call.tx().Get<directory::ReencryptionKind>("");
  if (!record) return Fail(ErrorCode::kResourceNotFoundException, "The user pool was never re-encrypted.");
  return DescribeReencryptionResponse{.Reencryption = Describe(call, *record)};
}

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
