#include "cognito/pool_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "cognito/attribute_schema.h"
#include "cognito/mfa_settings.h"
#include "keys/arn.h"
#include "model/cognito_tables.h"
#include "wire/serialise.h"

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

constexpr std::uint32_t kTemporaryPasswordDays = 7;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

auto NotAvailable(std::string_view setting) { return Invalid(fmt::format("{} is not available yet.", setting)); }

// 0 means the default.
std::uint32_t TemporaryPasswordDays(const std::optional<std::int32_t>& days) {
  return days.value_or(0) == 0 ? kTemporaryPasswordDays : static_cast<std::uint32_t>(*days);
}

ApiResult<void> ApplyPasswordPolicy(pb::PoolRecord& pool, const PasswordPolicyType& policy) {
  if (policy.PasswordHistorySize.value_or(0) != 0) return NotAvailable("PasswordHistorySize");
  pb::PasswordPolicy& stored = *pool.mutable_password_policy();
  stored.set_minimum_length(static_cast<std::uint32_t>(policy.MinimumLength.value_or(8)));
  stored.set_require_uppercase(policy.RequireUppercase.value_or(false));
  stored.set_require_lowercase(policy.RequireLowercase.value_or(false));
  stored.set_require_numbers(policy.RequireNumbers.value_or(false));
  stored.set_require_symbols(policy.RequireSymbols.value_or(false));
  stored.set_temporary_password_validity_days(TemporaryPasswordDays(policy.TemporaryPasswordValidityDays));
  return {};
}

ApiResult<void> ApplyPolicies(pb::PoolRecord& pool, const UserPoolPolicyType& policies) {
  if (policies.SignInPolicy && policies.SignInPolicy->AllowedFirstAuthFactors) {
    for (const AuthFactorType factor : *policies.SignInPolicy->AllowedFirstAuthFactors) {
      if (factor != AuthFactorType::kPassword)
        return NotAvailable(fmt::format("The sign-in factor {}", ToString(factor)));
    }
  }
  if (policies.PasswordPolicy) return ApplyPasswordPolicy(pool, *policies.PasswordPolicy);
  return {};
}

bool IsEmpty(const LambdaConfigType& config) { return wire::Serialise(shapes::kLambdaConfigType, &config) == "{}"; }

// Members that this version cannot obey: anything but their neutral value is refused.
template <class Request>
ApiResult<void> RefuseUnavailable(const Request& request) {
  if (request.LambdaConfig && !IsEmpty(*request.LambdaConfig)) return NotAvailable("LambdaConfig");
  if (request.SmsConfiguration) return NotAvailable("SmsConfiguration");
  if (request.SmsAuthenticationMessage) return NotAvailable("SmsAuthenticationMessage");
  if (request.UserPoolAddOns && (request.UserPoolAddOns->AdvancedSecurityMode != AdvancedSecurityModeType::kOff ||
                                 request.UserPoolAddOns->AdvancedSecurityAdditionalFlows)) {
    return NotAvailable("UserPoolAddOns");
  }
  if (request.DcrConfiguration) return NotAvailable("DcrConfiguration");
  if (request.AcrConfiguration) return NotAvailable("AcrConfiguration");
  return {};
}

ApiResult<void> RequirePlaceholder(const std::optional<std::string>& text, std::string_view member) {
  if (text && text->find("{####}") == std::string::npos) {
    return Invalid(fmt::format("{} must contain the placeholder {{####}}.", member));
  }
  return {};
}

