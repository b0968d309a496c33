#include "cognito/test_region.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "cognito/authorisation.h"
#include "key_life/member.h"
#include "keys/wrapped_pool_keys.h"
#include "model/operations.h"
#include "replication/roles.h"

namespace symbolon::cognito {
namespace {

namespace asio = boost::asio;
namespace json = boost::json;

constexpr const char* kRegions[] = {"eu-central-1", "us-east-1"};
constexpr const char* kAccount = "000000000000";
constexpr const char* kAccessKey = "AKIDTEST";
constexpr const char* kSecretKey = "test-secret-access-key";
constexpr std::size_t kSpareRsaKeys = 2;

directory::RegionSettings SettingsOf(std::string_view name) {
  directory::RegionSettings settings;
  settings.region = Region(std::string(name));
  settings.account = kAccount;
  settings.neutral_url = "http://router.test";
  settings.can_deliver = true;
  for (const char* region : kRegions) settings.public_urls[Region(region)] = std::string("http://") + region + ".test";
  return settings;
}

// Keys that are made once: every pool of the tests has the same pair, under kids of its own.
crypto::SigningKey SpareRsaKey() {
  static const auto keys = std::array{crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kRs256),
                                      crypto::SigningKey::Generate(crypto::SignatureAlgorithm::kRs256)};
  static std::atomic<std::size_t> next = 0;
  return keys[next++ % keys.size()];
}

class KeyLink final : public keys::local::KeyReplicationTransport {
 public:
  explicit KeyLink(keys::local::LocalKeyProvider& there) : there_(there) {}
  keys::local::LocalKeyResult<Bytes> TransportPublicKey(const Region&) override { return there_.TransportPublicKey(); }
  keys::local::LocalKeyResult<void> ImportReplica(const Region&, const keys::local::ReplicaKey& key) override {
    return there_.AcceptReplica(key);
  }
  keys::local::LocalKeyResult<void> AnnounceDeletion(const Region&, const std::string&) override {
    return Err(keys::local::LocalKeyError{keys::local::LocalKeyErrorCode::kUnavailable, "not in these tests"});
  }

 private:
  keys::local::LocalKeyProvider& there_;
};

}  // namespace

// One access key, of the account's root, or of the user who is set.
class ApiRegion::Users final : public http::AccessKeys, public policy::Identities {
 public:
  std::optional<http::AccessKey> Find(std::string_view access_key_id) const override {
    if (access_key_id != kAccessKey) return std::nullopt;
    return http::AccessKey{.secret = Secret::CopyOf(kSecretKey), .owner = identity.principal.name};
  }
  std::optional<policy::Identity> FindIdentity(std::string_view) const override { return identity; }

  policy::Identity identity{.principal = policy::Principal::Root(kAccount), .policies = {}};
};

class ApiRegion::Observed final : public Observer {
 public:
  explicit Observed(ApiRegion& region) : region_(region) {}
  void OnRequest(const model::OperationFacts& operation, std::string_view outcome, std::chrono::nanoseconds,
                 std::size_t unknown_members) override {
    region_.outcomes[std::string(operation.name)] = outcome;
    region_.last_unknown_members = unknown_members;
  }
  void OnForwarded(replication::ForwardOutcome outcome) override { region_.forwarded.push_back(outcome); }

 private:
  ApiRegion& region_;
};

ApiRegion::ApiRegion(std::string_view name, Clock& clock, bool forward_writes)
    : clock_(clock),
      forward_writes_(forward_writes),
      settings_(SettingsOf(name)),
      store_(name, clock),
      users_(std::make_shared<Users>()),
      signatures_({kRegions[0], kRegions[1]}, *users_, clock),
      rsa_keys_(kSpareRsaKeys, SpareRsaKey),
      observer_(std::make_unique<Observed>(*this)),
      signer_{.access_key_id = kAccessKey,
              .secret = kSecretKey,
              .region = settings_.region == Region(kRegions[0]) ? kRegions[0] : kRegions[1],
              .service = "cognito-idp"} {
  auto key_service = keys::local::LocalKeyProvider::Open(
      {.directory = directory_.path(), .region = settings_.region, .account = kAccount}, clock, store_.random());
  SYMBOLON_CHECK(key_service);
  key_service_ = *std::move(key_service);
  const auto owned = key_service_->EnsureServiceOwnedKey();
  SYMBOLON_CHECK(owned);
  keyring_.emplace(
      *key_service_,
      keys::Keyring::Options{.region = settings_.region, .account = kAccount, .service_owned_key_arn = *owned}, clock,
      store_.random());
  key_service_->SetChangeListener([this](const std::string& key_arn) { keyring_->Recheck(key_arn); });
  auto routes = directory::Routes::Open(store_.store());
  SYMBOLON_CHECK(routes);
  routes_ = *std::move(routes);
  records_.Follow(store_.store());
  key_notices_ = store_.store().Subscribe(
      [this](const storage::Notice& notice) { keyring_->FollowStore(*store_.store().MakeSnapshot(), notice.pool); });
  key_life_.emplace(key_life::Services{
      .store = store_.store(),
      .keys = *keyring_,
      .commits = commits_,
      .clock = clock,
      .random = store_.random(),
      .here = settings_.region,
      .ask = [this](const Region& region, Bytes request) -> replication::ControlResult<Bytes> {
        if (ask_about_keys) return ask_about_keys(region, std::move(request));
        return Err(replication::ControlError{replication::ControlErrorCode::kUnavailable, "nobody answers"});
      },
      .gate = &write_gate_,
      .check_key = [this](const std::string&, const PoolId&, const std::string&) { return refusal_of_keys; }});
  key_changes_.emplace(*key_life_, key_life::KeyChanges::Options{.confirm_limit = {}});
  shredding_.emplace(*key_life_, crypto::Ed25519Key::Generate(), nullptr,
                     key_life::Shredding::Options{.regions = {settings_.region}});
  key_life_->shredding = &*shredding_;
  key_life::Services of_erasures = *key_life_;
  of_erasures.ask = [this](const Region& region, Bytes request) {
    return ask_about_erasures(region, std::move(request));
  };
  const auto key = crypto::Ed25519Key::Generate();
  erasures_here_.emplace(of_erasures, nullptr, key);
  erasures_.emplace(std::move(of_erasures), *erasures_here_, key, nullptr, erasure::Erasures::Options());
  reencryption_.emplace(*key_life_, key_life::Reencryption::Options(), key_life::Reencryption::LagOf());
  write_gate_.Open();
  pipeline_.emplace(services());
}

