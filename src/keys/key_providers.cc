#include "keys/key_providers.h"

namespace symbolon::keys {

KeyProvider& KeyProviders::Serving(std::string_view key_arn) {
  if (const auto arn = ParseKeyArn(key_arn)) {
    for (const Route& route : routes_) {
      if (route.serves(*arn)) return *route.provider;
    }
  }
  return otherwise_;
}

KeyResult<Bytes> KeyProviders::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                               const EncryptionContext& context) {
  return Serving(key_arn).GenerateDataKeyWithoutPlaintext(key_arn, context);
}

KeyResult<Bytes> KeyProviders::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                       BytesView plaintext) {
  return Serving(key_arn).Encrypt(key_arn, context, plaintext);
}

KeyResult<Secret> KeyProviders::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                        BytesView ciphertext) {
  return Serving(key_arn).Decrypt(key_arn, context, ciphertext);
}

KeyResult<KeyDescription> KeyProviders::DescribeKey(std::string_view key_arn) {
  return Serving(key_arn).DescribeKey(key_arn);
}

}  // namespace symbolon::keys
