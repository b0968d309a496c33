// Sign-in: flows that start it and challenges that it goes through.
#include "auth/sign_in.h"

#include <fmt/format.h>

#include "cognito/auth_errors.h"
#include "cognito/call.h"
#include "model/cognito_handlers.h"

namespace symbolon::cognito::operations {
namespace {

using model::ApiResult;
using model::ErrorCode;
using model::Fail;
using namespace model::cognito;

template <class Response>
Response Answer(auth::SignInStep step) {
  Response response;
  if (auto* tokens = std::get_if<auth::Tokens>(&step)) {
    response.ChallengeParameters.emplace();
    response.AuthenticationResult = AuthenticationResultType{
        .AccessToken = std::move(tokens->access_token),
        .ExpiresIn = static_cast<std::int32_t>(tokens->expires_in.count()),
        .TokenType = "Bearer",
        .RefreshToken = std::move(tokens->refresh_token),
        .IdToken = std::move(tokens->id_token),
    };
    if (tokens->new_device) {
      response.AuthenticationResult->NewDeviceMetadata = NewDeviceMetadataType{
          .DeviceKey = std::move(tokens->new_device->key), .DeviceGroupKey = std::move(tokens->new_device->group_key)};
    }
    return response;
  }
  auth::Challenge& challenge = std::get<auth::Challenge>(step);
  switch (challenge.name) {
    case auth::ChallengeName::kPasswordVerifier:
      response.ChallengeName = ChallengeNameType::kPasswordVerifier;
      break;
    case auth::ChallengeName::kNewPasswordRequired:
      response.ChallengeName = ChallengeNameType::kNewPasswordRequired;
      break;
    case auth::ChallengeName::kSoftwareTokenMfa:
      response.ChallengeName = ChallengeNameType::kSoftwareTokenMfa;
      break;
    case auth::ChallengeName::kMfaSetup:
      response.ChallengeName = ChallengeNameType::kMfaSetup;
      break;
    case auth::ChallengeName::kDeviceSrpAuth:
      response.ChallengeName = ChallengeNameType::kDeviceSrpAuth;
      break;
    case auth::ChallengeName::kDevicePasswordVerifier:
      response.ChallengeName = ChallengeNameType::kDevicePasswordVerifier;
      break;
  }
  response.ChallengeParameters = std::move(challenge.parameters);
  response.Session = std::move(challenge.session);
  return response;
}

ApiResult<auth::Flow> FlowOf(AuthFlowType flow) {
  switch (flow) {
    case AuthFlowType::kUserPasswordAuth:
      return auth::Flow::kUserPassword;
    case AuthFlowType::kAdminUserPasswordAuth:
    case AuthFlowType::kAdminNoSrpAuth:
      return auth::Flow::kAdminUserPassword;
    case AuthFlowType::kUserSrpAuth:
      return auth::Flow::kUserSrp;
    case AuthFlowType::kRefreshTokenAuth:
    case AuthFlowType::kRefreshToken:
      return auth::Flow::kRefreshToken;
    case AuthFlowType::kCustomAuth:
    case AuthFlowType::kUserAuth:
      break;
  }
  return Fail(ErrorCode::kInvalidParameterException, fmt::format("{} is not available yet.", ToString(flow)));
}

ApiResult<auth::ChallengeName> ChallengeOf(ChallengeNameType challenge) {
  switch (challenge) {
    case ChallengeNameType::kPasswordVerifier:
      return auth::ChallengeName::kPasswordVerifier;
    case ChallengeNameType::kNewPasswordRequired:
      return auth::ChallengeName::kNewPasswordRequired;
    case ChallengeNameType::kSoftwareTokenMfa:
      return auth::ChallengeName::kSoftwareTokenMfa;
    case ChallengeNameType::kMfaSetup:
      return auth::ChallengeName::kMfaSetup;
    case ChallengeNameType::kDeviceSrpAuth:
      return auth::ChallengeName::kDeviceSrpAuth;
    case ChallengeNameType::kDevicePasswordVerifier:
      return auth::ChallengeName::kDevicePasswordVerifier;
    case ChallengeNameType::kSmsMfa:
    case ChallengeNameType::kEmailOtp:
    case ChallengeNameType::kSelectMfaType:
    case ChallengeNameType::kCustomChallenge:
    case ChallengeNameType::kSelectChallenge:
    case ChallengeNameType::kAdminNoSrpAuth:
    case ChallengeNameType::kSmsOtp:
    case ChallengeNameType::kPassword:
    case ChallengeNameType::kWebAuthn:
    case ChallengeNameType::kPasswordSrp:
      break;
  }
  return Fail(ErrorCode::kInvalidParameterException,
              fmt::format("The challenge {} is not available yet.", ToString(challenge)));
}

// By reference, because passwords are among them and only the request wipes its own.
const auth::Parameters& ParametersIn(const std::optional<auth::Parameters>& parameters) {
  static const auth::Parameters kNone;
  return parameters ? *parameters : kNone;
}

template <class Response, class Request>
ApiResult<Response> Start(Call& call, const Request& request, auth::Door door) {
  SYMBOLON_TRY(const auth::Flow flow, FlowOf(request.AuthFlow));
  const auth::Context context = call.auth_context();
  auto step = auth::FindClient(call.tx(), request.ClientId).and_then([&](const auto& client) {
    return auth::StartSignIn(context, *client, flow, door, ParametersIn(request.AuthParameters));
  });
  if (!step) return Refuse(call, step.error());
  return Answer<Response>(*std::move(step));
}

template <class Response, class Request>
ApiResult<Response> Respond(Call& call, const Request& request, auth::Door door) {
  SYMBOLON_TRY(const auth::ChallengeName challenge, ChallengeOf(request.ChallengeName));
  const auth::Context context = call.auth_context();
  auto step = auth::FindClient(call.tx(), request.ClientId).and_then([&](const auto& client) {
    return auth::AnswerChallenge(context, *client, challenge, request.Session, ParametersIn(request.ChallengeResponses),
                                 door);
  });
  if (!step) return Refuse(call, step.error());
  return Answer<Response>(*std::move(step));
}

}  // namespace

ApiResult<InitiateAuthResponse> InitiateAuth(Call& call, const InitiateAuthRequest& request) {
  return Start<InitiateAuthResponse>(call, request, auth::Door::kPublic);
}

ApiResult<AdminInitiateAuthResponse> AdminInitiateAuth(Call& call, const AdminInitiateAuthRequest& request) {
  return Start<AdminInitiateAuthResponse>(call, request, auth::Door::kAdmin);
}

ApiResult<RespondToAuthChallengeResponse> RespondToAuthChallenge(Call& call,
                                                                 const RespondToAuthChallengeRequest& request) {
  return Respond<RespondToAuthChallengeResponse>(call, request, auth::Door::kPublic);
}

ApiResult<AdminRespondToAuthChallengeResponse> AdminRespondToAuthChallenge(
    Call& call, const AdminRespondToAuthChallengeRequest& request) {
  return Respond<AdminRespondToAuthChallengeResponse>(call, request, auth::Door::kAdmin);
}

}  // namespace symbolon::cognito::operations
