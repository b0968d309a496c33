// Authorization codes (RFC 6749 §4.1, PKCE by RFC 7636): what a sign-in at the OAuth endpoints ends with, and what
// redeems it. Sealed like all tokens that we issue to ourselves, so one that a Region issued is good in every other.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "auth/context.h"
#include "auth/error.h"
#include "auth/tokens.h"

namespace symbolon::auth {

inline constexpr std::chrono::minutes kCodeLifetime{5};
// RFC 7636 §4.1.
inline constexpr std::size_t kCodeVerifierBytesMin = 43, kCodeVerifierBytesMax = 128;

// What the client asked for.
struct CodeRequest {
  std::string redirect_uri;
  // S256, in base64url; empty: none.
  std::string code_challenge;
  std::string nonce;
  // Space-separated.
  std::string scope;
};

// For a user who has just proved who they are.
std::string IssueAuthorizationCode(const Context& context, const directory::pb::ClientRecord& client,
                                   const directory::User& user, const CodeRequest& request);

// Redeems a code of this client, once: a second time, in any Region that has heard of the first, ends all that came of
// it. The caller has authenticated the client. `code_verifier` is empty when there is none.
// Errors: kNotAuthorized (invalid_grant), kInternal.
AuthResult<Tokens> RedeemAuthorizationCode(const Context& context, const directory::pb::ClientRecord& client,
                                           std::string_view code, std::string_view redirect_uri,
                                           std::string_view code_verifier);

// BASE64URL(SHA-256(verifier)).
std::string S256ChallengeOf(std::string_view code_verifier);

}  // namespace symbolon::auth
