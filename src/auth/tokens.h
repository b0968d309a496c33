// The tokens that a sign-in ends with: ID and access tokens (JWS, RFC 7519, with Cognito's claims) and refresh tokens
// (sealed, opaque), and access tokens for clients themselves.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "auth/context.h"
#include "auth/error.h"
#include "auth/facts.h"
#include "auth/tokens.pb.h"
#include "directory/users.h"

namespace symbolon::auth {

// What API sign-ins are granted; every operation of a signed-in user asks for it.
inline constexpr std::string_view kUserAdminScope = "aws.cognito.signin.user.admin";
// Private claim of access tokens, present when the user has ever signed out everywhere: Region → its sign-out counter
// (facts.h).
inline constexpr std::string_view kSignOutsClaim = "symbolon:sign_outs";

// As the client sets them, with Cognito's defaults: 1 hour, 1 hour, 30 days.
std::chrono::seconds AccessTokenValidity(const directory::pb::ClientRecord& client);
std::chrono::seconds IdTokenValidity(const directory::pb::ClientRecord& client);
std::chrono::seconds RefreshTokenValidity(const directory::pb::ClientRecord& client);

// What a sign-in established and every refresh carries on.
struct Grant {
  // UUID; origin_jti.
  std::string family;
  Timestamp authenticated_at;
  // When its refresh tokens die.
  Timestamp ends_at;
  std::uint64_t token_generation = 0;
  // Sign-outs that came before it.
  SignOuts sign_outs;
  // Space-separated, of a sign-in by the OAuth endpoints; empty: by the API, which grants kUserAdminScope.
  std::string scope = {};
  // For the ID token (OpenID Connect Core §2); not carried on.
  std::string nonce = {};
  // The device that its tokens are bound to; empty: none.
  std::string device_key = {};
};

// Of a user who has just proved who they are.
Grant NewGrant(const Context& context, const directory::User& user, const directory::pb::ClientRecord& client,
               std::string family);

// What a user's device may be confirmed by (devices.h).
struct NewDevice {
  std::string key;
  std::string group_key;
};

struct Tokens {
  // Empty: the scope has no "openid".
  std::string id_token;
  std::string access_token;
  std::optional<std::string> refresh_token;
  // Of the access token.
  std::chrono::seconds expires_in{};
  std::optional<NewDevice> new_device;
};

// ID and access token, and a refresh token of the named generation. Errors: kInternal.
AuthResult<Tokens> IssueTokens(const Context& context, const directory::User& user,
                               const directory::pb::ClientRecord& client, const Grant& grant,
                               std::optional<std::uint32_t> refresh_generation);

struct ClientToken {
  std::string access_token;
  std::chrono::seconds expires_in{};
};

// For the client itself (client_credentials, GetClientToken); the caller has authenticated it and checked the scopes.
// Errors: kInternal.
AuthResult<ClientToken> IssueClientToken(const Context& context, const directory::pb::ClientRecord& client,
                                         std::span<const std::string> scopes);

// ---- refresh tokens ----
// Five parts of base64url between dots, as Cognito's JWEs look; what is inside only we can open, and only for the
// client that it was issued to.

std::string SealRefreshToken(const Context& context, const std::string& client_id, const pb::RefreshToken& token);
// nullopt: not one of ours, altered, or of another client or pool. Expiry and revocation are not looked at.
std::optional<pb::RefreshToken> OpenRefreshToken(const Context& context, const std::string& client_id,
                                                 std::string_view text);
Grant GrantOf(const pb::RefreshToken& token);

}  // namespace symbolon::auth
