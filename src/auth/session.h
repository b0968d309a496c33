// The strings that carry a sign-in from one challenge to the next. Part of sign_in.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/context.h"
#include "auth/error.h"
#include "auth/tokens.pb.h"
#include "base/ids.h"
#include "directory/users.h"

namespace symbolon::auth {

// AuthSessionValidity, with AWS's default of 3 minutes.
std::chrono::minutes SessionValidity(const directory::pb::ClientRecord& client);

// A new session of the user, sealed for the client. `device_key`: of the device that the user named, if any.
std::string NewSession(const Context& context, const directory::pb::ClientRecord& client, const directory::User& user,
                       pb::Session::Challenge challenge, std::string_view device_key = {});

// Of which client a session says that it is: where to take one that comes without a client. nullopt: not one of ours.
std::optional<ClientId> ClientOfSession(std::string_view session);

struct OpenedSession {
  std::string id;
  Timestamp expires_at;
  directory::User user;
  // As it was sealed.
  pb::Session session;
};

// A session of this client and challenge, not expired and not used, with its user as they are now. The caller marks it
// as used. Errors: kInvalidParameter when there is none, else kNotAuthorized.
AuthResult<OpenedSession> OpenSession(const Context& context, const directory::pb::ClientRecord& client,
                                      const std::optional<std::string>& session, pb::Session::Challenge challenge);

// What OpenSession asks of a session, of one that came in another seal.
AuthResult<OpenedSession> CheckSession(const Context& context, const pb::Session& session);

// The session is that of the user whom the answer names. Error: kNotAuthorized.
AuthResult<void> CheckNamed(const Context& context, const OpenedSession& session, std::string_view username);

// Refusals that SRP blocks share, in Cognito's words.
AuthError InvalidSession();
AuthError ExpiredSession();
AuthError UsedSession();

}  // namespace symbolon::auth
