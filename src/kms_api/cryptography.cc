// Encrypt, Decrypt, ReEncrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom.
#include "keys/provider.h"
#include "kms_api/grant_token.h"
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using keys::EncryptionContext;
using keys::local::KeyFactsPointer;
using keys::local::LocalKeyProvider;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

constexpr std::size_t kContextCharactersMax = 8192;
constexpr std::int32_t kAes128Bytes = 16;
constexpr std::int32_t kAes256Bytes = 32;

ApiResult<EncryptionContext> ContextOf(const std::optional<std::map<std::string, std::string>>& context) {
  if (!context) return EncryptionContext();
  std::size_t size = 0;
  for (const auto& [name, value] : *context) size += name.size() + value.size();
  if (size > kContextCharactersMax) {
    return Fail(ErrorCode::kValidationException, "EncryptionContext exceeds 8192 characters.");
  }
  return *context;
}

ApiResult<void> CheckAlgorithm(const std::optional<EncryptionAlgorithmSpec>& algorithm, const KeyFactsPointer& key) {
  if (algorithm.value_or(EncryptionAlgorithmSpec::kSymmetricDefault) == EncryptionAlgorithmSpec::kSymmetricDefault) {
    return {};
  }
  return Fail(ErrorCode::kInvalidKeyUsageException, key->arn +
                                                        " key spec is SYMMETRIC_DEFAULT which is incompatible "
                                                        "with the EncryptionAlgorithm of the request.");
}

template <class Request>
ApiResult<void> CheckRecipient(const Request& request) {
  if (request.Recipient) return NotOffered("Attested recipients (Nitro enclaves) are");
  return {};
}

tl::unexpected<model::ApiError> DryRun() {
  return Fail(ErrorCode::kDryRunOperationException, "The request would have succeeded, but the DryRun option is set.");
}

// DryRunModifiers: whether the ciphertext is passed over.
template <class Request>
ApiResult<bool> IgnoresCiphertext(const Request& request) {
  if (!request.DryRunModifiers || request.DryRunModifiers->empty()) {
    if (!request.CiphertextBlob) {
      return Fail(ErrorCode::kValidationException,
                  "1 validation error detected: Value at 'ciphertextBlob' failed to satisfy constraint: Member must "
                  "not be null");
    }
    return false;
  }
  if (!request.DryRun.value_or(false)) {
    return Fail(ErrorCode::kValidationException, "DryRunModifiers need DryRun.");
  }
  return true;
}

// The key of a ciphertext, as the caller names it or as the ciphertext does. What cannot be told from an altered
// ciphertext is answered as one.
ApiResult<KeyFactsPointer> SourceKey(Call& call, const std::optional<std::string>& named,
                                     const std::optional<Bytes>& ciphertext) {
  if (named) return FindKeyOrAlias(call, *named);
  if (!ciphertext) return Fail(ErrorCode::kValidationException, "KeyId is needed when the ciphertext is ignored.");
  auto key = call.keys().KeyOfCiphertext(*ciphertext);
  if (!key) return Refuse(key.error(), "");
  return *std::move(key);
}

struct DataKey {
  Secret plaintext;
  LocalKeyProvider::Encrypted wrapped;
};

template <class Request>
ApiResult<DataKey> MakeDataKey(Call& call, const Request& request) {
  SYMBOLON_TRY(const auto key, FindKeyOrAlias(call, request.KeyId));
  SYMBOLON_TRY_VOID(CheckGrantTokens(request.GrantTokens));
  SYMBOLON_TRY(const EncryptionContext context, ContextOf(request.EncryptionContext));
  if (request.KeySpec.has_value() == request.NumberOfBytes.has_value()) {
    return Fail(ErrorCode::kValidationException, "Please specify either number of bytes or key spec.");
  }
  const std::int32_t size = request.NumberOfBytes                      ? *request.NumberOfBytes
                            : *request.KeySpec == DataKeySpec::kAes256 ? kAes256Bytes
                                                                       : kAes128Bytes;
  Secret plaintext = call.keys().GenerateRandom(static_cast<std::size_t>(size));
  auto wrapped = call.keys().EncryptUnder(key->id, context, plaintext.view());
  if (!wrapped) return Refuse(wrapped.error(), key->arn);
  if (request.DryRun.value_or(false)) return DryRun();
  return DataKey{.plaintext = std::move(plaintext), .wrapped = *std::move(wrapped)};
}

}  // namespace

ApiResult<EncryptResponse> Encrypt(Call& call, const EncryptRequest& request) {
  SYMBOLON_TRY(const auto key, FindKeyOrAlias(call, request.KeyId));
  SYMBOLON_TRY_VOID(CheckAlgorithm(request.EncryptionAlgorithm, key));
  SYMBOLON_TRY_VOID(CheckGrantTokens(request.GrantTokens));
  SYMBOLON_TRY(const EncryptionContext context, ContextOf(request.EncryptionContext));
  auto encrypted = call.keys().EncryptUnder(key->id, context, request.Plaintext);
  if (!encrypted) return Refuse(encrypted.error(), key->arn);
  if (request.DryRun.value_or(false)) return DryRun();
  return EncryptResponse{.CiphertextBlob = std::move(encrypted->ciphertext),
                         .KeyId = encrypted->key_arn,
                         .EncryptionAlgorithm = EncryptionAlgorithmSpec::kSymmetricDefault};
}

