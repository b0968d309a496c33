#include "auth/refresh.h"

#include <algorithm>

#include "auth/devices.h"
#include "auth/disabling.h"
#include "auth/external_users.h"
#include "auth/secret_hash.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;

// Access tokens live at most so long after their family's last refresh token.
constexpr std::chrono::days kAccessTokenLifeMax{1};

auto Invalid() { return Fail(AuthErrorCode::kNotAuthorized, "Invalid Refresh Token"); }

struct LiveToken {
  pb::RefreshToken token;
  directory::User user;
};

void Revoke(const Context& context, const pb::RefreshToken& token) {
  RevokeFamily(context.tx, token.family(), FromMicros(token.ends_micros()) + kAccessTokenLifeMax);
}

// Whether the token comes from the device that it is bound to, which its user still has.
bool IsFromItsDevice(const Context& context, const pb::RefreshToken& token,
                     const std::optional<std::string>& device_key) {
  if (token.device_key().empty() || !context.pool.has_device_tracking()) return true;
  return device_key == token.device_key() &&
         directory::GetDevice(context.tx, token.user_key(), token.device_key()).has_value();
}

// A token of this client whose user may still be signed in by it; rotation is not looked at.
AuthResult<LiveToken> OpenLive(const Context& context, const ClientRecord& client, std::string_view text,
                               const std::optional<std::string>& device_key) {
  auto token = OpenRefreshToken(context, client.client_id(), text);
  if (!token) return Invalid();
  const Timestamp ends = FromMicros(token->ends_micros());
  if (ends <= context.now() || MayBeForgotten(context.tx, ends)) {
    return Fail(AuthErrorCode::kNotAuthorized, "Refresh Token has expired");
  }
  if (WasBornTwice(context.tx, token->family())) {
    Revoke(context, *token);
    return FailKeepingChanges(AuthErrorCode::kNotAuthorized, "Refresh Token has been revoked");
  }
  auto user = GetKnownUser(context.tx, token->user_key());
  if (!user || user->record.sub() != token->sub() || !IsEnabled(context.tx, user->record) ||
      user->record.token_generation() > token->token_generation() ||
      SignedOutSince(SignOutsOf(context.tx, user->key), GrantOf(*token).sign_outs) ||
      IsFamilyRevoked(context.tx, token->family())) {
    return Fail(AuthErrorCode::kNotAuthorized, "Refresh Token has been revoked");
  }
  if (!IsFromItsDevice(context, *token, device_key)) return Invalid();
  return LiveToken{.token = *std::move(token), .user = *std::move(user)};
}

// A generation that was redeemed before is good for a moment more if it was the last one: the client may not have
// received its successor.
bool IsWithinGrace(const Context& context, const ClientRecord& client, const Rotation& rotation,
                   const pb::RefreshToken& token) {
  // Without a grace period nothing is compared: the other Region's clock may be ahead.
  return client.refresh_token_rotation() && client.rotation_grace_seconds() > 0 &&
         token.generation() + 1 == rotation.redeemed &&
         context.now() < rotation.last_redeemed_at + std::chrono::seconds(client.rotation_grace_seconds());
}

AuthResult<Tokens> Redeem(const Context& context, const ClientRecord& client, const LiveToken& live) {
  const pb::RefreshToken& token = live.token;
  const Rotation rotation = RotationOf(context.tx, token.family());
  const bool is_first_time = token.generation() >= rotation.redeemed;
  if (!is_first_time && !IsWithinGrace(context, client, rotation, token)) {
    Revoke(context, token);
    return FailKeepingChanges(AuthErrorCode::kRefreshTokenReuse,
                              "Refresh Token was used before; all tokens of its sign-in are revoked");
  }
  if (!client.refresh_token_rotation()) {
    return IssueTokens(context, live.user, client, GrantOf(token), std::nullopt);
  }
  // A repetition says nothing new: the grace period counts from the first time.
  if (is_first_time) {
    MarkRedeemed(context.tx, token.family(), token.generation(), context.now(), FromMicros(token.ends_micros()));
  }
  return IssueTokens(context, live.user, client, GrantOf(token), token.generation() + 1);
}

}  // namespace

AuthResult<Tokens> RefreshTokens(const Context& context, const ClientRecord& client, std::string_view refresh_token,
                                 const std::optional<std::string>& device_key) {
  SYMBOLON_TRY(const LiveToken live, OpenLive(context, client, refresh_token, device_key));
  return Redeem(context, client, live);
}

AuthResult<SignInStep> RefreshBySignIn(const Context& context, const ClientRecord& client,
                                       const Parameters& parameters) {
  SYMBOLON_TRY(const std::string_view text, Require(parameters, "REFRESH_TOKEN"));
  if (client.refresh_token_rotation()) {
    return Fail(AuthErrorCode::kInvalidParameter,
                "Refresh tokens of this client rotate: use GetTokensFromRefreshToken.");
  }
  if (!client.secrets().empty() && !parameters.contains("SECRET_HASH")) {
    return Fail(AuthErrorCode::kNotAuthorized, MessageOf(SecretHashError::kMissing, client.client_id()));
  }
  const auto device = parameters.find("DEVICE_KEY");
  SYMBOLON_TRY(
      const LiveToken live,
      OpenLive(context, client, text, device == parameters.end() ? std::nullopt : std::optional(device->second)));
  // The caller names nobody in this call: the hash is over the user's real name, or the sub.
  if (!CheckSecretHash(client, parameters, live.user.record.sub())) {
    SYMBOLON_TRY_VOID(CheckSecretHash(client, parameters, live.user.record.username()));
  }
  SYMBOLON_TRY(Tokens tokens, Redeem(context, client, live));
  return tokens;
}

AuthResult<void> RevokeRefreshToken(const Context& context, const ClientRecord& client,
                                    std::string_view refresh_token) {
  if (!client.enable_token_revocation()) {
    return Fail(AuthErrorCode::kUnsupportedOperation, "Token revocation is not enabled for this client");
  }
  if (std::ranges::count(refresh_token, '.') == 2) {
    return Fail(AuthErrorCode::kUnsupportedTokenType, "Only refresh tokens can be revoked");
  }
  const auto token = OpenRefreshToken(context, client.client_id(), refresh_token);
  if (token && FromMicros(token->ends_micros()) > context.now()) Revoke(context, *token);
  return {};
}

}  // namespace symbolon::auth
