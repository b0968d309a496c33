#include "node/replication_setup.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <iterator>
#include <string>

#include "replication/etcd/etcd_registers.h"

namespace symbolon::node {
namespace {

using std::chrono::milliseconds;

Result<std::string, NodeError> ReadFile(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream) return Err(NodeError{fmt::format("cannot read {}", file.string())});
  return text;
}

bool IsOther(const Config& config, const RegionConfig& region) {
  return region.name != config.region && region.replication.has_value();
}

}  // namespace

std::vector<Region> OtherRegions(const Config& config) {
  std::vector<Region> others;
  for (const RegionConfig& region : config.regions) {
    if (IsOther(config, region)) others.push_back(region.name);
  }
  return others;
}

Result<replication::grpc_link::TransportOptions, NodeError> ReadTransportOptions(const Config& config) {
  replication::grpc_link::TransportOptions options{.listen = ToString(config.replication->listen)};
  for (const RegionConfig& region : config.regions) {
    if (IsOther(config, region)) options.peers.emplace(region.name, ToString(*region.replication));
  }
  const TlsFiles& tls = config.replication->tls;
  SYMBOLON_TRY(options.ca_pem, ReadFile(tls.ca));
  SYMBOLON_TRY(options.certificate_pem, ReadFile(tls.certificate));
  SYMBOLON_TRY(options.key_pem, ReadFile(tls.key));
  return options;
}

replication::Options ReplicationOptionsOf(const Config& config) {
  replication::Options options;
  options.durability_wait_limit = config.replication->durability_wait;
  options.copy_bytes_per_second = config.replication->copy_mib_per_second << 20;
  options.kept_entries_max = config.replication->log_entries_max;
  options.kept_entries_min = std::min(options.kept_entries_min, options.kept_entries_max);
  options.kept_bytes_max = config.replication->log_mib_max << 20;
  return options;
}

Result<std::optional<replication::ReplicatorAuthority>, NodeError> OpenAuthority(
    const Config& config, std::function<bool(const PoolId&)> may_lead) {
  if (!config.replication->etcd) return std::nullopt;
  const EtcdConfig& etcd = *config.replication->etcd;
  replication::etcd::EtcdOptions options{.key_prefix = etcd.key_prefix};
  for (const Endpoint& endpoint : etcd.endpoints) options.endpoints.push_back(ToString(endpoint));
  SYMBOLON_TRY(options.ca_pem, ReadFile(etcd.tls.ca));
  SYMBOLON_TRY(options.certificate_pem, ReadFile(etcd.tls.certificate));
  SYMBOLON_TRY(options.key_pem, ReadFile(etcd.tls.key));
  options.call_limit = std::clamp(milliseconds(etcd.lease) / 6, milliseconds(500), milliseconds(1'000));
  replication::ReplicatorAuthority authority{.key_prefix = etcd.key_prefix, .may_lead = std::move(may_lead)};
  authority.options.lease = etcd.lease;
  authority.options.margin = etcd.lease_margin;
  authority.options.renew_interval = milliseconds(etcd.lease) / 4;
  authority.options.read_interval = std::min(milliseconds(etcd.lease) / 10, milliseconds(1'000));
  authority.options.automatic_promotion = etcd.automatic_promotion;
  authority.options.automatic_promotion_after = etcd.automatic_promotion_after;
  authority.options.automatic_promotion_tenure = etcd.automatic_promotion_tenure;
  authority.registers = std::make_unique<replication::etcd::EtcdRegisters>(std::move(options));
  return authority;
}

}  // namespace symbolon::node
