// symbolon: the tool beside symbolond.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "cli/audit.h"
#include "cli/configurations.h"
#include "cli/control.h"
#include "cli/drill.h"
#include "cli/erasure.h"
#include "cli/files.h"
#include "cli/key_switch.h"
#include "cli/keys.h"
#include "cli/lab.h"
#include "cli/promotion.h"
#include "cli/replication_durability.h"
#include "cli/replication_status.h"
#include "cli/replication_watch.h"
#include "cli/router.h"
#include "cli/settings.h"
#include "cli/shredding.h"
#include "cli/verification.h"
#include "crypto/random.h"

namespace symbolon::cli {
namespace {

int Report(const CliResult<void>& result) {
  if (result) return 0;
  if (!result.error().message.empty()) fmt::print(stderr, "symbolon: {}\n", result.error().message);
  return result.error().exit_status;
}

CliResult<void> Ask(const std::filesystem::path& dir, const std::string& request) {
  SYMBOLON_TRY(std::string answer, AskLab(dir, request));
  if (!answer.ends_with('\n')) answer += '\n';
  fmt::print("{}", answer);
  return {};
}

// A command's flags live as long as the parse and the run.
struct Commands {
  LabFlags flags;
  LabPrograms programs;
  std::string region;
  bool with_etcd = false;
  std::vector<std::string> operations;
  DurabilityRequest durability;
  bool refuse = false;
  std::string endpoint;
  bool watch = false;
  double watch_interval_s = 1;
  std::optional<int> watch_times;
  RouterSettings router;
  std::vector<std::string> servers;
  std::vector<std::string> domains;
  std::vector<std::string> health_checks;
  bool ask_nodes = false;
  bool partial = false;
  int probe_interval_ms = static_cast<int>(router.probe_interval.count());
  PromotionFlags promotion;
  SuffixFlags suffix;
  VerifyFlags verify;
  DrillFlags drill;
  KeysFlags keys;
  AuditFlags audit;
  ShreddingFlags shredding;
  ErasureFlags erasure;
  CertificateFlags certificate;
  std::function<CliResult<void>()> run;

