#include "node/node.h"

#include <fmt/format.h>

#include <filesystem>
#include <optional>
#include <utility>

#include "base/durable_file.h"
#include "base/log.h"
#include "http/server.h"
#include "node/folders.h"
#include "node/health.h"
#include "node/metrics.h"
#include "node/operations.h"
#include "node/service.h"
#include "storage/incarnation.h"
#include "storage/local_store.h"
#include "storage/memory/memory_engine.h"
#include "storage/rocksdb/rocksdb_engine.h"

namespace symbolon::node {
namespace {

// A scrape reads the head of each pool: so many at most, in the order of their ids.

Result<std::unique_ptr<storage::Engine>, NodeError> OpenEngine(const Config& config) {
  if (config.storage.engine == StorageConfig::Engine::kMemory) return storage::MakeMemoryEngine();
  std::error_code error;
  std::filesystem::create_directories(config.data_dir, error);
  if (error)
    return Err(NodeError{fmt::format("cannot make data_dir {}: {}", config.data_dir.string(), error.message())});
  const std::filesystem::path folder = config.data_dir / "store";
  auto engine = storage::OpenRocksDb({.directory = folder.string()});
  if (!engine) {
    return Err(NodeError{fmt::format("cannot open the store in {}: {}", folder.string(), engine.error().detail)});
  }
  return *std::move(engine);
}

Result<void, NodeError> Renew(storage::Engine& engine, Random& random) {
  const auto renewed = storage::RenewIncarnation(engine, random);
  if (!renewed) return Err(NodeError{"the store cannot be marked as restored: " + renewed.error().detail});
  return {};
}

http::ServerOptions ServerOptionsOf(const HttpConfig& config) {
  return {.thread_count = config.threads,
          .connection_limit = config.connection_limit,
          .header_limit_bytes = config.header_limit_bytes,
          .header_timeout = config.header_timeout,
          .body_timeout = config.body_timeout,
          .idle_timeout = config.idle_timeout,
          .write_timeout = config.write_timeout};
}

}  // namespace

// In the order in which they start; they end in the opposite one.
class Node::Parts {
 public:
  Parts(Config config, Clock& clock, Random& random)
      : config_(std::move(config)),
        clock_(clock),
        random_(random),
        metrics_(config_.region),
        pages_(health_, metrics_),
        server_(ServerOptionsOf(config_.http), clock) {}

  Result<void, NodeError> Start() {
    // 1. Take the ports first: whoever starts a node twice shall hear that, not that the store is in use.
    SYMBOLON_TRY_VOID(Listen());
    // 2. Open what is on the disk.
    SYMBOLON_TRY_VOID(OpenStore());
    // 3. What makes an identity service of it.
    SYMBOLON_TRY(service_, Service::Open(config_, *store_, metrics_, clock_, random_));
    pages_.Add("/replication", [this](const http::Request&) { return JsonPage(service_->ReplicationJson()); });
    pages_.Add("/domains", [this](const http::Request&) { return service_->Domains(); });
    if (config_.outbox) {
      pages_.AddForLoopback("/outbox", [this](const http::Request& request) { return service_->Outbox(request); });
    }
    // 4. Serve.
    Observe();
    server_.Start();
    log::Info("{}: API on {}, operations on {}", config_.region.value(), ToString({config_.api.listen.host, api_port_}),
              ToString({config_.operations.host, operations_port_}));
    if (config_.access_keys.empty() && config_.users_file.empty()) {
      log::Warning("no [[access_keys]]: nobody can make administrative calls");
    }
    if (config_.storage.engine == StorageConfig::Engine::kMemory) {
      log::Warning("storage.engine is \"memory\": everything is forgotten when the process ends");
    }
    return {};
  }

  void ReloadUsers() { service_->ReloadUsers(); }
  void Stop() { server_.Stop(config_.http.drain_timeout); }

  std::uint16_t api_port() const { return api_port_; }
  std::uint16_t operations_port() const { return operations_port_; }