template <class Request>
ApiResult<void> ApplyMessages(pb::PoolRecord& pool, const Request& request) {
  pb::MessageTemplate& stored = *pool.mutable_verification_message();
  SYMBOLON_TRY_VOID(RequirePlaceholder(request.SmsVerificationMessage, "SmsVerificationMessage"));
  SYMBOLON_TRY_VOID(RequirePlaceholder(request.EmailVerificationMessage, "EmailVerificationMessage"));
  if (request.SmsVerificationMessage) stored.set_sms_message(*request.SmsVerificationMessage);
  if (request.EmailVerificationMessage) stored.set_email_message(*request.EmailVerificationMessage);
  if (request.EmailVerificationSubject) stored.set_email_subject(*request.EmailVerificationSubject);
  if (!request.VerificationMessageTemplate) return {};
  const VerificationMessageTemplateType& message = *request.VerificationMessageTemplate;
  if (message.DefaultEmailOption == DefaultEmailOptionType::kConfirmWithLink || message.EmailMessageByLink ||
      message.EmailSubjectByLink) {
    return NotAvailable("Confirmation by link");
  }
  // The two spellings of one setting must not contradict each other.
  const auto agree = [](const auto& a, const auto& b) { return !a || !b || *a == *b; };
  if (!agree(message.SmsMessage, request.SmsVerificationMessage) ||
      !agree(message.EmailMessage, request.EmailVerificationMessage) ||
      !agree(message.EmailSubject, request.EmailVerificationSubject)) {
    return Invalid("VerificationMessageTemplate contradicts the verification message members.");
  }
  SYMBOLON_TRY_VOID(RequirePlaceholder(message.SmsMessage, "VerificationMessageTemplate.SmsMessage"));
  SYMBOLON_TRY_VOID(RequirePlaceholder(message.EmailMessage, "VerificationMessageTemplate.EmailMessage"));
  if (message.SmsMessage) stored.set_sms_message(*message.SmsMessage);
  if (message.EmailMessage) stored.set_email_message(*message.EmailMessage);
  if (message.EmailSubject) stored.set_email_subject(*message.EmailSubject);
  return {};
}

ApiResult<void> ApplyAdminCreate(pb::PoolRecord& pool, const AdminCreateUserConfigType& config, bool policy_given) {
  pool.set_admin_create_only(config.AllowAdminCreateUserOnly.value_or(false));
  if (config.UnusedAccountValidityDays) {
    // The older name of TemporaryPasswordValidityDays.
    const std::uint32_t days = TemporaryPasswordDays(config.UnusedAccountValidityDays);
    if (policy_given && pool.password_policy().temporary_password_validity_days() != days) {
      return Invalid("UnusedAccountValidityDays contradicts TemporaryPasswordValidityDays.");
    }
    pool.mutable_password_policy()->set_temporary_password_validity_days(days);
  }
  if (!config.InviteMessageTemplate) return {};
  for (const auto& text : {config.InviteMessageTemplate->SMSMessage, config.InviteMessageTemplate->EmailMessage}) {
    if (text && (text->find("{####}") == std::string::npos || text->find("{username}") == std::string::npos)) {
      return Invalid("An invitation message must contain the placeholders {username} and {####}.");
    }
  }
  pb::MessageTemplate& stored = *pool.mutable_invitation_message();
  if (config.InviteMessageTemplate->SMSMessage) stored.set_sms_message(*config.InviteMessageTemplate->SMSMessage);
  if (config.InviteMessageTemplate->EmailMessage) stored.set_email_message(*config.InviteMessageTemplate->EmailMessage);
  if (config.InviteMessageTemplate->EmailSubject) stored.set_email_subject(*config.InviteMessageTemplate->EmailSubject);
  return {};
}

ApiResult<void> ApplyRecovery(pb::PoolRecord& pool, const AccountRecoverySettingType& setting) {
  if (!setting.RecoveryMechanisms) return {};
  std::set<std::int32_t> priorities;
  std::set<RecoveryOptionNameType> names;
  pool.clear_recovery();
  for (const RecoveryOptionType& option : *setting.RecoveryMechanisms) {
    if (!priorities.insert(option.Priority).second)
      return Invalid("Account recovery options must have different priorities.");
    if (!names.insert(option.Name).second) return Invalid("Account recovery options must have different names.");
    if (option.Name == RecoveryOptionNameType::kAdminOnly && setting.RecoveryMechanisms->size() > 1) {
      return Invalid("Account Recovery Setting cannot use admin_only with other recovery mechanisms.");
    }
    pb::RecoveryOption& stored = *pool.add_recovery();
    stored.set_name(std::string(ToString(option.Name)));
    stored.set_priority(static_cast<std::uint32_t>(option.Priority));
  }
  std::ranges::sort(*pool.mutable_recovery(), {}, &pb::RecoveryOption::priority);
  return {};
}

