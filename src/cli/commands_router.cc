// `symbolon router-config`.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli/commands.h"
#include "cli/router.h"
#include "cli/router_domains.h"

namespace symbolon::cli {
namespace {

// As they were typed.
struct RouterFlags {
  // But for what follows.
  RouterSettings settings;
  std::vector<std::string> servers;
  std::vector<std::string> domains;
  std::vector<std::string> health_checks;
  bool ask_nodes = false;
  bool partial = false;
  int probe_interval_ms = static_cast<int>(settings.probe_interval.count());
};

// Asks the nodes, if that is wanted.
CliResult<void> FindDomains(const RouterFlags& flags, RouterSettings& settings) {
  std::vector<RouterDomain> by_hand;
  for (const std::string& text : flags.domains) {
    SYMBOLON_TRY(RouterDomain domain, ParseRouterDomain(text));
    by_hand.push_back(std::move(domain));
  }
  for (const std::string& text : flags.health_checks) {
    SYMBOLON_TRY(RouterHealthCheck check, ParseRouterHealthCheck(text));
    settings.health_checks.push_back(std::move(check));
  }
  std::vector<DomainSource> nodes;
  for (const RouterServer& server : settings.servers) {
    if (flags.ask_nodes) nodes.push_back({server.region, server.host, server.operations_port});
  }
  SYMBOLON_TRY(settings.domains, DomainsOf(AskForDomains(nodes), by_hand, flags.partial));
  for (const RouterDomain& domain : settings.domains) {
    if (domain.failover && domain.failover->secondary == domain.primary) {
      fmt::print(stderr, "symbolon: the domain {} fails over to {}, which is the primary by now: to nowhere\n",
                 domain.name, domain.primary.value());
    }
  }
  return {};
}

CliResult<void> PrintConfiguration(const RouterFlags& flags) {
  RouterSettings settings = flags.settings;
  settings.probe_interval = std::chrono::milliseconds(flags.probe_interval_ms);
  for (const std::string& text : flags.servers) {
    SYMBOLON_TRY(RouterServer server, ParseRouterServer(text));
    settings.servers.push_back(std::move(server));
  }
  SYMBOLON_TRY_VOID(FindDomains(flags, settings));
  SYMBOLON_TRY(const std::string text, RouterConfiguration(settings, "Written by `symbolon router-config`."));
  fmt::print("{}", text);
  return {};
}

// What clients connect to, and how the nodes are looked after.
void AddRouterSettings(CLI::App* command, RouterFlags& flags) {
  RouterSettings& settings = flags.settings;
  command->add_option("--bind", settings.bind, "What clients connect to")
      ->type_name("[ADDRESS]:PORT")
      ->capture_default_str();
  command
      ->add_option("--certificate", settings.certificate, "PEM with the router's certificate and key; without it: HTTP")
      ->type_name("FILE");
  command
      ->add_option("--server-ca", settings.server_ca, "Who signs the nodes' certificates; without it they speak HTTP")
      ->type_name("FILE");
  command->add_option("--probe-interval-ms", flags.probe_interval_ms, "Time between probes of a node")
      ->check(CLI::Range(50, 60'000))
      ->capture_default_str();
  command->add_option("--fall", settings.fall, "So many failed probes, and a node is lost")
      ->check(CLI::Range(1, 100))
      ->capture_default_str();
  command->add_option("--rise", settings.rise, "So many good probes, and it is back")
      ->check(CLI::Range(1, 1'000))
      ->capture_default_str();
}

}  // namespace

void AddRouterConfig(CLI::App& app, Run& run) {
  CLI::App* command =
      app.add_subcommand("router-config", "Write HAProxy's configuration for a topology to standard output");
  const auto flags = std::make_shared<RouterFlags>();
  command->add_option("--server", flags->servers, "A node; the first one's Region is preferred")
      ->type_name("REGION=HOST:API_PORT/OPERATIONS_PORT")
      ->required();
  command->add_flag("--ask-nodes", flags->ask_nodes,
                    "Route the pools' domains as their Routing says: the nodes' operations ports tell it");
  command
      ->add_flag("--partial", flags->partial, "Also when a Region does not answer: of its own pools nothing is known")
      ->needs("--ask-nodes");
  command->add_option("--domain", flags->domains, "A domain by hand, instead of what the nodes tell of it")
      ->type_name("NAME=PRIMARY[,SECONDARY[,HEALTH_CHECK_ID]]");
  command
      ->add_option("--health-check", flags->health_checks,
                   "What a Routing's PrimaryRoute53HealthCheckId means: well while this is answered by 2xx or 3xx")
      ->type_name("ID=HOST:PORT/PATH");
  AddRouterSettings(command, *flags);
  command->footer("docs/router.md tells what it does, and how to do the same with DNS.");
  command->callback([flags, &run] { run = [flags] { return PrintConfiguration(*flags); }; });
}

}  // namespace symbolon::cli
