// The keys of the node: the providers one behind the other, the audit trail that says what was done with keys, and the
// pools' keyring.
//
//   local provider → key policies ─┐
//   HSM, AWS KMS ──────────────────┴→ by ARN → counted → audited → keyring
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "audit/trail.h"
#include "base/clock.h"
#include "base/result.h"
#include "crypto/ed25519.h"
#include "keys/access/key_access.h"
#include "keys/access/service_key_provider.h"
#include "keys/audited_key_provider.h"
#include "keys/audited_probes.h"
#include "keys/key_providers.h"
#include "keys/keyring.h"
#include "keys/local/local_key_provider.h"
#include "kms_api/call.h"
#include "model/api_error.h"
#include "node/config.h"
#include "node/further_keys.h"
#include "node/key_link.h"
#include "node/key_metrics.h"
#include "node/metrics.h"
#include "node/node.h"
#include "policy/identity.h"
#include "replication/log_signatures.h"

namespace symbolon::node {

// Thread-safe. Calls that reach a provider or the trail block.
class NodeKeys {
 public:
  // All references outlive the keys.
  struct Services {
    const Config& config;
    const policy::Identities& identities;
    Metrics& metrics;
    Clock& clock;
    Random& random;
    // Reaches other Regions' local keys.
    KeyLink::Ask ask;
    // As Keyring::Options has them.
    std::function<void(const PoolId& pool, bool locked)> on_change;
    std::function<void(const PoolId& pool)> on_replaced;
  };

  // Reads the key files and begins, or goes on with, the audit trail. The error says what the operator has to do.
  static Result<std::unique_ptr<NodeKeys>, NodeError> Open(Services services);
  NodeKeys(const NodeKeys&) = delete;
  NodeKeys& operator=(const NodeKeys&) = delete;

  keys::Keyring& keyring() { return *keyring_; }
  audit::Trail& trail() { return *trail_; }
  // Which signs the trail, and what the Region says elsewhere.
  const crypto::Ed25519Key& audit_key() const { return *audit_key_; }
  // Of a node with other Regions.
  replication::LogSigner& log_signer() { return *log_signer_; }

  // Whether a pool may have this customer managed key at the wish of `caller`; the error is for the caller.
  model::ApiResult<void> CheckKey(const policy::Caller& caller, const PoolId& pool, const std::string& key_arn);
  // The same for somebody who asked in another Region, of whose request only the time is known here. Why not; empty if
  // it may.
  std::string CheckKeyFor(const std::string& owner, const PoolId& pool, const std::string& key_arn);
  // nullptr: they do not open here.
  std::shared_ptr<const keys::PoolKeys> OpenWrappedKeys(const PoolId& pool, BytesView wrapped);

  // The key service's API (kms_api/call.h, kms_api/key_use.h).
  model::ApiResult<std::string> Serve(const policy::Caller& caller, const model::OperationFacts& operation,
                                      const wire::Request& request);
  std::vector<std::string> KeyArnsOf(const model::OperationFacts& operation, const wire::Request& request);

  // What another Region asks about local keys, or tells of its audit trail.
  replication::ControlResult<Bytes> Answer(const Region& from, const replication::pb::ControlRequest& request);

  // What time brings to local keys. To be called about once a second, as the next one.
  void TickLocalKeys() { provider_->Tick(key_link_); }
  // What is due in the audit trail.
  void TickAudit();

  void Read(Metrics::Readings& readings) const;

 private:
  explicit NodeKeys(Services services);
  Result<void, NodeError> OpenProviders();
  Result<void, NodeError> OpenAudit(const std::string& service_owned_key_arn);
  void OpenKeyring(std::string service_owned_key_arn);

  const Services services_;
  FurtherKeys further_keys_;
  std::unique_ptr<keys::local::LocalKeyProvider> provider_;
  keys::access::KeyAccess key_access_;
  std::optional<keys::access::ServiceKeyProvider> pool_provider_;
  std::optional<keys::KeyProviders> key_providers_;
  std::unique_ptr<audit::Trail> trail_;
  std::unique_ptr<replication::LogSigner> log_signer_;
  std::optional<crypto::Ed25519Key> audit_key_;
  std::optional<MeteredKeyProvider> metered_provider_;
  std::optional<keys::AuditedKeyProvider> audited_provider_;
  std::optional<keys::AuditedProbes> audited_probes_;
  std::optional<keys::Keyring> keyring_;
  KeyLink key_link_;
  std::optional<kms_api::Call> key_calls_;
};

}  // namespace symbolon::node
