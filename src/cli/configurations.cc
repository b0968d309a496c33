#include "cli/configurations.h"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <system_error>

#include "base/bytes.h"
#include "cli/certificates.h"
#include "cli/files.h"
#include "cli/router.h"

namespace symbolon::cli {
namespace {

constexpr std::size_t kRootKeyBytes = 32;
// A lab is there to see what happens, soon.
constexpr int kLeaseSeconds = 5;
constexpr int kTenureSeconds = 15;

std::string Listen(const LabRegion& region, std::uint16_t port) {
  return TomlString(fmt::format("{}:{}", region.address, port));
}

CliResult<void> MakeRootKey(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return {};
  Bytes key(kRootKeyBytes, '\0');
  SYMBOLON_CHECK(RAND_priv_bytes(reinterpret_cast<unsigned char*>(key.data()), kRootKeyBytes) == 1);
  return WriteFile(path, HexEncode(key) + "\n");
}

}  // namespace

namespace {

std::string AuthorityConfiguration(const LabSettings& settings, const CertificateFiles& certificates) {
  if (settings.etcd.empty()) return "";
  std::string endpoints;
  for (const LabEtcdMember& member : settings.etcd) {
    endpoints += (endpoints.empty() ? "" : ", ") + TomlString(fmt::format("{}:{}", kLoopback, member.client_port));
  }
  return fmt::format(
      "\n[replication.etcd]\nendpoints = [{}]\nlease_seconds = {}\nautomatic_promotion = {}\n{}"
      "\n[replication.etcd.tls]\nca = {}\ncertificate = {}\nkey = {}\n",
      endpoints, kLeaseSeconds, settings.automatic_promotion,
      settings.automatic_promotion ? fmt::format("automatic_promotion_tenure_seconds = {}\n", kTenureSeconds) : "",
      TomlString(certificates.ca.string()), TomlString(certificates.certificate.string()),
      TomlString(certificates.key.string()));
}

}  // namespace

std::vector<std::string> EtcdArguments(const LabSettings& settings, std::size_t member) {
  const LabEtcdMember& self = settings.etcd[member];
  const CertificateFiles files = CertificateFilesOf(CertificateFolder(settings.dir), Region(self.name));
  const auto url = [](std::uint16_t port) { return fmt::format("https://{}:{}", kLoopback, port); };
  std::string cluster;
  for (const LabEtcdMember& other : settings.etcd) {
    cluster += fmt::format("{}{}={}", cluster.empty() ? "" : ",", other.name, url(other.peer_port));
  }
  return {"--name=" + self.name,
          "--data-dir=" + EtcdFolder(settings.dir, self.name).string(),
          "--listen-client-urls=" + url(self.client_port),
          "--advertise-client-urls=" + url(self.client_port),
          "--listen-peer-urls=" + url(self.peer_port),
          "--initial-advertise-peer-urls=" + url(self.peer_port),
          "--initial-cluster=" + cluster,
          "--listen-metrics-urls=" + Url(self.health_port),
          "--client-cert-auth",
          "--trusted-ca-file=" + files.ca.string(),
          "--cert-file=" + files.certificate.string(),
          "--key-file=" + files.key.string(),
          "--peer-client-cert-auth",
          "--peer-trusted-ca-file=" + files.ca.string(),
          "--peer-cert-file=" + files.certificate.string(),
          "--peer-key-file=" + files.key.string(),
          "--auto-compaction-mode=periodic",
          "--auto-compaction-retention=10m",
          "--logger=zap",
          "--log-level=warn"};
}

std::string NodeConfiguration(const LabSettings& settings, std::size_t region) {
  const LabRegion& self = settings.regions[region];
  const std::filesystem::path folder = RegionFolder(settings.dir, self.name);
  const CertificateFiles certificates = CertificateFilesOf(CertificateFolder(settings.dir), self.name);
  std::string text =
      "# Written by `symbolon lab init` and at every start by `symbolon lab up`; changes here are lost then.\n";
  text += fmt::format("region = {}\naccount = {}\ndata_dir = {}\nneutral_url = {}\n", TomlString(self.name.value()),
                      TomlString(settings.account), TomlString((folder / "data").string()),
                      TomlString(Url(settings.router_port)));
  text += fmt::format("\n[api]\nlisten = {}\npublic_url = {}\n", Listen(self, self.api_port),
                      TomlString(Url(self, self.api_port)));
  text += fmt::format("\n[operations]\nlisten = {}\n", Listen(self, self.operations_port));
  text += fmt::format("\n[replication]\nlisten = {}\n", Listen(self, self.replication_port));
  if (settings.forward_writes) text += "forward_writes = true\n";
  if (!settings.etcd.empty()) text += "authority = \"etcd\"\n";
  text +=
      fmt::format("\n[replication.tls]\nca = {}\ncertificate = {}\nkey = {}\n", TomlString(certificates.ca.string()),
                  TomlString(certificates.certificate.string()), TomlString(certificates.key.string()));
  text += AuthorityConfiguration(settings, certificates);
  text += fmt::format("\n[keys]\nprovider = \"local\"\nroot_key_file = {}\n",
                      TomlString(RootKeyFile(settings.dir, self.name).string()));
  // The outbox is for loopback addresses only.
  if (IsOnLoopback(self)) text += "\n[delivery]\noutbox = true\n";
  if (IsOnLoopback(self) && settings.loopback_providers) text += "\n[federation]\nloopback_providers = true\n";
  text += fmt::format("\n[[access_keys]]\nid = {}\nsecret = {}\n", TomlString(settings.access_key_id),
                      TomlString(settings.secret_access_key.view()));
  for (const LabRegion& other : settings.regions) {
    text += fmt::format("\n[[regions]]\nname = {}\npublic_url = {}\nreplication = {}\n", TomlString(other.name.value()),
                        TomlString(Url(other, other.api_port)), Listen(other, other.replication_port));
  }
  return text;
}

CliResult<std::string> LabRouterConfiguration(const LabSettings& settings, std::vector<RouterDomain> domains) {
  for (RouterDomain& domain : domains) {
    if (domain.failover) domain.failover->health_check = kPrimaryReady;
  }
  RouterSettings router{.bind = fmt::format("{}:{}", kLoopback, settings.router_port),
                        .certificate = {},
                        .server_ca = {},
                        .servers = {},
                        .probe_interval = std::chrono::milliseconds(150),
                        .fall = 2,
                        .rise = 2,
                        .domains = std::move(domains),
                        .health_checks = {}};
  for (const LabRegion& region : settings.regions) {
    router.servers.push_back({.region = region.name,
                              .host = region.address,
                              .api_port = region.api_port,
                              .operations_port = region.operations_port});
  }
  return RouterConfiguration(router, "Written by the lab at every start of its router; changes here are lost.");
}

std::filesystem::path NodeConfigurationFile(const std::filesystem::path& dir, const Region& region) {
  return RegionFolder(dir, region) / "symbolond.toml";
}
std::filesystem::path RouterConfigurationFile(const std::filesystem::path& dir) { return dir / "haproxy.cfg"; }
std::filesystem::path UsersFile(const std::filesystem::path& dir) { return dir / "users.toml"; }
std::filesystem::path RootKeyFile(const std::filesystem::path& dir, const Region& region) {
  return RegionFolder(dir, region) / "root.key";
}

CliResult<void> WriteLab(const LabSettings& settings) {
  std::vector<Region> names;
  for (const LabRegion& region : settings.regions) names.push_back(region.name);
  for (const LabEtcdMember& member : settings.etcd) names.emplace_back(member.name);
  SYMBOLON_TRY_VOID(MakeFolder(settings.dir / "logs"));
  SYMBOLON_TRY_VOID(MakeFolder(settings.dir / "run"));
  if (!settings.etcd.empty()) SYMBOLON_TRY_VOID(MakeFolder(settings.dir / "etcd"));
  SYMBOLON_TRY_VOID(WriteSettings(settings));
  SYMBOLON_TRY_VOID(MakeCertificates(CertificateFolder(settings.dir), names));
  const std::filesystem::path users = UsersFile(settings.dir);
  std::error_code error;
  const bool has_users = std::filesystem::exists(users, error);
  for (std::size_t i = 0; i < settings.regions.size(); ++i) {
    const Region& name = settings.regions[i].name;
    SYMBOLON_TRY_VOID(MakeFolder(RegionFolder(settings.dir, name)));
    SYMBOLON_TRY_VOID(MakeRootKey(RootKeyFile(settings.dir, name)));
    std::string configuration = NodeConfiguration(settings, i);
    if (has_users) configuration += fmt::format("\n[iam]\nusers_file = {}\n", TomlString(users.string()));
    SYMBOLON_TRY_VOID(WriteFile(NodeConfigurationFile(settings.dir, name), configuration));
  }
  SYMBOLON_TRY(const std::string router, LabRouterConfiguration(settings, {}));
  return WriteFile(RouterConfigurationFile(settings.dir), router);
}

}  // namespace symbolon::cli