 private:
  Result<void, NodeError> Listen() {
    http::ListenerOptions api{.address = config_.api.listen.host, .port = config_.api.listen.port};
    api.handler = [this](http::Request request) { return service_->HandleApi(std::move(request)); };
    api.body_limit_bytes = Service::ApiBodyLimitBytes;
    if (config_.api.tls) {
      api.tls = http::TlsOptions{.certificate_file = config_.api.tls->certificate.string(),
                                 .key_file = config_.api.tls->key.string()};
    }
    SYMBOLON_TRY(api_port_, ListenAs("api", std::move(api)));
    http::ListenerOptions operations{.address = config_.operations.host, .port = config_.operations.port};
    operations.handler = [this](http::Request request) { return pages_.Handle(std::move(request)); };
    operations.body_limit_bytes = [](const http::Request&) -> std::size_t { return 0; };
    SYMBOLON_TRY(operations_port_, ListenAs("operations", std::move(operations)));
    return {};
  }

  Result<std::uint16_t, NodeError> ListenAs(std::string_view section, http::ListenerOptions options) {
    auto port = server_.Listen(std::move(options));
    if (!port) return Err(NodeError{fmt::format("[{}]: {}", section, port.error().message)});
    return *port;
  }

  Result<void, NodeError> OpenStore() {
    SYMBOLON_TRY(auto engine, OpenEngine(config_));
    auto store =
        storage::LocalStore::Open(std::move(engine), {.region = config_.region, .clock = &clock_, .random = &random_});
    if (!store) return Err(NodeError{fmt::format("cannot open the store: {}", store.error().detail)});
    store_ = *std::move(store);
    committer_.emplace(*store_);
    return {};
  }

  void Observe() {
    health_.AddCheck("store", [this]() -> std::optional<std::string> {
      if (store_->accepts_writes()) return std::nullopt;
      return "refuses writes after one whose outcome is not known; restart the node";
    });
    health_.AddCheck("audit", [this] { return service_->AuditTrouble(); });
    commits_ = store_->Subscribe([this](const storage::Notice&) { metrics_.CountCommit(); });
    metrics_.SetHttpCounters(server_.counters());
    metrics_.AddSource([this](Metrics::Readings& readings) { Read(readings); });
  }

  void Read(Metrics::Readings& readings) const {
    readings.ready = health_.Readiness().ready();
    const auto snapshot = store_->MakeSnapshot();
    const auto pools = snapshot->Pools(std::nullopt, Metrics::kPoolsMax);
    if (!pools) return;
    for (const PoolId& pool : *pools) {
      const auto head = snapshot->Head(pool);
      if (!head || !*head) continue;
      const auto kept = store_->MeasureLog(pool);
      if (!kept) continue;
      readings.log_positions.push_back(
          {pool, (*head)->epoch().counter(), (*head)->sequence(), kept->entries, kept->bytes});
    }
  }

  const Config config_;
  Clock& clock_;
  Random& random_;
  Health health_;
  Metrics metrics_;
  OperationsPages pages_;
  std::unique_ptr<storage::LocalStore> store_;
  std::optional<storage::CommitterThread> committer_;
  std::unique_ptr<storage::Subscription> commits_;
  std::unique_ptr<Service> service_;
  // Last: its handlers use all of the above.
  http::Server server_;
  std::uint16_t api_port_ = 0;
  std::uint16_t operations_port_ = 0;
};

Result<std::unique_ptr<Node>, NodeError> Node::Start(Config config, Clock& clock, Random& random) {
  auto parts = std::make_unique<Parts>(std::move(config), clock, random);
  SYMBOLON_TRY_VOID(parts->Start());
  return std::unique_ptr<Node>(new Node(std::move(parts)));
}

Node::Node(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Node::~Node() { Stop(); }
void Node::Stop() { parts_->Stop(); }
void Node::ReloadUsers() { parts_->ReloadUsers(); }
std::uint16_t Node::api_port() const { return parts_->api_port(); }
std::uint16_t Node::operations_port() const { return parts_->operations_port(); }

Result<void, NodeError> MarkRestored(const Config& config, Random& random) {
  if (config.storage.engine != StorageConfig::Engine::kRocksDb) {
    return Err(NodeError{"storage.engine keeps nothing that could be restored"});
  }
  SYMBOLON_TRY(const auto engine, OpenEngine(config));
  SYMBOLON_TRY_VOID(Renew(*engine, random));
  const auto noted = WriteFileDurably(RestoredNoteOf(config), "");
  if (!noted) return Err(NodeError{"the restore cannot be noted for the audit trail: " + noted.error().detail});
  return {};
}

}  // namespace symbolon::node
