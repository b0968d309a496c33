#include "node/replication_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "cognito/replication_shapes.h"
#include "model/own_tables.h"
#include "wire/serialise.h"

namespace symbolon::node {
namespace {

model::ApiError TranslatePromotion(const replication::ControlError& error, const Region& to) {
  using Code = replication::ControlErrorCode;
  switch (error.code) {
    case Code::kNotMember:
      return {model::ErrorCode::kResourceNotFoundException,
              fmt::format("The user pool has no replica in Region {}.", to.value())};
    case Code::kWrongState:
      return {model::ErrorCode::kInvalidParameterException,
              fmt::format("The replica in Region {} is {}, which does not allow this.", to.value(), error.detail)};
    case Code::kRefused:
      return {model::ErrorCode::kOperationNotEnabledException,
              fmt::format("The primary Region has not changed: {}.", error.detail)};
    case Code::kHandedOver:
      return {model::ErrorCode::kPromotionPendingException, error.detail};
    case Code::kOvertaken:
      return {model::ErrorCode::kConcurrentModificationException, error.detail};
    case Code::kNotPrimary:
      return {model::ErrorCode::kServiceUnavailableException,
              error.detail.empty()
                  ? "Nothing was changed: no Region is known to lead the user pool at present."
                  : fmt::format("Nothing was changed: the user pool's primary is changing, to Region {} by now.",
                                error.detail)};
    case Code::kUnavailable:
      return {model::ErrorCode::kServiceUnavailableException,
              fmt::format("Whether the primary Region has changed is not known: {}. Asking again is safe, and tells.",
                          error.detail)};
  }
  return {model::ErrorCode::kInternalErrorException, "Something went wrong."};
}

}  // namespace

std::string ReplicationView::StatusesJson() const {
  std::string json;
  for (replication::ReplicationStatus& status : replicator_.Statuses()) {
    status.forwards_writes = config_.replication->forward_writes;
    status.verification = verifier_.Last(status.pool);
    const auto shown = cognito::DescribeReplicationOf(status, config_.region);
    json += (json.empty() ? "" : ",") + wire::Serialise(model::own::shapes::kDescribeReplicationResponse, &shown);
  }
  return json;
}

std::chrono::nanoseconds ReplicationView::LagOf(const PoolId& pool) const {
  std::chrono::nanoseconds lag{};
  const auto status = replicator_.Status(pool);
  if (!status) return lag;
  for (const replication::MemberStatus& member : status->members) {
    const bool follows = member.state == replication::pb::ACTIVE || member.state == replication::pb::INACTIVE;
    if (follows && member.connected && member.lag_time) lag = std::max<std::chrono::nanoseconds>(lag, *member.lag_time);
  }
  return lag;
}

std::optional<replication::ReplicationStatus> ReplicationView::StatusOf(const PoolId& pool) const {
  auto status = replicator_.Status(pool);
  if (!status) return status;
  status->forwards_writes = config_.replication->forward_writes;
  status->verification = verifier_.Last(pool);
  return status;
}

void ReplicationView::Promote(const cognito::PromotionRequest& request,
                              std::function<void(model::ApiResult<replication::Promoted>)> done) const {
  auto translated = [done = std::move(done),
                     to = request.to](replication::ControlResult<replication::Promoted> result) {
    if (result) return done(*std::move(result));
    done(Err(TranslatePromotion(result.error(), to)));
  };
  if (request.force) {
    replicator_.TakeOver(request.pool, request.accept_loss, std::move(translated));
  } else {
    replicator_.HandOver(request.pool, request.to, std::move(translated));
  }
}

void ReplicationView::Forward(const PoolId& pool, const Region& primary, Bytes request,
                              std::function<void(replication::Forwarded)> done) const {
  replicator_.Forward(pool, primary, std::move(request), config_.replication->forward_timeout, std::move(done));
}

void ReplicationView::Read(Metrics::Readings& readings) const {
  const auto add_copy = [&](const PoolId& pool, const Region& region, const replication::CopyProgress& copy) {
    readings.copies.push_back({.pool = pool,
                               .region = region,
                               .records = copy.records,
                               .record_count = copy.record_count,
                               .bytes = copy.bytes,
                               .byte_count = copy.byte_count,
                               .remaining = copy.remaining});
  };
  readings.replication = replicator_.Counters();
  readings.authority = replicator_.AuthorityStatusNow();
  for (const replication::ReplicationStatus& status : replicator_.Statuses()) {
    if (const auto verified = verifier_.LastWhole(status.pool)) {
      readings.verifications.push_back(
          {.pool = status.pool, .ended = verified->ended, .differences = verified->difference_count});
    }
    auto& admission =
        readings.admissions.emplace_back(status.pool, status.admits_writes, status.handed_over_to.has_value());
    if (status.authority && status.authority->automatic_promotion) {
      admission.automatic_promotion_wait = status.tenure ? status.tenure->left : std::chrono::nanoseconds(0);
    }
    if (status.signed_sequence) readings.signed_positions.push_back({status.pool, *status.signed_sequence});
    if (status.copy) add_copy(status.pool, config_.region, *status.copy);
    const bool is_primary = status.role.kind == replication::Role::Kind::kPrimary;
    const bool waits = is_primary && status.durability.mode != replication::pb::ASYNC;
    if (waits) readings.reaches.push_back({.pool = status.pool, .out_of_reach = status.out_of_reach});
    for (const replication::FactLag& lag : status.fact_lags) {
      readings.fact_lags.push_back({.pool = status.pool, .region = lag.region, .entries = lag.entries});
    }
    for (const replication::MemberStatus& member : status.members) {
      if (member.copy) add_copy(status.pool, member.region, *member.copy);
      Metrics::Readings::Replica& replica = readings.replicas.emplace_back();
      replica.pool = status.pool;
      replica.region = member.region;
      replica.lag_entries = member.lag_entries;
      replica.lag_time = member.lag_time;
      if (member.acknowledged) replica.acknowledged_sequence = member.acknowledged->sequence();
    }
  }
  const auto writes = replicator_.durability_gate().counters();
  readings.durability_writes = {.confirmed = writes.confirmed,
                                .fell_back = writes.fell_back,
                                .unconfirmed = writes.unconfirmed,
                                .refused = writes.refused};
  for (const replication::PeerStatus& peer : replicator_.Peers()) {
    readings.peers.push_back({.region = peer.region,
                              .connected = peer.dialled,
                              .last_contact = peer.last_contact,
                              .clock_difference = peer.clock_difference});
  }
}

}  // namespace symbolon::node