// Any member switches tracking on; none, which is not what leaving all of it out is, switches it off.
void ApplyDevices(pb::PoolRecord& pool, const DeviceConfigurationType& configuration) {
  pool.clear_device_tracking();
  if (!configuration.ChallengeRequiredOnNewDevice && !configuration.DeviceOnlyRememberedOnUserPrompt) return;
  pb::DeviceTracking& stored = *pool.mutable_device_tracking();
  stored.set_replaces_second_factor(configuration.ChallengeRequiredOnNewDevice.value_or(false));
  stored.set_only_on_prompt(configuration.DeviceOnlyRememberedOnUserPrompt.value_or(false));
}

// What both CreateUserPool and UpdateUserPool can set.
template <class Request>
ApiResult<void> ApplyCommon(pb::PoolRecord& pool, const Request& request) {
  SYMBOLON_TRY_VOID(RefuseUnavailable(request));
  if (request.MfaConfiguration) SYMBOLON_TRY_VOID(ApplyMfaMode(pool, *request.MfaConfiguration));
  if (request.Policies) SYMBOLON_TRY_VOID(ApplyPolicies(pool, *request.Policies));
  if (request.DeletionProtection)
    pool.set_deletion_protection(*request.DeletionProtection == DeletionProtectionType::kActive);
  pool.clear_auto_verified_attributes();
  for (const VerifiedAttributeType attribute :
       request.AutoVerifiedAttributes.value_or(std::vector<VerifiedAttributeType>{})) {
    pool.add_auto_verified_attributes(std::string(ToString(attribute)));
  }
  SYMBOLON_TRY_VOID(ApplyMessages(pool, request));
  if (request.UserAttributeUpdateSettings) {
    pool.clear_verify_before_update();
    for (const VerifiedAttributeType attribute :
         request.UserAttributeUpdateSettings->AttributesRequireVerificationBeforeUpdate.value_or(
             std::vector<VerifiedAttributeType>{})) {
      pool.add_verify_before_update(std::string(ToString(attribute)));
    }
  }
  for (const std::string& attribute : pool.verify_before_update()) {
    if (std::ranges::find(pool.auto_verified_attributes(), attribute) == pool.auto_verified_attributes().end()) {
      return Invalid(
          "All attributes in AttributesRequireVerificationBeforeUpdate must exist in AutoVerifiedAttributes");
    }
  }
  if (request.AdminCreateUserConfig) {
    const bool policy_given = request.Policies && request.Policies->PasswordPolicy &&
                              request.Policies->PasswordPolicy->TemporaryPasswordValidityDays.has_value();
    SYMBOLON_TRY_VOID(ApplyAdminCreate(pool, *request.AdminCreateUserConfig, policy_given));
  }
  if (request.AccountRecoverySetting) SYMBOLON_TRY_VOID(ApplyRecovery(pool, *request.AccountRecoverySetting));
  if (request.DeviceConfiguration) ApplyDevices(pool, *request.DeviceConfiguration);
  if (request.UserPoolTier) pool.set_tier(std::string(ToString(*request.UserPoolTier)));
  if (request.IssuerConfiguration && request.IssuerConfiguration->Type) {
    pool.set_issuer(*request.IssuerConfiguration->Type == IssuerType::kUpdated ? pb::ISSUER_UPDATED
                                                                               : pb::ISSUER_ORIGINAL);
  }
  return {};
}

template <class Enum, class Parse>
std::optional<std::vector<Enum>> DescribeList(const google::protobuf::RepeatedPtrField<std::string>& stored,
                                              Parse parse) {
  if (stored.empty()) return std::nullopt;
  std::vector<Enum> list;
  for (const std::string& text : stored) {
    if (const auto value = parse(text)) list.push_back(*value);
  }
  return list;
}

}  // namespace

