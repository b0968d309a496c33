#include "node/service.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <iterator>

#include "auth/access_tokens.h"
#include "auth/token_signer.h"
#include "base/log.h"
#include "crypto/rsa_reservoir.h"
#include "directory/env.h"
#include "directory/record_cache.h"
#include "directory/routes.h"
#include "http/blocking.h"
#include "http/sigv4.h"
#include "key_life/key_changes.h"
#include "key_life/key_supply.h"
#include "key_life/member.h"
#include "key_life/reencryption.h"
#include "key_life/shredding.h"
#include "node/api.h"
#include "node/audit.h"
#include "node/deleted_pools.h"
#include "node/domains_page.h"
#include "node/erasures.h"
#include "node/federation.h"
#include "node/folders.h"
#include "node/forwarded_requests.h"
#include "node/gone_members.h"
#include "node/housekeeping.h"
#include "node/issuers.h"
#include "node/key_metrics.h"
#include "node/keys.h"
#include "node/operations.h"
#include "node/outbox_page.h"
#include "node/replication_setup.h"
#include "node/replication_view.h"
#include "node/store_upkeep.h"
#include "node/users.h"
#include "replication/grpc/grpc_transport.h"
#include "replication/replicator.h"
#include "replication/suffix_file.h"
#include "replication/verifier.h"
#include "replication/verify_sessions.h"

