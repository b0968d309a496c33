#include "cli/router.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

namespace symbolon::cli {
namespace {

constexpr std::size_t kHostBytesMax = 253;
constexpr std::size_t kRegionBytesMax = 64;
// So many in a row, of whichever requests, and a node is lost.
constexpr int kFailedConnectionsMax = 3;
// For requests that are sent again: HAProxy takes another node than the one that failed, mostly the heaviest.
constexpr int kOwnWeight = 256, kNextWeight = 16, kOtherWeight = 1;

// Whatever stands in a line of the configuration may not break it.
bool IsPlain(std::string_view text, std::string_view also) {
  return std::ranges::all_of(text, [also](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           also.find(c) != std::string_view::npos;
  });
}

std::optional<std::uint16_t> ParsePort(std::string_view text) {
  std::uint16_t port = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || port == 0) return std::nullopt;
  return port;
}

// A server's name: the Region's, counted if it has several nodes.
std::vector<std::string> NamesOf(const std::vector<RouterServer>& servers) {
  std::vector<std::string> names;
  for (const RouterServer& server : servers) {
    const auto same = [&](const RouterServer& other) { return other.region == server.region; };
    const auto all = std::ranges::count_if(servers, same);
    const auto before = std::count_if(servers.data(), &server, same);
    names.push_back(all == 1 ? server.region.value() : fmt::format("{}-{}", server.region.value(), before + 1));
  }
  return names;
}

std::vector<Region> RegionsOf(const std::vector<RouterServer>& servers) {
  std::vector<Region> regions;
  for (const RouterServer& server : servers) {
    if (std::ranges::find(regions, server.region) == regions.end()) regions.push_back(server.region);
  }
  return regions;
}

CliResult<void> CheckDomains(const RouterSettings& settings) {
  const std::vector<Region> regions = RegionsOf(settings.servers);
  const auto is_served = [&](const Region& region) { return std::ranges::find(regions, region) != regions.end(); };
  std::set<std::string> checks = {std::string(kPrimaryReady)};
  for (const RouterHealthCheck& check : settings.health_checks) {
    const bool in_brackets = check.host.starts_with('[') && check.host.ends_with(']');
    if (check.id.empty() || !IsPlain(check.id, "-._:") || check.host.empty() || check.host.size() > kHostBytesMax ||
        !IsPlain(check.host, in_brackets ? ":[]" : "-.") || check.path.empty() || !IsPlain(check.path, "/-._~%?=&")) {
      return Fail(fmt::format("the health check \"{}\" is none that HAProxy can make", check.id));
    }
    if (!checks.insert(check.id).second) return Fail(fmt::format("the health check {} is given twice", check.id));
  }
  if (settings.domains.size() > kRouterDomainsMax) {
    return Fail(fmt::format("{} domains are more than {}", settings.domains.size(), kRouterDomainsMax));
  }
  std::set<std::string> names;
  for (const RouterDomain& domain : settings.domains) {
    if (domain.name.empty() || domain.name.size() > kHostBytesMax || !IsPlain(domain.name, "-.")) {
      return Fail(fmt::format("\"{}\" is no domain", domain.name));
    }
    if (!names.insert(domain.name).second) return Fail(fmt::format("the domain {} is given twice", domain.name));
    for (const Region& region : {domain.primary, domain.failover ? domain.failover->secondary : domain.primary}) {
      if (is_served(region)) continue;
      return Fail(fmt::format("requests of the domain {} go to Region \"{}\", of which no node is named", domain.name,
                              region.value()));
    }
    if (domain.failover && !checks.contains(domain.failover->health_check)) {
      return Fail(
          fmt::format("the domain {} fails over by the health check \"{}\": say what that is with --health-check",
                      domain.name, domain.failover->health_check));
    }
  }
  return {};
}

CliResult<void> Check(const RouterSettings& settings) {
  if (settings.servers.empty()) return Fail("a router needs a node to send requests to");
  if (settings.servers.size() > kRouterServersMax) {
    return Fail(fmt::format("{} nodes are more than {}", settings.servers.size(), kRouterServersMax));
  }
  for (auto server = settings.servers.begin(); server != settings.servers.end(); ++server) {
    if (std::find(settings.servers.begin(), server, *server) != server) {
      return Fail(fmt::format("{}:{} is named twice", server->host, server->api_port));
    }
  }
  if (settings.bind.empty() || !IsPlain(settings.bind, "-._:[]*")) {
    return Fail(fmt::format("\"{}\" is nothing to bind to", settings.bind));
  }
  SYMBOLON_TRY_VOID(CheckDomains(settings));
  for (const std::filesystem::path& file : {settings.certificate, settings.server_ca}) {
    if (!IsPlain(file.string(), "-._/+@"))
      return Fail(fmt::format("{}: not a path that HAProxy can read", file.string()));
  }
  return {};
}

// The settings' parts as they are named in the configuration.
class Writer {
 public:
  explicit Writer(const RouterSettings& settings)
      : settings_(settings), names_(NamesOf(settings.servers)), regions_(RegionsOf(settings.servers)) {
    // Domains that are treated alike share their rules.
    for (const RouterDomain& domain : settings.domains) {
      // A pool whose primary is now the Region to which its domain fails over has nowhere else to go.
      const bool fails_over = domain.failover && domain.failover->secondary != domain.primary;
      routes_[{domain.primary, fails_over ? domain.failover : std::nullopt}].push_back(domain.name);
    }
  }

