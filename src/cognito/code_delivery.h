// Codes on their way to a person: through which channel, in which words, and what the caller is shown of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/codes.h"
#include "cognito/call.h"
#include "model/api_error.h"
#include "model/cognito_shapes.h"

namespace symbolon::cognito {

// Where messages reach a user.
struct Channel {
  // "email" or "phone_number".
  std::string attribute;
  std::string value;
};

// Through which a sign-up is confirmed: an automatically verified attribute that the user has, the phone before the
// e-mail address.
std::optional<Channel> ConfirmationChannel(const directory::pb::PoolRecord& pool,
                                           const directory::pb::UserRecord& user);
// Through which a password is reset: the first verified one in the order of the pool's account recovery setting.
std::optional<Channel> RecoveryChannel(const directory::pb::PoolRecord& pool, const directory::pb::UserRecord& user);
// Whether only an administrator may start the reset of a password.
bool IsRecoveryByAdministratorOnly(const directory::pb::PoolRecord& pool);

// CodeDeliveryFailureException where nothing can deliver. To be asked before anything is changed.
model::ApiResult<void> RequireDelivery(Call& call);

// LimitExceededException for too many requests for codes under one name in an hour; counts this one.
model::ApiResult<void> AdmitCodeRequest(Call& call, auth::CodePurpose purpose, BytesView name_key);

// Puts a new code into `user`, whom the caller stores, and sends it in the same commit. `reason` as in
// delivery::Message. Errors: CodeDeliveryFailureException.
model::ApiResult<model::cognito::CodeDeliveryDetailsType> SendCode(Call& call, directory::pb::UserRecord& user,
                                                                   auth::CodePurpose purpose, const Channel& channel,
                                                                   std::string_view reason);

// Sends a temporary password in the pool's words of invitation.
void SendInvitation(Call& call, const directory::pb::UserRecord& user, const Channel& channel,
                    std::string_view password);

// What a caller is shown who asks for a code under a name that nobody has, or whose owner cannot be reached: always the
// same for one name, and looking as a user's. `attributes`: the channels that the pool would try, in order.
model::cognito::CodeDeliveryDetailsType DecoyDelivery(Call& call, const std::string& name,
                                                      const std::vector<std::string>& attributes);
// The channels that DecoyDelivery is given for a sign-up's code and for a reset.
std::vector<std::string> ConfirmationAttributes(const directory::pb::PoolRecord& pool);
std::vector<std::string> RecoveryAttributes(const directory::pb::PoolRecord& pool);

// RedeemCode's refusals, in Cognito's words. `too_many`: the operation's exception for too many wrong codes.
model::ApiError ToApiError(auth::CodeError error, model::ErrorCode too_many);

}  // namespace symbolon::cognito
