// GetParametersForImport, ImportKeyMaterial, DeleteImportedKeyMaterial.
#include "kms_api/naming.h"
#include "model/kms_api_handlers.h"

namespace symbolon::kms_api::operations {
namespace {

using keys::local::ImportAlgorithm;
using keys::local::LocalKeyProvider;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::kms;

ApiResult<ImportAlgorithm> AlgorithmOf(AlgorithmSpec algorithm) {
  switch (algorithm) {
    case AlgorithmSpec::kRsaesOaepSha256:
      return ImportAlgorithm::kRsaesOaepSha256;
    case AlgorithmSpec::kRsaAesKeyWrapSha256:
      return ImportAlgorithm::kRsaAesKeyWrapSha256;
    case AlgorithmSpec::kRsaesPkcs1V15:
    case AlgorithmSpec::kRsaesOaepSha1:
    case AlgorithmSpec::kRsaAesKeyWrapSha1:
    case AlgorithmSpec::kSm2pke:
      break;
  }
  return NotOffered("Other wrapping algorithms than RSAES_OAEP_SHA_256 and RSA_AES_KEY_WRAP_SHA_256 are");
}

ApiResult<int> BitsOf(WrappingKeySpec spec) {
  switch (spec) {
    case WrappingKeySpec::kRsa2048:
      return 2048;
    case WrappingKeySpec::kRsa3072:
      return 3072;
    case WrappingKeySpec::kRsa4096:
      return 4096;
    case WrappingKeySpec::kSm2:
      break;
  }
  return NotOffered("Other wrapping keys than RSA are");
}

ApiResult<std::optional<Timestamp>> ExpiryOf(const ImportKeyMaterialRequest& request) {
  // As AWS has it, material expires unless the caller says otherwise.
  const auto model = request.ExpirationModel.value_or(ExpirationModelType::kKeyMaterialExpires);
  if (model == ExpirationModelType::kKeyMaterialExpires) {
    if (request.ValidTo) return *request.ValidTo;
    return Fail(ErrorCode::kValidationException,
                "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
  }
  if (!request.ValidTo) return std::nullopt;
  return Fail(ErrorCode::kValidationException,
              "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE");
}

}  // namespace

ApiResult<GetParametersForImportResponse> GetParametersForImport(Call& call,
                                                                 const GetParametersForImportRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  SYMBOLON_TRY(const ImportAlgorithm algorithm, AlgorithmOf(request.WrappingAlgorithm));
  SYMBOLON_TRY(const int bits, BitsOf(request.WrappingKeySpec));
  auto parameters = call.keys().ParametersForImport(key->id, algorithm, bits);
  if (!parameters) return Refuse(parameters.error(), key->arn);
  return GetParametersForImportResponse{.KeyId = key->arn,
                                        .ImportToken = std::move(parameters->token),
                                        .PublicKey = std::move(parameters->public_key),
                                        .ParametersValidTo = parameters->valid_to};
}

ApiResult<ImportKeyMaterialResponse> ImportKeyMaterial(Call& call, const ImportKeyMaterialRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  SYMBOLON_TRY(const std::optional<Timestamp> valid_to, ExpiryOf(request));
  const auto material =
      call.keys().ImportMaterial(key->id, {.token = request.ImportToken,
                                           .wrapped = request.EncryptedKeyMaterial,
                                           .valid_to = valid_to,
                                           .is_new = request.ImportType == ImportType::kNewKeyMaterial,
                                           .material_id = request.KeyMaterialId,
                                           .description = request.KeyMaterialDescription});
  if (!material) return Refuse(material.error(), key->arn);
  return ImportKeyMaterialResponse{.KeyId = key->arn, .KeyMaterialId = material->id};
}

ApiResult<DeleteImportedKeyMaterialResponse> DeleteImportedKeyMaterial(
    Call& call, const DeleteImportedKeyMaterialRequest& request) {
  SYMBOLON_TRY(const auto key, FindKey(call, request.KeyId));
  const auto deleted = call.keys().DeleteImportedMaterial(key->id, request.KeyMaterialId);
  if (!deleted) return Refuse(deleted.error(), key->arn);
  DeleteImportedKeyMaterialResponse response{.KeyId = key->arn};
  if (!deleted->empty()) response.KeyMaterialId = *deleted;
  return response;
}

}  // namespace symbolon::kms_api::operations
