// Where the requests of pools' domains go: what the nodes tell of domains, and what may be said by hand.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "cli/failure.h"

namespace symbolon::cli {

// The health check that needs none: a node of the pool's primary Region is ready.
inline constexpr std::string_view kPrimaryReady = "primary-ready";
inline constexpr std::size_t kRouterDomainsMax = 10'000;

// A domain of a pool: its requests go to the primary Region, or, with a failover, to the secondary one while the check
// says that the primary is not well.
struct RouterDomain {
  struct Failover {
    Region secondary;
    std::string health_check;
    auto operator<=>(const Failover&) const = default;
  };
  // A custom domain ("login.example.com") or a prefix ("login").
  std::string name;
  Region primary;
  std::optional<Failover> failover;
  bool operator==(const RouterDomain&) const = default;
};

// "NAME=PRIMARY" or "NAME=PRIMARY,SECONDARY" or "NAME=PRIMARY,SECONDARY,HEALTH_CHECK_ID".
CliResult<RouterDomain> ParseRouterDomain(std::string_view text);

// Well while GET of its path is answered by 2xx or 3xx; as a domain's Routing names it.
struct RouterHealthCheck {
  std::string id;
  // A name or an address; IPv6 in brackets.
  std::string host;
  std::uint16_t port = 0;
  std::string path;
  bool operator==(const RouterHealthCheck&) const = default;
};

// "ID=HOST:PORT/PATH".
CliResult<RouterHealthCheck> ParseRouterHealthCheck(std::string_view text);

// A node's operations port.
struct DomainSource {
  Region region;
  std::string host;
  std::uint16_t operations_port = 0;
};

// What one node said: GET /domains of its operations port.
struct DomainReport {
  Region region;
  CliResult<std::string> json;
};

// Asks one node of each Region after the other until one answers. Blocks, two seconds at the most for each.
std::vector<DomainReport> AskForDomains(const std::vector<DomainSource>& nodes);

// The domains that are given by hand, and of each pool what the Region says that knows most of it (the highest epoch,
// then the highest sequence); by hand goes before. Sorted by name. Fails when two pools have a domain, and when a
// Region said nothing, because pools may be known to it alone; `partial` takes what there is.
CliResult<std::vector<RouterDomain>> DomainsOf(const std::vector<DomainReport>& reports,
                                               const std::vector<RouterDomain>& by_hand, bool partial);

}  // namespace symbolon::cli
