// Fresh ID and access tokens for a refresh token, and the rotation of refresh tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "auth/sign_in.h"

namespace symbolon::auth {

// For a client with rotation also the successor of the refresh token, whose content depends on nothing but the token.
// The token itself goes on being honoured for the client's grace period; a later use, in any Region that has heard of
// the redemption, revokes the whole family (replication protocol §5). The caller has authenticated the client.
// While the pool tracks devices, a token that is bound to one is good together with that device's key, and only if the
// user has the device: not before it is confirmed, nor after it was forgotten. Errors: kNotAuthorized,
// kRefreshTokenReuse.
AuthResult<Tokens> RefreshTokens(const Context& context, const directory::pb::ClientRecord& client,
                                 std::string_view refresh_token, const std::optional<std::string>& device_key = {});

// REFRESH_TOKEN_AUTH: {REFRESH_TOKEN, DEVICE_KEY, SECRET_HASH over the user's name}. Never a new refresh token. Errors:
// as above, and kInvalidParameter, also for a client with rotation.
AuthResult<SignInStep> RefreshBySignIn(const Context& context, const directory::pb::ClientRecord& client,
                                       const Parameters& parameters);

// Ends the token's family: no refresh token of it gets anything any more, and our own API refuses its access tokens.
// Unknown tokens and those of other clients are nobody's, which is success (RFC 7009 §2.2). The caller has
// authenticated the client. Errors: kUnsupportedOperation for a client without revocation, kUnsupportedTokenType for an
// ID or access token.
AuthResult<void> RevokeRefreshToken(const Context& context, const directory::pb::ClientRecord& client,
                                    std::string_view refresh_token);

}  // namespace symbolon::auth
