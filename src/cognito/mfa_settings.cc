#include "cognito/mfa_settings.h"

#include <fmt/format.h>

namespace symbolon::cognito {
namespace {

namespace pb = directory::pb;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

auto Invalid(std::string message) { return Fail(ErrorCode::kInvalidParameterException, std::move(message)); }

auto NotAvailable(std::string_view setting) { return Invalid(fmt::format("{} is not available yet.", setting)); }

// Off means off: a pool without MFA has no factor either.
void Store(pb::PoolRecord& pool, UserPoolMfaType mode) {
  switch (mode) {
    case UserPoolMfaType::kOff:
      pool.set_mfa(pb::MFA_OFF);
      pool.set_software_token_mfa(false);
      return;
    case UserPoolMfaType::kOptional:
      pool.set_mfa(pb::MFA_OPTIONAL);
      return;
    case UserPoolMfaType::kOn:
      pool.set_mfa(pb::MFA_ON);
      return;
  }
}

}  // namespace

UserPoolMfaType MfaModeOf(const pb::PoolRecord& pool) {
  if (pool.mfa() == pb::MFA_OFF) return UserPoolMfaType::kOff;
  return pool.mfa() == pb::MFA_OPTIONAL ? UserPoolMfaType::kOptional : UserPoolMfaType::kOn;
}

ApiResult<void> ApplyMfaMode(pb::PoolRecord& pool, UserPoolMfaType mode) {
  if (mode != UserPoolMfaType::kOff && !pool.software_token_mfa()) {
    return Invalid(
        "SMS configuration and Auto verification for phone_number are required when MFA is required/optional, unless "
        "SetUserPoolMfaConfig has set up another factor.");
  }
  Store(pool, mode);
  return {};
}

ApiResult<void> ApplyMfaConfig(pb::PoolRecord& pool, const SetUserPoolMfaConfigRequest& request) {
  const UserPoolMfaType mode = request.MfaConfiguration.value_or(UserPoolMfaType::kOff);
  if (mode == UserPoolMfaType::kOff &&
      (request.SmsMfaConfiguration || request.SoftwareTokenMfaConfiguration || request.EmailMfaConfiguration)) {
    return Invalid("Invalid MFA configuration given, can't turn off MFA and configure an MFA together.");
  }
  if (request.SmsMfaConfiguration) return NotAvailable("SmsMfaConfiguration");
  if (request.EmailMfaConfiguration) return NotAvailable("EmailMfaConfiguration");
  if (request.WebAuthnConfiguration) return NotAvailable("WebAuthnConfiguration");
  const bool software_token =
      request.SoftwareTokenMfaConfiguration && request.SoftwareTokenMfaConfiguration->Enabled.value_or(false);
  if (mode != UserPoolMfaType::kOff && !software_token) {
    return Invalid("Invalid MFA Configuration given. SMS MFA, Email MFA, or Software Token MFA must be enabled.");
  }
  pool.set_software_token_mfa(software_token);
  Store(pool, mode);
  return {};
}

GetUserPoolMfaConfigResponse DescribeMfaConfig(const pb::PoolRecord& pool) {
  GetUserPoolMfaConfigResponse shown{.MfaConfiguration = MfaModeOf(pool)};
  if (pool.software_token_mfa()) shown.SoftwareTokenMfaConfiguration = SoftwareTokenMfaConfigType{.Enabled = true};
  return shown;
}

}  // namespace symbolon::cognito
