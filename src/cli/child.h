// A program that the lab runs.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

#include "cli/failure.h"

namespace symbolon::cli {

struct Command {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::filesystem::path log_file;  // takes what the program prints, at its end
};

// Starts it in a process group of its own, so that a Ctrl-C at the terminal reaches only the lab, which then stops its
// children in order; the kernel kills it when the calling thread's process dies. The caller waits for it.
CliResult<pid_t> Spawn(const Command& command);

}  // namespace symbolon::cli
