// TCP ports of this machine's loopback.
#pragma once

#include <cstdint>
#include <set>
#include <vector>

#include "cli/failure.h"

namespace symbolon::cli {

// True when a server could listen there now.
bool IsPortFree(std::uint16_t port);

// `count` different ports that are free now and not among `taken`, outside the range from which the kernel takes the
// near ends of outgoing connections: a server that is restarted finds its port free again.
CliResult<std::vector<std::uint16_t>> FreePorts(std::size_t count, const std::set<std::uint16_t>& taken);

}  // namespace symbolon::cli
