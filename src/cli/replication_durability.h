// `symbolon replication durability`: when a pool's writes are answered.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/clock.h"
#include "cli/api_call.h"
#include "cli/failure.h"
#include "cli/settings.h"

namespace symbolon::cli {

struct DurabilityRequest {
  std::string pool;
  // "async", "bounded", "sync".
  std::string mode;
  // Of bounded.
  std::optional<std::uint32_t> lag_bound_seconds;
  // Of sync: go on without a replica.
  bool falls_back = false;
};

// What the request says to SetReplicationDurability; pure.
std::string DurabilityJson(const DurabilityRequest& request);

// The API of the lab's Region that is the pool's primary, as its nodes tell. Blocks.
CliResult<ApiAccess> PrimaryOfLab(const LabSettings& lab, const std::string& pool);
// The API of the lab's Region of this name; empty: of the first one whose node answers.
CliResult<ApiAccess> RegionOfLab(const LabSettings& lab, const std::string& region);
// Of a URL, or "127.0.0.1:9410" (ParseHttpServer), with the keys and the Region of the environment that AWS's tools
// use.
CliResult<ApiAccess> AccessFromEnvironment(const std::string& endpoint);

CliResult<void> SetDurability(const ApiAccess& access, const DurabilityRequest& request, Clock& clock);

}  // namespace symbolon::cli