ApiResult<void> ApplySettings(pb::PoolRecord& pool, const CreateUserPoolRequest& request) {
  pool.set_name(request.PoolName);
  pb::PasswordPolicy& policy = *pool.mutable_password_policy();
  policy.set_minimum_length(8);
  policy.set_require_uppercase(true);
  policy.set_require_lowercase(true);
  policy.set_require_numbers(true);
  policy.set_require_symbols(true);
  policy.set_temporary_password_validity_days(kTemporaryPasswordDays);
  pool.set_tier("ESSENTIALS");
  for (const auto& [name, priority] : {std::pair("verified_email", 1u), std::pair("verified_phone_number", 2u)}) {
    pb::RecoveryOption& option = *pool.add_recovery();
    option.set_name(name);
    option.set_priority(priority);
  }

  const bool has_aliases = request.AliasAttributes && !request.AliasAttributes->empty();
  const bool has_username_attributes = request.UsernameAttributes && !request.UsernameAttributes->empty();
  if (has_aliases && has_username_attributes) {
    return Invalid("Only one of the aliasAttributes or usernameAttributes can be set in a user pool.");
  }
  if (has_aliases) {
    for (const AliasAttributeType attribute : *request.AliasAttributes)
      pool.add_alias_attributes(std::string(ToString(attribute)));
  }
  if (has_username_attributes) {
    for (const UsernameAttributeType attribute : *request.UsernameAttributes) {
      pool.add_username_attributes(std::string(ToString(attribute)));
    }
  }
  if (request.UsernameConfiguration) pool.set_case_sensitive(request.UsernameConfiguration->CaseSensitive);
  SYMBOLON_TRY_VOID(ApplySchema(pool, request.Schema.value_or(std::vector<SchemaAttributeType>{})));
  return ApplyCommon(pool, request);
}

ApiResult<void> ApplySettings(pb::PoolRecord& pool, const UpdateUserPoolRequest& request) {
  if (request.PoolName) pool.set_name(*request.PoolName);
  return ApplyCommon(pool, request);
}

bool NamesKey(const std::optional<KeyConfigurationType>& configuration) {
  return configuration && (configuration->KeyType || configuration->KmsKeyArn);
}

ApiResult<std::string> KmsKeyArnOf(const std::optional<KeyConfigurationType>& configuration) {
  if (!NamesKey(configuration)) return "";
  if (!configuration->KeyType) return Invalid("KeyConfiguration needs KeyType.");
  if (*configuration->KeyType == EncryptionKeyType::kAwsOwnedKey) {
    if (configuration->KmsKeyArn) return Invalid("An AWS owned key takes no KmsKeyArn.");
    return "";
  }
  if (!configuration->KmsKeyArn) return Invalid("A customer managed key needs KmsKeyArn.");
  return *configuration->KmsKeyArn;
}

ApiResult<std::string> OwnKeyArnOf(const std::optional<KeyConfigurationType>& configuration, const Region& region) {
  if (!configuration) return "";
  SYMBOLON_TRY(std::string arn, KmsKeyArnOf(configuration));
  if (arn.empty()) return Invalid("The key of a replica is a customer managed key.");
  const auto parsed = keys::ParseKeyArn(arn);
  if (!parsed) return Invalid("KmsKeyArn is not the ARN of a KMS key.");
  if (parsed->region != region) return Invalid("The KMS key of a replica is one of the replica's Region.");
  return arn;
}

