#include "cognito/pipeline.h"

#include <fmt/format.h>

#include <array>

#include "auth/session.h"
#include "auth/tokens.h"
#include "base/log.h"
#include "cognito/answer.h"
#include "cognito/auth_errors.h"
#include "cognito/authorisation.h"
#include "cognito/pipeline_exchange.h"
#include "cognito/placement.h"
#include "cognito/replication_waits.h"
#include "http/await.h"
#include "model/cognito_handlers.h"
#include "wire/parse.h"
#include "wire/serialise.h"

namespace symbolon::cognito {
namespace {

namespace asio = boost::asio;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using model::Service;
using model::Where;
using model::Who;
using replication::Role;

constexpr std::size_t kBodyLimitBytes = 64 * 1024;
// A conflict means that another commit went through, so this many in a row mean heavy traffic on one record.
constexpr int kAttemptsMax = 32;
constexpr const char* kFellBack = "fell-back";

ApiError Translate(const http::SigV4Error& error) {
  switch (error.code) {
    case http::SigV4Code::kMissing:
      return {ErrorCode::kMissingAuthenticationTokenException, "Missing Authentication Token"};
    case http::SigV4Code::kIncomplete:
      return {ErrorCode::kIncompleteSignatureException, error.message};
    case http::SigV4Code::kInvalidSignature:
    case http::SigV4Code::kExpired:
    case http::SigV4Code::kBadScope:
      return {ErrorCode::kInvalidSignatureException, error.message};
    case http::SigV4Code::kUnknownKey:
      return {ErrorCode::kUnrecognizedClientException, "The security token included in the request is invalid."};
  }
  return Internal();
}

// Of arn:aws:cognito-idp:<Region>:<account>:userpool/<id>, as this Region names its pools.
std::optional<PoolId> PoolOfArn(std::string_view arn, const directory::RegionSettings& here) {
  const std::string prefix = fmt::format("arn:aws:cognito-idp:{}:{}:userpool/", here.region.value(), here.account);
  if (!arn.starts_with(prefix) || !IsPoolId(arn.substr(prefix.size()))) return std::nullopt;
  return PoolId(std::string(arn.substr(prefix.size())));
}

using COp = model::cognito::Operation;

}  // namespace

std::size_t Pipeline::BodyLimitBytes(const http::Request& head) {
  const auto target = head.headers.Find("X-Amz-Target");
  const model::OperationFacts* operation = target ? model::FindOperation(*target) : nullptr;
  return operation != nullptr ? operation->body_limit_bytes : kBodyLimitBytes;
}

asio::awaitable<http::Response> Pipeline::Handle(http::Request request) {
  Exchange exchange;
  exchange.http = std::move(request);
  exchange.arrived = services_.clock.Now();
  co_return co_await Answer(exchange);
}

asio::awaitable<http::Response> Pipeline::Answer(Exchange& exchange) {
  const std::string request_id = request_ids_.Next();
  const auto started = services_.clock.SinceBoot();
  const auto target = exchange.http.headers.Find("X-Amz-Target");
  exchange.operation = target ? model::FindOperation(*target) : nullptr;
  if (exchange.operation == nullptr) {
    co_return Failure(
        {ErrorCode::kUnknownOperationException, target ? "Unknown operation." : "X-Amz-Target names no operation."},
        request_id);
  }

  ApiResult<std::string> result = co_await Run(exchange);
  if (!result && exchange.elsewhere) result = co_await Redirect(exchange, std::move(result).error());
  result = co_await Audit(exchange, request_id, std::move(result));

  const std::string_view outcome = result ? "ok" : model::ToString(result.error().code);
  services_.observer.OnRequest(*exchange.operation, exchange.passed_on ? OutcomeOf(*exchange.passed_on) : outcome,
                               services_.clock.SinceBoot() - started, exchange.unknown_members);
  if (exchange.passed_on) {
    exchange.passed_on->headers.Set(kRequestIdHeader, request_id);
    co_return *std::move(exchange.passed_on);
  }
  http::Response response = result ? Success(*std::move(result), request_id) : Failure(result.error(), request_id);
  if (exchange.position) {
    response.headers.Set(replication::kPositionHeader, replication::FormatPosition(exchange.pool, *exchange.position));
  }
  if (exchange.fell_back) response.headers.Set(kDurabilityHeader, kFellBack);
  co_return response;
}

asio::awaitable<ApiResult<std::string>> Pipeline::Run(Exchange& exchange) {
  const model::OperationFacts& operation = *exchange.operation;
  // 1. Who signed, before anything of the body is looked at.
  SYMBOLON_CO_TRY_VOID(Authenticate(exchange));

  if (!operation.implemented) {
    co_return Fail(ErrorCode::kUnsupportedOperationException, fmt::format("{} is not available yet.", operation.name));
  }

  // 2. What is asked.
  wire::ParseReport report;
  auto parsed = wire::ParseRequest(*operation.input, exchange.http.body, report);
  exchange.unknown_members = report.unknown_members;
  if (!parsed) {
    const bool malformed = parsed.error().kind == wire::ParseError::Kind::kMalformed;
    co_return Fail(malformed ? ErrorCode::kSerializationException : model::ValidationErrorOf(operation.service),
                   parsed.error().message);
  }
  exchange.request.emplace(*std::move(parsed));
  SYMBOLON_CO_TRY_VOID(CheckAudit(exchange));

  // 3. The key service keeps its own records, and asks the policies of its keys.
  if (operation.service == Service::kKms) {
    SYMBOLON_CHECK(exchange.signer.has_value());
    if (services_.keys_of_call) exchange.key_arns = services_.keys_of_call(operation, *exchange.request);
    auto answer = co_await http::RunBlocking(
        services_.blocking, [&] { return services_.call_key_service(*exchange.signer, operation, *exchange.request); });
    if (!answer) co_return Fail(ErrorCode::kThrottlingException, "Rate exceeded");
    co_return *std::move(answer);
  }

  // 4. What the caller has seen elsewhere is here, if it is here that the request is served.
  if (!GoesToPrimary(exchange)) SYMBOLON_CO_TRY_VOID(co_await AwaitPosition(services_, exchange.http));

  // 5. Whose pool, by its id, its client or its token.
  SYMBOLON_CO_TRY_VOID(FindPool(exchange));
  NotePoolKey(exchange);

  // 6. Whether the caller may.
  if (exchange.signer) {
    SYMBOLON_CO_TRY_VOID(Authorise(*exchange.signer, operation, exchange.pool, services_.region));
  }

  // 7. What the plan needs and has to be waited for.
  SYMBOLON_CO_TRY_VOID(co_await Prepare(exchange));

  // 8. Plan, commit, and again after a conflict.
  auto answer = co_await PlanAndCommit(exchange);
  if (!answer && exchange.preparation.key_change) co_await WithdrawKeyChange(exchange);
  co_return answer;
}

ApiResult<void> Pipeline::Authenticate(Exchange& exchange) {
  if (exchange.operation->who != Who::kIam) return {};
  const std::array<std::string_view, 1> services{model::SigningNameOf(exchange.operation->service)};
  auto caller = services_.signatures.VerifyAt(exchange.http, services, exchange.arrived);
  if (!caller) return Err(Translate(caller.error()));
  auto identity = services_.identities.FindIdentity(caller->owner);
  if (!identity) {  // removed in the meantime
    return Fail(ErrorCode::kUnrecognizedClientException, "The security token included in the request is invalid.");
  }
  exchange.caller.access_key_id = caller->access_key_id;
  auto context = ContextOf(exchange.http, identity->principal, services_.clock.Now(), services_.region.region);
  exchange.signer = policy::Caller{.identity = *std::move(identity), .context = std::move(context)};
  return {};
}

ApiResult<void> Pipeline::FindPool(Exchange& exchange) {
  const model::OperationFacts& operation = *exchange.operation;
  if (Is(operation, COp::kCreateUserPool)) {
    exchange.pool = NewPoolId(services_.region.region, services_.random);
    return {};
  }
  if (const auto token = exchange.request->Text(operation.access_token)) {
    auto presented = services_.access_tokens.Present(*token);
    if (!presented) return Err(ToApiError(auth::ToAuthError(presented.error())));
    exchange.pool = presented->pool();
    exchange.token = *std::move(presented);
    return {};
  }
  if (const auto id = exchange.request->Text(operation.user_pool_id)) {
    exchange.pool = PoolId(std::string(*id));
    return {};
  }
  if (const auto arn = exchange.request->Text(operation.resource_arn)) {
    auto pool = PoolOfArn(*arn, services_.region);
    if (!pool) return Fail(ErrorCode::kInvalidParameterException, "ResourceArn names no user pool of this Region.");
    exchange.pool = *std::move(pool);
    return {};
  }
  if (operation.who == Who::kAccessToken) {
    return Fail(ErrorCode::kInvalidParameterException, "Missing required parameter AccessToken");
  }
  if (operation.who == Who::kTokenOrSession) {
    const auto session = exchange.request->Text(operation.session);
    if (!session) {
      return Fail(ErrorCode::kInvalidParameterException, "Missing required parameter AccessToken or Session");
    }
    const auto client = auth::ClientOfSession(*session);
    const auto pool = client ? services_.routes.PoolOfClient(client->value()) : std::nullopt;
    if (!pool) return Err(ToApiError(auth::InvalidSession()));
    exchange.pool = *pool;
    return {};
  }
  if (Is(operation, COp::kDescribeUserPoolDomain)) {
    const auto& request = exchange.request->As<model::cognito::DescribeUserPoolDomainRequest>();
    exchange.pool = services_.routes.PoolOfDomain(request.Domain).value_or(PoolId());
    return {};
  }
  if (const auto id = exchange.request->Text(operation.client_id)) {
    const auto pool = services_.routes.PoolOfClient(*id);
    if (!pool)
      return Fail(ErrorCode::kResourceNotFoundException, fmt::format("User pool client {} does not exist.", *id));
    exchange.pool = *pool;
    return {};
  }
  if (operation.where == Where::kRegionLocal) return {};
  return Fail(ErrorCode::kInvalidParameterException, "The request names no user pool.");
}

ApiResult<void> Pipeline::CheckPlace(Exchange& exchange, const replication::pb::RoleRecord& role) const {
  switch (PlacementOf(*exchange.operation, replication::RoleOf(role, services_.region.region))) {
    case Placement::kHere:
      return {};
    case Placement::kAtPrimary:
      return RefuseHere(exchange, role, "it changes what only the primary Region may change.");
    case Placement::kAtActiveReplica:
      return Err(NotAvailableHere(exchange, role, "the replica is not ACTIVE."));
  }
  return Err(Internal());
}

bool Pipeline::Exists(const replication::pb::RoleRecord& role) const {
  const Role here = replication::RoleOf(role, services_.region.region);
  return !role.deleted() && here.kind != Role::Kind::kNone && here.state != replication::pb::DELETING;
}

ApiError Pipeline::Missing(const Exchange& exchange) {
  if (exchange.token) return ToApiError(auth::ToAuthError(auth::AccessTokenError::kInvalid));
  return {ErrorCode::kResourceNotFoundException, fmt::format("User pool {} does not exist.", exchange.pool.value())};
}

ApiResult<void> Pipeline::Open(Exchange& exchange, Attempt& attempt) {
  attempt.snapshot = std::shared_ptr<const storage::Snapshot>(services_.store.MakeSnapshot());
  attempt.tx.emplace(attempt.snapshot, exchange.pool, exchange.new_pool_keys, services_.random, &services_.records);
  // A pool that is being made, or none: nothing to read.
  if (exchange.pool.empty() || exchange.new_pool_keys || NeedsNoPool(*exchange.operation)) return {};

  // Through the transaction that will be committed: its read set fences a primary that hands over.
  attempt.role = attempt.tx->ShareClear(directory::RecordType::kRole, "", replication::ParseRole);
  if (attempt.tx->failure()) {
    log::Error("role of pool {} cannot be read: {}", exchange.pool.value(), attempt.tx->failure()->detail);
    return Err(Internal());
  }
  SYMBOLON_TRY_VOID(CheckSender(exchange, attempt.role.get()));
  // What was set aside outlives the pool here.
  if (!exchange.preparation.suffixes.empty() && (!attempt.role || !Exists(*attempt.role))) {
    attempt.is_gone = true;
    return {};
  }
  if (!attempt.role) return Err(Missing(exchange));
  if (!Exists(*attempt.role)) return Err(Missing(exchange));

  // Before the place: a locked Region passes nothing on, since the answer would come through it in clear.
  auto keys = services_.keys.KeysOf(*attempt.snapshot, exchange.pool);
  const bool may_open = keys || NeedsNoKeys(*exchange.operation);
  if (!may_open && keys.error().code != keys::KeyServiceErrorCode::kNoKeys) return Err(Translate(keys.error()));
  SYMBOLON_TRY_VOID(CheckPlace(exchange, *attempt.role));
  if (!may_open) return Err(Translate(keys.error()));
  if (keys) attempt.tx->SetKeys(*std::move(keys));
  return {};
}

asio::awaitable<ApiResult<std::string>> Pipeline::PlanAndCommit(Exchange& exchange) {
  const Handler handler = FindHandler(*exchange.operation);
  SYMBOLON_CHECK(handler != nullptr);
  directory::Env env(services_.clock.Now(), services_.random, services_.region);

  for (int attempts = 0; attempts < kAttemptsMax; ++attempts) {
    Attempt attempt;
    SYMBOLON_CO_TRY_VOID(Open(exchange, attempt));
    directory::Transaction& tx = *attempt.tx;
    Call& call = attempt.call.emplace(tx, env);
    call.caller_ = exchange.caller;
    call.preparation_ = &exchange.preparation;
    call.catalog_ = this;
    call.signer_ = &services_.signer;
    call.routes_ = &services_.routes;
    call.replication_status_ = &services_.replication_status;
    call.verifier_ = services_.verifier;
    if (attempt.role) call.role_ = attempt.role;
    if (!exchange.pool.empty() && !exchange.new_pool_keys && !NeedsNoKeys(*exchange.operation) && !attempt.is_gone) {
      auto pool = tx.Share<directory::PoolKind>("");
      if (!pool && !tx.failure()) co_return Err(Missing(exchange));
      if (pool) call.pool_ = std::move(pool);
    }

    const ApiResult<std::string> answer =
        CheckSignedIn(call, exchange).and_then([&] { return handler(call, *exchange.request); });

    if (tx.failure()) {
      log::Error("{} in pool {}: {}", exchange.operation->name, exchange.pool.value(), tx.failure()->detail);
      co_return Err(Internal());
    }
    const bool keeps_changes = answer || call.commit_despite_error_;
    if (keeps_changes && !tx.has_changes() && tx.has_notes()) {
      // Nobody waits for these, and nobody misses one: a conflict means that somebody else noted as much.
      services_.commits.Submit(tx.TakeCommit(), call.role(), [](const replication::DurableCommitResult&) {});
      co_return answer;
    }
    if (!keeps_changes || !tx.has_changes()) co_return answer;
    if (tx.changes_directory() && !exchange.new_pool_keys && !call.is_primary()) {
      co_return RefuseHere(exchange, call.role(), "it would change what only the primary Region may change.");
    }
    if (tx.changes_directory() && call.caller_.user && call.caller_.user->user.record->first_seen()) {
      co_return Fail(ErrorCode::kServiceUnavailableException,
                     "The user has just signed in for the first time in another Region, and has no record yet.");
    }

    // While the primary is changing, or is not sure that it is one, changes wait here, bounded, and are planned again.
    replication::WriteGate* const gate = services_.write_gate;
    if (gate != nullptr && tx.changes_directory() && !exchange.new_pool_keys && !gate->IsOpen(exchange.pool)) {
      if (exchange.waited) co_return PrimaryChanges();
      attempt.LetGo();
      co_await AwaitWriteGate(exchange);
      continue;
    }

    storage::Commit commit = tx.TakeCommit();
    const std::shared_ptr<const replication::pb::RoleRecord> role = call.role_;
    attempt.LetGo();
    auto committed = co_await http::AwaitCallback<replication::DurableCommitResult>(
        [&](auto done) { services_.commits.Submit(std::move(commit), *role, std::move(done)); });
    if (committed) {
      exchange.position = committed->committed.position;
      exchange.fell_back = committed->fell_back;
      co_return answer;
    }
    exchange.position = committed.error().position;
    if (IsConflict(committed.error())) continue;
    if (committed.error().store) {
      log::Error("{} in pool {} was not committed: {}", exchange.operation->name, exchange.pool.value(),
                 committed.error().store->detail);
    }
    co_return Err(ToApiError(committed.error(), exchange.pool, services_.region.region));
  }
  co_return Fail(ErrorCode::kTooManyRequestsException, "Rate exceeded");
}

ApiResult<void> Pipeline::CheckSignedIn(Call& call, const Exchange& exchange) {
  if (!exchange.token) return {};
  const auto published = call.tx().Share<directory::PublicKind>("");
  if (!published) return Err(Internal());
  const auto claims = services_.access_tokens.Verify(*exchange.token, *published, services_.region, call.now());
  if (!claims) return Err(ToApiError(auth::ToAuthError(claims.error())));
  if (!(*claims)->HasScope(auth::kUserAdminScope)) {
    return Err(ToApiError(auth::ToAuthError(auth::AccessTokenError::kScopeMissing)));
  }
  auto user = auth::CheckSignedIn(call.tx(), call.pool(), **claims);
  if (!user) return Err(ToApiError(user.error()));
  call.caller_.user = Caller::SignedInUser{.user = *std::move(user),
                                           .client = (*claims)->client,
                                           .scope = (*claims)->scope,
                                           .origin_jti = (*claims)->origin_jti,
                                           .access_token_jti = (*claims)->jti,
                                           .device_key = (*claims)->device_key,
                                           .authenticated_at = (*claims)->authenticated_at};
  return {};
}

PoolCatalog::Listing Pipeline::List(const std::optional<PoolId>& after, std::size_t limit) {
  Listing listing;
  const std::shared_ptr<const storage::Snapshot> snapshot(services_.store.MakeSnapshot());
  std::optional<PoolId> cursor = after;
  while (true) {
    const auto pools = snapshot->Pools(cursor, limit + 1);
    if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
    if (!pools || pools->empty()) return listing;
    for (const PoolId& id : *pools) {
      if (listing.entries.size() == limit) {
        listing.next = listing.entries.back().id;
        return listing;
      }
      cursor = id;
      auto keys = services_.keys.KeysOf(*snapshot, id);
      if (!keys && keys.error().code == keys::KeyServiceErrorCode::kNoKeys) continue;
      const bool locked = !keys.has_value();
      directory::Transaction tx(snapshot, id, locked ? nullptr : *std::move(keys), services_.random);
      const auto stored = tx.GetClear(directory::RecordType::kRole, "");
      auto role = stored ? replication::ParseRole(*stored) : std::nullopt;
      auto pool = locked ? std::nullopt : tx.Get<directory::PoolKind>("");
      if (tx.failure()) log::Error("pool {} is not listed: {}", id.value(), tx.failure()->detail);
      if (!(pool || locked) || !role || !Exists(*role)) continue;
      listing.entries.push_back({.id = id, .pool = std::move(pool), .role = *std::move(role)});
    }
  }
}

}  // namespace symbolon::cognito
