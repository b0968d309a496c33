#include "auth/session.h"

#include "auth/disabling.h"
#include "auth/facts.h"

namespace symbolon::auth {
namespace {

using directory::pb::ClientRecord;

constexpr std::chrono::minutes kSessionValidityDefault{3};
constexpr std::size_t kSessionBytesMax = 2'048;

// A session as text: Base64url of the client's id, which ends with NUL, and what is sealed for that client.
struct Parts {
  std::string client_id;
  Bytes sealed;
};

std::string Join(const Parts& parts) { return Base64UrlEncode(parts.client_id + '\0' + parts.sealed); }

std::optional<Parts> Split(std::string_view text) {
  if (text.size() > kSessionBytesMax) return std::nullopt;
  const auto octets = Base64UrlDecode(text);
  const std::size_t end = octets ? octets->find('\0') : Bytes::npos;
  if (end == Bytes::npos) return std::nullopt;
  return Parts{.client_id = octets->substr(0, end), .sealed = octets->substr(end + 1)};
}

}  // namespace

std::chrono::minutes SessionValidity(const ClientRecord& client) {
  const auto minutes = client.auth_session_validity_minutes();
  return minutes == 0 ? kSessionValidityDefault : std::chrono::minutes(minutes);
}

std::string NewSession(const Context& context, const ClientRecord& client, const directory::User& user,
                       pb::Session::Challenge challenge, std::string_view device_key) {
  pb::Session session;
  session.set_id(NewUuid(context.env.random()));
  session.set_challenge(challenge);
  session.set_user_key(user.key);
  session.set_sub(user.record.sub());
  session.set_expires_micros(ToMicros(context.now() + SessionValidity(client)));
  session.set_token_generation(user.record.token_generation());
  const SignOuts sign_outs = SignOutsOf(context.tx, user.key);
  session.mutable_sign_outs()->insert(sign_outs.begin(), sign_outs.end());
  session.set_device_key(std::string(device_key));
  return Join({.client_id = client.client_id(),
               .sealed = context.tx.keys().SealToken(keys::TokenPurpose::kSession, client.client_id(),
                                                     session.SerializeAsString(), context.env.random())});
}

std::optional<ClientId> ClientOfSession(std::string_view session) {
  auto parts = Split(session);
  if (!parts) return std::nullopt;
  return ClientId(std::move(parts->client_id));
}

AuthResult<OpenedSession> OpenSession(const Context& context, const ClientRecord& client,
                                      const std::optional<std::string>& text, pb::Session::Challenge challenge) {
  if (!text || text->empty()) return Fail(AuthErrorCode::kInvalidParameter, "Missing required parameter Session");
  const auto parts = Split(*text);
  if (!parts || parts->client_id != client.client_id()) return Err(InvalidSession());
  const auto opened = context.tx.keys().OpenToken(keys::TokenPurpose::kSession, client.client_id(), parts->sealed);
  pb::Session session;
  if (!opened || !session.ParseFromString(*opened) || session.challenge() != challenge) return Err(InvalidSession());
  return CheckSession(context, session);
}

AuthResult<OpenedSession> CheckSession(const Context& context, const pb::Session& session) {
  const Timestamp expires_at = FromMicros(session.expires_micros());
  if (expires_at <= context.now()) return Err(ExpiredSession());
  if (WasUsed(context.tx, session.id())) return Err(UsedSession());

  auto user = directory::GetUser(context.tx, session.user_key());
  if (!user || user->record.sub() != session.sub() || !IsEnabled(context.tx, user->record) ||
      user->record.token_generation() != session.token_generation() ||
      SignedOutSince(SignOutsOf(context.tx, user->key), {session.sign_outs().begin(), session.sign_outs().end()})) {
    return Err(InvalidSession());
  }
  return OpenedSession{.id = session.id(), .expires_at = expires_at, .user = *std::move(user), .session = session};
}

AuthResult<void> CheckNamed(const Context& context, const OpenedSession& session, std::string_view username) {
  const auto named = directory::FindUser(context.tx, context.pool, username);
  if (!named || named->key != session.user.key) return Err(InvalidSession());
  return {};
}

AuthError InvalidSession() {
  return {.code = AuthErrorCode::kNotAuthorized, .message = "Invalid session for the user."};
}

AuthError ExpiredSession() {
  return {.code = AuthErrorCode::kNotAuthorized, .message = "Invalid session for the user, session is expired."};
}

AuthError UsedSession() {
  return {.code = AuthErrorCode::kNotAuthorized,
          .message = "Invalid session for the user, session can only be used once."};
}

}  // namespace symbolon::auth
