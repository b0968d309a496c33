// What the key of a user pool is, and a new data key under it (docs/keys.md).
#include "cognito/call.h"
#include "keys/arn.h"
#include "keys/wrapped_pool_keys.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

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

}  // namespace symbolon::cognito::operations
