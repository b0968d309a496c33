#include "node/keys.h"

#include <fmt/format.h>

#include <utility>

#include "base/log.h"
#include "keys/wrapped_pool_keys.h"
#include "kms_api/authorisation.h"
#include "kms_api/key_use.h"
#include "node/audit.h"
#include "node/folders.h"
#include "node/log_key.h"
#include "node/root_key.h"

namespace symbolon::node {

Result<std::unique_ptr<NodeKeys>, NodeError> NodeKeys::Open(Services services) {
  std::unique_ptr<NodeKeys> keys(new NodeKeys(std::move(services)));
  SYMBOLON_TRY_VOID(keys->OpenProviders());
  const auto owned = keys->provider_->EnsureServiceOwnedKey();
  if (!owned) return Err(NodeError{fmt::format("cannot make the service's own key: {}", owned.error().detail)});
  SYMBOLON_TRY_VOID(keys->OpenAudit(*owned));
  keys->OpenKeyring(*owned);
  return keys;
}

NodeKeys::NodeKeys(Services services)
    : services_(std::move(services)), key_access_(kms_api::KnownActions()), key_link_(services_.ask) {}

Result<void, NodeError> NodeKeys::OpenProviders() {
  const Config& config = services_.config;
  SYMBOLON_TRY(further_keys_, FurtherKeys::Open(config, services_.clock, services_.random));
  auto provider =
      keys::local::LocalKeyProvider::Open(LocalKeyOptions(config, further_keys_), services_.clock, services_.random);
  if (!provider) {
    return Err(NodeError{
        fmt::format("cannot open the keys in {}: {}", FolderOf(config, "keys").string(), provider.error().detail)});
  }
  provider_ = *std::move(provider);
  pool_provider_.emplace(*provider_, key_access_, config.region, services_.clock);
  further_keys_.AddTo(key_providers_.emplace(*pool_provider_));
  return {};
}

Result<void, NodeError> NodeKeys::OpenAudit(const std::string& service_owned_key_arn) {
  const Config& config = services_.config;
  const AuditFolders folders{
      .trail = config.audit.directory.empty() ? FolderOf(config, "audit") : config.audit.directory,
      .keys = FolderOf(config, "keys")};
  SYMBOLON_TRY(AuditTrail audit,
               OpenAuditTrail(config, folders, *provider_, service_owned_key_arn, services_.clock, services_.random));
  trail_ = std::move(audit.trail);
  audit_key_ = std::move(audit.key);
  if (config.replication) {
    SYMBOLON_TRY(log_signer_, OpenLogSigner(config, *provider_, service_owned_key_arn, *trail_, services_.clock));
  }
  SYMBOLON_TRY_VOID(ForgetRegions(*provider_, {*trail_, services_.clock}, config.keys.forgotten_regions));
  return {};
}

void NodeKeys::OpenKeyring(std::string service_owned_key_arn) {
  const Config& config = services_.config;
  metered_provider_.emplace(*key_providers_, services_.metrics, services_.clock);
  audited_provider_.emplace(*metered_provider_, *trail_, services_.clock);
  audited_probes_.emplace(*metered_provider_, *audited_provider_, *trail_, services_.clock,
                          config.audit.probe_summary_interval);
  keyring_.emplace(*audited_provider_,
                   keys::Keyring::Options{.region = config.region,
                                          .account = config.account,
                                          .service_owned_key_arn = std::move(service_owned_key_arn),
                                          .recheck_interval = config.keys.recheck_interval,
                                          .unreachable_grace = config.keys.unreachable_grace,
                                          .call_limit = CallLimitOf(config.keys),
                                          .probes = &*audited_probes_,
                                          .on_change = services_.on_change,
                                          .on_replaced = services_.on_replaced},
                   services_.clock, services_.random);
  AuditOwnActs(*provider_, *trail_, services_.clock);
  key_calls_.emplace(*provider_, key_link_, key_access_, config.region, config.account);
  provider_->SetChangeListener([this](const std::string& key_arn) { keyring_->Recheck(key_arn); });
}

model::ApiResult<void> NodeKeys::CheckKey(const policy::Caller& caller, const PoolId& pool,
                                          const std::string& key_arn) {
  const std::string pool_arn = fmt::format("arn:aws:cognito-idp:{}:{}:userpool/{}", BirthRegion(pool).value(),
                                           services_.config.account, pool.value());
  const bool is_local = &key_providers_->Serving(key_arn) == &*pool_provider_;
  auto checked = is_local ? pool_provider_->CheckPool(caller, key_arn, pool_arn)
                          : pool_provider_->CheckCallerOfForeignKey(caller, key_arn, pool_arn);
  if (checked) return {};
  return model::Fail(model::ErrorCode::kInvalidParameterException, std::move(checked.error().detail));
}

std::string NodeKeys::CheckKeyFor(const std::string& owner, const PoolId& pool, const std::string& key_arn) {
  auto identity = services_.identities.FindIdentity(owner);
  if (!identity) return fmt::format("the user {} is not known there", owner);
  policy::Context context;
  context.SetTime(services_.clock.Now());
  context.Add("aws:RequestedRegion", services_.config.region.value());
  const auto checked = CheckKey({.identity = *std::move(identity), .context = std::move(context)}, pool, key_arn);
  return checked ? std::string() : checked.error().message;
}

std::shared_ptr<const keys::PoolKeys> NodeKeys::OpenWrappedKeys(const PoolId& pool, BytesView wrapped) {
  auto opened = keys::OpenPoolKeys(*audited_provider_, services_.config.region, pool, wrapped);
  if (opened) return *std::move(opened);
  log::Warning("pool {}: keys that were set aside do not open: {}", pool.value(), opened.error().detail);
  return nullptr;
}

model::ApiResult<std::string> NodeKeys::Serve(const policy::Caller& caller, const model::OperationFacts& operation,
                                              const wire::Request& request) {
  return kms_api::Serve(*key_calls_, caller, operation, request);
}

std::vector<std::string> NodeKeys::KeyArnsOf(const model::OperationFacts& operation, const wire::Request& request) {
  return kms_api::KeyArnsOf(*key_calls_, operation, request);
}

replication::ControlResult<Bytes> NodeKeys::Answer(const Region& from, const replication::pb::ControlRequest& request) {
  if (request.has_audit_head()) return TakeAuditHead(*trail_, from, request);
  return AnswerKeyRequest(*provider_, {*trail_, services_.clock}, from, request);
}

void NodeKeys::TickAudit() {
  audited_probes_->Tick();
  trail_->Tick();
}

void NodeKeys::Read(Metrics::Readings& readings) const {
  const auto audit = trail_->counters();
  readings.audit = {audit.lines, audit.write_failures, audit.refusals, audit.failing};
  for (const auto& [region, count] : provider_->KeysUntold()) readings.keys.untold[region.value()] = count;
}

}  // namespace symbolon::node
