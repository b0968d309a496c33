#include "kms_api/key_use.h"

#include <algorithm>

#include "kms_api/grant_token.h"
#include "kms_api/naming.h"
#include "model/kms_operations.h"

namespace symbolon::kms_api {
namespace {

using keys::EncryptionContext;
using keys::local::KeyFactsPointer;
using model::kms::Operation;
using namespace model::kms;

const EncryptionContext kNoContext;

// Reads the uses of one request.
class Uses {
 public:
  Uses(Call& call, std::string_view operation) : call_(call), operation_(operation) {}

  std::vector<KeyUse> None() { return {{.action = operation_, .resource = "*"}}; }

  std::vector<KeyUse> Of(const std::string& named) { return {Named(operation_, named)}; }

  std::vector<KeyUse> With(const std::string& named, const std::optional<EncryptionContext>& context) {
    return {WithContext(Named(operation_, named), context)};
  }

  std::vector<KeyUse> OfAlias(const std::string& alias, const std::optional<std::string>& target) {
    std::vector<KeyUse> uses{{.action = operation_, .resource = AliasArnOf(call_, alias)}};
    const auto before = call_.keys().TargetOf(alias);
    if (before && operation_ != "CreateAlias") uses.push_back(Named(operation_, *before));
    if (target) uses.push_back(Named(operation_, *target));
    return uses;
  }

  KeyUse OfCiphertext(std::string action, const std::optional<std::string>& named,
                      const std::optional<Bytes>& ciphertext, const std::optional<EncryptionContext>& context) {
    if (named) return WithContext(Named(std::move(action), *named), context);
    KeyUse use{.action = std::move(action), .resource = "*"};
    const auto key =
        ciphertext ? call_.keys().KeyOfCiphertext(*ciphertext) : keys::local::LocalKeyResult<KeyFactsPointer>(nullptr);
    if (key && *key != nullptr) {
      use.key = *key;
      use.resource = (*key)->arn;
    }
    return WithContext(std::move(use), context);
  }

  KeyUse Named(std::string action, const std::string& named) {
    KeyUse use{.action = std::move(action), .resource = named};
    const auto key = FindKeyOrAlias(call_, named);
    if (key) {
      use.key = *key;
      use.resource = (*key)->arn;
      if (const std::size_t place = named.find(kAliasPrefix); place != std::string::npos)
        use.alias = named.substr(place);
    } else if (!named.starts_with("arn:") && !named.starts_with(kAliasPrefix)) {
      use.resource = KeyArnOf(call_, named, call_.region());
    } else if (named.starts_with(kAliasPrefix)) {
      use.resource = AliasArnOf(call_, named);
    }
    return use;
  }

  static KeyUse WithContext(KeyUse use, const std::optional<EncryptionContext>& context) {
    use.context = context ? &*context : &kNoContext;
    return use;
  }

