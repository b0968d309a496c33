// What operations on a pool's key wait for before their plans (docs/keys.md).
#include "base/log.h"
#include "cognito/pipeline_exchange.h"
#include "cognito/pool_settings.h"
#include "http/await.h"
#include "keys/arn.h"
#include "model/own_shapes.h"

namespace symbolon::cognito {
namespace {

namespace asio = boost::asio;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using COp = model::cognito::Operation;
using OwnOp = model::own::Operation;

ApiError ToApiError(const key_life::ChangeError& error) {
  switch (error.code) {
    case key_life::ChangeErrorCode::kUnusableKey:
    case key_life::ChangeErrorCode::kNotUnderstood:
      return {ErrorCode::kInvalidParameterException, error.message};
    case key_life::ChangeErrorCode::kLocked:
    case key_life::ChangeErrorCode::kNotPrimary:
      return {ErrorCode::kOperationNotEnabledException, error.message};
    case key_life::ChangeErrorCode::kUnavailable:
      return {ErrorCode::kServiceUnavailableException, error.message};
  }
  return Internal();
}

}  // namespace

ApiError Translate(const keys::KeyServiceError& error) {
  using Code = keys::KeyServiceErrorCode;
  switch (error.code) {
    case Code::kNoKeys:
      break;
    case Code::kWithdrawn:
      return {ErrorCode::kOperationNotEnabledException, error.message};
    case Code::kUnavailable:
      return {ErrorCode::kServiceUnavailableException, error.message};
    case Code::kUnusableKey:
      return {ErrorCode::kInvalidParameterException, error.message};
  }
  return Internal();
}

bool Pipeline::NeedsNoKeys(const model::OperationFacts& operation) {
  return Is(operation, OwnOp::kDescribeUserPoolKey) || Is(operation, OwnOp::kDescribeReplication) ||
         Is(operation, OwnOp::kDescribeReencryption) || Is(operation, OwnOp::kDescribeErasure) ||
         Is(operation, OwnOp::kListErasures) || Is(operation, OwnOp::kShredUserPool) || NeedsNoPool(operation);
}

bool Pipeline::NeedsNoPool(const model::OperationFacts& operation) { return Is(operation, OwnOp::kDescribeShredding); }

void Pipeline::PrepareErasure(Exchange& exchange) const {
  if (Is(*exchange.operation, OwnOp::kEraseUser)) {
    exchange.preparation.erasure_asked_by = exchange.signer->identity.principal.ToString();
  } else if (Is(*exchange.operation, OwnOp::kDescribeErasure)) {
    const auto& request = exchange.request->As<model::own::DescribeErasureRequest>();
    const auto id = HexDecode(request.ErasureId);
    if (id) exchange.preparation.erasure_waits_for = services_.erasures->WaitsFor(*id);
  }
}

ApiResult<std::function<ApiResult<void>()>> Pipeline::KeyWork(Exchange& exchange) {
  const model::OperationFacts& operation = *exchange.operation;
  std::function<ApiResult<void>()> none;
  if (services_.erasures != nullptr) PrepareErasure(exchange);
  if (!services_.key_life) return none;
  if (Is(operation, COp::kCreateUserPoolReplica) || Is(operation, COp::kUpdateUserPoolReplica)) {
    return ReplicaKeyWork(exchange);
  }
  if (Is(operation, OwnOp::kReencryptUserPool) || Is(operation, OwnOp::kDescribeReencryption)) {
    exchange.preparation.reencryption_rate = services_.key_life->reencryption_rate;
    exchange.preparation.reencryption_problem = services_.key_life->reencryption.ProblemOf(exchange.pool);
    return none;
  }
  if (Is(operation, OwnOp::kShredUserPool)) {
    exchange.preparation.shredding_request =
        services_.key_life->shredding.RequestOf(exchange.signer->identity.principal.ToString());
    return none;
  }
  if (Is(operation, OwnOp::kDescribeShredding)) {
    return [this, &exchange]() -> ApiResult<void> {
      exchange.preparation.shredding = services_.key_life->shredding.Describe(exchange.pool);
      return {};
    };
  }
  const bool changes = Is(operation, COp::kUpdateUserPool) &&
                       NamesKey(exchange.request->As<model::cognito::UpdateUserPoolRequest>().KeyConfiguration);
  const bool rotates = Is(operation, OwnOp::kRotateUserPoolKey);
  const bool describes = Is(operation, OwnOp::kDescribeUserPoolKey);
  if (!changes && !rotates && !describes) return none;

  // Only of a pool that this Region may serve so.
  Attempt attempt;
  SYMBOLON_TRY_VOID(Open(exchange, attempt));
  if (describes) {
    replication::pb::RoleRecord asked = *attempt.role;
    if (exchange.request->As<model::own::DescribeUserPoolKeyRequest>().OnlyHere.value_or(false)) asked.Clear();
    return [this, &exchange, asked = std::move(asked)]() -> ApiResult<void> {
      exchange.preparation.key_statuses = key_life::KeyStatuses(services_.key_life->services, exchange.pool, asked);
      return {};
    };
  }
  if (replication::RoleOf(*attempt.role, services_.region.region).kind != replication::Role::Kind::kPrimary)
    return none;
  if (rotates) return [this, &exchange] { return PrepareKeyChange(exchange, std::nullopt); };

  const auto& request = exchange.request->As<model::cognito::UpdateUserPoolRequest>();
  const auto pool = attempt.tx->Share<directory::PoolKind>("");
  if (!pool) return none;
  SYMBOLON_TRY(const std::string arn, KmsKeyArnOf(request.KeyConfiguration));
  const Region& here = services_.region.region;
  const std::string now = key_life::KmsKeyOf(*attempt.tx, here, pool->kms_key_arn());
  if (keys::KeyArnInRegion(arn, here) == now) return none;
  const bool is_its_own = now != keys::KeyArnInRegion(pool->kms_key_arn(), here);
  if (is_its_own && arn.empty()) return none;
  // Settings that will be refused are worth no keys.
  directory::pb::PoolRecord scratch = *pool;
  SYMBOLON_TRY_VOID(ApplySettings(scratch, request));
  return [this, &exchange, arn, is_its_own]() -> ApiResult<void> {
    if (!arn.empty()) SYMBOLON_TRY_VOID(services_.check_key(*exchange.signer, exchange.pool, arn));
    if (is_its_own) {
      const Region& region = services_.region.region;
      return PrepareRegionKey(exchange, region, keys::KeyArnInRegion(arn, region), false);
    }
    return PrepareKeyChange(exchange, arn);
  };
}

ApiResult<void> Pipeline::PrepareKeyChange(Exchange& exchange, const std::optional<std::string>& kms_key_arn) {
  log::Info("{} asks for another {} of pool {}", exchange.caller.access_key_id.value_or(""),
            kms_key_arn ? "KMS key" : "data key", exchange.pool.value());
  auto prepared = services_.key_life->changes.Prepare(exchange.pool, kms_key_arn);
  if (!prepared) return Err(ToApiError(prepared.error()));
  exchange.preparation.key_change = *std::move(prepared);
  return {};
}

ApiResult<std::function<ApiResult<void>()>> Pipeline::ReplicaKeyWork(Exchange& exchange) {
  std::function<ApiResult<void>()> none;
  Attempt attempt;
  SYMBOLON_TRY_VOID(Open(exchange, attempt));
  const auto pool = attempt.tx->Share<directory::PoolKind>("");
  const bool is_primary =
      replication::RoleOf(*attempt.role, services_.region.region).kind == replication::Role::Kind::kPrimary;
  if (!pool || pool->kms_key_arn().empty() || !is_primary) return none;

  if (Is(*exchange.operation, COp::kCreateUserPoolReplica)) {
    const auto& request = exchange.request->As<model::cognito::CreateUserPoolReplicaRequest>();
    const Region region(request.RegionName);
    SYMBOLON_TRY(const std::string arn, OwnKeyArnOf(request.KeyConfiguration, region));
    if (!services_.region.IsPartOfDeployment(region)) return none;
    if (!arn.empty() && arn != keys::KeyArnInRegion(pool->kms_key_arn(), region)) {
      return [this, &exchange, region, arn] { return PrepareRegionKey(exchange, region, arn, true); };
    }
    return [this, &exchange, arn = pool->kms_key_arn()]() -> ApiResult<void> {
      auto regions = services_.keys.RegionsOfKey(arn);
      if (!regions) return Err(Translate(regions.error()));
      exchange.preparation.key_regions = *std::move(regions);
      return {};
    };
  }

  const auto& request = exchange.request->As<model::cognito::UpdateUserPoolReplicaRequest>();
  const Region region(request.RegionName);
  SYMBOLON_TRY(const std::string arn, OwnKeyArnOf(request.KeyConfiguration, region));
  const replication::pb::Member* const member = replication::FindMember(*attempt.role, region);
  if (member == nullptr) return none;
  const bool activates = request.Status == model::cognito::UpdateReplicaStatusType::kActive &&
                         member->state() == replication::pb::INACTIVE;
  const bool changes = !arn.empty() && arn != key_life::KmsKeyOf(*attempt.tx, region, pool->kms_key_arn());
  if (!activates && !changes) return none;
  return [this, &exchange, region, arn, activates, changes]() -> ApiResult<void> {
    if (activates) {
      auto opened = services_.key_life->changes.CheckOpens(exchange.pool, region);
      if (!opened) return Err(ToApiError(opened.error()));
      exchange.preparation.opened_keys = *std::move(opened);
    }
    return changes ? PrepareRegionKey(exchange, region, arn, false) : ApiResult<void>();
  };
}

ApiResult<void> Pipeline::PrepareRegionKey(Exchange& exchange, const Region& region, const std::string& arn,
                                           bool is_new) {
  log::Info("{} asks for another KMS key of pool {} in Region {}", exchange.caller.access_key_id.value_or(""),
            exchange.pool.value(), region.value());
  // The account's root has no name.
  const std::string& owner = exchange.signer->identity.principal.name;
  auto prepared = services_.key_life->changes.PrepareRegionKey(exchange.pool, region, arn, owner, is_new);
  if (!prepared) return Err(ToApiError(prepared.error()));
  exchange.preparation.region_key = *std::move(prepared);
  return {};
}

asio::awaitable<void> Pipeline::WithdrawKeyChange(Exchange& exchange) {
  // Refused when too much waits: it seals nothing, and goes later (key_life::KeyChanges::Tend).
  const auto withdrawn = co_await http::RunBlocking(services_.blocking, [&] {
    services_.key_life->changes.Withdraw(exchange.pool, *exchange.preparation.key_change);
    return true;
  });
  if (!withdrawn) log::Warning("pool {}: an offer of keys stays for now", exchange.pool.value());
}

}  // namespace symbolon::cognito
