// The configuration of the router before the Regions: HAProxy, which sends everything to the preferred Region as long
// as that is well, and to the next one otherwise (docs/router.md). Pure functions.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "cli/failure.h"
#include "cli/router_domains.h"

namespace symbolon::cli {

// On a node's operations port: 200 when it serves.
inline constexpr std::string_view kReadyPath = "/health/ready";
// On the router itself: 200 when it runs, whatever stands behind it.
inline constexpr std::string_view kRouterProbePath = "/_router/alive";

// A node as the router reaches it.
struct RouterServer {
  Region region;
  // A name or an address; IPv6 in brackets.
  std::string host;
  std::uint16_t api_port = 0;
  std::uint16_t operations_port = 0;
  bool operator==(const RouterServer&) const = default;
};

inline constexpr std::size_t kRouterServersMax = 64;

// "REGION=HOST:API_PORT/OPERATIONS_PORT".
CliResult<RouterServer> ParseRouterServer(std::string_view text);

struct RouterSettings {
  // As HAProxy's bind takes it: "ADDRESS:PORT", ":PORT".
  std::string bind = ":9400";
  // PEM with a certificate and its key; empty: plain HTTP.
  std::filesystem::path certificate;
  // Who signs the nodes' certificates; empty: they speak plain HTTP. Probes are plain in any case.
  std::filesystem::path server_ca;
  // The first one's Region is preferred; the others follow in the order in which they are first named.
  std::vector<RouterServer> servers;
  // A node is lost after `fall` failed probes, one each interval (or when a few connections in a row fail), and is back
  // after `rise` good ones: many of them keep the router from going to and fro. A probe has to find its way within the
  // interval: more than a second, after which a lost SYN is repeated, where packets are lost.
  std::chrono::milliseconds probe_interval{1500};
  int fall = 3;
  int rise = 10;
  // The domains whose requests do not simply go to the preferred Region, and the health checks that they name.
  std::vector<RouterDomain> domains;
  std::vector<RouterHealthCheck> health_checks;
};

// Of HAProxy 2.6 or newer. `origin`: who wrote it, for its first line. Errors: no server, too many, one named twice;
// domains of Regions that have no server, or with a health check that is not among those given.
CliResult<std::string> RouterConfiguration(const RouterSettings& settings, std::string_view origin);

}  // namespace symbolon::cli
