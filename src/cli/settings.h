// What a lab is made of, as the flags give it and as DIR/lab.toml keeps it for the next start.
// Plain values; the functions are thread-safe.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/secret.h"
#include "cli/failure.h"

namespace symbolon::cli {

// What the lab calls its router where a Region could be named: `symbolon lab kill router`.
inline constexpr std::string_view kRouterName = "router";
inline constexpr std::string_view kLoopback = "127.0.0.1";
inline constexpr std::string_view kVersion = SYMBOLON_VERSION;
// What the lab calls the etcd member beside a Region: `symbolon lab kill etcd-eu-central-1`.
inline constexpr std::string_view kEtcdPrefix = "etcd-";
inline constexpr std::string_view kEtcdElsewhere = "etcd-elsewhere";
// Of the files under DIR. A lab of another layout is refused, never guessed at.
inline constexpr std::int64_t kLabLayout = 1;

struct LabRegion {
  Region name;
  std::uint16_t api_port = 0;
  std::uint16_t operations_port = 0;
  std::uint16_t replication_port = 0;
  std::string address = std::string(kLoopback);  // IPv4, of all three ports
};

// A member of the etcd cluster that decides who is primary: one beside each of the first two Regions, and one
// elsewhere.
struct LabEtcdMember {
  std::string name;
  std::uint16_t client_port = 0;
  std::uint16_t peer_port = 0;
  std::uint16_t health_port = 0;
};

struct LabSettings {
  std::filesystem::path dir;       // absolute
  std::vector<LabRegion> regions;  // the router prefers the first that is ready
  std::uint16_t router_port = 0;
  // Empty: the operator decides.
  std::vector<LabEtcdMember> etcd;
  bool automatic_promotion = false;
  std::string account;
  std::string access_key_id;
  Secret secret_access_key;
  // Whether secondaries pass changes on to the primary.
  bool forward_writes = false;
  // Whether people may sign in at identity providers on this machine; of Regions on loopback addresses.
  bool loopback_providers = false;
};

// What the command line asked for; what it left out comes from DIR/lab.toml and else from the defaults.
struct LabFlags {
  std::filesystem::path dir = ".lab";
  std::vector<std::string> regions;
  std::vector<std::string> addresses;
  std::vector<std::uint16_t> api_ports;
  std::vector<std::uint16_t> operations_ports;
  std::vector<std::uint16_t> replication_ports;
  std::optional<std::uint16_t> router_port;
  bool free_ports = false;
  // "operator", "etcd".
  std::optional<std::string> authority;
  bool automatic_promotion = false;
  // Client, peer and health port of each member.
  std::vector<std::uint16_t> etcd_ports;
  std::optional<std::string> account;
  std::optional<std::string> access_key_id;
  std::optional<std::string> secret_access_key;
  std::optional<bool> forward_writes;
  std::optional<bool> loopback_providers;
};

// Refuses wrong flags, a folder that holds something else, and a lab of another layout, other Regions or another
// account.
CliResult<LabSettings> ResolveSettings(const LabFlags& flags);

// The lab that was made under `dir`.
CliResult<LabSettings> ReadSettings(const std::filesystem::path& dir);
CliResult<void> WriteSettings(const LabSettings& settings);

// "http://127.0.0.1:9410"
std::string Url(std::uint16_t port);
std::string Url(const LabRegion& region, std::uint16_t port);
// Others than these are started by their configurations, not by `symbolon lab up`.
bool IsOnLoopback(const LabRegion& region);
// A TOML basic string, quotes included.
std::string TomlString(std::string_view text);

// The lab's files.
std::filesystem::path SettingsFile(const std::filesystem::path& dir);
std::filesystem::path LogFile(const std::filesystem::path& dir, std::string_view member);
std::filesystem::path PidFile(const std::filesystem::path& dir, std::string_view member);
std::filesystem::path RegionFolder(const std::filesystem::path& dir, const Region& region);
std::filesystem::path EtcdFolder(const std::filesystem::path& dir, std::string_view member);
std::filesystem::path CertificateFolder(const std::filesystem::path& dir);

}  // namespace symbolon::cli
