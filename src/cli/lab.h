// Runs the Regions and the router of a lab, and its etcd members if it has any, until told to end.
#pragma once

#include <filesystem>

#include "cli/failure.h"
#include "cli/settings.h"

namespace symbolon::cli {

struct LabPrograms {
  std::filesystem::path server;  // symbolond
  std::filesystem::path router;  // haproxy
  std::filesystem::path etcd;    // empty for a lab without
};

// symbolond beside this program, haproxy and, `with_etcd`, etcd as Debian installs them or PATH has them; what is not
// empty in `wanted` goes first.
CliResult<LabPrograms> FindPrograms(const LabPrograms& wanted, bool with_etcd);

// Blocks until SIGINT, SIGTERM or `symbolon lab down`, then ends the router, the Regions and etcd, one after the other.
// Talks to the person on stdout. Fails when the lab could not start; by then everything is ended again. To be called
// once, from a process without other threads.
CliResult<void> RunLab(const LabSettings& settings, const LabPrograms& programs);

}  // namespace symbolon::cli
