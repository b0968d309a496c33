// The way of every request to the JSON APIs, from its octets to its answer (architecture §4).
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstddef>

#include "audit/event.h"
#include "cognito/services.h"
#include "http/message.h"
#include "replication/control.h"

namespace symbolon::cognito {

class Pipeline final : private PoolCatalog {
 public:
  explicit Pipeline(Services services) : services_(std::move(services)) {}

  // Answers one request: POST / with X-Amz-Target, of Cognito, of the key service or of Symbolon's own. Thread-safe.
  boost::asio::awaitable<http::Response> Handle(http::Request request);

  // Answers a request about `pool` that another Region passed on; `request.received` is when it came there. It is
  // verified as any other, and never passed on further. An error means that nothing was done: kNotPrimary, with the
  // Region that this one takes for the primary, kNotMember, or kRefused for what is no such request.
  boost::asio::awaitable<replication::ControlResult<http::Response>> HandleForwarded(Region from, PoolId pool,
                                                                                     http::Request request);

  // How large the body of the operation that the head names may be.
  static std::size_t BodyLimitBytes(const http::Request& head);

 private:
  struct Exchange;

  boost::asio::awaitable<http::Response> Answer(Exchange& exchange);
  boost::asio::awaitable<model::ApiResult<std::string>> Run(Exchange& exchange);
  model::ApiResult<void> Authenticate(Exchange& exchange);
  model::ApiResult<void> FindPool(Exchange& exchange);
  model::ApiResult<void> CheckPlace(Exchange& exchange, const replication::pb::RoleRecord& role) const;
  boost::asio::awaitable<model::ApiResult<std::string>> PlanAndCommit(Exchange& exchange);
  // The access token's user exists, may sign in and has not signed out.
  model::ApiResult<void> CheckSignedIn(Call& call, const Exchange& exchange);

  // ---- what a plan needs and has to be waited for (pipeline_preparation.cc) ----
  boost::asio::awaitable<model::ApiResult<void>> Prepare(Exchange& exchange);
  boost::asio::awaitable<model::ApiResult<void>> Promote(Exchange& exchange);
  model::ApiResult<void> PrepareNewPool(Exchange& exchange);
  model::ApiResult<void> PrepareSuffixes(Exchange& exchange);
  model::ApiResult<void> PrepareSuffixPage(Exchange& exchange);
  model::ApiResult<void> OpenSuffixKeys(Exchange& exchange, Preparation::SuffixPage& page);
  model::ApiResult<void> PrepareSigningKeys(std::vector<crypto::SigningKey>& keys, bool es256);

  // ---- the life of a pool's key (pipeline_keys.cc) ----
  // What Prepare has to do for these operations, if anything.
  void PrepareErasure(Exchange& exchange) const;
  model::ApiResult<std::function<model::ApiResult<void>()>> KeyWork(Exchange& exchange);
  model::ApiResult<std::function<model::ApiResult<void>()>> ReplicaKeyWork(Exchange& exchange);
  // For another CMK of Region `region` alone, if `arn` is not what it has.
  model::ApiResult<void> PrepareRegionKey(Exchange& exchange, const Region& region, const std::string& arn,
                                          bool is_new);
  model::ApiResult<void> PrepareKeyChange(Exchange& exchange, const std::optional<std::string>& kms_key_arn);
  // What was prepared and not taken.
  boost::asio::awaitable<void> WithdrawKeyChange(Exchange& exchange);
  // Can be answered while the pool is locked.
  static bool NeedsNoKeys(const model::OperationFacts& operation);
  // Those about a pool that may be gone.
  static bool NeedsNoPool(const model::OperationFacts& operation);
  // ---- what is audited (pipeline_audit.cc) ----
  bool IsAudited(const Exchange& exchange) const;
  // Nothing is done that could not be audited.
  model::ApiResult<void> CheckAudit(const Exchange& exchange) const;
  // Notes which key the pool has before the operation.
  void NotePoolKey(Exchange& exchange) const;
  // The result, once it is in the audit trail if it has to be.
  boost::asio::awaitable<model::ApiResult<std::string>> Audit(Exchange& exchange, const std::string& request_id,
                                                              model::ApiResult<std::string> result);
  audit::Event EventOf(const Exchange& exchange, const std::string& request_id,
                       const model::ApiResult<std::string>& result) const;
  void SetKeyCall(audit::Event& event, const Exchange& exchange, std::string_view answer) const;
  void SetPoolCall(audit::Event& event, const Exchange& exchange) const;

  // ---- what is another Region's to do (pipeline_forwarding.cc) ----
  // Notes who is the primary, for Redirect, and answers the refusal of a Region that passes nothing on.
  tl::unexpected<model::ApiError> RefuseHere(Exchange& exchange, const replication::pb::RoleRecord& role,
                                             std::string_view why) const;
  model::ApiError NotAvailableHere(const Exchange& exchange, const replication::pb::RoleRecord& role,
                                   std::string_view why) const;
  // Whether the Region that passed the request on takes part in the pool.
  static model::ApiResult<void> CheckSender(Exchange& exchange, const replication::pb::RoleRecord* role);
  // What becomes of a request that Run refused because it is the primary's to do.
  boost::asio::awaitable<model::ApiResult<std::string>> Redirect(Exchange& exchange, model::ApiError refusal);
  // nullopt: this Region is the primary by now.
  boost::asio::awaitable<std::optional<model::ApiResult<std::string>>> PassOn(Exchange& exchange, const Region& primary,
                                                                              const model::ApiError& refusal);
  boost::asio::awaitable<model::ApiResult<std::string>> TakeAnswer(Exchange& exchange,
                                                                   const replication::Forwarded& forwarded);
  // Whether the request would be passed on to the primary as it is, which has the position that it names, or says why
  // not.
  bool GoesToPrimary(Exchange& exchange);
  boost::asio::awaitable<void> AwaitNextEntry(const Exchange& exchange);
  boost::asio::awaitable<void> AwaitWriteGate(Exchange& exchange);

  struct Attempt;
  // Whether the pool is here for others than replication.
  bool Exists(const replication::pb::RoleRecord& role) const;
  static model::ApiError Missing(const Exchange& exchange);
  model::ApiResult<void> Open(Exchange& exchange, Attempt& attempt);
  Listing List(const std::optional<PoolId>& after, std::size_t limit) override;

  Services services_;
  SerialUuids request_ids_{services_.random};
};

}  // namespace symbolon::cognito
