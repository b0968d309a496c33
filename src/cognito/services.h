// What the pipeline needs from the rest of the node. The node owns all of it and makes it outlive the pipeline.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "audit/trail.h"
#include "auth/access_tokens.h"
#include "auth/token_signer.h"
#include "base/clock.h"
#include "cognito/call.h"
#include "crypto/rsa_reservoir.h"
#include "directory/env.h"
#include "directory/record_cache.h"
#include "directory/routes.h"
#include "erasure/erasures.h"
#include "http/blocking.h"
#include "http/sigv4.h"
#include "key_life/key_changes.h"
#include "key_life/reencryption.h"
#include "key_life/shredding.h"
#include "keys/key_service.h"
#include "model/api_error.h"
#include "model/operations.h"
#include "policy/identity.h"
#include "replication/durable_commits.h"
#include "replication/forwarding.h"
#include "replication/position_gate.h"
#include "replication/write_gate.h"
#include "storage/store.h"
#include "wire/request.h"

namespace symbolon::cognito {

// Told of every request that reached an operation (metrics). Thread-safe and quick.
class Observer {
 public:
  virtual ~Observer() = default;
  // `outcome`: "ok", or the error's name.
  virtual void OnRequest(const model::OperationFacts& operation, std::string_view outcome,
                         std::chrono::nanoseconds duration, std::size_t unknown_members) = 0;
  // A request was passed on to the pool's primary, or was to be.
  virtual void OnForwarded(replication::ForwardOutcome outcome) = 0;
};

// Passes a client's request (cognito/forwarded.h) on to `primary`, which this Region takes for the pool's primary
// (replication/forwarding.h). The callback may run on any thread.
using ForwardRequest = std::function<void(const PoolId& pool, const Region& primary, Bytes request,
                                          std::function<void(replication::Forwarded)> done)>;

// Makes a Region the pool's primary: `force` (this Region) or planned (any). The callback may run on any thread.
struct PromotionRequest {
  PoolId pool;
  Region to;
  bool force = false;
  bool accept_loss = false;
};
using Promote = std::function<void(const PromotionRequest& request,
                                   std::function<void(model::ApiResult<replication::Promoted>)> done)>;

// Runs an operation of the key service (symbolon_kms_api), if `caller` may. May block.
using KeyServiceCall = std::function<model::ApiResult<std::string>(
    const policy::Caller& caller, const model::OperationFacts& operation, const wire::Request& request)>;

// The ARNs of the keys that a request to the key service is about, as things are before it is done. Quick.
using KeysOfCall =
    std::function<std::vector<std::string>(const model::OperationFacts& operation, const wire::Request& request)>;

// Whether a pool of this Region may have a customer managed key at the wish of `caller`. Error:
// InvalidParameterException, which names the permission that is missing. May block.
using KeyCheck =
    std::function<model::ApiResult<void>(const policy::Caller& caller, const PoolId& pool, const std::string& key_arn)>;

// The life of pools' keys; the node owns what is referred to.
struct KeyLife {
  const key_life::Services& services;
  key_life::KeyChanges& changes;
  const key_life::Reencryption& reencryption;
  const key_life::Shredding& shredding;
  // The pace of a re-encryption for which the caller names none.
  std::uint64_t reencryption_rate = 0;
};

// The keys in a record of wrapped keys that is not, or not any more, the pool's own; nullptr: it does not open here.
// May block.
using OpenWrappedKeys = std::function<std::shared_ptr<const keys::PoolKeys>(const PoolId& pool, BytesView wrapped)>;

struct Services {
  storage::Store& store;
  keys::KeyService& keys;
  directory::Routes& routes;
  directory::RecordCache& records;
  const directory::RegionSettings& region;
  http::SigV4Verifier& signatures;
  const policy::Identities& identities;
  auth::AccessTokenVerifier& access_tokens;
  auth::TokenSigner& signer;
  crypto::RsaReservoir& rsa_keys;
  http::BlockingPool& blocking;
  Clock& clock;
  Random& random;
  Observer& observer;
  KeyServiceCall call_key_service;
  KeyCheck check_key;
  ReplicationStatusOf replication_status;
  // By which every change is committed.
  replication::DurableCommits& commits;
  // Where requests wait for a position, and for how long; nullptr where there are no other Regions.
  replication::PositionGate* positions = nullptr;
  std::chrono::milliseconds position_wait{};
  // Empty and nullptr where there are no other Regions.
  Promote promote;
  replication::WriteGate* write_gate = nullptr;
  const replication::SuffixFolder* suffixes = nullptr;
  OpenWrappedKeys open_wrapped_keys = {};
  ForwardRequest forward;
  // Whether what only the primary may do is passed on to it instead of being refused.
  bool forward_writes = false;
  replication::Verifier* verifier = nullptr;
  // Without it keys stay as they were made.
  std::optional<KeyLife> key_life = {};
  // Without it users cannot be erased.
  const erasure::Erasures* erasures = nullptr;
  // Where calls are audited that have to be; nullptr: they are not, in a test.
  audit::Trail* audit = nullptr;
  KeysOfCall keys_of_call = {};
};

}  // namespace symbolon::cognito
