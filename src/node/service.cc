#include "node/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "auth/access_tokens.h"
#include "auth/token_signer.h"
#include "base/log.h"
#include "cognito/replication_shapes.h"
#include "crypto/rsa_reservoir.h"
#include "delivery/outbox.h"
#include "directory/env.h"
#include "directory/record_cache.h"
#include "directory/routes.h"
#include "http/blocking.h"
#include "http/sigv4.h"
#include "keys/keyring.h"
#include "keys/local/local_key_provider.h"
#include "kms_api/call.h"
#include "model/own_tables.h"
#include "node/access_keys.h"
#include "node/api.h"
#include "node/domains_page.h"
#include "node/forwarded_requests.h"
#include "node/housekeeping.h"
#include "node/key_link.h"
#include "node/operations.h"
#include "oauth/form.h"
#include "replication/etcd/etcd_registers.h"
#include "replication/grpc/grpc_transport.h"
#include "replication/replicator.h"
#include "replication/suffix_file.h"
#include "replication/verifier.h"
#include "replication/verify_sessions.h"
#include "wire/serialise.h"

namespace symbolon::node {
namespace {

// Four pools' worth, made while nobody waits.
constexpr std::size_t kSpareRsaKeys = 8;
constexpr std::size_t kBlockingThreads = 4;
constexpr std::size_t kBlockingQueue = 256;
constexpr std::size_t kFactsForgottenAtOnce = 1'000;
constexpr std::size_t kPoolsAtOnce = 100;

directory::RegionSettings SettingsOf(const Config& config) {
  directory::RegionSettings settings{.region = config.region,
                                     .account = config.account,
                                     .public_urls = {},
                                     .neutral_url = config.neutral_url,
                                     .can_deliver = config.outbox};
  for (const RegionConfig& region : config.regions) settings.public_urls.emplace(region.name, region.public_url);
  settings.public_urls.emplace(config.region, config.api.public_url);
  if (settings.neutral_url.empty()) settings.neutral_url = config.api.public_url;
  return settings;
}

std::vector<std::string> RegionNames(const directory::RegionSettings& settings) {
  std::vector<std::string> names;
  for (const auto& [region, url] : settings.public_urls) names.push_back(region.value());
  return names;
}

std::vector<AccessKeyConfig> CloneKeys(const std::vector<AccessKeyConfig>& keys) {
  std::vector<AccessKeyConfig> clones;
  for (const AccessKeyConfig& key : keys) clones.push_back({.id = key.id, .secret = key.secret.Clone()});
  return clones;
}

model::ApiError TranslatePromotion(const replication::ControlError& error, const Region& to) {
  using Code = replication::ControlErrorCode;
  switch (error.code) {
    case Code::kNotMember:
      return {model::ErrorCode::kResourceNotFoundException,
              fmt::format("The user pool has no replica in Region {}.", to.value())};
    case Code::kWrongState:
      return {model::ErrorCode::kInvalidParameterException,
              fmt::format("The replica in Region {} is {}, which does not allow this.", to.value(), error.detail)};
    case Code::kRefused:
      return {model::ErrorCode::kOperationNotEnabledException,
              fmt::format("The primary Region has not changed: {}.", error.detail)};
    case Code::kNotPrimary:
    case Code::kUnavailable:
      return {model::ErrorCode::kServiceUnavailableException,
              fmt::format("Whether the primary Region has changed is not known yet: {}.", error.detail)};
  }
  return {model::ErrorCode::kInternalErrorException, "Something went wrong."};
}

Result<std::string, NodeError> ReadFile(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
  if (!stream) return Err(NodeError{fmt::format("cannot read {}", file.string())});
  return text;
}

// What outlives the process, beside the store.
std::filesystem::path FolderOf(const Config& config, std::string_view name) {
  return (config.data_dir.empty() ? config.keys.root_key_file.parent_path() : config.data_dir) / name;
}

class RequestMetrics final : public cognito::Observer {
 public:
  explicit RequestMetrics(Metrics& metrics) : metrics_(metrics) {}
  void OnRequest(const model::OperationFacts& operation, std::string_view outcome, std::chrono::nanoseconds duration,
                 std::size_t unknown_members) override {
    metrics_.CountRequest(operation.name, outcome, duration, unknown_members);
  }
  void OnForwarded(replication::ForwardOutcome outcome) override { metrics_.CountForwarded(outcome); }