  std::string Write(std::string_view origin) const {
    return Head(origin) + DomainRules() + RegionRules() + RegionBackends() + DomainBackends() + CheckBackends();
  }

 private:
  // To the primary Region, or by a failover.
  using Route = std::pair<Region, std::optional<RouterDomain::Failover>>;

  // A request that finds nobody listening is sent again, at once, to another node; one that may have been processed is
  // never repeated here, because only the client knows whether it can be. "timeout connect" covers a lost SYN, which
  // the kernel repeats after a second. What the nodes of other Regions are for while a Region's own are up is this
  // alone: "use-server" sends requests to the Region's own. (A "backup" server would be taken only once all others are
  // marked down, and a retry at the same node waits for a second.) Sessions of a node that is marked down are not cut:
  // it would hit the very request that is about to be sent again.
  std::string Head(std::string_view origin) const {
    return fmt::format(R"(# {}
global
    maxconn 4096
    hard-stop-after 5s

defaults
    mode http
    option redispatch 1
    retries 3
    retry-on conn-failure
    timeout connect 2500ms
    timeout client 60s
    timeout server 30s
    timeout http-request 10s
    timeout http-keep-alive 60s
    timeout check {}ms

frontend router
    bind {}{}
    monitor-uri {}
)",
                       origin, std::max<std::int64_t>(500, settings_.probe_interval.count()), settings_.bind,
                       settings_.certificate.empty() ? "" : " ssl crt " + settings_.certificate.string(),
                       kRouterProbePath);
  }

