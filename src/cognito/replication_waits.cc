#include "cognito/replication_waits.h"

#include <fmt/format.h>

#include "http/await.h"
#include "replication/position.h"

namespace symbolon::cognito {
namespace {

namespace asio = boost::asio;
using model::ApiError;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using replication::Passage;

double Seconds(std::chrono::microseconds time) { return std::chrono::duration<double>(time).count(); }

ApiError Translate(const storage::StoreError& error) {
  using Code = storage::StoreErrorCode;
  switch (error.code) {
    case Code::kConflict:
      return {ErrorCode::kTooManyRequestsException, "Rate exceeded"};
    case Code::kFull:
    case Code::kUnavailable:
      return {ErrorCode::kServiceUnavailableException, "Changes cannot be stored at present."};
    case Code::kNotWriter:
      return {ErrorCode::kServiceUnavailableException, "The user pool's primary Region is changing."};
    case Code::kExpired:
      return {ErrorCode::kNotAuthorizedException, "Invalid session for the user, session is expired."};
    case Code::kUnknownOutcome:
      return {ErrorCode::kWriteUnconfirmedException,
              "The store failed while the change was written: its outcome is unknown. Look whether it is there before "
              "it is asked for again."};
    case Code::kGap:
    case Code::kCorrupt:
      return {ErrorCode::kInternalErrorException, "Something went wrong."};
  }
  return {ErrorCode::kInternalErrorException, "Something went wrong."};
}

// How far this Region is, for somebody who asks for more.
std::string DescribeLag(const Services& services, const replication::PoolPosition& wanted) {
  const std::string& here = services.region.region.value();
  const auto status = services.replication_status ? services.replication_status(wanted.pool) : std::nullopt;
  if (!status || !status->head) {
    return fmt::format("User pool {} is not complete in Region {} yet.", wanted.pool.value(), here);
  }
  const std::uint64_t applied = status->head->sequence();
  const std::uint64_t lacking = wanted.position.sequence() - std::min(applied, wanted.position.sequence());
  std::string lag = fmt::format("Region {} has entry {} of user pool {} and lacks {} up to the one asked for.", here,
                                applied, wanted.pool.value(), lacking);
  if (status->primary_last_contact) {
    lag += fmt::format(" It last heard of the primary {:.1f} s ago.",
                       Seconds(services.clock.Now() - *status->primary_last_contact));
  }
  return lag;
}

}  // namespace

asio::awaitable<Passage> AwaitPassage(const Services& services, const replication::PoolPosition& wanted,
                                      std::chrono::milliseconds limit) {
  Passage passage = replication::FindPassage(services.store, wanted);
  if (passage == Passage::kAhead && services.positions != nullptr) {
    const auto until = services.clock.SinceBoot() + limit;
    passage = co_await http::AwaitCallback<Passage>(
        [&](auto done) { services.positions->Await(wanted, until, std::move(done)); });
  }
  co_return passage;
}

asio::awaitable<ApiResult<void>> AwaitPosition(const Services& services, const http::Request& request) {
  const auto text = request.headers.Find(replication::kPositionHeader);
  if (!text) co_return ApiResult<void>();
  const auto wanted = replication::ParsePosition(*text);
  if (!wanted) {
    co_return Fail(ErrorCode::kInvalidParameterException,
                   fmt::format("{} is not a position.", replication::kPositionHeader));
  }
  switch (co_await AwaitPassage(services, *wanted, services.position_wait)) {
    case Passage::kPassed:
      co_return ApiResult<void>();
    case Passage::kSetAside:
      co_return Fail(ErrorCode::kWriteSetAsideException,
                     fmt::format("The write at position {} was set aside when another Region became the primary of "
                                 "user pool {}.",
                                 *text, wanted->pool.value()));
    case Passage::kAhead:
      break;
  }
  co_return Fail(ErrorCode::kReplicaBehindException, DescribeLag(services, *wanted));
}

bool IsConflict(const replication::CommitError& error) {
  return error.store && error.store->code == storage::StoreErrorCode::kConflict;
}

ApiError ToApiError(const replication::CommitError& error, const PoolId& pool, const Region& here) {
  using Code = replication::CommitErrorCode;
  switch (error.code) {
    case Code::kStore:
      return Translate(*error.store);
    case Code::kBehind:
      return {ErrorCode::kDurabilityUnavailableException,
              fmt::format("Nothing was changed: {}, which is more than user pool {} allows. Try again later.",
                          error.lag ? fmt::format("its ACTIVE replicas are {:.1f} s behind", Seconds(*error.lag))
                                    : "no ACTIVE replica has been heard of",
                          pool.value())};
    case Code::kOutOfReach:
      return {ErrorCode::kDurabilityUnavailableException,
              fmt::format("Nothing was changed: no replica of user pool {} is in reach to confirm it. Try again later.",
                          pool.value())};
    case Code::kNoLease:
      return {ErrorCode::kServiceUnavailableException,
              fmt::format("Nothing was changed: Region {} is not sure at present that it may still change user pool {}. "
                          "Try again later.",
                          here.value(), pool.value())};
    case Code::kUnconfirmed:
      return {ErrorCode::kWriteUnconfirmedException,
              fmt::format("The change is stored in Region {} and is not confirmed: its outcome is unknown. "
                          "A request to any Region with this answer's {} tells whether it is there or was set aside.",
                          here.value(), replication::kPositionHeader)};
  }
  return {ErrorCode::kInternalErrorException, "Something went wrong."};
}

}  // namespace symbolon::cognito