  void AddDir(CLI::App* command) {
    command->add_option("--dir", flags.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
  }

  // What a lab is made of.
  void AddLabSettings(CLI::App* command) {
    AddDir(command);
    command->add_option("--regions", flags.regions, "Names of the Regions (eu-central-1,us-east-1)")->delimiter(',');
    command->add_option("--router-port", flags.router_port, "Port of the router (9400)");
    command->add_option("--api-ports", flags.api_ports, "API ports, one for each Region (9410,9420)")->delimiter(',');
    command->add_option("--operations-ports", flags.operations_ports, "Operations ports (9411,9421)")->delimiter(',');
    command->add_option("--replication-ports", flags.replication_ports, "Replication ports (9412,9422)")
        ->delimiter(',');
    command->add_flag("--free-ports", flags.free_ports, "A new lab takes ports that are free now, and keeps them");
    command->add_option("--account", flags.account, "AWS account number in ARNs (000000000000)");
    command->add_option("--access-key-id", flags.access_key_id, "Access key of the lab (SYMBOLONLAB)");
    command->add_option("--secret-access-key", flags.secret_access_key, "Its secret (symbolon-lab-secret)");
    command->add_flag("--forward-writes,!--no-forward-writes", flags.forward_writes,
                      "Secondaries pass changes on to the primary (they refuse them)");
    command->add_flag("--loopback-providers,!--no-loopback-providers", flags.loopback_providers,
                      "Identity providers on this machine may be used, also by http (they are refused)");
  }

  void AddLabInit(CLI::App* lab) {
    CLI::App* init = lab->add_subcommand(
        "init",
        "Write configurations, certificates and keys for the Regions, and start nothing: symbolond --config does");
    AddLabSettings(init);
    init->add_option("--addresses", flags.addresses, "IPv4 addresses, one for each Region (127.0.0.1,127.0.0.1)")
        ->delimiter(',');
    init->callback([this] {
      run = [this]() -> CliResult<void> {
        SYMBOLON_TRY(const LabSettings settings, ResolveSettings(flags));
        SYMBOLON_TRY_VOID(MakeFolder(settings.dir));
        SYMBOLON_TRY_VOID(WriteLab(settings));
        for (const LabRegion& made : settings.regions) {
          fmt::print("{}\n", NodeConfigurationFile(settings.dir, made.name).string());
        }
        return {};
      };
    });
  }

  void AddLabUp(CLI::App* lab) {
    CLI::App* up = lab->add_subcommand("up", "Start the Regions and the router, in the foreground, until Ctrl-C");
    AddLabSettings(up);
    up->add_option("--authority", flags.authority, "Who decides which Region is primary: operator, or etcd (operator)")
        ->check(CLI::IsMember({"operator", "etcd"}));
    up->add_flag("--automatic-promotion", flags.automatic_promotion,
                 "With etcd: a Region takes over by itself when the primary is lost");
    up->add_option("--etcd-ports", flags.etcd_ports,
                   "Client, peer and health port of each of the three etcd members (9401 to 9409)")
        ->delimiter(',');
    up->add_option("--etcd", programs.etcd, "The etcd program (/usr/bin/etcd)");
    up->add_option("--server", programs.server, "The symbolond program (the one beside this program)");
    up->add_option("--haproxy", programs.router, "The haproxy program (/usr/sbin/haproxy)");
    up->footer(
        "What the flags leave out is as it was at the last start of the lab in DIR, or the default in brackets.");
    up->callback([this] {
      run = [this]() -> CliResult<void> {
        SYMBOLON_TRY(const LabSettings settings, ResolveSettings(flags));
        SYMBOLON_TRY(const LabPrograms found, FindPrograms(programs, !settings.etcd.empty()));
        return RunLab(settings, found);
      };
    });
  }

  void AddLabVerb(CLI::App* lab, const std::string& verb, const std::string& what, bool of_a_region) {
    CLI::App* command = lab->add_subcommand(verb, what);
    if (of_a_region) {
      command
          ->add_option("REGION", region, "Name of a Region, \"router\", or an etcd member (\"etcd-\" and its Region)")
          ->required();
      command->add_flag("--with-etcd", with_etcd, "The etcd member beside the Region, too");
    }
    AddDir(command);
    command->callback([this, verb, of_a_region] {
      run = [this, verb, of_a_region]() -> CliResult<void> {
        if (with_etcd) SYMBOLON_TRY_VOID(Ask(flags.dir, fmt::format("{} {}{}", verb, kEtcdPrefix, region)));
        return Ask(flags.dir, of_a_region ? verb + " " + region : verb);
      };
    });
  }

  void AddReplicationDurability(CLI::App* replication) {
    CLI::App* command = replication->add_subcommand("durability", "When the writes of a pool are answered");
    command->add_option("POOL", durability.pool, "The pool's id")->required();
    command
        ->add_option("MODE", durability.mode,
                     "async: when its primary has them; bounded: as long as an ACTIVE replica "
                     "is less than --seconds behind; sync: when a replica has them too")
        ->required()
        ->check(CLI::IsMember({"async", "bounded", "sync"}));
    command->add_option("--seconds", durability.lag_bound_seconds, "The bound of bounded")->check(CLI::Range(1, 3600));
    CLI::Option* fallback =
        command->add_flag("--fallback", durability.falls_back, "sync with no replica in reach: go on, and say so");
    command->add_flag("--refuse", refuse, "sync with no replica in reach: refuse (default)")->excludes(fallback);
    CLI::Option* dir = command->add_option("--dir", flags.dir, "The lab's folder")->type_name("DIR");
    dir->capture_default_str();
    AddEndpoint(command, endpoint);
    command->callback([this] { run = [this] { return ChangeDurability(); }; });
  }

  CliResult<void> ChangeDurability() const {
    if (!endpoint.empty()) {
      SYMBOLON_TRY(const ApiAccess access, AccessFromEnvironment(endpoint));
      return SetDurability(access, durability, SystemClock());
    }
    SYMBOLON_TRY(const LabSettings settings, ReadSettings(flags.dir));
    SYMBOLON_TRY(const ApiAccess access, PrimaryOfLab(settings, durability.pool));
    return SetDurability(access, durability, SystemClock());
  }

  void AddRouterConfig(CLI::App& app) {
    CLI::App* command =
        app.add_subcommand("router-config", "Write HAProxy's configuration for a topology to standard output");
    command->add_option("--server", servers, "A node; the first one's Region is preferred")
        ->type_name("REGION=HOST:API_PORT/OPERATIONS_PORT")
        ->required();
    command->add_flag("--ask-nodes", ask_nodes,
                      "Route the pools' domains as their Routing says: the nodes' operations ports tell it");
    command->add_flag("--partial", partial, "Also when a Region does not answer: of its own pools nothing is known")
        ->needs("--ask-nodes");
    command->add_option("--domain", domains, "A domain by hand, instead of what the nodes tell of it")
        ->type_name("NAME=PRIMARY[,SECONDARY[,HEALTH_CHECK_ID]]");
    command
        ->add_option("--health-check", health_checks,
                     "What a Routing's PrimaryRoute53HealthCheckId means: well while this is answered by 2xx or 3xx")
        ->type_name("ID=HOST:PORT/PATH");
    command->add_option("--bind", router.bind, "What clients connect to")
        ->type_name("[ADDRESS]:PORT")
        ->capture_default_str();
    command
        ->add_option("--certificate", router.certificate, "PEM with the router's certificate and key; without it: HTTP")
        ->type_name("FILE");
    command
        ->add_option("--server-ca", router.server_ca, "Who signs the nodes' certificates; without it they speak HTTP")
        ->type_name("FILE");
    command->add_option("--probe-interval-ms", probe_interval_ms, "Time between probes of a node")
        ->check(CLI::Range(50, 60'000))
        ->capture_default_str();
    command->add_option("--fall", router.fall, "So many failed probes, and a node is lost")
        ->check(CLI::Range(1, 100))
        ->capture_default_str();
    command->add_option("--rise", router.rise, "So many good probes, and it is back")
        ->check(CLI::Range(1, 1'000))
        ->capture_default_str();
    command->footer("docs/router.md tells what it does, and how to do the same with DNS.");
    command->callback([this] {
      run = [this]() -> CliResult<void> {
        router.probe_interval = std::chrono::milliseconds(probe_interval_ms);
        for (const std::string& text : servers) {
          SYMBOLON_TRY(RouterServer server, ParseRouterServer(text));
          router.servers.push_back(std::move(server));
        }
        SYMBOLON_TRY_VOID(FindDomains());
        SYMBOLON_TRY(const std::string text, RouterConfiguration(router, "Written by `symbolon router-config`."));
        fmt::print("{}", text);
        return {};
      };
    });
  }

  CliResult<void> FindDomains() {
    std::vector<RouterDomain> by_hand;
    for (const std::string& text : domains) {
      SYMBOLON_TRY(RouterDomain domain, ParseRouterDomain(text));
      by_hand.push_back(std::move(domain));
    }
    for (const std::string& text : health_checks) {
      SYMBOLON_TRY(RouterHealthCheck check, ParseRouterHealthCheck(text));
      router.health_checks.push_back(std::move(check));
    }
    std::vector<DomainSource> nodes;
    for (const RouterServer& server : router.servers) {
      if (ask_nodes) nodes.push_back({server.region, server.host, server.operations_port});
    }
    SYMBOLON_TRY(router.domains, DomainsOf(AskForDomains(nodes), by_hand, partial));
    for (const RouterDomain& domain : router.domains) {
      if (domain.failover && domain.failover->secondary == domain.primary) {
        fmt::print(stderr, "symbolon: the domain {} fails over to {}, which is the primary by now: to nowhere\n",
                   domain.name, domain.primary.value());
      }
    }
    return {};
  }

  void AddReplication(CLI::App& app) {
    CLI::App* replication = app.add_subcommand("replication", "What the Regions know of each other");
    replication->require_subcommand(1);
    AddReplicationStatus(replication);
    AddReplicationDurability(replication);
    AddReplicationVerify(replication);
    AddReplicationPromote(replication);
    AddReplicationSuffix(replication);
    AddReplicationDrill(replication);
  }

  void AddReplicationDrill(CLI::App* replication) {
    CLI::App* command = replication->add_subcommand(
        "drill", "Rehearse: make another Region primary and go back, while a client of its own signs in and writes");
    command->add_option("POOL", drill.pool, "The pool's id")->required();
    command->add_option("--to", drill.to, "The Region to go to (the only secondary)");
    command->add_option("--report", drill.report, "Write the report to this file as JSON too")->type_name("FILE");
    command->add_option("--every-ms", drill.interval_ms, "Time between two requests, of each kind in each Region")
        ->check(CLI::Range(10, 1'000))
        ->capture_default_str();
    command->add_option("--settle", drill.settle_s, "Seconds before, between and after the two promotions")
        ->check(CLI::Range(0.0, 60.0))
        ->capture_default_str();
    command->add_option("--dir", drill.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
    AddEndpoints(command, drill.endpoints);
    command->footer(
        "Exit status: 0 passed, 1 failed, 2 the pool is not fit and nothing was done. An app client, a user and "
        "groups\n"
        "named symbolon-drill-... are made and removed again, also after Ctrl-C.");
    command->callback([this] { run = [this] { return RunDrill(drill, SystemClock(), crypto::SystemRandom()); }; });
  }

  void AddReplicationStatus(CLI::App* replication) {
    CLI::App* status = replication->add_subcommand("status", "Roles, positions and lag of every pool");
    CLI::Option* dir = status->add_option("--dir", flags.dir, "Ask the nodes of this lab")->type_name("DIR");
    dir->capture_default_str();
    status->add_option("--operations", operations, "Ask these nodes instead")
        ->type_name("URL|HOST:PORT,...")
        ->delimiter(',');
    CLI::Option* watched = status->add_flag("--watch", watch, "Show it until Ctrl-C, in place on a terminal");
    status->add_option("--every", watch_interval_s, "Seconds between two looks of --watch (1)")
        ->needs(watched)
        ->check(CLI::Range(0.1, 3600.0));
    status->add_option("--times", watch_times, "End --watch after so many looks")
        ->needs(watched)
        ->check(CLI::PositiveNumber);
    status->callback([this] { run = [this] { return ShowReplication(); }; });
  }

  void AddReplicationVerify(CLI::App* replication) {
    CLI::App* command = replication->add_subcommand(
        "verify", "Compare a pool's copies in all its Regions at one position, and name the records that differ");
    command->add_option("POOL", verify.pool, "The pool's id")->required();
    command->add_option("--region", verify.region, "The Region that compares (the pool's primary, if it runs)");
    command
        ->add_option("--records-per-second", verify.records_per_second,
                     "How fast each Region reads; 0: as fast as it goes (200000)")
        ->check(CLI::NonNegativeNumber);
    command->add_flag("--json", verify.json, "Print the result as JSON");
    command->add_option("--dir", verify.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
    AddEndpoint(command, verify.endpoint);
    command->footer("Exit status: 0 equal, 1 differing, 2 not all Regions could be compared.");
    command->callback([this] { run = [this] { return VerifyReplicas(verify, SystemClock()); }; });
  }

  static void AddEndpoint(CLI::App* command, std::string& endpoint) {
    command
        ->add_option("--endpoint", endpoint,
                     "Call this API instead, with AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION; of https "
                     "the certificate is verified, by AWS_CA_BUNDLE if that is set")
        ->type_name("URL|HOST:PORT");
  }
  // Of commands that ask every Region.
  static void AddEndpoints(CLI::App* command, std::vector<std::string>& endpoints) {
    command
        ->add_option("--endpoint", endpoints,
                     "Call these APIs instead, with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; every Region that "
                     "has the pool; of https the certificate is verified, by AWS_CA_BUNDLE if that is set")
        ->type_name("REGION=URL|HOST:PORT,...")
        ->delimiter(',');
  }

  void AddReplicationSuffix(CLI::App* replication) {
    CLI::App* command = replication->add_subcommand(
        "suffix", "What a Region keeps of a pool that the surviving history does not have (a JSON object per line)");
    command->add_option("POOL", suffix.pool, "The pool's id")->required();
    command->add_option("NAME", suffix.name, "One of the suffixes: its changes are listed");
    command->add_option("--region", suffix.region, "The Region that keeps it (every Region of the lab is asked)");
    command->add_flag("--values", suffix.values, "With the opened records, as Base64");
    command->add_option("--dir", suffix.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
    AddEndpoint(command, suffix.endpoint);
    command->callback([this] { run = [this] { return ShowSuffixes(suffix); }; });
  }

  void AddReplicationPromote(CLI::App* replication) {
    CLI::App* promote = replication->add_subcommand("promote", "Make another Region the primary of a pool");
    CLI::Option* pool = promote->add_option("POOL", promotion.pool, "The pool's id");
    promote->add_option("--all-of", promotion.all_of, "All pools whose primary is this Region")->excludes(pool);
    promote->add_option("--to", promotion.to, "The new primary")->required();
    CLI::Option* force = promote->add_flag("--force", promotion.force,
                                           "Without the primary, which is lost: its last writes may be set aside");
    promote->add_flag("--accept-loss", promotion.accept_loss, "Also where writes may be lost that two Regions had")
        ->needs(force);
    promote->add_option("--dir", promotion.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
    AddEndpoint(promote, promotion.endpoint);
    promote->callback([this] {
      run = [this]() -> CliResult<void> {
        if (promotion.pool.empty() == promotion.all_of.empty()) return Fail("name a POOL, or a Region with --all-of");
        return Promote(promotion);
      };
    });
  }

  // Whose trail.
  void AddTrail(CLI::App* command) {
    CLI::Option* trail = command->add_option("--trail", audit.trails, "The folder of a trail (may be repeated)");
    trail->type_name("DIR");
    CLI::Option* config = command->add_option("--config", audit.config, "A node's configuration: its trail");
    config->type_name("FILE")->excludes(trail);
    command->add_option("--dir", audit.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
    command->add_option("--region", audit.region, "One Region of the lab (all)")->excludes(trail)->excludes(config);
  }

  void AddEvents(CLI::App* audits, const std::string& verb, const std::string& what,
                 CliResult<void> (*show)(const AuditFlags&, Clock&)) {
    CLI::App* command = audits->add_subcommand(verb, what);
    command->add_option("--key", audit.key, "Of this key: its ARN or id");
    command->add_option("--event", audit.event, "Of this name: Decrypt");
    command->add_option("--since", audit.since, "2026-11-28T11:05:09Z, 2026-11-28, or 90s, 15m, 2h, 7d ago");
    command->add_option("--until", audit.until, "The same; not included");
    AddTrail(command);
    command->callback([this, show] { run = [this, show] { return show(audit, SystemClock()); }; });
  }

  void AddAudit(CLI::App& app) {
    CLI::App* audits = app.add_subcommand("audit", "What was done with keys: the Regions' audit trails");
    audits->require_subcommand(1);
    CLI::App* verify_trail = audits->add_subcommand("verify", "Say whether trails are whole and unaltered");
    verify_trail
        ->add_option("--public-key", audit.public_keys,
                     "Whose signatures count, one for each trail in their order; without it, the one the trail names")
        ->type_name("BASE64|FILE");
    verify_trail
        ->add_option("--checkpoint", audit.checkpoints,
                     "The file audit.checkpoint of the node's keys folder, one for each trail in their order; known "
                     "with --config and of a lab")
        ->type_name("FILE");
    verify_trail->add_flag("--earlier-files-elsewhere", audit.earlier_files_elsewhere,
                           "The trail's first files were moved away: begin with the first that is there");
    AddTrail(verify_trail);
    verify_trail->footer("Exit status: 0 whole and unaltered, 1 not, 2 a trail cannot be read.");
    verify_trail->callback([this] { run = [this] { return VerifyAudit(audit); }; });
    AddEvents(audits, "list", "List events, a line each", &ListAudit);
    AddEvents(audits, "export", "Print events as CloudTrail records, a JSON object per line", &ExportAudit);
  }

  CliResult<void> ShowReplication() const {
    using std::chrono::milliseconds;
    std::vector<HttpServer> nodes;
    for (const std::string& text : operations) {
      SYMBOLON_TRY(HttpServer node, ParseHttpServer(text));
      nodes.push_back(std::move(node));
    }
    if (nodes.empty()) {
      SYMBOLON_TRY(nodes, OperationsOfLab(flags.dir));
    }
    if (watch) {
      const milliseconds interval(static_cast<milliseconds::rep>(watch_interval_s * 1'000));
      return WatchReplication({.nodes = std::move(nodes), .interval = interval, .times = watch_times}, SystemClock());
    }
    SYMBOLON_TRY(const std::string table, ReplicationStatus(nodes, SystemClock().Now()));
    fmt::print("{}", table);
    return {};
  }

  using KeyCommand = CliResult<void> (*)(const KeysFlags&, Clock&);

  CLI::App* AddKeyVerb(CLI::App* parent, const std::string& verb, const std::string& what, KeyCommand command) {
    CLI::App* added = parent->add_subcommand(verb, what);
    added->add_option("POOL", keys.pool, "The pool's id")->required();
    added->add_option("--dir", keys.dir, "The lab's folder")->type_name("DIR")->capture_default_str();
    AddEndpoints(added, keys.endpoints);
    added->callback([this, command] { run = [this, command] { return command(keys, SystemClock()); }; });
    return added;
  }

  void AddKeys(CLI::App& app) {
    CLI::App* parent = app.add_subcommand("keys", "The key of a user pool");
    parent->require_subcommand(1);
    AddKeyVerb(parent, "status", "The pool's KMS key and data keys, and whether it is open in each Region",
               ShowKeyStatus)
        ->add_flag("--json", keys.json, "Print the answer as JSON");
    AddKeyVerb(parent, "rotate", "Have a new data key seal from now on, under the same KMS key", RotateKey);
    CLI::App* reencrypt = AddKeyVerb(
        parent, "reencrypt", "Move all data to the data key that seals now, and drop the former ones", Reencrypt);
    reencrypt
        ->add_option("--records-per-second", keys.records_per_second,
                     "So fast at the most; 0: as fast as it goes (the node's setting)")
        ->check(CLI::NonNegativeNumber);
    reencrypt->add_flag("--detach", keys.detach, "Do not wait for the end");
    reencrypt->add_flag("--json", keys.json, "Print the result as JSON");
    AddKeyVerb(parent, "withdraw",
               "Disable the pool's KMS key in every Region, and wait until the pool is locked there", WithdrawKey);
    AddKeyVerb(parent, "restore", "Enable the pool's KMS key in every Region, and wait until the pool is open there",
               RestoreKey);
    CLI::App* own_key =
        AddKeyVerb(parent, "region", "Give a secondary Region a KMS key of its own; makes the replica if there is none",
                   SetRegionKey);
    own_key->add_option("REGION", keys.region, "The Region")->required();
    own_key->add_option("KEY", keys.kms_key_arn, "The ARN of the key, in that Region")->required();
    AddShredding(parent);
  }

  void AddShredding(CLI::App* parent) {
    const auto add = [&](const std::string& verb, const std::string& what, auto command) {
      CLI::App* added = AddKeyVerb(parent, verb, what, nullptr);
      added->add_option("--out", shredding.out, "Write the certificate to this file")->type_name("FILE");
      added->callback([this, command] { run = [this, command] { return command(keys, shredding, SystemClock()); }; });
      return added;
    };
    CLI::App* shred = add("shred",
                          "Destroy every key of the pool in every Region, and all its records: nobody opens it again. "
                          "Waits for the certificate",
                          ShredPool);
    shred->add_flag("--yes", shredding.yes, "Do not ask for the pool's id");
    shred->add_flag("--although-locked", shredding.although_locked,
                    "Also a pool that is locked, whose deletion protection cannot be read");
    shred->add_flag("--detach", keys.detach, "Do not wait for the other Regions");
    add("certificate", "Write the certificate that a pool was shredded, as it is now", FetchCertificate);
  }

  void AddUsers(CLI::App& app) {
    CLI::App* parent = app.add_subcommand("users", "Users of a pool");
    parent->require_subcommand(1);
    const auto add = [&](const std::string& verb, const std::string& what, auto command) {
      CLI::App* added = AddKeyVerb(parent, verb, what, nullptr);
      added->add_option("--out", erasure.out, "Write the certificate to this file")->type_name("FILE");
      added->callback([this, command] { run = [this, command] { return command(keys, erasure, SystemClock()); }; });
      return added;
    };
    CLI::App* erase =
        add("erase",
            "Delete a user, and erase the user from the logs and all copies in every Region. Waits for the "
            "certificate",
            EraseUser);
    erase->add_option("USERNAME", erasure.username, "The user's name, alias or sub")->required();
    erase->add_flag("--already-deleted", erasure.already_deleted, "The user is deleted already: USERNAME is the sub");
    erase->add_flag("--detach", keys.detach, "Do not wait for the end");
    erase->footer("Exit status: 0 erased, 1 not, 3 not in every Region yet.");
    add("erasure", "How far an erasure is, and its certificate; without ID, those of the pool", ShowErasure)
        ->add_option("ID", erasure.id, "The erasure");
  }

  void AddCertificate(CLI::App& app) {
    CLI::App* parent = app.add_subcommand("certificate", "Certificates that data were destroyed");
    parent->require_subcommand(1);
    CLI::App* verify_it = parent->add_subcommand("verify", "Say what a certificate says, and whether it is genuine");
    verify_it->add_option("FILE", certificate.file, "The certificate")->required();
    verify_it
        ->add_option("--key", certificate.keys,
                     "A Region's public key, or the file `public_key` of its audit trail (may be repeated); without it "
                     "those count that the certificate names")
        ->type_name("KEY");
    verify_it->callback([this] { run = [this] { return VerifyCertificate(certificate); }; });
  }

  void AddAll(CLI::App& app) {
    CLI::App* lab = app.add_subcommand("lab", "Two Regions and a router on this machine");
    lab->require_subcommand(1);
    AddLabUp(lab);
    AddLabInit(lab);
    AddLabVerb(lab, "stop", "Ask a Region to end, and wait for it", true);
    AddLabVerb(lab, "kill", "Kill a Region (SIGKILL), as a loss of power would", true);
    AddLabVerb(lab, "start", "Start a Region that is down, and wait until it serves", true);
    AddLabVerb(lab, "status", "Say what runs", false);
    AddLabVerb(lab, "down", "End the lab from another terminal", false);
    AddReplication(app);
    AddKeys(app);
    AddUsers(app);
    AddAudit(app);
    AddCertificate(app);
    AddRouterConfig(app);
  }
};

int Main(int argc, char** argv) {
  CLI::App app("symbolon: the tool of Symbolon, an identity service that survives the loss of a Region", "symbolon");
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(1);
  Commands commands;
  commands.AddAll(app);
  CLI11_PARSE(app, argc, argv);
  return Report(commands.run());
}

}  // namespace
}  // namespace symbolon::cli

int main(int argc, char** argv) { return symbolon::cli::Main(argc, argv); }
