#include "node/federation.h"

#include <cstdint>

#include "federation/absorption.h"
#include "federation/curl_fetcher.h"
#include "node/housekeeping.h"

namespace symbolon::node {
namespace {

constexpr std::size_t kProviderThreads = 8;
constexpr std::size_t kProviderQueue = 128;
constexpr std::chrono::milliseconds kAbsorptionInterval{200};

std::optional<std::uint64_t> HeldByAll(const decltype(Federation::Services::status)& status_of, const PoolId& pool,
                                       const storage::pb::Epoch& epoch) {
  if (!status_of) return UINT64_MAX;
  const auto status = status_of(pool);
  return status ? replication::HeldByAll(*status, epoch) : std::nullopt;
}

}  // namespace

class Federation::Parts {
 public:
  Parts(const FederationConfig& config, Services services)
      : fetcher_({.ca_file = config.ca_file, .allow_loopback = config.loopback_providers, .timeout = config.timeout}),
        client_(fetcher_, services.clock),
        threads_(kProviderThreads, kProviderQueue),
        absorption_({.store = services.store,
                     .keys = services.keys,
                     .records = services.records,
                     .region = services.region,
                     .commits = services.commits,
                     .gate = services.gate,
                     .client = client_,
                     .clock = services.clock,
                     .random = services.random,
                     .everybody_has = [status = std::move(services.status)](
                                          const PoolId& pool,
                                          const storage::pb::Epoch& epoch) { return HeldByAll(status, pool, epoch); }}),
        housekeeping_({{.interval = kAbsorptionInterval, .run = [this] { absorption_.Tick(); }}}) {}
  ~Parts() { absorption_.Stop(); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  federation::CurlFetcher fetcher_;
  federation::OidcClient client_;
  http::BlockingPool threads_;
  federation::Absorption absorption_;
  // Last: it works with the rest.
  Housekeeping housekeeping_;
};

Federation::Federation(const FederationConfig& config, Services services)
    : parts_(std::make_unique<Parts>(config, std::move(services))) {}
Federation::~Federation() = default;

federation::OidcClient& Federation::providers() { return parts_->client_; }
http::BlockingPool& Federation::threads() { return parts_->threads_; }
void Federation::Read(Metrics::Readings& readings) const {
  const federation::Absorption::Counters counters = parts_->absorption_.counters();
  readings.first_sign_ins = {
      .absorbed = counters.absorbed, .refused = counters.refused, .waiting = counters.waiting, .kept = counters.kept};
}

}  // namespace symbolon::node
