#include "keys/audited_key_provider.h"

#include <boost/json.hpp>

namespace symbolon::keys {
namespace {

namespace json = boost::json;

constexpr const char* kService = "cognito-idp.amazonaws.com";

// As the key service's API names it.
std::string_view NameOf(KeyErrorCode code) {
  switch (code) {
    case KeyErrorCode::kNotFound:
      return "NotFoundException";
    case KeyErrorCode::kDisabled:
      return "DisabledException";
    case KeyErrorCode::kPendingDeletion:
    case KeyErrorCode::kRemoved:  // As of a custom key store that is disconnected.
      return "KMSInvalidStateException";
    case KeyErrorCode::kAccessDenied:
      return "AccessDeniedException";
    case KeyErrorCode::kUnavailable:
      return "KMSInternalException";
    case KeyErrorCode::kInvalidCiphertext:
      return "InvalidCiphertextException";
  }
  return "KMSInternalException";
}

std::string ParametersOf(std::string_view key_arn, const EncryptionContext& context, std::string_view key_spec) {
  json::object parameters{{"keyId", key_arn}};
  if (!context.empty()) {
    json::object& pairs = (parameters["encryptionContext"] = json::object()).get_object();
    for (const auto& [name, value] : context) pairs[name] = value;
  }
  if (!key_spec.empty()) parameters["keySpec"] = key_spec;
  return json::serialize(parameters);
}

}  // namespace

tl::unexpected<KeyError> KeyUseRefused(const audit::AuditError& error) {
  return Err(KeyError{KeyErrorCode::kUnavailable, "the audit trail takes no lines: " + error.detail});
}

void SetFailure(audit::Event& event, const KeyError& error) {
  event.error_code = NameOf(error.code);
  event.error_message = error.detail;
}

audit::Event EventOfService(Timestamp time, std::string_view operation, std::string_view key_arn,
                            const EncryptionContext& context) {
  return {.time = time,
          .identity = {.invoked_by = kService},
          .name = std::string(operation),
          .source_address = kService,
          .user_agent = kService,
          .request_parameters = ParametersOf(key_arn, context, {}),
          .read_only = audit::IsReadOnly(operation),
          .key_arns = {std::string(key_arn)}};
}

template <class T, class Call>
KeyResult<T> AuditedKeyProvider::Audited(std::string_view operation, std::string_view key_arn,
                                         const EncryptionContext& context, std::string_view key_spec, Call&& call) {
  if (const auto ready = trail_.Ready(); !ready) return KeyUseRefused(ready.error());
  audit::Event event = EventOfService(clock_.Now(), operation, key_arn, context);
  if (!key_spec.empty()) event.request_parameters = ParametersOf(key_arn, context, key_spec);
  KeyResult<T> result = call();
  if (!result) SetFailure(event, result.error());
  if (const auto recorded = trail_.Record(event); !recorded) return KeyUseRefused(recorded.error());
  return result;
}

KeyResult<Bytes> AuditedKeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                     const EncryptionContext& context) {
  return Audited<Bytes>("GenerateDataKeyWithoutPlaintext", key_arn, context, "AES_256",
                        [&] { return provider_.GenerateDataKeyWithoutPlaintext(key_arn, context); });
}

KeyResult<Bytes> AuditedKeyProvider::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                             BytesView plaintext) {
  return Audited<Bytes>("Encrypt", key_arn, context, {},
                        [&] { return provider_.Encrypt(key_arn, context, plaintext); });
}

KeyResult<Secret> AuditedKeyProvider::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                              BytesView ciphertext) {
  return Audited<Secret>("Decrypt", key_arn, context, {},
                         [&] { return provider_.Decrypt(key_arn, context, ciphertext); });
}

KeyResult<KeyDescription> AuditedKeyProvider::DescribeKey(std::string_view key_arn) {
  return Audited<KeyDescription>("DescribeKey", key_arn, {}, {}, [&] { return provider_.DescribeKey(key_arn); });
}

}  // namespace symbolon::keys