  // Whose domain a request is for is found as the nodes find it (by its path, or by its host, which is a domain or
  // begins with a prefix), except that calls of the API are for no domain, whatever their host.
  std::string DomainRules() const {
    if (routes_.empty()) return "";
    std::string text = R"(    acl by_path path_beg /_domain/
    acl api_call req.hdr(x-amz-target) -m found
    http-request set-var(txn.domain) path,field(3,/),lower if by_path
    http-request set-var(txn.domain) req.hdr(host),field(1,:),lower if !by_path !api_call
)";
    // A custom domain goes before a prefix that it begins with.
    int number = 0;
    for (const bool custom : {true, false}) {
      for (const auto& [route, names] : routes_) {
        const std::string acl = fmt::format("domain_{}", ++number);
        const std::string matching = NamesAcl(acl, custom, names);
        if (!matching.empty()) text += matching + BackendsOf(route, acl);
      }
    }
    return text;
  }

  // Where requests that `acl` holds for are sent.
  std::string BackendsOf(const Route& route, const std::string& acl) const {
    const auto& [primary, failover] = route;
    if (!failover) return fmt::format("    use_backend {} if {}\n", Only(primary), acl);
    const std::string first = WithFailover(primary, failover->secondary);
    const std::string check = failover->health_check == kPrimaryReady ? "" : CheckCondition(failover->health_check);
    std::string text;
    for (const std::string& name : ServersOf(primary)) {
      text += fmt::format("    use_backend {} if {} {{ srv_is_up({}/{}) }}{}\n", first, acl, first, name, check);
    }
    for (const std::string& name : ServersOf(failover->secondary)) {
      text += fmt::format("    use_backend {} if {} {{ srv_is_up({}/{}) }}\n", Only(failover->secondary), acl,
                          failover->secondary.value(), name);
    }
    return text + fmt::format("    use_backend {} if {}\n", first, acl);
  }

  // HAProxy takes at most 64 words in a line.
  static std::string NamesAcl(const std::string& acl, bool custom, const std::vector<std::string>& names) {
    constexpr std::size_t kNamesInALine = 40;
    const std::string_view sample = custom ? "var(txn.domain)" : "var(txn.domain),field(1,.)";
    std::string text;
    std::size_t in_line = 0;
    for (const std::string& name : names) {
      if (name.contains('.') != custom) continue;
      if (in_line == 0) text += fmt::format("    acl {} {} -m str", acl, sample);
      text += " " + name;
      if (++in_line == kNamesInALine) text += "\n";
      in_line %= kNamesInALine;
    }
    return in_line == 0 ? text : text + "\n";
  }

  // The first Region that has a node; without any the preferred one, whose nodes may be back before their probes say
  // so.
  std::string RegionRules() const {
    std::string text;
    for (const Region& region : regions_) {
      for (const std::string& name : ServersOf(region)) {
        text += fmt::format("    use_backend {} if {{ srv_is_up({}/{}) }}\n", region.value(), region.value(), name);
      }
    }
    return text + fmt::format("    default_backend {}\n", regions_.front().value());
  }

  // A Region's backend has its nodes, and the others' for requests that are sent again.
  std::string RegionBackends() const {
    std::string text;
    for (const Region& region : regions_) {
      text += Probing(region.value(), Probe{.path = std::string(kReadyPath), .host = "router", .status = "200"});
      text += Own(region);
      int weight = kNextWeight;
      for (const Region& other : regions_) {
        if (other == region) continue;
        text += Tracking(other, fmt::format(" weight {}", weight));
        weight = kOtherWeight;
      }
    }
    return text;
  }

  // Those that the domains need: a Region alone, and a Region with the one to which requests are sent again.
  std::string DomainBackends() const {
    std::set<Region> alone;
    std::set<std::pair<Region, Region>> pairs;
    for (const auto& [route, names] : routes_) {
      const auto& [primary, failover] = route;
      alone.insert(failover ? failover->secondary : primary);
      if (failover) pairs.emplace(primary, failover->secondary);
    }
    std::string text;
    for (const Region& region : alone) text += fmt::format("\nbackend {}\n", Only(region)) + Tracking(region, "");
    for (const auto& [primary, secondary] : pairs) {
      // Probes of its own: a node that is followed from elsewhere could not be marked down by requests that find nobody
      // listening.
      text += Probing(WithFailover(primary, secondary),
                      Probe{.path = std::string(kReadyPath), .host = "router", .status = "200"});
      text += Own(primary) + Tracking(secondary, fmt::format(" weight {}", kNextWeight));
    }
    return text;
  }

  std::string CheckBackends() const {
    std::string text;
    for (std::size_t i = 0; i < settings_.health_checks.size(); ++i) {
      const RouterHealthCheck& check = settings_.health_checks[i];
      const std::string name = fmt::format("check_{}", i + 1);
      text += Probing(name, Probe{.path = check.path,
                                  .host = check.port == 80 ? check.host : fmt::format("{}:{}", check.host, check.port),
                                  .status = "200-399"});
      text += fmt::format("    # {}\n    server check {}:{} check\n", check.id, check.host, check.port);
    }
    return text;
  }

  struct Probe {
    std::string path;
    std::string host;
    std::string status;
  };
  std::string Probing(std::string_view backend, const Probe& probe) const {
    const auto interval = settings_.probe_interval.count();
    return fmt::format(R"(
backend {}
    option httpchk
    http-check send meth GET uri {} ver HTTP/1.1 hdr Host {} hdr Connection close
    http-check expect status {}
    default-server inter {}ms fastinter {}ms downinter {}ms fall {} rise {}
)",
                       backend, probe.path, probe.host, probe.status, interval,
                       std::max<std::int64_t>(1, interval * 2 / 3), interval, settings_.fall, settings_.rise);
  }

  // The nodes that a backend is for, each with an equal share of its requests, as long as one of them is up. Several
  // connections in a row have to fail until one is lost by that.
  std::string Own(const Region& region) const {
    const std::vector<std::string> names = ServersOf(region);
    std::string text;
    for (std::size_t i = 0; i + 1 < names.size(); ++i) {
      text += fmt::format("    use-server {} if {{ rand({}) eq 0 }}\n", names[i], names.size() - i);
    }
    text += fmt::format("    use-server {} if TRUE\n", names.back());
    for (std::size_t i = 0; i + 1 < names.size(); ++i) text += fmt::format("    use-server {} if TRUE\n", names[i]);
    ForEach(region, [&](const std::string& name, const RouterServer& server) {
      text += fmt::format(
          "    server {} {}:{} check port {} observe layer4 error-limit {} on-error mark-down weight {}{}\n", name,
          server.host, server.api_port, server.operations_port, kFailedConnectionsMax, kOwnWeight, Tls());
    });
    return text;
  }
  std::string Tracking(const Region& region, std::string_view role) const {
    std::string text;
    ForEach(region, [&](const std::string& name, const RouterServer& server) {
      text += fmt::format("    server {} {}:{} track {}/{}{}{}\n", name, server.host, server.api_port, region.value(),
                          name, role, Tls());
    });
    return text;
  }
  std::string Tls() const {
    if (settings_.server_ca.empty()) return "";
    return fmt::format(" ssl verify required ca-file {} no-check-ssl", settings_.server_ca.string());
  }

  std::string CheckCondition(const std::string& id) const {
    const auto found = std::ranges::find(settings_.health_checks, id, &RouterHealthCheck::id);
    return fmt::format(" {{ srv_is_up(check_{}/check) }}", found - settings_.health_checks.begin() + 1);
  }
  static std::string Only(const Region& region) { return "only_" + region.value(); }
  static std::string WithFailover(const Region& primary, const Region& secondary) {
    return fmt::format("{}_or_{}", primary.value(), secondary.value());
  }

  template <class Visit>
  void ForEach(const Region& region, const Visit& visit) const {
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (settings_.servers[i].region == region) visit(names_[i], settings_.servers[i]);
    }
  }
  std::vector<std::string> ServersOf(const Region& region) const {
    std::vector<std::string> names;
    ForEach(region, [&](const std::string& name, const RouterServer&) { names.push_back(name); });
    return names;
  }

  const RouterSettings& settings_;
  const std::vector<std::string> names_;
  const std::vector<Region> regions_;
  std::map<Route, std::vector<std::string>> routes_;
};

}  // namespace

