// What the rest of a node sees of replication: status, lag, changes of the primary, forwarded requests, metrics.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>

#include "cognito/services.h"
#include "node/config.h"
#include "node/metrics.h"
#include "replication/replicator.h"
#include "replication/verifier.h"

namespace symbolon::node {

// Thread-safe.
class ReplicationView {
 public:
  // All references outlive this object. `config` has a [replication].
  ReplicationView(const Config& config, replication::Replicator& replicator, replication::Verifier& verifier)
      : config_(config), replicator_(replicator), verifier_(verifier) {}

  std::optional<replication::ReplicationStatus> StatusOf(const PoolId& pool) const;
  // All pools', as DescribeReplication shows each, with commas between them.
  std::string StatusesJson() const;
  // Of the connected replica that is farthest behind.
  std::chrono::nanoseconds LagOf(const PoolId& pool) const;

  void Promote(const cognito::PromotionRequest& request,
               std::function<void(model::ApiResult<replication::Promoted>)> done) const;
  void Forward(const PoolId& pool, const Region& primary, Bytes request,
               std::function<void(replication::Forwarded)> done) const;

  void Read(Metrics::Readings& readings) const;

 private:
  const Config& config_;
  replication::Replicator& replicator_;
  replication::Verifier& verifier_;
};

}  // namespace symbolon::node
