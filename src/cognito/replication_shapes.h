// The state of a pool's replication as DescribeReplication and the operations port show it.
#pragma once

#include "model/own_shapes.h"
#include "replication/status.h"

namespace symbolon::cognito {

// `here`: the Region that says so.
model::own::DurabilityType DescribeDurability(const replication::DurabilitySetting& setting);

model::own::DescribeReplicationResponse DescribeReplicationOf(const replication::ReplicationStatus& status,
                                                              const Region& here);

model::own::VerificationOutcomeType DescribeOutcome(replication::VerifyOutcome outcome);

}  // namespace symbolon::cognito