 private:
  Metrics& metrics_;
};

}  // namespace

// In the order in which they start; they end in the opposite one.
class Service::Parts {
 public:
  Parts(const Config& config, storage::Store& store, Metrics& metrics, Clock& clock, Random& random)
      : config_(config),
        store_(store),
        clock_(clock),
        random_(random),
        settings_(SettingsOf(config)),
        observer_(metrics),
        access_keys_(CloneKeys(config.access_keys)),
        signatures_(RegionNames(settings_), access_keys_, clock),
        rsa_keys_(kSpareRsaKeys),
        blocking_(kBlockingThreads, kBlockingQueue),
        forwarded_(config.http.threads) {
    metrics.AddSource([this](Metrics::Readings& readings) {
      readings.signatures += signer_.signature_count();
      ReadReplication(readings);
    });
  }

  // What requests of other Regions wait for must answer still.
  ~Parts() { forwarded_.Close(); }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Result<void, NodeError> Open() {
    SYMBOLON_TRY_VOID(OpenKeys());
    auto routes = directory::Routes::Open(store_);
    if (!routes) return Err(NodeError{fmt::format("cannot read the directory: {}", routes.error().detail)});
    routes_ = *std::move(routes);
    records_.Follow(store_);
    key_notices_ = store_.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
    SYMBOLON_TRY_VOID(StartReplication());
    commits_.emplace(store_, replicator_ ? &replicator_->durability_gate() : nullptr,
                     replicator_ ? replicator_->write_lease() : nullptr);
    replication::PositionGate* const positions = replicator_ ? &replicator_->position_gate() : nullptr;
    const auto position_wait = config_.replication ? config_.replication->position_wait : std::chrono::milliseconds(0);
    api_.emplace(
        cognito::Services{
            .store = store_,
            .keys = *keyring_,
            .routes = *routes_,
            .records = records_,
            .region = settings_,
            .signatures = signatures_,
            .access_tokens = access_tokens_,
            .signer = signer_,
            .rsa_keys = rsa_keys_,
            .blocking = blocking_,
            .clock = clock_,
            .random = random_,
            .observer = observer_,
            .call_key_service =
                [this](const model::OperationFacts& operation, const wire::Request& request) {
                  return kms_api::Serve(*key_calls_, operation, request);
                },
            .replication_status =
                replicator_ ? [this](const PoolId& pool) { return StatusOf(pool); } : cognito::ReplicationStatusOf(),
            .commits = *commits_,
            .positions = positions,
            .position_wait = position_wait,
            .promote = replicator_ ? [this](const cognito::PromotionRequest& request,
                                            auto done) { Promote(request, std::move(done)); }
                                   : cognito::Promote(),
            .write_gate = replicator_ ? &replicator_->write_gate() : nullptr,
            .suffixes = replicator_ ? &suffixes_ : nullptr,
            .forward = replicator_ ? [this](const PoolId& pool, const Region& primary, Bytes request,
                                            auto done) { Forward(pool, primary, std::move(request), std::move(done)); }
                                   : cognito::ForwardRequest(),
            .forward_writes = config_.replication && config_.replication->forward_writes,
            .verifier = verifier_ ? &*verifier_ : nullptr},
        oauth::Endpoints::Services{.store = store_,
                                   .keys = *keyring_,
                                   .routes = *routes_,
                                   .records = records_,
                                   .region = settings_,
                                   .signer = signer_,
                                   .clock = clock_,
                                   .random = random_,
                                   .positions = positions,
                                   .position_wait = position_wait});
    forwarded_.Open([this](Region from, PoolId pool, http::Request request) {
      return api_->HandleForwarded(std::move(from), std::move(pool), std::move(request));
    });
    StartHousekeeping();
    return {};
  }