Services ApiRegion::services() {
  return {.store = store_.store(),
          .keys = *keyring_,
          .routes = *routes_,
          .records = records_,
          .region = settings_,
          .signatures = signatures_,
          .identities = *users_,
          .access_tokens = access_tokens_,
          .signer = token_signer_,
          .rsa_keys = rsa_keys_,
          .blocking = blocking_,
          .clock = clock_,
          .random = store_.random(),
          .observer = *observer_,
          .call_key_service = [this](const auto& caller, const auto& operation,
                                     const auto& request) { return call_key_service(caller, operation, request); },
          .check_key = [this](const auto&, const auto&, const auto&) { return key_refusal; },
          .replication_status = {},
          .commits = commits_,
          .positions = &positions_,
          .position_wait = std::chrono::seconds(2),
          .promote = promote_,
          .write_gate = &write_gate_,
          .suffixes = &suffixes_,
          .open_wrapped_keys = [this](const PoolId& pool, BytesView wrapped) -> std::shared_ptr<const keys::PoolKeys> {
            auto opened = keys::OpenPoolKeys(*key_service_, settings_.region, pool, wrapped);
            return opened ? *std::move(opened) : nullptr;
          },
          .forward = [this](const PoolId& pool, const Region& primary, Bytes request,
                            auto done) { forward(pool, primary, std::move(request), std::move(done)); },
          .forward_writes = forward_writes_,
          .verifier = verifier_,
          .key_life = KeyLife{.services = *key_life_,
                              .changes = *key_changes_,
                              .reencryption = *reencryption_,
                              .shredding = *shredding_,
                              .reencryption_rate = 0},
          .erasures = &*erasures_,
          .audit = audit_};
}

replication::ControlResult<Bytes> ApiRegion::AnswerAboutKeys(const Region& from, const Bytes& request) {
  return key_life::AnswerKeyRequest(*key_life_, from, request);
}

void ApiRegion::SetVerifier(replication::Verifier& verifier) {
  verifier_ = &verifier;
  pipeline_.emplace(services());
}

void ApiRegion::SetPromotion(Promote promote) {
  promote_ = std::move(promote);
  pipeline_.emplace(services());
}

void ApiRegion::SetAudit(audit::Trail& trail) {
  audit_ = &trail;
  pipeline_.emplace(services());
}

http::Request ApiRegion::Request(std::string_view operation, std::string_view body) const {
  std::string target(operation);
  if (!target.contains('.')) target.insert(0, "AWSCognitoIdentityProviderService.");
  return {.method = "POST",
          .target = "/",
          .headers = {{"Host", "api.test"}, {"Content-Type", "application/x-amz-json-1.1"}, {"X-Amz-Target", target}},
          .body = Bytes(body)};
}

replication::ControlResult<http::Response> ApiRegion::TakeForwarded(const Region& from, const PoolId& pool,
                                                                    http::Request request) {
  asio::io_context context;
  std::optional<replication::ControlResult<http::Response>> answer;
  asio::co_spawn(context, pipeline_->HandleForwarded(from, pool, std::move(request)),
                 [&answer](const std::exception_ptr& failure, replication::ControlResult<http::Response> result) {
                   ASSERT_FALSE(failure);
                   answer = std::move(result);
                 });
  context.run();
  return *std::move(answer);
}

