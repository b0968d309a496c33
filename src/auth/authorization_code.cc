#include "auth/authorization_code.h"

#include <algorithm>

#include "auth/activity.h"
#include "auth/disabling.h"
#include "auth/external_users.h"
#include "crypto/hash.h"

namespace symbolon::auth {
namespace {

constexpr std::size_t kCodeBytesMax = 8 * 1024;
// Access tokens live at most so long after their family's last refresh token.
constexpr std::chrono::days kAccessTokenLifeMax{1};

auto Invalid() { return Fail(AuthErrorCode::kNotAuthorized, "The code is not valid."); }

bool IsVerifier(std::string_view text) {
  return text.size() >= kCodeVerifierBytesMin && text.size() <= kCodeVerifierBytesMax &&
         std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                  c == '_' || c == '~';
         });
}

bool ProvesPossession(const std::string& challenge, std::string_view verifier) {
  // A verifier for a code without a challenge: somebody put the code of another flow into this one (RFC 9700 §2.1.1).
  if (challenge.empty()) return verifier.empty();
  return IsVerifier(verifier) && crypto::EqualSecrets(S256ChallengeOf(verifier), challenge);
}

}  // namespace

std::string S256ChallengeOf(std::string_view code_verifier) { return Base64UrlEncode(crypto::Sha256(code_verifier)); }

std::string IssueAuthorizationCode(const Context& context, const directory::pb::ClientRecord& client,
                                   const directory::User& user, const CodeRequest& request) {
  pb::AuthorizationCode code;
  code.set_id(context.env.Once<std::string>("code id", [&] { return NewUuid(context.env.random()); }));
  code.set_user_key(user.key);
  code.set_sub(user.record.sub());
  code.set_redirect_uri(request.redirect_uri);
  code.set_code_challenge(request.code_challenge);
  code.set_nonce(request.nonce);
  code.set_scope(request.scope);
  code.set_expires_micros(ToMicros(context.now() + kCodeLifetime));
  code.set_authenticated_micros(ToMicros(context.now()));
  code.set_token_generation(user.record.token_generation());
  const SignOuts sign_outs = SignOutsOf(context.tx, user.key);
  code.mutable_sign_outs()->insert(sign_outs.begin(), sign_outs.end());
  return Base64UrlEncode(context.tx.keys().SealToken(keys::TokenPurpose::kAuthorizationCode, client.client_id(),
                                                     code.SerializeAsString(), context.env.random()));
}

AuthResult<Tokens> RedeemAuthorizationCode(const Context& context, const directory::pb::ClientRecord& client,
                                           std::string_view text, std::string_view redirect_uri,
                                           std::string_view code_verifier) {
  // 1. A code of ours, for this client, not expired.
  const auto sealed = text.size() <= kCodeBytesMax ? Base64UrlDecode(text) : std::nullopt;
  if (!sealed) return Invalid();
  const auto opened = context.tx.keys().OpenToken(keys::TokenPurpose::kAuthorizationCode, client.client_id(), *sealed);
  pb::AuthorizationCode code;
  if (!opened || !code.ParseFromString(*opened) || FromMicros(code.expires_micros()) <= context.now()) return Invalid();

  // 2. In the hands of the one who asked for it.
  if (code.redirect_uri() != redirect_uri || !ProvesPossession(code.code_challenge(), code_verifier)) return Invalid();

  // 3. For the first time (RFC 6749 §4.1.2).
  if (WasUsed(context.tx, code.id())) {
    RevokeFamily(context.tx, code.id(), context.now() + RefreshTokenValidity(client) + kAccessTokenLifeMax);
    return FailKeepingChanges(AuthErrorCode::kNotAuthorized, "The code was used before.");
  }

  // 4. Of a user who may still sign in.
  const auto user = GetKnownUser(context.tx, code.user_key());
  if (!user || user->record.sub() != code.sub() || !IsEnabled(context.tx, user->record) ||
      user->record.token_generation() > code.token_generation() ||
      SignedOutSince(SignOutsOf(context.tx, user->key), SignOuts(code.sign_outs().begin(), code.sign_outs().end()))) {
    return Invalid();
  }

  // 5. Mark and issue, in one commit.
  Grant grant = NewGrant(context, *user, client, code.id());
  grant.authenticated_at = FromMicros(code.authenticated_micros());
  grant.scope = code.scope();
  grant.nonce = code.nonce();
  const Timestamp watched_until = std::min(grant.ends_at, context.now() + kDoubleUseWatch);
  MarkUsed(context.tx, context.region(), code.id(), std::max(FromMicros(code.expires_micros()), watched_until));
  SYMBOLON_TRY(Tokens tokens, IssueTokens(context, *user, client, grant, 0));
  NoteSignIn(context.tx, user->record, context.now());
  return tokens;
}

}  // namespace symbolon::auth