  std::string Replication() {
    std::string json;
    if (replicator_) {
      for (replication::ReplicationStatus& status : replicator_->Statuses()) {
        status.forwards_writes = config_.replication->forward_writes;
        status.verification = verifier_->Last(status.pool);
        const auto shown = cognito::DescribeReplicationOf(status, config_.region);
        json += (json.empty() ? "" : ",") + wire::Serialise(model::own::shapes::kDescribeReplicationResponse, &shown);
      }
    }
    return "{\"Pools\":[" + json + "]}";
  }

  http::Response Domains() const {
    auto domains = DomainsJson(store_, config_.region);
    if (domains) return JsonPage(*std::move(domains));
    log::Error("the domains cannot be read: {}", domains.error().detail);
    return JsonPage(R"({"message":"The domains cannot be read."})", 500);
  }

  boost::asio::awaitable<http::Response> HandleApi(http::Request request) { return api_->Handle(std::move(request)); }

  http::Response Outbox(const http::Request& request) const {
    delivery::OutboxFilter filter;
    auto query = oauth::ParseForm(request.query());
    if (!query) return JsonPage(R"({"message":"The query is not well-formed."})", 400);
    for (auto& [name, value] : *query) {
      if (name == "pool") {
        filter.pool = PoolId(std::move(value));
      } else if (name == "username") {
        filter.username = std::move(value);
      } else if (name == "after") {
        filter.after = std::move(value);
      } else {
        return JsonPage(R"({"message":"Parameters: pool, username, after."})", 400);
      }
    }
    const auto snapshot = store_.MakeSnapshot();
    const auto keys_of = [&](const PoolId& pool) { return keyring_->KeysOf(*snapshot, pool).value_or(nullptr); };
    auto messages = delivery::ReadOutbox(*snapshot, keys_of, filter);
    if (messages) return JsonPage(*std::move(messages));
    if (messages.error().code == delivery::OutboxErrorCode::kBadCursor)
      return JsonPage(R"({"message":"Unknown after."})", 400);
    log::Error("the outbox cannot be read: {}", messages.error().detail);
    return JsonPage(R"({"message":"The outbox cannot be read."})", 500);
  }

 private:
  Result<void, NodeError> OpenKeys() {
    const std::filesystem::path folder = FolderOf(config_, "keys");
    auto provider = keys::local::LocalKeyProvider::Open({.directory = folder,
                                                         .root_key_file = config_.keys.root_key_file,
                                                         .region = config_.region,
                                                         .account = config_.account},
                                                        clock_, random_);
    if (!provider)
      return Err(NodeError{fmt::format("cannot open the keys in {}: {}", folder.string(), provider.error().detail)});
    provider_ = *std::move(provider);
    const auto owned = provider_->EnsureServiceOwnedKey();
    if (!owned) return Err(NodeError{fmt::format("cannot make the service's own key: {}", owned.error().detail)});
    keyring_.emplace(
        *provider_,
        keys::Keyring::Options{.region = config_.region,
                               .account = config_.account,
                               .service_owned_key_arn = *owned,
                               .recheck_interval = config_.keys.recheck_interval,
                               .on_change = [this](const PoolId& pool, bool locked) { OnLock(pool, locked); }},
        clock_, random_);
    key_calls_.emplace(*provider_, key_link_, config_.region, config_.account);
    provider_->SetChangeListener([this](const std::string& key_arn) { keyring_->Recheck(key_arn); });
    return {};
  }

