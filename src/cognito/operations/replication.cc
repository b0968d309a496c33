// Symbolon's own operations on replication.
#include "cognito/call.h"
#include "cognito/replication_shapes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::own;
namespace rpb = replication::pb;

ApiResult<replication::DurabilitySetting> SettingOf(const SetReplicationDurabilityRequest& request) {
  replication::DurabilitySetting setting;
  if (request.LagBoundSeconds.has_value() != (request.Mode == DurabilityModeType::kBounded)) {
    return Fail(ErrorCode::kInvalidParameterException, "LagBoundSeconds is given with BOUNDED, and only with it.");
  }
  if (request.Fallback && request.Mode != DurabilityModeType::kSync) {
    return Fail(ErrorCode::kInvalidParameterException, "Fallback is given with SYNC only.");
  }
  switch (request.Mode) {
    case DurabilityModeType::kAsync:
      break;
    case DurabilityModeType::kBounded:
      setting.mode = rpb::BOUNDED;
      setting.lag_bound_seconds = static_cast<std::uint32_t>(*request.LagBoundSeconds);
      break;
    case DurabilityModeType::kSync:
      setting.mode = rpb::SYNC;
      setting.falls_back = request.Fallback == DurabilityFallbackType::kFallBack;
      break;
  }
  return setting;
}

}  // namespace

ApiResult<DescribeReplicationResponse> DescribeReplication(Call& call, const DescribeReplicationRequest&) {
  const Region& here = call.env().region().region;
  if (const auto status = call.replication_status()) return DescribeReplicationOf(*status, here);
  // No other Region: the store itself tells all that there is.
  replication::ReplicationStatus alone;
  alone.pool = call.pool_id();
  alone.role = replication::RoleOf(call.role(), here);
  alone.primary = replication::LeaderOf(call.role());
  alone.epoch_counter = call.role().epoch_counter();
  alone.durability = replication::DurabilityOf(call.role());
  if (const auto head = call.tx().snapshot().Head(call.pool_id())) alone.head = *head;
  return DescribeReplicationOf(alone, here);
}

ApiResult<SetReplicationDurabilityResponse> SetReplicationDurability(Call& call,
                                                                     const SetReplicationDurabilityRequest& request) {
  const auto setting = SettingOf(request);
  if (!setting) return Err(setting.error());
  const auto role = replication::SetDurability(call.role(), *setting);
  if (!role) {
    return Fail(ErrorCode::kInvalidParameterException,
                setting->mode == rpb::BOUNDED
                    ? "BOUNDED needs a replica that is ACTIVE: without one, every write would be refused."
                    : "SYNC needs a replica that is ACTIVE or INACTIVE: without one, no write could be confirmed.");
  }
  call.tx().PutClear(directory::RecordType::kRole, "", replication::SerializeRole(*role));
  return SetReplicationDurabilityResponse{.UserPoolId = call.pool_id().value(),
                                          .Durability = DescribeDurability(*setting)};
}

// The change of roles is made before the plan (Pipeline::Prepare); here is what is told of it.
model::ApiResult<model::own::PromoteUserPoolReplicaResponse> PromoteUserPoolReplica(
    Call& call, const model::own::PromoteUserPoolReplicaRequest& request) {
  const replication::Promoted& promoted = *call.preparation().promoted;
  model::own::PromoteUserPoolReplicaResponse response;
  response.UserPoolId = request.UserPoolId;
  response.Primary = request.RegionName;
  response.Epoch = static_cast<std::int64_t>(promoted.epoch_counter);
  response.FirstSequence = static_cast<std::int64_t>(promoted.first_sequence);
  for (const replication::Promoted::Silent& silent : promoted.silent) {
    model::own::SilentRegionType& shown = response.SilentRegions.emplace_back();
    shown.Region = silent.region.value();
    if (silent.last_heard_sequence) shown.LastHeardSequence = static_cast<std::int64_t>(*silent.last_heard_sequence);
  }
  return response;
}

}  // namespace symbolon::cognito::operations