namespace symbolon::node {
namespace {

// Four pools' worth, made while nobody waits.
constexpr std::size_t kSpareRsaKeys = 8;
// They wait for disks, key services and other Regions: so many that a few slow calls keep no DisableKey waiting.
constexpr std::size_t kBlockingThreads = 16;
constexpr std::size_t kBlockingQueue = 256;
// How often the key service looks what time brings.
constexpr std::chrono::seconds kKeyInterval{1};
// How often it is looked whether pools' data keys are due.
constexpr std::chrono::minutes kKeysTended{10};
constexpr std::chrono::minutes kAuditHeadInterval{1};
// How soon what a role record asks of this Region is done.
constexpr std::chrono::seconds kRolesFollowed{1};

directory::RegionSettings SettingsOf(const Config& config) {
  directory::RegionSettings settings{.region = config.region,
                                     .account = config.account,
                                     .public_urls = {},
                                     .neutral_url = config.neutral_url,
                                     .can_deliver = config.outbox};
  for (const RegionConfig& region : config.regions) settings.public_urls.emplace(region.name, region.public_url);
  settings.public_urls.emplace(config.region, config.api.public_url);
  settings.gone.insert(config.keys.forgotten_regions.begin(), config.keys.forgotten_regions.end());
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
        metrics_(metrics),
        observer_(metrics),
        rsa_keys_(kSpareRsaKeys),
        blocking_(kBlockingThreads, kBlockingQueue),
        forwarded_(config.http.threads) {
    metrics.AddSource([this](Metrics::Readings& readings) {
      readings.signatures += signer_.signature_count();
      keys_->Read(readings);
      if (replication_) replication_->Read(readings);
      if (federation_) federation_->Read(readings);
      readings.users = users_->counters();
      ReadKeys(store_, keys_->keyring(), *reencryption_, clock_.Now(), readings.keys);
    });
  }

  // What requests of other Regions wait for must answer still.
  ~Parts() {
    erasures_.StopThreads();
    forwarded_.Close();
  }
  Parts(const Parts&) = delete;
  Parts& operator=(const Parts&) = delete;

  Result<void, NodeError> Open() {
    SYMBOLON_TRY_VOID(CheckIssuers(store_, settings_));
    SYMBOLON_TRY_VOID(OpenUsers());
    SYMBOLON_TRY(
        keys_,
        NodeKeys::Open({.config = config_,
                        .identities = *users_,
                        .metrics = metrics_,
                        .clock = clock_,
                        .random = random_,
                        .ask = [this](const Region& target, const auto& request) { return AskPeer(target, request); },
                        .on_change = [this](const PoolId& pool, bool locked) { OnLock(pool, locked); },
                        .on_replaced = [this](const PoolId& pool) { ForgetDecrypted(pool); }}));
    auto routes = directory::Routes::Open(store_);
    if (!routes) return Err(NodeError{fmt::format("cannot read the directory: {}", routes.error().detail)});
    routes_ = *std::move(routes);
    records_.Follow(store_);
    key_notices_ = store_.Subscribe([this](const storage::Notice& notice) { OnNotice(notice); });
    SYMBOLON_TRY_VOID(StartReplication());
    commits_.emplace(store_, replicator_ ? &replicator_->durability_gate() : nullptr,
                     replicator_ ? &replicator_->write_lease() : nullptr);
    StartKeyLife();
    StartFollowingRoles();
    StartFederation();
    api_.emplace(PipelineServices(), EndpointServices());
    forwarded_.Open([this](Region from, PoolId pool, http::Request request) {
      return api_->HandleForwarded(std::move(from), std::move(pool), std::move(request));
    });
    StartHousekeeping();
    return {};
  }

  std::string ReplicationJson() const {
    return fmt::format(R"({{"Pools":[{}]}})", replication_ ? replication_->StatusesJson() : "");
  }

  std::optional<std::string> AuditTrouble() const {
    if (!keys_->trail().counters().failing) return std::nullopt;
    return "takes no lines, so that no key is used; see the log";
  }

  http::Response Domains() const {
    auto domains = DomainsJson(store_, config_.region);
    if (domains) return JsonPage(*std::move(domains));
    log::Error("the domains cannot be read: {}", domains.error().detail);
    return JsonPage(R"({"message":"The domains cannot be read."})", 500);
  }

  boost::asio::awaitable<http::Response> HandleApi(http::Request request) { return api_->Handle(std::move(request)); }

  http::Response Outbox(const http::Request& request) const { return OutboxPage(store_, keys_->keyring(), request); }

  void ReloadUsers() { users_->Reload(); }

 private:
  Result<void, NodeError> OpenUsers() {
    auto users = Users::Open(config_.account, CloneKeys(config_.access_keys), config_.users_file);
    if (!users) {
      return Err(NodeError{fmt::format("{}:{}: {}", config_.users_file.string(), users.error().front().line,
                                       users.error().front().reason)});
    }
    users_ = *std::move(users);
    signatures_.emplace(RegionNames(settings_), *users_, clock_);
    return {};
  }

  cognito::Services PipelineServices() {
    return cognito::Services{
        .store = store_,
        .keys = keys_->keyring(),
        .routes = *routes_,
        .records = records_,
        .region = settings_,
        .signatures = *signatures_,
        .identities = *users_,
        .access_tokens = access_tokens_,
        .signer = signer_,
        .rsa_keys = rsa_keys_,
        .blocking = blocking_,
        .clock = clock_,
        .random = random_,
        .observer = observer_,
        .call_key_service = [this](const policy::Caller& caller, const model::OperationFacts& operation,
                                   const wire::Request& request) { return keys_->Serve(caller, operation, request); },
        .check_key = [this](const policy::Caller& caller, const PoolId& pool,
                            const std::string& key_arn) { return keys_->CheckKey(caller, pool, key_arn); },
        .replication_status = replication_ ? [this](const PoolId& pool) { return replication_->StatusOf(pool); }
                                           : cognito::ReplicationStatusOf(),
        .commits = *commits_,
        .positions = positions(),
        .position_wait = position_wait(),
        .promote = replication_ ? [this](const cognito::PromotionRequest& request,
                                         auto done) { replication_->Promote(request, std::move(done)); }
                                : cognito::Promote(),
        .write_gate = replicator_ ? &replicator_->write_gate() : nullptr,
        .suffixes = replicator_ ? &suffixes_ : nullptr,
        .open_wrapped_keys = [this](const PoolId& pool,
                                    BytesView wrapped) { return keys_->OpenWrappedKeys(pool, wrapped); },
        .forward =
            replication_
                ? [this](const PoolId& pool, const Region& primary, Bytes request,
                         auto done) { replication_->Forward(pool, primary, std::move(request), std::move(done)); }
                : cognito::ForwardRequest(),
        .forward_writes = config_.replication && config_.replication->forward_writes,
        .verifier = verifier_ ? &*verifier_ : nullptr,
        .key_life = cognito::KeyLife{.services = *key_life_,
                                     .changes = *key_changes_,
                                     .reencryption = *reencryption_,
                                     .shredding = *shredding_,
                                     .reencryption_rate = config_.keys.reencrypt_records_per_second},
        .erasures = &erasures_.erasures(),
        .audit = &keys_->trail(),
        .keys_of_call = [this](const model::OperationFacts& operation,
                               const wire::Request& request) { return keys_->KeyArnsOf(operation, request); }};
  }

  oauth::Endpoints::Services EndpointServices() {
    return oauth::Endpoints::Services{.store = store_,
                                      .keys = keys_->keyring(),
                                      .routes = *routes_,
                                      .records = records_,
                                      .region = settings_,
                                      .signer = signer_,
                                      .commits = *commits_,
                                      .providers = federation_->providers(),
                                      .provider_threads = federation_->threads(),
                                      .clock = clock_,
                                      .random = random_,
                                      .positions = positions(),
                                      .position_wait = position_wait(),
                                      .gate = replicator_ ? &replicator_->write_gate() : nullptr};
  }

  // nullptr where there are no other Regions.
  replication::PositionGate* positions() { return replicator_ ? &replicator_->position_gate() : nullptr; }
  std::chrono::milliseconds position_wait() const {
    return config_.replication ? config_.replication->position_wait : std::chrono::milliseconds(0);
  }

  // Other Regions, if the configuration names any.
  Result<void, NodeError> StartReplication() {
    if (!config_.replication) return {};
    SYMBOLON_TRY(auto transport, ReadTransportOptions(config_));
    SYMBOLON_TRY(auto authority,
                 OpenAuthority(config_, [this](const PoolId& pool) { return MayLead(pool).has_value(); }));
    const std::vector<Region> peers = OtherRegions(config_);
    verify_sessions_.emplace(store_, clock_);
    verify_thread_.emplace(*verify_sessions_);
    replicator_.emplace(
        store_, clock_, random_, keys_->log_signer(), peers, ReplicationOptionsOf(config_),
        std::make_unique<replication::grpc_link::GrpcTransport>(std::move(transport)), suffixes_,
        [this](const Region& from, const replication::pb::ControlRequest& request) {
          if (request.has_may_lead()) return MayLead(PoolId(request.may_lead()));
          if (request.has_verify()) return verify_sessions_->Answer(from, request.verify());
          if (request.has_pool_keys()) return AnswerAboutPoolKeys(from, request.pool_keys());
          if (request.has_erasure()) return erasures_.Answer(from, request.erasure());
          return keys_->Answer(from, request);
        },
        std::move(authority));
    replicator_->ServeForwarded(
        [this](const Region& from, replication::pb::ControlRequest::Forward request, auto answer) {
          forwarded_.Answer(from, std::move(request), std::move(answer));
        });
    if (auto started = replicator_->Start(); !started)
      return Err(NodeError{"[replication]: " + started.error().detail});
    verifier_.emplace(
        store_, clock_, random_, *verify_sessions_, peers,
        replication::Verifier::Options{.interval = config_.replication->verify_interval,
                                       .records_per_second = config_.replication->verify_records_per_second},
        [this](const Region& peer, const replication::pb::ControlRequest& request) {
          return replicator_->Ask(peer, request);
        });
    replication_.emplace(config_, *replicator_, *verifier_);
    return {};
  }

  replication::ControlResult<Bytes> AskPeer(const Region& target, const replication::pb::ControlRequest& request) {
    if (replicator_) return replicator_->Ask(target, request);
    return Err(replication::ControlError{replication::ControlErrorCode::kNotMember, "no Region " + target.value()});
  }

  replication::ControlResult<Bytes> AnswerAboutPoolKeys(const Region& from, const Bytes& request) {
    const key_life::Services* services = key_answers_;
    if (services != nullptr) return key_life::AnswerKeyRequest(*services, from, request);
    return Err(replication::ControlError{replication::ControlErrorCode::kUnavailable, "starting"});
  }

  void StartKeyLife() {
    key_life_.emplace(
        key_life::Services{.store = store_,
                           .keys = keys_->keyring(),
                           .commits = *commits_,
                           .clock = clock_,
                           .random = random_,
                           .here = config_.region,
                           .ask = {},
                           .gate = replicator_ ? &replicator_->write_gate() : nullptr,
                           .suffixes = replicator_ ? &suffixes_ : nullptr,
                           .check_key = [this](const std::string& owner, const PoolId& pool, const std::string& arn) {
                             return keys_->CheckKeyFor(owner, pool, arn);
                           }});
    if (replicator_) {
      stops_replicator_.reset(&*replicator_);
      key_life_->ask = [this](const Region& region, Bytes octets) {
        replication::pb::ControlRequest request;
        request.set_pool_keys(std::move(octets));
        return replicator_->Ask(region, request);
      };
    }
    StartShredding();
    StartErasures();
    key_answers_ = &*key_life_;
    key_changes_.emplace(*key_life_, key_life::KeyChanges::Options());
    if (replicator_) key_supply_.emplace(*key_life_, key_life::KeySupply::Options());
    reencryption_.emplace(*key_life_, key_life::Reencryption::Options(),
                          replication_ ? [this](const PoolId& pool) { return replication_->LagOf(pool); }
                                       : key_life::Reencryption::LagOf());
  }

  void StartShredding() {
    key_life::Shredding::Options options{.regions = {config_.region},
                                         .gone = config_.keys.forgotten_regions,
                                         .suffixes = &suffixes_,
                                         .forget = [this](const PoolId& pool) {
                                           keys_->keyring().Invalidate(pool);
                                           ForgetDecrypted(pool);
                                         }};
    if (config_.replication) std::ranges::copy(OtherRegions(config_), std::back_inserter(options.regions));
    shredding_.emplace(*key_life_, keys_->audit_key(), &keys_->trail(), std::move(options));
    key_life_->shredding = &*shredding_;
  }

  void StartFollowingRoles() {
    gone_members_.emplace(store_, *commits_, replicator_ ? &replicator_->write_gate() : nullptr, config_.region,
                          config_.keys.forgotten_regions);
    if (!replicator_) deleted_pools_.emplace(store_, config_.region);
    roles_thread_.emplace(std::vector<Housekeeping::Task>{{.interval = kRolesFollowed, .run = [this] {
                                                             gone_members_->Tick();
                                                             if (deleted_pools_) deleted_pools_->Tick();
                                                           }}});
  }

  void StartErasures() {
    key_life::Services services = *key_life_;
    services.ask = {};
    if (replicator_) {
      services.ask = [this](const Region& region, Bytes octets) {
        replication::pb::ControlRequest request;
        request.set_erasure(std::move(octets));
        return replicator_->Ask(region, request);
      };
    }
    erasures_.Start(std::move(services), suffixes_, keys_->audit_key(), keys_->trail(), config_.keys.forgotten_regions);
  }

  void StartFederation() {
    decltype(Federation::Services::status) status;
    if (replicator_) status = [this](const PoolId& pool) { return replicator_->Status(pool); };
    federation_.emplace(config_.federation,
                        Federation::Services{.store = store_,
                                             .keys = keys_->keyring(),
                                             .records = records_,
                                             .region = settings_,
                                             .commits = *commits_,
                                             .gate = replicator_ ? &replicator_->write_gate() : nullptr,
                                             .clock = clock_,
                                             .random = random_,
                                             .status = std::move(status)});
  }

  // A Region that cannot open the pool could not serve it.
  replication::ControlResult<Bytes> MayLead(const PoolId& pool) {
    const auto keys = keys_->keyring().KeysOf(*store_.MakeSnapshot(), pool);
    if (keys) return Bytes();
    return Err(replication::ControlError{
        replication::ControlErrorCode::kRefused,
        fmt::format("Region {} cannot open the pool: {}", config_.region.value(), keys.error().message)});
  }

  void OnLock(const PoolId& pool, bool locked) {
    log::Warning("pool {} is {}", pool.value(), locked ? "locked: its key was withdrawn" : "open again");
    if (locked) ForgetDecrypted(pool);
  }

  void ForgetDecrypted(const PoolId& pool) {
    records_.Forget(pool);
    access_tokens_.Forget(pool);
  }

  // Opened keys follow their wrapped ones: they may have changed, a copy may have replaced the pool, or a deletion
  // removed it.
  void OnNotice(const storage::Notice& notice) {
    const bool keys_changed = notice.everything || std::ranges::any_of(notice.keys, [this](const storage::Key& key) {
                                return keys::ConcernsKeys(key, config_.region);
                              });
    if (!keys_changed) return;
    if (notice.everything) ForgetDecrypted(notice.pool);
    auto stored = store_.MakeSnapshot()->Get({.pool = notice.pool, .type = keys::kWrappedKeysRecordType, .id = ""});
    if (!stored) log::Error("wrapped keys of pool {} cannot be read: {}", notice.pool.value(), stored.error().detail);
    // The pool is gone, or is being shredded; or may be.
    if (!stored || !*stored) ForgetDecrypted(notice.pool);
    keys_->keyring().FollowStore(*store_.MakeSnapshot(), notice.pool);
  }

  void StartHousekeeping() {
    // Each on a thread of its own: they wait for the key provider and for other Regions.
    key_checks_.emplace(std::vector<Housekeeping::Task>{
        {.interval = std::max(config_.keys.recheck_interval / 4, std::chrono::milliseconds(10)),
         .run = [this] { keys_->keyring().Tick(); }}});
    if (key_supply_) {
      key_supplies_.emplace(
          std::vector<Housekeeping::Task>{{.interval = kKeyInterval, .run = [this] { key_supply_->Tick(); }}});
    }
    key_tending_.emplace(std::vector<Housekeeping::Task>{
        {.interval = kKeysTended, .run = [this] { key_changes_->Tend(config_.keys.rotate_data_keys); }}});
    reencryption_thread_.emplace(*reencryption_);
    shredding_thread_.emplace(*shredding_);
    erasures_.StartThreads();
    upkeep_.emplace(store_, clock_, !replicator_.has_value());
    std::vector<Housekeeping::Task> tasks;
    tasks.push_back({.interval = std::chrono::seconds(10), .run = [this] { upkeep_->ForgetFacts(); }});
    tasks.push_back({.interval = std::chrono::seconds(10), .run = [this] { upkeep_->SweepOutbox(); }});
    tasks.push_back({.interval = std::chrono::seconds(1), .run = [this] { users_->ReloadIfChanged(); }});
    housekeeping_.emplace(std::move(tasks));
    // On a thread of its own: it waits for other Regions, and the keyring's question must not.
    key_housekeeping_.emplace(
        std::vector<Housekeeping::Task>{{.interval = kKeyInterval, .run = [this] { keys_->TickLocalKeys(); }}});
    // Beside the others: it waits for the disk and for other Regions.
    std::vector<Housekeeping::Task> audit_tasks;
    audit_tasks.push_back({.interval = std::chrono::seconds(1), .run = [this] { keys_->TickAudit(); }});
    audit_tasks.push_back({.interval = kAuditHeadInterval, .run = [this] { TellAuditHeads(); }});
    audit_housekeeping_.emplace(std::move(audit_tasks));
  }

  void TellAuditHeads() {
    if (!replicator_) return;
    for (const Region& peer : OtherRegions(config_)) {
      TellAuditHead(keys_->trail(), peer, [this](const Region& asked, const replication::pb::ControlRequest& request) {
        return replicator_->Ask(asked, request);
      });
    }
  }

  const Config& config_;
  storage::Store& store_;
  Clock& clock_;
  Random& random_;
  const directory::RegionSettings settings_;
  Metrics& metrics_;
  RequestMetrics observer_;
  std::unique_ptr<Users> users_;
  std::optional<http::SigV4Verifier> signatures_;
  auth::AccessTokenVerifier access_tokens_;
  auth::TokenSigner signer_;
  directory::RecordCache records_;
  crypto::RsaReservoir rsa_keys_;
  http::BlockingPool blocking_;
  replication::SuffixFolder suffixes_{FolderOf(config_, "set_aside"), keys::kWrappedKeysRecordType};
  std::unique_ptr<NodeKeys> keys_;
  std::unique_ptr<directory::Routes> routes_;
  std::unique_ptr<storage::Subscription> key_notices_;
  ForwardedRequests forwarded_;
  // What other Regions ask about pools' keys is answered with this, once it is there.
  std::atomic<const key_life::Services*> key_answers_ = nullptr;
  // Before the replicator, which hands them what other Regions ask.
  std::optional<replication::VerifySessions> verify_sessions_;
  std::optional<replication::VerifySessionsThread> verify_thread_;
  std::optional<key_life::Shredding> shredding_;
  NodeErasures erasures_;
  std::optional<replication::Replicator> replicator_;
  std::optional<replication::Verifier> verifier_;
  std::optional<ReplicationView> replication_;
  std::optional<replication::DurableCommits> commits_;
  std::optional<key_life::Services> key_life_;
  struct Stop {
    void operator()(replication::Replicator* replicator) const { replicator->Stop(); }
  };
  // Stops it before that goes with which it answers other Regions. Whoever waits for it comes below, and has ended
  // then.
  std::unique_ptr<replication::Replicator, Stop> stops_replicator_;
  std::optional<key_life::KeyChanges> key_changes_;
  std::optional<key_life::KeySupply> key_supply_;
  std::optional<key_life::Reencryption> reencryption_;
  std::optional<GoneMembers> gone_members_;
  std::optional<DeletedPools> deleted_pools_;
  std::optional<Housekeeping> roles_thread_;
  std::optional<Federation> federation_;
  std::optional<Api> api_;
  std::optional<StoreUpkeep> upkeep_;
  std::optional<Housekeeping> key_supplies_, key_checks_, key_tending_, key_housekeeping_, housekeeping_;
  std::optional<Housekeeping> audit_housekeeping_;
  std::optional<key_life::ReencryptionThread> reencryption_thread_;
  std::optional<key_life::ShreddingThread> shredding_thread_;
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
std::optional<std::string> Service::AuditTrouble() const { return parts_->AuditTrouble(); }
void Service::ReloadUsers() { parts_->ReloadUsers(); }
std::string Service::ReplicationJson() { return parts_->ReplicationJson(); }
http::Response Service::Domains() const { return parts_->Domains(); }
http::Response Service::Outbox(const http::Request& request) const { return parts_->Outbox(request); }

}  // namespace symbolon::node
