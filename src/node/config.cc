#include "node/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <cstdlib>
#include <functional>
#include <limits>

#include "keys/arn.h"
#include "keys/pkcs11/pkcs11_key_provider.h"
#include "node/config_reader.h"
#include "node/users.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kKeyPrefixLimitBytes = 200;
constexpr std::size_t kTokenLabelLimitBytes = 32;
constexpr std::string_view kKeyPrefixAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._/";

bool AllOf(std::string_view text, std::string_view alphabet) {
  return text.find_first_not_of(alphabet) == std::string_view::npos;
}

template <class Range, class Value, class Projection>
bool Contains(const Range& range, const Value& value, Projection projection) {
  return std::ranges::find(range, value, projection) != std::ranges::end(range);
}

std::optional<Endpoint> ParseEndpoint(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = text.substr(0, colon);
  const std::string_view port_text = text.substr(colon + 1);
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return std::nullopt;
  }
  Endpoint endpoint{.host = std::string(host)};
  const auto [end, error] = std::from_chars(port_text.data(), port_text.data() + port_text.size(), endpoint.port);
  const bool whole = error == std::errc() && end == port_text.data() + port_text.size() && !port_text.empty();
  if (!whole || host.empty() || !AllOf(host, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-.:%_")) {
    return std::nullopt;
  }
  return endpoint;
}

std::optional<boost::asio::ip::address> AddressOf(const Endpoint& endpoint) {
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(endpoint.host, error);
  if (error) return std::nullopt;
  return address;
}

bool IsLoopback(const Endpoint& endpoint) {
  const auto address = AddressOf(endpoint);
  return address && address->is_loopback();
}

bool IsAccount(std::string_view text) { return text.size() == 12 && AllOf(text, kDigits); }

bool IsOnThisMachine(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return false;
  boost::system::error_code error;
  const auto address = boost::asio::ip::make_address(parsed->host_address(), error);
  return error ? parsed->host() == "localhost" : address.is_loopback();
}

// Where to listen. A port 0 asks for a free one.
Endpoint ReadListen(TableReader& table, std::string_view key) {
  if (!table.Require(key)) return {};
  const auto text = table.Text(key);
  if (!text) return {};
  const auto endpoint = ParseEndpoint(*text);
  if (endpoint && AddressOf(*endpoint)) return *endpoint;
  table.Refuse(key, "must be an IP address and a port, as in \"127.0.0.1:9410\" or \"[::]:9410\"");
  return {};
}

Endpoint ReadPeer(TableReader& table, std::string_view key) {
  const auto text = table.Text(key);
  if (!text) return {};
  const auto endpoint = ParseEndpoint(*text);
  if (endpoint && endpoint->port != 0) return *endpoint;
  table.Refuse(key, "must be a host and a port, as in \"id.example.com:9412\"");
  return {};
}

// "https://id.example.com:8443": tokens and clients put a path behind it.
std::string ReadBaseUrl(TableReader& table, std::string_view key) {
  if (!table.Require(key)) return {};
  const auto text = table.Text(key);
  if (!text) return {};
  const auto url = boost::urls::parse_uri(*text);
  const bool good = url && (url->scheme() == "http" || url->scheme() == "https") && url->has_authority() &&
                    !url->encoded_host().empty() && !url->has_userinfo() && url->encoded_path().empty() &&
                    !url->has_query() && !url->has_fragment();
  if (good) return *text;
  table.Refuse(key, "must be a URL of scheme, host and perhaps port only, as in \"https://id.example.com\"");
  return {};
}

class ConfigParser {
 public:
  explicit ConfigParser(const std::filesystem::path& folder) : folder_(folder) {}

  Result<Config, ConfigProblems> Parse(std::string_view text) {
    try {
      toml::table file = toml::parse(text);
      TableReader root(file, "", 1, problems_);
      ReadFile(root);
      root.Finish();
    } catch (const toml::parse_error& error) {
      problems_.push_back({error.source().begin.line, std::string(error.description())});
    }
    if (problems_.empty()) return std::move(config_);
    return Err(std::move(problems_));
  }

