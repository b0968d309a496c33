// How a pool's keys are in all its Regions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "key_life/services.h"
#include "replication/roles.h"

namespace symbolon::key_life {

struct RegionKeyStatus {
  Region region;
  // nullopt: the Region cannot be asked, or is of a version that does not tell; `reason` says which.
  std::optional<keys::PoolKeyStatus::State> state;
  std::string reason;
  std::optional<Timestamp> since;
  std::string cmk_arn;
};

// This Region first. Blocks, side by side, for the time-out of a call at the most.
std::vector<RegionKeyStatus> KeyStatuses(const Services& services, const PoolId& pool,
                                         const replication::pb::RoleRecord& role);

}  // namespace symbolon::key_life