 private:
  Call& call_;
  const std::string operation_;
};

std::string RetiredKey(const RetireGrantRequest& request) {
  if (request.KeyId) return *request.KeyId;
  const auto grant = request.GrantToken ? ParseGrantToken(*request.GrantToken) : std::nullopt;
  return grant ? grant->key_arn : "";
}

}  // namespace

std::vector<KeyUse> KeyUsesOf(Call& call, const model::OperationFacts& operation, const wire::Request& request) {
  Uses uses(call, operation.name);
  switch (static_cast<Operation>(operation.index)) {
    case Operation::kCreateKey:
    case Operation::kGenerateRandom:
    case Operation::kListAliases:
    case Operation::kListKeys:
    case Operation::kListRetirableGrants:
      return uses.None();
    case Operation::kCreateAlias: {
      const auto& asked = request.As<CreateAliasRequest>();
      return uses.OfAlias(asked.AliasName, asked.TargetKeyId);
    }
    case Operation::kUpdateAlias: {
      const auto& asked = request.As<UpdateAliasRequest>();
      return uses.OfAlias(asked.AliasName, asked.TargetKeyId);
    }
    case Operation::kDeleteAlias:
      return uses.OfAlias(request.As<DeleteAliasRequest>().AliasName, std::nullopt);
    case Operation::kEncrypt: {
      const auto& asked = request.As<EncryptRequest>();
      return uses.With(asked.KeyId, asked.EncryptionContext);
    }
    case Operation::kGenerateDataKey: {
      const auto& asked = request.As<GenerateDataKeyRequest>();
      return uses.With(asked.KeyId, asked.EncryptionContext);
    }
    case Operation::kGenerateDataKeyWithoutPlaintext: {
      const auto& asked = request.As<GenerateDataKeyWithoutPlaintextRequest>();
      return uses.With(asked.KeyId, asked.EncryptionContext);
    }
    case Operation::kDecrypt: {
      const auto& asked = request.As<DecryptRequest>();
      return {uses.OfCiphertext("Decrypt", asked.KeyId, asked.CiphertextBlob, asked.EncryptionContext)};
    }
    case Operation::kReEncrypt: {
      const auto& asked = request.As<ReEncryptRequest>();
      return {
          uses.OfCiphertext("ReEncryptFrom", asked.SourceKeyId, asked.CiphertextBlob, asked.SourceEncryptionContext),
          Uses::WithContext(uses.Named("ReEncryptTo", asked.DestinationKeyId), asked.DestinationEncryptionContext)};
    }
    case Operation::kCancelKeyDeletion:
      return uses.Of(request.As<CancelKeyDeletionRequest>().KeyId);
    case Operation::kCreateGrant:
      return uses.Of(request.As<CreateGrantRequest>().KeyId);
    case Operation::kDeleteImportedKeyMaterial:
      return uses.Of(request.As<DeleteImportedKeyMaterialRequest>().KeyId);
    case Operation::kDescribeKey:
      return uses.Of(request.As<DescribeKeyRequest>().KeyId);
    case Operation::kDisableKey:
      return uses.Of(request.As<DisableKeyRequest>().KeyId);
    case Operation::kDisableKeyRotation:
      return uses.Of(request.As<DisableKeyRotationRequest>().KeyId);
    case Operation::kEnableKey:
      return uses.Of(request.As<EnableKeyRequest>().KeyId);
    case Operation::kEnableKeyRotation:
      return uses.Of(request.As<EnableKeyRotationRequest>().KeyId);
    case Operation::kGetKeyPolicy:
      return uses.Of(request.As<GetKeyPolicyRequest>().KeyId);
    case Operation::kGetKeyRotationStatus:
      return uses.Of(request.As<GetKeyRotationStatusRequest>().KeyId);
    case Operation::kGetParametersForImport:
      return uses.Of(request.As<GetParametersForImportRequest>().KeyId);
    case Operation::kImportKeyMaterial:
      return uses.Of(request.As<ImportKeyMaterialRequest>().KeyId);
    case Operation::kListGrants:
      return uses.Of(request.As<ListGrantsRequest>().KeyId);
    case Operation::kListKeyPolicies:
      return uses.Of(request.As<ListKeyPoliciesRequest>().KeyId);
    case Operation::kListKeyRotations:
      return uses.Of(request.As<ListKeyRotationsRequest>().KeyId);
    case Operation::kListResourceTags:
      return uses.Of(request.As<ListResourceTagsRequest>().KeyId);
    case Operation::kPutKeyPolicy:
      return uses.Of(request.As<PutKeyPolicyRequest>().KeyId);
    case Operation::kReplicateKey:
      return uses.Of(request.As<ReplicateKeyRequest>().KeyId);
    case Operation::kRevokeGrant:
      return uses.Of(request.As<RevokeGrantRequest>().KeyId);
    case Operation::kRotateKeyOnDemand:
      return uses.Of(request.As<RotateKeyOnDemandRequest>().KeyId);
    case Operation::kScheduleKeyDeletion:
      return uses.Of(request.As<ScheduleKeyDeletionRequest>().KeyId);
    case Operation::kTagResource:
      return uses.Of(request.As<TagResourceRequest>().KeyId);
    case Operation::kUntagResource:
      return uses.Of(request.As<UntagResourceRequest>().KeyId);
    case Operation::kUpdateKeyDescription:
      return uses.Of(request.As<UpdateKeyDescriptionRequest>().KeyId);
    case Operation::kUpdatePrimaryRegion:
      return uses.Of(request.As<UpdatePrimaryRegionRequest>().KeyId);
    case Operation::kRetireGrant:
      return uses.Of(RetiredKey(request.As<RetireGrantRequest>()));
  }
  return uses.None();
}

std::vector<std::string> KeyArnsOf(Call& call, const model::OperationFacts& operation, const wire::Request& request) {
  std::vector<std::string> arns;
  for (const KeyUse& use : KeyUsesOf(call, operation, request)) {
    if (use.key != nullptr && std::ranges::find(arns, use.key->arn) == arns.end()) arns.push_back(use.key->arn);
  }
  return arns;
}

}  // namespace symbolon::kms_api
