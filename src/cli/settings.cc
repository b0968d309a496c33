#include "cli/settings.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <system_error>

#include "cli/control.h"
#include "cli/files.h"
#include "cli/ports.h"

namespace symbolon::cli {
namespace {

constexpr std::string_view kAccount = "000000000000";
constexpr std::string_view kAccessKeyId = "SYMBOLONLAB";
constexpr std::string_view kSecretAccessKey = "symbolon-lab-secret";
constexpr std::uint16_t kRouterPort = 9400;
constexpr std::size_t kRegionsMax = 5;
constexpr std::size_t kEtcdMembers = 3;
constexpr std::size_t kPortsOfEtcdMember = 3;

LabSettings Defaults(const std::filesystem::path& dir) {
  return {.dir = dir,
          .regions = {{Region("eu-central-1"), 9410, 9411, 9412}, {Region("us-east-1"), 9420, 9421, 9422}},
          .router_port = kRouterPort,
          .account = std::string(kAccount),
          .access_key_id = std::string(kAccessKeyId),
          .secret_access_key = Secret::CopyOf(kSecretAccessKey)};
}

// AWS bounds RegionName to 5..32 characters; the characters are those of a host name and of a pool id's first part.
bool IsRegionName(std::string_view name) {
  return name != kRouterName && !name.starts_with(kEtcdPrefix) && name.size() >= 5 && name.size() <= 32 &&
         name.front() != '-' && name.back() != '-' &&
         std::ranges::all_of(name, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
}

CliResult<std::vector<LabRegion>> RegionsNamed(const std::vector<std::string>& names) {
  if (names.size() < 2 || names.size() > kRegionsMax) return Fail(fmt::format("--regions: 2 to {} names", kRegionsMax));
  std::vector<LabRegion> regions;
  for (const std::string& name : names) {
    if (!IsRegionName(name)) return Fail(fmt::format("--regions: \"{}\" is no Region name ([a-z0-9-], 5 to 32)", name));
    const auto first = static_cast<std::uint16_t>(kRouterPort + 10 * (regions.size() + 1));
    regions.push_back(
        {Region(name), first, static_cast<std::uint16_t>(first + 1), static_cast<std::uint16_t>(first + 2)});
  }
  return regions;
}

bool SameNames(const std::vector<LabRegion>& regions, const std::vector<std::string>& names) {
  return std::ranges::equal(regions, names, {}, [](const LabRegion& region) { return region.name.value(); });
}

CliResult<void> SetPorts(std::vector<LabRegion>& regions, std::uint16_t LabRegion::* port, std::string_view flag,
                         const std::vector<std::uint16_t>& ports) {
  if (ports.empty()) return {};
  if (ports.size() != regions.size())
    return Fail(fmt::format("{}: one port for each of the {} Regions", flag, regions.size()));
  for (std::size_t i = 0; i < ports.size(); ++i) regions[i].*port = ports[i];
  return {};
}

CliResult<void> SetAddresses(std::vector<LabRegion>& regions, const std::vector<std::string>& addresses) {
  if (addresses.empty()) return {};
  if (addresses.size() != regions.size())
    return Fail(fmt::format("--addresses: one for each of the {} Regions", regions.size()));
  for (std::size_t i = 0; i < addresses.size(); ++i) {
    in_addr parsed{};
    if (inet_pton(AF_INET, addresses[i].c_str(), &parsed) != 1)
      return Fail(fmt::format("--addresses: \"{}\" is no IPv4 address", addresses[i]));
    regions[i].address = addresses[i];
  }
  return {};
}

// The members, with the ports after the router's.
std::vector<LabEtcdMember> EtcdMembers(const LabSettings& settings) {
  std::vector<LabEtcdMember> members(kEtcdMembers);
  for (std::size_t i = 0; i + 1 < kEtcdMembers; ++i) {
    members[i].name = std::string(kEtcdPrefix) + settings.regions[i].name.value();
  }
  members.back().name = kEtcdElsewhere;
  auto port = static_cast<std::uint16_t>(kRouterPort + 1);
  for (LabEtcdMember& member : members) {
    for (auto* of_member : {&member.client_port, &member.peer_port, &member.health_port}) *of_member = port++;
  }
  return members;
}

std::vector<std::uint16_t> PortsOf(const LabSettings& settings) {
  std::vector<std::uint16_t> ports = {settings.router_port};
  for (const LabRegion& region : settings.regions) {
    ports.insert(ports.end(), {region.api_port, region.operations_port, region.replication_port});
  }
  for (const LabEtcdMember& member : settings.etcd) {
    ports.insert(ports.end(), {member.client_port, member.peer_port, member.health_port});
  }
  return ports;
}

CliResult<void> ResolveAuthority(LabSettings& settings, const LabFlags& flags) {
  const bool had_etcd = !settings.etcd.empty();
  const bool etcd = flags.authority ? *flags.authority == "etcd" : had_etcd;
  if (!etcd && had_etcd) {
    return Fail(fmt::format("the lab in {} has the authority etcd: give another --dir", settings.dir.string()));
  }
  if (!etcd) {
    if (!flags.automatic_promotion && flags.etcd_ports.empty()) return {};
    return Fail("--automatic-promotion and --etcd-ports go with --authority etcd");
  }
  if (!had_etcd) {
    const std::vector<std::uint16_t> taken = PortsOf(settings);
    settings.etcd = EtcdMembers(settings);
    if (flags.free_ports) {
      SYMBOLON_TRY(const std::vector<std::uint16_t> ports,
                   FreePorts(kEtcdMembers * kPortsOfEtcdMember, {taken.begin(), taken.end()}));
      auto next = ports.begin();
      for (LabEtcdMember& member : settings.etcd) {
        for (auto* of_member : {&member.client_port, &member.peer_port, &member.health_port}) *of_member = *next++;
      }
    }
  }
  // A lab that is asked for its authority says all of it.
  if (flags.authority) settings.automatic_promotion = flags.automatic_promotion;
  settings.automatic_promotion = settings.automatic_promotion || flags.automatic_promotion;
  if (flags.etcd_ports.empty()) return {};
  // They are part of the cluster's own records.
  if (had_etcd) return Fail("--etcd-ports: the etcd members of a lab keep their ports");
  if (flags.etcd_ports.size() != kEtcdMembers * kPortsOfEtcdMember) {
    return Fail("--etcd-ports: client, peer and health port of each of the three members");
  }
  auto next = flags.etcd_ports.begin();
  for (LabEtcdMember& member : settings.etcd) {
    for (auto* of_member : {&member.client_port, &member.peer_port, &member.health_port}) *of_member = *next++;
  }
  return {};
}

// Of the Regions and the router; the flags may give some of them.
CliResult<void> ChooseFreePorts(LabSettings& settings, const LabFlags& flags) {
  std::set<std::uint16_t> given;
  for (const auto* of_kind : {&flags.api_ports, &flags.operations_ports, &flags.replication_ports, &flags.etcd_ports}) {
    given.insert(of_kind->begin(), of_kind->end());
  }
  if (flags.router_port) given.insert(*flags.router_port);
  SYMBOLON_TRY(const std::vector<std::uint16_t> ports, FreePorts(settings.regions.size() * 3 + 1, given));
  auto next = ports.begin();
  settings.router_port = *next++;
  for (LabRegion& region : settings.regions) {
    region.api_port = *next++;
    region.operations_port = *next++;
    region.replication_port = *next++;
  }
  return {};
}

CliResult<void> CheckPortsDiffer(const LabSettings& settings) {
  std::set<std::uint16_t> seen;
  for (const std::uint16_t port : PortsOf(settings)) {
    if (port == 0) return Fail("a port must be 1 to 65535; --free-ports picks free ones");
    if (!seen.insert(port).second) return Fail(fmt::format("port {} is given twice", port));
  }
  return {};
}

// A start that was refused leaves nothing but its lock.
bool HoldsNothing(const std::filesystem::path& dir) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(dir, error)) {
    if (entry.path().filename() != kLockName) return false;
  }
  return true;
}

}  // namespace

