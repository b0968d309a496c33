// symbolon: the tool beside symbolond.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "cli/commands.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

int Report(const CliResult<void>& result) {
  if (result) return 0;
  if (!result.error().message.empty()) fmt::print(stderr, "symbolon: {}\n", result.error().message);
  return result.error().exit_status;
}

int Main(int argc, char** argv) {
  CLI::App app("symbolon: the tool of Symbolon, an identity service that survives the loss of a Region", "symbolon");
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  Run run;
  AddLab(app, run);
  AddReplication(app, run);
  AddKeys(app, run);
  AddUsers(app, run);
  AddAudit(app, run);
  AddCertificate(app, run);
  AddRouterConfig(app, run);
  CLI11_PARSE(app, argc, argv);
  return Report(run());
}

}  // namespace
}  // namespace symbolon::cli

int main(int argc, char** argv) { return symbolon::cli::Main(argc, argv); }