UserPoolType DescribePool(const pb::PoolRecord& pool) {
  UserPoolType shown;
  shown.Name = pool.name();
  shown.Arn = pool.arn();
  shown.CreationDate = FromMicros(pool.created_micros());
  shown.LastModifiedDate = FromMicros(pool.modified_micros());
  const pb::PasswordPolicy& policy = pool.password_policy();
  shown.Policies.emplace();
  shown.Policies->PasswordPolicy = PasswordPolicyType{
      .MinimumLength = static_cast<std::int32_t>(policy.minimum_length()),
      .RequireUppercase = policy.require_uppercase(),
      .RequireLowercase = policy.require_lowercase(),
      .RequireNumbers = policy.require_numbers(),
      .RequireSymbols = policy.require_symbols(),
      .TemporaryPasswordValidityDays = static_cast<std::int32_t>(policy.temporary_password_validity_days())};
  shown.Policies->SignInPolicy.emplace().AllowedFirstAuthFactors = {AuthFactorType::kPassword};
  shown.DeletionProtection =
      pool.deletion_protection() ? DeletionProtectionType::kActive : DeletionProtectionType::kInactive;
  shown.LambdaConfig.emplace();
  for (const pb::AttributeSchema& attribute : pool.schema()) {
    if (!shown.SchemaAttributes) shown.SchemaAttributes.emplace();
    shown.SchemaAttributes->push_back(DescribeAttribute(attribute));
  }
  shown.AutoVerifiedAttributes =
      DescribeList<VerifiedAttributeType>(pool.auto_verified_attributes(), ParseVerifiedAttributeType);
  shown.AliasAttributes = DescribeList<AliasAttributeType>(pool.alias_attributes(), ParseAliasAttributeType);
  shown.UsernameAttributes =
      DescribeList<UsernameAttributeType>(pool.username_attributes(), ParseUsernameAttributeType);
  const pb::MessageTemplate& message = pool.verification_message();
  auto& verification = shown.VerificationMessageTemplate.emplace();
  verification.DefaultEmailOption = DefaultEmailOptionType::kConfirmWithCode;
  if (message.has_sms_message()) shown.SmsVerificationMessage = verification.SmsMessage = message.sms_message();
  if (message.has_email_message()) shown.EmailVerificationMessage = verification.EmailMessage = message.email_message();
  if (message.has_email_subject()) shown.EmailVerificationSubject = verification.EmailSubject = message.email_subject();
  shown.UserAttributeUpdateSettings.emplace().AttributesRequireVerificationBeforeUpdate.emplace();
  for (const std::string& attribute : pool.verify_before_update()) {
    if (const auto value = ParseVerifiedAttributeType(attribute)) {
      shown.UserAttributeUpdateSettings->AttributesRequireVerificationBeforeUpdate->push_back(*value);
    }
  }
  shown.MfaConfiguration = MfaModeOf(pool);
  if (pool.has_device_tracking()) {
    shown.DeviceConfiguration =
        DeviceConfigurationType{.ChallengeRequiredOnNewDevice = pool.device_tracking().replaces_second_factor(),
                                .DeviceOnlyRememberedOnUserPrompt = pool.device_tracking().only_on_prompt()};
  }
  auto& admin_create = shown.AdminCreateUserConfig.emplace();
  admin_create.AllowAdminCreateUserOnly = pool.admin_create_only();
  admin_create.UnusedAccountValidityDays = static_cast<std::int32_t>(policy.temporary_password_validity_days());
  if (pool.has_invitation_message()) {
    const pb::MessageTemplate& invitation = pool.invitation_message();
    auto& invite = admin_create.InviteMessageTemplate.emplace();
    if (invitation.has_sms_message()) invite.SMSMessage = invitation.sms_message();
    if (invitation.has_email_message()) invite.EmailMessage = invitation.email_message();
    if (invitation.has_email_subject()) invite.EmailSubject = invitation.email_subject();
  }
  if (pool.has_case_sensitive()) shown.UsernameConfiguration.emplace().CaseSensitive = pool.case_sensitive();
  auto& recovery = shown.AccountRecoverySetting.emplace().RecoveryMechanisms.emplace();
  for (const pb::RecoveryOption& option : pool.recovery()) {
    if (const auto name = ParseRecoveryOptionNameType(option.name())) {
      recovery.push_back({.Priority = static_cast<std::int32_t>(option.priority()), .Name = *name});
    }
  }
  shown.UserPoolTier = ParseUserPoolTierType(pool.tier());
  auto& key = shown.KeyConfiguration.emplace();
  key.KeyType = pool.kms_key_arn().empty() ? EncryptionKeyType::kAwsOwnedKey : EncryptionKeyType::kCustomerManagedKey;
  if (!pool.kms_key_arn().empty()) key.KmsKeyArn = pool.kms_key_arn();
  shown.IssuerConfiguration.emplace().Type =
      pool.issuer() == pb::ISSUER_UPDATED ? IssuerType::kUpdated : IssuerType::kOriginal;
  return shown;
}

}  // namespace symbolon::cognito
