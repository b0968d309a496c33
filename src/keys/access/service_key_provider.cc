#include "keys/access/service_key_provider.h"

#include <fmt/format.h>

#include "policy/pool_key_policy.h"

namespace symbolon::keys::access {
namespace {

// What a pool needs of its key.
constexpr std::string_view kUses[] = {"GenerateDataKeyWithoutPlaintext", "Encrypt", "Decrypt"};
constexpr std::string_view kDescribeKey = "DescribeKey";
// No key has this id.
constexpr std::string_view kForeignKey = "foreign";

// "000000000000" of "arn:aws:cognito-idp:eu-central-1:000000000000:userpool/...".
std::string AccountOf(std::string_view arn) {
  for (int i = 0; i < 4; ++i) arn.remove_prefix(std::min(arn.size(), arn.find(':') + 1));
  return std::string(arn.substr(0, arn.find(':')));
}

std::string PoolArnOf(const EncryptionContext& context) {
  const auto found = context.find(std::string(policy::kPoolContextKey));
  return found == context.end() ? "" : found->second;
}

tl::unexpected<KeyError> Denied(const local::KeyFacts& key, std::string_view who, std::string_view operation) {
  return Err(KeyError{KeyErrorCode::kAccessDenied,
                      fmt::format("Access to the KMS key {} is denied: its key policy does not allow {} to perform "
                                  "kms:{}.",
                                  key.arn, who, operation)});
}

}  // namespace

KeyResult<Bytes> ServiceKeyProvider::GenerateDataKeyWithoutPlaintext(std::string_view key_arn,
                                                                     const EncryptionContext& context) {
  SYMBOLON_TRY_VOID(CheckServices(key_arn, "GenerateDataKeyWithoutPlaintext", context));
  return keys_.GenerateDataKeyWithoutPlaintext(key_arn, context);
}

KeyResult<Bytes> ServiceKeyProvider::Encrypt(std::string_view key_arn, const EncryptionContext& context,
                                             BytesView plaintext) {
  SYMBOLON_TRY_VOID(CheckServices(key_arn, "Encrypt", context));
  return keys_.Encrypt(key_arn, context, plaintext);
}

KeyResult<Secret> ServiceKeyProvider::Decrypt(std::string_view key_arn, const EncryptionContext& context,
                                              BytesView ciphertext) {
  SYMBOLON_TRY_VOID(CheckServices(key_arn, "Decrypt", context));
  return keys_.Decrypt(key_arn, context, ciphertext);
}

KeyResult<void> ServiceKeyProvider::CheckServices(std::string_view key_arn, std::string_view operation,
                                                  const EncryptionContext& context) {
  const auto key = keys_.FactsOfAny(key_arn);
  // The provider has the word for a key that is not there.
  if (!key || (*key)->service_owned) return {};
  for (const std::string_view service : policy::kPoolServices) {
    SYMBOLON_TRY_VOID(CheckService(**key, service, operation, PoolArnOf(context), &context));
  }
  return {};
}

KeyResult<void> ServiceKeyProvider::CheckService(const local::KeyFacts& key, std::string_view service,
                                                 std::string_view operation, const std::string& pool_arn,
                                                 const EncryptionContext* context) {
  const policy::Identity identity{.principal = policy::Principal::Service(std::string(service)), .policies = {}};
  policy::Context known;
  known.SetTime(clock_.Now());
  known.Add("aws:SourceArn", pool_arn);
  known.Add("aws:SourceAccount", AccountOf(pool_arn));
  known.Add("aws:RequestedRegion", region_.value());
  known.SetFlag("aws:PrincipalIsAWSService", true);
  known.Add("aws:PrincipalServiceName", std::string(service));
  if (context != nullptr) AddEncryptionContext(known, *context);
  const std::string action = fmt::format("kms:{}", operation);
  const auto outcome =
      access_.Decide(key, {.identity = identity, .action = action, .context = known, .encryption_context = context});
  if (outcome == policy::Outcome::kAllowed) return {};
  return Denied(key, service, operation);
}

KeyResult<void> ServiceKeyProvider::CheckPool(const policy::Caller& caller, std::string_view key_arn,
                                              const std::string& pool_arn) {
  const auto key = keys_.FactsOfAny(key_arn);
  if (!key || (*key)->service_owned) return {};
  const EncryptionContext of_pool{{std::string(policy::kPoolContextKey), pool_arn}};

  for (const std::string_view service : policy::kPoolServices) {
    SYMBOLON_TRY_VOID(CheckService(**key, service, kDescribeKey, pool_arn, nullptr));
    for (const std::string_view use : kUses) SYMBOLON_TRY_VOID(CheckService(**key, service, use, pool_arn, &of_pool));
  }

  return CheckCaller(caller, **key, pool_arn);
}

KeyResult<void> ServiceKeyProvider::CheckCallerOfForeignKey(const policy::Caller& caller, std::string_view key_arn,
                                                            const std::string& pool_arn) {
  local::KeyFacts key;
  key.id = kForeignKey;
  key.arn = key_arn;
  {
    std::lock_guard guard(foreign_mutex_);
    const std::string account = AccountOf(pool_arn);
    if (foreign_policy_ == nullptr || foreign_account_ != account) {
      foreign_account_ = account;
      foreign_policy_ = std::make_shared<const std::string>(fmt::format(
          R"({{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"arn:aws:iam::{}:root"}},"Action":"kms:*","Resource":"*"}}]}})",
          account));
    }
    key.policy = foreign_policy_;
  }
  return CheckCaller(caller, key, pool_arn);
}

KeyResult<void> ServiceKeyProvider::CheckCaller(const policy::Caller& caller, const local::KeyFacts& key,
                                                const std::string& pool_arn) {
  const EncryptionContext of_pool{{std::string(policy::kPoolContextKey), pool_arn}};
  policy::Context known = caller.context;
  known.Add("kms:CallerAccount", caller.identity.principal.account);
  known.Add("kms:ViaService", fmt::format("cognito-idp.{}.amazonaws.com", region_.value()));
  known.SetFlag("aws:ViaAWSService", true);
  const auto ask = [&](std::string_view operation, const policy::Context& context,
                       const EncryptionContext* encryption_context) -> KeyResult<void> {
    const std::string action = fmt::format("kms:{}", operation);
    const auto outcome = access_.Decide(
        key,
        {.identity = caller.identity, .action = action, .context = context, .encryption_context = encryption_context});
    if (outcome == policy::Outcome::kAllowed) return {};
    const policy::Request asked{
        .principal = caller.identity.principal, .action = action, .resource = key.arn, .context = context};
    return Err(KeyError{KeyErrorCode::kAccessDenied, policy::Refusal(asked, outcome)});
  };
  SYMBOLON_TRY_VOID(ask(kDescribeKey, known, nullptr));
  AddEncryptionContext(known, of_pool);
  for (const std::string_view use : kUses) SYMBOLON_TRY_VOID(ask(use, known, &of_pool));
  return {};
}

}  // namespace symbolon::keys::access
