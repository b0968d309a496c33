// `symbolon audit`.
#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/audit.h"
#include "cli/command_options.h"
#include "cli/commands.h"

namespace symbolon::cli {
namespace {

// Whose trail.
void AddTrail(CLI::App* command, AuditFlags& flags) {
  CLI::Option* trail = command->add_option("--trail", flags.trails, "The folder of a trail (may be repeated)");
  trail->type_name("DIR");
  CLI::Option* config = command->add_option("--config", flags.config, "A node's configuration: its trail");
  config->type_name("FILE")->excludes(trail);
  AddLabFolder(command, flags.dir);
  command->add_option("--region", flags.region, "One Region of the lab (all)")->excludes(trail)->excludes(config);
}

void AddVerify(CLI::App* audits, Run& run) {
  CLI::App* command = audits->add_subcommand("verify", "Say whether trails are whole and unaltered");
  const auto flags = std::make_shared<AuditFlags>();
  command
      ->add_option("--public-key", flags->public_keys,
                   "Whose signatures count, one for each trail in their order; without it, the one the trail names")
      ->type_name("BASE64|FILE");
  command
      ->add_option("--checkpoint", flags->checkpoints,
                   "The file audit.checkpoint of the node's keys folder, one for each trail in their order; known "
                   "with --config and of a lab")
      ->type_name("FILE");
  command->add_flag("--earlier-files-elsewhere", flags->earlier_files_elsewhere,
                    "The trail's first files were moved away: begin with the first that is there");
  AddTrail(command, *flags);
  command->footer("Exit status: 0 whole and unaltered, 1 not, 2 a trail cannot be read.");
  command->callback([flags, &run] { run = [flags] { return VerifyAudit(*flags); }; });
}

void AddEvents(CLI::App* audits, Run& run, const std::string& verb, const std::string& what,
               CliResult<void> (*show)(const AuditFlags&, Clock&)) {
  CLI::App* command = audits->add_subcommand(verb, what);
  const auto flags = std::make_shared<AuditFlags>();
  command->add_option("--key", flags->key, "Of this key: its ARN or id");
  command->add_option("--event", flags->event, "Of this name: Decrypt");
  command->add_option("--since", flags->since, "2026-11-28T11:05:09Z, 2026-11-28, or 90s, 15m, 2h, 7d ago");
  command->add_option("--until", flags->until, "The same; not included");
  AddTrail(command, *flags);
  command->callback([flags, &run, show] { run = [flags, show] { return show(*flags, SystemClock()); }; });
}

}  // namespace

void AddAudit(CLI::App& app, Run& run) {
  CLI::App* audits = app.add_subcommand("audit", "What was done with keys: the Regions' audit trails");
  audits->require_subcommand(1);
  AddVerify(audits, run);
  AddEvents(audits, run, "list", "List events, a line each", &ListAudit);
  AddEvents(audits, run, "export", "Print events as CloudTrail records, a JSON object per line", &ExportAudit);
}

}  // namespace symbolon::cli
