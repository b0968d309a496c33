// What `symbolond --config FILE` reads: TOML, every setting checked, and obeyed or refused. docs/configuration.md lists
// the settings.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.h"
#include "base/log.h"
#include "base/result.h"
#include "base/secret.h"
#include "node/secret_source.h"

namespace symbolon::node {

// "127.0.0.1:9410" or "[::1]:9410" to listen on; a host name instead of the address where one connects to.
struct Endpoint {
  std::string host;
  std::uint16_t port = 0;
  bool operator==(const Endpoint&) const = default;
};
// As it is written above.
std::string ToString(const Endpoint& endpoint);

struct TlsFiles {
  // PEM. `ca` is who signs the peers' certificates; empty for a server that asks for none.
  std::filesystem::path ca;
  std::filesystem::path certificate;
  std::filesystem::path key;
};

struct ApiConfig {
  Endpoint listen;
  // What clients of this Region call: "https://id.example.com", without a slash at its end.
  std::string public_url;
  std::optional<TlsFiles> tls;
};

// An etcd cluster that decides who is primary (authority `etcd`).
struct EtcdConfig {
  // Of its members.
  std::vector<Endpoint> endpoints;
  TlsFiles tls;
  std::string key_prefix = "/symbolon";
  // How long this Region may write after the sending of a renewal that was answered, and how much earlier it stops.
  std::chrono::seconds lease{10};
  std::chrono::milliseconds lease_margin{2000};
  // An ACTIVE replica takes over whose primary's lease is gone for so long.
  bool automatic_promotion = false;
  std::chrono::seconds automatic_promotion_after{10};
  // And is not replaced so by another for so long.
  std::chrono::seconds automatic_promotion_tenure{600};
};

struct ReplicationConfig {
  Endpoint listen;
  TlsFiles tls;
  // So long a request waits for the position that it asks for.
  std::chrono::milliseconds position_wait{2000};
  // So long a write waits for what its pool's durability asks.
  std::chrono::milliseconds durability_wait{2000};
  // Whether what only a pool's primary may do is passed on to it instead of being refused, and how long its answer is
  // waited for.
  bool forward_writes = false;
  std::chrono::milliseconds forward_timeout{10'000};
  // At this pace pools are copied to new replicas; 0: as fast as it goes.
  std::uint64_t copy_mib_per_second = 32;
  // So much of a pool's log is kept for replicas that lag.
  std::uint64_t log_entries_max = 1'000'000;
  std::uint64_t log_mib_max = 1024;
  // How often, and at which pace, the primary has its pools' copies compared; 0: only when somebody asks.
  std::chrono::minutes verify_interval{24 * 60};
  std::uint64_t verify_records_per_second = 10'000;
  // nullopt: the operator alone decides who is primary.
  std::optional<EtcdConfig> etcd;
};

// A Region of the topology, this one among them.
struct RegionConfig {
  Region name;
  std::string public_url;
  // Where its peers reach it; nullopt for the only Region, and for one that is gone (KeysConfig::forgotten_regions).
  std::optional<Endpoint> replication;
};

struct AccessKeyConfig {
  std::string id;
  Secret secret;
};

// CMKs in a hardware security module.
struct HsmConfig {
  // The PKCS #11 library of its maker.
  std::filesystem::path module;
  // Exactly one of them.
  std::optional<std::string> token_label;
  std::optional<unsigned long> slot;
  // A file or a variable.
  SecretSource pin;
  std::chrono::milliseconds timeout{2000};
  std::size_t sessions = 4;
};

// CMKs in a service with the AWS KMS API.
struct AwsKmsConfig {
  // Scheme, host and perhaps port; https, or http on this machine.
  std::string endpoint;
  // Of the keys' ARNs, and of signatures.
  Region region;
  std::vector<std::string> accounts;
  std::string access_key_id;
  Secret secret_access_key;
  // PEM of those who may sign the endpoint's certificate; empty: the system's.
  std::filesystem::path ca_file;
  std::chrono::milliseconds timeout{2000};
};

struct KeysConfig {
  // Drawn at the first start if it is not there.
  std::filesystem::path root_key_file;
  // One of them at most: what protects the root key in its file.
  SecretSource root_passphrase;
  // The ARN of a CMK that one of the providers below serves.
  std::string root_key_cmk;
  // How often it is found out whether the CMKs may still be used.
  std::chrono::milliseconds recheck_interval{2000};
  std::optional<HsmConfig> hsm;
  std::optional<AwsKmsConfig> aws_kms;
  // How long a CMK whose provider cannot be reached counts as usable; 0: not at all.
  std::chrono::seconds unreachable_grace{10};
  // How old a pool's data key gets before it has a new one; 0: as old as it likes.
  std::chrono::days rotate_data_keys{90};
  // The pace of re-encryption unless the caller names one; 0: as fast as it goes.
  std::uint64_t reencrypt_records_per_second = 2000;
  // Gone for good: multi-Region keys have no replicas there any more. In `regions` without a replication address, for
  // the issuers of pools that were born there, or not at all.
  std::vector<Region> forgotten_regions;
};

struct AuditConfig {
  // Empty: "audit" in data_dir.
  std::filesystem::path directory;
  // A new file is begun beyond it.
  std::uint64_t file_mib_max = 64;
  // The trail is signed after so many lines and so much time.
  std::uint64_t checkpoint_lines = 1'000;
  std::chrono::seconds checkpoint_interval{60};
  // Successful questions whether keys may still be used share a line for so long; 0: each has its own.
  std::chrono::seconds probe_summary_interval{60};
};

// Identity providers of pools.
struct FederationConfig {
  // PEM of those who may sign their certificates; empty: the system's.
  std::filesystem::path ca_file;
  // Providers on this machine may be used, also by http. For tests.
  bool loopback_providers = false;
  std::chrono::milliseconds timeout{5'000};
};

struct StorageConfig {
  enum class Engine { kRocksDb, kMemory };
  Engine engine = Engine::kRocksDb;
};

struct HttpConfig {
  // 0: one for each core.
  std::size_t threads = 0;
  std::size_t connection_limit = 10'000;
  std::size_t header_limit_bytes = 16 * 1024;
  std::chrono::milliseconds header_timeout = std::chrono::seconds(10);
  std::chrono::milliseconds body_timeout = std::chrono::seconds(30);
  std::chrono::milliseconds idle_timeout = std::chrono::seconds(75);
  std::chrono::milliseconds write_timeout = std::chrono::seconds(30);
  // How long requests under way may go on after SIGTERM.
  std::chrono::milliseconds drain_timeout = std::chrono::seconds(10);
};

struct Config {
  Region region;
  // The AWS account number in ARNs.
  std::string account;
  // Empty for the memory engine.
  std::filesystem::path data_dir;
  // The base of UPDATED issuers, which every Region serves.
  std::string neutral_url;
  ApiConfig api;
  Endpoint operations;
  // nullopt when there is only one Region.
  std::optional<ReplicationConfig> replication;
  std::vector<RegionConfig> regions;
  // Of the account's root.
  std::vector<AccessKeyConfig> access_keys;
  // Users with access keys and policies (node/users.h); empty: there are none.
  std::filesystem::path users_file;
  KeysConfig keys;
  AuditConfig audit;
  FederationConfig federation;
  StorageConfig storage;
  HttpConfig http;
  // Whether codes can be read at /outbox of the operations port. For a lab.
  bool outbox = false;
  log::Level log_level = log::Level::kInfo;
};

struct ConfigProblem {
  // Counted from 1.
  std::size_t line = 1;
  std::string reason;
  bool operator==(const ConfigProblem&) const = default;
};

// Never empty, in the order of the lines.
using ConfigProblems = std::vector<ConfigProblem>;

// Relative paths in it are meant from `folder`. Reads the secret files and tries whether the others can be read.
Result<Config, ConfigProblems> ParseConfig(std::string_view toml, const std::filesystem::path& folder);
Result<Config, ConfigProblems> LoadConfig(const std::filesystem::path& file);

}  // namespace symbolon::node
