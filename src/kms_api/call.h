// The AWS KMS API (`TrentService` targets) over the local key provider: what a handler works with. Callers are
// authenticated and requests validated before they get here.
#pragma once

#include <string>

#include "base/ids.h"
#include "keys/local/local_key_provider.h"
#include "model/api_error.h"
#include "model/operations.h"
#include "wire/request.h"

namespace symbolon::kms_api {

// Thread-safe, as what it refers to is; the node makes one.
class Call {
 public:
  // `keys` and `transport` outlive the call.
  Call(keys::local::LocalKeyProvider& keys, keys::local::KeyReplicationTransport& transport, Region region,
       std::string account)
      : keys_(keys), transport_(transport), region_(std::move(region)), account_(std::move(account)) {}

  keys::local::LocalKeyProvider& keys() { return keys_; }
  keys::local::KeyReplicationTransport& transport() { return transport_; }
  const Region& region() const { return region_; }
  const std::string& account() const { return account_; }

 private:
  keys::local::LocalKeyProvider& keys_;
  keys::local::KeyReplicationTransport& transport_;
  const Region region_;
  const std::string account_;
};

// Runs an operation of this service on a request of its input shape; the answer is JSON text. Blocks: changes are
// written and synced, ReplicateKey asks another Region.
model::ApiResult<std::string> Serve(Call& call, const model::OperationFacts& operation, const wire::Request& request);

}  // namespace symbolon::kms_api
