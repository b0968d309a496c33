// `symbolon replication`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_options.h"
#include "cli/commands.h"
#include "cli/drill.h"
#include "cli/promotion.h"
#include "cli/replication_durability.h"
#include "cli/replication_status.h"
#include "cli/replication_watch.h"
#include "cli/settings.h"
#include "cli/verification.h"
#include "crypto/random.h"

namespace symbolon::cli {
namespace {

struct StatusFlags {
  std::filesystem::path dir = ".lab";
  std::vector<std::string> operations;
  bool watch = false;
  double interval_s = 1;
  std::optional<int> times;
};

CliResult<void> ShowReplication(const StatusFlags& flags) {
  using std::chrono::milliseconds;
  std::vector<HttpServer> nodes;
  for (const std::string& text : flags.operations) {
    SYMBOLON_TRY(HttpServer node, ParseHttpServer(text));
    nodes.push_back(std::move(node));
  }
  if (nodes.empty()) {
    SYMBOLON_TRY(nodes, OperationsOfLab(flags.dir));
  }
  if (flags.watch) {
    const milliseconds interval(static_cast<milliseconds::rep>(flags.interval_s * 1'000));
    return WatchReplication({.nodes = std::move(nodes), .interval = interval, .times = flags.times}, SystemClock());
  }
  SYMBOLON_TRY(const std::string table, ReplicationStatus(nodes, SystemClock().Now()));
  fmt::print("{}", table);
  return {};
}

void AddStatus(CLI::App* replication, Run& run) {
  CLI::App* command = replication->add_subcommand("status", "Roles, positions and lag of every pool");
  const auto flags = std::make_shared<StatusFlags>();
  CLI::Option* lab = AddLabFolder(command, flags->dir);
  command->add_option("--operations", flags->operations, "Ask these nodes instead")
      ->type_name("URL|HOST:PORT,...")
      ->delimiter(',')
      ->excludes(lab);
  CLI::Option* watched = command->add_flag("--watch", flags->watch, "Show it until Ctrl-C, in place on a terminal");
  command->add_option("--every", flags->interval_s, "Seconds between two looks of --watch (1)")
      ->needs(watched)
      ->check(CLI::Range(0.1, 3600.0));
  command->add_option("--times", flags->times, "End --watch after so many looks")
      ->needs(watched)
      ->check(CLI::PositiveNumber);
  command->callback([flags, &run] { run = [flags] { return ShowReplication(*flags); }; });
}

struct DurabilityFlags {
  DurabilityRequest request;
  bool refuse = false;
  std::filesystem::path dir = ".lab";
  std::string endpoint;
};

CliResult<void> ChangeDurability(const DurabilityFlags& flags) {
  if (!flags.endpoint.empty()) {
    SYMBOLON_TRY(const ApiAccess access, AccessFromEnvironment(flags.endpoint));
    return SetDurability(access, flags.request, SystemClock());
  }
  SYMBOLON_TRY(const LabSettings settings, ReadSettings(flags.dir));
  SYMBOLON_TRY(const ApiAccess access, PrimaryOfLab(settings, flags.request.pool));
  return SetDurability(access, flags.request, SystemClock());
}

void AddDurability(CLI::App* replication, Run& run) {
  CLI::App* command = replication->add_subcommand("durability", "When the writes of a pool are answered");
  const auto flags = std::make_shared<DurabilityFlags>();
  command->add_option("POOL", flags->request.pool, "The pool's id")->required();
  command
      ->add_option("MODE", flags->request.mode,
                   "async: when its primary has them; bounded: as long as an ACTIVE replica "
                   "is less than --seconds behind; sync: when a replica has them too")
      ->required()
      ->check(CLI::IsMember({"async", "bounded", "sync"}));
  command->add_option("--seconds", flags->request.lag_bound_seconds, "The bound of bounded")
      ->check(CLI::Range(1, 3600));
  CLI::Option* fallback =
      command->add_flag("--fallback", flags->request.falls_back, "sync with no replica in reach: go on, and say so");
  command->add_flag("--refuse", flags->refuse, "sync with no replica in reach: refuse (default)")->excludes(fallback);
  AddApi(command, flags->dir, flags->endpoint);
  command->callback([flags, &run] { run = [flags] { return ChangeDurability(*flags); }; });
}

void AddVerify(CLI::App* replication, Run& run) {
  CLI::App* command = replication->add_subcommand(
      "verify", "Compare a pool's copies in all its Regions at one position, and name the records that differ");
  const auto flags = std::make_shared<VerifyFlags>();
  command->add_option("POOL", flags->pool, "The pool's id")->required();
  CLI::Option* region = command->add_option("--region", flags->region,
                                            "The Region of the lab that compares (the pool's primary, if it runs)");
  command
      ->add_option("--records-per-second", flags->records_per_second,
                   "How fast each Region reads; 0: as fast as it goes (200000)")
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--json", flags->json, "Print the result as JSON");
  AddApi(command, flags->dir, flags->endpoint)->excludes(region);
  command->footer("Exit status: 0 equal, 1 differing, 2 not all Regions could be compared.");
  command->callback([flags, &run] { run = [flags] { return VerifyReplicas(*flags, SystemClock()); }; });
}

void AddPromote(CLI::App* replication, Run& run) {
  CLI::App* command = replication->add_subcommand("promote", "Make another Region the primary of a pool");
  const auto flags = std::make_shared<PromotionFlags>();
  CLI::Option* pool = command->add_option("POOL", flags->pool, "The pool's id");
  command->add_option("--all-of", flags->all_of, "All pools whose primary is this Region")->excludes(pool);
  command->add_option("--to", flags->to, "The new primary")->required();
  CLI::Option* force = command->add_flag("--force", flags->force,
                                         "Without the primary, which is lost: its last writes may be set aside");
  command->add_flag("--accept-loss", flags->accept_loss, "Also where writes may be lost that two Regions had")
      ->needs(force);
  AddApi(command, flags->dir, flags->endpoint);
  command->callback([flags, &run] {
    run = [flags]() -> CliResult<void> {
      if (flags->pool.empty() == flags->all_of.empty()) return Fail("name a POOL, or a Region with --all-of");
      return Promote(*flags);
    };
  });
}

void AddSuffix(CLI::App* replication, Run& run) {
  CLI::App* command = replication->add_subcommand(
      "suffix", "What a Region keeps of a pool that the surviving history does not have (a JSON object per line)");
  const auto flags = std::make_shared<SuffixFlags>();
  command->add_option("POOL", flags->pool, "The pool's id")->required();
  CLI::Option* name = command->add_option("NAME", flags->name, "One of the suffixes: its changes are listed");
  CLI::Option* region =
      command->add_option("--region", flags->region, "The Region of the lab that keeps it (every one is asked)");
  command->add_flag("--values", flags->values, "With the opened records, as Base64")->needs(name);
  AddApi(command, flags->dir, flags->endpoint)->excludes(region);
  command->callback([flags, &run] { run = [flags] { return ShowSuffixes(*flags); }; });
}

void AddDrill(CLI::App* replication, Run& run) {
  CLI::App* command = replication->add_subcommand(
      "drill", "Rehearse: make another Region primary and go back, while a client of its own signs in and writes");
  const auto flags = std::make_shared<DrillFlags>();
  command->add_option("POOL", flags->pool, "The pool's id")->required();
  command->add_option("--to", flags->to, "The Region to go to (the only secondary)");
  command->add_option("--report", flags->report, "Write the report to this file as JSON too")->type_name("FILE");
  command->add_option("--every-ms", flags->interval_ms, "Time between two requests, of each kind in each Region")
      ->check(CLI::Range(10, 1'000))
      ->capture_default_str();
  command->add_option("--settle", flags->settle_s, "Seconds before, between and after the two promotions")
      ->check(CLI::Range(0.0, 60.0))
      ->capture_default_str();
  AddApis(command, flags->dir, flags->endpoints);
  command->footer(
      "Exit status: 0 passed, 1 failed, 2 the pool is not fit and nothing was done. An app client, a user and groups\n"
      "named symbolon-drill-... are made and removed again, also after Ctrl-C.");
  command->callback(
      [flags, &run] { run = [flags] { return RunDrill(*flags, SystemClock(), crypto::SystemRandom()); }; });
}

}  // namespace

void AddReplication(CLI::App& app, Run& run) {
  CLI::App* replication = app.add_subcommand("replication", "What the Regions know of each other");
  replication->require_subcommand(1);
  AddStatus(replication, run);
  AddDurability(replication, run);
  AddVerify(replication, run);
  AddPromote(replication, run);
  AddSuffix(replication, run);
  AddDrill(replication, run);
}

}  // namespace symbolon::cli
