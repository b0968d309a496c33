// `symbolon replication status --watch`: the table of replication, kept up to date on a terminal; lines elsewhere.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "cli/failure.h"
#include "cli/replication_status.h"

namespace symbolon::cli {

struct WatchOptions {
  std::vector<HttpServer> nodes;
  std::chrono::milliseconds interval = std::chrono::seconds(1);
  // nullopt: until the process is interrupted.
  std::optional<int> times;
};

// Writes to standard output, and blocks. Nodes that do not answer are shown as such.
CliResult<void> WatchReplication(const WatchOptions& options, Clock& clock);

}  // namespace symbolon::cli
