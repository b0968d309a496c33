// `symbolon lab`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <string>

#include "cli/command_options.h"
#include "cli/commands.h"
#include "cli/configurations.h"
#include "cli/control.h"
#include "cli/files.h"
#include "cli/lab.h"
#include "cli/settings.h"

namespace symbolon::cli {
namespace {

CliResult<void> Ask(const std::filesystem::path& dir, const std::string& request) {
  SYMBOLON_TRY(std::string answer, AskLab(dir, request));
  if (!answer.ends_with('\n')) answer += '\n';
  fmt::print("{}", answer);
  return {};
}

// What a lab is made of.
void AddLabSettings(CLI::App* command, LabFlags& flags) {
  AddLabFolder(command, flags.dir);
  command->add_option("--regions", flags.regions, "Names of the Regions (eu-central-1,us-east-1)")->delimiter(',');
  command->add_option("--router-port", flags.router_port, "Port of the router (9400)");
  command->add_option("--api-ports", flags.api_ports, "API ports, one for each Region (9410,9420)")->delimiter(',');
  command->add_option("--operations-ports", flags.operations_ports, "Operations ports (9411,9421)")->delimiter(',');
  command->add_option("--replication-ports", flags.replication_ports, "Replication ports (9412,9422)")->delimiter(',');
  command->add_flag("--free-ports", flags.free_ports, "A new lab takes ports that are free now, and keeps them");
  command->add_option("--account", flags.account, "AWS account number in ARNs (000000000000)");
  command->add_option("--access-key-id", flags.access_key_id, "Access key of the lab (SYMBOLONLAB)");
  command->add_option("--secret-access-key", flags.secret_access_key, "Its secret (symbolon-lab-secret)");
  command->add_flag("--forward-writes,!--no-forward-writes", flags.forward_writes,
                    "Secondaries pass changes on to the primary (they refuse them)");
  command->add_flag("--loopback-providers,!--no-loopback-providers", flags.loopback_providers,
                    "Identity providers on this machine may be used, also by http (they are refused)");
}

CliResult<void> InitLab(const LabFlags& flags) {
  SYMBOLON_TRY(const LabSettings settings, ResolveSettings(flags));
  SYMBOLON_TRY_VOID(MakeFolder(settings.dir));
  SYMBOLON_TRY_VOID(WriteLab(settings));
  for (const LabRegion& made : settings.regions) {
    fmt::print("{}\n", NodeConfigurationFile(settings.dir, made.name).string());
  }
  return {};
}

void AddInit(CLI::App* lab, Run& run) {
  CLI::App* init = lab->add_subcommand(
      "init",
      "Write configurations, certificates and keys for the Regions, and start nothing: symbolond --config does");
  const auto flags = std::make_shared<LabFlags>();
  AddLabSettings(init, *flags);
  init->add_option("--addresses", flags->addresses, "IPv4 addresses, one for each Region (127.0.0.1,127.0.0.1)")
      ->delimiter(',');
  init->callback([flags, &run] { run = [flags] { return InitLab(*flags); }; });
}

struct UpFlags {
  LabFlags lab;
  LabPrograms programs;
};

CliResult<void> LabUp(const UpFlags& flags) {
  SYMBOLON_TRY(const LabSettings settings, ResolveSettings(flags.lab));
  SYMBOLON_TRY(const LabPrograms found, FindPrograms(flags.programs, !settings.etcd.empty()));
  return RunLab(settings, found);
}

void AddUp(CLI::App* lab, Run& run) {
  CLI::App* up = lab->add_subcommand("up", "Start the Regions and the router, in the foreground, until Ctrl-C");
  const auto flags = std::make_shared<UpFlags>();
  AddLabSettings(up, flags->lab);
  up->add_option("--authority", flags->lab.authority,
                 "Who decides which Region is primary: operator, or etcd (operator)")
      ->check(CLI::IsMember({"operator", "etcd"}));
  up->add_flag("--automatic-promotion", flags->lab.automatic_promotion,
               "With etcd: a Region takes over by itself when the primary is lost");
  up->add_option("--etcd-ports", flags->lab.etcd_ports,
                 "Client, peer and health port of each of the three etcd members (9401 to 9409)")
      ->delimiter(',');
  up->add_option("--etcd", flags->programs.etcd, "The etcd program (/usr/bin/etcd)");
  up->add_option("--server", flags->programs.server, "The symbolond program (the one beside this program)");
  up->add_option("--haproxy", flags->programs.router, "The haproxy program (/usr/sbin/haproxy)");
  up->footer("What the flags leave out is as it was at the last start of the lab in DIR, or the default in brackets.");
  up->callback([flags, &run] { run = [flags] { return LabUp(*flags); }; });
}

// Of a command that asks the lab that runs.
struct AskFlags {
  std::filesystem::path dir = ".lab";
  std::string member;
  bool with_etcd = false;
};

void AddVerb(CLI::App* lab, Run& run, const std::string& verb, const std::string& what) {
  CLI::App* command = lab->add_subcommand(verb, what);
  const auto flags = std::make_shared<AskFlags>();
  AddLabFolder(command, flags->dir);
  command->callback([flags, &run, verb] { run = [flags, verb] { return Ask(flags->dir, verb); }; });
}

CliResult<void> AskAbout(const AskFlags& flags, const std::string& verb) {
  if (flags.with_etcd) SYMBOLON_TRY_VOID(Ask(flags.dir, fmt::format("{} {}{}", verb, kEtcdPrefix, flags.member)));
  return Ask(flags.dir, verb + " " + flags.member);
}

void AddMemberVerb(CLI::App* lab, Run& run, const std::string& verb, const std::string& what) {
  CLI::App* command = lab->add_subcommand(verb, what);
  const auto flags = std::make_shared<AskFlags>();
  command
      ->add_option("REGION", flags->member,
                   "Name of a Region, \"router\", or an etcd member (\"etcd-\" and its Region)")
      ->required();
  command->add_flag("--with-etcd", flags->with_etcd, "The etcd member beside the Region, too");
  AddLabFolder(command, flags->dir);
  command->callback([flags, &run, verb] { run = [flags, verb] { return AskAbout(*flags, verb); }; });
}

}  // namespace

void AddLab(CLI::App& app, Run& run) {
  CLI::App* lab = app.add_subcommand("lab", "Two Regions and a router on this machine");
  lab->require_subcommand(1);
  AddUp(lab, run);
  AddInit(lab, run);
  AddMemberVerb(lab, run, "stop", "Ask a Region to end, and wait for it");
  AddMemberVerb(lab, run, "kill", "Kill a Region (SIGKILL), as a loss of power would");
  AddMemberVerb(lab, run, "start", "Start a Region that is down, and wait until it serves");
  AddVerb(lab, run, "status", "Say what runs");
  AddVerb(lab, run, "down", "End the lab from another terminal");
}

}  // namespace symbolon::cli
