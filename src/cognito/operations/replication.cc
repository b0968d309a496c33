// Symbolon's own operations on replication.
#include "cognito/call.h"
#include "cognito/replication_shapes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {

model::ApiResult<model::own::DescribeReplicationResponse> DescribeReplication(
    Call& call, const model::own::DescribeReplicationRequest&) {
  const Region& here = call.env().region().region;
  if (const auto status = call.replication_status()) return DescribeReplicationOf(*status, here);
  // No other Region: the store itself tells all that there is.
  replication::ReplicationStatus alone;
  alone.pool = call.pool_id();
  alone.role = replication::RoleOf(call.role(), here);
  alone.primary = Region(call.role().primary());
  alone.epoch_counter = call.role().epoch_counter();
  alone.durability = replication::DurabilityOf(call.role());
  if (const auto head = call.tx().snapshot().Head(call.pool_id())) alone.head = *head;
  return DescribeReplicationOf(alone, here);
}

}  // namespace symbolon::cognito::operations
