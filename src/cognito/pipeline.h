// The way of every request to the JSON APIs, from its octets to its answer (architecture §4).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>

#include "cognito/services.h"
#include "http/message.h"

namespace symbolon::cognito {

class Pipeline final : private PoolCatalog {
 public:
  explicit Pipeline(Services services) : services_(std::move(services)) {}

  // Answers one request: POST / with X-Amz-Target, of Cognito, of the key service or of Symbolon's own. Thread-safe.
  boost::asio::awaitable<http::Response> Handle(http::Request request);

  // How large the body of the operation that the head names may be.
  static std::size_t BodyLimitBytes(const http::Request& head);

 private:
  struct Exchange;

  boost::asio::awaitable<model::ApiResult<std::string>> Run(Exchange& exchange);
  model::ApiResult<void> Authenticate(Exchange& exchange);
  model::ApiResult<void> FindPool(Exchange& exchange);
  model::ApiResult<void> CheckPlace(const Exchange& exchange, const replication::pb::RoleRecord& role) const;
  boost::asio::awaitable<model::ApiResult<void>> Prepare(Exchange& exchange);
  boost::asio::awaitable<model::ApiResult<void>> Promote(Exchange& exchange);
  model::ApiResult<void> PrepareNewPool(Exchange& exchange);
  model::ApiResult<void> PrepareSuffixes(Exchange& exchange);
  model::ApiResult<void> PrepareSuffixPage(Exchange& exchange);
  model::ApiResult<void> PrepareSigningKeys(std::vector<crypto::SigningKey>& keys, bool es256);
  boost::asio::awaitable<model::ApiResult<std::string>> PlanAndCommit(Exchange& exchange);
  // The access token's user exists, may sign in and has not signed out.
  model::ApiResult<void> CheckSignedIn(Call& call, const Exchange& exchange);
  boost::asio::awaitable<model::ApiResult<std::string>> Forward(Exchange& exchange);

  struct Attempt;
  // Whether the pool is here for others than replication.
  bool Exists(const replication::pb::RoleRecord& role) const;
  static model::ApiError Missing(const Exchange& exchange);
  bool IsPrimary(const replication::pb::RoleRecord& role) const;
  model::ApiResult<void> Open(Exchange& exchange, Attempt& attempt);
  Listing List(const std::optional<PoolId>& after, std::size_t limit) override;

  Services services_;
  SerialUuids request_ids_{services_.random};
};

}  // namespace symbolon::cognito
