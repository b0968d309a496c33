#include "kms_api/authorisation.h"

#include <fmt/format.h>

#include <algorithm>

#include "kms_api/grants.h"
#include "kms_api/key_use.h"
#include "kms_api/naming.h"
#include "model/kms_operations.h"
#include "model/kms_shapes.h"

namespace symbolon::kms_api {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using model::kms::Operation;
using policy::Outcome;

// "Actions, resources, and condition keys for AWS Key Management Service" (AWS Service Authorization Reference).
constexpr const char* kKmsActions[] = {"CancelKeyDeletion",
                                       "ConnectCustomKeyStore",
                                       "CreateAlias",
                                       "CreateCustomKeyStore",
                                       "CreateGrant",
                                       "CreateKey",
                                       "Decrypt",
                                       "DeleteAlias",
                                       "DeleteCustomKeyStore",
                                       "DeleteImportedKeyMaterial",
                                       "DeriveSharedSecret",
                                       "DescribeCustomKeyStores",
                                       "DescribeKey",
                                       "DisableKey",
                                       "DisableKeyRotation",
                                       "DisconnectCustomKeyStore",
                                       "EnableKey",
                                       "EnableKeyRotation",
                                       "Encrypt",
                                       "GenerateDataKey",
                                       "GenerateDataKeyPair",
                                       "GenerateDataKeyPairWithoutPlaintext",
                                       "GenerateDataKeyWithoutPlaintext",
                                       "GenerateMac",
                                       "GenerateRandom",
                                       "GetKeyPolicy",
                                       "GetKeyRotationStatus",
                                       "GetParametersForImport",
                                       "GetPublicKey",
                                       "ImportKeyMaterial",
                                       "ListAliases",
                                       "ListGrants",
                                       "ListKeyPolicies",
                                       "ListKeyRotations",
                                       "ListKeys",
                                       "ListResourceTags",
                                       "ListRetirableGrants",
                                       "PutKeyPolicy",
                                       "ReEncryptFrom",
                                       "ReEncryptTo",
                                       "ReplicateKey",
                                       "RetireGrant",
                                       "RevokeGrant",
                                       "RotateKeyOnDemand",
                                       "ScheduleKeyDeletion",
                                       "Sign",
                                       "SynchronizeMultiRegionKey",
                                       "TagResource",
                                       "UntagResource",
                                       "UpdateAlias",
                                       "UpdateCustomKeyStore",
                                       "UpdateKeyDescription",
                                       "UpdatePrimaryRegion",
                                       "Verify",
                                       "VerifyMac"};

std::vector<std::string> NamesOf(model::Service service) {
  std::vector<std::string> names;
  for (const model::OperationFacts& operation : model::OperationsOf(service)) names.emplace_back(operation.name);
  return names;
}

void AddKind(policy::Context& known, bool external, bool multi_region) {
  known.SetAll("kms:KeySpec", {"SYMMETRIC_DEFAULT"});
  known.SetAll("kms:KeyUsage", {"ENCRYPT_DECRYPT"});
  known.SetAll("kms:KeyOrigin", {external ? "EXTERNAL" : "AWS_KMS"});
  known.SetFlag("kms:MultiRegion", multi_region);
}

// What conditions may ask of a request, beside the key and its encryption context.
void AddFacts(policy::Context& known, const model::OperationFacts& operation, const wire::Request& request) {
  const auto bypasses = [&](const std::optional<bool>& bypass) {
    known.SetFlag("kms:BypassPolicyLockoutSafetyCheck", bypass.value_or(false));
  };
  switch (static_cast<Operation>(operation.index)) {
    case Operation::kCreateKey: {
      const auto& asked = request.As<model::kms::CreateKeyRequest>();
      AddKind(known, asked.Origin == model::kms::OriginType::kExternal, asked.MultiRegion.value_or(false));
      bypasses(asked.BypassPolicyLockoutSafetyCheck);
      break;
    }
    case Operation::kPutKeyPolicy:
      bypasses(request.As<model::kms::PutKeyPolicyRequest>().BypassPolicyLockoutSafetyCheck);
      break;
    case Operation::kReplicateKey: {
      const auto& asked = request.As<model::kms::ReplicateKeyRequest>();
      known.Add("kms:ReplicaRegion", asked.ReplicaRegion);
      bypasses(asked.BypassPolicyLockoutSafetyCheck);
      break;
    }
    default:
      break;
  }
}

void AddGrant(policy::Context& known, const keys::local::Grant& grant) {
  known.SetAll("kms:GrantOperations", grant.operations);
  // That is for services which ask in somebody's name.
  known.SetFlag("kms:GrantIsForAWSResource", false);
  if (grant.constraints.context_equals) known.Add("kms:GrantConstraintType", "EncryptionContextEquals");
  if (grant.constraints.context_subset) known.Add("kms:GrantConstraintType", "EncryptionContextSubset");
  known.Add("kms:GranteePrincipal", grant.grantee);
  if (!grant.retiring.empty()) known.Add("kms:RetiringPrincipal", grant.retiring);
}

// One caller before the policies.
class Judge {
 public:
  explicit Judge(Call& call) : identity_(call.caller().identity), access_(call.access()), known(call.caller().context) {
    known.Add("kms:CallerAccount", identity_.principal.account);
  }

