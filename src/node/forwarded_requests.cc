#include "node/forwarded_requests.h"

#include <memory>
#include <utility>

#include "cognito/answer.h"
#include "cognito/forwarded.h"

namespace symbolon::node {
namespace {

using replication::ControlError;
using replication::ControlErrorCode;

// From all Regions together; a node passes on at most replication::kForwardsMax at a time.
constexpr std::size_t kUnderWayMax = 1'024;

// An answer for the client, who may try again.
Bytes TryAgain() {
  return cognito::EncodeForwarded(
      cognito::Failure({model::ErrorCode::kServiceUnavailableException,
                        "Nothing was changed: the primary Region takes no more requests at present. Try again later."},
                       ""));
}

}  // namespace

ForwardedRequests::ForwardedRequests(std::size_t thread_count) : threads_(thread_count, kUnderWayMax) {}

void ForwardedRequests::Open(Handler handler) {
  handler_ = std::move(handler);
  is_open_ = true;
}

void ForwardedRequests::Close() {
  is_open_ = false;
  threads_.Stop();
}

void ForwardedRequests::Answer(const Region& from, replication::pb::ControlRequest::Forward request, Done done) {
  if (!is_open_) return done(TryAgain());
  auto parsed = cognito::ParseForwardedRequest(request.request());
  if (!parsed) return done(Err(ControlError{ControlErrorCode::kRefused, "not a request"}));
  auto run = [this, from, pool = PoolId(std::move(*request.mutable_pool())), http = *std::move(parsed),
              done]() mutable -> boost::asio::awaitable<void> {
    const auto response = co_await handler_(std::move(from), std::move(pool), std::move(http));
    done(response.map([](const http::Response& answer) { return cognito::EncodeForwarded(answer); }));
  };
  if (!threads_.TrySpawn(std::move(run))) done(TryAgain());
}

}  // namespace symbolon::node