CliResult<LabSettings> ResolveSettings(const LabFlags& flags) {
  std::error_code error;
  const std::filesystem::path dir =
      std::filesystem::weakly_canonical(std::filesystem::absolute(flags.dir, error), error);
  if (error) return Fail(fmt::format("--dir {}: {}", flags.dir.string(), error.message()));

  const bool second_start = std::filesystem::exists(SettingsFile(dir), error);
  if (!second_start && !HoldsNothing(dir)) {
    return Fail(fmt::format("{} is not empty and holds no lab: name another folder with --dir", dir.string()));
  }
  LabSettings settings = Defaults(dir);
  if (second_start) {
    SYMBOLON_TRY(settings, ReadSettings(dir));
    if (!flags.regions.empty() && !SameNames(settings.regions, flags.regions)) {
      return Fail(fmt::format("the lab in {} has other Regions: give another --dir for these", dir.string()));
    }
    if (flags.account && *flags.account != settings.account) {
      return Fail(
          fmt::format("the lab in {} belongs to account {}: give another --dir", dir.string(), settings.account));
    }
  } else {
    if (!flags.regions.empty()) {
      SYMBOLON_TRY(settings.regions, RegionsNamed(flags.regions));
    }
    if (flags.account) settings.account = *flags.account;
    if (flags.free_ports) SYMBOLON_TRY_VOID(ChooseFreePorts(settings, flags));
  }
  const bool account_good = settings.account.size() == 12 &&
                            std::ranges::all_of(settings.account, [](unsigned char c) { return std::isdigit(c) != 0; });
  if (!account_good) return Fail("--account: 12 digits");

  SYMBOLON_TRY_VOID(SetAddresses(settings.regions, flags.addresses));
  SYMBOLON_TRY_VOID(SetPorts(settings.regions, &LabRegion::api_port, "--api-ports", flags.api_ports));
  SYMBOLON_TRY_VOID(
      SetPorts(settings.regions, &LabRegion::operations_port, "--operations-ports", flags.operations_ports));
  SYMBOLON_TRY_VOID(
      SetPorts(settings.regions, &LabRegion::replication_port, "--replication-ports", flags.replication_ports));
  if (flags.router_port) settings.router_port = *flags.router_port;
  SYMBOLON_TRY_VOID(ResolveAuthority(settings, flags));
  SYMBOLON_TRY_VOID(CheckPortsDiffer(settings));
  if (flags.access_key_id) settings.access_key_id = *flags.access_key_id;
  if (flags.secret_access_key) settings.secret_access_key = Secret::CopyOf(*flags.secret_access_key);
  if (flags.forward_writes) settings.forward_writes = *flags.forward_writes;
  if (flags.loopback_providers) settings.loopback_providers = *flags.loopback_providers;
  if (settings.access_key_id.empty() || settings.secret_access_key.empty()) {
    return Fail("--access-key-id and --secret-access-key must not be empty");
  }
  return settings;
}