  // Other Regions, if the configuration names any.
  Result<void, NodeError> StartReplication() {
    if (!config_.replication) return {};
    replication::grpc_link::TransportOptions options{.listen = ToString(config_.replication->listen)};
    std::vector<Region> peers;
    for (const RegionConfig& region : config_.regions) {
      if (region.name == config_.region || !region.replication) continue;
      peers.push_back(region.name);
      options.peers.emplace(region.name, ToString(*region.replication));
    }
    const TlsFiles& tls = config_.replication->tls;
    SYMBOLON_TRY(options.ca_pem, ReadFile(tls.ca));
    SYMBOLON_TRY(options.certificate_pem, ReadFile(tls.certificate));
    SYMBOLON_TRY(options.key_pem, ReadFile(tls.key));
    replication::Options replication;
    replication.durability_wait_limit = config_.replication->durability_wait;
    replication.copy_bytes_per_second = config_.replication->copy_mib_per_second << 20;
    replication.kept_entries_max = config_.replication->log_entries_max;
    replication.kept_entries_min = std::min(replication.kept_entries_min, replication.kept_entries_max);
    replication.kept_bytes_max = config_.replication->log_mib_max << 20;
    SYMBOLON_TRY(auto authority, MakeAuthority());
    verify_sessions_.emplace(store_, clock_);
    verify_thread_.emplace(*verify_sessions_);
    replicator_.emplace(
        store_, clock_, random_, peers, replication,
        std::make_unique<replication::grpc_link::GrpcTransport>(std::move(options)), suffixes_,
        [this](const Region& from, const replication::pb::ControlRequest& request) {
          if (request.has_may_lead()) return MayLead(PoolId(request.may_lead()));
          if (request.has_verify()) return verify_sessions_->Answer(from, request.verify());
          return AnswerKeyRequest(*provider_, from, request);
        },
        std::move(authority));
    replicator_->ServeForwarded(
        [this](const Region& from, replication::pb::ControlRequest::Forward request, auto answer) {
          forwarded_.Answer(from, std::move(request), std::move(answer));
        });
    if (auto started = replicator_->Start(); !started)
      return Err(NodeError{"[replication]: " + started.error().detail});
    verifier_.emplace(
        store_, clock_, random_, *verify_sessions_, std::move(peers),
        replication::Verifier::Options{.interval = config_.replication->verify_interval,
                                       .records_per_second = config_.replication->verify_records_per_second},
        [this](const Region& peer, const replication::pb::ControlRequest& request) {
          return replicator_->Ask(peer, request);
        });
    return {};
  }

