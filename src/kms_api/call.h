// The AWS KMS API (`TrentService` targets) over the local key provider: what a handler works with. Callers are
// authenticated and requests validated before they get here; what callers may is decided here (authorisation.h).
#pragma once

#include <string>

#include "base/ids.h"
#include "keys/access/key_access.h"
#include "keys/local/local_key_provider.h"
#include "model/api_error.h"
#include "model/operations.h"
#include "policy/identity.h"
#include "wire/request.h"

namespace symbolon::kms_api {

// Thread-safe, as what it refers to is; the node makes one.
class Call {
 public:
  // `keys`, `transport` and `access` outlive the call.
  Call(keys::local::LocalKeyProvider& keys, keys::local::KeyReplicationTransport& transport,
       keys::access::KeyAccess& access, Region region, std::string account)
      : keys_(keys), transport_(transport), access_(access), region_(std::move(region)), account_(std::move(account)) {}
  // The same for one request of `caller`, who outlives it.
  Call For(const policy::Caller& caller) const {
    Call call(*this);
    call.caller_ = &caller;
    return call;
  }

  keys::local::LocalKeyProvider& keys() { return keys_; }
  keys::local::KeyReplicationTransport& transport() { return transport_; }
  keys::access::KeyAccess& access() { return access_; }
  // Of one request.
  const policy::Caller& caller() const {
    SYMBOLON_CHECK(caller_ != nullptr);
    return *caller_;
  }
  Timestamp Now() const { return keys_.Now(); }
  keys::KeyState StateOf(const keys::local::KeyFacts& key) const { return keys_.StateOf(key); }
  const Region& region() const { return region_; }
  const std::string& account() const { return account_; }

 private:
  keys::local::LocalKeyProvider& keys_;
  keys::local::KeyReplicationTransport& transport_;
  keys::access::KeyAccess& access_;
  const Region region_;
  const std::string account_;
  const policy::Caller* caller_ = nullptr;
};

// Runs an operation of this service, if `caller` may, on a request of its input shape; the answer is JSON text. Blocks:
// changes are written and synced, ReplicateKey asks another Region.
model::ApiResult<std::string> Serve(Call& call, const policy::Caller& caller, const model::OperationFacts& operation,
                                    const wire::Request& request);

}  // namespace symbolon::kms_api
