// Runs the Regions and the router of a lab until told to end.
#pragma once

#include <filesystem>

#include "cli/failure.h"
#include "cli/settings.h"

namespace symbolon::cli {

struct LabPrograms {
  std::filesystem::path server;  // symbolond
  std::filesystem::path router;  // haproxy
};

// symbolond beside this program, haproxy as Debian installs it or PATH has it; what is not empty in `wanted` goes
// first.
CliResult<LabPrograms> FindPrograms(const LabPrograms& wanted);

// Blocks until SIGINT, SIGTERM or `symbolon lab down`, then ends the router and the Regions, one after the other. Talks
// to the person on stdout. Fails when the lab could not start; by then everything is ended again. To be called once,
// from a process without other threads.
CliResult<void> RunLab(const LabSettings& settings, const LabPrograms& programs);

}  // namespace symbolon::cli
