// A key provider whose every use is audited: what the identity service does with customer managed keys on behalf of its
// pools, the questions whether they may still be used among it.
#pragma once

#include "audit/trail.h"
#include "keys/provider.h"

namespace symbolon::keys {

// Thread-safe. No call is answered before its line is durable in the trail; while the trail takes no lines, calls are
// refused (kUnavailable) before anything is asked of the provider. Blocks as both do.
class AuditedKeyProvider final : public KeyProvider {
 public:
  // Both outlive this object.
  AuditedKeyProvider(KeyProvider& provider, audit::Trail& trail, Clock& clock)
      : provider_(provider), trail_(trail), clock_(clock) {}

  std::string_view name() const override { return provider_.name(); }
  // Whose keys these are; what is asked of it directly is not audited.
  KeyProvider& Serving(std::string_view key_arn) override { return provider_.Serving(key_arn); }
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override;

 private:
  template <class T, class Call>
  KeyResult<T> Audited(std::string_view operation, std::string_view key_arn, const EncryptionContext& context,
                       std::string_view key_spec, Call&& call);

  KeyProvider& provider_;
  audit::Trail& trail_;
  Clock& clock_;
};

// What a caller gets while the trail takes no lines.
tl::unexpected<KeyError> KeyUseRefused(const audit::AuditError& error);
// Says in the event that the use failed.
void SetFailure(audit::Event& event, const KeyError& error);

// What the trail says of the identity service's own doings.
audit::Event EventOfService(Timestamp time, std::string_view operation, std::string_view key_arn,
                            const EncryptionContext& context);

}  // namespace symbolon::keys