std::vector<ApiRegion::Answer> ApiRegion::SendTogether(std::vector<http::Request> requests) {
  asio::io_context context;
  std::vector<Answer> answers(requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    asio::co_spawn(context, pipeline_->Handle(std::move(requests[i])),
                   [&answer = answers[i]](const std::exception_ptr& failure, http::Response response) {
                     ASSERT_FALSE(failure);
                     answer.status = response.status;
                     answer.headers = std::move(response.headers);
                     if (!response.body.empty()) answer.body = json::parse(response.body);
                   });
  }
  context.run();
  return answers;
}

ApiRegion::Answer ApiRegion::CallWith(std::string_view operation, std::string_view body) {
  http::Request request = Request(operation, body);
  Sign(request);
  return Send(std::move(request));
}

ApiRegion::Answer ApiRegion::Call(std::string_view operation, const json::value& request) {
  return CallWith(operation, json::serialize(request));
}

ApiRegion::Answer ApiRegion::CallAs(const std::string& user, const std::vector<std::string>& policies,
                                    std::string_view operation, const json::value& request) {
  static const policy::Vocabulary words = [] {
    std::map<std::string, std::vector<std::string>> actions;
    for (const auto service : {model::Service::kCognito, model::Service::kKms, model::Service::kOwn}) {
      for (const model::OperationFacts& facts : model::OperationsOf(service)) {
        const std::string action = ActionOf(facts);
        actions[action.substr(0, action.find(':'))].emplace_back(facts.name);
      }
    }
    return policy::Vocabulary(std::move(actions));
  }();
  users_->identity.principal = policy::Principal::User(kAccount, user);
  for (const std::string& text : policies) {
    auto document = policy::Document::Parse(text, policy::DocumentKind::kIdentity, words);
    SYMBOLON_CHECK(document);
    users_->identity.policies.push_back(std::make_shared<const policy::Document>(*std::move(document)));
  }
  Answer answer = Call(operation, request);
  users_->identity = {.principal = policy::Principal::Root(kAccount), .policies = {}};
  return answer;
}

ApiRegion::Answer ApiRegion::CallUnsigned(std::string_view operation, const json::value& request) {
  return Send(Request(operation, json::serialize(request)));
}

std::vector<ApiRegion::Answer> ApiRegion::CallTogether(
    const std::vector<std::pair<std::string_view, json::value>>& operations_and_requests) {
  std::vector<http::Request> requests;
  for (const auto& [operation, request] : operations_and_requests) {
    requests.push_back(Request(operation, json::serialize(request)));
    Sign(requests.back());
  }
  return SendTogether(std::move(requests));
}

PoolId ApiRegion::CreatePool(json::object settings) {
  if (!settings.contains("PoolName")) settings["PoolName"] = "pool";
  const Answer answer = Call("CreateUserPool", settings);
  EXPECT_EQ(answer.error(), "");
  return PoolId(answer.text("/UserPool/Id"));
}

std::string ApiRegion::CreateClient(const PoolId& pool, json::object settings) {
  settings["UserPoolId"] = pool.value();
  if (!settings.contains("ClientName")) settings["ClientName"] = "client";
  const Answer answer = Call("CreateUserPoolClient", settings);
  EXPECT_EQ(answer.error(), "");
  return answer.text("/UserPoolClient/ClientId");
}

std::string ApiRegion::CreateSharedKey(ApiRegion& other) {
  const auto key = key_service_->CreateKey(true, "shared");
  SYMBOLON_CHECK(key);
  KeyLink link(*other.key_service_);
  SYMBOLON_CHECK(key_service_->ReplicateKey(key->arn, other.settings_.region, "shared", link));
  return key->arn;
}

void ApiRegion::CopyPool(ApiRegion& other, const PoolId& pool) {
  store_.CopyDirectory(other.store_, pool);
  keyring_->Invalidate(pool);
}

void ApiRegion::SetMemberState(const PoolId& pool, std::string_view member, replication::pb::MemberState state) {
  ChangeRole(pool, [&](replication::pb::RoleRecord& role) {
    for (replication::pb::Member& known : *role.mutable_members()) {
      if (known.region() == member) known.set_state(state);
    }
  });
}

void ApiRegion::ChangeRole(const PoolId& pool, const std::function<void(replication::pb::RoleRecord&)>& change) {
  store_.Change(pool, [&](directory::Transaction& tx) {
    auto role = replication::ParseRole(tx.GetClear(directory::RecordType::kRole, "").value_or(""));
    SYMBOLON_CHECK(role);
    change(*role);
    tx.PutClear(directory::RecordType::kRole, "", replication::SerializeRole(*role));
  });
}

std::string ApiRegion::Answer::error() const {
  if (status == 200) return "";
  return text("/__type") + ": " + text("/message");
}

json::value ApiRegion::Answer::at(std::string_view pointer) const {
  boost::system::error_code missing;
  const json::value* found = body.find_pointer(pointer, missing);
  return found == nullptr ? json::value() : *found;
}

std::string ApiRegion::Answer::text(std::string_view pointer) const {
  const json::value found = at(pointer);
  return found.is_string() ? std::string(found.get_string()) : std::string();
}

}  // namespace symbolon::cognito
