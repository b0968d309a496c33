// The configuration files of what a lab runs. Pure functions.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "cli/failure.h"
#include "cli/router_domains.h"
#include "cli/settings.h"

namespace symbolon::cli {

// Of symbolond, for the Region `settings.regions[region]`.
std::string NodeConfiguration(const LabSettings& settings, std::size_t region);

// The arguments of etcd, for the member `settings.etcd[member]`.
std::vector<std::string> EtcdArguments(const LabSettings& settings, std::size_t member);

// Of the router before the lab's Regions (router.h), with these domains. A lab has no health checks but the Regions'
// own readiness, by which all domains with a failover fail over.
CliResult<std::string> LabRouterConfiguration(const LabSettings& settings, std::vector<RouterDomain> domains);

std::filesystem::path NodeConfigurationFile(const std::filesystem::path& dir, const Region& region);
std::filesystem::path RouterConfigurationFile(const std::filesystem::path& dir);
// Of people (docs/access.md); all nodes of the lab read it, if it was there when the lab was started.
std::filesystem::path UsersFile(const std::filesystem::path& dir);
std::filesystem::path RootKeyFile(const std::filesystem::path& dir, const Region& region);

// Writes the nodes' ones, the certificates and the root keys; keeps keys and certificates that are there.
CliResult<void> WriteLab(const LabSettings& settings);

}  // namespace symbolon::cli
