// The configuration files of what a lab runs. Pure functions.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "cli/settings.h"

namespace symbolon::cli {

// On a node's operations port: 200 when it serves.
inline constexpr std::string_view kReadyPath = "/health/ready";
// On the router itself: 200 when it runs, whatever stands behind it.
inline constexpr std::string_view kRouterProbePath = "/_router/alive";

// Of symbolond, for the Region `settings.regions[region]`.
std::string NodeConfiguration(const LabSettings& settings, std::size_t region);

// Of HAProxy 2.6.
std::string RouterConfiguration(const LabSettings& settings);

std::filesystem::path NodeConfigurationFile(const std::filesystem::path& dir, const Region& region);
std::filesystem::path RouterConfigurationFile(const std::filesystem::path& dir);
std::filesystem::path RootKeyFile(const std::filesystem::path& dir, const Region& region);

// Writes all of them, the certificates and the root keys; keeps keys and certificates that are there.
CliResult<void> WriteLab(const LabSettings& settings);

}  // namespace symbolon::cli