CliResult<LabSettings> ReadSettings(const std::filesystem::path& dir) {
  const std::filesystem::path path = SettingsFile(dir);
  SYMBOLON_TRY(const std::string text, ReadFile(path));
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& error) {
    return Fail(fmt::format("{}:{}: {}", path.string(), error.source().begin.line, error.description()));
  }
  const std::int64_t layout = table["layout"].value_or(std::int64_t{0});
  if (layout != kLabLayout) {
    return Fail(
        fmt::format("{} was made by symbolon {} (layout {}); this is symbolon {} (layout {}): give another --dir",
                    dir.string(), table["version"].value_or(std::string("?")), layout, kVersion, kLabLayout));
  }
  LabSettings settings{.dir = dir};
  const auto port = [](const toml::node_view<const toml::node>& node) {
    const std::int64_t value = node.value_or(std::int64_t{0});
    return value > 0 && value <= 65535 ? static_cast<std::uint16_t>(value) : std::uint16_t{0};
  };
  const toml::table& constant = table;
  settings.router_port = port(constant["router_port"]);
  settings.account = table["account"].value_or(std::string());
  settings.access_key_id = table["access_key_id"].value_or(std::string());
  settings.secret_access_key = Secret(table["secret_access_key"].value_or(std::string()));
  settings.forward_writes = table["forward_writes"].value_or(false);
  settings.loopback_providers = table["loopback_providers"].value_or(false);
  settings.automatic_promotion = table["automatic_promotion"].value_or(false);
  if (const toml::array* members = table["etcd"].as_array()) {
    for (const toml::node& node : *members) {
      const toml::table* member = node.as_table();
      if (member == nullptr) continue;
      settings.etcd.push_back({(*member)["name"].value_or(std::string()), port((*member)["client_port"]),
                               port((*member)["peer_port"]), port((*member)["health_port"])});
    }
  }
  if (const toml::array* regions = table["regions"].as_array()) {
    for (const toml::node& node : *regions) {
      const toml::table* region = node.as_table();
      if (region == nullptr) continue;
      settings.regions.push_back({Region((*region)["name"].value_or(std::string())), port((*region)["api_port"]),
                                  port((*region)["operations_port"]), port((*region)["replication_port"]),
                                  (*region)["address"].value_or(std::string(kLoopback))});
    }
  }
  const bool complete =
      settings.regions.size() >= 2 &&
      std::ranges::all_of(settings.regions, [](const LabRegion& region) { return IsRegionName(region.name.value()); });
  if (!complete) return Fail(fmt::format("{} is damaged: it names no Regions", path.string()));
  return settings;
}