CliResult<RouterServer> ParseRouterServer(std::string_view text) {
  const auto wrong = [text] { return Fail(fmt::format("\"{}\" is no REGION=HOST:API_PORT/OPERATIONS_PORT", text)); };
  const std::size_t equals = text.find('='), slash = text.rfind('/');
  if (equals == std::string_view::npos || slash == std::string_view::npos || slash < equals) return wrong();
  const std::string_view address = text.substr(equals + 1, slash - equals - 1);
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return wrong();
  const std::string_view region = text.substr(0, equals), host = address.substr(0, colon);
  const auto api_port = ParsePort(address.substr(colon + 1)), operations_port = ParsePort(text.substr(slash + 1));
  const bool in_brackets = host.starts_with('[') && host.ends_with(']');
  if (region.empty() || region.size() > kRegionBytesMax || !IsPlain(region, "-") || host.empty() ||
      host.size() > kHostBytesMax || !IsPlain(host, in_brackets ? ":[]" : "-.") || !api_port || !operations_port) {
    return wrong();
  }
  return RouterServer{.region = Region(std::string(region)),
                      .host = std::string(host),
                      .api_port = *api_port,
                      .operations_port = *operations_port};
}

CliResult<std::string> RouterConfiguration(const RouterSettings& settings, std::string_view origin) {
  SYMBOLON_TRY_VOID(Check(settings));
  return Writer(settings).Write(origin);
}

}  // namespace symbolon::cli