  // `use.key` decides by its policy; what no key policy is about is the identity policies' to decide.
  ApiResult<void> Decide(const KeyUse& use, const keys::local::Grant* new_grant = nullptr, bool granted = false) const {
    const std::string action = fmt::format("kms:{}", use.action);
    policy::Context context = known;
    if (use.key == nullptr) {
      const policy::Request asked{
          .principal = identity_.principal, .action = action, .resource = use.resource, .context = context};
      return Answer(asked, policy::DecideByIdentity(identity_.policies, asked));
    }
    AddKind(context, use.key->origin == keys::local::KeyOrigin::kExternal, use.key->multi_region);
    if (use.context != nullptr) keys::access::AddEncryptionContext(context, *use.context);
    const auto outcome = access_.Decide(*use.key, {.identity = identity_,
                                                   .action = action,
                                                   .context = context,
                                                   .encryption_context = use.context,
                                                   .new_grant = new_grant,
                                                   .granted = granted});
    return Answer({.principal = identity_.principal, .action = action, .resource = use.key->arn, .context = context},
                  outcome);
  }

  // The grant decides who may, or the account's root; a policy can only deny it.
  ApiResult<void> DecideRetirement(const KeyUse& use, const NamedGrant& named) const {
    const policy::Principal& principal = identity_.principal;
    const keys::local::Grant& grant = named.grant;
    const bool retiring = !grant.retiring_is_service && grant.retiring == principal.ToString();
    const bool grantee = keys::access::IsGrantee(grant, principal) &&
                         std::ranges::find(grant.operations, "RetireGrant") != grant.operations.end();
    if (retiring || grantee || principal.kind == policy::Principal::Kind::kRoot) {
      return Decide(use, nullptr, /*granted=*/true);
    }
    return Answer({.principal = principal, .action = "kms:RetireGrant", .resource = use.resource, .context = known},
                  Outcome::kNotAllowedByResourcePolicy);
  }

 private:
  static ApiResult<void> Answer(const policy::Request& asked, Outcome outcome) {
    if (outcome == Outcome::kAllowed) return {};
    return Fail(ErrorCode::kAccessDeniedException, policy::Refusal(asked, outcome));
  }

  const policy::Identity& identity_;
  keys::access::KeyAccess& access_;

 public:
  // What conditions may ask.
  policy::Context known;
};

}  // namespace

const policy::Vocabulary& KnownActions() {
  static const policy::Vocabulary vocabulary({{"kms", {std::begin(kKmsActions), std::end(kKmsActions)}},
                                              {"cognito-idp", NamesOf(model::Service::kCognito)},
                                              {"symbolon", NamesOf(model::Service::kOwn)}});
  return vocabulary;
}

ApiResult<void> Authorise(Call& call, const model::OperationFacts& operation, const wire::Request& request) {
  Judge judge(call);
  AddFacts(judge.known, operation, request);
  const auto uses = KeyUsesOf(call, operation, request);
  const auto kind = static_cast<Operation>(operation.index);
  if (kind == Operation::kRetireGrant) {
    SYMBOLON_TRY(const NamedGrant named, FindGrant(call, request.As<model::kms::RetireGrantRequest>()));
    return judge.DecideRetirement(uses.front(), named);
  }
  std::optional<keys::local::Grant> new_grant;
  if (kind == Operation::kCreateGrant) {
    SYMBOLON_TRY(new_grant, GrantOf(request.As<model::kms::CreateGrantRequest>()));
    AddGrant(judge.known, *new_grant);
  }
  for (const KeyUse& use : uses) SYMBOLON_TRY_VOID(judge.Decide(use, new_grant ? &*new_grant : nullptr));
  // In the other Region it is a new key.
  if (kind == Operation::kReplicateKey) return judge.Decide({.action = "CreateKey", .resource = "*"});
  return {};
}

ApiResult<void> CheckPolicy(Call& call, const std::string& policy, const std::string& key_arn, bool bypass) {
  if (policy.size() > policy::Document::kBytesMax) {
    return Fail(ErrorCode::kLimitExceededException, "The key policy exceeds 32 KiB.");
  }
  const auto document = call.access().Parse(policy);
  if (!document) return Fail(ErrorCode::kMalformedPolicyDocumentException, document.error().message);
  if (bypass) return {};
  policy::Context known = call.caller().context;
  known.Add("kms:CallerAccount", call.caller().identity.principal.account);
  const auto outcome = policy::DecideByResource(*document, call.caller().identity.policies,
                                                {.principal = call.caller().identity.principal,
                                                 .action = "kms:PutKeyPolicy",
                                                 .resource = key_arn,
                                                 .context = known},
                                                /*granted=*/false);
  if (outcome == Outcome::kAllowed) return {};
  return Fail(ErrorCode::kMalformedPolicyDocumentException,
              "The new key policy will not allow you to update the key policy in the future.");
}

}  // namespace symbolon::kms_api