CliResult<void> WriteSettings(const LabSettings& settings) {
  std::string text = fmt::format(
      "# Made by `symbolon lab up`, which reads it at the next start.\n"
      "layout = {}\nversion = {}\nrouter_port = {}\naccount = {}\naccess_key_id = {}\nsecret_access_key = {}\n"
      "forward_writes = {}\n",
      kLabLayout, TomlString(kVersion), settings.router_port, TomlString(settings.account),
      TomlString(settings.access_key_id), TomlString(settings.secret_access_key.view()), settings.forward_writes);
  if (settings.loopback_providers) text += "loopback_providers = true\n";
  if (settings.automatic_promotion) text += "automatic_promotion = true\n";
  for (const LabEtcdMember& member : settings.etcd) {
    text += fmt::format("\n[[etcd]]\nname = {}\nclient_port = {}\npeer_port = {}\nhealth_port = {}\n",
                        TomlString(member.name), member.client_port, member.peer_port, member.health_port);
  }
  for (const LabRegion& region : settings.regions) {
    text += fmt::format(
        "\n[[regions]]\nname = {}\naddress = {}\napi_port = {}\noperations_port = {}\nreplication_port = {}\n",
        TomlString(region.name.value()), TomlString(region.address), region.api_port, region.operations_port,
        region.replication_port);
  }
  return WriteFile(SettingsFile(settings.dir), text);
}

std::string Url(std::uint16_t port) { return fmt::format("http://{}:{}", kLoopback, port); }
std::string Url(const LabRegion& region, std::uint16_t port) {
  return fmt::format("http://{}:{}", region.address, port);
}
bool IsOnLoopback(const LabRegion& region) { return region.address.starts_with("127."); }

std::string TomlString(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      quoted += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

std::filesystem::path SettingsFile(const std::filesystem::path& dir) { return dir / "lab.toml"; }
std::filesystem::path LogFile(const std::filesystem::path& dir, std::string_view member) {
  return dir / "logs" / fmt::format("{}.log", member);
}
std::filesystem::path PidFile(const std::filesystem::path& dir, std::string_view member) {
  return dir / "run" / fmt::format("{}.pid", member);
}
std::filesystem::path RegionFolder(const std::filesystem::path& dir, const Region& region) {
  return dir / "regions" / region.value();
}
std::filesystem::path EtcdFolder(const std::filesystem::path& dir, std::string_view member) {
  return dir / "etcd" / member;
}
std::filesystem::path CertificateFolder(const std::filesystem::path& dir) { return dir / "certificates"; }

}  // namespace symbolon::cli
