// Several key providers behind one: a key's ARN says which of them serves it.
#pragma once

#include <functional>
#include <vector>

#include "keys/arn.h"
#include "keys/provider.h"

namespace symbolon::keys {

// Thread-safe once all are added. Wrapped keys carry the name of the provider that serves their CMK's ARN.
class KeyProviders final : public KeyProvider {
 public:
  // `otherwise` serves what no other does. All providers outlive this.
  explicit KeyProviders(KeyProvider& otherwise) : otherwise_(otherwise) {}
  // The first whose `serves` says so is asked.
  void Add(std::function<bool(const KeyArn&)> serves, KeyProvider& provider) {
    routes_.push_back({std::move(serves), &provider});
  }

  std::string_view name() const override { return otherwise_.name(); }
  KeyProvider& Serving(std::string_view key_arn) override;
  KeyResult<Bytes> GenerateDataKeyWithoutPlaintext(std::string_view key_arn, const EncryptionContext& context) override;
  KeyResult<Bytes> Encrypt(std::string_view key_arn, const EncryptionContext& context, BytesView plaintext) override;
  KeyResult<Secret> Decrypt(std::string_view key_arn, const EncryptionContext& context, BytesView ciphertext) override;
  KeyResult<KeyDescription> DescribeKey(std::string_view key_arn) override;

 private:
  struct Route {
    std::function<bool(const KeyArn&)> serves;
    KeyProvider* provider;
  };

  KeyProvider& otherwise_;
  std::vector<Route> routes_;
};

}  // namespace symbolon::keys