  // nullopt: the operator alone decides who is primary.
  Result<std::optional<replication::ReplicatorAuthority>, NodeError> MakeAuthority() {
    using std::chrono::milliseconds;
    if (!config_.replication->etcd) return std::nullopt;
    const EtcdConfig& etcd = *config_.replication->etcd;
    replication::etcd::EtcdOptions options{.key_prefix = etcd.key_prefix};
    for (const Endpoint& endpoint : etcd.endpoints) options.endpoints.push_back(ToString(endpoint));
    SYMBOLON_TRY(options.ca_pem, ReadFile(etcd.tls.ca));
    SYMBOLON_TRY(options.certificate_pem, ReadFile(etcd.tls.certificate));
    SYMBOLON_TRY(options.key_pem, ReadFile(etcd.tls.key));
    options.call_limit = std::clamp(milliseconds(etcd.lease) / 6, milliseconds(500), milliseconds(1'000));
    replication::ReplicatorAuthority authority{
        .key_prefix = etcd.key_prefix, .may_lead = [this](const PoolId& pool) { return MayLead(pool).has_value(); }};
    authority.options.lease = etcd.lease;
    authority.options.margin = etcd.lease_margin;
    authority.options.renew_interval = milliseconds(etcd.lease) / 4;
    authority.options.read_interval = std::min(milliseconds(etcd.lease) / 10, milliseconds(1'000));
    authority.options.automatic_promotion = etcd.automatic_promotion;
    authority.options.automatic_promotion_after = etcd.automatic_promotion_after;
    authority.registers = std::make_unique<replication::etcd::EtcdRegisters>(std::move(options));
    return authority;
  }

  replication::ControlResult<Bytes> AskPeer(const Region& target, const replication::pb::ControlRequest& request) {
    if (replicator_) return replicator_->Ask(target, request);
    return Err(replication::ControlError{replication::ControlErrorCode::kNotMember, "no Region " + target.value()});
  }

  // A Region that cannot open the pool could not serve it.
  replication::ControlResult<Bytes> MayLead(const PoolId& pool) {
    const auto keys = keyring_->KeysOf(*store_.MakeSnapshot(), pool);
    if (keys) return Bytes();
    return Err(replication::ControlError{
        replication::ControlErrorCode::kRefused,
        fmt::format("Region {} cannot open the pool: {}", config_.region.value(), keys.error().message)});
  }

  std::optional<replication::ReplicationStatus> StatusOf(const PoolId& pool) {
    auto status = replicator_->Status(pool);
    if (!status) return status;
    status->forwards_writes = config_.replication->forward_writes;
    status->verification = verifier_->Last(pool);
    return status;
  }

  void Promote(const cognito::PromotionRequest& request,
               std::function<void(model::ApiResult<replication::Promoted>)> done) {
    auto translated = [done = std::move(done),
                       to = request.to](replication::ControlResult<replication::Promoted> result) {
      if (result) return done(*std::move(result));
      done(Err(TranslatePromotion(result.error(), to)));
    };
    if (request.force) {
      replicator_->TakeOver(request.pool, request.accept_loss, std::move(translated));
    } else {
      replicator_->HandOver(request.pool, request.to, std::move(translated));
    }
  }

  void Forward(const PoolId& pool, const Region& primary, Bytes request,
               std::function<void(replication::Forwarded)> done) {
    replicator_->Forward(pool, primary, std::move(request), config_.replication->forward_timeout, std::move(done));
  }

  void ReadReplication(Metrics::Readings& readings) {
    if (!replicator_) return;
    const auto add_copy = [&](const PoolId& pool, const Region& region, const replication::CopyProgress& copy) {
      readings.copies.push_back({.pool = pool,
                                 .region = region,
                                 .records = copy.records,
                                 .record_count = copy.record_count,
                                 .bytes = copy.bytes,
                                 .byte_count = copy.byte_count,
                                 .remaining = copy.remaining});
    };
    readings.replication = replicator_->Counters();
    readings.authority = replicator_->AuthorityStatusNow();
    for (const replication::ReplicationStatus& status : replicator_->Statuses()) {
      if (const auto verified = verifier_->LastWhole(status.pool)) {
        readings.verifications.push_back(
            {.pool = status.pool, .ended = verified->ended, .differences = verified->difference_count});
      }
      readings.admissions.push_back({status.pool, status.admits_writes});
      if (status.copy) add_copy(status.pool, config_.region, *status.copy);
      const bool waits = status.durability.mode != replication::pb::ASYNC && !status.members.empty();
      if (waits) readings.reaches.push_back({.pool = status.pool, .out_of_reach = status.out_of_reach});
      for (const replication::MemberStatus& member : status.members) {
        if (member.copy) add_copy(status.pool, member.region, *member.copy);
        Metrics::Readings::Replica& replica = readings.replicas.emplace_back();
        replica.pool = status.pool;
        replica.region = member.region;
        replica.lag_entries = member.lag_entries;
        replica.lag_time = member.lag_time;
        if (member.acknowledged) replica.acknowledged_sequence = member.acknowledged->sequence();
      }
    }
    const auto writes = replicator_->durability_gate().counters();
    readings.durability_writes = {.confirmed = writes.confirmed,
                                  .fell_back = writes.fell_back,
                                  .unconfirmed = writes.unconfirmed,
                                  .refused = writes.refused};
    for (const replication::PeerStatus& peer : replicator_->Peers()) {
      readings.peers.push_back({.region = peer.region, .connected = peer.dialled, .last_contact = peer.last_contact});
    }
  }

  void OnLock(const PoolId& pool, bool locked) {
    log::Warning("pool {} is {}", pool.value(), locked ? "locked: its key was withdrawn" : "open again");
    if (locked) records_.Forget(pool);
  }

  // Opened keys follow their wrapped ones: a copy may have replaced the pool, or a deletion removed it.
  void OnNotice(const storage::Notice& notice) {
    const bool keys_changed =
        notice.everything || std::ranges::any_of(notice.keys, [](const storage::Key& key) {
          return key.space == storage::Space::kDirectory && key.type == keys::kWrappedKeysRecordType;
        });
    if (!keys_changed) return;
    keyring_->Invalidate(notice.pool);
    records_.Forget(notice.pool);
    access_tokens_.Forget(notice.pool);
  }

  void StartHousekeeping() {
    std::vector<Housekeeping::Task> tasks;
    tasks.push_back({.interval = std::max(config_.keys.recheck_interval / 4, std::chrono::milliseconds(10)),
                     .run = [this] { keyring_->Tick(); }});
    tasks.push_back({.interval = std::chrono::seconds(10), .run = [this] { ForgetExpiredFacts(); }});
    tasks.push_back({.interval = std::chrono::seconds(10), .run = [this] { SweepOutbox(); }});
    housekeeping_.emplace(std::move(tasks));
  }

  // Without other Regions nobody lacks an earlier statement.
  void CompactFactsHere() {
    std::optional<PoolId> after;
    while (true) {
      const auto snapshot = store_.MakeSnapshot();
      const auto pools = snapshot->Pools(after, kPoolsAtOnce);
      if (!pools) log::Error("pools cannot be listed: {}", pools.error().detail);
      if (!pools || pools->empty()) return;
      for (const PoolId& pool : *pools) {
        const auto dropped = snapshot->Facts(pool).and_then(
            [&](const auto& own) { return store_.CompactFacts(pool, own, kFactsForgottenAtOnce); });
        if (!dropped) log::Error("fact logs of pool {} are not compacted: {}", pool.value(), dropped.error().detail);
      }
      after = pools->back();
    }
  }

  void ForgetExpiredFacts() {
    if (!replicator_) CompactFactsHere();
    while (true) {
      const auto forgotten = store_.ForgetExpiredFacts(clock_.Now(), kFactsForgottenAtOnce);
      if (!forgotten) log::Error("expired facts cannot be removed: {}", forgotten.error().detail);
      if (!forgotten || *forgotten < kFactsForgottenAtOnce) return;
    }
  }

  void SweepOutbox() {
    auto sweep = delivery::PlanOutboxSweep(*store_.MakeSnapshot());
    if (!sweep) {
      log::Error("the outbox cannot be swept: {}", sweep.error().detail);
      return;
    }
    if (!*sweep) return;
    store_.Submit(**std::move(sweep), [](const storage::StoreResult<storage::Committed>& done) {
      if (!done) log::Error("the outbox cannot be swept: {}", done.error().detail);
    });
  }

  const Config& config_;
  storage::Store& store_;
  Clock& clock_;
  Random& random_;
  const directory::RegionSettings settings_;
  RequestMetrics observer_;
  const ConfiguredAccessKeys access_keys_;
  http::SigV4Verifier signatures_;
  auth::AccessTokenVerifier access_tokens_;
  auth::TokenSigner signer_;
  directory::RecordCache records_;
  crypto::RsaReservoir rsa_keys_;
  http::BlockingPool blocking_;
  replication::SuffixFolder suffixes_{FolderOf(config_, "set_aside"), keys::kWrappedKeysRecordType};
  std::unique_ptr<keys::local::LocalKeyProvider> provider_;
  mutable std::optional<keys::Keyring> keyring_;
  KeyLink key_link_{[this](const Region& target, const replication::pb::ControlRequest& request) {
    return AskPeer(target, request);
  }};
  std::optional<kms_api::Call> key_calls_;
  std::unique_ptr<directory::Routes> routes_;
  std::unique_ptr<storage::Subscription> key_notices_;
  ForwardedRequests forwarded_;
  // Before the replicator, which hands them what other Regions ask.
  std::optional<replication::VerifySessions> verify_sessions_;
  std::optional<replication::VerifySessionsThread> verify_thread_;
  std::optional<replication::Replicator> replicator_;
  std::optional<replication::Verifier> verifier_;
  std::optional<replication::DurableCommits> commits_;
  std::optional<Api> api_;
  std::optional<Housekeeping> housekeeping_;
};

Result<std::unique_ptr<Service>, NodeError> Service::Open(const Config& config, storage::Store& store, Metrics& metrics,
                                                          Clock& clock, Random& random) {
  auto parts = std::make_unique<Parts>(config, store, metrics, clock, random);
  SYMBOLON_TRY_VOID(parts->Open());
  return std::unique_ptr<Service>(new Service(std::move(parts)));
}

Service::Service(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Service::~Service() = default;

boost::asio::awaitable<http::Response> Service::HandleApi(http::Request request) {
  return parts_->HandleApi(std::move(request));
}
std::size_t Service::ApiBodyLimitBytes(const http::Request& head) { return Api::BodyLimitBytes(head); }
std::string Service::ReplicationJson() { return parts_->Replication(); }
http::Response Service::Domains() const { return parts_->Domains(); }
http::Response Service::Outbox(const http::Request& request) const { return parts_->Outbox(request); }

}  // namespace symbolon::node
