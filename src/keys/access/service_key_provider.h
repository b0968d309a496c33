// The local keys as user pools use them: every use is a request of the pools' services, which the key's policy and
// grants have to allow (policy/pool_key_policy.h).
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "keys/access/key_access.h"
#include "keys/local/local_key_provider.h"
#include "keys/provider.h"

namespace symbolon::keys::access {

// Thread-safe. What is refused answers kAccessDenied, which locks the pool as a disabled key does. The service's own
// key is not asked about.
class ServiceKeyProvider final : public KeyProvider {
 public:
  // `keys`, `access` and `clock` outlive this.
  ServiceKeyProvider(local::LocalKeyProvider& keys, KeyAccess& access, Region region, Clock& clock)
      : keys_(keys), access_(access), region_(std::move(region)), clock_(clock) {}

  std::string_view name() const override { return keys_.name(); }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  // Names no pool, so there is nothing to ask the policy: CheckPool does that before.
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override { return keys_.DescribeKey(key_arn); }

  // Whether a pool may have this key at the wish of `caller`: both services, for this pool, and the caller, through
  // Cognito, may do what a pool needs. The error's detail is for the caller, and names what is missing. A key that is
  // not here is not looked at.
  KeyResult<void> CheckPool(const policy::Caller& caller, std::string_view key_arn, const std::string& pool_arn);
  // The same of a key of another provider, which has no key policy here: the caller's own policies have to allow it, as
  // where a key policy leaves a key to its account. What the services may do is for that provider to say.
  KeyResult<void> CheckCallerOfForeignKey(const policy::Caller& caller, std::string_view key_arn,
                                          const std::string& pool_arn);

 private:
  KeyResult<void> CheckCaller(const policy::Caller& caller, const local::KeyFacts& key, const std::string& pool_arn);
  KeyResult<void> CheckServices(std::string_view key_arn, std::string_view operation, const EncryptionContext& context);
  KeyResult<void> CheckService(const local::KeyFacts& key, std::string_view service, std::string_view operation,
                               const std::string& pool_arn, const EncryptionContext* context);

  local::LocalKeyProvider& keys_;
  KeyAccess& access_;
  const Region region_;
  Clock& clock_;
  // The policy that stands in for those of foreign keys: one object, so that it is parsed once.
  std::mutex foreign_mutex_;
  std::string foreign_account_;                        // guarded by foreign_mutex_
  std::shared_ptr<const std::string> foreign_policy_;  // guarded by foreign_mutex_
};

}  // namespace symbolon::keys::access
