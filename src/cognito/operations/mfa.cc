// Multi-factor authentication: the pool's setting, users' software tokens and preferences.
#include "auth/mfa.h"

#include <fmt/format.h>

#include "auth/software_token.h"
#include "cognito/auth_errors.h"
#include "cognito/call.h"
#include "cognito/mfa_settings.h"
#include "cognito/user_shapes.h"
#include "cognito/user_writes.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

namespace pb = directory::pb;
using directory::User;
using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

// One of the two names the user.
template <class Request>
ApiResult<void> RequireTokenOrSession(const Request& request) {
  if (request.AccessToken.has_value() != request.Session.has_value()) return {};
  return Fail(ErrorCode::kInvalidParameterException, "Either AccessToken or Session is required, and not both.");
}

// What a request says of a factor that users cannot have here: only that it is off.
template <class Settings>
ApiResult<void> RequireOff(const std::optional<Settings>& settings, std::string_view factor) {
  if (!settings || !settings->Enabled.value_or(false)) return {};
  return Fail(ErrorCode::kInvalidParameterException,
              fmt::format("User does not have delivery config set to turn on {}", factor));
}

template <class Request>
ApiResult<void> Prefer(Call& call, User user, const Request& request) {
  SYMBOLON_TRY_VOID(RequireOff(request.SMSMfaSettings, "SMS_MFA"));
  SYMBOLON_TRY_VOID(RequireOff(request.EmailMfaSettings, "EMAIL_OTP"));
  SYMBOLON_TRY_VOID(RequireOff(request.WebAuthnMfaSettings, "WEB_AUTHN"));
  if (!request.SoftwareTokenMfaSettings) return {};
  SYMBOLON_TRY_VOID(RequireOwnCredentials(user.record));
  const SoftwareTokenMfaSettingsType& settings = *request.SoftwareTokenMfaSettings;
  const auto preferred = auth::PreferSoftwareToken(call.auth_context(), user, settings.Enabled.value_or(false),
                                                   settings.PreferredMfa.value_or(false));
  if (!preferred) return Refuse(call, preferred.error());
  return {};
}

template <class Response>
Response DescribeFactors(const pb::UserRecord& user) {
  MfaPreference mfa = DescribeMfa(user);
  Response response{.Username = user.username(),
                    .PreferredMfaSetting = std::move(mfa.preferred),
                    .UserMFASettingList = std::move(mfa.enabled)};
  response.ConfiguredUserAuthFactors.emplace();
  if (user.has_password()) response.ConfiguredUserAuthFactors->push_back(AuthFactorType::kPassword);
  return response;
}

}  // namespace

ApiResult<GetUserPoolMfaConfigResponse> GetUserPoolMfaConfig(Call& call, const GetUserPoolMfaConfigRequest&) {
  return DescribeMfaConfig(call.pool());
}

ApiResult<SetUserPoolMfaConfigResponse> SetUserPoolMfaConfig(Call& call, const SetUserPoolMfaConfigRequest& request) {
  pb::PoolRecord pool = call.pool();
  SYMBOLON_TRY_VOID(ApplyMfaConfig(pool, request));
  pool.set_modified_micros(ToMicros(call.now()));
  call.tx().Put<directory::PoolKind>("", pool);
  GetUserPoolMfaConfigResponse shown = DescribeMfaConfig(pool);
  return SetUserPoolMfaConfigResponse{.SoftwareTokenMfaConfiguration = std::move(shown.SoftwareTokenMfaConfiguration),
                                      .MfaConfiguration = shown.MfaConfiguration};
}

ApiResult<AssociateSoftwareTokenResponse> AssociateSoftwareToken(Call& call,
                                                                 const AssociateSoftwareTokenRequest& request) {
  SYMBOLON_TRY_VOID(RequireTokenOrSession(request));
  if (request.Session) {
    auto associated = auth::AssociateInSession(call.auth_context(), *request.Session);
    if (!associated) return Refuse(call, associated.error());
    return AssociateSoftwareTokenResponse{.SecretCode = std::move(associated->secret_code),
                                          .Session = std::move(associated->session)};
  }
  User user = call.signed_in().user.Copy();
  SYMBOLON_TRY_VOID(RequireOwnCredentials(user.record));
  auto secret_code = auth::AssociateSoftwareToken(call.auth_context(), user);
  if (!secret_code) return Refuse(call, secret_code.error());
  return AssociateSoftwareTokenResponse{.SecretCode = *std::move(secret_code)};
}

ApiResult<VerifySoftwareTokenResponse> VerifySoftwareToken(Call& call, const VerifySoftwareTokenRequest& request) {
  SYMBOLON_TRY_VOID(RequireTokenOrSession(request));
  const std::string device_name = request.FriendlyDeviceName.value_or("");
  VerifySoftwareTokenResponse response{.Status = VerifySoftwareTokenResponseType::kSuccess};
  if (request.Session) {
    auto session = auth::VerifyInSession(call.auth_context(), *request.Session, request.UserCode, device_name);
    if (!session) return Refuse(call, session.error());
    response.Session = *std::move(session);
    return response;
  }
  User user = call.signed_in().user.Copy();
  const auto verified = auth::VerifySoftwareToken(call.auth_context(), user, request.UserCode, device_name);
  if (!verified) return Refuse(call, verified.error());
  return response;
}

ApiResult<SetUserMFAPreferenceResponse> SetUserMFAPreference(Call& call, const SetUserMFAPreferenceRequest& request) {
  SYMBOLON_TRY_VOID(Prefer(call, call.signed_in().user.Copy(), request));
  return SetUserMFAPreferenceResponse{};
}

ApiResult<AdminSetUserMFAPreferenceResponse> AdminSetUserMFAPreference(
    Call& call, const AdminSetUserMFAPreferenceRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  SYMBOLON_TRY_VOID(Prefer(call, std::move(user), request));
  return AdminSetUserMFAPreferenceResponse{};
}

ApiResult<AdminDeleteSoftwareTokenResponse> AdminDeleteSoftwareToken(Call& call,
                                                                     const AdminDeleteSoftwareTokenRequest& request) {
  SYMBOLON_TRY(User user, FindExistingUser(call, request.Username));
  auth::DeleteSoftwareToken(call.auth_context(), user);
  return AdminDeleteSoftwareTokenResponse{};
}

ApiResult<GetUserAuthFactorsResponse> GetUserAuthFactors(Call& call, const GetUserAuthFactorsRequest&) {
  return DescribeFactors<GetUserAuthFactorsResponse>(*call.signed_in().user.record);
}

ApiResult<AdminGetUserAuthFactorsResponse> AdminGetUserAuthFactors(Call& call,
                                                                   const AdminGetUserAuthFactorsRequest& request) {
  SYMBOLON_TRY(const User user, FindExistingUser(call, request.Username));
  return DescribeFactors<AdminGetUserAuthFactorsResponse>(user.record);
}

}  // namespace symbolon::cognito::operations
