// What a Region does with requests that are the primary's to do: it refuses them, or passes them on and answers what
// the primary answers (docs/adr/0009-write-forwarding.md).
#include <fmt/format.h>

#include <chrono>

#include "base/log.h"
#include "cognito/answer.h"
#include "cognito/forwarded.h"
#include "cognito/pipeline_exchange.h"
#include "cognito/placement.h"
#include "cognito/replication_waits.h"
#include "http/await.h"

namespace symbolon::cognito {
namespace {

namespace asio = boost::asio;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using replication::ControlErrorCode;
using replication::ForwardOutcome;
using replication::Role;

// A request is run so often while the primary changes between looking and asking.
constexpr int kRedirectsMax = 3;
// A request that another Region passes on may have come to it so much earlier or later than now on this Region's clock:
// as far as a signature's date may be off.
constexpr std::chrono::minutes kArrivalWindow{5};
// After a write the Region that was asked waits so long for it to arrive there too, so that clients of this Region see
// it without naming its position.
constexpr std::chrono::milliseconds kOwnWriteWait{500};

constexpr std::chrono::milliseconds kNextEntryWait{1'000};

// SDKs do not send a request again by themselves after this.
ApiError Unconfirmed(std::string_view operation, const PoolId& pool, const Region& primary, std::string_view what) {
  return {ErrorCode::kWriteUnconfirmedException,
          fmt::format("{} was passed on to Region {}, the primary of user pool {}, which {}: whether it has been or "
                      "will be done is unknown.",
                      operation, primary.value(), pool.value(), what)};
}

}  // namespace

tl::unexpected<ApiError> Pipeline::RefuseHere(Exchange& exchange, const replication::pb::RoleRecord& role,
                                              std::string_view why) const {
  exchange.elsewhere = Exchange::Elsewhere{.primary = replication::LeaderOf(role),
                                           .here = replication::RoleOf(role, services_.region.region)};
  return Err(NotAvailableHere(exchange, role, why));
}

ApiError Pipeline::NotAvailableHere(const Exchange& exchange, const replication::pb::RoleRecord& role,
                                    std::string_view why) const {
  return {
      ErrorCode::kOperationNotEnabledException,
      fmt::format("{} is not available in Region {}, which has a replica of user pool {}: {} The primary Region is {}.",
                  exchange.operation->name, services_.region.region.value(), exchange.pool.value(), why,
                  replication::LeaderOf(role).value())};
}

// ---- the Region that was asked ----

asio::awaitable<ApiResult<std::string>> Pipeline::Redirect(Exchange& exchange, ApiError refusal) {
  bool awaited_entry = false;
  for (int redirects = 0; redirects < kRedirectsMax; ++redirects) {
    const Exchange::Elsewhere elsewhere = *std::exchange(exchange.elsewhere, std::nullopt);
    if (elsewhere.primary == services_.region.region) {
      // It is about to begin its epoch, and the gate opens then.
      if (exchange.waited || services_.write_gate == nullptr) break;
      co_await AwaitWriteGate(exchange);
    } else if (exchange.from && exchange.from->region == elsewhere.primary && !awaited_entry) {
      // The Region that is taken for the primary here says that this one is: it has handed over, and its entry is about
      // to come.
      awaited_entry = true;
      co_await AwaitNextEntry(exchange);
    } else if (exchange.from) {
      exchange.misdirected = {.code = ControlErrorCode::kNotPrimary, .detail = elsewhere.primary.value()};
      co_return Err(std::move(refusal));
    } else if (!services_.forward || !PassesOn(*exchange.operation, elsewhere.here, services_.forward_writes)) {
      // It was the primary when the request came. This answer may be retried; the next one says where to go.
      if (exchange.waited) break;
      co_return Err(std::move(refusal));
    } else if (auto passed_on = co_await PassOn(exchange, elsewhere.primary, refusal)) {
      co_return *std::move(passed_on);
    }
    ApiResult<std::string> result = co_await Run(exchange);
    if (result || !exchange.elsewhere) co_return result;
    refusal = std::move(result).error();
  }
  co_return PrimaryChanges();
}

bool Pipeline::GoesToPrimary(Exchange& exchange) {
  if (!services_.forward || exchange.from || !MayBePassedOn(*exchange.operation)) return false;
  if (!exchange.http.headers.Find(replication::kPositionHeader)) return false;
  // Whose pool it is may be among what is to come.
  if (!FindPool(exchange) || exchange.pool.empty()) return false;
  directory::Transaction tx(std::shared_ptr<const storage::Snapshot>(services_.store.MakeSnapshot()), exchange.pool,
                            nullptr, services_.random, &services_.records);
  const auto role = tx.ShareClear(directory::RecordType::kRole, "", replication::ParseRole);
  if (!role || !Exists(*role)) return false;
  const Role here = replication::RoleOf(*role, services_.region.region);
  return PlacementOf(*exchange.operation, here) == Placement::kAtPrimary &&
         PassesOn(*exchange.operation, here, services_.forward_writes);
}

asio::awaitable<std::optional<ApiResult<std::string>>> Pipeline::PassOn(Exchange& exchange, const Region& primary,
                                                                        const ApiError& refusal) {
  using Result = std::optional<ApiResult<std::string>>;
  const auto forwarded = co_await http::AwaitCallback<replication::Forwarded>([&](auto done) {
    services_.forward(exchange.pool, primary, EncodeForwarded(exchange.http, exchange.arrived), std::move(done));
  });
  services_.observer.OnForwarded(forwarded.outcome);
  switch (forwarded.outcome) {
    case ForwardOutcome::kAnswered:
      co_return co_await TakeAnswer(exchange, forwarded);
    case ForwardOutcome::kIsHere:
      co_return std::nullopt;
    case ForwardOutcome::kNotReached:
      co_return Result(Fail(ErrorCode::kServiceUnavailableException,
                            fmt::format("Nothing was changed: {} is done by the primary Region of user pool {}, {}, "
                                        "which cannot be reached at present. Try again later.",
                                        exchange.operation->name, exchange.pool.value(), forwarded.region.value())));
    case ForwardOutcome::kBusy:
      co_return Result(Fail(ErrorCode::kTooManyRequestsException, "Rate exceeded"));
    case ForwardOutcome::kRefused:
      log::Warning("{} in pool {} was not taken by Region {}: {}", exchange.operation->name, exchange.pool.value(),
                   forwarded.region.value(), forwarded.detail);
      co_return Result(Err(refusal));
    case ForwardOutcome::kChanging:
      co_return Result(PrimaryChanges());
    case ForwardOutcome::kUnknown:
      break;
  }
  co_return Result(Err(Unconfirmed(exchange.operation->name, exchange.pool, forwarded.region, "has not answered")));
}

asio::awaitable<ApiResult<std::string>> Pipeline::TakeAnswer(Exchange& exchange,
                                                             const replication::Forwarded& forwarded) {
  exchange.passed_on = ParseForwardedResponse(forwarded.answer);
  if (!exchange.passed_on) {
    log::Error("Region {} answered {} with what is no answer", forwarded.region.value(), exchange.operation->name);
    co_return Err(Unconfirmed(exchange.operation->name, exchange.pool, forwarded.region, "gave no proper answer"));
  }
  const auto text = exchange.passed_on->headers.Find(replication::kPositionHeader);
  const auto position = text ? replication::ParsePosition(*text) : std::nullopt;
  if (position) co_await AwaitPassage(services_, *position, kOwnWriteWait);
  co_return std::string();
}

asio::awaitable<void> Pipeline::AwaitNextEntry(const Exchange& exchange) {
  const auto head = services_.store.MakeSnapshot()->Head(exchange.pool);
  if (!head || !*head) co_return;
  replication::PoolPosition next{.pool = exchange.pool, .position = {}};
  *next.position.mutable_epoch() = (*head)->epoch();
  next.position.set_sequence((*head)->sequence() + 1);
  co_await AwaitPassage(services_, next, kNextEntryWait);
}

asio::awaitable<void> Pipeline::AwaitWriteGate(Exchange& exchange) {
  exchange.waited = true;
  co_await http::AwaitCallback<bool>(
      [&](auto done) { services_.write_gate->Await(exchange.pool, [done]() mutable { done(true); }); });
}

// ---- the Region to which it was passed on ----

asio::awaitable<replication::ControlResult<http::Response>> Pipeline::HandleForwarded(Region from, PoolId pool,
                                                                                      http::Request request) {
  const auto refuse = [](std::string why) {
    return Err(replication::ControlError{.code = ControlErrorCode::kRefused, .detail = std::move(why)});
  };
  const auto target = request.headers.Find("X-Amz-Target");
  const model::OperationFacts* operation = target ? model::FindOperation(*target) : nullptr;
  if (operation == nullptr || !MayBePassedOn(*operation)) co_return refuse("no operation that is passed on");
  if (request.body.size() > operation->body_limit_bytes) co_return refuse("the body is too large");
  const auto apart = std::chrono::abs(services_.clock.Now() - request.received);
  if (apart > kArrivalWindow) {
    co_return refuse(
        fmt::format("the clocks are {} s apart", std::chrono::duration_cast<std::chrono::seconds>(apart).count()));
  }
  Exchange exchange;
  exchange.arrived = request.received;
  exchange.http = std::move(request);
  exchange.from = Exchange::Sender{.region = std::move(from), .pool = std::move(pool)};
  http::Response response = co_await Answer(exchange);
  if (exchange.misdirected) co_return Err(*std::move(exchange.misdirected));
  co_return response;
}

ApiResult<void> Pipeline::CheckSender(Exchange& exchange, const replication::pb::RoleRecord* role) {
  if (!exchange.from) return {};
  const auto refuse = [&](ControlErrorCode code, std::string why) {
    exchange.misdirected = {.code = code, .detail = std::move(why)};
    return Err(Missing(exchange));
  };
  if (exchange.pool != exchange.from->pool) return refuse(ControlErrorCode::kRefused, "it is about another pool");
  const Role sender = role != nullptr ? replication::RoleOf(*role, exchange.from->region) : Role();
  if (sender.kind == Role::Kind::kNone || sender.state == replication::pb::DELETING) {
    return refuse(ControlErrorCode::kNotMember, "the caller is no member of the pool");
  }
  return {};
}

}  // namespace symbolon::cognito
