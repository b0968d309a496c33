// Signing in: the flows that InitiateAuth and AdminInitiateAuth start and the challenges that follow (AWS developer
// guide, "Authentication flows").
//
// Nothing of a sign-in under way is stored: sessions and SRP secret blocks carry all of it, sealed for their client, so
// that a sign-in begun in one Region is finished in another. That each is used once is a fact (facts.h). A sign-in by
// password of a user without failed attempts changes nothing that an answer has to wait for; that it happened is noted
// (activity.h).
//
// What cannot be told apart from outside: for a client that prevents user-existence errors, a name that nobody has is
// answered, locked out and timed as a user with another password would be.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "auth/clients.h"
#include "auth/context.h"
#include "auth/error.h"
#include "auth/tokens.h"

namespace symbolon::auth {

enum class ChallengeName {
  kPasswordVerifier,
  kNewPasswordRequired,
  kSoftwareTokenMfa,
  kMfaSetup,
  kDeviceSrpAuth,
  kDevicePasswordVerifier,
};

struct Challenge {
  ChallengeName name;
  Parameters parameters;
  std::optional<std::string> session;
};

using SignInStep = std::variant<Tokens, Challenge>;

// kRefreshToken is answered by the same tokens as RefreshTokens (refresh.h) gives.
AuthResult<SignInStep> StartSignIn(const Context& context, const directory::pb::ClientRecord& client, Flow flow,
                                   Door door, const Parameters& parameters);
AuthResult<SignInStep> AnswerChallenge(const Context& context, const directory::pb::ClientRecord& client,
                                       ChallengeName challenge, const std::optional<std::string>& session,
                                       const Parameters& responses, Door door = Door::kPublic);

}  // namespace symbolon::auth