ApiResult<DecryptResponse> Decrypt(Call& call, const DecryptRequest& request) {
  SYMBOLON_TRY(const bool ignores_ciphertext, IgnoresCiphertext(request));
  SYMBOLON_TRY_VOID(CheckRecipient(request));
  SYMBOLON_TRY(const auto key, SourceKey(call, request.KeyId, request.CiphertextBlob));
  SYMBOLON_TRY_VOID(CheckAlgorithm(request.EncryptionAlgorithm, key));
  SYMBOLON_TRY_VOID(CheckGrantTokens(request.GrantTokens));
  SYMBOLON_TRY(const EncryptionContext context, ContextOf(request.EncryptionContext));
  if (ignores_ciphertext) {
    const auto usable = call.keys().CheckUsable(key->id);
    if (!usable) return Refuse(usable.error(), key->arn);
    return DryRun();
  }
  auto decrypted = call.keys().DecryptUnder(key->id, context, *request.CiphertextBlob);
  if (!decrypted) return Refuse(decrypted.error(), key->arn);
  if (request.DryRun.value_or(false)) return DryRun();
  return DecryptResponse{.KeyId = decrypted->key_arn,
                         .Plaintext = Bytes(decrypted->plaintext.view()),
                         .EncryptionAlgorithm = EncryptionAlgorithmSpec::kSymmetricDefault,
                         .KeyMaterialId = decrypted->material_id};
}

ApiResult<ReEncryptResponse> ReEncrypt(Call& call, const ReEncryptRequest& request) {
  SYMBOLON_TRY(const bool ignores_ciphertext, IgnoresCiphertext(request));
  SYMBOLON_TRY(const auto source, SourceKey(call, request.SourceKeyId, request.CiphertextBlob));
  SYMBOLON_TRY(const auto destination, FindKeyOrAlias(call, request.DestinationKeyId));
  SYMBOLON_TRY_VOID(CheckAlgorithm(request.SourceEncryptionAlgorithm, source));
  SYMBOLON_TRY_VOID(CheckAlgorithm(request.DestinationEncryptionAlgorithm, destination));
  SYMBOLON_TRY_VOID(CheckGrantTokens(request.GrantTokens));
  SYMBOLON_TRY(const EncryptionContext source_context, ContextOf(request.SourceEncryptionContext));
  SYMBOLON_TRY(const EncryptionContext destination_context, ContextOf(request.DestinationEncryptionContext));
  if (ignores_ciphertext) {
    for (const auto& key : {source, destination}) {
      const auto usable = call.keys().CheckUsable(key->id);
      if (!usable) return Refuse(usable.error(), key->arn);
    }
    return DryRun();
  }
  const auto decrypted = call.keys().DecryptUnder(source->id, source_context, *request.CiphertextBlob);
  if (!decrypted) return Refuse(decrypted.error(), source->arn);
  auto encrypted = call.keys().EncryptUnder(destination->id, destination_context, decrypted->plaintext.view());
  if (!encrypted) return Refuse(encrypted.error(), destination->arn);
  if (request.DryRun.value_or(false)) return DryRun();
  return ReEncryptResponse{.CiphertextBlob = std::move(encrypted->ciphertext),
                           .SourceKeyId = decrypted->key_arn,
                           .KeyId = encrypted->key_arn,
                           .SourceEncryptionAlgorithm = EncryptionAlgorithmSpec::kSymmetricDefault,
                           .DestinationEncryptionAlgorithm = EncryptionAlgorithmSpec::kSymmetricDefault,
                           .SourceKeyMaterialId = decrypted->material_id,
                           .DestinationKeyMaterialId = encrypted->material_id};
}

ApiResult<GenerateDataKeyResponse> GenerateDataKey(Call& call, const GenerateDataKeyRequest& request) {
  SYMBOLON_TRY_VOID(CheckRecipient(request));
  SYMBOLON_TRY(DataKey made, MakeDataKey(call, request));
  return GenerateDataKeyResponse{.CiphertextBlob = std::move(made.wrapped.ciphertext),
                                 .Plaintext = Bytes(made.plaintext.view()),
                                 .KeyId = made.wrapped.key_arn,
                                 .KeyMaterialId = made.wrapped.material_id};
}

ApiResult<GenerateDataKeyWithoutPlaintextResponse> GenerateDataKeyWithoutPlaintext(
    Call& call, const GenerateDataKeyWithoutPlaintextRequest& request) {
  SYMBOLON_TRY(DataKey made, MakeDataKey(call, request));
  return GenerateDataKeyWithoutPlaintextResponse{.CiphertextBlob = std::move(made.wrapped.ciphertext),
                                                 .KeyId = made.wrapped.key_arn,
                                                 .KeyMaterialId = made.wrapped.material_id};
}

ApiResult<GenerateRandomResponse> GenerateRandom(Call& call, const GenerateRandomRequest& request) {
  SYMBOLON_TRY_VOID(CheckRecipient(request));
  if (request.CustomKeyStoreId) return NotOffered("Custom key stores are");
  if (!request.NumberOfBytes) return Fail(ErrorCode::kValidationException, "NumberOfBytes must be specified.");
  const Secret random = call.keys().GenerateRandom(static_cast<std::size_t>(*request.NumberOfBytes));
  return GenerateRandomResponse{.Plaintext = Bytes(random.view())};
}

}  // namespace symbolon::kms_api::operations
