// The commands of symbolon as they are typed: their names, options and help. commands_<group>.cc has a group's.
#pragma once

#include <functional>

#include "cli/failure.h"

namespace CLI {
class App;
}

namespace symbolon::cli {

// Does the work of a command, with the options that it was given.
using Run = std::function<CliResult<void>()>;

// Each adds its group to `app`; the parse of one of its commands sets `run`, which lives as long as `app`.
void AddLab(CLI::App& app, Run& run);
void AddReplication(CLI::App& app, Run& run);
void AddKeys(CLI::App& app, Run& run);
void AddUsers(CLI::App& app, Run& run);
void AddAudit(CLI::App& app, Run& run);
void AddCertificate(CLI::App& app, Run& run);
void AddRouterConfig(CLI::App& app, Run& run);

}  // namespace symbolon::cli
