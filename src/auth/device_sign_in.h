// The challenges DEVICE_SRP_AUTH and DEVICE_PASSWORD_VERIFIER: a remembered device proves its secret after its user's
// password, and after or instead of the second factor. Part of sign_in.h. They change facts only, so every Region takes
// them. Of one sign-in come tokens once: the challenge that the device answers has its session's id.
#pragma once

#include <optional>
#include <string>

#include "auth/proven_user.h"
#include "auth/sign_in.h"

namespace symbolon::auth {

// The device that was named, if one was. Errors: kResourceNotFound; the user has none of that key.
AuthResult<std::optional<directory::pb::DeviceRecord>> FindNamed(const Context& context, const directory::User& user,
                                                                 const SignInDevice& device);

// After all that the user has to prove: the challenge of a remembered device (`record`, of `device`), tokens otherwise.
// `used` is marked as used.
AuthResult<SignInStep> ProveDevice(const Context& context, const directory::pb::ClientRecord& client,
                                   const directory::User& user, const std::optional<OneTime>& used,
                                   const SignInDevice& device,
                                   const std::optional<directory::pb::DeviceRecord>& record);

// {USERNAME, DEVICE_KEY, SRP_A}.
AuthResult<SignInStep> AnswerDeviceSrpAuth(const Context& context, const directory::pb::ClientRecord& client, Door door,
                                           const std::optional<std::string>& session, const Parameters& responses);

// {USERNAME, DEVICE_KEY, PASSWORD_CLAIM_SECRET_BLOCK, PASSWORD_CLAIM_SIGNATURE, TIMESTAMP}. A wrong proof uses the
// challenge up and counts as a failed attempt.
AuthResult<SignInStep> AnswerDevicePasswordVerifier(const Context& context, const directory::pb::ClientRecord& client,
                                                    Door door, const Parameters& responses);

}  // namespace symbolon::auth