 private:
  void ReadFile(TableReader& root) {
    config_.region = ReadRegionName(root, "region");
    config_.account = root.RequiredText("account");
    if (!config_.account.empty() && !IsAccount(config_.account)) root.Refuse("account", "must be 12 digits");
    root.Table("storage", [&](TableReader& table) {
      using Engine = StorageConfig::Engine;
      config_.storage.engine =
          table.OneOf("engine", Engine::kRocksDb, {{"rocksdb", Engine::kRocksDb}, {"memory", Engine::kMemory}});
    });
    const auto data_dir = root.Text("data_dir");
    if (data_dir) config_.data_dir = folder_ / *data_dir;
    if (!data_dir && !root.Has("data_dir") && config_.storage.engine == StorageConfig::Engine::kRocksDb) {
      root.Refuse("data_dir", "is missing");
    }
    config_.neutral_url = ReadBaseUrl(root, "neutral_url");
    ReadListeners(root);
    ReadTopology(root);
    ReadKeys(root);
    CheckLinks(root);
    root.Table("audit", [&](TableReader& table) {
      AuditConfig& audit = config_.audit;
      if (const auto directory = table.Text("directory")) audit.directory = folder_ / *directory;
      audit.file_mib_max = static_cast<std::uint64_t>(table.Number("file_mib_max", 64, 1, 1024));
      audit.checkpoint_lines = static_cast<std::uint64_t>(table.Number("checkpoint_lines", 1'000, 1, 1'000'000));
      audit.checkpoint_interval = std::chrono::seconds(table.Number("checkpoint_seconds", 60, 1, 3'600));
      audit.probe_summary_interval = std::chrono::seconds(table.Number("probe_summary_seconds", 60, 0, 86'400));
    });
    root.Table("delivery", [&](TableReader& table) {
      config_.outbox = table.Flag("outbox", false);
      if (config_.outbox && !IsLoopback(config_.operations)) {
        table.Refuse("outbox", "shows everybody's codes, so operations.listen must be a loopback address");
      }
    });
    root.Table("federation", [&](TableReader& table) {
      FederationConfig& federation = config_.federation;
      if (table.Has("ca_file")) federation.ca_file = ReadFilePath(table, "ca_file", folder_);
      federation.loopback_providers = table.Flag("loopback_providers", false);
      federation.timeout = std::chrono::milliseconds(table.Number("timeout_ms", 5'000, 100, 30'000));
    });
    root.Table("http", [&](TableReader& table) { ReadHttp(table); });
    root.Table("log", [&](TableReader& table) {
      using log::Level;
      config_.log_level = table.OneOf(
          "level", Level::kInfo,
          {{"debug", Level::kDebug}, {"info", Level::kInfo}, {"warning", Level::kWarning}, {"error", Level::kError}});
    });
  }

  static Region ReadRegionName(TableReader& table, std::string_view key) {
    const std::string name = table.RequiredText(key);
    // As long as the API lets one be (RegionCodeType), and nothing that would need quoting in an ARN or a path.
    if (!name.empty() &&
        (name.size() < 5 || name.size() > 32 || !AllOf(name, "abcdefghijklmnopqrstuvwxyz0123456789-"))) {
      table.Refuse(key, "must be 5 to 32 characters of a-z, 0-9 and -, as in \"eu-central-1\"");
    }
    return Region(name);
  }

  void ReadListeners(TableReader& root) {
    if (root.Require("api")) {
      root.Table("api", [&](TableReader& table) {
        config_.api.listen = ReadListen(table, "listen");
        config_.api.public_url = ReadBaseUrl(table, "public_url");
        table.Table("tls", [&](TableReader& tls) { config_.api.tls = ReadTls(tls, /*with_ca=*/false); });
      });
    }
    if (root.Require("operations")) {
      root.Table("operations", [&](TableReader& table) { config_.operations = ReadListen(table, "listen"); });
    }
    root.Table("replication", [&](TableReader& table) {
      ReplicationConfig& replication = config_.replication.emplace();
      replication.listen = ReadListen(table, "listen");
      replication.position_wait = std::chrono::milliseconds(table.Number("position_wait_ms", 2000, 0, 30'000));
      replication.durability_wait = std::chrono::milliseconds(table.Number("durability_wait_ms", 2000, 100, 30'000));
      replication.forward_writes = table.Flag("forward_writes", false);
      replication.forward_timeout = std::chrono::milliseconds(table.Number("forward_timeout_ms", 10'000, 100, 60'000));
      const auto number = [&](std::string_view key, std::uint64_t otherwise, std::int64_t least, std::int64_t most) {
        return static_cast<std::uint64_t>(table.Number(key, static_cast<std::int64_t>(otherwise), least, most));
      };
      replication.copy_mib_per_second = number("copy_mib_per_second", replication.copy_mib_per_second, 0, 100'000);
      replication.log_entries_max = number("log_entries_max", replication.log_entries_max, 1'000, 1'000'000'000);
      replication.log_mib_max = number("log_mib_max", replication.log_mib_max, 1, 1'000'000);
      replication.verify_interval = std::chrono::minutes(
          table.Number("verify_interval_minutes", replication.verify_interval.count(), 0, 366 * 24 * 60));
      replication.verify_records_per_second =
          number("verify_records_per_second", replication.verify_records_per_second, 100, 100'000'000);
      if (table.Require("tls")) {
        table.Table("tls", [&](TableReader& tls) { replication.tls = ReadTls(tls, /*with_ca=*/true); });
      }
      ReadAuthority(table, replication);
    });
  }

  void ReadAuthority(TableReader& table, ReplicationConfig& replication) {
    enum class Authority { kOperator, kEtcd };
    const Authority authority = table.OneOf("authority", Authority::kOperator,
                                            {{"operator", Authority::kOperator}, {"etcd", Authority::kEtcd}});
    if (authority == Authority::kEtcd && !table.Has("etcd")) {
      table.Refuse("authority", "is \"etcd\", and [replication.etcd] is missing");
    }
    if (authority == Authority::kOperator && table.Has("etcd")) {
      table.Refuse("etcd", "is of no use without authority = \"etcd\"");
    }
    table.Table("etcd", [&](TableReader& etcd) { ReadEtcd(etcd, replication.etcd.emplace()); });
  }

  void ReadEtcd(TableReader& table, EtcdConfig& etcd) {
    if (table.Require("endpoints")) {
      for (const std::string& text : table.Texts("endpoints")) {
        const auto endpoint = ParseEndpoint(text);
        if (!endpoint || endpoint->port == 0) {
          table.Refuse("endpoints", "must be hosts and ports, as in [\"etcd-1.example.com:2379\"]");
        } else if (Contains(etcd.endpoints, *endpoint, std::identity())) {
          table.Refuse("endpoints", fmt::format("\"{}\" stands here twice", text));
        } else {
          etcd.endpoints.push_back(*endpoint);
        }
      }
    }
    if (table.Require("tls")) {
      table.Table("tls", [&](TableReader& tls) { etcd.tls = ReadTls(tls, /*with_ca=*/true); });
    }
    etcd.key_prefix = table.Text("key_prefix").value_or(etcd.key_prefix);
    if (etcd.key_prefix.size() > kKeyPrefixLimitBytes || !etcd.key_prefix.starts_with('/') ||
        etcd.key_prefix.ends_with('/') || !AllOf(etcd.key_prefix, kKeyPrefixAlphabet)) {
      table.Refuse("key_prefix",
                   "must begin with / and not end with it: letters, digits, and -._/, as in \"/symbolon\"");
    }
    const auto seconds = [&](std::string_view key, std::chrono::seconds otherwise, std::int64_t least,
                             std::int64_t most) {
      return std::chrono::seconds(table.Number(key, otherwise.count(), least, most));
    };
    etcd.lease = seconds("lease_seconds", etcd.lease, 2, 60);
    const std::int64_t margin_most = std::chrono::milliseconds(etcd.lease).count() / 2;
    etcd.lease_margin = std::chrono::milliseconds(
        table.Number("lease_margin_ms", std::chrono::milliseconds(etcd.lease).count() / 5, 100, margin_most));
    etcd.automatic_promotion = table.Flag("automatic_promotion", false);
    // A member of etcd whose disk hangs may drop a lease before its time; its holder hears of that at its next renewal.
    etcd.automatic_promotion_after =
        seconds("automatic_promotion_after_seconds", etcd.lease, etcd.lease.count(), 3'600);
    etcd.automatic_promotion_tenure =
        seconds("automatic_promotion_tenure_seconds", etcd.automatic_promotion_tenure, 0, 86'400);
    for (const char* key : {"automatic_promotion_after_seconds", "automatic_promotion_tenure_seconds"}) {
      if (table.Has(key) && !etcd.automatic_promotion) {
        table.Refuse(key, "is of no use without automatic_promotion = true");
      }
    }
  }

  void ReadTopology(TableReader& root) {
    if (!root.Require("regions")) return;
    root.Tables("regions", [&](TableReader& table) {
      RegionConfig region;
      region.name = ReadRegionName(table, "name");
      region.public_url = ReadBaseUrl(table, "public_url");
      if (table.Has("replication")) region.replication = ReadPeer(table, "replication");
      if (Contains(config_.regions, region.name, &RegionConfig::name)) {
        table.Refuse("name", fmt::format("\"{}\" stands here twice", region.name.value()));
      }
      config_.regions.push_back(std::move(region));
    });
    if (!Contains(config_.regions, config_.region, &RegionConfig::name)) {
      root.Refuse("regions", fmt::format("\"{}\" (region) is not among them", config_.region.value()));
    }
  }

  // Those that are gone stand in regions for their public_url alone, and nobody reaches them.
  void CheckLinks(TableReader& root) {
    const auto is_gone = [this](const RegionConfig& region) {
      return std::ranges::find(config_.keys.forgotten_regions, region.name) != config_.keys.forgotten_regions.end();
    };
    if (std::ranges::count_if(config_.regions, std::not_fn(is_gone)) < 2) return;
    if (!root.Has("replication")) root.Refuse("replication", "is missing, and there is more than one Region");
    for (const RegionConfig& region : config_.regions) {
      if (!region.replication && !is_gone(region)) {
        root.Refuse("regions", fmt::format("\"{}\" has no replication address, and keys.forgotten_regions does not "
                                           "name it",
                                           region.name.value()));
      }
    }
  }

  void ReadKeys(TableReader& root) {
    if (root.Require("keys")) {
      root.Table("keys", [&](TableReader& table) {
        enum class Provider { kLocal };
        if (table.Require("provider")) table.OneOf("provider", Provider::kLocal, {{"local", Provider::kLocal}});
        // Made at the first start, so it need not be there.
        const std::string root_key_file = table.RequiredText("root_key_file");
        if (!root_key_file.empty()) config_.keys.root_key_file = folder_ / root_key_file;
        config_.keys.recheck_interval =
            std::chrono::milliseconds(table.Number("recheck_interval_ms", 2000, 100, 60'000));
        table.Table("pkcs11", [&](TableReader& pkcs11) { ReadHsm(pkcs11, config_.keys.hsm.emplace()); });
        table.Table("aws_kms", [&](TableReader& kms) { ReadAwsKms(kms, config_.keys.aws_kms.emplace()); });
        ReadRootKeyProtection(table, config_.keys);
        config_.keys.unreachable_grace = std::chrono::seconds(table.Number("unreachable_grace_s", 10, 0, 86'400));
        config_.keys.rotate_data_keys = std::chrono::days(table.Number("rotate_data_keys_days", 90, 0, 3'650));
        config_.keys.reencrypt_records_per_second =
            static_cast<std::uint64_t>(table.Number("reencrypt_records_per_second", 2000, 0, 10'000'000));
        if (table.Has("forgotten_regions")) {
          for (std::string& name : table.Texts("forgotten_regions")) {
            config_.keys.forgotten_regions.emplace_back(std::move(name));
            const Region& gone = config_.keys.forgotten_regions.back();
            const auto region = std::ranges::find(config_.regions, gone, &RegionConfig::name);
            if (gone == config_.region) {
              table.Refuse("forgotten_regions", fmt::format("\"{}\" is this node's own Region", gone.value()));
            } else if (region != config_.regions.end() && region->replication) {
              table.Refuse("forgotten_regions",
                           fmt::format("\"{}\" has a replication address in regions: take that out, and keep its name "
                                       "and public_url, with which issuers begin",
                                       gone.value()));
            }
          }
        }
      });
    }
    std::vector<std::string> ids;
    root.Tables("access_keys",
                [&](TableReader& table) { config_.access_keys.push_back(ReadAccessKey(table, folder_, ids)); });
    root.Table("iam", [&](TableReader& table) {
      config_.users_file = ReadFilePath(table, "users_file", folder_);
      if (!config_.users_file.empty()) CheckUsers(table, ids);
    });
  }

  void ReadHsm(TableReader& table, HsmConfig& hsm) {
    hsm.module = ReadFilePath(table, "module", folder_);
    hsm.token_label = table.Text("token_label");
    if (hsm.token_label && hsm.token_label->size() > kTokenLabelLimitBytes) {
      table.Refuse("token_label", fmt::format("must be up to {} octets", kTokenLabelLimitBytes));
    }
    if (table.Has("slot")) {
      hsm.slot = static_cast<unsigned long>(table.Number("slot", 0, 0, std::numeric_limits<std::int64_t>::max()));
    }
    if (table.Has("token_label") == table.Has("slot")) {
      table.Refuse("token_label", "must be given, or slot instead of it");
    }
    hsm.pin = ReadSecretSource(table, "pin");
    if (!hsm.pin.given()) table.Refuse("pin_file", "must be given, or pin_env instead of it");
    hsm.timeout = std::chrono::milliseconds(table.Number("timeout_ms", 2000, 100, 30'000));
    hsm.sessions = static_cast<std::size_t>(table.Number("sessions", 4, 1, 64));
  }

  void ReadAwsKms(TableReader& table, AwsKmsConfig& kms) {
    kms.endpoint = ReadBaseUrl(table, "endpoint");
    if (kms.endpoint.starts_with("http://") && !IsOnThisMachine(kms.endpoint)) {
      table.Refuse("endpoint", "must be https, unless it is on this machine (127.0.0.1, [::1] or localhost)");
    }
    kms.region = table.Has("region") ? ReadRegionName(table, "region") : config_.region;
    if (table.Require("accounts")) kms.accounts = table.Texts("accounts");
    for (const std::string& account : kms.accounts) {
      if (!IsAccount(account)) {
        table.Refuse("accounts", "must be account numbers of 12 digits, as in [\"000000000000\"]");
      } else if (account == config_.account && kms.region == config_.region) {
        table.Refuse("accounts", fmt::format("{} is this node's own account, whose keys in {} are local ones", account,
                                             config_.region.value()));
      }
    }
    kms.access_key_id = table.RequiredText("access_key_id");
    kms.secret_access_key = ReadSecret(table, "secret_access_key", folder_);
    if (table.Has("ca_file")) kms.ca_file = ReadFilePath(table, "ca_file", folder_);
    kms.timeout = std::chrono::milliseconds(table.Number("timeout_ms", 2000, 100, 30'000));
  }

  // `key`_file or `key`_env, not both. Nothing is read.
  SecretSource ReadSecretSource(TableReader& table, const std::string& key) {
    const std::string file_key = key + "_file", variable_key = key + "_env";
    SecretSource source;
    if (table.Has(file_key)) source.file = ReadFilePath(table, file_key, folder_);
    source.variable = table.Text(variable_key).value_or("");
    if (table.Has(file_key) && table.Has(variable_key)) {
      table.Refuse(file_key, fmt::format("must be given, or {} instead of it", variable_key));
    }
    if (!source.variable.empty() && ::getenv(source.variable.c_str()) == nullptr) {
      table.Refuse(variable_key, fmt::format("there is no environment variable {}", source.variable));
    }
    return source;
  }

  void ReadRootKeyProtection(TableReader& table, KeysConfig& keys) {
    keys.root_passphrase = ReadSecretSource(table, "root_passphrase");
    if (table.Has("root_passphrase_fd")) {
      if (keys.root_passphrase.given()) table.Refuse("root_passphrase_fd", "is one place too many for the passphrase");
      keys.root_passphrase = {.descriptor = static_cast<int>(table.Number("root_passphrase_fd", 0, 0, 1'000'000))};
    }
    keys.root_key_cmk = table.Text("root_key_cmk").value_or("");
    if (keys.root_key_cmk.empty()) return;
    if (keys.root_passphrase.given()) table.Refuse("root_key_cmk", "is of no use beside a passphrase");
    const auto arn = keys::ParseKeyArn(keys.root_key_cmk);
    const bool in_hsm = arn && keys.hsm && arn->key_id.starts_with(keys::pkcs11::kKeyIdPrefix);
    const bool in_kms = arn && keys.aws_kms && arn->region == keys.aws_kms->region &&
                        Contains(keys.aws_kms->accounts, arn->account, std::identity());
    if (!in_hsm && !in_kms) {
      table.Refuse("root_key_cmk", "must be the ARN of a key that [keys.pkcs11] or [keys.aws_kms] serves");
    }
  }

  void CheckUsers(TableReader& table, const std::vector<std::string>& root_ids) const {
    const auto users = LoadUsers(config_.users_file);
    if (!users) {
      for (const auto& [line, reason] : users.error()) {
        table.Refuse("users_file", fmt::format("{}:{}: {}", config_.users_file.string(), line, reason));
      }
      return;
    }
    for (const UserConfig& user : users->users) {
      for (const AccessKeyConfig& key : user.access_keys) {
        if (!Contains(root_ids, key.id, std::identity())) continue;
        table.Refuse("users_file",
                     fmt::format("\"{}\" of user \"{}\" is one of [[access_keys]], too", key.id, user.name));
      }
    }
  }

  void ReadHttp(TableReader& table) {
    HttpConfig& http = config_.http;
    const auto milliseconds = [&](std::string_view key, std::chrono::milliseconds otherwise) {
      return std::chrono::milliseconds(table.Number(key, otherwise.count(), 1, 3'600'000));
    };
    http.threads = static_cast<std::size_t>(table.Number("threads", 0, 0, 1024));
    http.connection_limit = static_cast<std::size_t>(table.Number("connection_limit", 10'000, 1, 1'000'000));
    http.header_limit_bytes = static_cast<std::size_t>(table.Number("header_limit_bytes", 16'384, 4096, 1'048'576));
    http.header_timeout = milliseconds("header_timeout_ms", http.header_timeout);
    http.body_timeout = milliseconds("body_timeout_ms", http.body_timeout);
    http.idle_timeout = milliseconds("idle_timeout_ms", http.idle_timeout);
    http.write_timeout = milliseconds("write_timeout_ms", http.write_timeout);
    http.drain_timeout = milliseconds("drain_timeout_ms", http.drain_timeout);
  }

  TlsFiles ReadTls(TableReader& table, bool with_ca) {
    TlsFiles files;
    if (with_ca) files.ca = ReadFilePath(table, "ca", folder_);
    files.certificate = ReadFilePath(table, "certificate", folder_);
    files.key = ReadFilePath(table, "key", folder_);
    return files;
  }

  const std::filesystem::path folder_;
  ConfigProblems problems_;
  Config config_;
};

}  // namespace

std::string ToString(const Endpoint& endpoint) {
  const bool is_v6 = endpoint.host.contains(':');
  return is_v6 ? fmt::format("[{}]:{}", endpoint.host, endpoint.port)
               : fmt::format("{}:{}", endpoint.host, endpoint.port);
}

Result<Config, ConfigProblems> ParseConfig(std::string_view toml, const std::filesystem::path& folder) {
  return ConfigParser(folder).Parse(toml);
}

Result<Config, ConfigProblems> LoadConfig(const std::filesystem::path& file) {
  SYMBOLON_TRY(Bytes text, ReadConfigFile(file));
  auto config = ParseConfig(text, std::filesystem::absolute(file).parent_path());
  Wipe(text.data(), text.size());
  return config;
}

}  // namespace symbolon::node
